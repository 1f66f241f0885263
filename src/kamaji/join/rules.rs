//! Rules about what is set of a machine: kubelet arguments, sockets, kubeadm's checks, patches, files, commands.

use std::collections::BTreeSet;

use tfplugin::Value;
use tfplugin::schema::{Problem, Validator};

/// Kubelet arguments that have an attribute of their own, or that kubeadm sets.
const OWN_ATTRIBUTE: &[(&str, &str)] = &[
    ("node-labels", "Use `node_labels`."),
    ("register-with-taints", "Use `node_taints`."),
    ("hostname-override", "Use `node_name`."),
    ("container-runtime-endpoint", "Use `cri_socket`."),
    ("config", "kubeadm sets it; change the kubelet's configuration with `patches`."),
    ("kubeconfig", "kubeadm sets it."),
    ("bootstrap-kubeconfig", "kubeadm sets it."),
    ("token", "The kubelet has no such argument."),
];

fn text(words: &'static str, check: impl Fn(&str) -> Result<(), Problem> + Send + Sync + 'static) -> Validator {
    Validator::new(words, move |value| value.as_str().map_or(Ok(()), &check))
}

/// The name of a kubelet argument.
pub fn kubelet_argument() -> Validator {
    text("the name of a kubelet argument without dashes before it", |name| {
        if let Some((_, advice)) = OWN_ATTRIBUTE.iter().find(|(own, _)| *own == name) {
            let detail = format!("The kubelet argument {name:?} cannot be set here. {advice}");
            return Err(Problem::new("Kubelet argument has its own place", detail));
        }
        let advice = if name.starts_with('-') {
            format!("Leave out the dashes: \"{}\".", name.trim_start_matches('-'))
        } else if name.contains('=') {
            "Name and value are two attributes.".to_owned()
        } else {
            "It has lower-case letters, digits and dashes, as in \"max-pods\".".to_owned()
        };
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let good = !name.is_empty() && !name.starts_with('-') && name.bytes().all(allowed);
        if good {
            Ok(())
        } else {
            Err(Problem::new(
                "Kubelet argument is not valid",
                format!("{name:?} is not the name of a kubelet argument. {advice}"),
            ))
        }
    })
}

/// A value for the kubelet's command line: systemd takes it from one line of a file.
pub fn one_line() -> Validator {
    text("text of one line", |line| {
        if line.contains(['\n', '\r', '\0']) {
            return Err(Problem::new("More than one line", "A line break cannot stand here. Write it in one line."));
        }
        Ok(())
    })
}

/// The socket of a container runtime.
pub fn cri_socket() -> Validator {
    text("a socket such as `unix:///run/containerd/containerd.sock`", |socket| {
        let path = socket.strip_prefix("unix://");
        if path.is_some_and(|path| check_absolute(path).is_ok()) {
            return Ok(());
        }
        let advice = if socket.starts_with('/') {
            format!("Write \"unix://{socket}\".")
        } else {
            "Write \"unix://\" and the path from the root.".to_owned()
        };
        Err(Problem::new("Not the socket of a runtime", format!("{socket:?} is not the URL of a socket. {advice}")))
    })
}

/// A list of kubeadm's checks: `all` stands alone.
pub fn preflight_checks() -> Validator {
    Validator::new("names of kubeadm's checks, or `all` alone", |list| {
        let names: Vec<&str> = list.as_list().unwrap_or_default().iter().filter_map(Value::as_str).collect();
        if names.len() > 1 && names.iter().any(|name| name.eq_ignore_ascii_case("all")) {
            return Err(Problem::new(
                "\"all\" is not alone",
                "kubeadm refuses \"all\" beside other names. Keep either \"all\" or the names.",
            ));
        }
        let bad = |name: &&&str| {
            name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        match names.iter().find(bad) {
            Some(name) => Err(Problem::new(
                "Not the name of a check",
                format!(
                    "{name:?} is not the name of a check of kubeadm, such as \"Swap\" or \"FileExisting-conntrack\"."
                ),
            )),
            None => Ok(()),
        }
    })
}

/// Phases of `kubeadm join` that a worker has.
pub const PHASES: &[&str] = &["preflight", "kubelet-start", "kubelet-wait-bootstrap"];

/// Patches of kubeadm: the name of each file says what it changes and how.
pub fn patches() -> Validator {
    Validator::new("kubeadm's patches of the kubelet's configuration", |map| {
        for (file, content) in map.as_object().into_iter().flatten() {
            check_patch(file)?;
            if content.as_str().is_some_and(|text| text.trim().is_empty()) {
                return Err(Problem::new("Patch is empty", format!("The patch {file:?} is empty. Remove or fill it.")));
            }
        }
        Ok(())
    })
}

fn check_patch(file: &str) -> Result<(), Problem> {
    let wrong = |advice: &str| {
        Err(Problem::new(
            "Not the name of a patch",
            format!(
                "{file:?} is not a file that kubeadm takes for a worker: \"kubeletconfiguration\", perhaps a suffix, perhaps \
                 \"+strategic\", \"+merge\" or \"+json\", and \".yaml\" or \".json\". {advice}"
            ),
        ))
    };
    let Some(stem) = file.strip_suffix(".yaml").or_else(|| file.strip_suffix(".json")) else {
        return wrong("It ends in neither.");
    };
    let (target, kind) = stem.split_once('+').map_or((stem, None), |(target, kind)| (target, Some(kind)));
    if kind.is_some_and(|kind| !["strategic", "merge", "json"].contains(&kind)) {
        return wrong("After the \"+\" stands something else.");
    }
    match target.strip_prefix("kubeletconfiguration") {
        Some(suffix) if suffix.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) => Ok(()),
        Some(_) => wrong("The suffix has letters, digits, \"-\" and \"_\"."),
        None => wrong("A worker has nothing else to patch."),
    }
}

fn check_absolute(path: &str) -> Result<(), Problem> {
    let wrong =
        |why: &str| Err(Problem::new("Not the path of a file", format!("{path:?} is not the path of a file: {why}.")));
    if !path.starts_with('/') {
        return wrong("it does not start at the root (\"/\")");
    }
    if path.ends_with('/') {
        return wrong("it ends with \"/\"");
    }
    if path.split('/').any(|part| part == "..") {
        return wrong("it has \"..\" in it");
    }
    if path.contains(['\n', '\r', '\0']) {
        return wrong("it has a line break in it");
    }
    Ok(())
}

/// The path of a file on the machine.
pub fn absolute_path() -> Validator {
    text("the path of a file from the root", |path| {
        check_absolute(path)?;
        if path == super::user_data::CONFIGURATION_PATH || path == super::user_data::DISCOVERY_PATH {
            let detail = format!("{path} is written by the join itself. Choose another path.");
            return Err(Problem::new("Path is taken", detail));
        }
        Ok(())
    })
}

/// The mode of a file.
pub fn permissions() -> Validator {
    text("four octal digits such as `0644`", |mode| {
        let octal = |byte: u8| (b'0'..=b'7').contains(&byte);
        if mode.len() == 4 && mode.bytes().all(octal) {
            return Ok(());
        }
        Err(Problem::new("Not the mode of a file", format!("{mode:?} is not four octal digits such as \"0644\".")))
    })
}

/// The owner of a file.
pub fn owner() -> Validator {
    text("`user:group`", |owner| {
        let name = |text: &str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        match owner.split_once(':') {
            Some((user, group)) if name(user) && name(group) => Ok(()),
            _ => Err(Problem::new("Not the owner of a file", format!("{owner:?} is not of the form \"user:group\"."))),
        }
    })
}

/// Files, no two at the same path.
pub fn distinct_paths() -> Validator {
    Validator::new("no two files at the same path", |list| {
        let mut seen = BTreeSet::new();
        let mut paths = list.as_list().unwrap_or_default().iter().filter_map(|file| file.str_at("path"));
        match paths.find(|path| !seen.insert(*path)) {
            Some(path) => {
                Err(Problem::new("File is given twice", format!("There are two files at {path:?}. Keep one.")))
            }
            None => Ok(()),
        }
    })
}

/// A shell command.
pub fn command() -> Validator {
    text("a shell command", |command| {
        if command.trim().is_empty() {
            return Err(Problem::new("Command is empty", "A command is empty. Remove or fill it."));
        }
        if command.contains('\0') {
            return Err(Problem::new("Command is not text", "A command holds a zero byte, which no shell reads."));
        }
        Ok(())
    })
}

/// An address of a proxy.
pub fn proxy_url() -> Validator {
    text("`http://host:port`", |url| {
        let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        let good = rest.is_some_and(|rest| {
            !rest.is_empty() && !rest.starts_with('/') && !rest.contains(|c: char| c.is_whitespace() || c.is_control())
        });
        if good {
            return Ok(());
        }
        // It may hold a password.
        Err(Problem::new(
            "Not the address of a proxy",
            "A proxy is written \"http://host:port\" or \"https://host:port\".",
        ))
    })
}

/// An entry of `no_proxy`.
pub fn no_proxy() -> Validator {
    text("a host, domain or network", |entry| {
        if !entry.is_empty() && !entry.contains(|c: char| c.is_whitespace() || c.is_control() || c == ',') {
            return Ok(());
        }
        Err(Problem::new(
            "Not a host, domain or network",
            format!("{entry:?} is not one host, domain or network, such as \"10.0.0.0/8\" or \".example.com\"."),
        ))
    })
}

/// An https URL.
pub fn https_url() -> Validator {
    text("an https URL", |url| {
        let rest = url.strip_prefix("https://");
        if rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(|c: char| c.is_whitespace() || c.is_control())) {
            return Ok(());
        }
        Err(Problem::new("Not an https URL", format!("{url:?} does not start with \"https://\" and a host.")))
    })
}

/// A SHA-256 in hexadecimal digits.
pub fn sha256() -> Validator {
    text("64 hexadecimal digits", |text| {
        if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(());
        }
        Err(Problem::new("Not a SHA-256", format!("{text:?} is not 64 hexadecimal digits, as sha256sum prints them.")))
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::argument(kubelet_argument(), "max-pods", true)]
    #[case::dashes(kubelet_argument(), "--max-pods", false)]
    #[case::pair(kubelet_argument(), "max-pods=1", false)]
    #[case::own(kubelet_argument(), "node-labels", false)]
    #[case::nothing(kubelet_argument(), "", false)]
    #[case::socket(cri_socket(), "unix:///run/crio/crio.sock", true)]
    #[case::bare_socket(cri_socket(), "/run/crio/crio.sock", false)]
    #[case::tcp_socket(cri_socket(), "tcp://localhost:1234", false)]
    #[case::path(absolute_path(), "/etc/a", true)]
    #[case::relative(absolute_path(), "etc/a", false)]
    #[case::up(absolute_path(), "/etc/../a", false)]
    #[case::directory(absolute_path(), "/etc/", false)]
    #[case::taken(absolute_path(), "/etc/kubernetes/kubeadm-join.yaml", false)]
    #[case::mode(permissions(), "0600", true)]
    #[case::symbolic(permissions(), "u=rw", false)]
    #[case::short(permissions(), "600", false)]
    #[case::decimal(permissions(), "0800", false)]
    #[case::owner(owner(), "root:root", true)]
    #[case::no_group(owner(), "root", false)]
    #[case::proxy(proxy_url(), "http://proxy:3128", true)]
    #[case::no_scheme(proxy_url(), "proxy:3128", false)]
    #[case::without(no_proxy(), "10.0.0.0/8", true)]
    #[case::two(no_proxy(), "a,b", false)]
    #[case::hash(sha256(), "6d1e8e5f83bc98270a2e038b35ae30f4f3872d25755534ecd0c4709ff9566292", true)]
    #[case::no_hash(sha256(), "6d1e", false)]
    #[case::command(command(), "true", true)]
    #[case::blank(command(), " ", false)]
    fn a_rule_knows_good_from_bad(#[case] rule: Validator, #[case] text: &str, #[case] good: bool) {
        assert_eq!(rule.check(&text.into()).is_ok(), good);
    }

    #[rstest]
    #[case("kubeletconfiguration.yaml", true)]
    #[case("kubeletconfiguration0+strategic.json", true)]
    #[case("kubeletconfiguration+json.yaml", true)]
    #[case("kubeletconfiguration+patch.yaml", false)]
    #[case("kubeletconfiguration", false)]
    #[case("kube-apiserver.yaml", false)]
    #[case("kubeletconfiguration/../x.yaml", false)]
    fn a_patch_is_of_the_kubelets_configuration(#[case] file: &str, #[case] good: bool) {
        assert_eq!(patches().check(&Value::object([(file, Value::from("maxPods: 5"))])).is_ok(), good);
    }

    #[rstest]
    #[case(&["Swap", "FileExisting-conntrack"], true)]
    #[case(&["all"], true)]
    #[case(&["All", "Swap"], false)]
    #[case(&["no check"], false)]
    fn all_checks_stand_alone(#[case] names: &[&str], #[case] good: bool) {
        assert_eq!(preflight_checks().check(&Value::strings(names.iter().copied())).is_ok(), good);
    }
}
