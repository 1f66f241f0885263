//! Generators of kubeconfigs: with the newest definitions alone, where the test plays the controller, and with a Kamaji
//! that has them.

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::harness::cluster::text;
use crate::harness::sandbox::provider;
use crate::harness::terraform::Terraform;
use crate::harness::{ApiServer, Sandbox, left_out, wait_for};

const OPERATORS: &str = "kamaji_kubeconfig_generator.operators";

fn generator(name: &str, more: &str) -> String {
    format!(
        "resource \"kamaji_kubeconfig_generator\" \"operators\" {{\n  name = {name:?}\n  user = {{ string_value = \"ops\" }}\n  \
         groups = [{{ from_definition = \"metadata.namespace\" }}]\n  tenant_control_plane_selector = {{ match_labels = {{ env = \
         \"prod\" }} }}\n  {more}\n}}\n"
    )
}

#[test]
fn a_generator_says_what_its_controller_does_and_what_it_leaves() {
    let Some(server) = ApiServer::start_for("kubeconfig generators") else { return };
    let probe = json!({ "apiVersion": "kamaji.clastix.io/v1alpha1", "kind": "KubeconfigGenerator",
        "metadata": { "name": "probe" }, "spec": { "user": { "stringValue": "u" } } });
    server.install("26.8.2-edge", &probe);
    let terraform = Terraform::new();
    let provider = provider(&format!("config_path = {:?}", server.kubeconfig()));
    let configure = |block: &str| terraform.configure(&[provider.as_str(), block].join("\n"));

    configure(&generator("admin-kubeconfig", ""));
    assert_eq!(terraform.plan().error().summary, "Name of Kamaji's own Secret");

    configure(&generator("operators", ""));
    let warnings = terraform.apply().succeeds().warnings();
    assert!(warnings.iter().any(|warning| warning.summary == "No controller answers"), "{warnings:?}");
    terraform.plan().plans_nothing();

    let status = json!({ "status": { "resources": 2, "availableResources": 1, "observedGeneration": 1,
        "errors": [{ "resource": "tenants/blue", "message": "no such field" }] } });
    let patch = ["patch", "kubeconfiggenerator", "operators", "--subresource=status", "--type=merge", "-p"];
    server.kubectl_run(&[&patch[..], &[status.to_string().as_str()]].concat());
    let plan = terraform.plan();
    let failure = plan.warnings().into_iter().find(|warning| warning.summary == "Kubeconfig not generated");
    assert_eq!(failure.map(|failure| failure.detail).as_deref(), Some("tenants/blue: no such field"), "{plan}");
    terraform.run(&["apply", "-json", "-auto-approve", "-refresh-only"]).succeeds();
    let state = terraform.resource(OPERATORS);
    assert_eq!(state["values"]["available_resources"], 1);
    assert_eq!(state["values"]["errors"][0]["resource"], "tenants/blue");

    // By the other form of an import, with what the server has filled in left out.
    terraform.run(&["state", "rm", OPERATORS]).succeeds();
    terraform.run(&["import", "-no-color", OPERATORS, "operators"]).succeeds();
    terraform.plan().plans_nothing();

    let secret = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "blue-operators",
        "namespace": "default", "labels": { "kamaji.clastix.io/managed-by": "operators" } } });
    let secret = secret.to_string();
    let file = terraform.path().join("secret.json");
    std::fs::write(&file, secret).expect("written");
    server.kubectl_run(&["apply", "-f", &file.to_string_lossy()]);
    let left = terraform.destroy().succeeds().warnings();
    let left = left.iter().find(|warning| warning.summary == "Generated Secrets stay").expect("a warning");
    assert!(left.detail.contains("default/blue-operators"), "{}", left.detail);

    configure(&generator("operators", "secrets_on_destroy = \"delete\""));
    terraform.apply().succeeds();
    terraform.destroy().succeeds();
    assert_eq!(server.kubectl_run(&["get", "secret", "blue-operators", "--ignore-not-found"]), "");
}

#[test]
fn kubeconfigs_are_generated_for_the_tenants_that_are_selected() {
    let sandbox = Sandbox::new("generator");
    if !sandbox.cluster.has_definition("kubeconfiggenerators.kamaji.clastix.io") {
        left_out("since this Kamaji has no generator of kubeconfigs");
        return;
    }
    let name = sandbox.namespace.as_str();
    let tenant = sandbox.tenant().with("labels", &format!("{{ of = {name:?} }}")).hcl();
    let generator = |group: &str, more: &str| {
        format!(
            "resource \"kamaji_kubeconfig_generator\" \"operators\" {{\n  name = {name:?}\n  user = {{ string_value = \"ops\" \
             }}\n  groups = [{{ from_definition = {group:?} }}]\n  tenant_control_plane_selector = {{ match_labels = {{ of = \
             {name:?} }} }}\n  control_plane_endpoint_from = \"admin.conf\"\n  timeouts = {{ update = \"20s\" }}\n  depends_on = \
             [kamaji_tenant_control_plane.blue]\n  {more}\n}}\n"
        )
    };
    sandbox.configure(&[&tenant, &generator("metadata.namespace", "")]);
    let applied = sandbox.terraform.apply().succeeds();
    if applied.warnings().iter().any(|warning| warning.summary == "No controller answers") {
        left_out("since nobody runs the generator of kubeconfigs");
        sandbox.terraform.destroy().succeeds();
        return;
    }
    sandbox.terraform.plan().plans_nothing();
    let state = sandbox.terraform.resource(OPERATORS);
    assert_eq!((&state["values"]["resources"], &state["values"]["available_resources"]), (&json!(1), &json!(1)));
    let secret = format!("blue-{name}");
    let kubeconfig = sandbox.cluster.secret(name, &secret, "value").expect("a kubeconfig");
    let who = sandbox.cluster.with_kubeconfig(&kubeconfig, &["auth", "whoami", "-o", "json"]);
    let who: Json = serde_json::from_str(&text(&who)).unwrap_or_else(|error| panic!("{error}: {who:?}"));
    let user = &who["status"]["userInfo"];
    assert_eq!((&user["username"], &user["groups"][0]), (&json!("ops"), &json!(name)), "{who}");

    // What cannot be done for a tenant is said of that one.
    sandbox.configure(&[&tenant, &generator("metadata.annotations.missing", "")]);
    let warnings = sandbox.terraform.apply().succeeds().warnings();
    let failure = warnings.iter().find(|warning| warning.summary == "Kubeconfig not generated");
    let failure = failure.unwrap_or_else(|| panic!("{warnings:?}"));
    assert!(failure.detail.starts_with(&format!("{name}/blue: ")), "{}", failure.detail);
    let state = sandbox.terraform.resource(OPERATORS);
    assert_eq!(state["values"]["errors"][0]["resource"], format!("{name}/blue"));
    sandbox.configure(&[&tenant, &generator("metadata.name", "")]);
    sandbox.terraform.apply().succeeds();
    let plan = sandbox.terraform.plan().plans_nothing();
    assert!(plan.warnings().is_empty(), "{plan}");
    assert_eq!(sandbox.terraform.resource(OPERATORS)["values"]["errors"], json!([]));

    // Its Secrets stay when it goes, and are listed.
    sandbox.configure(&[&tenant]);
    let warnings = sandbox.terraform.apply().succeeds().warnings();
    let left = warnings.iter().find(|warning| warning.summary == "Generated Secrets stay");
    assert!(left.is_some_and(|left| left.detail.contains(&format!("{name}/{secret}"))), "{warnings:?}");
    assert!(sandbox.cluster.get("secret", name, &secret).is_some());
    // Or go with it.
    sandbox.configure(&[&tenant, &generator("metadata.name", "secrets_on_destroy = \"delete\"")]);
    sandbox.terraform.apply().succeeds();
    sandbox.configure(&[&tenant]);
    assert_eq!(sandbox.terraform.apply().succeeds().warnings().len(), 0);
    wait_for("the Secret is gone", Duration::from_secs(10), || {
        sandbox.cluster.get("secret", name, &secret).is_none().then_some(())
    });
    sandbox.terraform.destroy().succeeds();
}
