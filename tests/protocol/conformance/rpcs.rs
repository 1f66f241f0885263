//! The 36 RPCs, and what of their answers core reads.

use prost::Message as _;
use tfplugin::proto::tfplugin6::{self as wire, Diagnostic, DynamicValue, diagnostic::Severity};

/// One RPC.
pub struct Rpc {
    /// As in its path.
    pub name: &'static str,
    read: fn(&[u8]) -> Result<Part, prost::DecodeError>,
}

/// One message of an answer.
#[derive(Default)]
pub struct Part {
    pub diagnostics: Vec<Diagnostic>,
    /// By the name of the field.
    pub values: Vec<(&'static str, DynamicValue)>,
}

impl Part {
    pub fn is_refusal(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity() == Severity::Error)
    }
}

impl Rpc {
    pub fn named(name: &str) -> &'static Rpc {
        RPCS.iter().find(|rpc| rpc.name == name).unwrap_or_else(|| panic!("no RPC {name}"))
    }

    /// A message of the answer, as core reads it; what is wrong with it otherwise.
    pub fn read(&self, message: &[u8]) -> Result<Part, String> {
        (self.read)(message).map_err(|error| error.to_string())
    }
}

/// An error that is only text, as a diagnostic.
fn only_text(text: &str) -> Vec<Diagnostic> {
    let diagnostic = Diagnostic {
        severity: Severity::Error.into(),
        summary: "Error".to_owned(),
        detail: text.to_owned(),
        attribute: None,
    };
    if text.is_empty() { Vec::new() } else { vec![diagnostic] }
}

fn completed(event: &wire::invoke_action::Event) -> Vec<Diagnostic> {
    use wire::invoke_action::event::Type;
    match &event.r#type {
        Some(Type::Completed(completed)) => completed.diagnostics.clone(),
        Some(Type::Progress(_)) => Vec::new(),
        None => only_text("an event without content, of which core dies"),
    }
}

fn identity(data: &Option<wire::ResourceIdentityData>) -> Option<DynamicValue> {
    data.as_ref().and_then(|data| data.identity_data.clone())
}

macro_rules! table {
    ($($name:literal: $message:ty, $answer:ident => $diagnostics:expr $(, $value:literal = $field:expr)*;)*) => {
        /// In the order of the protocol.
        pub static RPCS: [Rpc; 36] = [$(Rpc {
            name: $name,
            read: |bytes| {
                let $answer = <$message>::decode(bytes)?;
                let values: Vec<(&'static str, Option<DynamicValue>)> = vec![$(($value, $field)),*];
                let values = values.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
                Ok(Part { diagnostics: $diagnostics, values })
            },
        }),*];
    };
}

table! {
    "GetMetadata": wire::get_metadata::Response, it => it.diagnostics;
    "GetProviderSchema": wire::get_provider_schema::Response, it => it.diagnostics;
    "ValidateProviderConfig": wire::validate_provider_config::Response, it => it.diagnostics;
    "ValidateResourceConfig": wire::validate_resource_config::Response, it => it.diagnostics;
    "ValidateDataResourceConfig": wire::validate_data_resource_config::Response, it => it.diagnostics;
    "UpgradeResourceState": wire::upgrade_resource_state::Response, it => it.diagnostics,
        "state" = it.upgraded_state.clone();
    "GetResourceIdentitySchemas": wire::get_resource_identity_schemas::Response, it => it.diagnostics;
    "UpgradeResourceIdentity": wire::upgrade_resource_identity::Response, it => it.diagnostics,
        "identity" = identity(&it.upgraded_identity);
    "ConfigureProvider": wire::configure_provider::Response, it => it.diagnostics;
    "ReadResource": wire::read_resource::Response, it => it.diagnostics,
        "state" = it.new_state.clone(), "identity" = identity(&it.new_identity);
    "PlanResourceChange": wire::plan_resource_change::Response, it => it.diagnostics,
        "plan" = it.planned_state.clone();
    "ApplyResourceChange": wire::apply_resource_change::Response, it => it.diagnostics,
        "state" = it.new_state.clone();
    "ImportResourceState": wire::import_resource_state::Response, it => it.diagnostics,
        "state" = it.imported_resources.first().and_then(|imported| imported.state.clone()),
        "identity" = it.imported_resources.first().and_then(|imported| identity(&imported.identity));
    "MoveResourceState": wire::move_resource_state::Response, it => it.diagnostics,
        "state" = it.target_state.clone(), "identity" = identity(&it.target_identity);
    "ReadDataSource": wire::read_data_source::Response, it => it.diagnostics, "state" = it.state.clone();
    "GenerateResourceConfig": wire::generate_resource_config::Response, it => it.diagnostics,
        "state" = it.config.clone();
    "ValidateEphemeralResourceConfig": wire::validate_ephemeral_resource_config::Response, it => it.diagnostics;
    "OpenEphemeralResource": wire::open_ephemeral_resource::Response, it => it.diagnostics, "state" = it.result.clone();
    "RenewEphemeralResource": wire::renew_ephemeral_resource::Response, it => it.diagnostics;
    "CloseEphemeralResource": wire::close_ephemeral_resource::Response, it => it.diagnostics;
    "ListResource": wire::list_resource::Event, it => it.diagnostic,
        "state" = it.resource_object.clone(), "identity" = identity(&it.identity);
    "ValidateListResourceConfig": wire::validate_list_resource_config::Response, it => it.diagnostics;
    "GetFunctions": wire::get_functions::Response, it => it.diagnostics;
    "CallFunction": wire::call_function::Response, it => it.error.map(|error| only_text(&error.text)).unwrap_or_default(),
        "result" = it.result.clone();
    "ValidateStateStoreConfig": wire::validate_state_store::Response, it => it.diagnostics;
    "ConfigureStateStore": wire::configure_state_store::Response, it => it.diagnostics;
    "ReadStateBytes": wire::read_state_bytes::Response, it => it.diagnostics;
    "WriteStateBytes": wire::write_state_bytes::Response, it => it.diagnostics;
    "LockState": wire::lock_state::Response, it => it.diagnostics;
    "UnlockState": wire::unlock_state::Response, it => it.diagnostics;
    "GetStates": wire::get_states::Response, it => it.diagnostics;
    "DeleteState": wire::delete_state::Response, it => it.diagnostics;
    "PlanAction": wire::plan_action::Response, it => it.diagnostics;
    "InvokeAction": wire::invoke_action::Event, it => completed(&it);
    "ValidateActionConfig": wire::validate_action_config::Response, it => it.diagnostics;
    "StopProvider": wire::stop_provider::Response, it => only_text(&it.error);
}
