use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value as Json, json};

use super::*;

fn version(text: &str) -> KubernetesVersion {
    text.parse().unwrap()
}

fn standing(requested: &str, installed: Option<&str>) -> Standing {
    Standing { requested: version(requested), installed: installed.map(version) }
}

fn path(
    requested: &str,
    installed: Option<&str>,
    target: &str,
    policy: Policy,
    patches: &[&str],
) -> Result<Vec<String>, String> {
    let patches: Vec<_> = patches.iter().map(|text| version(text)).collect();
    let steps = steps(&standing(requested, installed), &version(target), policy, &patches);
    steps.map(|steps| steps.iter().map(ToString::to_string).collect()).map_err(|problem| problem.summary)
}

#[rstest]
#[case::one_minor("v1.28.3", Some("v1.28.3"), "v1.29.1", &[], &["v1.29.1"])]
#[case::two_minors("v1.28.3", Some("v1.28.3"), "v1.30.2", &[], &["v1.29.0", "v1.30.2"])]
#[case::named_patch("v1.28.3", Some("v1.28.3"), "v1.31.0", &["v1.29.6", "v1.27.1", "v1.31.9"], &["v1.29.6", "v1.30.0", "v1.31.0"])]
#[case::half_done("v1.29.0", Some("v1.28.3"), "v1.30.2", &[], &["v1.29.0", "v1.30.2"])]
#[case::half_done_with_another_patch("v1.29.0", Some("v1.28.3"), "v1.30.2", &["v1.29.6"], &["v1.29.6", "v1.30.2"])]
#[case::done_but_for_the_last("v1.29.0", Some("v1.29.0"), "v1.30.2", &[], &["v1.30.2"])]
#[case::asked_for_already("v1.30.2", Some("v1.28.0"), "v1.30.2", &[], &["v1.30.2"])]
#[case::jumped_by_somebody("v1.30.0", Some("v1.28.0"), "v1.30.2", &[], &["v1.30.2"])]
#[case::never_installed("v1.28.3", None, "v1.30.0", &[], &["v1.29.0", "v1.30.0"])]
fn a_sequential_upgrade_goes_through_each_minor(
    #[case] requested: &str,
    #[case] installed: Option<&str>,
    #[case] target: &str,
    #[case] patches: &[&str],
    #[case] expected: &[&str],
) {
    assert_eq!(path(requested, installed, target, Policy::Sequential, patches).unwrap(), expected);
}

#[rstest]
#[case::jump("v1.28.3", Some("v1.28.3"), "v1.30.2", Policy::Single, "Kubernetes upgrade skips a minor version")]
#[case::before_the_last_is_installed(
    "v1.29.0",
    Some("v1.28.3"),
    "v1.30.2",
    Policy::Single,
    "Kubernetes upgrade skips a minor version"
)]
#[case::down("v1.29.0", Some("v1.29.0"), "v1.28.9", Policy::Sequential, "Kubernetes downgrade is not possible")]
#[case::another_major("v1.29.0", None, "v2.0.0", Policy::Sequential, "Kubernetes upgrade skips a minor version")]
fn what_no_policy_allows_is_refused(
    #[case] requested: &str,
    #[case] installed: Option<&str>,
    #[case] target: &str,
    #[case] policy: Policy,
    #[case] problem: &str,
) {
    assert_eq!(path(requested, installed, target, policy, &[]).unwrap_err(), problem);
}

#[rstest]
#[case::v1(
    "unable to create a TenantControlPlane with a Kubernetes version greater than the supported one, actually 1.30.2",
    Some("v1.30.2")
)]
#[case::v1_update("unable to upgrade to a version greater than the supported one, actually 1.30.2", Some("v1.30.2"))]
#[case::newest(
    "unable to create a TenantControlPlane with a Kubernetes version greater than the supported one, actually v1.36",
    Some("v1.36")
)]
#[case::newest_update("unable to upgrade to a version greater than the supported one (v1.36)", Some("v1.36"))]
#[case::sentence("greater than the supported one, actually v1.36.", Some("v1.36"))]
#[case::jump("unable to upgrade to a minor version in a non-sequential mode", None)]
#[case::no_number("greater than the supported one", None)]
fn the_newest_supported_version_is_read_from_the_denial(#[case] message: &str, #[case] expected: Option<&str>) {
    assert_eq!(Supported::from_denial(message).map(|found| found.to_string()).as_deref(), expected);
}

#[rstest]
#[case(Supported { release: (1, 30), patch: Some(2) }, "v1.30.2", true)]
#[case(Supported { release: (1, 30), patch: Some(2) }, "v1.30.3", false)]
#[case(Supported { release: (1, 36), patch: None }, "v1.36.9", true)]
#[case(Supported { release: (1, 36), patch: None }, "v1.37.0", false)]
fn patches_count_where_kamaji_compares_them(#[case] supported: Supported, #[case] text: &str, #[case] covered: bool) {
    assert_eq!(supported.covers(&version(text)), covered);
}

#[rstest]
#[case::ready(json!({}), json!({"kubernetesResources": {"version": {"status": "Ready"}}}), json!({}), None)]
#[case::paused(json!({}), json!({}), json!({"annotations": {"kamaji.clastix.io/paused": ""}}), Some("paused"))]
#[case::limited(json!({"writePermissions": {"blockCreation": true}}), json!({}), json!({}), Some("limited"))]
#[case::limited_still(json!({}), json!({"kubernetesResources": {"version": {"status": "WriteLimited"}}}), json!({}), Some("limited"))]
#[case::migrating(json!({}), json!({"kubernetesResources": {"version": {"status": "Migrating"}}}), json!({}), Some("moving"))]
#[case::to_migrate(json!({"dataStore": "b"}), json!({"storage": {"dataStoreName": "a"}}), json!({}), Some("moving"))]
fn an_upgrade_waits_for_what_cannot_go_with_it(
    #[case] spec: Json,
    #[case] status: Json,
    #[case] metadata: Json,
    #[case] word: Option<&str>,
) {
    let object = json!({"metadata": metadata, "spec": spec, "status": status});
    let found = obstacle(&View::new(&object), true);
    assert_eq!(found.is_some(), word.is_some(), "{found:?}");
    assert!(found.is_none_or(|found| found.detail.contains(word.unwrap_or_default())));
}

#[test]
fn a_kamaji_that_knows_no_pause_is_not_paused() {
    let object = json!({"metadata": {"annotations": {"kamaji.clastix.io/paused": ""}}});
    assert_eq!(obstacle(&View::new(&object), false), None);
}

#[rstest]
#[case::none("v1.30.2", &[], None)]
#[case::same_minor("v1.30.2", &["v1.30.0", "v1.30.9"], None)]
#[case::behind("v1.30.2", &["v1.29.1", "v1.29.1", "v1.30.0"], Some("3 nodes stay as they are (2 at v1.29.1, 1 at v1.30.0). Kubernetes supports kubelets up to 3"))]
#[case::too_far("v1.30.2", &["v1.26.0"], Some("1 of them would be outside"))]
#[case::older_rule("v1.27.0", &["v1.24.0"], Some("1 of them would be outside"))]
#[case::newer("v1.30.2", &["v1.31.0"], Some("1 of them would be outside"))]
#[case::distribution("v1.30.2", &["v1.29.1+k3s1", "?"], Some("1 node stay"))]
fn kubelets_that_stay_behind_are_counted(#[case] target: &str, #[case] nodes: &[&str], #[case] words: Option<&str>) {
    let nodes: Vec<String> = nodes.iter().map(|&text| text.to_owned()).collect();
    let said = skew(&version(target), &nodes);
    assert_eq!(said.is_some(), words.is_some(), "{said:?}");
    assert!(said.as_ref().is_none_or(|said| said.contains(words.unwrap_or_default())), "{said:?}");
}

#[test]
fn the_way_on_ends_with_what_kamaji_supports() {
    let onward =
        |supported| onward(&standing("v1.28.3", None), supported).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(onward(Some(Supported { release: (1, 30), patch: Some(2) })), ["v1.29.0", "v1.30.0"]);
    assert_eq!(onward(Some(Supported { release: (1, 28), patch: None })), [""; 0]);
    assert_eq!(onward(None), ["v1.29.0"]);
}

#[test]
fn one_release_for_each_minor_version() {
    assert!(steps_validator().check(&Value::strings(["v1.29.1", "1.30.4"])).is_ok());
    assert!(steps_validator().check(&Value::strings(["v1.29.1", "v1.29.4"])).is_err());
}

proptest! {
    #[test]
    fn kamaji_takes_every_step_of_a_sequential_upgrade(from in 0_u64..40, jump in 0_u64..12, patch in 0_u64..9, behind in 0_u64..2) {
        let requested = KubernetesVersion::new(1, from, patch);
        let installed = KubernetesVersion::new(1, from.saturating_sub(behind), 0);
        let target = KubernetesVersion::new(1, from + jump, patch);
        let standing = Standing { requested: requested.clone(), installed: Some(installed.clone()) };
        let mut at = (requested, installed);
        for step in steps(&standing, &target, Policy::Sequential, &[]).unwrap() {
            prop_assert!(step == at.0 || check_change(&at.0, Some(&at.1), &step).is_ok());
            at = (step.clone(), step);
        }
        prop_assert_eq!(at.0, target);
    }

    #[test]
    fn reading_a_denial_never_panics(text in "\\PC{0,60}") {
        let _ = Supported::from_denial(&text);
        let _ = Supported::from_denial(&format!("supported one {text}"));
    }
}
