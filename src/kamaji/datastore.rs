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

/// The longest user name of MySQL. MariaDB takes longer ones.
const MYSQL_USER: usize = 32;

/// The longest identifier of PostgreSQL.
const POSTGRESQL_IDENTIFIER: usize = 63;

/// Whether the database takes the tenant's user name: `data_store_username`, or the UID (36 characters) that Kamaji takes
/// without it. A warning, because a MariaDB behind the driver `MySQL` takes what MySQL does not.
///
/// # Errors
/// A name that is too long, which Kamaji tries for ever.
pub fn check_tenant_user(driver: &str, user: Option<&str>) -> Result<(), Problem> {
    let longest = match driver {
        "MySQL" => MYSQL_USER,
        "PostgreSQL" => POSTGRESQL_IDENTIFIER,
        _ => return Ok(()),
    };
    let detail = match user {
        None if driver == "MySQL" => "Without data_store_username Kamaji takes the UID of the control plane as user name, which \
             has 36 characters; MySQL (not MariaDB) takes 32, and the control plane would never become ready. Set a name of at \
             most 32 characters."
            .to_owned(),
        Some(user) if user.chars().count() > longest => {
            format!("{user:?} has {} characters; {driver} takes at most {longest}. Choose a shorter name.", user.chars().count())
        }
        _ => return Ok(()),
    };
    Err(Problem::new("Database user name too long", detail))
}

/// Whether a tenant's data can move between datastores.
///
/// # Errors
/// Different drivers: Kamaji accepts the change, and then the tenant stays frozen until it is taken back.
pub fn check_migration(from_driver: &str, to_driver: &str) -> Result<(), Problem> {
    if from_driver == to_driver {
        return Ok(());
    }
    Err(Problem::new(
        "Datastore has another driver",
        format!(
            "The tenant's data are in {from_driver} and cannot move to {to_driver}: Kamaji migrates between datastores of the \
             same driver only, and would leave the tenant frozen. Create a new control plane instead."
        ),
    ))
}

/// Whether one more tenant fits on a datastore.
///
/// # Errors
/// NATS, which holds one tenant, is in use by another one (`namespace/name`).
pub fn check_shared(data_store: &Value, tenant: &str) -> Result<(), Problem> {
    let nats = data_store.pointer("/spec/driver").and_then(Value::as_str) == Some("NATS");
    match users(data_store).into_iter().find(|user| nats && *user != tenant) {
        Some(other) => Err(Problem::new(
            "NATS datastore is in use",
            format!(
                "{other} uses the datastore already, and NATS holds one tenant only. Make a datastore for each tenant."
            ),
        )),
        None => Ok(()),
    }
}

/// Why Kamaji refuses a DataStore; [`None`] if it does not, or is too old to say so (before edge-26.2.5).
pub fn refusal(data_store: &Value) -> Option<String> {
    if data_store.pointer("/status/ready") != Some(&Value::Bool(false)) {
        return None;
    }
    let conditions = data_store.pointer("/status/conditions").and_then(Value::as_array);
    let text = |condition: &Value, field: &str| condition.get(field).and_then(Value::as_str).map(str::to_owned);
    // The other condition is False while the datastore is in use, which is no fault.
    let failed = conditions.into_iter().flatten().find(|condition| {
        text(condition, "status").as_deref() == Some("False")
            && text(condition, "type").is_none_or(|name| !name.ends_with("DataStoreAllowedDeletion"))
    });
    let why =
        failed.and_then(|condition| text(condition, "message")).unwrap_or_else(|| "Kamaji gives no reason".to_owned());
    Some(why.trim_end_matches('.').to_owned())
}

/// The tenants that a DataStore says use it, `namespace/name`. Those that use it only as an override, or are about to move
/// to it, are not among them.
pub fn users(data_store: &Value) -> Vec<&str> {
    let users = data_store.pointer("/status/usedBy").and_then(Value::as_array);
    users.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Why a DataStore that is marked for deletion does not go away.
pub fn explain_stuck_delete(last: &Value) -> String {
    let users = users(last);
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

    #[rstest::rstest]
    #[case::uid("MySQL", None, false)]
    #[case::short("MySQL", Some("t1"), true)]
    #[case::at_the_limit("MySQL", Some("12345678901234567890123456789012"), true)]
    #[case::over_the_limit("MySQL", Some("123456789012345678901234567890123"), false)]
    #[case::postgres_uid("PostgreSQL", None, true)]
    #[case::etcd("etcd", Some("123456789012345678901234567890123"), true)]
    fn a_tenants_user_name_fits_the_database(#[case] driver: &str, #[case] user: Option<&str>, #[case] good: bool) {
        assert_eq!(check_tenant_user(driver, user).is_ok(), good);
    }

    #[rstest::rstest]
    #[case("etcd", "etcd", true)]
    #[case("etcd", "MySQL", false)]
    fn data_move_between_datastores_of_one_driver(#[case] from: &str, #[case] to: &str, #[case] good: bool) {
        assert_eq!(check_migration(from, to).is_ok(), good);
    }

    #[rstest::rstest]
    #[case("NATS", &["tenants/a"], false)]
    #[case("NATS", &["tenants/b"], true)]
    #[case("NATS", &[], true)]
    #[case("etcd", &["tenants/a"], true)]
    fn nats_holds_one_tenant(#[case] driver: &str, #[case] used_by: &[&str], #[case] good: bool) {
        let store = serde_json::json!({"spec": {"driver": driver}, "status": {"usedBy": used_by}});
        assert_eq!(check_shared(&store, "tenants/b").is_ok(), good);
    }

    #[test]
    fn being_in_use_is_no_reason_to_be_refused() {
        let conditions = serde_json::json!([
            {"type": "kamaji.clastix.io/DataStoreAllowedDeletion", "status": "False", "message": "still used"},
            {"type": "kamaji.clastix.io/DataStoreValidation", "status": "False", "message": "secret gone."},
        ]);
        let store = |ready: bool| serde_json::json!({"status": {"ready": ready, "conditions": conditions}});
        assert_eq!(refusal(&store(false)).as_deref(), Some("secret gone"));
        assert_eq!(refusal(&store(true)), None);
    }

    #[test]
    fn the_users_of_a_stuck_datastore_are_named() {
        let last = serde_json::json!({"status": {"usedBy": ["tenants/a"]}});
        assert!(explain_stuck_delete(&last).contains("tenants/a"));
    }
}
