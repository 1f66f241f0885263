//! Generators of kubeconfigs with the newest definitions. No Kamaji runs there, so the test plays its controller.

use serde_json::json;

use crate::harness::ApiServer;
use crate::harness::sandbox::provider;
use crate::harness::terraform::Terraform;

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
