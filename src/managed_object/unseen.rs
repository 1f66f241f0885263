//! What Kamaji has not seen yet: its webhooks judge by the cache of its manager, which is some milliseconds behind the
//! API server, more on a busy machine. What was just made is missing to them, what is just gone they still see.
//!
//! Kamaji v1.0.0 looks for the Secrets of a DataStore and, before a DataStore goes, for its tenants; every Kamaji looks
//! for the DataStore of a tenant.

use tokio::time::Instant;

use super::Scene;
use super::locate::is_of_kamaji;
use crate::management_cluster::{ApiError, ApplyOptions, Delays, Kind, ObjectRef, Written};

/// The object that a webhook of Kamaji does not find, from the text of its denial.
fn missed(denial: &str) -> Option<ObjectRef> {
    if let Some((before, _)) = denial.split_once(" DataStore does not exist") {
        return Some(ObjectRef::cluster(Kind::DataStore, before.rsplit(' ').next()?));
    }
    let (before, _) = denial.split_once(" is not found")?;
    let (namespace, name) = before.rsplit_once("secret ")?.1.split_once('/')?;
    Some(ObjectRef::namespaced(Kind::Secret, namespace, name))
}

/// A server-side apply that is sent again while Kamaji misses what the API server has.
pub(super) async fn apply(
    scene: &Scene,
    manifest: &serde_json::Value,
    options: &ApplyOptions,
) -> Result<Written, ApiError> {
    let mut catching_up = CatchingUp::of(scene);
    loop {
        let (webhook, message) = match scene.cluster.apply(&scene.operation, &scene.object, manifest, options).await {
            // A dry-run is part of a plan, which never waits.
            Err(ApiError::WebhookDenied { webhook, message }) if !options.dry_run && is_of_kamaji(&webhook) => {
                (webhook, message)
            }
            other => return other,
        };
        let found = match missed(&message) {
            Some(object) => scene.cluster.get(&scene.operation, &object).await,
            None => Ok(None),
        };
        let denied = |message| ApiError::WebhookDenied { webhook, message };
        if matches!(found, Ok(None)) {
            return Err(denied(message));
        }
        // Who may not read it cannot tell, and gives Kamaji the time all the same.
        if !catching_up.may_go_on().await {
            return Err(denied(if found.is_ok() { catching_up.in_vain(message) } else { message }));
        }
    }
}

/// How long Kamaji is waited for.
pub(super) struct CatchingUp<'a> {
    scene: &'a Scene,
    since: Instant,
    delays: Delays,
}

impl<'a> CatchingUp<'a> {
    /// From now, as long as the operation has patience.
    pub(super) fn of(scene: &'a Scene) -> Self {
        Self { scene, since: Instant::now(), delays: Delays::default() }
    }

    /// Lets a little time pass. False if the time is over or the user interrupts.
    pub(super) async fn may_go_on(&mut self) -> bool {
        let operation = &self.scene.operation;
        let left = operation.patience.saturating_sub(self.since.elapsed()).min(operation.remaining());
        let delay = self.delays.next_after(None);
        tracing::debug!(object = %self.scene.object, ?delay, "Kamaji has not seen the last change yet");
        delay <= left && operation.pause(delay).await
    }

    /// The text of the denial, with what was waited for.
    pub(super) fn in_vain(&self, mut denial: String) -> String {
        if !self.scene.operation.is_stopped() {
            let waited = self.since.elapsed().as_secs();
            denial.push_str(&format!(
                ". The API server says otherwise, and Kamaji has not seen that for {waited} s: the log of its manager may tell \
                 why"
            ));
        }
        denial
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Method;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::management_cluster::scripted::{Scripted, Step, failure, not_found, on, tenant};

    const TENANT: &str = "/apis/kamaji.clastix.io/v1alpha1/namespaces/tenants/tenantcontrolplanes/a";
    const STORE: &str = "/apis/kamaji.clastix.io/v1alpha1/datastores/d";

    const MISSED: &str = "d DataStore does not exist";

    fn scene(api: &Scripted) -> Scene {
        Scene::of_tenant(api, "a", Duration::from_secs(600))
    }

    fn denies(why: &str) -> Step {
        denies_as("vtenantcontrolplane.kb.io", why)
    }

    fn denies_as(webhook: &str, why: &str) -> Step {
        let text = format!("admission webhook {webhook:?} denied the request: {why}");
        on(Method::PATCH, TENANT).answers(403, &failure(403, "Forbidden", &text, &json!({})))
    }

    fn takes() -> Step {
        on(Method::PATCH, TENANT).answers(200, &tenant("a", "8", &json!({})))
    }

    fn store() -> Step {
        let store = json!({"apiVersion": "kamaji.clastix.io/v1alpha1", "kind": "DataStore", "metadata": {"name": "d"}});
        on(Method::GET, STORE).answers(200, &store)
    }

    fn no_store() -> Step {
        on(Method::GET, STORE).answers(404, &not_found("datastores", "d"))
    }

    fn not_allowed() -> Step {
        on(Method::GET, STORE).answers(403, &failure(403, "Forbidden", "datastores is forbidden", &json!({})))
    }

    async fn applied(scene: &Scene, dry_run: bool) -> Result<Written, ApiError> {
        let options = ApplyOptions { field_manager: scene.field_manager.clone(), force: false, dry_run };
        apply(scene, &Json::Object(serde_json::Map::new()), &options).await
    }

    fn text(outcome: Result<Written, ApiError>) -> String {
        outcome.map_or_else(|error| error.to_string(), |_| "taken".to_owned())
    }

    #[rstest::rstest]
    #[case::data_store(MISSED, Some(ObjectRef::cluster(Kind::DataStore, "d")))]
    #[case::secret(
        "CA certificate is not valid, secret kamaji-system/d-credentials is not found",
        Some(ObjectRef::namespaced(Kind::Secret, "kamaji-system", "d-credentials"))
    )]
    #[case::no_name("secret is not found", None)]
    #[case::half_a_name("secret d is not found", None)]
    #[case::another("unable to downgrade a TenantControlPlane from 1.30.0 to 1.29.0", None)]
    fn the_object_is_read_from_the_denial(#[case] denial: &str, #[case] expected: Option<ObjectRef>) {
        assert_eq!(missed(denial), expected);
    }

    #[rstest::rstest]
    #[case::that_exists(store())]
    #[case::that_may_not_be_read(not_allowed())]
    #[tokio::test(start_paused = true)]
    async fn what_kamaji_has_not_seen_is_sent_again(#[case] look: Step) {
        let api = Scripted::new([denies(MISSED), look.clone(), denies(MISSED), look, takes()]);
        let began = Instant::now();
        assert_eq!(text(applied(&scene(&api), false).await), "taken");
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        api.finish();
    }

    #[rstest::rstest]
    #[case::that_does_not_exist(&[denies(MISSED), no_store()], false)]
    #[case::for_another_reason(&[denies("unable to downgrade")], false)]
    #[case::of_another_webhook(&[denies_as("validate.kyverno.svc", MISSED)], false)]
    #[case::of_a_dry_run(&[denies(MISSED)], true)]
    #[tokio::test(start_paused = true)]
    async fn other_denials_stand_at_once(#[case] steps: &[Step], #[case] dry_run: bool) {
        let api = Scripted::new(steps.iter().cloned());
        let began = Instant::now();
        let text = text(applied(&scene(&api), dry_run).await);
        assert!(text.contains("denied the request") && !text.contains("says otherwise"), "{text}");
        assert_eq!(began.elapsed(), Duration::ZERO);
        api.finish();
    }

    #[rstest::rstest]
    #[case::what_exists(store(), true)]
    #[case::what_may_not_be_read_is_not_said_to_exist(not_allowed(), false)]
    #[tokio::test(start_paused = true)]
    async fn a_kamaji_that_never_sees_it_is_waited_for_as_long_as_the_operation_has_patience(
        #[case] look: Step,
        #[case] says_otherwise: bool,
    ) {
        let api = Scripted::new([denies(MISSED).always(), look.always()]);
        let scene = scene(&api);
        let began = Instant::now();
        let text = text(applied(&scene, false).await);
        assert!(text.contains(MISSED), "{text}");
        assert_eq!(
            text.contains("d DataStore does not exist. The API server says otherwise"),
            says_otherwise,
            "{text}"
        );
        assert_eq!(text.contains("says otherwise"), says_otherwise, "{text}");
        assert!(began.elapsed() <= scene.operation.patience, "{:?}", began.elapsed());
        assert!(began.elapsed() > scene.operation.patience / 2, "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn an_interrupt_ends_the_wait() {
        let api = Scripted::new([denies(MISSED).always(), store().always()]);
        let scene = scene(&api);
        let stop = scene.operation.stop.clone();
        let interrupt = async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            stop.cancel();
        };
        let began = Instant::now();
        let (outcome, ()) = tokio::join!(applied(&scene, false), interrupt);
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
        let text = text(outcome);
        assert!(text.contains("does not exist") && !text.contains("says otherwise"), "{text}");
    }
}
