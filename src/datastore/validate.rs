//! Rules across attributes, offline, as far as the configuration is known.

use jiff::Timestamp;
use tfplugin::{Diagnostic, Diagnostics, Path, Severity, Value};

use super::material::{Material, judge};
use super::part::{Part, kept};
use crate::kamaji::datastore as rules;

/// The attributes that give the value of a part, one of which is needed.
const SOURCES: [&str; 3] = ["secret_reference", "content", "content_wo"];

/// Everything that is wrong with a configuration beyond single attributes.
pub(super) fn validate(config: &Value) -> Diagnostics {
    let mut found = Diagnostics::new();
    let driver = config.str_at("driver");
    let problems = rules::check(driver, |attribute| {
        let value = config.get(attribute);
        if value.is_unknown() { None } else { Some(value.is_set()) }
    });
    for (attribute, problem) in problems {
        found.push(Diagnostic::error(problem.summary, problem.detail).at(Path::of(&attribute)));
    }
    for part in Part::ALL.into_iter().filter(|part| config.get(part.path()).is_set()) {
        sources(config, part, &mut found);
    }
    endpoints(config, driver, &mut found);
    unused(config, driver, &mut found);
    for finding in judge(driver, &given(config), Timestamp::now()) {
        let source = if config.get(&finding.part.inner("content_wo")).is_set() { "content_wo" } else { "content" };
        found.push(finding.to_diagnostic(source, Severity::Error));
    }
    found
}

/// What the configuration itself says of the credentials. Empty texts have been refused before.
pub(super) fn given(config: &Value) -> Material {
    let mut material = Material::default();
    for part in Part::ALL {
        let source = ["content_wo", "content"].into_iter().find_map(|source| config.str_at(&part.inner(source)));
        if let Some(text) = source.filter(|text| !text.is_empty()) {
            material.put(part, text.as_bytes().to_vec());
        }
    }
    material
}

/// One source, and the version that goes with a write-only one.
fn sources(config: &Value, part: Part, found: &mut Diagnostics) {
    let value = |name: &str| config.get(&part.inner(name));
    let given: Vec<&str> = SOURCES.into_iter().filter(|name| value(name).is_set()).collect();
    let maybe = SOURCES.iter().any(|name| value(name).is_unknown());
    let path = part.path();
    match given.as_slice() {
        [] if !maybe => found.push(
            Diagnostic::error(
                "Value is not given",
                format!("`{path}` says nothing. Set one of `secret_reference`, `content_wo` and `content` in it."),
            )
            .at(part.at("")),
        ),
        [first, second, ..] => found.push(
            Diagnostic::error(
                "Value is given twice",
                format!("`{path}` has both `{first}` and `{second}`. Remove one of them."),
            )
            .at(part.at(second)),
        ),
        _ => {}
    }
    let version = value("content_wo_version");
    if value("content_wo").is_set() && version.is_null() {
        found.push(
            Diagnostic::error(
                "Version is missing",
                format!(
                    "`{path}.content_wo` is stored nowhere, so nothing tells when it changes. Set `content_wo_version` to a \
                     number, and to another one whenever the value changes."
                ),
            )
            .at(part.at("content_wo_version")),
        );
    }
    if version.is_set() && value("content_wo").is_null() && !given.is_empty() {
        let detail = format!("`{path}.content_wo_version` is the version of `content_wo`, which is not given.");
        found.push(Diagnostic::error("Version of nothing", detail).at(part.at("content_wo_version")));
    }
    if given == ["content"] {
        found.push(
            Diagnostic::warning(
                "Secret in the state",
                format!(
                    "`{path}.content` stands in Terraform's state and in the DataStore, for everybody to read who can read \
                     those. `content_wo` and `secret_reference` stand in neither."
                ),
            )
            .at(part.at("content")),
        );
    }
}

fn endpoints(config: &Value, driver: Option<&str>, found: &mut Diagnostics) {
    let all = config.get("endpoints").as_list().unwrap_or_default();
    for (index, endpoint) in all.iter().enumerate().filter(|(_, endpoint)| endpoint.is_set()) {
        if all.iter().take(index).any(|before| before == endpoint) {
            let detail = format!("{:?} is in the list already.", endpoint.as_str().unwrap_or_default());
            found.push(Diagnostic::error("Endpoint is given twice", detail).at(Path::of("endpoints").index(index)));
        }
    }
    if matches!(driver, Some("PostgreSQL" | "MySQL")) && all.len() > 1 {
        found.push(
            Diagnostic::warning(
                "Only the first endpoint is used",
                format!(
                    "Of {} endpoints Kamaji and the tenants use the first. Give one that stays where it is, such as a load \
                     balancer's.",
                    all.len()
                ),
            )
            .at(Path::of("endpoints").index(1)),
        );
    }
}

/// What is configured and does nothing.
fn unused(config: &Value, driver: Option<&str>, found: &mut Diagnostics) {
    if driver == Some("etcd") && config.get("basic_auth").is_set() {
        let detail =
            "Kamaji knows etcd by its client certificate alone; user and password are not used. Remove `basic_auth`.";
        found.push(Diagnostic::warning("Login is not used", detail).at(Path::of("basic_auth")));
    }
    let may_keep = Part::ALL.iter().any(|part| {
        config.get(&part.inner("content_wo")).is_unknown() || config.get(&part.inner("content_wo_version")).is_unknown()
    });
    if config.get("credentials_secret").is_set() && kept(config).next().is_none() && !may_keep {
        let detail = "Nothing is given as `content_wo`, so there is no Secret for the provider to keep. Remove \
                      `credentials_secret`.";
        found.push(Diagnostic::warning("Secret is not used", detail).at(Path::of("credentials_secret")));
    }
}
