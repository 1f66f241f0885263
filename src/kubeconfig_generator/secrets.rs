//! The Secrets that a generator leaves: they belong to the control planes, and Kamaji removes them only with those.

use tfplugin::{Diagnostic, Diagnostics, Path, Value};

use super::schema::ON_DESTROY;
use crate::managed_object::Scene;
use crate::management_cluster::{ApiError, Kind, ObjectRef, Propagation};

/// What remains of a generator that is gone: listed, or removed if the configuration said so.
pub(super) async fn after_the_generator(scene: &Scene, prior: &Value) -> Result<Diagnostics, Diagnostic> {
    let labels = format!("kamaji.clastix.io/managed-by={}", scene.object.name);
    let keep = |object: kube::api::DynamicObject| {
        let metadata = object.metadata;
        Some((metadata.namespace?, metadata.name?, metadata.uid?))
    };
    let listed = scene.cluster.list_kept(&scene.operation, Kind::Secret, None, &labels, keep).await;
    let mut found: Vec<_> = match listed {
        Ok(found) => found.into_iter().flatten().collect(),
        Err(error @ ApiError::Forbidden { .. }) => return Ok(unseen(scene, &error).into()),
        Err(error) => return Err(error.to_diagnostic("list the Secrets that the generator has made")),
    };
    found.sort();
    if found.is_empty() {
        return Ok(Diagnostics::new());
    }
    let names: Vec<String> = found.iter().map(|(namespace, name, _)| format!("{namespace}/{name}")).collect();
    if prior.str_at("secrets_on_destroy").unwrap_or(ON_DESTROY[0]) == "keep" {
        return Ok(Diagnostic::warning(
            "Generated Secrets stay",
            format!(
                "{} is gone; the kubeconfigs that it made are still there, and their certificates work for up to a year:\n\n  - \
                 {}\n\nThey go with their control planes. `secrets_on_destroy = \"delete\"` removes them with the generator.",
                scene.object,
                names.join("\n  - ")
            ),
        )
        .at(Path::of("secrets_on_destroy"))
        .into());
    }
    for (namespace, name, uid) in &found {
        let secret = ObjectRef::namespaced(Kind::Secret, namespace, name);
        let deleted = scene.cluster.delete(&scene.operation, &secret, uid, Propagation::Background).await;
        deleted.map_err(|error| error.to_diagnostic(&format!("delete {secret}")))?;
    }
    Ok(Diagnostics::new())
}

fn unseen(scene: &Scene, error: &ApiError) -> Diagnostic {
    Diagnostic::warning(
        "Generated Secrets not known",
        format!(
            "{} is gone; which kubeconfigs it has left is not known: {error}. They carry the label \
             kamaji.clastix.io/managed-by={}.",
            scene.object, scene.object.name
        ),
    )
}
