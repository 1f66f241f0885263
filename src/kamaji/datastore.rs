//! Rules for datastores, driver by driver: what the CRD's CEL rules refuse, and what Kamaji accepts and never works.

use serde_json::Value;
use tfplugin::schema::Problem;

/// What is wrong with a configuration: attribute (dotted) and problem. `present` tells whether an attribute is given;
/// [`None`] if that is not known yet.
pub fn check(driver: Option<&str>, present: impl Fn(&str) -> Option<bool>) -> Vec<(String, Problem)> {
    let Some(driver) = driver else { return Vec::new() };
    let missing = |attribute: &str| present(attribute) == Some(false);
    let mut found = Vec::new();
    let mut need = |attribute: &str, why: &str| {
        let detail = format!("A datastore with driver = {driver:?} needs `{attribute}`: {why}.");
        found.push((attribute.to_owned(), Problem::new("Needed by this driver", detail)));
    };
    match driver {
        "etcd" => {
            if missing("tls_config") {
                need("tls_config", "Kamaji talks to etcd over TLS with client certificates only");
                return found;
            }
            if missing("tls_config.certificate_authority.private_key") {
                need(
                    "tls_config.certificate_authority.private_key",
                    "Kamaji signs a client certificate for each tenant with it",
                );
            }
            if missing("tls_config.client_certificate") {
                need("tls_config.client_certificate", "Kamaji administers etcd as the user root with it");
            }
        }
        "NATS" if missing("basic_auth") => {
            need("basic_auth", "Kamaji fails without it, even if the server wants no login");
        }
        "PostgreSQL" | "MySQL" if missing("basic_auth") => {
            need("basic_auth", "Kamaji makes databases and users with it");
        }
        _ => {}
    }
    found
}

/// Why a DataStore that is marked for deletion does not go away.
pub fn explain_stuck_delete(last: &Value) -> String {
    let users: Vec<&str> = last
        .pointer("/status/usedBy")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if users.is_empty() {
        return "No tenant uses it. The Kamaji controller may be down, or the DataStore paused: \
                `kubectl -n kamaji-system get pods`."
            .to_owned();
    }
    format!(
        "It is still used by {}. Delete these tenant control planes, or move them to another datastore; Kamaji lets go of \
         the DataStore then.",
        users.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(driver: &str, given: &[&str]) -> Vec<String> {
        check(Some(driver), |attribute| Some(given.contains(&attribute))).into_iter().map(|(at, _)| at).collect()
    }

    #[rstest::rstest]
    #[case("etcd", &[], &["tls_config"])]
    #[case("etcd", &["tls_config"], &["tls_config.certificate_authority.private_key", "tls_config.client_certificate"])]
    #[case("NATS", &[], &["basic_auth"])]
    #[case("PostgreSQL", &["tls_config"], &["basic_auth"])]
    #[case("MySQL", &["basic_auth"], &[])]
    fn each_driver_has_its_needs(#[case] driver: &str, #[case] given: &[&str], #[case] expected: &[&str]) {
        assert_eq!(missing(driver, given), expected);
    }

    #[test]
    fn what_is_unknown_is_not_judged() {
        assert_eq!(check(None, |_| Some(false)), []);
        assert_eq!(check(Some("etcd"), |_| None), []);
    }

    #[test]
    fn the_users_of_a_stuck_datastore_are_named() {
        let last = serde_json::json!({"status": {"usedBy": ["tenants/a"]}});
        assert!(explain_stuck_delete(&last).contains("tenants/a"));
    }
}
