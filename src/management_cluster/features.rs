//! What the installed Kamaji can do, by its CRDs: no object says which release it is.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use super::client::ManagementCluster;
use super::kind::{Kind, ObjectRef};
use super::operation::Operation;

/// What was found out about kinds, by a place in their schema.
#[derive(Debug, Default)]
pub(super) struct Features(Mutex<BTreeMap<(Kind, &'static str), Option<bool>>>);

impl ManagementCluster {
    /// Whether the installed CRD of a kind has this in its schema: a JSON pointer below `openAPIV3Schema` that leads to
    /// something, or with `=value` at its end to a list that has the value. [`None`] if the CRD cannot be read, which needs
    /// a right of its own.
    ///
    /// Asked once in the life of the process; an API server that gave no answer is asked again.
    pub async fn declares(&self, operation: &Operation, kind: Kind, place: &'static str) -> Option<bool> {
        let known = &self.features().0;
        let lock = || known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(&found) = lock().get(&(kind, place)) {
            return found;
        }
        let crd = ObjectRef::cluster(Kind::CustomResourceDefinition, kind.resource());
        let found = match self.get(operation, &crd).await {
            Ok(Some(object)) => Some(has(&super::json_of(&object), place)),
            Ok(None) => None,
            Err(error) if error.is_unreachable() || operation.is_stopped() => return None,
            Err(error) => {
                tracing::info!(%kind, %error, "the CRD cannot be read; what this Kamaji can do is taken from its objects");
                None
            }
        };
        lock().insert((kind, place), found);
        found
    }
}

fn has(crd: &Value, place: &str) -> bool {
    let (pointer, member) = place.split_once('=').map_or((place, None), |(pointer, member)| (pointer, Some(member)));
    let versions = crd.pointer("/spec/versions").and_then(Value::as_array).into_iter().flatten();
    versions.filter_map(|version| version.pointer("/schema/openAPIV3Schema")?.pointer(pointer)).any(
        |found| match member {
            None => true,
            Some(member) => found.as_array().is_some_and(|all| all.iter().any(|one| one == member)),
        },
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Method;
    use serde_json::json;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::management_cluster::scripted::{Scripted, failure, on};

    const CRD: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/tenantcontrolplanes.kamaji.clastix.io";
    const SEEN: &str = "/properties/status/properties/observedGeneration";

    async fn declares(api: &Scripted, cluster: &ManagementCluster, place: &'static str) -> Option<bool> {
        let operation = Operation::new(Duration::from_secs(5), &CancellationToken::new());
        let _ = api;
        cluster.declares(&operation, Kind::TenantControlPlane, place).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_crd_is_asked_once_for_each_feature() {
        let schema =
            json!({"properties": {"status": {"properties": {"observedGeneration": {}, "word": {"enum": ["A"]}}}}});
        let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "x"},
            "spec": {"versions": [{"schema": {"openAPIV3Schema": schema}}]}});
        let api = Scripted::new([(); 3].map(|()| on(Method::GET, CRD).answers(200, &crd)));
        let cluster = api.cluster();
        for _ in 0..3 {
            assert_eq!(declares(&api, &cluster, SEEN).await, Some(true));
        }
        assert_eq!(declares(&api, &cluster, "/properties/status/properties/word/enum=A").await, Some(true));
        assert_eq!(declares(&api, &cluster, "/properties/status/properties/word/enum=B").await, Some(false));
        api.finish();
    }

    #[tokio::test(start_paused = true)]
    async fn without_the_right_nothing_is_known_and_nothing_asked_again() {
        let api = Scripted::new([on(Method::GET, CRD).answers(403, &failure(403, "Forbidden", "no", &json!({})))]);
        let cluster = api.cluster();
        assert_eq!(declares(&api, &cluster, SEEN).await, None);
        assert_eq!(declares(&api, &cluster, SEEN).await, None);
        api.finish();
    }
}
