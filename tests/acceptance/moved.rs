//! `moved` blocks: what the resources of other providers for any manifest manage becomes a tenant of this one, in place.

use serde_json::{Value as Json, json};

use crate::harness::configuration::BLUE;
use crate::harness::sandbox::provider;
use crate::harness::{Sandbox, Tenant};

/// The configurations before the move and after it.
struct Move<'a> {
    sandbox: &'a Sandbox,
    /// The address of the other provider.
    source: &'static str,
    /// Its type of resource.
    kind: &'static str,
    /// The content of its provider block.
    settings: String,
}

impl Move<'_> {
    /// The provider blocks: both, since the state names the other one until it has been applied.
    fn providers(&self) -> String {
        let kubeconfig = self.sandbox.cluster.kubeconfig();
        let name = self.source.rsplit('/').next().unwrap_or_default();
        let ours = provider(&format!("config_path = {kubeconfig:?}"));
        let required = format!("required_providers {{\n    {name} = {{ source = {:?} }}", self.source);
        let theirs = format!("provider {name:?} {{\n{}\n}}\n", self.settings);
        format!("{}\n{theirs}", ours.replacen("required_providers {", &required, 1))
    }

    /// Makes the tenant with the other provider.
    fn make(&self, block: &str) -> Json {
        self.sandbox.terraform.configure(&format!(
            "{}\nresource {:?} \"blue\" {{\n{block}\n}}\n",
            self.providers(),
            self.kind
        ));
        self.sandbox.terraform.apply().succeeds();
        let ready = |live: &Json| live["status"]["kubernetesResources"]["version"]["status"] == "Ready";
        self.sandbox.wait_for_tenant("ready", ready)
    }

    fn configure(&self, tenant: &Tenant) {
        let moved = format!("moved {{\n  from = {}.blue\n  to   = {BLUE}\n}}\n", self.kind);
        self.sandbox.terraform.configure(&[self.providers(), moved, tenant.hcl()].join("\n"));
    }

    /// The move is no change; afterwards the tenant is like any other: what is dropped is gone, and it can be destroyed.
    fn check(&self, made: &Json) {
        let Self { sandbox, kind, .. } = self;
        let tenant = sandbox
            .tenant()
            .with("labels", "{ team = \"a\" }")
            .with("kubernetes", "{ version = \"v1.30.0\", kubelet = { cgroupfs = \"systemd\" } }");
        self.configure(&tenant.clone().without("deletion_protection"));
        // OpenTofu does not show a plan in which a state has the schema version of another type.
        let plan = sandbox.terraform.plan().succeeds();
        let lines = plan.stdout.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok());
        let changes: Vec<Json> =
            lines.filter(|line| line["type"] == "planned_change").map(|line| line["change"].clone()).collect();
        assert_eq!(changes.len(), 1, "{plan}");
        let from = format!("{kind}.blue");
        let (new, old) = (&changes[0]["resource"]["addr"], &changes[0]["previous_resource"]["addr"]);
        assert_eq!((new, old), (&json!(BLUE), &json!(from)), "{plan}");
        assert_eq!(changes[0]["action"], "move", "{plan}");
        sandbox.terraform.apply_plan().succeeds();
        let live = sandbox.cluster.tenant(&sandbox.namespace, "blue").expect("there");
        for field in ["uid", "generation", "labels"] {
            assert_eq!(live["metadata"][field], made["metadata"][field], "{field}");
        }
        sandbox.terraform.plan().plans_nothing();
        assert_eq!(sandbox.terraform.destroy().error().summary, "Protected against deletion");

        self.configure(&tenant.without("labels"));
        sandbox.terraform.apply().succeeds();
        let live = sandbox.cluster.tenant(&sandbox.namespace, "blue").expect("there");
        assert_eq!(live["metadata"]["labels"].get("team"), None, "{}", live["metadata"]);
        sandbox.terraform.plan().plans_nothing();
        sandbox.terraform.destroy().succeeds();
        assert_eq!(sandbox.leftovers(), Vec::<String>::new());
    }
}

fn manifest(sandbox: &Sandbox) -> String {
    let mut manifest = sandbox.tenant_manifest("v1.30.0", "default");
    manifest["metadata"]["labels"] = json!({ "team": "a" });
    manifest.to_string()
}

#[test]
fn a_tenant_of_kubernetes_manifest_is_moved() {
    let sandbox = Sandbox::new("moved-manifest");
    if !sandbox.terraform.has_provider_for("KUBERNETES_PROVIDER", "moves from kubernetes_manifest") {
        return;
    }
    let settings = format!("  config_path = {:?}", sandbox.cluster.kubeconfig());
    let source = "registry.terraform.io/hashicorp/kubernetes";
    let from = Move { sandbox: &sandbox, source, kind: "kubernetes_manifest", settings };
    let made = from.make(&format!("  manifest = jsondecode({:?})", manifest(&sandbox)));
    from.check(&made);
}

#[rstest::rstest]
#[case::client_side(false)]
#[case::server_side(true)]
fn a_tenant_of_kubectl_manifest_is_moved(#[case] server_side: bool) {
    let sandbox = Sandbox::new(&format!("moved-kubectl-{server_side}"));
    if !sandbox.terraform.has_provider_for("KUBECTL_PROVIDER", "moves from kubectl_manifest") {
        return;
    }
    let kubeconfig = sandbox.cluster.kubeconfig();
    let settings = format!("  config_path = {kubeconfig:?}\n  load_config_file = true");
    let source = "registry.terraform.io/gavinbunney/kubectl";
    let from = Move { sandbox: &sandbox, source, kind: "kubectl_manifest", settings };
    let body = manifest(&sandbox);
    let made = from.make(&format!("  yaml_body = {body:?}\n  server_side_apply = {server_side}"));
    from.check(&made);
}
