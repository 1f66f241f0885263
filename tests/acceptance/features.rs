//! The Terraform or OpenTofu that runs knows what the documentation says it knows.

use crate::harness::Feature;
use crate::harness::sandbox::provider;
use crate::harness::terraform::Terraform;

const INDEX: &str = include_str!("../../docs/index.md");

const IMPORT: &str = r#"
import {
  to       = kamaji_tenant_control_plane.blue
  identity = { namespace = "tenants", name = "blue" }
}

resource "kamaji_tenant_control_plane" "blue" {
  namespace     = "tenants"
  name          = "blue"
  kubernetes    = { version = "v1.30.2" }
  control_plane = { service = { service_type = "ClusterIP" } }
}
"#;

const EPHEMERAL: &str = r#"
ephemeral "kamaji_kubeconfig" "blue" {
  tenant_control_plane_id = "tenants/blue"
}
"#;

const ACTION: &str = r#"
action "kamaji_restart" "blue" {
  config {
    tenant_control_plane_id = "tenants/blue"
  }
}
"#;

/// Whether the program that runs knows the feature; none where only a run with a cluster would show it.
fn known(feature: Feature) -> Option<bool> {
    let terraform = Terraform::new();
    let valid = |configuration: &str| {
        terraform.configure(&format!("{}\n{configuration}", provider("")));
        Some(terraform.run(&["validate", "-json"]).code == 0)
    };
    match feature {
        Feature::Functions => valid("output \"id\" {\n  value = provider::kamaji::parse_resource_id(\"a/b\")\n}\n"),
        Feature::Ephemerals => valid(EPHEMERAL),
        Feature::IdentityImport => valid(IMPORT),
        Feature::Actions => valid(ACTION),
        Feature::Query => Some(terraform.run(&["query", "-help"]).code == 0),
        Feature::Moves | Feature::WriteOnly => None,
    }
}

#[test]
fn what_this_program_knows_is_what_the_documentation_says() {
    let terraform = Terraform::new();
    for feature in Feature::ALL {
        let since = |program| feature.since(program).map_or("no".to_owned(), |minor| format!("1.{minor}"));
        let row = format!("| {} | {} | {} |", feature.name(), since("Terraform"), since("OpenTofu"));
        assert!(INDEX.contains(&row), "docs/index.md has no row {row:?}");
        let said = terraform.knows_for(feature, "the whole feature");
        if let Some(known) = known(feature) {
            assert_eq!(known, said, "{}", feature.name());
        }
    }
}
