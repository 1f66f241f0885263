//! Datastores on real servers: PostgreSQL, MariaDB, NATS, and the etcds of the cluster.

use std::path::Path;
use std::time::Duration;

use crate::harness::cluster::{cluster, run};
use crate::harness::configuration::{BLUE, data_store};
use crate::harness::database::{ADMIN, Certificates, Database};
use crate::harness::terraform::Diagnostic;
use crate::harness::{Sandbox, wait_for};

const STORE: &str = "kamaji_datastore.store";
/// Planted in a configuration; must come up nowhere else.
const PASSWORD: &str = "planted-password-one";
const SECOND_PASSWORD: &str = "planted-password-two";

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

    /// The variable `password` is ephemeral and comes from a file that Terraform reads by itself.
    fn hcl(&self) -> String {
        let part = |text: &str| format!("{{\n      content_wo = {text:?}\n      content_wo_version = 1\n    }}");
        let tls = self.tls.as_ref().map_or_else(String::new, |Certificates { ca, certificate, key }| {
            format!(
                "  tls_config = {{\n    certificate_authority = {{ certificate = {} }}\n    client_certificate = {{ certificate = \
                 {}, private_key = {} }}\n  }}\n",
                part(ca),
                part(certificate),
                part(key)
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
        sandbox.configure(&[&store.hcl()]);
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

    sandbox.configure(&[&good.hcl()]);
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.plan().plans_nothing();
    let state = sandbox.terraform.resource(STORE);
    assert_eq!(state["values"]["basic_auth"]["password"]["content_wo_version"], 1);
    if good.tls.is_some() {
        let fingerprint = &state["values"]["certificates"]["certificate_authority"]["sha256_fingerprint"];
        assert_eq!(fingerprint.as_str().map(str::len), Some(64), "{state}");
    }
}

fn is_destroyed(sandbox: &Sandbox) {
    sandbox.terraform.destroy().succeeds();
    assert_eq!(sandbox.cluster.get("datastores.kamaji.clastix.io", "default", &sandbox.namespace), None);
    let secret = format!("{}-credentials", sandbox.namespace);
    assert_eq!(sandbox.cluster.get("secret", &sandbox.namespace, &secret), None);
}

#[test]
fn a_mariadb_is_checked_and_accepted() {
    if !cluster().is_local_for("a MariaDB beside the cluster") {
        return;
    }
    // Before the sandbox, and so ended after it: a tenant that is left goes only with its database.
    let Some(database) = Database::mariadb(cluster(), PASSWORD) else { return };
    let mut sandbox = Sandbox::new("mariadb");
    is_checked_and_accepted(&mut sandbox, &database);
    database.change_password(PASSWORD, SECOND_PASSWORD);
    password(&mut sandbox, SECOND_PASSWORD);
    sandbox.configure(&[&Store { version: 2, ..Store::of(&sandbox, &database) }.hcl()]);
    sandbox.terraform.apply().succeeds();
    is_destroyed(&sandbox);
}

#[test]
fn a_nats_is_checked_and_accepted() {
    if !cluster().is_local_for("a NATS beside the cluster") {
        return;
    }
    // Before the sandbox, and so ended after it: a tenant that is left goes only with its database.
    let database = Database::nats(cluster(), PASSWORD);
    let mut sandbox = Sandbox::new("nats");
    is_checked_and_accepted(&mut sandbox, &database);
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
    // kine, the sidecar of such a tenant, is in the cluster's registry from here on.
    run(std::process::Command::new(sandbox.cluster.program()).arg("databases"));
    sandbox.terraform.log_everything();
    is_checked_and_accepted(&mut sandbox, &database);

    let store = Store::of(&sandbox, &database);
    let tenant = sandbox.tenant().with("data_store", &format!("{STORE}.name"));
    let tenant = tenant.with("timeouts", "{ create = \"3m\" }").hcl();
    sandbox.configure(&[&store.hcl(), &tenant]);
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.plan().plans_nothing();
    sandbox.cluster.in_tenant(&sandbox.namespace, &["create", "configmap", "kept", "-n", "default"]);

    database.change_password(PASSWORD, SECOND_PASSWORD);
    password(&mut sandbox, SECOND_PASSWORD);
    let store = Store { version: 2, ..store };
    sandbox.configure(&[&store.hcl(), &tenant]);
    sandbox.terraform.apply().succeeds();
    sandbox.cluster.in_tenant(&sandbox.namespace, &["get", "configmap", "kept", "-n", "default"]);
    let refused = database.psql(PASSWORD, "SELECT 1").expect_err("the old password");
    assert!(refused.contains("password authentication failed"), "{refused}");
    database.psql(SECOND_PASSWORD, "SELECT 1").expect("the new password");
    is_used_and_refused(&sandbox);

    for file in sandbox.terraform.files() {
        let content = std::fs::read(&file).expect("readable");
        for secret in [PASSWORD, SECOND_PASSWORD] {
            let found = content.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "the password is in {}", file.display());
        }
    }
    assert!(sandbox.terraform.files().iter().any(|file| is_log(file)), "logs were searched");
    // Kamaji works with the new password: it removes the tenant's database.
    sandbox.configure(&[&store.hcl(), &tenant]);
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
    sandbox.configure(&[&store, &tenant]);
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
    let store = Store::of(&sandbox, &database).hcl();
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
