//! What stands against a join, all of it in one error, before there is a token.

use std::time::Duration;

use jiff::Timestamp;
use tfplugin::{Diagnostic, Path};

use super::probe::Probe;
use crate::kamaji::join::check_kubelet_config;
use crate::kamaji::join::settings::MachineSettings;
use crate::kamaji::join::warnings::check_skew;
use crate::kamaji::network::Endpoint;
use crate::kamaji::version::KubernetesVersion;

/// How much clocks may differ: certificates of nodes are dated back by five minutes.
const SKEW: Duration = Duration::from_secs(300);

/// What a machine is to join.
pub(super) struct Wanted<'a> {
    pub endpoint: &'a Endpoint,
    pub tenant: &'a KubernetesVersion,
    /// The configuration that the tenant gives to kubelets.
    pub kubelet_config: Option<&'a str>,
    pub settings: &'a MachineSettings,
    /// True if the machine is reset before it joins: what it is now says nothing.
    pub is_reset: bool,
    pub now: Timestamp,
}

/// Something that stands against a join. The name is the one by which kubeadm ignores it, or our own.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    name: &'static str,
    text: String,
}

/// Everything that stands against a join, but what the configuration ignores.
fn findings(probe: &Probe, wanted: &Wanted<'_>) -> Vec<Finding> {
    let mut all = Vec::new();
    let mut found = |name, text: String| all.push(Finding { name, text });
    if probe.text("uid") != Some("0") {
        found("IsPrivilegedUser", "the commands do not run as root".to_owned());
    }
    if probe.text("system").is_some_and(|system| system != "Linux") {
        found("SystemVerification", format!("it runs {}, not Linux", probe.text("system").unwrap_or_default()));
    }
    if probe.text("machine_id").is_none() {
        found("MachineID", "/etc/machine-id is empty; `systemd-machine-id-setup` writes it".to_owned());
    }
    programs(probe, wanted, &mut found);
    if probe.text("systemctl").is_none() {
        found("Service-Kubelet", "there is no systemd, which has to run the kubelet".to_owned());
    }
    if probe.text("socket").is_none() {
        let which = wanted.settings.cri_socket.as_deref();
        let which = which.map_or("of containerd, CRI-O or cri-dockerd".to_owned(), |socket| socket.to_owned());
        found("CRI", format!("no container runtime runs: there is no socket {which}"));
    }
    if probe.text("swap").is_some() {
        found(
            "Swap",
            "swap is on, which kubelets refuse by default: `swapoff -a`, and remove it from /etc/fstab".to_owned(),
        );
    }
    if probe.text("port").is_some() && !wanted.is_reset {
        found("Port-10250", "something listens on port 10250, the kubelet's".to_owned());
    }
    if probe.text("running").is_some() {
        found("Kubeadm", "kubeadm runs on it just now; wait until it has ended".to_owned());
    }
    clock(probe, wanted, &mut found);
    match probe.text("reached") {
        // An answer that curl does not like is an answer.
        None | Some("0" | "22" | "52" | "56") => {}
        Some(code) => {
            let why = match code {
                "6" => "its name is not known there",
                "7" | "1" => "the connection is refused, or there is no route",
                "28" | "124" => "there is no answer",
                "35" => "it does not speak TLS",
                _ => "the connection fails",
            };
            found(
                "Endpoint",
                format!("it does not reach the tenant's API at {}: {why} (exit code {code})", wanted.endpoint),
            );
        }
    }
    cgroups(probe, wanted, &mut found);
    all
}

fn programs(probe: &Probe, wanted: &Wanted<'_>, found: &mut impl FnMut(&'static str, String)) {
    for (name, program) in [("Kubeadm", "kubeadm"), ("KubeletVersion", "kubelet")] {
        if probe.version(program).is_none() {
            found(name, format!("{program} is not installed, or not in root's PATH; this resource installs nothing"));
        }
    }
    let tenant = wanted.tenant;
    if let Some(kubelet) = probe.version("kubelet") {
        if check_skew(&kubelet, tenant).is_err() {
            found(
                "KubeletVersion",
                format!(
                    "its kubelet is {kubelet}, and the tenant runs {tenant}: a kubelet may be as new as the tenant, or up to three \
                     minor releases older"
                ),
            );
        }
        if let Some(config) = wanted.kubelet_config
            && let Err(problem) = check_kubelet_config(&kubelet, config, wanted.settings)
        {
            found("KubeletConfig", problem.detail.trim_end_matches('.').to_owned());
        }
    }
    if let Some(kubeadm) = probe.version("kubeadm")
        && (kubeadm.release().0 != tenant.release().0 || kubeadm.minor() > tenant.minor() + 1)
    {
        found(
            "KubeadmVersion",
            format!("its kubeadm is {kubeadm}, which joins no tenant of {tenant}: it may be one minor release newer"),
        );
    }
}

fn clock(probe: &Probe, wanted: &Wanted<'_>, found: &mut impl FnMut(&'static str, String)) {
    let Some(there) = probe.text("clock").and_then(|seconds| seconds.parse::<i64>().ok()) else { return };
    let apart = there.saturating_sub(wanted.now.as_second());
    if apart.unsigned_abs() > SKEW.as_secs() {
        let side = if apart > 0 { "ahead of" } else { "behind" };
        found(
            "Clock",
            format!(
                "its clock is {} seconds {side} the one here, so that certificates are not valid yet, or not any more: set up NTP",
                apart.unsigned_abs()
            ),
        );
    }
}

/// Kubelet and container runtime have to agree on who manages cgroups. Only what is said plainly is compared.
fn cgroups(probe: &Probe, wanted: &Wanted<'_>, found: &mut impl FnMut(&'static str, String)) {
    let argument = wanted.settings.kubelet_extra_args.iter().any(|(name, _)| name == "cgroup-driver");
    if argument || probe.text("cgroup_argument").is_some() || !wanted.settings.patches.is_empty() {
        return;
    }
    let says = |driver: &str| {
        wanted
            .kubelet_config
            .is_some_and(|config| config.lines().any(|line| line.trim() == format!("cgroupDriver: {driver}")))
    };
    let text = match probe.text("cgroups") {
        Some("false") if says("systemd") => {
            "containerd manages cgroups itself (`SystemdCgroup = false`), and the tenant has kubelets use systemd"
        }
        Some("true") if says("cgroupfs") => {
            "containerd uses systemd for cgroups (`SystemdCgroup = true`), and the tenant has kubelets manage them themselves"
        }
        _ => return,
    };
    found("CgroupDriver", text.to_owned());
}

/// One error with everything that stands against a join.
pub(super) fn check(probe: &Probe, wanted: &Wanted<'_>, machine: &str) -> Result<(), Diagnostic> {
    let ignored = &wanted.settings.ignore_preflight_errors;
    let is_ignored =
        |name: &str| ignored.iter().any(|one| one.eq_ignore_ascii_case(name) || one.eq_ignore_ascii_case("all"));
    // Without these there is nothing to go on with.
    let vital = |name: &str| ["Kubeadm", "MachineID"].contains(&name);
    let list: Vec<String> = findings(probe, wanted)
        .into_iter()
        .filter(|finding| vital(finding.name) || !is_ignored(finding.name))
        .map(|finding| format!("- {}: {}.", finding.name, finding.text))
        .collect();
    if list.is_empty() {
        return Ok(());
    }
    Err(Diagnostic::error(
        "Machine cannot join yet",
        format!(
            "These stand against a join of {machine}:\n{}\n\nNothing was changed on it. What does not matter is ignored by its name \
             in ignore_preflight_errors.",
            list.join("\n")
        ),
    )
    .at(Path::of("host")))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::probe::tests::good;
    use super::*;

    fn names(
        answer: &str,
        settings: &MachineSettings,
        kubelet_config: Option<&str>,
        is_reset: bool,
    ) -> Vec<&'static str> {
        let wanted = Wanted {
            endpoint: &"10.0.0.1:6443".parse().unwrap(),
            tenant: &"v1.30.0".parse().unwrap(),
            kubelet_config,
            settings,
            is_reset,
            now: Timestamp::from_second(1000).unwrap(),
        };
        findings(&Probe::read(answer), &wanted).iter().map(|finding| finding.name).collect()
    }

    #[rstest]
    #[case::good("", "", &[])]
    #[case::nothing("*", "", &["IsPrivilegedUser", "MachineID", "Kubeadm", "KubeletVersion", "Service-Kubelet", "CRI"])]
    #[case::user("uid\t0", "uid\t1000", &["IsPrivilegedUser"])]
    #[case::bsd("system\tLinux", "system\tFreeBSD", &["SystemVerification"])]
    #[case::newer_kubelet("kubelet\tv1.30.2", "kubelet\tv1.31.0", &["KubeletVersion"])]
    #[case::old_kubelet("kubelet\tv1.30.2", "kubelet\tv1.26.0", &["KubeletVersion"])]
    #[case::newer_kubeadm("kubeadm\tv1.30.2", "kubeadm\tv1.32.0", &["KubeadmVersion"])]
    #[case::next_kubeadm("kubeadm\tv1.30.2", "kubeadm\tv1.31.9", &[])]
    #[case::runtime("socket\t/run/containerd/containerd.sock", "", &["CRI"])]
    #[case::swap("uid\t0", "uid\t0\nswap\ton", &["Swap"])]
    #[case::port("uid\t0", "uid\t0\nport\t10250", &["Port-10250"])]
    #[case::kubeadm("uid\t0", "uid\t0\nrunning\tkubeadm", &["Kubeadm"])]
    #[case::behind("clock\t1000", "clock\t600", &["Clock"])]
    #[case::ahead("clock\t1000", "clock\t9000", &["Clock"])]
    #[case::a_little("clock\t1000", "clock\t1200", &[])]
    #[case::refused("reached\t0", "reached\t7", &["Endpoint"])]
    #[case::not_found_is_an_answer("reached\t0", "reached\t22", &[])]
    #[case::not_asked("reached\t0", "", &[])]
    fn what_stands_against_a_join_is_named(#[case] from: &str, #[case] to: &str, #[case] expected: &[&str]) {
        let answer = if from == "*" { String::new() } else { good().replace(from, to) };
        assert_eq!(names(&answer, &MachineSettings::default(), None, false), expected);
    }

    #[test]
    fn a_machine_that_is_reset_may_have_a_kubelet() {
        let answer = good().replace("uid\t0", "uid\t0\nport\t10250");
        assert!(names(&answer, &MachineSettings::default(), None, true).is_empty());
    }

    #[test]
    fn kubelet_and_runtime_agree_on_cgroups_unless_told_otherwise() {
        let answer = good().replace("cgroups\ttrue", "cgroups\tfalse");
        let config = Some("kind: KubeletConfiguration\ncgroupDriver: systemd\n");
        let plain = MachineSettings::default();
        assert_eq!(names(&answer, &plain, config, false), ["CgroupDriver"]);
        assert!(names(&good(), &plain, config, false).is_empty());
        let kubelet_extra_args = vec![("cgroup-driver".to_owned(), "cgroupfs".to_owned())];
        assert!(names(&answer, &MachineSettings { kubelet_extra_args, ..plain }, config, false).is_empty());
    }

    #[test]
    fn one_error_has_all_of_it_but_what_is_ignored() {
        let settings =
            MachineSettings { ignore_preflight_errors: vec!["swap".to_owned()], ..MachineSettings::default() };
        let wanted = Wanted {
            endpoint: &"10.0.0.1:6443".parse().unwrap(),
            tenant: &"v1.30.0".parse().unwrap(),
            kubelet_config: None,
            settings: &settings,
            is_reset: false,
            now: Timestamp::from_second(1000).unwrap(),
        };
        let answer = good().replace("uid\t0", "uid\t0\nswap\ton\nport\t10250").replace("reached\t0", "reached\t28");
        let error = check(&Probe::read(&answer), &wanted, "root@a:22").unwrap_err();
        assert!(error.detail.contains("Port-10250") && error.detail.contains("Endpoint"), "{}", error.detail);
        assert!(!error.detail.contains("Swap"), "{}", error.detail);
    }
}
