//! The fence around a cluster: a state is only read from, and written to, the cluster that it came from.
//!
//! The UID of an object tells that it was made anew; of a missing object nothing tells that the kubeconfig leads to
//! another cluster today, and Terraform would make everything again there. So the cluster's own UID is remembered.

use tfplugin::Diagnostic;

use super::memory::Memory;
use super::{Managed, ManagedResource, Scene};

impl<M: Managed> ManagedResource<M> {
    /// Remembers the cluster, or refuses one that is not the remembered one. A cluster that does not let us see its UID
    /// passes.
    pub(super) async fn check_cluster(&self, scene: &Scene, memory: &mut Memory) -> Result<(), Box<Diagnostic>> {
        let Some(uid) = self.shared.cluster_uid(&scene.cluster, &scene.operation).await else { return Ok(()) };
        if memory.cluster.is_empty() {
            memory.cluster.clone_from(&uid);
        }
        if memory.cluster == uid { Ok(()) } else { Err(Box::new(another_cluster(scene, &memory.cluster, &uid))) }
    }
}

fn another_cluster(scene: &Scene, known: &str, found: &str) -> Diagnostic {
    Diagnostic::error(
        "Another management cluster",
        format!(
            "{} was made in the cluster {known} (UID of its namespace kube-system), but the provider now points to the \
             cluster {found} at {}. Nothing there was changed, and nothing \
             of it is in the state.\n\nCorrect the provider block (kubeconfig, context, \
             host). If the old cluster is gone for good, take the object out of the state (`terraform state rm`); then it \
             can be imported from the new cluster, or made there.",
            scene.object,
            scene.cluster.host()
        ),
    )
}
