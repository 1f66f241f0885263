//! What only the server knows: each denial of a dry-run is an error of the plan, at the attribute that it speaks of.
//!
//! The provider's own rules are tried in `tests/protocol/bad_configurations.rs`; what is here passes all of them.

mod definitions;

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::harness::cluster::SEEN;
use crate::harness::configuration::{BLUE, data_store};
use crate::harness::running::Diagnostic;
use crate::harness::sandbox::provider;
use crate::harness::terraform::Terraform;
use crate::harness::{Sandbox, Tenant, wait_for};

/// A tenant that is refused, the attribute to which that leads (empty: the resource as a whole), and what is said.
type Denial<'a> = (Tenant, &'a str, &'a [&'a str]);

/// Checks where a diagnostic points, and that it says all of this. Terraform shows the line of an attribute at the top; one
/// inside is named in the text.
#[track_caller]
fn is_at(said: &Diagnostic, attribute: &str, texts: &[&str]) {
    let top = attribute.split(['.', '[']).next().unwrap_or_default();
    if top != attribute {
        assert!(said.detail.contains(attribute), "should be about {attribute:?}: {said:#?}");
    } else if top.is_empty() {
        assert!(said.line().starts_with("resource") && !said.detail.contains("Attribute:"), "{said:#?}");
    } else {
        assert!(said.line().trim().starts_with(top), "should point at {top:?}: {said:#?}");
    }
    let all = format!("{}\n{}", said.summary, said.detail);
    for text in texts {
        assert!(all.contains(text), "should say {text:?}: {said:#?}");
    }
    assert!(said.summary.split_whitespace().count() <= 8, "{:?}", said.summary);
}

/// Plans each in the sandbox, and checks the only error.
#[track_caller]
fn are_denied(sandbox: &Sandbox, more: &str, denials: &[Denial<'_>]) {
    are_denied_by(&sandbox.terraform, &[sandbox.provider().as_str(), more].join("\n"), denials);
}

/// Plans each with the rest of a configuration, and checks the only error.
#[track_caller]
fn are_denied_by(terraform: &Terraform, rest: &str, denials: &[Denial<'_>]) {
    for (tenant, attribute, texts) in denials {
        terraform.configure(&[rest, &tenant.hcl()].join("\n"));
        is_at(&terraform.plan().error(), attribute, texts);
    }
}

/// A NodePort tenant with more about its Service.
fn with_service(sandbox: &Sandbox, more: &str) -> Tenant {
    let control_plane =
        format!("{{ service = {{ service_type = \"NodePort\", {more} }}, deployment = {{ replicas = 1 }} }}");
    sandbox.tenant().with("control_plane", &control_plane)
}

/// A tenant with more about its Deployment.
fn with_deployment(sandbox: &Sandbox, more: &str) -> Tenant {
    let control_plane =
        format!("{{ service = {{ service_type = \"NodePort\" }}, deployment = {{ replicas = 0, {more} }} }}");
    sandbox.tenant().with("control_plane", &control_plane)
}

/// Imports the tenant `blue` in the plan, so that there is an object to change and no apply.
fn import_blue(sandbox: &Sandbox) -> String {
    format!("import {{\n  to = {BLUE}\n  id = \"{}/blue\"\n}}\n", sandbox.namespace)
}

#[test]
fn kamaji_refuses_to_make_a_control_plane() {
    let sandbox = Sandbox::new("denied-create");
    let kubelet = |more: &str| {
        sandbox.tenant().with("kubernetes", &format!("{{ version = \"v1.30.0\", kubelet = {{ {more} }} }}"))
    };
    let address = sandbox.cluster.node_address();
    let network = |more: &str| {
        let port = sandbox.port;
        sandbox.tenant().with("network_profile", &format!("{{ address = {address:?}, port = {port}, {more} }}"))
    };
    if !sandbox.cluster.lacks_for(SEEN, "what Kamaji v1.0.0 does not know") {
        return;
    }
    let unknown = "Field unknown to the installed Kamaji";
    let denials: &[Denial<'_>] = &[
        (sandbox.tenant().version("v1.31.0"), "kubernetes.version", &["vtenantcontrolplane.kb.io", "v1.30.2"]),
        (
            sandbox.tenant().version("v1.30.14"),
            "kubernetes.version",
            &["The newest Kubernetes of this Kamaji is v1.30.2"],
        ),
        // Fields of later releases.
        (sandbox.tenant().with("data_store_schema", "\"blue\""), "data_store_schema", &[unknown, "edge-24.10.1"]),
        (
            sandbox.tenant().with("write_permissions", "{ block_creation = true }"),
            "write_permissions",
            &[unknown, "edge-25.10.2"],
        ),
        (
            kubelet("configuration_json_patches = [{ op = \"remove\", path = \"/maxPods\" }]"),
            "kubernetes.kubelet.configuration_json_patches",
            &[unknown, "edge-26.1.3"],
        ),
        (network("cluster_domain = \"blue.example\""), "network_profile.cluster_domain", &[unknown, "edge-24.10.1"]),
        (
            with_service(&sandbox, "additional_ports = [{ name = \"a\", port = 80, target_port = 80 }]"),
            "control_plane.service.additional_ports",
            &[unknown, "edge-25.11.2"],
        ),
    ];
    are_denied(&sandbox, "", denials);
    assert_eq!(sandbox.cluster.tenant(&sandbox.namespace, "blue"), None, "a plan makes nothing");
}

#[test]
fn kamaji_refuses_to_change_a_control_plane() {
    let sandbox = Sandbox::new("denied-change");
    // Without pods: nobody needs this one to run.
    let mut manifest = sandbox.tenant_manifest("v1.30.1", "default");
    manifest["spec"]["controlPlane"]["deployment"]["replicas"] = json!(0);
    sandbox.cluster.apply(&manifest);
    let import = import_blue(&sandbox);
    let tenant = |more: &str| with_deployment(&sandbox, more).version("v1.30.1");
    sandbox.configure(&[&tenant("").hcl(), &import]);
    sandbox.terraform.plan().succeeds();
    let volume = "additional_volumes = [{ name = \"v\", nfs = { server = \"s\", path = \"a/b\" } }]";
    let bad: Denial<'_> =
        (tenant(volume), "control_plane.deployment", &["configuration error", "nfs.path", "must be an absolute path"]);
    are_denied(&sandbox, &import, &[bad]);
    if sandbox.cluster.lacks_for(SEEN, "patch versions that only Kamaji v1.0.0 refuses") {
        let denials: &[Denial<'_>] = &[
            // Newer Kamaji allows it, so that it is no rule of the provider.
            (tenant("").version("v1.30.0"), "kubernetes.version", &["unable to downgrade", "1.30.1", "1.30.0"]),
            (tenant("").version("v1.30.9"), "kubernetes.version", &["The newest Kubernetes of this Kamaji is v1.30.2"]),
        ];
        are_denied(&sandbox, &import, denials);
    }

    // May be made in the same apply.
    sandbox.configure(&[&tenant("").with("data_store", "\"not-there\"").hcl(), &import]);
    let plan = sandbox.terraform.plan().has_changes();
    let warning = plan.warnings().into_iter().find(|it| it.summary == "Not there yet").expect("a warning");
    is_at(&warning, "data_store", &["not-there DataStore does not exist"]);
}

#[test]
fn kamaji_looks_for_the_secrets_of_a_datastore() {
    let sandbox = Sandbox::new("denied-datastore");
    if !sandbox.cluster.is_local_for("a DataStore for an etcd of the cluster") {
        return;
    }
    let certificates = sandbox.cluster.fact("KAMAJI_CLUSTER_ETCD_SECRET_NAME");
    let store = data_store(&sandbox).replacen(certificates, "not-there", 1);
    sandbox.configure(&[&store]);
    let plan = sandbox.terraform.plan().has_changes();
    let warnings = plan.warnings();
    let of = |summary: &str| warnings.iter().find(|it| it.summary == summary).unwrap_or_else(|| panic!("{warnings:?}"));
    let attribute = "tls_config.certificate_authority.certificate";
    let hooks = "jsonpath={.items[*].webhooks[*].name}";
    let hooks = sandbox.cluster.kubectl_run(&["get", "validatingwebhookconfigurations", "-o", hooks]);
    if hooks.contains("vdatastore.kb.io") {
        is_at(of("Not there yet"), attribute, &["/not-there is not found"]);
    }
    // Newer releases of Kamaji do not look; the provider does.
    is_at(of("Secret does not exist"), &format!("{attribute}.secret_reference"), &["/not-there"]);
}

#[test]
fn the_management_cluster_has_rules_of_its_own() {
    let sandbox = Sandbox::new("denied-rules");
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": { "name": "tenants", "namespace": sandbox.namespace },
        "spec": { "hard": { "count/tenantcontrolplanes.kamaji.clastix.io": "0" } },
    });
    sandbox.cluster.apply(&quota);
    wait_for("the quota", Duration::from_secs(30), || {
        let quota = sandbox.cluster.get("resourcequota", &sandbox.namespace, "tenants")?;
        quota["status"]["used"].as_object().map(|_| ())
    });
    let exceeded = &["Quota of the namespace exceeded", "ResourceQuota tenants", "limited"];
    are_denied(&sandbox, "", &[(sandbox.tenant(), "namespace", exceeded)]);
    sandbox.cluster.kubectl_run(&["delete", "resourcequota", "tenants", "-n", &sandbox.namespace]);

    let long = format!("{{ notes = join(\"\", [for i in range(1000) : \"{}\"]) }}", "x".repeat(270));
    are_denied(&sandbox, "", &[(sandbox.tenant().with("annotations", &long), "annotations", &["262144"])]);
}

#[test]
fn a_missing_right_to_write_is_an_error_of_the_plan() {
    let sandbox = Sandbox::new("denied-right");
    let token = sandbox.token_of("reader");
    let object = |kind: &str, more: Json| {
        let mut object = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind,
            "metadata": { "name": "reader", "namespace": sandbox.namespace },
        });
        object.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        sandbox.cluster.apply(&object);
    };
    let verbs = ["get", "list", "watch"];
    object("Role", json!({ "rules": [{ "apiGroups": ["kamaji.clastix.io"], "resources": ["*"], "verbs": verbs }] }));
    let role = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader" });
    object("RoleBinding", json!({ "roleRef": role, "subjects": [{ "kind": "ServiceAccount", "name": "reader" }] }));
    sandbox.terraform.configure(&[provider(&sandbox.settings_with_token(&token)), sandbox.tenant().hcl()].join("\n"));
    let error = sandbox.terraform.plan().error();
    is_at(
        &error,
        "",
        &["Not allowed", "verbs: [\"patch\"]", "resources: [\"tenantcontrolplanes\"]", &sandbox.namespace],
    );
}

/// A ValidatingAdmissionPolicy for the tenants of one namespace; the drop removes it.
struct Policy<'a> {
    sandbox: &'a Sandbox,
}

impl<'a> Policy<'a> {
    /// One that wants a label `team`, with the message of the policy if there is one.
    fn new(sandbox: &'a Sandbox, action: &str, message: Option<&str>) -> Self {
        let name = &sandbox.namespace;
        let mut validation = json!({ "expression": "has(object.metadata.labels) && 'team' in object.metadata.labels" });
        if let Some(message) = message {
            validation["message"] = message.into();
        }
        let constraints = json!({ "resourceRules": [{
            "apiGroups": ["kamaji.clastix.io"], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"],
            "resources": ["tenantcontrolplanes"],
        }] });
        sandbox.cluster.apply(&json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
            "metadata": { "name": name },
            "spec": { "matchConstraints": constraints, "validations": [validation], "failurePolicy": "Fail" },
        }));
        let here = json!({ "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": name } } });
        sandbox.cluster.apply(&json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": { "name": name },
            "spec": { "policyName": name, "validationActions": [action], "matchResources": here },
        }));
        let policy = Self { sandbox };
        let manifest = sandbox.tenant_manifest("v1.30.0", "default");
        sandbox.terraform.write("manifest.json", &manifest.to_string());
        let file = sandbox.terraform.path().join("manifest.json");
        // The policy of this name that has just been removed may be in force for another second.
        let told = message.unwrap_or("failed expression");
        wait_for("the policy is in force", Duration::from_secs(30), || {
            let mut kubectl = sandbox.cluster.kubectl();
            let asked = kubectl.args(["apply", "--dry-run=server", "-f"]).arg(&file).output().expect("kubectl runs");
            let answer = String::from_utf8_lossy(&asked.stderr);
            (answer.contains(name.as_str()) && answer.contains(told)).then_some(())
        });
        policy
    }
}

impl Drop for Policy<'_> {
    fn drop(&mut self) {
        let kinds = "validatingadmissionpolicybindings,validatingadmissionpolicies";
        let deleted = self.sandbox.cluster.kubectl().args(["delete", kinds, &self.sandbox.namespace]).output();
        if !deleted.is_ok_and(|output| output.status.success()) {
            eprintln!("the policy {} could not be removed", self.sandbox.namespace);
        }
    }
}

#[test]
fn a_policy_of_the_management_cluster_denies() {
    let sandbox = Sandbox::new("denied-policy");
    let policy = Policy::new(&sandbox, "Deny", Some("metadata.labels: each tenant needs a team"));
    let texts = ["Denied by an admission policy", "each tenant needs a team", &sandbox.namespace];
    let site = sandbox.tenant().with("labels", "{ site = \"x\" }");
    are_denied(&sandbox, "", &[(site.clone(), "labels", &texts)]);
    sandbox.configure(&[&sandbox.tenant().with("labels", "{ team = \"a\" }").hcl()]);
    sandbox.terraform.plan().has_changes();
    drop(policy);
    // Without a message the API server gives the expression.
    let _policy = Policy::new(&sandbox, "Deny", None);
    are_denied(&sandbox, "", &[(site, "labels", &["failed expression"])]);
}

#[test]
fn a_warning_of_the_api_server_is_one_of_the_plan() {
    let sandbox = Sandbox::new("warned");
    let _policy = Policy::new(&sandbox, "Warn", Some("from next year on each tenant needs a team"));
    sandbox.configure(&[&sandbox.tenant().hcl()]);
    let warnings = sandbox.terraform.plan().has_changes().warnings();
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    is_at(&warnings[0], "", &["Warning of the API server", "from next year on each tenant needs a team"]);
}

#[test]
fn a_namespace_that_is_being_deleted_takes_nothing() {
    let sandbox = Sandbox::new("denied-namespace");
    let holder = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "holder", "namespace": sandbox.namespace, "finalizers": ["example.com/holder"] },
    });
    sandbox.cluster.apply(&holder);
    sandbox.cluster.kubectl_run(&["delete", "namespace", &sandbox.namespace, "--wait=false"]);
    are_denied(&sandbox, "", &[(sandbox.tenant(), "namespace", &["Namespace is being deleted", &sandbox.namespace])]);
    let release = "{\"metadata\":{\"finalizers\":null}}";
    sandbox.cluster.kubectl_run(&["patch", "configmap", "holder", "-n", &sandbox.namespace, "-p", release]);
}
