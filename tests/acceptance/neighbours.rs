//! GitOps and Cluster API on the same objects: what is theirs is read, imported, planned, and left alone.
//!
//! The tools themselves are not here. `kubectl` does to the API server what they do, under their names: Flux and Argo CD
//! with `ServerSideApply=true` apply on the server's side, Argo CD without it as `kubectl apply` does, and the control plane
//! provider of Cluster API creates and updates. The owner is a ConfigMap instead of a KamajiControlPlane.

use std::path::Path;

use serde_json::{Value as Json, json};

use crate::harness::configuration::BLUE;
use crate::harness::running::Outcome;
use crate::harness::terraform::change;
use crate::harness::{Sandbox, Tenant};

const TENANT: &str = "tenantcontrolplanes.kamaji.clastix.io/blue";
const ARGO_CD: &str = "argocd-controller";
const FLUX: &str = "kustomize-controller";
/// Controllers are named after their executable.
const CLUSTER_API: &str = "manager";

/// Runs kubectl with a manifest as a field manager.
fn as_manager(sandbox: &Sandbox, manager: &str, command: &[&str], manifest: &Json) {
    sandbox.terraform.write("theirs.json", &manifest.to_string());
    let file = sandbox.terraform.path().join("theirs.json").display().to_string();
    let manager = format!("--field-manager={manager}");
    sandbox.cluster.kubectl_run(&[command, &[&manager, "-f", &file]].concat());
}

/// What Flux does, and Argo CD with `ServerSideApply=true`.
fn declare(sandbox: &Sandbox, manager: &str, manifest: &Json) {
    as_manager(sandbox, manager, &["apply", "--server-side", "--force-conflicts"], manifest);
}

/// The part of `blue` that a GitOps tool declares.
fn part(sandbox: &Sandbox, labels: &Json, spec: &Json) -> Json {
    json!({"apiVersion": "kamaji.clastix.io/v1alpha1", "kind": "TenantControlPlane",
        "metadata": {"name": "blue", "namespace": sandbox.namespace, "labels": labels}, "spec": spec})
}

fn replicas(count: u8) -> Json {
    json!({"controlPlane": {"deployment": {"replicas": count}}})
}

fn live(sandbox: &Sandbox) -> Json {
    let arguments = ["get", TENANT, "-n", &sandbox.namespace, "--show-managed-fields", "-o", "json"];
    serde_json::from_str(&sandbox.cluster.kubectl_run(&arguments)).expect("JSON")
}

/// What a manager owns of the object itself.
#[track_caller]
fn fields_of(live: &Json, manager: &str) -> Json {
    let entries = live["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    let entry = entries.into_iter().find(|it| it["manager"] == manager && it.get("subresource").is_none());
    entry.unwrap_or_else(|| panic!("{manager} owns nothing: {live}"))["fieldsV1"].clone()
}

/// A tenant whose pods are others' business, and which nobody waits for.
fn shared(sandbox: &Sandbox) -> Tenant {
    let control_plane = "{ service = { service_type = \"NodePort\" } }";
    sandbox.tenant().with("control_plane", control_plane).with("wait_for", "\"accepted\"")
}

#[track_caller]
fn error_about(outcome: Outcome, summary: &str, parts: &[&str]) {
    let error = outcome.error();
    assert_eq!(error.summary, summary, "{}", error.detail);
    for part in parts {
        assert!(error.detail.contains(part), "{part} is missing in {}", error.detail);
    }
}

#[test]
fn labels_and_replicas_of_gitops_tools_survive_adoption_changes_and_an_orphaning_destroy() {
    let sandbox = Sandbox::new("gitops");
    let mut whole = sandbox.tenant_manifest("v1.30.0", "default");
    whole["spec"]["controlPlane"]["deployment"] = json!({});
    whole["metadata"]["labels"] = json!({"app.kubernetes.io/instance": "blue"});
    declare(&sandbox, ARGO_CD, &whole);
    let flux = |count: u8| part(&sandbox, &json!({"kustomize.toolkit.fluxcd.io/name": "apps"}), &replicas(count));
    declare(&sandbox, FLUX, &flux(1));
    let before = live(&sandbox);
    let theirs = |live: &Json| [ARGO_CD, FLUX].map(|manager| fields_of(live, manager));
    let are_untouched = || {
        let now = live(&sandbox);
        assert_eq!(theirs(&now), theirs(&before));
        assert_eq!(now["metadata"]["uid"], before["metadata"]["uid"]);
        assert_eq!(now["metadata"]["labels"]["app.kubernetes.io/instance"], "blue");
        assert_eq!(now["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/name"], "apps");
        now
    };

    let adopting = shared(&sandbox).with("adopt_existing", "true");
    sandbox.configure(&[&adopting.clone().with("labels", "{ team = \"a\" }").hcl()]);
    sandbox.terraform.apply().succeeds();
    assert_eq!(are_untouched()["metadata"]["labels"]["team"], "a");
    sandbox.terraform.plan().plans_nothing();

    // A change of ours.
    sandbox.configure(&[&adopting.clone().with("labels", "{ team = \"b\" }").cert_sans(&["blue.example.com"]).hcl()]);
    sandbox.terraform.apply().succeeds();
    let now = are_untouched();
    assert_eq!(now["metadata"]["labels"]["team"], "b");
    assert_eq!(now["spec"]["networkProfile"]["certSANs"], json!(["blue.example.com"]));
    assert_eq!(now["spec"]["controlPlane"]["deployment"]["replicas"], 1);

    // A change of theirs is none of ours.
    declare(&sandbox, FLUX, &flux(2));
    sandbox.terraform.plan().plans_nothing();

    // What we give up goes; theirs stays.
    sandbox.configure(&[&adopting.clone().hcl()]);
    sandbox.terraform.apply().succeeds();
    let now = are_untouched();
    assert_eq!(now["metadata"]["labels"].get("team"), None);
    assert_eq!(now["spec"]["networkProfile"].get("certSANs"), None);
    assert_eq!(now["spec"]["controlPlane"]["deployment"]["replicas"], 2);
    sandbox.terraform.plan().plans_nothing();

    // A field that a tool declares is not ours to change.
    sandbox.configure(&[&adopting.clone().with("labels", "{ \"app.kubernetes.io/instance\" = \"x\" }").hcl()]);
    error_about(sandbox.terraform.plan(), "Field owned by another manager", &[ARGO_CD, "force_conflicts"]);

    sandbox.configure(&[&adopting.with("on_destroy", "\"orphan\"").hcl()]);
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.destroy().succeeds();
    let now = are_untouched();
    assert_eq!(now["metadata"].get("deletionTimestamp"), None);
    assert_eq!(now["spec"]["controlPlane"]["deployment"]["replicas"], 2);
}

/// Argo CD writes ordinary updates unless it is told otherwise, but it comes back with them. Somebody at a terminal does not.
/// (After a `kubectl apply` it would be otherwise here: kubectl hands its entry over to whoever applies by it on the server's
/// side.)
#[test]
fn an_import_claims_what_was_set_once_and_leaves_what_is_declared() {
    let sandbox = Sandbox::new("gitops-import");
    let mut whole = sandbox.tenant_manifest("v1.30.0", "default");
    whole["metadata"]["labels"] = json!({"made-by": "kubectl"});
    as_manager(&sandbox, "kubectl-create", &["create"], &whole);
    declare(&sandbox, FLUX, &part(&sandbox, &json!({"example.com/tier": "gold"}), &json!({})));
    let patch = json!({"metadata": {"labels": {"example.com/region": "north"}}}).to_string();
    let manager = format!("--field-manager={ARGO_CD}");
    let namespace = ["-n", &sandbox.namespace];
    let update = ["patch", TENANT, "--type=merge", "-p", &patch, &manager];
    sandbox.cluster.kubectl_run(&[&update[..], &namespace].concat());
    let before = live(&sandbox);

    let kubernetes = "{ version = \"v1.30.0\", kubelet = { cgroupfs = \"systemd\" } }";
    let labels = |more: &str| {
        format!(
            "{{ \"example.com/tier\" = \"gold\", \"example.com/region\" = \"north\", made-by = \"kubectl\"{more} }}"
        )
    };
    // As `kubectl` has it: one replica.
    let all = |labels: &str| {
        sandbox.tenant().without("deletion_protection").with("kubernetes", kubernetes).with("labels", labels)
    };
    sandbox.configure(&[&all(&labels("")).hcl()]);
    sandbox.terraform.run(&["import", BLUE, &format!("{}/blue", sandbox.namespace)]).succeeds();
    sandbox.terraform.plan().plans_nothing();

    // The first write makes what `kubectl` had ours alone, and touches nothing else.
    let free = |labels: &str| all(labels).with("deletion_protection", "false").with("wait_for", "\"accepted\"").hcl();
    sandbox.configure(&[&free(&labels(", team = \"a\""))]);
    sandbox.terraform.apply().succeeds();
    let now = live(&sandbox);
    for manager in [FLUX, ARGO_CD] {
        assert_eq!(fields_of(&now, manager), fields_of(&before, manager), "{manager}");
    }
    let ours = fields_of(&now, "terraform-provider-kamaji")["f:metadata"]["f:labels"].clone();
    assert_eq!(ours, json!({"f:made-by": {}, "f:team": {}}));
    let left = fields_of(&now, "kubectl-create");
    assert_eq!(left.pointer("/f:metadata/f:labels/f:made-by"), None, "{left}");
    assert_eq!(left.pointer("/f:spec/f:kubernetes/f:version"), None, "{left}");
    sandbox.terraform.plan().plans_nothing();

    // The tools take their labels out of Git: gone, for nobody else holds them.
    declare(&sandbox, FLUX, &part(&sandbox, &json!({}), &json!({})));
    assert_eq!(live(&sandbox)["metadata"]["labels"].get("example.com/tier"), None);
    // Out of our configuration too. What we drop of theirs stays with them.
    sandbox.configure(&[&free("{ team = \"a\" }")]);
    let applied = sandbox.terraform.apply().succeeds();
    let shared: Vec<String> =
        applied.warnings().into_iter().filter(|it| it.summary == "Value is still there").map(|it| it.detail).collect();
    assert_eq!(shared.len(), 1, "{applied}");
    assert!(shared[0].contains("example.com/region"), "{applied}");
    let labels = live(&sandbox)["metadata"]["labels"].clone();
    assert_eq!(labels, json!({"team": "a", "example.com/region": "north"}));
    sandbox.terraform.plan().plans_nothing();

    // It changes a label of ours: no one-off change that is silently taken back.
    let patch = json!({"metadata": {"labels": {"team": "b"}}}).to_string();
    let update = ["patch", TENANT, "--type=merge", "-p", &patch, &manager];
    sandbox.cluster.kubectl_run(&[&update[..], &namespace].concat());
    error_about(sandbox.terraform.plan(), "Field owned by another manager", &[ARGO_CD, "declared elsewhere"]);
    sandbox.configure(&[&free("{ team = \"b\" }")]);
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.destroy().succeeds();
}

/// Makes a tenant as the control plane provider of Cluster API does: owned and controlled by another object.
fn made_by_cluster_api(sandbox: &Sandbox, name: &str) {
    let owner = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "owner", "namespace": sandbox.namespace}});
    as_manager(sandbox, CLUSTER_API, &["create"], &owner);
    let uid = sandbox.cluster.get("configmap", &sandbox.namespace, "owner").expect("made")["metadata"]["uid"].clone();
    let mut tenant = sandbox.tenant_manifest("v1.30.0", "default");
    tenant["metadata"]["name"] = json!(name);
    tenant["metadata"]["labels"] = json!({"cluster.x-k8s.io/cluster-name": name});
    tenant["metadata"]["ownerReferences"] = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid,
        "controller": true, "blockOwnerDeletion": true}]);
    as_manager(sandbox, CLUSTER_API, &["create"], &tenant);
}

const BELONGS: &str = "Object belongs to another object";

#[test]
fn a_tenant_of_cluster_api_is_imported_left_alone_and_destroyed_only_if_told() {
    let sandbox = Sandbox::new("cluster-api");
    made_by_cluster_api(&sandbox, "blue");
    let before = live(&sandbox);
    let kubernetes = "{ version = \"v1.30.0\", kubelet = { cgroupfs = \"systemd\" } }";
    let labels = |more: &str| format!("{{ \"cluster.x-k8s.io/cluster-name\" = \"blue\"{more} }}");
    let tenant =
        sandbox.tenant().without("deletion_protection").with("kubernetes", kubernetes).with("labels", &labels(""));
    sandbox.configure(&[&tenant.hcl()]);
    let imported = sandbox.terraform.run(&["import", "-no-color", BLUE, &format!("{}/blue", sandbox.namespace)]);
    let said = imported.succeeds();
    // Broken into lines.
    let words: Vec<&str> = said.stdout.split_whitespace().collect();
    assert!(words.join(" ").contains("is owned by ConfigMap owner (v1)"), "{said}");
    sandbox.terraform.plan().plans_nothing();
    let are_untouched = || {
        let now = live(&sandbox);
        assert_eq!(fields_of(&now, CLUSTER_API), fields_of(&before, CLUSTER_API));
        assert_eq!(now["metadata"]["ownerReferences"], before["metadata"]["ownerReferences"]);
        now
    };

    // A label of ours is added, and what is configured as it is there is not claimed with it.
    let tenant = tenant.with("deletion_protection", "false").with("wait_for", "\"accepted\"");
    sandbox.configure(&[&tenant.clone().with("labels", &labels(", team = \"a\"")).hcl()]);
    sandbox.terraform.apply().succeeds();
    let now = are_untouched();
    assert_eq!(now["metadata"]["labels"]["team"], "a");
    assert_eq!(fields_of(&now, "terraform-provider-kamaji")["f:metadata"]["f:labels"], json!({"f:team": {}}));
    sandbox.terraform.plan().plans_nothing();
    // What the controller has set is not ours to change.
    sandbox.configure(&[&tenant.clone().with("labels", "{ \"cluster.x-k8s.io/cluster-name\" = \"red\" }").hcl()]);
    error_about(sandbox.terraform.plan(), "Field owned by another manager", &[CLUSTER_API]);

    sandbox.configure(&[&tenant.clone().with("labels", &labels("")).hcl()]);
    sandbox.terraform.apply().succeeds();
    assert_eq!(are_untouched()["metadata"]["labels"].get("team"), None);
    let replace = format!("-replace={BLUE}");
    for refused in [
        sandbox.terraform.destroy(),
        sandbox.terraform.plan_with(&["-destroy"]),
        sandbox.terraform.plan_with(&[&replace]),
    ] {
        error_about(refused, BELONGS, &["ConfigMap owner (v1)", "destroy_owned = true", "terraform state rm"]);
    }
    assert_eq!(are_untouched()["metadata"].get("deletionTimestamp"), None);

    sandbox.configure(&[&tenant.with("labels", &labels("")).with("destroy_owned", "true").hcl()]);
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.destroy().succeeds();
    assert_eq!(sandbox.cluster.tenant(&sandbox.namespace, "blue"), None);
}

#[test]
fn an_owner_that_comes_after_the_plan_is_seen_by_the_delete() {
    let sandbox = Sandbox::new("owner-later");
    sandbox.configure(&[&sandbox.tenant().with("wait_for", "\"accepted\"").hcl()]);
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.plan_with(&["-destroy"]).has_changes();
    sandbox.cluster.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "owner", "namespace": sandbox.namespace}}));
    let uid = sandbox.cluster.get("configmap", &sandbox.namespace, "owner").expect("made")["metadata"]["uid"].clone();
    let reference = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}]);
    let patch = json!({"metadata": {"ownerReferences": reference}}).to_string();
    let patched = ["patch", TENANT, "-n", &sandbox.namespace, "--type=merge", "-p", &patch];
    sandbox.cluster.kubectl_run(&patched);
    error_about(sandbox.terraform.apply_plan(), BELONGS, &["ConfigMap owner (v1)"]);
    // An owner that is no controller owns no field: updates go on.
    sandbox.configure(&[&sandbox.tenant().with("labels", "{ team = \"a\" }").with("wait_for", "\"accepted\"").hcl()]);
    sandbox.terraform.apply().succeeds();
    error_about(sandbox.terraform.plan_with(&["-destroy"]), BELONGS, &["ConfigMap owner (v1)"]);

    // Without an owner it is like any other again.
    let free = r#"[{"op": "remove", "path": "/metadata/ownerReferences"}]"#;
    sandbox.cluster.kubectl_run(&["patch", TENANT, "-n", &sandbox.namespace, "--type=json", "-p", free]);
    sandbox.terraform.destroy().succeeds();
}

/// Puts an example of the guide into the sandbox.
fn example(sandbox: &Sandbox, folder: &str, more: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/neighbours").join(folder).join("main.tf");
    sandbox.terraform.configure(&std::fs::read_to_string(file).expect("readable"));
    let values = [
        ("namespace", format!("{:?}", sandbox.namespace)),
        ("node_address", format!("{:?}", sandbox.cluster.node_address())),
        ("node_port", sandbox.port.to_string()),
    ];
    let main = std::fs::read_to_string(sandbox.terraform.path().join("main.tf")).expect("readable");
    let declared = |name: &str| main.contains(&format!("variable {name:?}"));
    let values: String =
        values.iter().filter(|(name, _)| declared(name)).map(|(name, value)| format!("{name} = {value}\n")).collect();
    sandbox.terraform.write("terraform.tfvars", &values);
    sandbox.terraform.write(
        "choices_override.tf",
        &format!("resource \"kamaji_tenant_control_plane\" \"example\" {{\n  {more}\n}}\n"),
    );
}

#[test]
fn the_example_with_gitops_is_applied_and_each_keeps_its_own() {
    let mut sandbox = Sandbox::new("example-gitops");
    sandbox.terraform.set("KUBE_CONFIG_PATH", sandbox.cluster.kubeconfig());
    example(&sandbox, "gitops", "deletion_protection = false");
    sandbox.terraform.apply().succeeds();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/neighbours/gitops/tenant.yaml");
    let manifest = std::fs::read_to_string(file).expect("readable");
    let manifest = manifest.replace("namespace: default", &format!("namespace: {}", sandbox.namespace));
    sandbox.terraform.write("tenant.yaml", &manifest);
    let file = sandbox.terraform.path().join("tenant.yaml").display().to_string();
    let apply = ["apply", "--server-side", "--field-manager=kustomize-controller", "-f", &file];
    sandbox.cluster.kubectl_run(&apply);
    sandbox.terraform.plan().plans_nothing();
    let found = sandbox.cluster.tenant(&sandbox.namespace, "gitops").expect("there");
    assert_eq!(found["metadata"]["labels"], json!({"example.com/team": "payments", "example.com/tier": "gold"}));
    assert_eq!(found["spec"]["controlPlane"]["deployment"]["replicas"], 1);
    sandbox.terraform.destroy().succeeds();
    assert_eq!(sandbox.cluster.tenant(&sandbox.namespace, "gitops"), None);
}

#[test]
fn the_example_with_cluster_api_is_applied_and_leaves_the_tenant_to_its_owner() {
    let mut sandbox = Sandbox::new("example-capi");
    sandbox.terraform.set("KUBE_CONFIG_PATH", sandbox.cluster.kubeconfig());
    made_by_cluster_api(&sandbox, "capi");
    example(&sandbox, "cluster-api", "wait_for = \"ready\"");
    sandbox.terraform.apply().succeeds();
    sandbox.terraform.plan().plans_nothing();
    // Its controller goes on: the plan stays empty.
    let patch = json!({"spec": {"controlPlane": {"deployment": {"replicas": 2}}}}).to_string();
    let name = "tenantcontrolplanes.kamaji.clastix.io/capi";
    let update = ["patch", name, "-n", &sandbox.namespace, "--type=merge", "-p", &patch, "--field-manager=manager"];
    sandbox.cluster.kubectl_run(&update);
    sandbox.terraform.plan().succeeds();
    let actions = change(&sandbox.terraform.planned(), "kamaji_tenant_control_plane.example")["actions"].clone();
    assert_eq!(actions, json!(["no-op"]));
    sandbox.terraform.destroy().succeeds();
    let left = sandbox.cluster.tenant(&sandbox.namespace, "capi").expect("left to its owner");
    assert_eq!(left["metadata"].get("deletionTimestamp"), None);
    assert_eq!(left["spec"]["controlPlane"]["deployment"]["replicas"], 2);
}
