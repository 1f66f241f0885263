//! Datastores on real servers: PostgreSQL, MariaDB, NATS, and the etcds of the cluster.

use std::path::Path;
use std::time::Duration;

use crate::harness::cluster::{cluster, run};
use crate::harness::configuration::{BLUE, data_store};
use crate::harness::database::{ADMIN, Certificates, Database};
use crate::harness::running::Diagnostic;
use crate::harness::{Sandbox, left_out, wait_for};

const STORE: &str = "kamaji_datastore.store";
/// Planted in a configuration; must come up nowhere else.
const PASSWORD: &str = "planted-password-one";
const SECOND_PASSWORD: &str = "planted-password-two";
/// The file with the client's key.
const CLIENT_KEY: &str = "client.pem";

/// The block of `kamaji_datastore.store` for a server, with write-only credentials. It is named like the sandbox's
/// namespace, where its Secret lies, too.
struct Store {
    name: String,
    driver: &'static str,
    endpoint: String,
    user: &'static str,
    version: u32,
    tls: Option<Certificates>,
    more: &'static str,
}

impl Store {
    fn of(sandbox: &Sandbox, database: &Database) -> Self {
        Self {
            name: sandbox.namespace.clone(),
            driver: database.driver,
            endpoint: database.endpoint.clone(),
            user: ADMIN,
            version: 1,
            tls: database.tls.clone(),
            more: "check_connection = \"require\"",
        }
    }

    /// The variable `password` is ephemeral and comes from the environment, the client's key from a file that is no part of
    /// the configuration.
    fn hcl(&self, sandbox: &Sandbox) -> String {
        let part = |text: &str| format!("{{\n      content_wo = {text:?}\n      content_wo_version = 1\n    }}");
        if let Some(tls) = &self.tls {
            sandbox.terraform.write(CLIENT_KEY, &tls.key);
        }
        let from_file = format!("{{\n      content_wo = file({CLIENT_KEY:?})\n      content_wo_version = 1\n    }}");
        let tls = self.tls.as_ref().map_or_else(String::new, |Certificates { ca, certificate, .. }| {
            format!(
                "  tls_config = {{\n    certificate_authority = {{ certificate = {} }}\n    client_certificate = {{ certificate = \
                 {}, private_key = {} }}\n  }}\n",
                part(ca),
                part(certificate),
                from_file
            )
        });
        format!(
            "variable \"password\" {{\n  type = string\n  ephemeral = true\n}}\n\nresource \"kamaji_datastore\" \"store\" {{\n  \
             name = {:?}\n  driver = {:?}\n  endpoints = [{:?}]\n  basic_auth = {{\n    username = {{ content_wo = {:?}, \
             content_wo_version = 1 }}\n    password = {{ content_wo = var.password, content_wo_version = {} }}\n  }}\n{tls}  \
             credentials_secret = {{ namespace = {:?} }}\n  deletion_protection = false\n  {}\n}}\n",
            self.name, self.driver, self.endpoint, self.user, self.version, self.name, self.more
        )
    }
}

fn password(sandbox: &mut Sandbox, password: &str) {
    sandbox.terraform.set("TF_VAR_password", password);
}

/// Checks the title and that the words are in the text.
#[track_caller]
fn says(diagnostic: &Diagnostic, summary: &str, words: &[&str]) {
    assert_eq!(diagnostic.summary, summary, "{}", diagnostic.detail);
    for word in words {
        assert!(diagnostic.detail.contains(word), "{word:?} is missing in: {}", diagnostic.detail);
    }
}

/// Applies a datastore on a server, and tries what the connection check tells apart.
fn is_checked_and_accepted(sandbox: &mut Sandbox, database: &Database) {
    let good = Store::of(sandbox, database);
    let refused = |sandbox: &Sandbox, store: &Store| {
        sandbox.configure(&[&store.hcl(sandbox)]);
        let error = sandbox.terraform.apply().error();
        let secret = format!("{}-credentials", sandbox.namespace);
        assert_eq!(sandbox.cluster.get("secret", &sandbox.namespace, &secret), None, "nothing was written");
        error
    };
    password(sandbox, "wrong");
    says(&refused(sandbox, &good), "Login refused", &[&good.endpoint]);
    password(sandbox, PASSWORD);

    let (host, _) = good.endpoint.rsplit_once(':').expect("host:port");
    let closed = Store { endpoint: format!("{host}:9"), ..Store::of(sandbox, database) };
    says(&refused(sandbox, &closed), "Connection not checked", &["connection refused"]);
    let api = sandbox.server().replace("https://", "");
    let other = Store { endpoint: api, ..Store::of(sandbox, database) };
    says(&refused(sandbox, &other), "Not this kind of database", &[]);
    if let Some(tls) = &good.tls {
        let other = Certificates::of("other");
        let foreign = Certificates { ca: other.ca.clone(), ..tls.clone() };
        let store = Store { tls: Some(foreign), ..Store::of(sandbox, database) };
        says(&refused(sandbox, &store), "Database's certificate not trusted", &["was not signed by the CA"]);
        let store = Store { tls: Some(Certificates { ca: tls.ca.clone(), ..other }), ..Store::of(sandbox, database) };
        says(&refused(sandbox, &store), "Client certificate refused", &[&good.endpoint]);
    }

    sandbox.configure(&[&good.hcl(sandbox)]);
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.plan().plans_nothing();
    let state = sandbox.terraform.resource(STORE);
    assert_eq!(state["values"]["basic_auth"]["password"]["content_wo_version"], 1);
    if good.tls.is_some() {
        let fingerprint = &state["values"]["certificates"]["certificate_authority"]["sha256_fingerprint"];
        assert_eq!(fingerprint.as_str().map(str::len), Some(64), "{state}");
    }
}

/// Makes a tenant on the datastore, with a ConfigMap in it. Returns its block.
fn runs_a_tenant(sandbox: &Sandbox, store: &Store) -> String {
    // From here on the cluster has the image of kine, the sidecar of tenants whose data are not in etcd.
    run(std::process::Command::new(sandbox.cluster.program()).arg("databases"));
    let tenant = sandbox.tenant().with("data_store", &format!("{STORE}.name"));
    let tenant = tenant.with("timeouts", "{ create = \"3m\" }").hcl();
    sandbox.configure(&[&store.hcl(sandbox), &tenant]);
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.plan().plans_nothing();
    sandbox.cluster.in_tenant(&sandbox.namespace, &["create", "configmap", "kept", "-n", "default"]);
    tenant
}

fn is_destroyed(sandbox: &Sandbox) {
    sandbox.terraform.destroy().succeeds();
    assert_eq!(sandbox.cluster.get("datastores.kamaji.clastix.io", "default", &sandbox.namespace), None);
    let secret = format!("{}-credentials", sandbox.namespace);
    assert_eq!(sandbox.cluster.get("secret", &sandbox.namespace, &secret), None);
}

#[test]
fn a_mariadb_is_checked_and_runs_a_tenant() {
    if !cluster().is_local_for("a MariaDB beside the cluster") {
        return;
    }
    // Before the sandbox, and so ended after it: a tenant that is left goes only with its database.
    let Some(database) = Database::mariadb(cluster(), PASSWORD) else { return };
    let mut sandbox = Sandbox::new("mariadb");
    is_checked_and_accepted(&mut sandbox, &database);
    database.change_password(PASSWORD, SECOND_PASSWORD);
    password(&mut sandbox, SECOND_PASSWORD);
    let store = Store { version: 2, ..Store::of(&sandbox, &database) };
    sandbox.configure(&[&store.hcl(&sandbox)]);
    sandbox.terraform.apply().succeeds();
    runs_a_tenant(&sandbox, &store);
    is_destroyed(&sandbox);
}

#[test]
fn a_nats_is_checked_and_runs_a_tenant() {
    if !cluster().is_local_for("a NATS beside the cluster") {
        return;
    }
    // Before the sandbox, and so ended after it: a tenant that is left goes only with its database.
    let database = Database::nats(cluster(), PASSWORD);
    let mut sandbox = Sandbox::new("nats");
    is_checked_and_accepted(&mut sandbox, &database);
    let store = Store::of(&sandbox, &database);
    runs_a_tenant(&sandbox, &store);
    is_destroyed(&sandbox);
}

#[test]
fn a_tenant_on_postgresql_goes_on_while_the_password_is_rotated() {
    if !cluster().is_local_for("a PostgreSQL beside the cluster") {
        return;
    }
    // Before the sandbox, and so ended after it: a tenant that is left goes only with its database.
    let Some(database) = Database::postgresql(cluster(), PASSWORD) else { return };
    let mut sandbox = Sandbox::new("postgresql");
    sandbox.terraform.log_everything();
    is_checked_and_accepted(&mut sandbox, &database);

    let store = Store::of(&sandbox, &database);
    let tenant = runs_a_tenant(&sandbox, &store);

    database.change_password(PASSWORD, SECOND_PASSWORD);
    password(&mut sandbox, SECOND_PASSWORD);
    let store = Store { version: 2, ..store };
    sandbox.configure(&[&store.hcl(&sandbox), &tenant]);
    sandbox.terraform.plan().has_changes();
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.plan().plans_nothing();
    sandbox.cluster.in_tenant(&sandbox.namespace, &["get", "configmap", "kept", "-n", "default"]);
    let refused = database.psql(PASSWORD, "SELECT 1").expect_err("the old password");
    assert!(refused.contains("password authentication failed"), "{refused}");
    database.psql(SECOND_PASSWORD, "SELECT 1").expect("the new password");
    is_used_and_refused(&sandbox);

    let key = database.tls.as_ref().map(|tls| tls.key.clone()).unwrap_or_default();
    // A line of the PEM text, which is the same in JSON.
    let line = key.lines().nth(1).expect("a line");
    for file in sandbox.terraform.files().iter().filter(|file| !file.ends_with(CLIENT_KEY)) {
        let content = std::fs::read(file).expect("readable");
        for secret in [PASSWORD, SECOND_PASSWORD, line] {
            let found = content.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "a secret is in {}", file.display());
        }
    }
    assert!(sandbox.terraform.files().iter().any(|file| is_log(file)), "logs were searched");
    // Kamaji works with the new password: it removes the tenant's database.
    sandbox.configure(&[&store.hcl(&sandbox), &tenant]);
    is_destroyed(&sandbox);
}

fn is_log(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "log")
}

/// Leaving the datastore out of the configuration is refused at plan while the tenant stays.
fn is_used_and_refused(sandbox: &Sandbox) {
    let name = sandbox.namespace.as_str();
    sandbox.configure(&[
        "variable \"password\" {\n  type = string\n  ephemeral = true\n}\n",
        &sandbox.tenant().with("data_store", &format!("{name:?}")).hcl(),
    ]);
    let outcome = sandbox.terraform.plan();
    says(&outcome.error(), "Datastore is in use", &[&format!("{name}/blue")]);
}

#[test]
fn a_datastore_is_refused_while_it_is_used_and_all_go_in_one_destroy() {
    let sandbox = Sandbox::new("used");
    if !sandbox.cluster.is_local_for("an etcd without a DataStore") {
        return;
    }
    let store = data_store(&sandbox);
    let tenant = sandbox.tenant().with("data_store", &format!("{STORE}.name")).hcl();
    sandbox.configure(&[&store, &tenant]);
    sandbox.terraform.apply().succeeds();
    let name = format!("{}/blue", sandbox.namespace);
    let only_the_store = sandbox.terraform.run(&["plan", "-json", "-destroy", &format!("-target={BLUE}")]);
    only_the_store.succeeds();
    let literal = sandbox.tenant().with("data_store", &format!("{:?}", sandbox.namespace)).hcl();
    sandbox.configure(&[&literal]);
    says(&sandbox.terraform.plan().error(), "Datastore is in use", &[&name]);
    // Another driver is another object, which the tenant does not survive either.
    sandbox.configure(&[&store.replace("\"etcd\"", "\"NATS\""), &tenant]);
    let errors = sandbox.terraform.plan().errors();
    assert!(errors.iter().any(|error| error.summary == "Needed by this driver"), "{errors:?}");
    // Both blocks are removed: what the same plan deletes does not count, in whatever order Terraform plans it.
    sandbox.configure(&[]);
    sandbox.terraform.apply().succeeds();
    assert_eq!(sandbox.cluster.get("datastores.kamaji.clastix.io", "default", &sandbox.namespace), None);
    assert_eq!(sandbox.cluster.tenant(&sandbox.namespace, "blue"), None);
    // And the same by a destroy.
    sandbox.configure(&[&store, &tenant]);
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.destroy().succeeds();
    assert_eq!(sandbox.cluster.get("datastores.kamaji.clastix.io", "default", &sandbox.namespace), None);
}

#[test]
fn a_tenant_does_not_move_to_another_driver() {
    if !cluster().is_local_for("a NATS beside the cluster") {
        return;
    }
    // Before the sandbox, and so ended after it: a tenant that is left goes only with its database.
    let database = Database::nats(cluster(), PASSWORD);
    let mut sandbox = Sandbox::new("other-driver");
    password(&mut sandbox, PASSWORD);
    let store = Store::of(&sandbox, &database).hcl(&sandbox);
    sandbox.configure(&[&store, &sandbox.tenant().hcl()]);
    sandbox.terraform.apply().succeeds();
    sandbox.configure(&[&store, &sandbox.tenant().with("data_store", &format!("{STORE}.name")).hcl()]);
    says(&sandbox.terraform.plan().error(), "Datastore has another driver", &["etcd", "NATS"]);
    sandbox.configure(&[&store, &sandbox.tenant().hcl()]);
    sandbox.terraform.destroy().succeeds();
}

#[test]
fn what_stands_in_the_object_itself_is_not_imported() {
    let sandbox = Sandbox::new("inline");
    if !sandbox.cluster.is_local_for("a DataStore that nobody can use") {
        return;
    }
    let name = sandbox.namespace.as_str();
    // "planted", in base64.
    let content = serde_json::json!({ "content": "cGxhbnRlZA==" });
    sandbox.cluster.apply(&serde_json::json!({
        "apiVersion": "kamaji.clastix.io/v1alpha1", "kind": "DataStore", "metadata": { "name": name },
        "spec": { "driver": "PostgreSQL", "endpoints": ["192.0.2.1:5432"],
            "basicAuth": { "username": content, "password": content } },
    }));
    let block = format!(
        "resource \"kamaji_datastore\" \"store\" {{\n  name = {name:?}\n  driver = \"PostgreSQL\"\n  endpoints = \
         [\"192.0.2.1:5432\"]\n  basic_auth = {{\n    username = {{ content = \"planted\" }}\n    password = {{ content = \
         \"planted\" }}\n  }}\n  check_connection = \"off\"\n  deletion_protection = false\n}}\n"
    );
    let import = format!("import {{\n  to = {STORE}\n  id = {name:?}\n}}\n");
    sandbox.configure(&[&block, &import]);
    let plan = sandbox.terraform.plan().has_changes();
    let warnings = plan.warnings();
    let about_import: Vec<_> = warnings.iter().filter(|it| it.summary == "Inline content is not imported").collect();
    assert_eq!(about_import.len(), 2, "{warnings:?}");
    assert!(warnings.iter().any(|warning| warning.summary == "Secret in the state"), "{warnings:?}");
    sandbox.terraform.apply().succeeds();
    sandbox.configure(&[&block]);
    sandbox.terraform.plan().plans_nothing();
    sandbox.terraform.destroy().succeeds();
    wait_for("the DataStore is gone", Duration::from_secs(10), || {
        sandbox.cluster.get("datastores.kamaji.clastix.io", "default", name).is_none().then_some(())
    });
}

/// The etcd of the cluster that has no DataStore, with credentials that do not fit.
#[test]
fn an_etcd_tells_a_wrong_ca_from_a_wrong_client_certificate() {
    let sandbox = Sandbox::new("etcd");
    if !sandbox.cluster.is_local_for("an etcd without a DataStore") {
        return;
    }
    let good =
        data_store(&sandbox).replace("deletion_protection", "check_connection = \"require\"\n  deletion_protection");
    let attribute = |name: &str, pem: &str| format!("{name} = {{ content_wo = {pem:?}, content_wo_version = 1 }}");
    let other = Certificates::of("root");
    let with = |block: &str, from: &str, to: &str| {
        assert!(block.contains(from), "{from} is not in {block}");
        block.replacen(from, to, 1)
    };
    let key = |key: &str| {
        let fact = |fact: &str| sandbox.cluster.fact(&format!("KAMAJI_CLUSTER_ETCD_SECRET_{fact}"));
        let (namespace, name) = (fact("NAMESPACE"), fact("NAME"));
        format!("{{ secret_reference = {{ namespace = {namespace:?}, name = {name:?}, key_path = {key:?} }} }}")
    };
    let certificate = |of: &str| format!("certificate = {}", key(of));
    let private_key = |of: &str| format!("private_key = {}", key(of));
    let foreign_ca = with(&good, &certificate("ca.crt"), &attribute("certificate", &other.ca));
    let foreign_ca = with(&foreign_ca, &private_key("ca.key"), &attribute("private_key", &other.ca_key));
    let foreign_client = with(&good, &certificate("tls.crt"), &attribute("certificate", &other.certificate));
    let foreign_client = with(&foreign_client, &private_key("tls.key"), &attribute("private_key", &other.key));
    let endpoint = sandbox.cluster.fact("KAMAJI_CLUSTER_ETCD_ENDPOINT");
    let closed = good.replace(endpoint, &format!("{}:9", sandbox.cluster.node_address()));
    let api = good.replace(endpoint, &sandbox.server().replace("https://", ""));
    for (store, summary) in [
        (foreign_ca, "Database's certificate not trusted"),
        (foreign_client, "Client certificate refused"),
        (closed, "Connection not checked"),
        (api, "Database's certificate not trusted"),
    ] {
        sandbox.configure(&[&store]);
        says(&sandbox.terraform.apply().error(), summary, &[]);
    }
    sandbox.configure(&[&good]);
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.plan().plans_nothing();
    // A Secret of somebody else that is gone is named.
    let gone = with(&good, &certificate("tls.crt"), &certificate("gone.crt"));
    sandbox.configure(&[&gone]);
    let warnings = sandbox.terraform.plan().warnings();
    let missing = warnings.iter().find(|warning| warning.summary == "Secret has no such key").expect("a warning");
    assert!(missing.detail.contains("key gone.crt"), "{}", missing.detail);
    says(&sandbox.terraform.apply().error(), "Secret has no such key", &["key gone.crt"]);
    sandbox.configure(&[&good]);
    sandbox.terraform.destroy().succeeds();
}

/// The Secret that the provider keeps is found missing, by name, and written again.
#[test]
fn a_secret_that_somebody_deletes_is_diagnosed_by_name_and_made_again() {
    if !cluster().is_local_for("a NATS beside the cluster") {
        return;
    }
    let database = Database::nats(cluster(), PASSWORD);
    let mut sandbox = Sandbox::new("secret-gone");
    password(&mut sandbox, PASSWORD);
    sandbox.configure(&[&Store::of(&sandbox, &database).hcl(&sandbox)]);
    sandbox.terraform.apply().succeeds();
    let secret = format!("{}-credentials", sandbox.namespace);
    let delete = ["delete", "secret", "-n", &sandbox.namespace, &secret];
    let deleted = sandbox.cluster.kubectl().args(delete).output().expect("kubectl");
    if !deleted.status.success() {
        // Kamaji v1.0.0: it is the webhook that says so.
        let refusal = String::from_utf8_lossy(&deleted.stderr).into_owned();
        assert!(refusal.contains("is used by the following"), "{refusal}");
        left_out(&format!("since this Kamaji does not let the Secret go: the rest, {refusal}"));
    } else {
        let plan = sandbox.terraform.plan().has_changes();
        let warning = plan.warnings().into_iter().find(|it| it.summary == "Credential has to be written again");
        let warning = warning.unwrap_or_else(|| panic!("{plan}"));
        assert!(warning.detail.contains(&format!("{}/{secret}", sandbox.namespace)), "{}", warning.detail);
        sandbox.terraform.apply().succeeds();
        assert!(sandbox.cluster.secret(&sandbox.namespace, &secret, "password").is_some());
        sandbox.terraform.plan().plans_nothing();
    }
    is_destroyed(&sandbox);
}
