//! What Kamaji leaves behind on purpose or by oversight: objects that belong to a control plane, and to which the garbage
//! collector sees no connection.

use serde_json::Value as Json;

use crate::managed_object::Scene;
use crate::management_cluster::{ApiError, Kind, ObjectRef, Propagation, json_of};

/// Removes what a control plane that is gone leaves without an owner: the empty Secret of a datastore without TLS, and
/// the Job of a migration, which lies in Kamaji's own namespace. Rights that are missing for it are no error: both are
/// harmless.
pub(super) async fn sweep(scene: &Scene) {
    if let Err(error) = empty_secret(scene).await {
        tracing::info!(object = %scene.object, %error, "an empty Secret may be left");
    }
    if let Err(error) = migration_jobs(scene).await {
        tracing::info!(object = %scene.object, %error, "Jobs of migrations may be left");
    }
}

async fn delete(scene: &Scene, kind: Kind, found: &Json) -> Result<(), ApiError> {
    let text = |pointer: &str| found.pointer(pointer).and_then(Json::as_str).unwrap_or_default();
    let object = ObjectRef::namespaced(kind, text("/metadata/namespace"), text("/metadata/name"));
    let deleted = scene.cluster.delete(&scene.operation, &object, text("/metadata/uid"), Propagation::Background).await;
    deleted.map(|_| ())
}

/// Without TLS Kamaji writes no labels, no owner and no data into it.
async fn empty_secret(scene: &Scene) -> Result<(), ApiError> {
    let namespace = scene.object.namespace.clone().unwrap_or_default();
    let secret = ObjectRef::namespaced(Kind::Secret, namespace, format!("{}-datastore-certificate", scene.object.name));
    let Some(found) = scene.cluster.get(&scene.operation, &secret).await? else { return Ok(()) };
    let found = json_of(&found);
    let has = |pointer: &str| {
        found.pointer(pointer).is_some_and(|value| {
            value.as_object().is_some_and(|members| !members.is_empty())
                || value.as_array().is_some_and(|items| !items.is_empty())
        })
    };
    let ours = !["/data", "/metadata/labels", "/metadata/ownerReferences"].into_iter().any(has);
    if ours { delete(scene, Kind::Secret, &found).await } else { Ok(()) }
}

async fn migration_jobs(scene: &Scene) -> Result<(), ApiError> {
    for job in super::migration::jobs(scene).await? {
        delete(scene, Kind::Job, &json_of(&job)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Method;
    use serde_json::json;

    use super::*;
    use crate::management_cluster::scripted::{Scripted, failure, list_of, not_found, on};

    const SECRET: &str = "/api/v1/namespaces/tenants/secrets/blue-datastore-certificate";
    const JOBS: &str = "/apis/batch/v1/jobs";
    const JOB: &str = "/apis/batch/v1/namespaces/kamaji-system/jobs/migrate-1";

    fn scene(api: &Scripted) -> Scene {
        Scene::of_tenant(api, "blue", Duration::from_secs(60))
    }

    fn secret(labels: &Json) -> Json {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "blue-datastore-certificate",
            "namespace": "tenants", "uid": "s", "labels": labels}})
    }

    fn gone() -> Json {
        json!({"kind": "Status", "apiVersion": "v1", "status": "Success"})
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_no_owner_goes_too() {
        let job = json!({"apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": "migrate-1", "namespace": "kamaji-system", "uid": "j"}});
        let api = Scripted::new([
            on(Method::GET, SECRET).answers(200, &secret(&json!({}))),
            on(Method::DELETE, SECRET).answers(200, &gone()),
            on(Method::GET, JOBS).answers(200, &list_of("1", &[job])),
            on(Method::DELETE, JOB).answers(200, &gone()),
        ]);
        sweep(&scene(&api)).await;
        assert_eq!(api.asked()[1].body["preconditions"]["uid"], "s");
        assert_eq!(api.asked()[3].body["preconditions"]["uid"], "j");
        let query = &api.asked()[2].query;
        assert!(query.contains("name%3Dblue") && query.contains("namespace%3Dtenants"), "{query}");
        api.finish();
    }

    #[tokio::test(start_paused = true)]
    async fn a_secret_of_somebody_else_stays_and_missing_rights_are_no_error() {
        let forbidden = failure(403, "Forbidden", "no right", &json!({}));
        let api = Scripted::new([
            on(Method::GET, SECRET).answers(200, &secret(&json!({"app": "x"}))),
            on(Method::GET, JOBS).answers(403, &forbidden),
        ]);
        sweep(&scene(&api)).await;
        api.finish();
        let api = Scripted::new([
            on(Method::GET, SECRET).answers(404, &not_found("secrets", "x")),
            on(Method::GET, JOBS).answers(200, &list_of("1", &[])),
        ]);
        sweep(&scene(&api)).await;
        api.finish();
    }
}
