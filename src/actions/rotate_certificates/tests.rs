//! Rotations against a scripted API server, with real certificates.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rstest::rstest;
use serde_json::{Value as Json, json};
use tfplugin::action::Action as _;
use tfplugin::resource::Context;
use tfplugin::{Diagnostics, Severity, Value};
use tokio::time::Instant;

use super::super::tests::{DEPLOYMENTS, TENANTS, action, config, crd, error, found, invoke, live, waits};
use super::issued::{Issued, Seen, Wanted};
use super::{MOUNTED, ROTATE, RotateCertificates};
use crate::management_cluster::scripted::{Scripted, Step, event, list_of, on};
use crate::tenant_cluster::tests::{deleted, ready};

const SECRETS: &str = "/api/v1/namespaces/tenants/secrets";

fn pem(der: &[u8]) -> String {
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(der))
}

/// A CA that issues.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "kubernetes");
        let pem = pem(params.self_signed(&key).unwrap().der());
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate, another one each time.
    fn issues(&self) -> String {
        let key = KeyPair::generate().unwrap();
        pem(CertificateParams::new(vec!["a".to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap().der())
    }

    fn kubeconfig(&self) -> String {
        let (ca, certificate) = (STANDARD.encode(&self.pem), STANDARD.encode(self.issues()));
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{{name: a, cluster: {{server: 'https://10.0.0.1:6443', \
             certificate-authority-data: {ca}}}}}]\ncontexts: [{{name: c, context: {{cluster: a, user: u}}}}]\nusers: [{{name: \
             u, user: {{client-certificate-data: {certificate}, client-key-data: {}}}}}]\n",
            STANDARD.encode("planted-key")
        )
    }
}

/// A Secret of a component.
fn secret(component: &str, data: &[(&str, String)]) -> Json {
    let data: serde_json::Map<_, _> =
        data.iter().map(|(key, text)| ((*key).to_owned(), json!(STANDARD.encode(text)))).collect();
    json!({"apiVersion": "v1", "kind": "Secret", "data": data, "metadata": {
        "name": format!("a-{component}"), "namespace": "tenants", "uid": format!("uid-{component}"), "resourceVersion": "1",
        "labels": {"kamaji.clastix.io/name": "a", "kamaji.clastix.io/component": component}}})
}

fn ca(authority: &Authority) -> Json {
    secret("ca", &[("ca.crt", authority.pem.clone()), ("ca.key", "planted-key".to_owned())])
}

fn serving(authority: &Authority) -> Json {
    secret("api-server-certificate", &[("apiserver.crt", authority.issues()), ("apiserver.key", "planted".to_owned())])
}

fn scheduler(authority: &Authority) -> Json {
    secret("scheduler-kubeconfig", &[("scheduler.conf", authority.kubeconfig())])
}

fn admin(authority: &Authority) -> Json {
    secret("admin-kubeconfig", &[("admin.conf", authority.kubeconfig()), ("super-admin.conf", authority.kubeconfig())])
}

fn all(authority: &Authority) -> Vec<Json> {
    vec![
        ca(authority),
        serving(authority),
        scheduler(authority),
        admin(authority),
        secret("datastore-certificate", &[]),
    ]
}

/// A Secret that was made anew under the same name.
fn anew(mut secret: Json) -> Json {
    secret["metadata"]["uid"] = json!(format!("{}-2", secret["metadata"]["uid"].as_str().unwrap()));
    secret
}

/// A Deployment whose pods mount Secrets with these hashes.
fn mounts(hash: &str) -> Json {
    let label = |component: &str| format!("{MOUNTED}{component}");
    let labels = json!({label("ca"): hash, label("api-server-certificate"): hash, label("scheduler-kubeconfig"): hash,
        label("service-account"): "same"});
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "a", "namespace": "tenants", "generation": 2, "resourceVersion": "7"},
        "spec": {"replicas": 1, "template": {"metadata": {"labels": labels}}},
        "status": {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}})
}

fn of_deployment(object: &Json) -> Step {
    on(Method::GET, &format!("{DEPLOYMENTS}/a")).answers(200, object)
}

fn listed(secrets: &[Json]) -> Step {
    on(Method::GET, SECRETS).answers(200, &list_of("8", secrets))
}

fn watched(events: &[Json]) -> Step {
    on(Method::GET, SECRETS).streams(events)
}

fn annotated(component: &str) -> Step {
    let path = format!("{SECRETS}/a-{component}");
    on(Method::PATCH, &path).answers(200, &secret(component, &[]))
}

fn removed(component: &str) -> Step {
    on(Method::DELETE, &format!("{SECRETS}/a-{component}")).answers(200, &deleted())
}

/// The end of a rotation: the pods roll, the control plane is ready, the Secrets are what they are now.
fn end(now: &[Json]) -> Vec<Step> {
    let rolled = waits(DEPLOYMENTS, &mounts("old"), &[event("MODIFIED", &mounts("new"))]);
    let settles = waits(TENANTS, &live(&[]), &[]);
    let kubeconfig =
        on(Method::GET, &format!("{SECRETS}/a-admin-kubeconfig")).answers(200, now.last().unwrap()).always();
    let mut steps: Vec<Step> = rolled.into_iter().chain(settles).collect();
    steps.extend([of_deployment(&mounts("new")).always(), listed(now), found(&live(&[])).always(), kubeconfig]);
    steps
}

/// A tenant that lets the administrators in, one of them with no rights yet.
fn tenant(more: Vec<Step>) -> Scripted {
    let kube_system = "/api/v1/namespaces/kube-system";
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}});
    let forbidden =
        crate::management_cluster::scripted::failure(403, "Forbidden", "namespaces is forbidden", &json!({}));
    let steps = [
        ready(),
        on(Method::GET, kube_system).answers(200, &namespace),
        on(Method::GET, kube_system).answers(403, &forbidden),
    ];
    Scripted::new(steps.into_iter().chain(more))
}

fn rotate(words: &[&str]) -> (&'static str, Value) {
    ("rotate", Value::strings(words.iter().copied()))
}

#[tokio::test(start_paused = true)]
async fn certificates_and_kubeconfigs_are_issued_rolled_out_and_tried() {
    let authority = Authority::new();
    let before = all(&authority);
    let now = [ca(&authority), anew(serving(&authority)), scheduler(&authority), anew(admin(&authority))];
    let mut now_in_order = now.to_vec();
    now_in_order[0] = before[0].clone();
    let events: Vec<Json> = now_in_order[1..].iter().map(|secret| event("MODIFIED", secret)).collect();
    let steps = [
        found(&live(&[])),
        listed(&before),
        of_deployment(&mounts("old")),
        removed("admin-kubeconfig"),
        annotated("api-server-certificate"),
        annotated("scheduler-kubeconfig"),
        listed(&before),
        watched(&events),
    ];
    let api = Scripted::new([crd(true)].into_iter().chain(steps).chain(end(&now_in_order)));
    let inside = tenant(vec![]);
    let (said, end) = invoke(&action(RotateCertificates, &api, &inside), &Context::default(), &[]).await;
    assert_eq!(end, Diagnostics::new(), "{said:#?}");
    for words in [
        "Rotates 3 Secrets of TenantControlPlane tenants/a: a-admin-kubeconfig, a-api-server-certificate, a-scheduler-kubeconfig.",
        "admin.conf is the old one",
        "All 3 Secrets are issued anew.",
        "Waiting for pods with the new api-server-certificate.",
        "admits super-admin.conf",
        "knows admin.conf, and permits it nothing yet",
        "a-api-server-certificate, valid until",
    ] {
        assert!(said.iter().any(|message| message.contains(words)), "{words}: {said:#?}");
    }
    assert!(!said.iter().any(|message| message.contains("planted")), "{said:#?}");
    let asked = api.asked();
    let patches: Vec<_> = asked.iter().filter(|asked| asked.method == Method::PATCH).collect();
    assert_eq!(patches.len(), 2);
    assert_eq!(
        patches[0].body,
        json!({"metadata": {"uid": "uid-api-server-certificate", "annotations": {ROTATE: ""}}})
    );
    let delete = asked.iter().find(|asked| asked.method == Method::DELETE).unwrap();
    assert_eq!(delete.body["preconditions"]["uid"], "uid-admin-kubeconfig");
    api.finish();
    inside.finish();
}

/// An older Kamaji takes a delete for a wish, and leaves `super-admin.conf` under the old CA.
#[tokio::test(start_paused = true)]
async fn a_new_ca_is_followed_to_what_kamaji_leaves_under_the_old_one() {
    let (old, new) = (Authority::new(), Authority::new());
    let before = all(&old);
    let half = secret(
        "admin-kubeconfig",
        &[
            ("admin.conf", new.kubeconfig()),
            ("super-admin.conf", {
                let data = before[3]["data"]["super-admin.conf"].as_str().unwrap();
                String::from_utf8(STANDARD.decode(data).unwrap()).unwrap()
            }),
        ],
    );
    let then = [anew(ca(&new)), serving(&new), scheduler(&new), half];
    let now = [then[0].clone(), then[1].clone(), then[2].clone(), anew(admin(&new))];
    let changes: Vec<Json> = then[1..].iter().map(|secret| event("MODIFIED", secret)).collect();
    let steps = [
        found(&live(&[])),
        listed(&before),
        of_deployment(&mounts("old")),
        removed("ca"),
        // The new CA.
        listed(&before[1..]),
        watched(&[event("ADDED", &then[0])]),
        // What follows by itself.
        listed(&[&then[..1], &before[1..]].concat()),
        watched(&changes),
        // What does not.
        removed("admin-kubeconfig"),
        listed(&then[..3]),
        watched(&[event("ADDED", &now[3])]),
    ];
    let api = Scripted::new([crd(false)].into_iter().chain(steps).chain(end(&now)));
    let info = |authority: &Authority| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cluster-info", "namespace": "kube-public"},
            "data": {"kubeconfig": authority.kubeconfig()}})
    };
    let path = "/api/v1/namespaces/kube-public/configmaps/cluster-info";
    let inside =
        tenant(vec![on(Method::GET, path).answers(200, &info(&old)), on(Method::GET, path).answers(200, &info(&new))]);
    let (said, end) = invoke(&action(RotateCertificates, &api, &inside), &Context::default(), &[rotate(&["ca"])]).await;
    assert!(!end.has_errors(), "{end:#?} {said:#?}");
    let warning = end.iter().find(|it| it.summary == "Nodes and kubeconfigs have the old CA").expect("a warning");
    assert!(warning.detail.contains("sha256:"), "{warning:?}");
    for words in [
        "The new CA is there: pin sha256:",
        "super-admin.conf is the old one): it is deleted",
        "All 4 Secrets are issued anew.",
        "cluster-info names the new CA",
    ] {
        assert!(said.iter().any(|message| message.contains(words)), "{words}: {said:#?}");
    }
    api.finish();
    inside.finish();
}

#[tokio::test(start_paused = true)]
async fn a_rotation_that_takes_too_long_or_is_interrupted_says_what_is_left() {
    let authority = Authority::new();
    let before = all(&authority);
    let script = || {
        let left = || [listed(&before), watched(&[])];
        let steps =
            [found(&live(&[])), listed(&before), of_deployment(&mounts("old")), annotated("api-server-certificate")];
        let steps = steps.into_iter().chain(left());
        Scripted::new([crd(true), removed("api-server-certificate").always()].into_iter().chain(steps).chain(left()))
    };
    let edits = [rotate(&["certificates"]), ("timeouts", Value::object([("invoke", Value::from("45s"))]))];
    let api = script();
    let (said, end) = invoke(&action(RotateCertificates, &api, &tenant(vec![])), &Context::default(), &edits).await;
    let (summary, detail, _) = error(&end);
    assert_eq!(summary, "Certificates not rotated in time");
    assert!(detail.contains("a-api-server-certificate: apiserver.crt is the old one"), "{detail}");
    assert!(said.iter().any(|message| message.contains("is deleted, to be made anew")), "{said:#?}");

    let (api, cx) = (script(), Context::default());
    let stop = cx.stop.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(10)).await;
        stop.cancel();
    });
    let begin = Instant::now();
    let (_, end) = invoke(&action(RotateCertificates, &api, &tenant(vec![])), &cx, &[rotate(&["certificates"])]).await;
    assert_eq!(error(&end).0, "Interrupted while rotating certificates");
    assert!(begin.elapsed() <= Duration::from_secs(11), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_new_ca_is_announced_by_the_plan_and_refused_where_it_could_not_be_handed_on() {
    let limited = live(&[("/spec/writePermissions", json!({"blockUpdate": true}))]);
    let api = Scripted::new([crd(true), found(&limited).always()]);
    let rotation = action(RotateCertificates, &api, &Scripted::new([]));
    let edits = [rotate(&["ca"])];
    let planned = rotation.plan(&Context::default(), &config(&rotation, &edits)).await;
    let summaries: Vec<&str> = planned.iter().map(|it| it.summary.as_str()).collect();
    assert_eq!(summaries, ["New CA cuts off nodes and kubeconfigs", "Action cannot be carried out now"]);
    assert!(planned.iter().all(|it| it.severity == Severity::Warning));
    let (_, end) = invoke(&rotation, &Context::default(), &edits).await;
    assert_eq!(error(&end).0, "Writes in the tenant are limited");
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn without_certificates_there_is_nothing_to_rotate() {
    let api = Scripted::new([crd(true), found(&live(&[])), listed(&[])]);
    let (_, end) = invoke(&action(RotateCertificates, &api, &Scripted::new([])), &Context::default(), &[]).await;
    assert_eq!(error(&end).0, "Control plane has no certificates yet");
    api.finish();
}

#[rstest]
#[case::leaf(&["certificates"], &["api-server-certificate", "konnectivity-certificate", "konnectivity-kubeconfig"], &["admin-kubeconfig", "ca"])]
#[case::kubeconfigs(&["kubeconfigs"], &["admin-kubeconfig", "scheduler-kubeconfig"], &["api-server-certificate", "ca"])]
#[case::ca(&["ca"], &["ca", "admin-kubeconfig", "api-server-certificate"], &["datastore-certificate", "sa-certificate"])]
fn what_is_rotated(#[case] words: &[&str], #[case] taken: &[&str], #[case] left: &[&str]) {
    let wanted = Wanted::of(&Value::object([rotate(words)]));
    assert!(taken.iter().all(|component| wanted.takes(component)), "{wanted:?}");
    assert!(!left.iter().any(|component| wanted.takes(component)), "{wanted:?}");
}

#[test]
fn a_secret_is_new_when_all_its_certificates_are_new_and_of_the_ca() {
    let (old, new) = (Authority::new(), Authority::new());
    let of = |secret: &Json| Issued::of(secret).expect("certificates");
    let lacks = |before: &Issued, now: Option<&Issued>, authority: &Authority| {
        let authority: Seen = of(&ca(authority)).authority().cloned().unwrap();
        Issued::lacks(before, now, Some(&authority)).unwrap_or_default()
    };
    let before = of(&serving(&old));
    assert_eq!(lacks(&before, None, &old), "it is being made");
    assert_eq!(lacks(&before, Some(&before.clone()), &old), "apiserver.crt is the old one");
    assert_eq!(lacks(&before, Some(&of(&serving(&old))), &old), "");
    assert_eq!(lacks(&before, Some(&of(&serving(&old))), &new), "apiserver.crt is signed by another CA");
    let before = of(&admin(&old));
    assert_eq!(lacks(&before, Some(&of(&admin(&old))), &new), "admin.conf has another CA in it");
    let one = secret("admin-kubeconfig", &[("admin.conf", old.kubeconfig())]);
    assert_eq!(lacks(&before, Some(&of(&one)), &old), "super-admin.conf is missing");
    assert!(Issued::of(&secret("sa-certificate", &[("sa.pub", "x".to_owned())])).is_none());
    assert!(!format!("{before:?}").contains("planted"), "no key is kept");
}
