//! Moves: an object that `kubernetes_manifest` or `kubectl_manifest` manages becomes one of ours, as an import would make
//! it, without a word to the cluster.

use serde_json::Value as Json;
use tfplugin::private::Private;
use tfplugin::resource::{ImportResponse, MoveRequest};
use tfplugin::{Diagnostic, Diagnostics, Value};

use super::memory::Memory;
use super::{Managed, ManagedResource};

/// What a state of another resource says about its object.
#[derive(Debug, Default, PartialEq, Eq)]
struct Source<'a> {
    api_version: &'a str,
    kind: &'a str,
    name: &'a str,
    namespace: Option<&'a str>,
    uid: Option<&'a str>,
    /// Who applied it, if by server-side apply: such a manager would go on claiming its fields.
    applied_by: Option<&'a str>,
}

impl<'a> Source<'a> {
    /// Reads the state of a resource type that is known here: the manifest resources of the providers hashicorp/kubernetes,
    /// gavinbunney/kubectl and alekc/kubectl, from any registry.
    fn of(request: &'a MoveRequest) -> Option<Self> {
        let provider = request.source_provider.split_once('/').map_or("", |(_, rest)| rest);
        match (provider, request.source_type.as_str()) {
            ("hashicorp/kubernetes", "kubernetes_manifest") => Some(Self::of_kubernetes(&request.state)),
            ("gavinbunney/kubectl" | "alekc/kubectl", "kubectl_manifest") => Some(Self::of_kubectl(&request.state)),
            _ => None,
        }
    }

    fn of_kubernetes(state: &'a Json) -> Self {
        // Values of any type are stored with their type.
        let manifest = &state["manifest"]["value"];
        let text = |pointer: &str| manifest.pointer(pointer).and_then(Json::as_str);
        let manager = state["field_manager"].get(0).and_then(|block| block["name"].as_str());
        Self {
            api_version: text("/apiVersion").unwrap_or_default(),
            kind: text("/kind").unwrap_or_default(),
            name: text("/metadata/name").unwrap_or_default(),
            namespace: text("/metadata/namespace"),
            uid: state.pointer("/object/value/metadata/uid").and_then(Json::as_str),
            applied_by: Some(manager.unwrap_or("Terraform")),
        }
    }

    fn of_kubectl(state: &'a Json) -> Self {
        let text = |name: &str| state[name].as_str().filter(|text| !text.is_empty());
        let manager = text("field_manager").unwrap_or("kubectl");
        Self {
            api_version: text("api_version").unwrap_or_default(),
            kind: text("kind").unwrap_or_default(),
            name: text("name").unwrap_or_default(),
            namespace: text("namespace"),
            uid: text("uid"),
            applied_by: (state["server_side_apply"] == true).then_some(manager),
        }
    }
}

impl<M: Managed> ManagedResource<M> {
    /// Just enough of a state for the read that follows, which adopts the object.
    pub(super) fn take_from(&self, request: &MoveRequest) -> ImportResponse {
        match self.try_take_from(request) {
            Ok((state, private)) => ImportResponse { state, private, diagnostics: Diagnostics::new() },
            Err(diagnostic) => {
                ImportResponse { state: Value::Null, private: Private::default(), diagnostics: (*diagnostic).into() }
            }
        }
    }

    fn try_take_from(&self, request: &MoveRequest) -> Result<(Value, Private), Box<Diagnostic>> {
        let (kind, target) = (self.managed.kind(), self.managed.type_name());
        let from = format!("{} of {}", request.source_type, request.source_provider);
        let way_out = "Remove the moved block; take the old address out of the state (`terraform state rm`) and import the \
                       object.";
        let refused = |summary: &str, detail: String| Box::new(Diagnostic::error(summary, detail));
        let Some(source) = Source::of(request) else {
            return Err(refused(
                "Move between these types not supported",
                format!(
                    "A {from} cannot become a {target}: that is possible for kubernetes_manifest (hashicorp/kubernetes) and \
                     kubectl_manifest (gavinbunney/kubectl, alekc/kubectl). {way_out}"
                ),
            ));
        };
        if source.kind != kind.name() || source.api_version != kind.api_version() {
            return Err(refused(
                "Object of another kind",
                format!(
                    "The {from} is a {} of {}; a {target} is a {} of {}. Remove the moved block, or move to the resource of \
                     that kind.",
                    or_nothing(source.kind),
                    or_nothing(source.api_version),
                    kind.name(),
                    kind.api_version()
                ),
            ));
        }
        if source.name.is_empty() {
            return Err(refused("Object without a name", format!("The state of the {from} has no name. {way_out}")));
        }
        let mut state = self.managed.schema().null_object();
        state.set("name", source.name.into());
        if kind.is_namespaced() {
            state.set("namespace", source.namespace.unwrap_or("default").into());
        }
        state.set("uid", source.uid.into());
        let memory = Memory {
            adopting: true,
            moved_from: source.applied_by.map(str::to_owned).into_iter().collect(),
            ..Memory::default()
        };
        Ok((state, Private::write(&memory)))
    }
}

fn or_nothing(text: &str) -> &str {
    if text.is_empty() { "(unknown)" } else { text }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::configured::Configured;
    use crate::datastore::DataStore;
    use crate::tenant_control_plane::TenantControlPlane;

    fn manifest(kind: &str) -> Json {
        json!({"manifest": {"type": ["object", {}], "value": {"apiVersion": "kamaji.clastix.io/v1alpha1", "kind": kind,
            "metadata": {"name": "blue", "namespace": "tenants"}}}, "object": {"value": {}, "type": "dynamic"}})
    }

    fn request(provider: &str, ty: &str, state: Json) -> MoveRequest {
        MoveRequest {
            source_provider: format!("registry.terraform.io/{provider}"),
            source_type: ty.to_owned(),
            source_schema_version: 1,
            state,
        }
    }

    fn tenant(request: &MoveRequest) -> ImportResponse {
        ManagedResource::new(TenantControlPlane::default(), Arc::new(Configured::default())).take_from(request)
    }

    fn summary(response: &ImportResponse) -> &str {
        response.diagnostics.iter().next().map(|found| found.summary.as_str()).unwrap_or_default()
    }

    #[test]
    fn a_kubernetes_manifest_is_taken_with_its_manager() {
        let mut state = manifest("TenantControlPlane");
        let taken = tenant(&request("hashicorp/kubernetes", "kubernetes_manifest", state.clone()));
        assert_eq!((taken.state.str_at("namespace"), taken.state.str_at("name")), (Some("tenants"), Some("blue")));
        let memory: Memory = taken.private.read();
        assert!(memory.adopting);
        assert_eq!(memory.moved_from, ["Terraform"]);

        state["field_manager"] = json!([{"name": "platform", "force_conflicts": true}]);
        let taken = tenant(&request("hashicorp/kubernetes", "kubernetes_manifest", state));
        assert_eq!(taken.private.read::<Memory>().moved_from, ["platform"]);
    }

    #[rstest::rstest]
    #[case("gavinbunney/kubectl", false, &[])]
    #[case("alekc/kubectl", true, &["kubectl"])]
    fn a_kubectl_manifest_is_taken_with_its_uid(
        #[case] provider: &str,
        #[case] server_side: bool,
        #[case] managers: &[&str],
    ) {
        let state = json!({"api_version": "kamaji.clastix.io/v1alpha1", "kind": "DataStore", "name": "d", "namespace": null,
            "uid": "u-1", "server_side_apply": server_side, "yaml_body": "…"});
        let store = ManagedResource::new(DataStore::default(), Arc::new(Configured::default()));
        let taken = store.take_from(&request(provider, "kubectl_manifest", state));
        assert_eq!((taken.state.str_at("name"), taken.state.str_at("uid")), (Some("d"), Some("u-1")));
        assert_eq!(taken.private.read::<Memory>().moved_from, managers);
    }

    #[test]
    fn what_is_another_kind_or_another_type_is_refused() {
        let other = tenant(&request("hashicorp/kubernetes", "kubernetes_manifest", manifest("DataStore")));
        assert_eq!(summary(&other), "Object of another kind");
        let empty = tenant(&request("alekc/kubectl", "kubectl_manifest", Json::Null));
        assert_eq!(summary(&empty), "Object of another kind");
        let foreign = tenant(&request("hashicorp/null", "null_resource", json!({"id": "1"})));
        assert_eq!(summary(&foreign), "Move between these types not supported");
    }
}
