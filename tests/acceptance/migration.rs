//! Tenants that move to another DataStore: the data arrive, or the Job that failed has the last word.

use std::time::{Duration, Instant};

use crate::harness::cluster::SEEN;
use crate::harness::configuration::data_store;
use crate::harness::{Sandbox, wait_for};

/// Jobs of migrations of the sandbox's tenant, `namespace name`. Newer releases of Kamaji leave them in their own
/// namespace.
fn jobs(sandbox: &Sandbox) -> String {
    let selector = format!("tcp.kamaji.clastix.io/namespace={}", sandbox.namespace);
    let columns = "custom-columns=:metadata.namespace,:metadata.name";
    sandbox.cluster.kubectl_run(&["get", "jobs", "-A", "-l", &selector, "--no-headers", "-o", columns])
}

#[test]
fn a_migration_returns_when_the_data_have_moved_and_leaves_no_job() {
    let sandbox = Sandbox::new("migration");
    if !sandbox.cluster.is_local_for("a migration between two DataStores") {
        return;
    }
    let store = data_store(&sandbox);
    sandbox.configure(&[&store, &sandbox.tenant().hcl()]);
    sandbox.terraform.apply().succeeds();
    sandbox.cluster.in_tenant(&sandbox.namespace, &["create", "configmap", "moved", "-n", "default"]);

    let moved = sandbox.tenant().with("data_store", "kamaji_datastore.store.name");
    sandbox.configure(&[&store, &moved.hcl()]);
    sandbox.terraform.apply().succeeds();
    let live = sandbox.cluster.tenant(&sandbox.namespace, "blue").expect("there");
    assert_eq!(live["status"]["storage"]["dataStoreName"], sandbox.namespace.as_str());
    assert_eq!(live["status"]["kubernetesResources"]["version"]["status"], "Ready");
    sandbox.cluster.in_tenant(&sandbox.namespace, &["get", "configmap", "moved", "-n", "default"]);
    sandbox.terraform.plan().plans_nothing();

    sandbox.terraform.destroy().succeeds();
    assert_eq!(jobs(&sandbox).trim(), "");
}

#[test]
fn a_migration_that_fails_ends_with_the_last_words_of_its_job_and_can_be_taken_back() {
    let sandbox = Sandbox::new("not-moved");
    if !sandbox.cluster.is_local_for("a DataStore that nobody can use") {
        return;
    }
    // Kamaji before edge-26.3.2 gives a Job five minutes for each try, whatever the annotation says.
    if !sandbox.cluster.declares_for(SEEN, "a migration that fails in seconds") {
        return;
    }
    let endpoint = sandbox.cluster.fact("KAMAJI_CLUSTER_ETCD_ENDPOINT");
    let nobody = format!("{}:9", sandbox.cluster.node_address());
    let store = data_store(&sandbox).replace(endpoint, &nobody);
    let store = store.replace("deletion_protection", "check_connection = \"off\"\n  deletion_protection");
    let tenant = sandbox.tenant().with("annotations", "{ \"kamaji.clastix.io/migration-timeout\" = \"3s\" }");
    sandbox.configure(&[&store, &tenant.hcl()]);
    sandbox.terraform.apply().succeeds();

    let moved = tenant.clone().with("data_store", "kamaji_datastore.store.name");
    sandbox.configure(&[&store, &moved.hcl()]);
    let begin = Instant::now();
    let apply = sandbox.terraform.spawn(&["apply", "-json", "-auto-approve"]);
    let found = wait_for("the Job is there", Duration::from_secs(60), || {
        let found = jobs(&sandbox);
        (!found.trim().is_empty()).then_some(found)
    });
    let (namespace, job) = found.trim().split_once(' ').expect("a namespace and a name");
    // Without the tries that Kamaji has it make, which take ten minutes.
    let fewer = ["patch", "job", job.trim(), "-n", namespace, "--type=merge", "-p", r#"{"spec":{"backoffLimit":2}}"#];
    sandbox.cluster.kubectl_run(&fewer);
    let error = apply.wait().error();
    assert_eq!(error.summary, "Data were not moved", "{}", error.detail);
    for words in [job.trim(), "Error: ", "set `data_store` to \"default\" again"] {
        assert!(error.detail.contains(words), "{words:?} is missing in: {}", error.detail);
    }
    assert!(error.line().contains("data_store"), "{error:?}");
    assert!(begin.elapsed() < Duration::from_secs(120), "{:?}", begin.elapsed());

    // As the error says.
    sandbox.configure(&[&store, &tenant.hcl()]);
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.plan().plans_nothing();
    sandbox.cluster.in_tenant(&sandbox.namespace, &["create", "configmap", "writable", "-n", "default"]);
    sandbox.terraform.destroy().succeeds();
    assert_eq!(jobs(&sandbox).trim(), "");
}
