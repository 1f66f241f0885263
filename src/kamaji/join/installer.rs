//! Who installs container runtime, kubelet and kubeadm on a machine that has none: CLASTIX' script yaki.

use std::collections::BTreeMap;

use tfplugin::Value;
use tfplugin::schema::{Problem, Validator};

use super::shell_word;

/// The release of yaki unless another is configured.
pub const DEFAULT: &str = "v1.36.2";

/// SHA-256 of the script in its releases. Older ones join without a pin if none is given in a variable.
const RELEASES: &[(&str, &str)] = &[
    ("v1.30.5", "525159c38d46be97b4785405503c18c9b541e7eb7d10b433317f42a7a72f1aa5"),
    ("v1.32.3", "9eaf5a1a04afc136b0fcd8ff4702388fcd028958122eedf37ed18a1ae69157b9"),
    ("v1.36.1", "70828cc98fa2d975419118d329cf3929513d5094c3502befaed3b7dd15fdd4c9"),
    ("v1.36.2", "6d1e8e5f83bc98270a2e038b35ae30f4f3872d25755534ecd0c4709ff9566292"),
];

/// Variables of yaki that say what to install, and nothing of the join.
const VARIABLES: &[&str] =
    &["ARCH", "CNI_VERSION", "CONTAINERD_VERSION", "CRICTL_VERSION", "DEBUG", "RELEASE_VERSION", "RUNC_VERSION"];

/// The script yaki, pinned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Yaki {
    /// Where it is downloaded from.
    pub url: String,
    /// SHA-256 of the script, lower-case hex; [`None`] if it is not known, which the rules refuse.
    pub sha256: Option<String>,
    /// Variables for it.
    pub environment: BTreeMap<String, String>,
}

impl Yaki {
    /// From the attribute `installer`; [`None`] if nothing is to be installed.
    pub fn from_value(installer: &Value) -> Option<Self> {
        if installer.str_at("type") != Some("yaki") {
            return None;
        }
        let version = installer.str_at("version").unwrap_or(DEFAULT);
        let url = installer.str_at("url").map_or_else(|| address(version), str::to_owned);
        let given = installer.str_at("sha256").map(str::to_ascii_lowercase);
        let sha256 = given.or_else(|| known(version).map(str::to_owned));
        let environment = installer.get("environment").as_object().into_iter().flatten();
        let environment = environment.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        Some(Self { url, sha256, environment: environment.collect() })
    }

    /// The part of a script that downloads yaki, compares it with its checksum and runs it in a directory of its own,
    /// into which it downloads everything else. The token stays in kubeadm's configuration: yaki wants the variable and
    /// does not use it.
    pub(super) fn script(&self, kubernetes_version: &str, endpoint: &str) -> String {
        let url = shell_word(&self.url);
        let sha256 = self.sha256.as_deref().unwrap_or_default();
        let mut variables: BTreeMap<&str, &str> =
            self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        variables.extend([
            ("JOIN_TOKEN", "in-the-configuration"),
            ("JOIN_URL", endpoint),
            ("KUBERNETES_VERSION", kubernetes_version),
        ]);
        let words: Vec<String> =
            variables.into_iter().map(|(name, value)| format!("{name}={}", shell_word(value))).collect();
        format!(
            r#"work=$(mktemp -d)
if command -v curl >/dev/null; then
  curl -fsSL --retry 5 -o "$work/yaki" {url}
else
  wget -q -O "$work/yaki" {url}
fi
if ! echo "{sha256}  $work/yaki" | sha256sum -c - >/dev/null; then
  echo "yaki is not the script that it should be: SHA-256 is not {sha256}." >&2
  exit 1
fi
(cd "$work" && env {} KUBEADM_CONFIG="$config" bash ./yaki join)
rm -rf "$work"
"#,
            words.join(" ")
        )
    }
}

fn address(version: &str) -> String {
    format!("https://raw.githubusercontent.com/clastix/yaki/{version}/script/yaki")
}

fn known(version: &str) -> Option<&'static str> {
    RELEASES.iter().find(|(release, _)| *release == version).map(|(_, sha256)| *sha256)
}

/// Whether an installer, as far as it is known, is pinned and makes sense.
///
/// # Errors
/// The attribute inside, and what is wrong.
pub fn check(installer: &Value) -> Result<(), (&'static str, Problem)> {
    let set = |attribute: &str| !installer.get(attribute).is_null();
    match installer.str_at("type") {
        Some("none") => {
            let extra = ["version", "url", "sha256", "environment"].into_iter().find(|attribute| set(attribute));
            extra.map_or(Ok(()), |attribute| {
                let detail =
                    format!("Nothing is installed, so {attribute} has no meaning. Remove it, or set type = \"yaki\".");
                Err((attribute, Problem::new("Nothing is installed", detail)))
            })
        }
        Some("yaki") if !set("sha256") => match (installer.get("version"), installer.get("url")) {
            (Value::Unknown, _) | (_, Value::Unknown) => Ok(()),
            (version, url) => {
                let version = version.as_str().unwrap_or(DEFAULT);
                if url.is_null() && known(version).is_some() {
                    return Ok(());
                }
                let releases: Vec<&str> = RELEASES.iter().map(|(release, _)| *release).collect();
                let detail = format!(
                    "The checksum of yaki {version}{} is not known here. Give its SHA-256, or take one of the releases {} \
                     without a url.",
                    url.as_str().map(|url| format!(" from {url:?}")).unwrap_or_default(),
                    releases.join(", ")
                );
                Err(("sha256", Problem::new("Installer is not pinned", detail)))
            }
        },
        _ => Ok(()),
    }
}

/// Variables for yaki.
pub fn environment() -> Validator {
    Validator::new("variables of yaki that say what to install", |map| {
        let unknown = map.as_object().into_iter().flatten().find(|(name, _)| !VARIABLES.contains(&name.as_str()));
        unknown.map_or(Ok(()), |(name, _)| {
            let detail = format!(
                "{name:?} is not a variable that may be set. Those for what is installed are {}; what concerns the join is \
                 set by the provider.",
                VARIABLES.join(", ")
            );
            Err(Problem::new("Not a variable of the installer", detail))
        })
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn installer(members: &[(&str, &str)]) -> Value {
        let mut value = Value::object(
            ["type", "version", "url", "sha256", "environment"].map(|attribute| (attribute, Value::Null)),
        );
        for (attribute, text) in members {
            value.set(attribute, (*text).into());
        }
        value
    }

    #[rstest]
    #[case::none(&[("type", "none")], None)]
    #[case::default(&[("type", "yaki")], None)]
    #[case::release(&[("type", "yaki"), ("version", "v1.32.3")], None)]
    #[case::with_checksum(&[("type", "yaki"), ("version", "main"), ("sha256", "0")], None)]
    #[case::unpinned(&[("type", "yaki"), ("version", "main")], Some("sha256"))]
    #[case::mirror(&[("type", "yaki"), ("url", "https://mirror/yaki")], Some("sha256"))]
    #[case::meaningless(&[("type", "none"), ("version", "v1.36.2")], Some("version"))]
    fn an_installer_is_pinned(#[case] members: &[(&str, &str)], #[case] at: Option<&str>) {
        assert_eq!(check(&installer(members)).err().map(|(attribute, _)| attribute), at);
    }

    #[test]
    fn nothing_of_the_join_can_be_set_by_variables() {
        let check = |name: &str| environment().check(&Value::object([(name, Value::from("x"))])).is_ok();
        assert!(check("CNI_VERSION"));
        assert!(!check("JOIN_TOKEN") && !check("JOIN_ASCP") && !check("KUBERNETES_VERSION"));
    }

    #[test]
    fn the_default_is_a_known_release() {
        let yaki = Yaki::from_value(&installer(&[("type", "yaki")])).unwrap();
        assert_eq!(yaki.url, "https://raw.githubusercontent.com/clastix/yaki/v1.36.2/script/yaki");
        assert_eq!(yaki.sha256.as_deref(), known(DEFAULT));
    }
}
