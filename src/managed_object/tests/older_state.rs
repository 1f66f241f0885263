//! States of older providers: `state_v0.json` is what the first schema (version 0) wrote for the quickstart, its private
//! state decoded. It is never written anew.

use http::Method;
use serde_json::{Value as Json, json};
use tfplugin::plan::{changes, propose, to_config};
use tfplugin::private::Private;
use tfplugin::resource::{Context, Plan, PlanRequest, ReadRequest, Resource as _};
use tfplugin::value::from_json;
use tfplugin::{Diagnostics, Value};

use super::super::memory::{Memory, NONCE};
use super::super::{Managed, ManagedResource};
use super::*;
use crate::tenant_control_plane::TenantControlPlane;

fn recorded(type_name: &str) -> (Json, Json) {
    let all: Json = serde_json::from_str(include_str!("state_v0.json")).expect("JSON");
    assert_eq!(all[type_name]["schema_version"], 0);
    (all[type_name]["attributes"].clone(), all[type_name]["private"].clone())
}

/// What `UpgradeResourceState` makes of the state: the same path as in a run.
fn upgraded<M: Managed>(managed: M) -> (ManagedResource<M>, Value, Private) {
    let resource = ManagedResource::new(managed, Arc::default());
    let (mut attributes, private) = recorded(resource.type_name());
    let version = resource.schema().version;
    if version > 0 {
        attributes = resource.upgrade_state(0, attributes).expect("an upgrade from the first schema");
    }
    let state = from_json(&attributes, resource.schema().object_type()).expect("the current type");
    (resource, state, Private::from_bytes(private.to_string().into_bytes()))
}

async fn plans_nothing<M: Managed>(managed: M) {
    let (resource, state, private) = upgraded(managed);
    let config = to_config(&resource.schema().attributes, &state);
    let proposal = propose(resource.schema(), &state, &config, &state);
    let plan = Plan {
        planned: proposal.planned,
        requires_replace: Vec::new(),
        private: private.clone(),
        diagnostics: Diagnostics::new(),
    };
    let request = PlanRequest { prior: state.clone(), config, private };
    let plan = resource.plan(&Context::default(), request, plan).await;
    assert_eq!(plan.diagnostics, Diagnostics::new());
    assert_eq!(plan.planned, state);
}

#[tokio::test]
async fn the_first_states_are_planned_as_they_are() {
    plans_nothing(TenantControlPlane::default()).await;
    plans_nothing(DataStore::default()).await;
}

#[test]
fn nothing_of_the_first_states_is_lost() {
    fn kept<M: Managed>(managed: M) {
        let (resource, state, private) = upgraded(managed);
        let (attributes, recorded) = recorded(resource.type_name());
        let now = tfplugin::value::to_json(&state, resource.schema().object_type());
        for (name, value) in attributes.as_object().expect("an object").iter().filter(|(_, value)| !value.is_null()) {
            assert!(contains(&now[name], value), "{name}: {value} became {}", now[name]);
        }
        let memory: Memory = private.read();
        assert_eq!(Json::Object(memory.applied), recorded["applied"]);
        assert_eq!((memory.nonce, memory.was_ready), (recorded["nonce"].as_str().unwrap_or_default().to_owned(), true));
    }
    kept(TenantControlPlane::default());
    kept(DataStore::default());
}

fn contains(now: &Json, before: &Json) -> bool {
    match (now, before) {
        (Json::Object(now), Json::Object(before)) => {
            before.iter().all(|(name, value)| value.is_null() || now.get(name).is_some_and(|now| contains(now, value)))
        }
        (now, before) => now == before,
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_refresh_of_a_first_state_shows_no_drift_and_remembers_the_cluster() {
    let (_, state, private) = upgraded(DataStore::default());
    let (attributes, memory) = recorded("kamaji_datastore");
    let mut live = memory["applied"].clone();
    live["apiVersion"] = json!("kamaji.clastix.io/v1alpha1");
    live["kind"] = json!("DataStore");
    live["metadata"]["uid"] = attributes["uid"].clone();
    assert!(live["metadata"]["annotations"][NONCE].is_string());
    let path = "/apis/kamaji.clastix.io/v1alpha1/datastores/quickstart";
    let secret = "/api/v1/namespaces/kamaji-system/secrets/quickstart-etcd-certs";
    let unseen = failure(403, "Forbidden", "secrets is forbidden", &json!({}));
    let api = Scripted::new([on(Method::GET, path).answers(200, &live), on(Method::GET, secret).answers(403, &unseen)]);
    let shared = Configured::with(api.cluster(), Some("cluster-1"), crate::configured::Settings::default());
    let resource = ManagedResource::new(DataStore::default(), Arc::new(shared));
    let request = ReadRequest { state: state.clone(), private };
    let response = resource.read(&Context::default(), request).await;
    assert_eq!(response.diagnostics, Diagnostics::new());
    assert_eq!(changes(&DataStore::default().schema().attributes, &state, &response.state), []);
    assert_eq!(response.private.read::<Memory>().cluster, "cluster-1");
    api.finish();
}
