//! What a DataStore shows: who uses it, its certificates, and what is missing or has drifted of its credentials.

use serde_json::Value as Json;
use tfplugin::{Diagnostic, Diagnostics, Value};

use super::material::Material;
use super::part::{Part, kept_in};
use super::secret::{Found, Secrets, missing, refers_to_kept};
use crate::kamaji::datastore as rules;
use crate::managed_object::Scene;
use crate::managed_object::mapping::at;

/// Fills the computed attributes that a DataStore itself shows, without a request.
pub fn show(live: &Json, state: &mut Value) {
    state.set("id", live["metadata"]["name"].as_str().into());
    state.set("uid", live["metadata"]["uid"].as_str().into());
    state.set("ready", live["status"]["ready"].as_bool().map_or(Value::Null, Value::Bool));
    state.set("used_by", Value::strings(rules::users(live)));
}

pub(super) async fn observe(scene: &Scene, live: &Json, state: &mut Value) -> Diagnostics {
    show(live, state);
    let mut said = Diagnostics::new();
    if let Some(why) = rules::refusal(live) {
        let detail = format!(
            "Kamaji does not accept {}: {why}. Tenants that use it are not changed until it does.",
            scene.object
        );
        said.push(Diagnostic::warning("Datastore is not ready", detail));
    }
    let mut secrets = Secrets::new(scene);
    let mut material = Material::default();
    for part in Part::ALL {
        let Some((found, place)) = secrets.of_live(live, part).await else {
            if part.is_kept(state) {
                drifted(state, part, &mut said);
            }
            continue;
        };
        let gone = missing(&found, &place);
        if part.is_kept(state) && (gone.is_some() || !refers_to_kept(live, state, part)) {
            drifted(state, part, &mut said);
        } else if let Some((summary, detail)) = gone {
            let detail = format!(
                "{detail} {} refers to it for `{}`; Kamaji neither makes, changes nor deletes tenants of this datastore until it \
                 is back. Make it again.",
                scene.object,
                part.path()
            );
            said.push(Diagnostic::warning(summary, detail).at(part.at("")));
        }
        if let Found::Value(value) = found {
            material.put(part, value);
        }
    }
    state.set("certificates", certificates(&material));
    said.extend(not_imported(live, state));
    said
}

/// The next apply sends it again: its version is no longer that of the configuration.
fn drifted(state: &mut Value, part: Part, said: &mut Diagnostics) {
    said.push(
        Diagnostic::warning(
            "Credential has to be written again",
            format!(
                "`{}` is no longer what the provider keeps in Secret {}: somebody has changed the reference or removed the \
                 value. The next apply writes it again.",
                part.path(),
                kept_in(state).id()
            ),
        )
        .at(part.at("content_wo_version")),
    );
    state.set(&part.inner("content_wo_version"), Value::Null);
}

/// `certificates`; null without any that can be read.
fn certificates(material: &Material) -> Value {
    let shown = |part: Part| match material.certificate(part) {
        Some(certificate) => Value::object([
            ("sha256_fingerprint", Value::from(certificate.fingerprint)),
            ("not_after", Value::from(certificate.not_after.to_string())),
        ]),
        None => Value::Null,
    };
    let (authority, client) = (shown(Part::CaCertificate), shown(Part::ClientCertificate));
    if authority.is_null() && client.is_null() {
        return Value::Null;
    }
    Value::object([("certificate_authority", authority), ("client_certificate", client)])
}

/// What an import cannot take over: values that stand in the object itself.
fn not_imported(live: &Json, state: &Value) -> Diagnostics {
    let mut said = Diagnostics::new();
    for part in Part::ALL {
        let content = at(live, part.api_path())["content"].as_str().unwrap_or_default();
        let sources = ["content", "content_wo_version", "secret_reference"];
        if !content.is_empty() && sources.iter().all(|source| state.get(&part.inner(source)).is_null()) {
            said.push(
                Diagnostic::warning(
                    "Inline content is not imported",
                    format!(
                        "The DataStore holds `{}` itself. It is a secret, so it is not taken into the state: give it in the \
                         configuration, best as `content_wo`.",
                        part.path()
                    ),
                )
                .at(part.at("content")),
            );
        }
    }
    said
}
