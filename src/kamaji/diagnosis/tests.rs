use serde_json::json;

use super::*;

fn evidence(spec: Value, status: Value) -> Evidence {
    Evidence { tenant_control_plane: json!({"spec": spec, "status": status}), ..Evidence::default() }
}

#[rstest::rstest]
#[case::node_port(json!({"dataStore": "d", "controlPlane": {"service": {"serviceType": "NodePort"}}}), "network_profile.address")]
#[case::load_balancer(json!({"dataStore": "d", "controlPlane": {"service": {"serviceType": "LoadBalancer"}}}), "load balancer controller")]
#[case::no_data_store(json!({"controlPlane": {"service": {"serviceType": "ClusterIP"}}}), "no `data_store`")]
#[case::missing_data_store(json!({"dataStore": "d"}), "DataStore d does not exist")]
fn the_likely_cause_is_named(#[case] spec: Value, #[case] word: &str) {
    let lines = not_ready(&evidence(spec, json!({}))).join("\n");
    assert!(lines.contains(word), "{lines}");
}

/// A control plane round which nothing is wrong.
fn healthy() -> Evidence {
    let spec = json!({"dataStore": "d", "controlPlane": {"service": {"serviceType": "LoadBalancer"}}});
    let status = json!({
        "controlPlaneEndpoint": "1.2.3.4:6443",
        "storage": {"dataStoreName": "d", "setup": {"schema": "s"}},
    });
    Evidence {
        data_store: Some(json!({"status": {"ready": true}})),
        deployment: Some(json!({})),
        pods: vec![json!({"metadata": {"name": "a-1"}})],
        ..evidence(spec, status)
    }
}

fn pod(status: Value) -> Vec<Value> {
    vec![json!({"metadata": {"name": "a-1"}, "status": status})]
}

#[test]
fn where_nothing_looks_wrong_the_log_is_named() {
    let lines = not_ready(&healthy());
    assert_eq!(lines.len(), 2);
    assert!(lines[1].contains("log of the Kamaji controller"), "{lines:?}");
}

#[rstest::rstest]
#[case::image(
    json!({"containerStatuses": [{"name": "kube-apiserver", "image": "x:v9",
        "state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}}]}),
    "Pod a-1, container kube-apiserver (x:v9): ImagePullBackOff. not found"
)]
#[case::crash(
    json!({"containerStatuses": [{"name": "kine", "image": "k", "restartCount": 4,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
        "lastState": {"terminated": {"reason": "Error", "exitCode": 1, "message": "access\ndenied"}}}]}),
    "Pod a-1, container kine (k) ended 4 times, last with Error, exit code 1. access denied"
)]
#[case::pending(
    json!({"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}]}),
    "Pod a-1 cannot be scheduled: 0/1 nodes are available"
)]
#[case::probe(
    json!({"containerStatuses": [{"name": "kube-apiserver", "image": "x", "ready": false, "state": {"running": {}}}]}),
    "does not pass its readiness probe"
)]
fn a_pod_in_trouble_is_quoted(#[case] status: Value, #[case] words: &str) {
    let lines = not_ready(&Evidence { pods: pod(status), ..healthy() }).join("\n");
    assert!(lines.contains(words), "{lines}");
}

#[rstest::rstest]
#[case::quota(
    json!({"status": {"conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"}]}}),
    "Deployment: FailedCreate: exceeded quota"
)]
#[case::fine(json!({"status": {"conditions": [{"type": "Progressing", "status": "True"}]}}), "Nothing round it looks wrong")]
fn a_deployment_that_fails_is_quoted(#[case] deployment: Value, #[case] words: &str) {
    let lines = not_ready(&Evidence { deployment: Some(deployment), ..healthy() }).join("\n");
    assert!(lines.contains(words), "{lines}");
}

#[rstest::rstest]
#[case::host_name_only("/service", json!({"status": {"loadBalancer": {"ingress": [{"hostname": "x"}]}}}), "host name and no IP")]
#[case::refused("/dataStore", json!({"status": {"ready": false, "conditions": [{"status": "False", "message": "secret gone"}]}}), "not ready: secret gone")]
#[case::ingress("/spec/controlPlane/ingress", json!({}), "`control_plane.ingress` has no `hostname`")]
#[case::gateway("/spec/controlPlane/gateway", json!({"hostname": "x", "parentRefs": [{}]}), "attached to 0 parents")]
#[case::setup("/status/storage/setup", json!(null), "cannot work with the DataStore d")]
#[case::migration("/status", json!({"controlPlaneEndpoint": "1.2.3.4:1", "storage": {"dataStoreName": "o", "setup": {"schema": "s"}}, "kubernetesResources": {"version": {"status": "Migrating"}}}), "moving from DataStore o to d")]
#[case::paused("/metadata", json!({"name": "a", "namespace": "n", "annotations": {"kamaji.clastix.io/paused": ""}}), "kubectl -n n annotate tenantcontrolplane a")]
fn each_cause_is_named(#[case] place: &str, #[case] value: Value, #[case] words: &str) {
    let mut evidence = healthy();
    match place {
        "/service" => {
            evidence.tenant_control_plane["status"]["controlPlaneEndpoint"] = Value::Null;
            evidence.service = Some(value);
        }
        "/dataStore" => evidence.data_store = Some(value),
        _ => {
            let (parent, key) = place.rsplit_once('/').unwrap();
            evidence.tenant_control_plane.pointer_mut(parent).unwrap()[key] = value;
        }
    }
    let lines = not_ready(&evidence).join("\n");
    assert!(lines.contains(words), "{lines}");
}

#[test]
fn a_diagnosis_stays_short() {
    let crash =
        json!({"name": "c", "image": "i", "lastState": {"terminated": {"reason": "E", "message": "x".repeat(9_000)}}});
    let one = pod(json!({"containerStatuses": vec![crash; 9]}));
    let lines = not_ready(&Evidence { pods: vec![one[0].clone(); 9], ..healthy() });
    assert_eq!(lines.len(), MOST_LINES);
    assert!(lines.iter().all(|line| line.chars().count() <= 301));
}

#[test]
fn an_event_is_told_once_per_reason_newest_first() {
    let event = |reason: &str, message: &str| json!({"type": "Warning", "reason": reason, "message": message});
    let events = vec![event("A", "1"), event("B", "2"), event("B", "3"), json!({"type": "Normal", "reason": "C"})];
    let lines = not_ready(&Evidence { events, ..healthy() });
    assert_eq!(lines[1..], ["Event B: 3", "Event A: 1"]);
}

#[rstest::rstest]
#[case::paused(json!({"annotations": {"kamaji.clastix.io/paused": ""}, "finalizers": ["finalizer.kamaji.clastix.io"]}), json!({}), "paused-`")]
#[case::gateway(json!({}), json!({"controlPlane": {"gateway": {}}}), "Gateway API's CRDs")]
#[case::dns(json!({}), json!({"networkProfile": {"serviceCidr": "10.96.0.0/16", "dnsServiceIPs": ["10.97.0.10"]}}), "dnsServiceIPs 10.97.0.10 are outside")]
#[case::no_data_store(json!({}), json!({"dataStore": "d"}), "Create it again with the same name")]
fn each_blocker_of_a_delete_is_named_with_its_remedy(
    #[case] metadata: Value,
    #[case] spec: Value,
    #[case] words: &str,
) {
    let mut evidence = evidence(spec, json!({}));
    evidence.tenant_control_plane["metadata"] = metadata;
    let lines = not_deleted(&evidence).join("\n");
    assert!(lines.contains(words), "{lines}");
}

#[rstest::rstest]
#[case::refused(ForDelete { updates_refused: Some("d DataStore does not exist".to_owned()), ..ForDelete::default() }, "every update of it is refused")]
#[case::override_gone(ForDelete { missing_overrides: vec!["events".to_owned()], ..ForDelete::default() }, "DataStore events of `data_store_overrides`")]
#[case::secret_gone(ForDelete { without_secret: true, ..ForDelete::default() }, "Secret a-datastore-config is gone")]
fn what_a_delete_needs_beside_is_named(#[case] for_delete: ForDelete, #[case] words: &str) {
    let mut evidence = Evidence { for_delete, ..evidence(json!({}), json!({})) };
    evidence.tenant_control_plane["metadata"] =
        json!({"name": "a", "namespace": "n", "finalizers": ["finalizer.kamaji.clastix.io"]});
    let lines = not_deleted(&evidence).join("\n");
    assert!(lines.contains(words), "{lines}");
    let last_resort = "kubectl -n n patch tenantcontrolplane a --type=merge -p '{\"metadata\":{\"finalizers\":null}}'";
    assert!(lines.contains(last_resort), "{lines}");
}
