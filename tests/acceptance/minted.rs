//! Minted credentials: they work as long as the run lasts, are refused after it, and end by themselves after a crash.

use std::time::Duration;

use crate::harness::cluster::text;
use crate::harness::{Sandbox, wait_for};

const LABEL: &str = "terraform.kamaji.clastix.io/minted";

/// Uses the credential of a run until `$UNTIL` is true, and leaves it in `$COPY` for the test.
const USER: &str = r#"
ephemeral "kamaji_kubeconfig" "run" {
  tenant_control_plane_id = kamaji_tenant_control_plane.blue.id
  minted                  = { ttl = "1m" }
}

resource "terraform_data" "user" {
  triggers_replace = var.until

  provisioner "local-exec" {
    interpreter = ["/bin/sh", "-ec"]
    command     = <<-SHELL
      umask 077
      printf '%s' "$KUBECONFIG_TEXT" > "$COPY"
      inside() { kubectl --kubeconfig "$COPY" --request-timeout 10s "$@"; }
      lease() {
        inside -n kube-system get secrets -l terraform.kamaji.clastix.io/minted \
          -o jsonpath='{.items[0].data.expiration}' | base64 -d
      }
      first=$(lease)
      # API servers remember for ten seconds that they have seen a token.
      end=$(date -u -d "$first + 12 seconds" +%Y-%m-%dT%H:%M:%SZ)
      until ${var.until}; do
        inside get namespaces > /dev/null
        sleep 1
      done
      inside -n default create configmap "made-by-$UNIQUE" --from-literal=first="$first" --from-literal=last="$(lease)"
    SHELL
    environment = {
      KUBECONFIG_TEXT = ephemeral.kamaji_kubeconfig.run.kubeconfig
      COPY            = var.copy
      UNIQUE          = substr(sha256(var.until), 0, 8)
    }
  }
}

variable "until" {
  type = string
}

variable "copy" {
  type = string
}
"#;

/// What of minted credentials is in the tenant.
fn left(sandbox: &Sandbox) -> String {
    let selector = ["-A", "-l", LABEL, "-o", "name"];
    sandbox.cluster.in_tenant(
        &sandbox.namespace,
        &[&["get", "secrets,serviceaccounts,clusterrolebindings"], &selector[..]].concat(),
    )
}

/// [`None`] while the credential is taken.
fn refused(sandbox: &Sandbox, copy: &std::path::Path) -> Option<()> {
    let kubeconfig = std::fs::read(copy).expect("the copy of the kubeconfig");
    let asked = sandbox.cluster.with_kubeconfig(&kubeconfig, &["get", "namespaces"]);
    let said = String::from_utf8_lossy(&asked.stderr).into_owned();
    assert!(
        asked.status.success()
            || said.contains("Unauthorized")
            || said.contains("logged in")
            || said.contains("Forbidden"),
        "refused, and for no other reason: {said}"
    );
    (!asked.status.success()).then_some(())
}

#[test]
fn a_minted_credential_outlives_its_ttl_in_a_long_run_and_is_refused_after_it() {
    let mut sandbox = Sandbox::new("minted");
    sandbox.terraform.log_everything();
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("kubeconfig");
    sandbox.terraform.set("TF_VAR_copy", &copy.to_string_lossy());
    sandbox.terraform.set("TF_VAR_until", "[ \"$(date -u +%Y-%m-%dT%H:%M:%SZ)\" \\> \"$end\" ]");
    sandbox.configure(&[&sandbox.tenant().with("wait_for", "\"reachable\"").hcl(), USER]);
    sandbox.terraform.apply().succeeds();

    // The run was longer than the credential's time to live, and its lease was prolonged.
    let made = sandbox.cluster.in_tenant(&sandbox.namespace, &["get", "configmaps", "-n", "default", "-o", "json"]);
    let made: serde_json::Value = serde_json::from_str(&made).expect("JSON");
    let made = made["items"].as_array().into_iter().flatten();
    let data = made.map(|item| &item["data"]).find(|data| data["first"].is_string()).expect("made with the credential");
    assert!(data["last"].as_str() > data["first"].as_str(), "{data}");

    // What was opened for the plan and for the apply is closed, and refused once no API server remembers it.
    assert_eq!(left(&sandbox), "");
    wait_for("the credential is refused", Duration::from_secs(15), || refused(&sandbox, &copy));

    // It is nowhere.
    let kubeconfig = std::fs::read_to_string(&copy).expect("the copy");
    let token = kubeconfig
        .lines()
        .find_map(|line| line.trim().strip_prefix("\"token\": ").or(line.trim().strip_prefix("token: ")));
    let token = token.expect("a token").trim_matches('"');
    assert!(token.len() > 100, "a token of a ServiceAccount");
    for file in sandbox.terraform.files() {
        let content = std::fs::read(&file).expect("readable");
        let found = content.windows(token.len()).any(|window| window == token.as_bytes());
        assert!(!found, "the token is in {}", file.display());
    }
    sandbox.terraform.plan().plans_nothing();
    assert_eq!(left(&sandbox), "");

    // After a crash nobody closes: the tenant itself ends it.
    sandbox.terraform.set("TF_VAR_until", "[ -e \"$COPY.never\" ]");
    let apply = sandbox.terraform.spawn(&["apply", "-json", "-auto-approve"]);
    wait_for("the second run uses its own", Duration::from_secs(60), || {
        std::fs::read_to_string(&copy).is_ok_and(|now| now != kubeconfig && now.contains("terraform-")).then_some(())
    });
    assert_eq!(refused(&sandbox, &copy), None);
    apply.crash_provider();
    wait_for("the credential ends by itself", Duration::from_secs(100), || refused(&sandbox, &copy));
    let rest = text(&sandbox.cluster.in_tenant_command(
        &sandbox.namespace,
        &["get", "secrets,serviceaccounts", "-n", "kube-system", "-l", LABEL, "-o", "name"],
    ));
    assert_eq!(rest, "");
    drop(apply);
    sandbox.terraform.set("TF_VAR_until", "true");
    sandbox.terraform.destroy().succeeds();
}
