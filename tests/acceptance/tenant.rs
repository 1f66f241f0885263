//! The life of a tenant control plane: made, changed, upgraded, destroyed.

use serde_json::json;

use crate::harness::configuration::BLUE;
use crate::harness::terraform::{change, unknown};
use crate::harness::{Sandbox, wait_for};

/// Something that uses what the tenant gives out, as other providers do.
const DEPENDANTS: &str = r#"
resource "terraform_data" "dependant" {
  input = {
    url = kamaji_tenant_control_plane.blue.endpoint.url
    ca  = kamaji_tenant_control_plane.blue.cluster_ca_certificate
  }
}

output "url" {
  value = kamaji_tenant_control_plane.blue.endpoint.url
}
"#;

#[test]
fn a_tenant_is_made_plans_empty_and_its_destroy_leaves_nothing() {
    let sandbox = Sandbox::new("made");
    sandbox.configure(&[&sandbox.tenant().hcl()]);
    let shown = sandbox.terraform.run(&["plan", "-no-color"]).succeeds().stdout;
    let lines: Vec<&str> = shown.lines().filter(|line| line.trim_start().starts_with('+')).collect();
    assert!((10..=40).contains(&lines.len()), "{} lines:\n{shown}", lines.len());
    for configured in ["version", "service_type", "replicas", "data_store", "address", "port", "namespace"] {
        let line = |line: &&&str| line.trim_start_matches(['+', ' ']).split_whitespace().next() == Some(configured);
        let known = lines.iter().filter(line).any(|line| !line.contains("known after apply"));
        assert!(known, "{configured}:\n{shown}");
    }
    sandbox.configure(&[&sandbox.tenant().hcl(), DEPENDANTS]);
    sandbox.terraform.apply().succeeds();
    let live = sandbox.cluster.tenant(&sandbox.namespace, "blue").expect("made");
    assert_eq!(live["status"]["kubernetesResources"]["version"]["status"], "Ready");
    let tenant = sandbox.terraform.resource(BLUE);
    assert_eq!(tenant["values"]["id"], format!("{}/blue", sandbox.namespace));
    assert_eq!(tenant["values"]["uid"], live["metadata"]["uid"]);
    assert_eq!(
        tenant["values"]["endpoint"]["url"],
        format!("https://{}:{}", sandbox.cluster.node_address(), sandbox.port)
    );
    assert_eq!(tenant["values"]["status"], "Ready");
    assert_eq!(tenant["values"]["installed_version"], "v1.30.0");
    let ca = sandbox.cluster.secret(&sandbox.namespace, "blue-ca", "ca.crt").expect("the CA");
    assert_eq!(tenant["values"]["cluster_ca_certificate"].as_str().map(str::as_bytes), Some(&ca[..]));

    sandbox.terraform.plan().plans_nothing();
    assert!(sandbox.leftovers().len() > 10, "the list of leftovers sees what Kamaji makes");

    sandbox.terraform.destroy().succeeds();
    assert_eq!(sandbox.cluster.tenant(&sandbox.namespace, "blue"), None);
    // The replica set and the slices are the garbage collector's, after what owned them is gone.
    wait_for("nothing is left", std::time::Duration::from_secs(30), || sandbox.leftovers().is_empty().then_some(()));
}

#[test]
fn a_label_and_a_certificate_name_change_in_place_and_leave_dependants_known() {
    let sandbox = Sandbox::new("in-place");
    sandbox.configure(&[&sandbox.tenant().with("labels", "{ team = \"a\" }").hcl(), DEPENDANTS]);
    sandbox.terraform.apply().succeeds();
    let before = sandbox.terraform.resource(BLUE);

    let name = "blue.example.com";
    let changed = sandbox.tenant().with("labels", "{ team = \"b\" }").cert_sans(&[name]).hcl();
    sandbox.configure(&[&changed, DEPENDANTS]);
    sandbox.terraform.plan().has_changes();
    let plan = sandbox.terraform.planned();
    assert_eq!(change(&plan, BLUE)["actions"], json!(["update"]));
    assert_eq!(change(&plan, "terraform_data.dependant")["actions"], json!(["no-op"]));
    assert_eq!(plan["output_changes"]["url"]["actions"], json!(["no-op"]));
    let changes = plan["resource_changes"].as_array().expect("changes");
    for found in changes {
        let expected = if found["address"] == BLUE { vec![".status".to_owned()] } else { vec![] };
        assert_eq!(unknown(&found["change"]["after_unknown"], ""), expected, "{}", found["address"]);
    }

    let applied = sandbox.terraform.apply_plan().succeeds();
    let live = sandbox.cluster.tenant(&sandbox.namespace, "blue").expect("there");
    assert_eq!(live["metadata"]["labels"]["team"], "b");
    assert_eq!(live["metadata"]["uid"], before["values"]["uid"]);
    let certificate = sandbox
        .cluster
        .secret(&sandbox.namespace, "blue-api-server-certificate", "apiserver.crt")
        .and_then(|pem| String::from_utf8(pem).ok())
        .expect("a certificate");
    // Some releases of Kamaji leave an existing certificate as it is; then the user is told.
    let told = applied.warnings().iter().any(|warning| warning.summary == "Certificate lacks a name");
    let issued = names_in(&certificate).contains(&name.to_owned());
    assert!(issued != told, "issued: {issued}, told: {told}; {applied}");
    sandbox.terraform.plan().plans_nothing();
    sandbox.terraform.destroy().succeeds();
}

/// The DNS names of a certificate.
fn names_in(pem: &str) -> Vec<String> {
    use x509_parser::extensions::GeneralName;
    let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).expect("PEM");
    let certificate = pem.parse_x509().expect("a certificate");
    let names = certificate.subject_alternative_name().expect("readable").expect("there").value.general_names.iter();
    names
        .filter_map(|name| if let GeneralName::DNSName(name) = name { Some((*name).to_owned()) } else { None })
        .collect()
}

#[test]
fn a_version_bump_returns_when_it_is_rolled_out() {
    let sandbox = Sandbox::new("version");
    sandbox.configure(&[&sandbox.tenant().version("v1.29.3").hcl(), DEPENDANTS]);
    sandbox.terraform.apply().succeeds();

    sandbox.configure(&[&sandbox.tenant().version("v1.30.0").hcl(), DEPENDANTS]);
    sandbox.terraform.plan().has_changes();
    let plan = sandbox.terraform.planned();
    assert_eq!(change(&plan, BLUE)["actions"], json!(["update"]));
    assert_eq!(change(&plan, "terraform_data.dependant")["actions"], json!(["no-op"]));
    sandbox.terraform.apply_plan().succeeds();

    let live = sandbox.cluster.tenant(&sandbox.namespace, "blue").expect("there");
    assert_eq!(live["status"]["kubernetesResources"]["version"]["version"], "v1.30.0");
    let deployment = sandbox.cluster.get("deployment", &sandbox.namespace, "blue").expect("there");
    assert_eq!(deployment["status"]["updatedReplicas"], deployment["status"]["replicas"]);
    assert!(deployment["spec"]["template"].to_string().contains("kube-apiserver:v1.30.0"));
    assert_eq!(sandbox.terraform.resource(BLUE)["values"]["installed_version"], "v1.30.0");
    sandbox.terraform.plan().plans_nothing();
    sandbox.terraform.destroy().succeeds();
}
