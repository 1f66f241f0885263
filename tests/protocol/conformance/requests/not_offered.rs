//! Requests for what the provider does not announce.

use tfplugin::proto::tfplugin6 as wire;
use tfplugin::value::Type;

use super::{Template, passed_on, private, text};
use crate::conformance::samples::full;

/// Kinds of which the provider may have none: a type that it does not announce, with a configuration of no attributes.
pub fn not_announced(all: &mut Vec<Template>) {
    let nothing = Type::object::<&str>([]);
    let value = || passed_on("config", &nothing, full(&nothing, ""));
    let fields = || vec![text("type_name", "kamaji_nothing"), value()];
    all.push(Template::new("ValidateListResourceConfig", "not announced", fields(), |it| {
        wire::validate_list_resource_config::Request {
            type_name: it[0].text(),
            config: it[1].value(),
            ..Default::default()
        }
    }));
    all.push(Template::new("ListResource", "not announced", fields(), |it| wire::list_resource::Request {
        type_name: it[0].text(),
        config: it[1].value(),
        ..Default::default()
    }));
    all.push(Template::new("ValidateActionConfig", "not announced", fields(), |it| {
        wire::validate_action_config::Request { type_name: it[0].text(), config: it[1].value() }
    }));
    all.push(Template::new("PlanAction", "not announced", fields(), |it| wire::plan_action::Request {
        action_type: it[0].text(),
        config: it[1].value(),
        client_capabilities: None,
    }));
    all.push(Template::new("InvokeAction", "not announced", fields(), |it| wire::invoke_action::Request {
        action_type: it[0].text(),
        config: it[1].value(),
        client_capabilities: None,
    }));
    all.push(Template::new("CallFunction", "not announced", fields(), |it| wire::call_function::Request {
        name: it[0].text(),
        arguments: it[1].value().into_iter().collect(),
    }));
}

/// Experimental in core, and not offered.
pub fn state_stores(all: &mut Vec<Template>) {
    let nothing = Type::object::<&str>([]);
    let config = || passed_on("config", &nothing, full(&nothing, ""));
    let store = || vec![text("type_name", "kamaji_state"), text("state_id", "default")];
    let configured = || vec![text("type_name", "kamaji_state"), config()];
    all.push(Template::new("ValidateStateStoreConfig", "", configured(), |it| wire::validate_state_store::Request {
        type_name: it[0].text(),
        config: it[1].value(),
    }));
    all.push(Template::new("ConfigureStateStore", "", configured(), |it| wire::configure_state_store::Request {
        type_name: it[0].text(),
        config: it[1].value(),
        capabilities: Some(wire::StateStoreClientCapabilities { chunk_size: 8 << 20 }),
    }));
    all.push(Template::new("ReadStateBytes", "", store(), |it| wire::read_state_bytes::Request {
        type_name: it[0].text(),
        state_id: it[1].text(),
    }));
    let mut fields = store();
    fields.push(private("bytes"));
    all.push(Template::new("WriteStateBytes", "", fields, |it| wire::write_state_bytes::RequestChunk {
        meta: Some(wire::RequestChunkMeta { type_name: it[0].text(), state_id: it[1].text() }),
        bytes: it[2].bytes(),
        ..Default::default()
    }));
    let mut fields = store();
    fields.push(text("operation", "apply"));
    all.push(Template::new("LockState", "", fields, |it| wire::lock_state::Request {
        type_name: it[0].text(),
        state_id: it[1].text(),
        operation: it[2].text(),
    }));
    let mut fields = store();
    fields.push(text("lock_id", "1"));
    all.push(Template::new("UnlockState", "", fields, |it| wire::unlock_state::Request {
        type_name: it[0].text(),
        state_id: it[1].text(),
        lock_id: it[2].text(),
    }));
    all.push(Template::new("GetStates", "", vec![text("type_name", "kamaji_state")], |it| wire::get_states::Request {
        type_name: it[0].text(),
    }));
    all.push(Template::new("DeleteState", "", store(), |it| wire::delete_state::Request {
        type_name: it[0].text(),
        state_id: it[1].text(),
    }));
}
