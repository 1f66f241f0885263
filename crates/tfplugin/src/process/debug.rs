//! `-debug`: the process is started by a developer, and Terraform attaches to it.

use serde_json::json;

use super::handshake::PROTOCOL_VERSION;
use super::listener::Address;
use crate::provider::Identity;

/// What to tell the developer: the variable that makes Terraform and OpenTofu attach to this process.
///
/// `Test` must be true: otherwise go-plugin does not take over the protocol version, and Terraform takes the server for
/// protocol 5. OpenTofu looks a short source address up under its own registry host, so both hosts are named.
pub(super) fn instructions(identity: &Identity, pid: u32, address: &Address) -> String {
    let reattach = json!({
        "Protocol": "grpc",
        "ProtocolVersion": PROTOCOL_VERSION,
        "Pid": pid,
        "Test": true,
        "Addr": { "Network": address.network, "String": address.text },
    });
    let mut providers = serde_json::Map::new();
    if let Some(name) = identity.address.strip_prefix("registry.terraform.io/") {
        providers.insert(format!("registry.opentofu.org/{name}"), reattach.clone());
    }
    providers.insert(identity.address.to_owned(), reattach);
    let value = serde_json::Value::Object(providers).to_string().replace('\'', r"'\''");
    format!(
        "Provider started. Set this variable where Terraform or OpenTofu runs; end the provider with Ctrl-C.\n\n\
         TF_REATTACH_PROVIDERS='{value}'\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(path: &str) -> Address {
        Address { network: "unix", text: path.to_owned() }
    }

    fn identity(address: &'static str) -> Identity {
        Identity { address, version: "1.2.3" }
    }

    #[test]
    fn both_registries_lead_to_the_process() {
        let text = instructions(&identity("registry.terraform.io/acme/kamaji"), 42, &socket("/tmp/s"));
        let value = text.lines().last().unwrap().strip_prefix("TF_REATTACH_PROVIDERS='").unwrap();
        let value: serde_json::Value = serde_json::from_str(value.strip_suffix('\'').unwrap()).unwrap();
        let expected = json!({"Protocol": "grpc", "ProtocolVersion": 6, "Pid": 42, "Test": true,
            "Addr": {"Network": "unix", "String": "/tmp/s"}});
        assert_eq!(value["registry.terraform.io/acme/kamaji"], expected);
        assert_eq!(value["registry.opentofu.org/acme/kamaji"], expected);
    }

    #[test]
    fn a_private_registry_is_named_alone() {
        let text = instructions(&identity("registry.example/acme/kamaji"), 42, &socket("/tmp/s"));
        assert!(!text.contains("opentofu"), "{text}");
    }

    #[test]
    fn a_quote_in_the_path_does_not_end_the_shell_word() {
        let text = instructions(&identity("registry.example/acme/kamaji"), 42, &socket("/tmp/o'brien/s"));
        assert!(text.contains(r"/tmp/o'\''brien/s"), "{text}");
    }
}
