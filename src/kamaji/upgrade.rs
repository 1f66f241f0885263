//! The way of a tenant from one Kubernetes version to another: its steps, what forbids it now, what Kamaji supports, and
//! how far the nodes stay behind.

use std::collections::BTreeMap;
use std::fmt;

use tfplugin::Value;
use tfplugin::schema::{Problem, Validator};

use super::tenant_control_plane::{PAUSED_ANNOTATION, Status, View};
use super::version::{KubernetesVersion, check_change, kubelet_lag, takes_kubelet, without_build};

/// `upgrade_policy`: what happens to a target that is more than one minor version away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// It is refused.
    #[default]
    Single,
    /// Every minor version on the way is applied and waited for.
    Sequential,
}

impl Policy {
    /// The words of the attribute.
    pub const WORDS: &'static [&'static str] = &["single", "sequential"];

    /// By its word in a configuration; what is no word is the default.
    pub fn named(word: Option<&str>) -> Self {
        if word == Some("sequential") { Self::Sequential } else { Self::Single }
    }
}

/// Where a tenant is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The version in the stored spec, which the webhook compares with.
    pub requested: KubernetesVersion,
    /// The version that is rolled out, which the controller compares with; [`None`] before the first pods were ready.
    pub installed: Option<KubernetesVersion>,
}

impl Standing {
    /// That of a control plane in the cluster; [`None`] if its version is none.
    pub fn of(view: &View<'_>) -> Option<Self> {
        Some(Self { requested: view.requested_version()?.parse().ok()?, installed: view.installed() })
    }
}

/// The versions to ask for one after the other, the target last. `patches` are the releases to take on the way instead
/// of the first of their minor version.
///
/// A minor version that was asked for and is not installed yet comes first: it has to be ready before the next.
///
/// # Errors
/// A downgrade; a jump where the policy forbids it.
pub fn steps(
    standing: &Standing,
    target: &KubernetesVersion,
    policy: Policy,
    patches: &[KubernetesVersion],
) -> Result<Vec<KubernetesVersion>, Problem> {
    let Standing { requested, installed } = standing;
    let whole = || Ok(vec![target.clone()]);
    if requested == target {
        return whole();
    }
    let Err(problem) = check_change(requested, installed.as_ref(), target) else { return whole() };
    if policy == Policy::Single || target.release() < requested.release() {
        return Err(problem);
    }
    let (major, goal) = target.release();
    if major != requested.release().0 {
        return Err(problem);
    }
    let named = |minor: u64| patches.iter().find(|patch| patch.release() == (major, minor)).cloned();
    let under_way = installed.as_ref().is_some_and(|installed| installed.release() < requested.release());
    let mut steps = Vec::new();
    if under_way && requested.minor() < goal {
        steps.push(named(requested.minor()).unwrap_or_else(|| requested.clone()));
    }
    for minor in requested.minor().saturating_add(1)..goal {
        steps.push(named(minor).unwrap_or_else(|| KubernetesVersion::new(major, minor, 0)));
    }
    steps.push(target.clone());
    Ok(steps)
}

/// Where a tenant can go next within what Kamaji supports: the first release of each minor version above, in order. The
/// last is the newest supported one where that is known; without it only the next is named.
pub fn onward(standing: &Standing, supported: Option<Supported>) -> Vec<KubernetesVersion> {
    let (major, minor) = standing.requested.release();
    let last = match supported {
        Some(supported) if supported.release.0 == major => supported.release.1,
        Some(_) => return Vec::new(),
        None => minor.saturating_add(1),
    };
    // More minor versions than anybody has released is no answer of Kamaji's.
    (minor.saturating_add(1)..=last).take(100).map(|minor| KubernetesVersion::new(major, minor, 0)).collect()
}

/// The newest Kubernetes that a Kamaji takes, in its webhook's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Supported {
    /// Major and minor.
    pub release: (u64, u64),
    /// The patch, where Kamaji compares it: before edge-25.11.5.
    pub patch: Option<u64>,
}

impl Supported {
    /// Reads a denial of the webhook: "…greater than the supported one, actually 1.30.2" (v1.0.0), "…(v1.36)". [`None`] if it
    /// is about something else.
    pub fn from_denial(message: &str) -> Option<Self> {
        let (_, rest) = message.split_once("supported one")?;
        rest.split(|c: char| !c.is_ascii_digit() && c != '.').find_map(|word| {
            let mut numbers = word.trim_matches('.').split('.').map(|part| part.parse::<u64>().ok());
            let (major, minor) = (numbers.next()??, numbers.next()??);
            Some(Self { release: (major, minor), patch: numbers.next().flatten() })
        })
    }

    /// True if Kamaji takes a version.
    pub fn covers(&self, version: &KubernetesVersion) -> bool {
        match self.patch {
            Some(patch) => *version <= KubernetesVersion::new(self.release.0, self.release.1, patch),
            None => version.release() <= self.release,
        }
    }
}

/// `v1.30.2` where patches count, otherwise `v1.36`.
impl fmt::Display for Supported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor) = self.release;
        match self.patch {
            Some(patch) => write!(f, "v{major}.{minor}.{patch}"),
            None => write!(f, "v{major}.{minor}"),
        }
    }
}

/// A version that this Kamaji does not take.
pub fn unsupported(target: &str, supported: Supported) -> Problem {
    Problem::new(
        "Kubernetes version not supported by Kamaji",
        format!(
            "{target} is newer than what the installed Kamaji supports: {supported} is the newest. Choose a version up to \
             that, or upgrade Kamaji first."
        ),
    )
}

/// Why a control plane cannot be upgraded now. `pauses`: whether this Kamaji knows the annotation that pauses an object.
pub fn obstacle(view: &View<'_>, pauses: bool) -> Option<Problem> {
    if pauses && view.paused() {
        return Some(paused());
    }
    if view.write_limited() || view.status() == Some(Status::WriteLimited) {
        return Some(write_limited());
    }
    let moving =
        view.data_store().is_some() && view.requested_data_store().is_some_and(|to| view.data_store() != Some(to));
    (moving || view.status() == Some(Status::Migrating)).then(migrating)
}

fn refused(why: &str) -> Problem {
    Problem::new("Kubernetes upgrade is not possible now", why)
}

/// Kamaji would do nothing.
pub fn paused() -> Problem {
    refused(&format!(
        "The control plane is paused: Kamaji does nothing as long as it has the annotation {PAUSED_ANNOTATION:?}. Remove it, \
         apply, and change the version after that."
    ))
}

/// Kamaji never notes the new version as installed.
pub fn write_limited() -> Problem {
    refused(
        "Writes to the tenant are limited (`write_permissions`), and Kamaji does not finish an upgrade meanwhile. Lift the \
         limit, apply, and change the version after that.",
    )
}

/// The tenant cannot be written to, and pods are about to be replaced anyway.
pub fn migrating() -> Problem {
    refused(
        "The tenant's data are moving to another DataStore. Let that finish, and change the version in an apply of its own.",
    )
}

/// How far the kubelets stay behind an API server of the target version, as sentences; [`None`] without nodes or with all
/// of them at its minor version. Kubernetes supports kubelets of three minor versions back (two before v1.28), and none
/// that are newer than the API server.
pub fn skew(target: &KubernetesVersion, kubelets: &[String]) -> Option<String> {
    let mut counts: BTreeMap<KubernetesVersion, usize> = BTreeMap::new();
    for version in kubelets.iter().filter_map(|text| without_build(text).parse().ok()) {
        *counts.entry(version).or_default() += 1;
    }
    if counts.keys().all(|version| version.release() == target.release()) {
        return None;
    }
    let back = kubelet_lag(target);
    let said: Vec<String> = counts.iter().map(|(version, count)| format!("{count} at {version}")).collect();
    let beyond: usize =
        counts.iter().filter(|(version, _)| !takes_kubelet(target, version)).map(|(_, count)| count).sum();
    let verdict = if beyond == 0 {
        format!("Kubernetes supports kubelets up to {back} minor versions behind, so they may follow later.")
    } else {
        format!(
            "Kubernetes supports kubelets up to {back} minor versions behind and none that are newer: {beyond} of them would be \
             outside of that. Upgrade them first."
        )
    };
    let all = counts.values().sum::<usize>();
    let nodes = if all == 1 { "node" } else { "nodes" };
    Some(format!(
        "The control plane goes to {target}; the kubelets of its {all} {nodes} stay as they are ({}). {verdict}",
        said.join(", ")
    ))
}

/// The rule for `upgrade_steps`: one release for each minor version.
pub fn steps_validator() -> Validator {
    Validator::new("at most one version of each minor", |value| {
        let versions: Vec<KubernetesVersion> = value
            .as_list()
            .unwrap_or_default()
            .iter()
            .filter_map(Value::as_str)
            .filter_map(|it| it.parse().ok())
            .collect();
        let twice = versions.iter().enumerate().find_map(|(n, one)| {
            let other = versions.iter().take(n).find(|other| other.release() == one.release())?;
            Some((other, one))
        });
        match twice {
            Some((one, other)) => Err(of_one_minor(one, other)),
            None => Ok(()),
        }
    })
}

/// Two releases of one minor version, where each has one step.
pub fn of_one_minor(one: &KubernetesVersion, other: &KubernetesVersion) -> Problem {
    Problem::new(
        "Two steps of one minor version",
        format!("{one} and {other} are of the same minor version. Name one release for each minor version."),
    )
}

#[cfg(test)]
mod tests;
