//! Kubernetes versions of tenants: spelling, order and the upgrade path.

use std::fmt;
use std::str::FromStr;

use tfplugin::Value;
use tfplugin::schema::{Problem, Validator};

/// A full Kubernetes version, `v1.32.4`.
///
/// Ordered as semver orders: a pre-release comes before its release. Written with `v`, because Kamaji uses the text of
/// `spec.kubernetes.version` as the tag of the control plane images.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KubernetesVersion(semver::Version);

impl KubernetesVersion {
    /// A release.
    pub const fn new(major: u64, minor: u64, patch: u64) -> Self {
        Self(semver::Version::new(major, minor, patch))
    }

    /// The second number: what upgrades go through one at a time.
    pub fn minor(&self) -> u64 {
        self.0.minor
    }

    /// Major and minor, without the patch: what Kamaji's webhook compares.
    pub fn release(&self) -> (u64, u64) {
        (self.0.major, self.0.minor)
    }

    /// True if Kamaji accepts the way from `self` to `target` in one step: the same minor (in either direction; a lower
    /// patch is allowed since Kamaji edge-25.11.5) or the next one.
    pub fn reaches_in_one_step(&self, target: &Self) -> bool {
        self.0.major == target.0.major && (self.minor()..=self.minor().saturating_add(1)).contains(&target.minor())
    }
}

/// With leading `v`.
impl fmt::Display for KubernetesVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

/// Reads `1.32.4` and `v1.32.4`. The error says what to write instead.
impl FromStr for KubernetesVersion {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let bare = text.strip_prefix('v').unwrap_or(text);
        match semver::Version::parse(bare) {
            // An image tag cannot hold a `+`.
            Ok(version) if !version.build.is_empty() => Err(Problem::new(
                "Kubernetes version with build metadata",
                format!(
                    "{text:?} has build metadata after the \"+\", which no image tag can hold. Write \"v{}.{}.{}\"; a suffix \
                     of the image tags goes into registry_settings.tag_suffix.",
                    version.major, version.minor, version.patch
                ),
            )),
            Ok(version) => Ok(Self(version)),
            Err(_) => Err(Problem::new(
                "Not a full Kubernetes version",
                format!("{text:?} is not a full Kubernetes version. {}", advice(bare)),
            )),
        }
    }
}

fn advice(bare: &str) -> String {
    let mut parts = bare.split('.');
    let number = |part: Option<&str>| part.and_then(|digits| digits.parse::<u64>().ok());
    match (number(parts.next()), number(parts.next()), parts.next(), parts.next()) {
        (Some(major), Some(minor), None, None) => {
            format!("The patch is missing: write \"v{major}.{minor}.0\" or the patch that you want.")
        }
        (Some(major), Some(minor), Some("x" | "X" | "*"), None) => {
            format!("Ranges are not known to Kamaji: write one release, like \"v{major}.{minor}.0\".")
        }
        _ => "Write major, minor and patch as in \"v1.32.4\".".to_owned(),
    }
}

/// True if two spellings name the same version. Texts that are no versions are compared as they are.
pub fn same_version(one: &str, other: &str) -> bool {
    match (one.parse::<KubernetesVersion>(), other.parse::<KubernetesVersion>()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

/// The canonical form of an attribute that holds a version: with `v`, which Kamaji uses verbatim as image tag. Texts that
/// are no versions stay as they are.
pub fn canonical_value(value: &Value) -> Value {
    let version = value.as_str().and_then(|text| text.parse::<KubernetesVersion>().ok());
    version.map_or_else(|| value.clone(), |version| version.to_string().into())
}

/// A version without what distributions add after the `+` (`v1.30.2+k3s1`), as kubelets tell theirs.
pub fn without_build(text: &str) -> &str {
    text.split('+').next().unwrap_or_default()
}

/// How many minor versions a kubelet may be older than an API server (Kubernetes' version skew policy).
pub fn kubelet_lag(api_server: &KubernetesVersion) -> u64 {
    if api_server.minor() >= 28 { 3 } else { 2 }
}

/// True if Kubernetes supports a kubelet beside an API server: not newer, and not too old.
pub fn takes_kubelet(api_server: &KubernetesVersion, kubelet: &KubernetesVersion) -> bool {
    kubelet.0.major == api_server.0.major
        && kubelet.release() <= api_server.release()
        && kubelet.minor().saturating_add(kubelet_lag(api_server)) >= api_server.minor()
}

/// The rule for an attribute that holds a Kubernetes version.
pub fn validator() -> Validator {
    Validator::new("a full Kubernetes version such as `v1.32.4`", |value| match value.as_str() {
        Some(text) => text.parse::<KubernetesVersion>().map(|_| ()),
        None => Ok(()),
    })
}

/// The version to ask for next on the way from what is installed to the target: the target itself if Kamaji takes it in
/// one step, otherwise the first release of the next minor. [`None`] when the target is installed.
pub fn next_step(installed: &KubernetesVersion, target: &KubernetesVersion) -> Option<KubernetesVersion> {
    if installed == target {
        return None;
    }
    let jumps = installed.0.major == target.0.major && target.minor() > installed.minor().saturating_add(1);
    Some(if jumps { KubernetesVersion::new(target.0.major, installed.minor() + 1, 0) } else { target.clone() })
}

/// Every version on the way from what is installed to the target, the target last.
pub fn upgrade_path(installed: &KubernetesVersion, target: &KubernetesVersion) -> Vec<KubernetesVersion> {
    std::iter::successors(next_step(installed, target), |step| next_step(step, target)).collect()
}

/// Whether Kamaji takes the target version.
///
/// `requested` is the version in the stored spec, which the webhook compares with; `installed` the one that runs
/// (`status.kubernetesResources.version.version`), which the controller compares with. A target that only the webhook
/// accepts is never rolled out and cannot be taken back, so both count.
///
/// # Errors
/// A lower minor than requested; more than one minor above what is requested or installed.
pub fn check_change(
    requested: &KubernetesVersion,
    installed: Option<&KubernetesVersion>,
    target: &KubernetesVersion,
) -> Result<(), Problem> {
    if target.release() < requested.release() {
        return Err(Problem::new(
            "Kubernetes downgrade is not possible",
            format!(
                "The tenant was set to {requested} and cannot go back to {target}: Kamaji refuses a lower minor version. Keep \
                 at least v{}.{}.",
                requested.0.major, requested.0.minor
            ),
        ));
    }
    let lowest = installed.filter(|installed| *installed < requested).unwrap_or(requested);
    if lowest.reaches_in_one_step(target) || target.release() <= lowest.release() {
        return Ok(());
    }
    let steps: Vec<String> = upgrade_path(lowest, target).iter().map(ToString::to_string).collect();
    Err(Problem::new(
        "Kubernetes upgrade skips a minor version",
        format!(
            "{target} is more than one minor version above {lowest}, which {}. Kamaji takes one minor version at a time, and \
             each has to be ready before the next. Either set `upgrade_policy = \"sequential\"`: one apply then goes through \
             {}. Or apply one minor version after the other, beginning with `version = \"{}\"`.",
            if installed == Some(lowest) { "is installed" } else { "the tenant was set to" },
            steps.join(", then "),
            steps.first().map_or("", String::as_str)
        ),
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use tfplugin::Value;

    use super::*;

    fn version(text: &str) -> KubernetesVersion {
        text.parse().unwrap()
    }

    #[rstest]
    #[case::bare("1.30.2", "v1.30.2")]
    #[case::with_v("v1.30.2", "v1.30.2")]
    #[case::pre_release("v1.33.0-rc.1", "v1.33.0-rc.1")]
    fn a_full_version_is_written_with_v(#[case] text: &str, #[case] canonical: &str) {
        assert_eq!(version(text).to_string(), canonical);
    }

    #[rstest]
    #[case::no_patch("1.30", "write \"v1.30.0\"")]
    #[case::no_patch_with_v("v1.30", "write \"v1.30.0\"")]
    #[case::range("v1.30.x", "one release, like \"v1.30.0\"")]
    #[case::word("latest", "\"v1.32.4\"")]
    #[case::empty("", "\"v1.32.4\"")]
    #[case::capital("V1.30.2", "\"v1.32.4\"")]
    #[case::two_v("vv1.30.2", "\"v1.32.4\"")]
    #[case::leading_zero("1.030.2", "\"v1.32.4\"")]
    #[case::blank(" v1.30.2", "\"v1.32.4\"")]
    #[case::four_numbers("1.30.2.1", "\"v1.32.4\"")]
    #[case::build("v1.30.2+k3s1", "Write \"v1.30.2\"")]
    fn a_typing_error_is_answered_with_what_to_write(#[case] text: &str, #[case] advice: &str) {
        let problem = validator().check(&Value::from(text)).unwrap_err();
        assert!(problem.detail.contains(advice), "{}", problem.detail);
        assert!(problem.detail.contains(&format!("{text:?}")), "{}", problem.detail);
    }

    #[rstest]
    #[case("v1.30.2", "1.30.2", true)]
    #[case("v1.30.2", "v1.30.3", false)]
    #[case("latest", "latest", true)]
    #[case("latest", "v1.30.2", false)]
    fn versions_are_compared_by_meaning(#[case] one: &str, #[case] other: &str, #[case] same: bool) {
        assert_eq!(same_version(one, other), same);
    }

    #[rstest]
    #[case::there("v1.30.2", "v1.30.2", &[])]
    #[case::patch("v1.30.2", "v1.30.5", &["v1.30.5"])]
    #[case::next_minor("v1.30.2", "v1.31.4", &["v1.31.4"])]
    #[case::three_minors("v1.30.2", "v1.33.1", &["v1.31.0", "v1.32.0", "v1.33.1"])]
    fn an_upgrade_goes_through_every_minor(#[case] from: &str, #[case] to: &str, #[case] steps: &[&str]) {
        let path: Vec<String> = upgrade_path(&version(from), &version(to)).iter().map(ToString::to_string).collect();
        assert_eq!(path, steps);
    }

    #[rstest]
    #[case::nothing("v1.30.2", Some("v1.30.2"), "v1.30.2", None)]
    #[case::patch_up("v1.30.2", Some("v1.30.2"), "v1.30.6", None)]
    #[case::patch_down("v1.30.2", Some("v1.30.2"), "v1.30.1", None)]
    #[case::next_minor("v1.30.2", Some("v1.30.2"), "v1.31.0", None)]
    #[case::never_installed("v1.30.2", None, "v1.31.0", None)]
    #[case::minor_down("v1.31.0", Some("v1.31.0"), "v1.30.9", Some("Kubernetes downgrade is not possible"))]
    #[case::back_from_a_stuck_upgrade(
        "v1.31.0",
        Some("v1.30.2"),
        "v1.30.2",
        Some("Kubernetes downgrade is not possible")
    )]
    #[case::two_minors("v1.30.2", Some("v1.30.2"), "v1.32.0", Some("Kubernetes upgrade skips a minor version"))]
    #[case::before_the_last_step_is_installed(
        "v1.31.0",
        Some("v1.30.2"),
        "v1.32.0",
        Some("Kubernetes upgrade skips a minor version")
    )]
    #[case::ahead_of_the_spec("v1.30.2", Some("v1.31.0"), "v1.31.0", None)]
    fn a_change_is_checked_against_spec_and_installed(
        #[case] requested: &str,
        #[case] installed: Option<&str>,
        #[case] target: &str,
        #[case] problem: Option<&str>,
    ) {
        let installed = installed.map(version);
        let found = check_change(&version(requested), installed.as_ref(), &version(target)).err();
        assert_eq!(found.map(|found| found.summary).as_deref(), problem);
    }

    #[test]
    fn a_skipped_minor_is_answered_with_the_path() {
        let problem = check_change(&version("1.30.2"), None, &version("1.32.1")).unwrap_err();
        assert!(problem.detail.contains("v1.31.0, then v1.32.1"), "{}", problem.detail);
    }

    fn any_version() -> impl Strategy<Value = KubernetesVersion> {
        (0_u64..40, 0_u64..20).prop_map(|(minor, patch)| KubernetesVersion::new(1, minor, patch))
    }

    proptest! {
        #[test]
        fn the_written_form_reads_back(v in any_version()) {
            prop_assert_eq!(&version(&v.to_string()), &v);
        }

        #[test]
        fn reading_never_panics(text in "\\PC{0,20}") {
            let _ = text.parse::<KubernetesVersion>();
        }

        #[test]
        fn every_step_of_a_path_is_accepted_and_the_last_is_the_target(from in any_version(), to in any_version()) {
            prop_assume!(to.release() >= from.release());
            let mut at = from.clone();
            for step in upgrade_path(&from, &to) {
                prop_assert!(check_change(&at, Some(&at), &step).is_ok());
                at = step;
            }
            prop_assert_eq!(at, to);
        }

        #[test]
        fn what_is_refused_is_exactly_a_downgrade_or_a_jump(from in any_version(), to in any_version()) {
            let allowed = to.minor() == from.minor() || to.minor() == from.minor() + 1;
            prop_assert_eq!(check_change(&from, Some(&from), &to).is_ok(), allowed);
        }
    }
}
