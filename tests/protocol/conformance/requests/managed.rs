//! Requests about managed resources.

use tfplugin::Value;
use tfplugin::proto::tfplugin6::{self as wire, DynamicValue};
use tfplugin::value::Type;

use super::{Field, Good, REMEMBERED, Template, config, number, passed_on, planned, private, state, text, value};
use crate::conformance::breakage::Content;
use crate::conformance::clis::Cli;
use crate::conformance::samples::full;
use crate::objects::Object;

/// All requests about one type.
pub fn managed(
    cli: &'static Cli,
    name: &str,
    version: i64,
    object: Object<'_>,
    identity: Option<&Type>,
    all: &mut Vec<Template>,
) {
    let ty = &object.ty();
    let everything = || full(ty, "");
    let type_name = || text("type_name", name);
    let null = |name| value(name, ty, Value::Null, everything());
    let nothing = Type::object::<&str>([]);
    let identity_type = identity.unwrap_or(&nothing);
    let a_state = |name| value(name, ty, state(object), everything());
    let identified = |name| passed_on(name, identity_type, full(identity_type, ""));

    all.push(Template::new("ValidateResourceConfig", name, vec![type_name(), config("config", object)], |it| {
        wire::validate_resource_config::Request {
            type_name: it[0].text(),
            config: it[1].value(),
            client_capabilities: cli.capabilities,
        }
    }));
    let stored = Field { name: "raw_state", good: Good::Stored { ty: ty.clone(), full: everything() }, read: true };
    let fields = vec![type_name(), number("version", version), stored];
    let upgrade = |it: &[Content]| wire::upgrade_resource_state::Request {
        type_name: it[0].text(),
        version: it[1].number(),
        raw_state: it[2].stored(),
    };
    all.push(Template::new("UpgradeResourceState", name, fields, upgrade).answering("state", ty));
    let good = Good::Stored { ty: identity_type.clone(), full: full(identity_type, "") };
    let stored = Field { name: "raw_identity", good, read: identity.is_some() };
    let fields = vec![type_name(), number("version", 0), stored];
    let upgrade = |it: &[Content]| wire::upgrade_resource_identity::Request {
        type_name: it[0].text(),
        version: it[1].number(),
        raw_identity: it[2].stored(),
    };
    all.push(Template::new("UpgradeResourceIdentity", name, fields, upgrade).answering("identity", identity_type));
    let fields = vec![type_name(), a_state("current_state"), private("private"), identified("current_identity")];
    let read = |it: &[Content]| wire::read_resource::Request {
        type_name: it[0].text(),
        current_state: it[1].value(),
        private: it[2].bytes(),
        provider_meta: None,
        client_capabilities: cli.capabilities,
        current_identity: it[3].identity(),
    };
    all.push(Template::new("ReadResource", name, fields, read).answering("state", ty));

    let new = |name| value(name, ty, planned(object), everything());
    let changes = [
        ("create", null("prior_state"), new("proposed_new_state"), config("config", object)),
        ("update", a_state("prior_state"), a_state("proposed_new_state"), config("config", object)),
        ("destroy", a_state("prior_state"), null("proposed_new_state"), null("config")),
    ];
    for (change, prior, proposed, configured) in changes {
        let about = format!("{name} {change}");
        let fields =
            vec![type_name(), prior, proposed, configured, private("prior_private"), identified("prior_identity")];
        let plan = |it: &[Content]| wire::plan_resource_change::Request {
            type_name: it[0].text(),
            prior_state: it[1].value(),
            proposed_new_state: it[2].value(),
            config: it[3].value(),
            prior_private: it[4].bytes(),
            client_capabilities: cli.capabilities,
            prior_identity: it[5].identity(),
            ..Default::default()
        };
        all.push(Template::new("PlanResourceChange", about.clone(), fields, plan).answering("plan", ty));
    }
    let changes = [
        ("create", null("prior_state"), new("planned_state"), config("config", object)),
        ("update", a_state("prior_state"), a_state("planned_state"), config("config", object)),
        ("destroy", a_state("prior_state"), null("planned_state"), null("config")),
    ];
    for (change, prior, planned, configured) in changes {
        let about = format!("{name} {change}");
        let fields =
            vec![type_name(), prior, planned, configured, private("planned_private"), identified("planned_identity")];
        let apply = |it: &[Content]| wire::apply_resource_change::Request {
            type_name: it[0].text(),
            prior_state: it[1].value(),
            planned_state: it[2].value(),
            config: it[3].value(),
            planned_private: it[4].bytes(),
            provider_meta: None,
            planned_identity: it[5].identity(),
        };
        all.push(Template::new("ApplyResourceChange", about, fields, apply));
    }
    // What core proposes follows from the configuration: both change together.
    for (change, prior) in [("create", Value::Null), ("update", state(object))] {
        let about = format!("{name} {change}, configured so");
        let prior = value::encode(&prior, ty);
        let prior = move || Some(DynamicValue { msgpack: prior.clone(), json: Vec::new() });
        let (known_name, plan_prior) = (name.to_owned(), prior.clone());
        let plan = move |it: &[Content]| wire::plan_resource_change::Request {
            type_name: known_name.clone(),
            prior_state: plan_prior(),
            proposed_new_state: it[0].value(),
            config: it[0].value(),
            client_capabilities: cli.capabilities,
            ..Default::default()
        };
        let fields = vec![config("config", object)];
        all.push(Template::new("PlanResourceChange", about.clone(), fields, plan).answering("plan", ty));
        let known_name = name.to_owned();
        let apply = move |it: &[Content]| wire::apply_resource_change::Request {
            type_name: known_name.clone(),
            prior_state: prior(),
            planned_state: it[0].value(),
            config: it[0].value(),
            planned_private: REMEMBERED.clone(),
            ..Default::default()
        };
        all.push(Template::new("ApplyResourceChange", about, vec![config("config", object)], apply));
    }

    let import = |it: &[Content]| wire::import_resource_state::Request {
        type_name: it[0].text(),
        id: it[1].text(),
        client_capabilities: cli.capabilities,
        identity: None,
    };
    let fields = vec![type_name(), text("id", "tenants/a")];
    let by_id = Template::new("ImportResourceState", name, fields, import);
    all.push(by_id.answering("state", ty).answering("identity", identity_type));
    if let Some(identity) = identity {
        let import = |it: &[Content]| wire::import_resource_state::Request {
            type_name: it[0].text(),
            identity: it[1].identity(),
            client_capabilities: cli.capabilities,
            ..Default::default()
        };
        let given = value("identity", identity, full(identity, ""), full(identity, ""));
        let by_identity =
            Template::new("ImportResourceState", format!("{name} by identity"), vec![type_name(), given], import);
        all.push(by_identity.answering("state", ty).answering("identity", identity));
    }
    moved(name, ty, identity_type, all);
    let fields = vec![type_name(), a_state("state")];
    let generate =
        |it: &[Content]| wire::generate_resource_config::Request { type_name: it[0].text(), state: it[1].value() };
    all.push(Template::new("GenerateResourceConfig", name, fields, generate).answering("state", ty));
}

/// From the generic Kubernetes resources, and from what nothing can be moved from.
fn moved(name: &str, ty: &Type, identity: &Type, all: &mut Vec<Template>) {
    let object = Type::object([
        ("manifest", Type::Dynamic),
        ("object", Type::Dynamic),
        ("yaml_body", Type::String),
        ("id", Type::String),
        ("name", Type::String),
        ("namespace", Type::String),
    ]);
    for (provider, source) in [
        ("registry.terraform.io/hashicorp/kubernetes", "kubernetes_manifest"),
        ("registry.terraform.io/gavinbunney/kubectl", "kubectl_manifest"),
        ("registry.opentofu.org/hashicorp/null", "null_resource"),
    ] {
        let good = Good::Stored { ty: object.clone(), full: full(&object, "") };
        let fields = vec![
            text("source_provider_address", provider),
            text("source_type_name", source),
            number("source_schema_version", 1),
            // Another provider's state may hold anything.
            Field { name: "source_state", good, read: false },
            text("target_type_name", name),
            private("source_private"),
        ];
        let build = |it: &[Content]| wire::move_resource_state::Request {
            source_provider_address: it[0].text(),
            source_type_name: it[1].text(),
            source_schema_version: it[2].number(),
            source_state: it[3].stored(),
            target_type_name: it[4].text(),
            source_private: it[5].bytes(),
            ..Default::default()
        };
        let about = format!("{source} to {name}");
        let moved = Template::new("MoveResourceState", about, fields, build);
        all.push(moved.answering("state", ty).answering("identity", identity));
    }
}
