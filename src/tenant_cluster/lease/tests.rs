use std::sync::Mutex;

use http::Method;
use serde_json::{Value as Json, json};

use super::*;
use crate::management_cluster::scripted::{Scripted, not_found, on};
use crate::tenant_cluster::tests::{
    CONTROL_PLANE, connect, control_plane, control_plane_with, going, management, ready,
};

/// What is asked of it, and how it answers.
#[derive(Default)]
struct Thing {
    asked: Mutex<Vec<&'static str>>,
    refusal: Option<ApiError>,
    hangs: bool,
}

impl Thing {
    async fn answer(&self, what: &'static str) -> Result<(), ApiError> {
        self.asked.lock().unwrap().push(what);
        if self.hangs {
            std::future::pending::<()>().await;
        }
        self.refusal.clone().map_or(Ok(()), Err)
    }

    fn asked(&self) -> Vec<&'static str> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl Held for Thing {
    fn subject(&self) -> String {
        "The thing".to_owned()
    }

    async fn prolong(&self, _: &Tenant, _: &Operation, _: Timestamp) -> Result<(), ApiError> {
        self.answer("prolong").await
    }

    async fn end(&self, _: &Tenant, _: &Operation) -> Result<(), ApiError> {
        self.answer("end").await
    }
}

/// One that ends in so many seconds.
fn term(left: i64) -> Term {
    let ends = Timestamp::now().as_second() + left;
    Term { tenant: "tenants/a".to_owned(), tenant_uid: "uid-a".to_owned(), ttl_seconds: 120, ends }
}

fn reach(live: Option<&Json>, tenant: &Scripted) -> Reach {
    let management = match live {
        Some(live) => Scripted::new(management(live)),
        None => {
            let missing = on(Method::GET, CONTROL_PLANE).answers(404, &not_found("tenantcontrolplanes", "a"));
            Scripted::new([missing.always()])
        }
    };
    Reach { cluster: management.cluster(), connect: connect(tenant) }
}

fn silent() -> Scripted {
    Scripted::new([on(Method::GET, "/readyz").unanswered().always()])
}

fn seconds_until(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::now()).unwrap_or_default().as_secs()
}

#[tokio::test(start_paused = true)]
async fn a_renewal_moves_the_end_and_comes_again_half_way() {
    let (thing, reach) = (Thing::default(), reach(Some(&control_plane()), &Scripted::new([ready()])));
    let renewed = term(60).renew(&reach, &CancellationToken::new(), &thing).await.unwrap();
    assert_eq!(thing.asked(), ["prolong"]);
    assert!((118..=120).contains(&(renewed.term.ends - Timestamp::now().as_second())));
    assert!((58..=60).contains(&seconds_until(renewed.again.unwrap())));
}

/// While a renewal is under way nothing can be closed, and OpenTofu waits for ten seconds only.
#[rstest::rstest]
#[case::hangs(control_plane(), silent(), Thing::default())]
#[case::hangs_later(control_plane(), Scripted::new([ready()]), Thing { hangs: true, ..Thing::default() })]
#[case::asleep(
    control_plane_with("/spec/controlPlane/deployment/replicas", json!(0)), Scripted::new([]), Thing::default())]
#[tokio::test(start_paused = true)]
async fn a_renewal_that_is_not_possible_now_is_tried_again_as_long_as_there_is_time(
    #[case] live: Json,
    #[case] tenant: Scripted,
    #[case] thing: Thing,
) {
    let (reach, begin) = (reach(Some(&live), &tenant), tokio::time::Instant::now());
    let renewed = term(60).renew(&reach, &CancellationToken::new(), &thing).await.unwrap();
    assert!((13..=15).contains(&seconds_until(renewed.again.unwrap())));
    assert!((58..=60).contains(&(renewed.term.ends - Timestamp::now().as_second())));
    let lapsed = term(2).renew(&reach, &CancellationToken::new(), &thing).await.unwrap_err();
    let lapsed = lapsed.iter().next().unwrap();
    assert_eq!(lapsed.summary, "Not prolonged in the tenant");
    assert!(begin.elapsed() <= 2 * RENEW, "{:?}", begin.elapsed());
    assert!(RENEW + CLOSE < Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn what_somebody_has_ended_cannot_be_prolonged() {
    let thing = Thing { refusal: Some(ApiError::Conflict { message: "uid".to_owned() }), ..Thing::default() };
    let reach = reach(Some(&control_plane()), &Scripted::new([ready()]));
    let lapsed = term(60).renew(&reach, &CancellationToken::new(), &thing).await.unwrap_err();
    assert!(lapsed.iter().next().unwrap().detail.contains("Somebody has removed it"));
}

#[rstest::rstest]
#[case::gone(None)]
#[case::going(Some(going(control_plane_with("/status", json!(null)))))]
#[case::made_anew(Some(control_plane_with("/metadata/uid", json!("another"))))]
#[case::made_anew_and_silent(Some({
    let mut object = control_plane_with("/metadata/uid", json!("another"));
    object["status"] = json!(null);
    object
}))]
#[tokio::test(start_paused = true)]
async fn what_died_with_its_tenant_is_neither_prolonged_nor_ended(#[case] live: Option<Json>) {
    let thing = Thing::default();
    let reach = reach(live.as_ref(), &Scripted::new([ready()]));
    let renewed = term(60).renew(&reach, &CancellationToken::new(), &thing).await.unwrap();
    assert!(renewed.again.is_none());
    assert!(term(60).close(&reach, &CancellationToken::new(), &thing).await.is_empty());
    assert!(thing.asked().is_empty());
}

#[rstest::rstest]
#[case::hangs(silent(), Thing::default())]
#[case::refuses(Scripted::new([on(Method::GET, "/readyz").refused().always()]), Thing::default())]
#[case::hangs_later(Scripted::new([ready()]), Thing { hangs: true, ..Thing::default() })]
#[tokio::test(start_paused = true)]
async fn a_close_ends_in_time_with_a_warning(#[case] tenant: Scripted, #[case] thing: Thing) {
    let (reach, begin) = (reach(Some(&control_plane()), &tenant), tokio::time::Instant::now());
    let said = term(60).close(&reach, &CancellationToken::new(), &thing).await;
    assert!(!said.has_errors() && said.iter().next().unwrap().detail.contains("120 seconds more at most"), "{said:?}");
    assert!(begin.elapsed() <= CLOSE, "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_leaves_a_close_time_but_not_much() {
    let stop = CancellationToken::new();
    stop.cancel();
    let thing = Thing::default();
    let answers = reach(Some(&control_plane()), &Scripted::new([ready()]));
    assert!(term(60).close(&answers, &stop, &thing).await.is_empty());
    assert_eq!(thing.asked(), ["end"]);
    let begin = tokio::time::Instant::now();
    let said = term(60).close(&reach(Some(&control_plane()), &silent()), &stop, &thing).await;
    assert!(said.iter().next().unwrap().detail.contains("interrupted"));
    assert!(begin.elapsed() <= Duration::from_secs(1), "{:?}", begin.elapsed());
}
