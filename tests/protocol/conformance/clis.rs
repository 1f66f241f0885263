//! What Terraform and OpenTofu do differently on the wire.

use tfplugin::proto::tfplugin6::{ClientCapabilities, DynamicValue};

use crate::client::Launch;

/// One process of a command: which RPCs it gets, in this order.
pub struct Walk {
    pub name: &'static str,
    /// Whether `ConfigureProvider` comes first.
    pub configured: bool,
    pub calls: &'static [&'static str],
}

/// A command line tool that starts the provider.
pub struct Cli {
    pub name: &'static str,
    /// What `ConfigureProvider` says.
    pub version: &'static str,
    /// `PLUGIN_PROTOCOL_VERSIONS`; the order is random in both.
    pub protocols: &'static str,
    /// While planning.
    pub capabilities: Option<ClientCapabilities>,
    /// While applying.
    pub apply_capabilities: Option<ClientCapabilities>,
    /// Whether a null argument of a function is an empty value, not msgpack's nil.
    pub empty_for_null: bool,
    pub walks: &'static [Walk],
}

const NOTHING: ClientCapabilities = ClientCapabilities {
    deferral_allowed: false,
    write_only_attributes_allowed: false,
    store_planned_private: false,
    computed_blocks_allowed: false,
};

/// 1.16: the newest capabilities, and deferral in the apply walk.
pub static TERRAFORM: Cli = Cli {
    name: "Terraform",
    version: "1.16.0",
    protocols: "5,6",
    capabilities: Some(ClientCapabilities {
        write_only_attributes_allowed: true,
        store_planned_private: true,
        computed_blocks_allowed: true,
        ..NOTHING
    }),
    apply_capabilities: Some(ClientCapabilities {
        deferral_allowed: true,
        write_only_attributes_allowed: true,
        store_planned_private: true,
        computed_blocks_allowed: true,
    }),
    empty_for_null: false,
    walks: &[
        Walk { name: "schemas", configured: false, calls: &["GetProviderSchema", "GetResourceIdentitySchemas"] },
        Walk {
            name: "validate",
            configured: false,
            calls: &[
                "ValidateProviderConfig",
                "ValidateResourceConfig",
                "ValidateDataResourceConfig",
                "ValidateEphemeralResourceConfig",
                "ValidateListResourceConfig",
                "ValidateActionConfig",
                "CallFunction",
            ],
        },
        Walk { name: "move", configured: false, calls: &["GetProviderSchema", "MoveResourceState"] },
        Walk {
            name: "plan",
            configured: true,
            calls: &[
                "UpgradeResourceState",
                "UpgradeResourceIdentity",
                "ReadResource",
                "ImportResourceState",
                "ReadDataSource",
                "OpenEphemeralResource",
                "PlanResourceChange",
                "PlanAction",
                "GenerateResourceConfig",
                "RenewEphemeralResource",
                "CloseEphemeralResource",
            ],
        },
        Walk { name: "query", configured: true, calls: &["ValidateListResourceConfig", "ListResource"] },
        Walk {
            name: "apply",
            configured: true,
            calls: &["PlanResourceChange", "ApplyResourceChange", "PlanAction", "InvokeAction", "ReadDataSource"],
        },
        Walk { name: "interrupted", configured: true, calls: &["StopProvider", "ReadResource"] },
    ],
};

/// 1.12: no deferral, no lists, no actions, but `GetFunctions` on a configured provider.
pub static OPENTOFU: Cli = Cli {
    name: "OpenTofu",
    version: "1.12.0",
    protocols: "6,5",
    capabilities: Some(ClientCapabilities { write_only_attributes_allowed: true, ..NOTHING }),
    apply_capabilities: Some(ClientCapabilities { write_only_attributes_allowed: true, ..NOTHING }),
    empty_for_null: true,
    walks: &[
        Walk { name: "schemas", configured: false, calls: &["GetProviderSchema", "GetResourceIdentitySchemas"] },
        Walk {
            name: "validate",
            configured: false,
            calls: &[
                "ValidateProviderConfig",
                "ValidateResourceConfig",
                "ValidateDataResourceConfig",
                "ValidateEphemeralResourceConfig",
                "CallFunction",
            ],
        },
        Walk {
            name: "plan",
            configured: true,
            calls: &[
                "GetFunctions",
                "CallFunction",
                "UpgradeResourceState",
                "UpgradeResourceIdentity",
                "MoveResourceState",
                "ReadResource",
                "ImportResourceState",
                "ReadDataSource",
                "OpenEphemeralResource",
                "PlanResourceChange",
                "RenewEphemeralResource",
                "CloseEphemeralResource",
            ],
        },
        Walk {
            name: "apply",
            configured: true,
            calls: &["PlanResourceChange", "ApplyResourceChange", "ReadDataSource", "CallFunction"],
        },
        Walk { name: "interrupted", configured: true, calls: &["StopProvider", "CloseEphemeralResource"] },
    ],
};

impl Cli {
    /// A start, with mutual TLS.
    pub fn launch(&self) -> Launch {
        Launch::as_plugin().env("PLUGIN_PROTOCOL_VERSIONS", self.protocols)
    }

    /// A null argument of a function.
    pub fn null(&self) -> DynamicValue {
        DynamicValue { msgpack: if self.empty_for_null { Vec::new() } else { vec![0xc0] }, json: Vec::new() }
    }
}
