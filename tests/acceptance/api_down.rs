//! Plans while the management API is out of reach. Nothing is stopped for it: the provider is shown an address where
//! nobody listens.

use std::net::{Ipv4Addr, TcpListener};

use crate::harness::Sandbox;
use crate::harness::sandbox::provider;

/// A provider block for an API server that is down.
fn dead() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("its address");
    provider(&format!("host = \"https://{address}\"\n  token = \"any\"\n  insecure = true"))
}

#[test]
fn with_the_api_down_a_plan_of_creates_works_with_one_warning() {
    let sandbox = Sandbox::new("create-down");
    let green = sandbox.tenant().hcl().replace("blue", "green");
    sandbox.terraform.configure(&[dead(), sandbox.tenant().hcl(), green].join("\n"));
    let plan = sandbox.terraform.plan().has_changes();
    let warnings = plan.warnings();
    assert_eq!(warnings.len(), 1, "{plan}");
    assert_eq!(warnings[0].summary, "Plan not checked by the server");
}

#[test]
fn with_the_api_down_a_refreshing_plan_fails_and_names_the_way_out() {
    let sandbox = Sandbox::new("refresh-down");
    sandbox.configure(&[&sandbox.tenant().hcl()]);
    sandbox.terraform.apply().succeeds();

    sandbox.terraform.configure(&[dead(), sandbox.tenant().hcl()].join("\n"));
    let error = sandbox.terraform.plan().error();
    assert!(error.detail.contains("-refresh=false"), "{}", error.detail);
    assert!(error.detail.contains("offline = true"), "{}", error.detail);

    // Both ways out work.
    let changed = sandbox.tenant().with("labels", "{ team = \"a\" }").hcl();
    sandbox.terraform.configure(&[dead(), changed.clone()].join("\n"));
    let plan = sandbox.terraform.plan_with(&["-refresh=false"]).has_changes();
    assert_eq!(plan.warnings().len(), 1, "{plan}");
    let offline = dead().replace("insecure = true", "insecure = true\n  offline = true");
    sandbox.terraform.configure(&[offline, changed].join("\n"));
    sandbox.terraform.plan().has_changes();

    sandbox.configure(&[&sandbox.tenant().hcl()]);
    sandbox.terraform.plan().plans_nothing();
    sandbox.terraform.destroy().succeeds();
}
