//! `terraform query`: what others have made is found, and its configuration written, so that a plan of it is empty.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::harness::running::Outcome;
use crate::harness::{Feature, Sandbox};

/// The objects that a query has found, by the name of its list.
fn found(outcome: &Outcome) -> BTreeMap<String, Vec<Json>> {
    let mut all: BTreeMap<String, Vec<Json>> = BTreeMap::new();
    for line in outcome.stdout.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok()) {
        if line["type"] == "list_resource_found" {
            let found = &line["list_resource_found"];
            let address = found["address"].as_str().expect("an address");
            let list = address.rsplit('.').next().unwrap_or_default();
            all.entry(list.to_owned()).or_default().push(found.clone());
        }
    }
    all
}

/// The names that a list has found, in its order.
fn names(found: &BTreeMap<String, Vec<Json>>, list: &str) -> Vec<String> {
    let found = found.get(list).map(Vec::as_slice).unwrap_or_default();
    found.iter().map(|found| found["identity"]["name"].as_str().expect("a name").to_owned()).collect()
}

/// A list block.
fn list(kind: &str, name: &str, arguments: &str, config: &str) -> String {
    format!("list \"kamaji_{kind}\" {name:?} {{\n  provider = kamaji\n{arguments}\n  config {{\n{config}\n  }}\n}}\n")
}

/// A tenant that costs nothing: it sleeps from the beginning.
fn sleeping(sandbox: &Sandbox, name: &str, labels: &Json) -> Json {
    let mut manifest = sandbox.tenant_manifest("v1.30.0", "default");
    manifest["metadata"]["name"] = json!(name);
    manifest["metadata"]["labels"] = labels.clone();
    manifest["spec"]["controlPlane"] =
        json!({ "deployment": { "replicas": 0 }, "service": { "serviceType": "ClusterIP" } });
    manifest["spec"]["networkProfile"] = json!({ "port": 6443 });
    manifest
}

#[test]
fn a_query_chooses_and_stops_at_its_limit() {
    let sandbox = Sandbox::new("query");
    if !sandbox.terraform.knows_for(Feature::Query, "query with filters and a limit") {
        return;
    }
    for (name, labels) in [("a", json!({ "team": "x" })), ("b", json!({ "team": "y" })), ("c", json!({ "team": "x" }))]
    {
        sandbox.cluster.apply(&sleeping(&sandbox, name, &labels));
    }
    let here = format!("    namespaces = [{:?}]", sandbox.namespace);
    let tenants = |name: &str, arguments: &str, config: &str| {
        list("tenant_control_plane", name, arguments, &[here.as_str(), config].join("\n"))
    };
    sandbox.configure(&[]);
    let lists = [
        tenants("all", "", ""),
        tenants("two", "  limit = 2", ""),
        tenants("of_x", "  include_resource = true", "    label_selector = \"team=x\""),
        tenants("but_a", "", "    field_selector = \"metadata.name!=a\""),
        tenants("of_another_release", "", "    installed_version = \"1.2\""),
        tenants("one_of_x", "  limit = 1", "    data_store = \"default\"\n    label_selector = \"team=x\""),
        list("datastore", "default", "", "    field_selector = \"metadata.name=default\""),
    ];
    sandbox.terraform.write("fleet.tfquery.hcl", &lists.join("\n"));
    let outcome = sandbox.terraform.run(&["query", "-json"]).succeeds();
    let found = found(&outcome);
    for (list, wanted) in [
        ("all", &["a", "b", "c"][..]),
        ("two", &["a", "b"]),
        ("of_x", &["a", "c"]),
        ("but_a", &["b", "c"]),
        ("of_another_release", &[]),
        ("one_of_x", &["a"]),
        ("default", &["default"]),
    ] {
        assert_eq!(names(&found, list), wanted, "{list}: {outcome}");
    }
    let first = &found["of_x"][0];
    assert_eq!(first["display_name"], format!("{}/a", sandbox.namespace));
    assert_eq!(first["resource_object"]["kubernetes"]["version"], "v1.30.0");
    assert_eq!(found["all"][0].get("resource_object"), None, "not asked for");

    // What the API server cannot choose by is an error in the configuration of the list.
    let bad = tenants("bad", "", "    field_selector = \"spec.dataStore=default\"");
    sandbox.terraform.write("fleet.tfquery.hcl", &bad);
    let error = sandbox.terraform.run(&["query", "-json"]).error();
    assert_eq!(error.summary, "Field selector not possible");
    assert!(error.detail.contains("metadata.name"), "{error:?}");
}

#[test]
fn what_a_query_has_generated_plans_empty() {
    let sandbox = Sandbox::new("query-generated");
    if !sandbox.terraform.knows_for(Feature::Query, "configuration that a query generates") {
        return;
    }
    let mut manifest = sandbox.tenant_manifest("v1.30.0", "default");
    manifest["metadata"]["labels"] = json!({ "team": "a" });
    manifest["metadata"]["annotations"] = json!({ "example.com/note": "made by hand" });
    manifest["spec"]["addons"] = json!({ "coreDNS": {}, "kubeProxy": {} });
    manifest["spec"]["controlPlane"]["deployment"]["extraArgs"] = json!({ "apiServer": ["--v=2"] });
    manifest["spec"]["networkProfile"]["certSANs"] = json!(["blue.example.com"]);
    sandbox.cluster.apply(&manifest);
    let has_generators = sandbox.cluster.has_definition("kubeconfiggenerators.kamaji.clastix.io");
    if has_generators {
        sandbox.cluster.apply(&json!({
            "apiVersion": "kamaji.clastix.io/v1alpha1", "kind": "KubeconfigGenerator",
            "metadata": { "name": sandbox.namespace, "labels": { "sandbox": sandbox.namespace } },
            "spec": {
                "user": { "stringValue": "ci" },
                "groups": [{ "stringValue": "example:ci" }],
                "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": sandbox.namespace } },
            },
        }));
    }
    sandbox.wait_for_tenant("ready", |live| live["status"]["kubernetesResources"]["version"]["status"] == "Ready");

    sandbox.configure(&[]);
    let here = format!("    namespaces = [{:?}]", sandbox.namespace);
    let selector = format!("    label_selector = \"sandbox={}\"", sandbox.namespace);
    let mut lists = vec![list("tenant_control_plane", "tenants", "  include_resource = true", &here)];
    if has_generators {
        lists.push(list("kubeconfig_generator", "generators", "  include_resource = true", &selector));
    }
    sandbox.terraform.write("fleet.tfquery.hcl", &lists.join("\n"));
    sandbox.terraform.run(&["query", "-json", "-generate-config-out=generated.tf"]).succeeds();
    // Only imports.
    sandbox.terraform.plan().has_changes();
    let planned = sandbox.terraform.planned();
    let changes = planned["resource_changes"].as_array().expect("changes");
    assert_eq!(changes.len(), lists.len(), "{changes:?}");
    for change in changes {
        assert_eq!(change["change"]["actions"], json!(["no-op"]), "{change}");
        assert!(change["change"]["importing"].is_object(), "{change}");
    }
    sandbox.terraform.apply_plan().succeeds();
    sandbox.terraform.plan().plans_nothing();

    let generated = std::fs::read_to_string(sandbox.terraform.path().join("generated.tf")).expect("written");
    let free = generated.lines().map(|line| match line.trim_start().starts_with("deletion_protection") {
        true => "  deletion_protection = false",
        false => line,
    });
    sandbox.terraform.write("generated.tf", &free.collect::<Vec<_>>().join("\n"));
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.destroy().succeeds();
}

/// What everybody uses is looked at only: a plan of the datastore `default` is an import and nothing else.
#[test]
fn a_datastore_of_a_query_plans_empty() {
    let sandbox = Sandbox::new("query-datastore");
    if !sandbox.terraform.knows_for(Feature::Query, "configuration of a datastore that a query generates") {
        return;
    }
    sandbox.configure(&[]);
    let one = "    field_selector = \"metadata.name=default\"";
    sandbox.terraform.write("stores.tfquery.hcl", &list("datastore", "stores", "  include_resource = true", one));
    sandbox.terraform.run(&["query", "-json", "-generate-config-out=generated.tf"]).succeeds();
    sandbox.terraform.plan().has_changes();
    let planned = sandbox.terraform.planned();
    let changes = planned["resource_changes"].as_array().expect("changes");
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!(changes[0]["change"]["actions"], json!(["no-op"]), "{}", changes[0]);
}
