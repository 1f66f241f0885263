//! The bootstrap token that everybody knows, which Kamaji v1.0.0 leaves in every tenant: machines join with it until the
//! provider has looked.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use crate::harness::cluster::{SLEEPING, text};
use crate::harness::running::Outcome;
use crate::harness::{Sandbox, wait_for};

const REMOVED: &str = "Publicly known token removed";
const SOURCE: &str = r#"
data "kamaji_bootstrap_tokens" "blue" {
  tenant_control_plane_id = kamaji_tenant_control_plane.blue.id
}
"#;

/// A kubeconfig for the tenant with the token of kubeadm's documentation.
fn with_public_token(sandbox: &Sandbox) -> Vec<u8> {
    let ca = sandbox.cluster.secret(&sandbox.namespace, "blue-ca", "ca.crt").expect("the CA");
    let server = format!("https://{}:{}", sandbox.cluster.node_address(), sandbox.port);
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{ "name": "c", "cluster": { "server": server, "certificate-authority-data": STANDARD.encode(ca) } }],
        "users": [{ "name": "u", "user": { "token": "abcdef.0123456789abcdef" } }],
        "contexts": [{ "name": "c", "context": { "cluster": "c", "user": "u" } }],
    });
    config.to_string().into_bytes()
}

/// What a machine that joins does first: asks for a node's certificate with the token, and gets it without a human's word.
/// [`None`] if the tenant does not take the token.
fn joins(sandbox: &Sandbox, name: &str) -> Option<()> {
    let kubeconfig = with_public_token(sandbox);
    let who = sandbox.cluster.with_kubeconfig(&kubeconfig, &["auth", "whoami", "-o", "json"]);
    if !who.status.success() {
        let said = String::from_utf8_lossy(&who.stderr);
        assert!(
            said.contains("Unauthorized") || said.contains("logged in"),
            "refused, and for no other reason: {said}"
        );
        return None;
    }
    assert!(text(&who).contains("system:bootstrap:abcdef"), "{}", text(&who));
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut request = rcgen::CertificateParams::default();
    request.distinguished_name = rcgen::DistinguishedName::new();
    request.distinguished_name.push(rcgen::DnType::OrganizationName, "system:nodes");
    request.distinguished_name.push(rcgen::DnType::CommonName, format!("system:node:{name}"));
    let request = STANDARD.encode(request.serialize_request(&key).expect("a request").der());
    let request = format!("-----BEGIN CERTIFICATE REQUEST-----\n{request}\n-----END CERTIFICATE REQUEST-----\n");
    let manifest = json!({
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": { "name": name },
        "spec": { "request": STANDARD.encode(request), "signerName": "kubernetes.io/kube-apiserver-client-kubelet",
            "usages": ["digital signature", "client auth"] },
    });
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), manifest.to_string()).expect("written");
    let created = sandbox.cluster.with_kubeconfig(&kubeconfig, &["create", "-f", &file.path().to_string_lossy()]);
    assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
    // The approver looks again after ever longer pauses if its rights come late.
    wait_for("the certificate of a node", Duration::from_secs(240), || {
        let issued = sandbox.cluster.in_tenant(&sandbox.namespace, &["get", "csr", name, "-o", "json"]);
        let issued: Json = serde_json::from_str(&issued).ok()?;
        issued["status"]["certificate"].is_string().then_some(())
    });
    Some(())
}

fn warnings(outcome: &Outcome, summary: &str) -> usize {
    outcome.warnings().iter().filter(|warning| warning.summary == summary).count()
}

#[test]
fn machines_join_with_the_public_token_until_the_provider_has_looked() {
    let sandbox = Sandbox::new("public-token");
    if !sandbox.cluster.lacks_for(SLEEPING, "the publicly known token, which newer ones do not leave") {
        return;
    }
    let tenant = sandbox.tenant();
    let kept = tenant.clone().with("remove_public_token", "false").hcl();
    sandbox.configure(&[&kept]);
    let applied = sandbox.terraform.apply().succeeds();
    assert_eq!(warnings(&applied, REMOVED), 0, "{applied}");
    wait_for("the token that Kamaji leaves", Duration::from_secs(60), || joins(&sandbox, "before"));

    // A data source shows it without its secret, and removes nothing.
    sandbox.configure(&[&kept, SOURCE]);
    let applied = sandbox.terraform.apply().succeeds();
    assert!(warnings(&applied, "Publicly known token is valid") > 0, "{applied}");
    let listed = sandbox.terraform.resource("data.kamaji_bootstrap_tokens.blue");
    let token = &listed["values"]["tokens"][0];
    assert_eq!((&token["id"], &token["public"], &token["expired"]), (&json!("abcdef"), &json!(true), &json!(false)));
    assert_eq!(token["usages"], json!(["authentication", "signing"]));
    assert!(!listed.to_string().contains("0123456789abcdef"), "{listed}");
    assert_eq!(joins(&sandbox, "between"), Some(()));

    sandbox.configure(&[&tenant.hcl()]);
    let applied = sandbox.terraform.apply().succeeds();
    assert_eq!(warnings(&applied, REMOVED), 1, "{applied}");
    // API servers look tokens up in a cache, which follows the removal.
    wait_for("the end of the token", Duration::from_secs(30), || joins(&sandbox, "after").is_none().then_some(()));
    sandbox.terraform.plan().plans_nothing();
    sandbox.terraform.destroy().succeeds();
}
