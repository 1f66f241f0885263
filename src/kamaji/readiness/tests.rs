use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::kamaji::certificate::tests::API_SERVER;

/// A control plane of a Kamaji that reports the generation, done with its last change.
fn current() -> Value {
    json!({
        "metadata": {"name": "t1", "namespace": "tenants", "generation": 2},
        "spec": {
            "dataStore": "default",
            "controlPlane": {"deployment": {"replicas": 1}, "service": {"serviceType": "LoadBalancer"}},
            "kubernetes": {"version": "v1.30.2"},
            "networkProfile": {},
        },
        "status": {
            "observedGeneration": 2,
            "controlPlaneEndpoint": "10.0.0.1:6443",
            "kubeconfig": {"admin": {"secretName": "t1-admin-kubeconfig"}},
            "storage": {"dataStoreName": "default"},
            "kubernetesResources": {
                "version": {"status": "Ready", "version": "v1.30.2"},
                "deployment": {"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1},
            },
        },
    })
}

/// The same of Kamaji v1.0.0.
fn old() -> Value {
    with(current(), "/status", |status| {
        status.as_object_mut().unwrap().remove("observedGeneration");
    })
}

fn deployment() -> Value {
    let container = |name: &str| json!({"name": name, "image": format!("registry.k8s.io/{name}:v1.30.2"), "args": []});
    json!({
        "metadata": {"generation": 3},
        "spec": {"replicas": 1, "template": {"spec": {"containers": [
            container("kube-apiserver"), container("kube-scheduler"), container("kube-controller-manager"),
        ]}}},
        "status": {"observedGeneration": 3, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1},
    })
}

fn with(mut object: Value, pointer: &str, change: impl FnOnce(&mut Value)) -> Value {
    change(object.pointer_mut(pointer).unwrap());
    object
}

fn set(object: Value, pointer: &str, key: &str, value: Value) -> Value {
    with(object, pointer, |parent| parent[key] = value)
}

fn status(object: Value, word: &str) -> Value {
    set(object, "/status/kubernetesResources/version", "status", json!(word))
}

fn at(level: Level) -> Wanted<'static> {
    Wanted { level, ..Wanted::default() }
}

/// The reason, or the word for ready.
fn told(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Ready => "ready".to_owned(),
        Verdict::NotYet(reason) => format!("not yet: {reason}"),
        Verdict::Never(reason) => format!("never: {reason}"),
    }
}

#[rstest]
#[case::done(current(), "ready")]
#[case::unseen_change(set(current(), "/metadata", "generation", json!(3)), "not yet: Kamaji has not finished with the last change: it has seen generation 2")]
#[case::upgrading(status(current(), "Upgrading"), "not yet: The status is Upgrading")]
#[case::rolling(status(current(), "Unknown"), "not yet: The status is Unknown")]
#[case::new_word(status(current(), "Hibernating"), "not yet: The status is Hibernating")]
#[case::old_version(set(current(), "/spec/kubernetes", "version", json!("v1.31.0")), "not yet: Version v1.31.0 is asked for, v1.30.2 is installed")]
#[case::version_without_v(set(current(), "/spec/kubernetes", "version", json!("1.30.2")), "ready")]
#[case::migrating(set(current(), "/spec", "dataStore", json!("other")), "not yet: The data are to be in DataStore \"other\" and are in \"default\"")]
#[case::default_data_store(set(current(), "/spec", "dataStore", Value::Null), "ready")]
#[case::no_status(set(current(), "", "status", Value::Null), "not yet: No endpoint")]
#[case::paused(set(current(), "/metadata", "annotations", json!({"kamaji.clastix.io/paused": ""})), "never: The control plane is paused")]
#[case::deleting(set(current(), "/metadata", "deletionTimestamp", json!("2026-01-01T00:00:00Z")), "never: The control plane is being deleted since 2026")]
#[case::asleep_by_wish(status(set(current(), "/spec/controlPlane/deployment", "replicas", json!(0)), "Sleeping"), "ready")]
#[case::still_asleep(status(current(), "Sleeping"), "not yet: The status is Sleeping")]
#[case::limited_by_wish(status(set(current(), "/spec", "writePermissions", json!({"blockCreation": true})), "WriteLimited"), "ready")]
#[case::still_limited(status(current(), "WriteLimited"), "not yet: The status is WriteLimited")]
fn a_kamaji_that_reports_the_generation_is_believed(#[case] object: Value, #[case] wanted: &str) {
    let verdict = told(&judge(&object, None, at(Level::Ready)));
    assert!(verdict.starts_with(wanted), "{verdict}");
}

#[test]
fn limited_writes_hide_a_roll_out_that_the_counters_show() {
    let object = status(set(current(), "/spec", "writePermissions", json!({"blockUpdate": true})), "WriteLimited");
    let object = set(object, "/status/kubernetesResources/deployment", "updatedReplicas", json!(0));
    assert_eq!(judge(&object, None, at(Level::Ready)), not_yet("The pods are being replaced."));
}

#[test]
fn a_crd_that_has_the_generation_makes_its_absence_count() {
    let wanted = Wanted { level: Level::Ready, reports_generation: true, ..Wanted::default() };
    assert!(told(&judge(&old(), Some(&deployment()), wanted)).contains("it has seen none"));
}

#[test]
fn a_deployment_that_rolls_is_not_ready_even_where_kamaji_says_so() {
    let rolling = set(deployment(), "/metadata", "generation", json!(4));
    assert!(told(&judge(&current(), Some(&rolling), at(Level::Ready))).contains("roll-out has not started"));
}

#[rstest]
#[case::done(old(), deployment(), "ready")]
#[case::old_image(set(old(), "/spec/kubernetes", "version", json!("v1.30.4")), deployment(), "not yet: Version v1.30.4")]
#[case::image_behind_status(
    set(set(old(), "/spec/kubernetes", "version", json!("v1.30.4")), "/status/kubernetesResources/version", "version", json!("v1.30.4")),
    deployment(),
    "not yet: The Deployment's container kube-apiserver has image registry.k8s.io/kube-apiserver:v1.30.2, registry.k8s.io/kube-apiserver:v1.30.4 is asked for"
)]
#[case::registry(
    set(old(), "/spec/controlPlane/deployment", "registrySettings", json!({"registry": "r.example.com", "tagSuffix": "-fips"})),
    deployment(),
    "not yet: The Deployment's container kube-apiserver has image registry.k8s.io/kube-apiserver:v1.30.2, r.example.com/kube-apiserver:v1.30.2-fips"
)]
#[case::generation(old(), set(deployment(), "/metadata", "generation", json!(4)), "not yet: The Deployment has changed")]
#[case::not_scaled(set(old(), "/spec/controlPlane/deployment", "replicas", json!(2)), deployment(), "not yet: 1 of 2 pods")]
#[case::not_available(old(), set(deployment(), "/status", "availableReplicas", json!(0)), "not yet: 0 of 1 pods are available")]
#[case::argument(
    set(old(), "/spec/controlPlane/deployment", "extraArgs", json!({"apiServer": ["--v=3"]})),
    deployment(),
    "not yet: The Deployment's API server does not have the argument --v yet"
)]
#[case::managed_argument(
    set(old(), "/spec/controlPlane/deployment", "extraArgs", json!({"apiServer": ["--secure-port=1", "bare"]})),
    deployment(),
    "ready"
)]
#[case::argument_there(
    set(old(), "/spec/controlPlane/deployment", "extraArgs", json!({"apiServer": ["--v=2", "--v=3", "--x="]})),
    set(deployment(), "/spec/template/spec/containers/0", "args", json!(["--secure-port=6443", "--v=3", "--x"])),
    "ready"
)]
#[case::asleep(
    set(old(), "/spec/controlPlane/deployment", "replicas", json!(0)),
    set(set(deployment(), "/spec", "replicas", json!(0)), "", "status", json!({"observedGeneration": 3})),
    "ready"
)]
fn an_older_kamaji_is_believed_on_the_evidence_of_the_deployment(
    #[case] object: Value,
    #[case] deployment: Value,
    #[case] wanted: &str,
) {
    let verdict = told(&judge(&object, Some(&deployment), at(Level::Ready)));
    assert!(verdict.starts_with(wanted), "{verdict}");
}

#[test]
fn an_older_kamaji_is_not_believed_without_a_deployment() {
    assert_eq!(judge(&old(), None, at(Level::Ready)), not_yet("The Deployment does not exist yet."));
}

#[rstest]
#[case::there("10.0.0.1", "ready")]
#[case::missing(
    "api.example.org",
    "not yet: The certificate of the API server does not have the name \"api.example.org\""
)]
fn an_older_kamaji_is_believed_on_the_evidence_of_the_certificate(#[case] san: &str, #[case] wanted: &str) {
    let object = set(old(), "/spec/networkProfile", "certSANs", json!([san]));
    let evidence = Wanted { level: Level::Ready, api_server_certificate: Some(API_SERVER), ..Wanted::default() };
    let verdict = told(&judge(&object, Some(&deployment()), evidence));
    assert!(verdict.starts_with(wanted), "{verdict}");
}

#[rstest]
#[case::accepted(Level::Accepted, "ready")]
#[case::provisioned(Level::Provisioned, "ready")]
#[case::ready(Level::Ready, "not yet: The status is NotReady")]
#[case::reachable(Level::Reachable, "not yet: The status is NotReady")]
fn each_level_asks_for_more(#[case] level: Level, #[case] wanted: &str) {
    let verdict = told(&judge(&status(current(), "NotReady"), None, at(level)));
    assert!(verdict.starts_with(wanted), "{verdict}");
}

#[rstest]
#[case::ingress("ingress", json!({"hostname": "t1.example.com"}), "not yet: The Ingress")]
#[case::gateway("gateway", json!({"hostname": "t1.example.com"}), "not yet: The Gateway")]
fn to_be_reachable_a_route_has_to_exist(#[case] kind: &str, #[case] spec: Value, #[case] wanted: &str) {
    let object = set(current(), "/spec/controlPlane", kind, spec);
    assert_eq!(judge(&object, None, at(Level::Ready)), Verdict::Ready);
    assert!(told(&judge(&object, None, at(Level::Reachable))).starts_with(wanted));
}

#[test]
fn a_node_port_without_address_never_becomes_ready() {
    let object = json!({"spec": {"controlPlane": {"service": {"serviceType": "NodePort"}}}});
    assert!(told(&judge(&object, None, at(Level::Provisioned))).starts_with("never: The Service is of type NodePort"));
    assert_eq!(judge(&object, None, at(Level::Accepted)), Verdict::Ready);
}

#[test]
fn levels_read_back_from_their_words() {
    let levels: Vec<Level> = Level::WORDS.iter().map(|word| word.parse().unwrap()).collect();
    assert_eq!(levels, [Level::Accepted, Level::Provisioned, Level::Ready, Level::Reachable]);
    assert!("done".parse::<Level>().is_err());
}

#[test]
fn ready_has_to_last_for_the_whole_window() {
    let start = Instant::now();
    let second = |n: u64| start + Duration::from_secs(n);
    let mut window = StabilityWindow::new(Duration::from_secs(5));
    assert_eq!(window.observe(second(0), Verdict::Ready), Progress::Holding(second(5)));
    assert_eq!(window.observe(second(4), Verdict::Ready), Progress::Holding(second(5)));
    assert_eq!(window.observe(second(4), not_yet("rolling")), Progress::Waiting("rolling".to_owned()));
    assert_eq!(window.observe(second(6), Verdict::Ready), Progress::Holding(second(11)));
    assert_eq!(window.observe(second(11), Verdict::Ready), Progress::Settled);
    assert_eq!(window.observe(second(12), Verdict::Never("paused".to_owned())), Progress::Failed("paused".to_owned()));
}

#[test]
fn a_window_of_no_length_believes_at_once() {
    assert_eq!(StabilityWindow::new(Duration::ZERO).observe(Instant::now(), Verdict::Ready), Progress::Settled);
}

proptest::proptest! {
    #[test]
    fn any_json_is_judged_without_a_panic(text in "[a-z]{0,6}", number in proptest::num::i64::ANY) {
        for odd in [json!(null), json!(text), json!(number), json!([text]), json!({"spec": text, "status": [number]})] {
            judge(&odd, Some(&odd), at(Level::Reachable));
        }
    }
}
