//! Credentials at a plan and before a write: what is missing, what does not fit, and the Secret that is kept.

use jiff::Timestamp;
use tfplugin::{Diagnostic, Diagnostics, Severity, Value};

use super::material::{Material, judge};
use super::part::{Part, kept_in};
use super::secret::{self, Found, Secrets, gather, missing};
use crate::managed_object::{Applying, Scene};

/// The attributes that say how a datastore is reached.
const ACCESS: [&str; 4] = ["driver", "endpoints", "basic_auth", "tls_config"];

/// True if a change is about how the datastore is reached.
pub(super) fn access_changes(prior: &Value, planned: &Value) -> bool {
    prior.is_null() || ACCESS.iter().any(|name| prior.get(name) != planned.get(name)) || secret::changes(prior, planned)
}

/// What a plan sees in the Secrets that are referred to. All of it may be put right in the same apply: warnings.
pub(super) async fn look(scene: &Scene, prior: &Value, planned: &Value) -> Diagnostics {
    let mut said = Diagnostics::new();
    if !access_changes(prior, planned) {
        return said;
    }
    let mut secrets = Secrets::new(scene);
    let mut material = Material::default();
    for part in Part::ALL {
        let Some((found, place)) = secrets.of_reference(planned, part).await else { continue };
        if let Some((summary, detail)) = missing(&found, &place) {
            let detail = format!(
                "{detail} That is fine if it is made in the same apply, before the datastore; otherwise it will fail."
            );
            said.push(Diagnostic::warning(summary, detail).at(part.at("secret_reference")));
        }
        if let Found::Value(value) = found {
            material.put(part, value);
        }
    }
    for finding in judge(planned.str_at("driver"), &material, Timestamp::now()) {
        said.push(finding.to_diagnostic("secret_reference", Severity::Warning));
    }
    said
}

/// What an apply does before it writes the datastore: nothing is written if a credential is missing or cannot work.
pub(super) async fn prepare(scene: &Scene, applying: &Applying<'_>) -> Result<Diagnostics, Diagnostics> {
    if !access_changes(applying.prior, applying.planned) {
        return Ok(Diagnostics::new());
    }
    let gathered = gather(scene, applying).await;
    let mut said = gathered.found.clone();
    for finding in judge(applying.planned.str_at("driver"), &gathered.material, Timestamp::now()) {
        let path = |source: &str| finding.part.inner(source);
        let sources = ["secret_reference", "content_wo", "content"];
        let source = sources.into_iter().find(|source| applying.config.get(&path(source)).is_set()).unwrap_or_default();
        // What the configuration itself gives has been judged by the validation; warnings have been said by the plan.
        if finding.severity == Severity::Error {
            said.push(finding.to_diagnostic(source, Severity::Error));
        }
    }
    if !said.has_errors() {
        said.extend(super::connection::check(applying.planned, &gathered.material, gathered.unseen).await);
    }
    if said.has_errors() {
        return Err(said);
    }
    secret::write(scene, applying.planned, &gathered).await.map_err(Diagnostics::from)?;
    Ok(said)
}

/// Removes the Secret that the datastore was kept in before, if it is another one now or none.
pub(super) async fn remove_unused(scene: &Scene, applying: &Applying<'_>) -> Result<(), Diagnostic> {
    let Applying { prior, planned, .. } = *applying;
    let still_used = super::part::kept(planned).next().is_some() && kept_in(prior) == kept_in(planned);
    if still_used { Ok(()) } else { secret::remove(scene, prior).await }
}
