//! How many requests reads cost, and that they are never older than they may be.

use futures::future::join_all;
use http::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::management_cluster::scripted::{Scripted, Step, failure, list_of, not_found, on, tenant};
use crate::management_cluster::{ApplyOptions, json_of};

const TENANTS: &str = "/apis/kamaji.clastix.io/v1alpha1/namespaces/tenants/tenantcontrolplanes";
const EVERYWHERE: &str = "/apis/kamaji.clastix.io/v1alpha1/tenantcontrolplanes";

fn named(name: &str) -> ObjectRef {
    ObjectRef::namespaced(Kind::TenantControlPlane, "tenants", name)
}

fn operation() -> Operation {
    Operation::new(Duration::from_secs(60), &CancellationToken::new()).patience(Duration::ZERO)
}

fn number(index: usize) -> String {
    format!("t{index:04}")
}

fn object(name: &str) -> Value {
    tenant(name, "7", &json!({"kubernetes": {"version": "v1.30.0"}}))
}

fn get(name: &str) -> Step {
    on(Method::GET, &format!("{TENANTS}/{name}")).answers(200, &object(name))
}

fn missing(name: &str) -> Step {
    on(Method::GET, &format!("{TENANTS}/{name}")).answers(404, &not_found("tenantcontrolplanes", name))
}

/// A page with these objects; with a continue token if there are more.
fn page(names: impl IntoIterator<Item = String>, more: bool) -> Step {
    let objects: Vec<Value> = names.into_iter().map(|name| object(&name)).collect();
    let mut list = list_of("9", &objects);
    if more {
        list["metadata"]["continue"] = "more".into();
    }
    on(Method::GET, TENANTS).answers(200, &list)
}

async fn read(cluster: &ManagementCluster, name: &str) -> Option<String> {
    let found = cluster.get_shared(&operation(), &named(name)).await.expect("an answer")?;
    assert_eq!(json_of(&found)["spec"]["kubernetes"]["version"], "v1.30.0");
    found.metadata.name
}

async fn read_all(cluster: &ManagementCluster, names: &[String]) {
    for ten in names.chunks(10) {
        for (name, found) in ten.iter().zip(join_all(ten.iter().map(|name| read(cluster, name))).await) {
            assert_eq!(found.as_ref(), Some(name));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_objects_are_read_by_themselves() {
    let api = Scripted::new([get("a"), get("b")]);
    read_all(&api.cluster(), &["a".to_owned(), "b".to_owned()]).await;
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_thousand_objects_cost_four_requests() {
    let names: Vec<String> = (0..1000).map(number).collect();
    let api = Scripted::new([
        get("t0000"),
        get("t0001"),
        page(names[..500].to_vec(), true),
        page(names[500..].to_vec(), false),
    ]);
    read_all(&api.cluster(), &names).await;
    let queries: Vec<String> = api.asked().into_iter().map(|asked| asked.query).collect();
    assert_eq!(queries[2..], ["&limit=500", "&limit=500&continue=more"]);
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_few_objects_among_thousands_cost_one_page_at_most() {
    let api = Scripted::new([get("t0000"), get("t4000"), page((0..500).map(number), true), get("t3000"), get("t2000")]);
    let names = [0, 4000, 3000, 2000].map(number);
    read_all(&api.cluster(), &names).await;
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn an_object_that_a_list_lacks_is_asked_for() {
    let api = Scripted::new([get("a"), get("b"), page(["a", "b", "c", "e"].map(String::from), false), missing("d")]);
    let cluster = api.cluster();
    read_all(&cluster, &["a", "b", "c", "e"].map(String::from)).await;
    assert_eq!(read(&cluster, "d").await, None);
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn what_was_written_here_is_read_by_itself() {
    let written = on(Method::PATCH, &format!("{TENANTS}/c")).answers(200, &object("c"));
    let api = Scripted::new([get("a"), get("b"), page(["a", "b", "c"].map(String::from), false), written, get("c")]);
    let cluster = api.cluster();
    read_all(&cluster, &["a", "b", "c"].map(String::from)).await;
    let options = ApplyOptions { field_manager: "m".to_owned(), force: false, dry_run: false };
    cluster.apply(&operation(), &named("c"), &json!({}), &options).await.expect("written");
    read_all(&cluster, &["a", "b", "c"].map(String::from)).await;
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_is_no_write() {
    let dry = on(Method::PATCH, &format!("{TENANTS}/c")).answers(200, &object("c"));
    let api = Scripted::new([get("a"), get("b"), page(["c".to_owned()], false), dry]);
    let cluster = api.cluster();
    read_all(&cluster, &["a", "b", "c"].map(String::from)).await;
    let options = ApplyOptions { field_manager: "m".to_owned(), force: false, dry_run: true };
    cluster.apply(&operation(), &named("c"), &json!({}), &options).await.expect("checked");
    read_all(&cluster, &["c".to_owned()]).await;
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn without_the_right_to_list_reads_go_on_one_by_one() {
    let forbidden = failure(403, "Forbidden", "cannot list", &json!({}));
    let list = on(Method::GET, TENANTS).answers(403, &forbidden);
    let api = Scripted::new([get("a"), get("b"), list, get("c"), get("d")]);
    read_all(&api.cluster(), &["a", "b", "c", "d"].map(String::from)).await;
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn an_old_list_is_made_anew() {
    let api = Scripted::new([get("a"), get("b"), page(["c".to_owned()], false), page(["c".to_owned()], false)]);
    let cluster = api.cluster();
    read_all(&cluster, &["a", "b", "c", "c"].map(String::from)).await;
    tokio::time::advance(FRESH + Duration::from_millis(1)).await;
    read_all(&cluster, &["c".to_owned()]).await;
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_for_a_page_share_its_failure() {
    let api = Scripted::new([get("a"), get("b"), on(Method::GET, TENANTS).refused()]);
    let cluster = api.cluster();
    read_all(&cluster, &["a", "b"].map(String::from)).await;
    let names = ["c", "d", "e"];
    let objects = names.map(named);
    let operation = operation();
    for answer in join_all(objects.iter().map(|object| cluster.get_shared(&operation, object))).await {
        assert!(answer.expect_err("no API server").is_unreachable());
    }
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_was_given_up_is_tried_once_and_comes_back() {
    let api = Scripted::new([
        on(Method::GET, &format!("{TENANTS}/a")).refused(),
        on(Method::GET, &format!("{TENANTS}/b")).refused(),
        page(["c".to_owned()], false),
    ]);
    let cluster = api.cluster();
    assert!(cluster.get_shared(&operation(), &named("a")).await.is_err());
    let patient = operation().patience(Duration::from_secs(20));
    tokio::time::advance(Duration::from_millis(1)).await;
    assert!(cluster.get_shared(&patient, &named("b")).await.is_err());
    tokio::time::advance(Duration::from_millis(1)).await;
    read_all(&cluster, &["c".to_owned()]).await;
    api.finish();
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_ends_the_wait_for_somebody_elses_page() {
    let api = Scripted::new([get("a"), get("b"), on(Method::GET, TENANTS).unanswered()]);
    let cluster = api.cluster();
    read_all(&cluster, &["a", "b"].map(String::from)).await;
    let stop = CancellationToken::new();
    let (slow, mine) = (operation(), Operation::new(Duration::from_secs(60), &stop));
    let (c, d) = (named("c"), named("d"));
    let other = cluster.get_shared(&slow, &c);
    tokio::pin!(other);
    assert!(futures::poll!(&mut other).is_pending());
    let waiting = cluster.get_shared(&mine, &d);
    tokio::pin!(waiting);
    assert!(futures::poll!(&mut waiting).is_pending());
    stop.cancel();
    assert!(matches!(waiting.await, Err(ApiError::Stopped { sent: false })));
}

#[tokio::test(start_paused = true)]
async fn reads_all_over_the_namespaces_share_one_list() {
    let place = |namespace: usize| ObjectRef::namespaced(Kind::TenantControlPlane, format!("n{namespace}"), "a");
    let there = |namespace: usize| {
        let mut there = object("a");
        there["metadata"]["namespace"] = format!("n{namespace}").into();
        there
    };
    let path =
        |namespace: usize| format!("/apis/kamaji.clastix.io/v1alpha1/namespaces/n{namespace}/tenantcontrolplanes/a");
    let mut script: Vec<Step> =
        (0..NAMESPACES).map(|index| on(Method::GET, &path(index)).answers(200, &there(index))).collect();
    let all: Vec<Value> = (0..10).map(there).collect();
    script.push(on(Method::GET, EVERYWHERE).answers(200, &list_of("9", &all)));
    let api = Scripted::new(script);
    let cluster = api.cluster();
    for index in 0..10 {
        let found = cluster.get_shared(&operation(), &place(index)).await.expect("an answer").expect("an object");
        assert_eq!(found.metadata.namespace, Some(format!("n{index}")));
    }
    api.finish();
}

#[test]
fn a_page_that_is_none_is_an_error_and_no_panic() {
    for text in ["", "{}", "[]", "{\"metadata\":{},\"items\":[1]}", "{\"metadata\":{},\"items\":[{\"metadata\":{}}]}"] {
        assert!(Page::read(&Bytes::from(text), false).is_err(), "{text}");
    }
}

mod property {
    //! Against an API server that changes by itself: no answer is older than allowed, none is made up.

    use std::convert::Infallible;

    use http::{Request, Response};
    use http_body_util::Full;
    use kube::client::Body;
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Read(usize),
        Write(usize),
        /// Somebody else writes, creates or deletes.
        Change(usize),
        Delete(usize),
        Pass(u64),
    }

    /// Versions by object; zero is absent. The history says since when each version is there.
    #[derive(Default)]
    struct Server {
        versions: HashMap<usize, u64>,
        history: Vec<(Instant, usize, u64)>,
    }

    const OBJECTS: usize = 12;

    impl Server {
        fn set(&mut self, object: usize, version: u64) {
            self.versions.insert(object, version);
            self.history.push((Instant::now(), object, version));
        }

        fn body(&self, object: usize) -> Option<Value> {
            let version = self.versions.get(&object).copied().filter(|version| *version > 0)?;
            Some(tenant(&number(object), &version.to_string(), &json!({})))
        }

        fn answer(&mut self, request: &Request<Body>) -> (u16, Value) {
            let name = request.uri().path().rsplit('/').next().unwrap_or_default();
            let Some(object) = name.strip_prefix('t').and_then(|digits| digits.parse().ok()) else {
                let all: Vec<Value> = (0..OBJECTS).filter_map(|object| self.body(object)).collect();
                return (200, list_of("1", &all));
            };
            if request.method() == Method::PATCH {
                self.set(object, self.history.len() as u64 + 1);
            }
            self.body(object).map_or_else(|| (404, not_found("tenantcontrolplanes", name)), |body| (200, body))
        }

        /// The versions that were true at some time from `since` on.
        fn true_since(&self, object: usize, since: Option<Instant>) -> Vec<u64> {
            let mine: Vec<_> = self.history.iter().filter(|(_, of, _)| *of == object).collect();
            let begin = since.map_or(0, |since| mine.iter().rposition(|(at, ..)| *at < since).unwrap_or(0));
            let unborn = mine.is_empty() || since.is_none_or(|since| mine[0].0 >= since);
            mine[begin..].iter().map(|(.., version)| *version).chain(unborn.then_some(0)).collect()
        }
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            6 => (0..OBJECTS).prop_map(Step::Read),
            1 => (0..OBJECTS).prop_map(Step::Write),
            2 => (0..OBJECTS).prop_map(Step::Change),
            1 => (0..OBJECTS).prop_map(Step::Delete),
            2 => (1_u64..30_000).prop_map(Step::Pass),
        ];
        proptest::collection::vec(step, 1..60)
    }

    async fn play(steps: Vec<Step>) {
        let server = Arc::new(Mutex::new(Server::default()));
        for object in 0..OBJECTS / 2 {
            lock(&server).set(object, 1);
        }
        let served = Arc::clone(&server);
        let service = tower::service_fn(move |request: Request<Body>| {
            let (status, body) = lock(&served).answer(&request);
            let response = Response::builder().status(status).body(Full::new(Bytes::from(body.to_string())));
            async move { Ok::<_, Infallible>(response.expect("a response")) }
        });
        let cluster = ManagementCluster::from_client("mgmt.test:6443", kube::Client::new(service, "default"));
        let options = ApplyOptions { field_manager: "m".to_owned(), force: false, dry_run: false };
        let mut written: HashMap<usize, Instant> = HashMap::new();
        for step in steps {
            tokio::time::advance(Duration::from_millis(1)).await;
            match step {
                Step::Read(object) => {
                    let found = cluster.get_shared(&operation(), &named(&number(object))).await.expect("an answer");
                    let version = found.and_then(|found| found.metadata.resource_version?.parse().ok()).unwrap_or(0);
                    let oldest = Instant::now().checked_sub(FRESH);
                    let since = written.get(&object).copied().into_iter().chain(oldest).max();
                    let allowed = lock(&server).true_since(object, since);
                    assert!(allowed.contains(&version), "read {version} of {object}, true are {allowed:?}");
                }
                Step::Write(object) => {
                    cluster.apply(&operation(), &named(&number(object)), &json!({}), &options).await.expect("written");
                    written.insert(object, Instant::now() + Duration::from_micros(1));
                }
                Step::Change(object) => {
                    let mut server = lock(&server);
                    let version = server.history.len() as u64 + 1;
                    server.set(object, version);
                }
                Step::Delete(object) => lock(&server).set(object, 0),
                Step::Pass(milliseconds) => tokio::time::advance(Duration::from_millis(milliseconds)).await,
            }
        }
    }

    proptest! {
        #[test]
        fn no_answer_is_older_than_it_may_be(steps in steps()) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
            runtime.expect("a runtime").block_on(play(steps));
        }
    }
}
