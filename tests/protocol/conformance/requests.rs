//! Requests of every RPC for every object that the schemas announce.

mod managed;
mod not_offered;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use prost::Message;
use tfplugin::Value;
use tfplugin::proto::tfplugin6::{self as wire, DynamicValue, RawState, ResourceIdentityData};
use tfplugin::value::{self, Type};

use super::breakage::{Content, Field, Good};
use super::clis::Cli;
use super::samples::full;
use crate::objects::{Object, Schemas, attribute_type};

/// A request whose fields can be filled in.
pub struct Template {
    pub rpc: &'static str,
    /// What it is about: a type name, and the kind of change.
    pub about: String,
    pub fields: Vec<Field>,
    /// Types of the values in the answer.
    pub answers: BTreeMap<&'static str, Type>,
    build: Build,
}

/// Makes the message from the contents of the fields.
type Build = Box<dyn Fn(&[Content]) -> Vec<u8> + Send + Sync>;

impl Template {
    fn new<M: Message>(
        rpc: &'static str,
        about: impl Into<String>,
        fields: Vec<Field>,
        build: impl Fn(&[Content]) -> M + Send + Sync + 'static,
    ) -> Self {
        let build = Box::new(move |contents: &[Content]| build(contents).encode_to_vec());
        Template { rpc, about: about.into(), fields, answers: BTreeMap::new(), build }
    }

    fn answering(mut self, name: &'static str, ty: &Type) -> Self {
        self.answers.insert(name, ty.clone());
        self
    }

    /// The message with these contents of its fields.
    pub fn message(&self, contents: &[Content]) -> Vec<u8> {
        (self.build)(contents)
    }

    /// The message with what belongs into its fields.
    pub fn good(&self) -> Vec<u8> {
        self.message(&self.fields.iter().map(Field::good).collect::<Vec<_>>())
    }

    /// The message with one field as given and the others as they belong.
    pub fn with(&self, index: usize, content: Content) -> Vec<u8> {
        let mut contents: Vec<_> = self.fields.iter().map(Field::good).collect();
        contents[index] = content;
        self.message(&contents)
    }
}

impl Content {
    fn value(&self) -> Option<DynamicValue> {
        if let Content::Value(value) = self { value.clone() } else { panic!("no value") }
    }

    fn identity(&self) -> Option<ResourceIdentityData> {
        self.value().map(|value| ResourceIdentityData { identity_data: Some(value) })
    }

    fn stored(&self) -> Option<RawState> {
        if let Content::Stored(raw) = self { raw.clone() } else { panic!("no stored state") }
    }

    fn bytes(&self) -> Vec<u8> {
        if let Content::Bytes(bytes) = self { bytes.clone() } else { panic!("no private data") }
    }

    fn text(&self) -> String {
        if let Content::Text(text) = self { text.clone() } else { panic!("no text") }
    }

    fn number(&self) -> i64 {
        if let Content::Number(number) = self { *number } else { panic!("no number") }
    }
}

/// A value that must be one of its type.
fn value(name: &'static str, ty: &Type, lean: Value, full: Value) -> Field {
    Field { name, good: Good::Value { ty: ty.clone(), lean, full }, read: true }
}

/// A value that the call takes as it comes.
fn passed_on(name: &'static str, ty: &Type, lean: Value) -> Field {
    let full = full(ty, "");
    Field { name, good: Good::Value { ty: ty.clone(), lean, full }, read: false }
}

fn text(name: &'static str, good: &str) -> Field {
    Field { name, good: Good::Text(good.to_owned()), read: false }
}

fn number(name: &'static str, good: i64) -> Field {
    Field { name, good: Good::Number(good), read: false }
}

/// Every member that any object of the provider remembers.
static REMEMBERED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    serde_json::json!({
        "applied": {"metadata": {"name": "a", "namespace": "tenants"}, "spec": {"driver": "etcd"}},
        "nonce": "0123", "was_ready": true, "unsettled": true, "protected_in_state": true, "may_delete": true,
        "loss_said": true, "orphan_in_state": true, "may_lose_nodes": true, "adopted_from": ["kubectl"],
        "moved_from": ["hashicorp"], "adopting": true, "replacing": true, "cluster": "3f1c", "observed_checksum": "9a",
        "tenant_uid": "3f1c", "own_endpoint": true, "rendered": {"endpoint": "https://10.0.0.7:6443", "pins": ["sha256:a"]},
        "term": {}, "token_id": "abcdef", "uid": "3f1c", "revoke_on_close": true,
    })
    .to_string()
    .into_bytes()
});

fn private(name: &'static str) -> Field {
    Field { name, good: Good::Private(REMEMBERED.clone()), read: false }
}

/// A configuration: as people write it, and with everything that can be configured.
fn config(name: &'static str, object: Object<'_>) -> Field {
    value(name, &object.ty(), lean(object), full(&object.ty(), ""))
}

/// What must be configured, and nothing else.
pub fn lean(object: Object<'_>) -> Value {
    let required = object.block.attributes.iter().filter(|attribute| attribute.required);
    let values: Vec<_> = required
        .map(|attribute| (attribute.name.as_str(), full(&attribute_type(attribute), &attribute.name)))
        .collect();
    object.with(&values)
}

/// A state of such a configuration.
pub fn state(object: Object<'_>) -> Value {
    let mut state = lean(object);
    for attribute in object.block.attributes.iter().filter(|attribute| attribute.computed) {
        state.set(&attribute.name, full(&attribute_type(attribute), &attribute.name));
    }
    state
}

/// The plan of its creation.
fn planned(object: Object<'_>) -> Value {
    let mut planned = lean(object);
    for attribute in object.block.attributes.iter().filter(|attribute| attribute.computed) {
        planned.set(&attribute.name, Value::Unknown);
    }
    planned
}

/// Identity types by resource.
fn identity_types(identities: &wire::get_resource_identity_schemas::Response) -> BTreeMap<String, Type> {
    let ty = |schema: &wire::ResourceIdentitySchema| {
        let attributes = schema.identity_attributes.iter();
        Type::object(attributes.map(|attribute| {
            let ty = serde_json::from_slice(&attribute.r#type).expect("a type");
            (attribute.name.clone(), Type::from_json(&ty).expect("a type"))
        }))
    };
    identities.identity_schemas.iter().map(|(name, schema)| (name.clone(), ty(schema))).collect()
}

/// All requests that this CLI could make.
pub fn templates(
    cli: &'static Cli,
    schemas: &Schemas,
    identities: &wire::get_resource_identity_schemas::Response,
) -> Vec<Template> {
    let mut all = vec![
        Template::new("GetMetadata", "", vec![], |_| wire::get_metadata::Request {}),
        Template::new("GetProviderSchema", "", vec![], |_| wire::get_provider_schema::Request {}),
        Template::new("GetResourceIdentitySchemas", "", vec![], |_| wire::get_resource_identity_schemas::Request {}),
        Template::new("GetFunctions", "", vec![], |_| wire::get_functions::Request {}),
        Template::new("StopProvider", "", vec![], |_| wire::stop_provider::Request {}),
    ];
    let provider = schemas.provider();
    let offline = || {
        let lean = provider.with(&[("offline", true.into())]);
        value("config", &provider.ty(), lean, full(&provider.ty(), ""))
    };
    all.push(Template::new("ValidateProviderConfig", "", vec![offline()], |it| {
        wire::validate_provider_config::Request { config: it[0].value() }
    }));
    let fields = vec![offline(), text("terraform_version", cli.version)];
    all.push(Template::new("ConfigureProvider", "", fields, |it| wire::configure_provider::Request {
        config: it[0].value(),
        terraform_version: it[1].text(),
        client_capabilities: cli.capabilities,
    }));
    let identities = identity_types(identities);
    for (name, schema) in sorted(&schemas.0.resource_schemas) {
        managed::managed(cli, name, schema.version, Object::of(schema), identities.get(name), &mut all);
    }
    for (name, schema) in sorted(&schemas.0.data_source_schemas) {
        data_source(cli, name, Object::of(schema), &mut all);
    }
    for (name, schema) in sorted(&schemas.0.ephemeral_resource_schemas) {
        ephemeral(name, Object::of(schema), &mut all);
    }
    for (name, schema) in sorted(&schemas.0.list_resource_schemas) {
        let resource = schemas.0.resource_schemas.get(name).map(Object::of);
        list(name, Object::of(schema), resource, identities.get(name), &mut all);
    }
    for (name, function) in sorted(&schemas.0.functions) {
        all.push(self::function(cli, name, function));
    }
    for (name, action) in sorted(&schemas.0.action_schemas) {
        self::action(cli, name, Object::of(action.schema.as_ref().expect("a schema")), &mut all);
    }
    not_offered::not_announced(&mut all);
    not_offered::state_stores(&mut all);
    all
}

fn sorted<V>(map: &std::collections::HashMap<String, V>) -> BTreeMap<&String, &V> {
    map.iter().collect()
}

fn data_source(cli: &'static Cli, name: &str, object: Object<'_>, all: &mut Vec<Template>) {
    let fields = || vec![text("type_name", name), config("config", object)];
    all.push(Template::new("ValidateDataResourceConfig", name, fields(), |it| {
        wire::validate_data_resource_config::Request { type_name: it[0].text(), config: it[1].value() }
    }));
    let read = |it: &[Content]| wire::read_data_source::Request {
        type_name: it[0].text(),
        config: it[1].value(),
        provider_meta: None,
        client_capabilities: cli.capabilities,
    };
    all.push(Template::new("ReadDataSource", name, fields(), read).answering("state", &object.ty()));
}

fn ephemeral(name: &str, object: Object<'_>, all: &mut Vec<Template>) {
    let fields = || vec![text("type_name", name), config("config", object)];
    all.push(Template::new("ValidateEphemeralResourceConfig", name, fields(), |it| {
        wire::validate_ephemeral_resource_config::Request { type_name: it[0].text(), config: it[1].value() }
    }));
    let open = |it: &[Content]| wire::open_ephemeral_resource::Request {
        type_name: it[0].text(),
        config: it[1].value(),
        client_capabilities: None,
    };
    all.push(Template::new("OpenEphemeralResource", name, fields(), open).answering("state", &object.ty()));
    let fields = || vec![text("type_name", name), private("private")];
    all.push(Template::new("RenewEphemeralResource", name, fields(), |it| wire::renew_ephemeral_resource::Request {
        type_name: it[0].text(),
        private: Some(it[1].bytes()),
    }));
    all.push(Template::new("CloseEphemeralResource", name, fields(), |it| wire::close_ephemeral_resource::Request {
        type_name: it[0].text(),
        private: Some(it[1].bytes()),
    }));
}

fn list(
    name: &str,
    object: Object<'_>,
    resource: Option<Object<'_>>,
    identity: Option<&Type>,
    all: &mut Vec<Template>,
) {
    let fields = || vec![text("type_name", name), config("config", object)];
    all.push(Template::new("ValidateListResourceConfig", name, fields(), |it| {
        wire::validate_list_resource_config::Request {
            type_name: it[0].text(),
            config: it[1].value(),
            ..Default::default()
        }
    }));
    for whole in [false, true] {
        let mut fields = fields();
        fields.push(number("limit", 100));
        let list = move |it: &[Content]| wire::list_resource::Request {
            type_name: it[0].text(),
            config: it[1].value(),
            include_resource_object: whole,
            limit: it[2].number(),
        };
        let about = if whole { format!("{name} with objects") } else { name.to_owned() };
        let mut listed = Template::new("ListResource", about, fields, list);
        if let (Some(resource), Some(identity)) = (resource, identity) {
            listed = listed.answering("state", &resource.ty()).answering("identity", identity);
        }
        all.push(listed);
    }
}

fn function(cli: &'static Cli, name: &str, function: &wire::Function) -> Template {
    let ty = |json: &[u8]| Type::from_json(&serde_json::from_slice(json).expect("a type")).expect("a type");
    let variadic = function.variadic_parameter.iter();
    let parameters: Vec<_> = function.parameters.iter().chain(variadic).collect();
    let mut fields = vec![text("name", name)];
    for parameter in &parameters {
        let (ty, nulls) = (ty(&parameter.r#type), parameter.allow_null_value);
        let good = full(&ty, &parameter.name);
        let full = good.clone();
        fields.push(Field { name: "arguments", good: Good::Value { ty, lean: good, full }, read: !nulls });
    }
    let nulls = vec![cli.null(); usize::from(function.variadic_parameter.is_some())];
    let build = move |it: &[Content]| wire::call_function::Request {
        name: it[0].text(),
        arguments: it[1..].iter().filter_map(Content::value).chain(nulls.iter().cloned()).collect(),
    };
    let returned = ty(&function.r#return.as_ref().expect("a return type").r#type);
    Template::new("CallFunction", name, fields, build).answering("result", &returned)
}

fn action(cli: &'static Cli, name: &str, object: Object<'_>, all: &mut Vec<Template>) {
    let fields = || vec![text("type_name", name), config("config", object)];
    all.push(Template::new("ValidateActionConfig", name, fields(), |it| wire::validate_action_config::Request {
        type_name: it[0].text(),
        config: it[1].value(),
    }));
    all.push(Template::new("PlanAction", name, fields(), |it| wire::plan_action::Request {
        action_type: it[0].text(),
        config: it[1].value(),
        client_capabilities: cli.capabilities,
    }));
    all.push(Template::new("InvokeAction", name, fields(), |it| wire::invoke_action::Request {
        action_type: it[0].text(),
        config: it[1].value(),
        client_capabilities: cli.apply_capabilities,
    }));
}
