//! What one changed attribute costs: the values that become unknown, and whether a new object is needed.
//!
//! An unknown value spreads: everything that is configured from it is planned again. So the whole list is pinned.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tfplugin::Value;
use tfplugin::proto::tfplugin6 as wire;
use tfplugin::proto::tfplugin6::schema::Attribute;
use tfplugin::proto::tfplugin6::schema::object::NestingMode;
use tfplugin::value::Type;

use crate::client::{Connection, Launch};
use crate::objects::{Object, Schemas, attribute_type, errors, null_object, propose};

/// A value of a type; another `variant` is another value.
fn sample(ty: &Type, variant: i64) -> Value {
    match ty {
        Type::String => format!("sample-{variant}").into(),
        Type::Number => (8000 + variant).into(),
        Type::Bool => (variant % 2 == 1).into(),
        Type::List(element) => Value::List(vec![sample(element, variant)]),
        Type::Set(element) => Value::Set(vec![sample(element, variant)]),
        Type::Map(element) => Value::object([("key", sample(element, variant))]),
        Type::Object(members) => Value::object(members.iter().map(|(name, ty)| (name, sample(ty, variant)))),
        Type::Dynamic | Type::Tuple(_) => panic!("no sample of {ty:?}"),
    }
}

fn sample_of(attribute: &Attribute, variant: i64) -> Value {
    match &attribute.nested_type {
        Some(nested) if !attribute.computed => {
            let object = with_required(&nested.attributes, variant);
            match nested.nesting() {
                NestingMode::Single => object,
                NestingMode::Map => Value::object([("key", object)]),
                _ => Value::List(vec![object]),
            }
        }
        _ => sample(&attribute_type(attribute), variant),
    }
}

/// An object with what must be given, and nothing else.
fn with_required(attributes: &[Attribute], variant: i64) -> Value {
    let mut object = null_object(attributes);
    for attribute in attributes.iter().filter(|attribute| attribute.required) {
        object.set(&attribute.name, sample_of(attribute, variant));
    }
    object
}

/// Every attribute that a configuration can set, with an object of its own where it is inside one; outermost first.
fn settable<'a>(attributes: &'a [Attribute], prefix: &str, all: &mut Vec<(String, &'a Attribute)>) {
    for attribute in attributes.iter().filter(|attribute| attribute.required || attribute.optional) {
        let path = format!("{prefix}{}", attribute.name);
        all.push((path.clone(), attribute));
        if let Some(nested) = &attribute.nested_type
            && nested.nesting() == NestingMode::Single
        {
            settable(&nested.attributes, &format!("{path}."), all);
        }
    }
}

/// `config` with another value at `path`; objects on the way are made with what they must have.
fn with_change(object: Object<'_>, config: &Value, path: &str, attribute: &Attribute) -> Value {
    let mut changed = config.clone();
    let mut attributes = object.block.attributes.as_slice();
    let names: Vec<_> = path.split('.').collect();
    for depth in 1..names.len() {
        let outer = attributes.iter().find(|attribute| attribute.name == names[depth - 1]).unwrap();
        let at = names[..depth].join(".");
        if changed.get(&at).is_null() {
            changed.set(&at, sample_of(outer, 1));
        }
        attributes = &outer.nested_type.as_ref().unwrap().attributes;
    }
    let variant = (1..).find(|variant| sample_of(attribute, *variant) != *config.get(path)).unwrap();
    changed.set(path, sample_of(attribute, variant));
    changed
}

fn unknowns(value: &Value, path: &str, all: &mut Vec<String>) {
    match value {
        Value::Unknown => all.push(path.to_owned()),
        Value::Object(members) => {
            for (name, member) in members {
                unknowns(member, &format!("{path}{}{name}", if path.is_empty() { "" } else { "." }), all);
            }
        }
        _ => {}
    }
}

fn dotted(path: &wire::AttributePath) -> String {
    use wire::attribute_path::step::Selector;
    let steps = path.steps.iter().filter_map(|step| match step.selector.as_ref()? {
        Selector::AttributeName(name) | Selector::ElementKeyString(name) => Some(name.clone()),
        Selector::ElementKeyInt(index) => Some(index.to_string()),
    });
    steps.collect::<Vec<_>>().join(".")
}

/// Plans each single change of an object, and lists the attributes by what their change costs.
async fn costs(connection: &mut Connection, schemas: &Schemas, type_name: &str, edits: &[(&str, Value)]) -> String {
    let object = schemas.resource(type_name);
    let attributes = &object.block.attributes;
    let mut config = with_required(attributes, 0);
    for (path, value) in edits {
        config.set(path, value.clone());
    }
    let mut state = config.clone();
    for attribute in attributes.iter().filter(|attribute| attribute.computed) {
        state.set(&attribute.name, sample_of(attribute, 0));
    }
    let mut all = Vec::new();
    settable(attributes, "", &mut all);
    let mut by_cost: BTreeMap<(Vec<String>, bool), Vec<String>> = BTreeMap::new();
    for (path, attribute) in all {
        let changed = with_change(object, &config, &path, attribute);
        let request = wire::plan_resource_change::Request {
            type_name: type_name.to_owned(),
            prior_state: Some(object.write(&state)),
            proposed_new_state: Some(object.write(&propose(attributes, &changed, &state))),
            config: Some(object.write(&changed)),
            ..Default::default()
        };
        let plan = connection.provider.plan_resource_change(request).await.unwrap().into_inner();
        let planned = object.read(plan.planned_state.as_ref());
        let mut unknown = Vec::new();
        unknowns(&planned, "", &mut unknown);
        let replaced: Vec<_> = plan.requires_replace.iter().map(dotted).collect();
        assert!(replaced.iter().all(|replaced| replaced.starts_with(&path) || path.starts_with(replaced.as_str())));
        by_cost.entry((unknown, !replaced.is_empty())).or_default().push(path);
    }
    let mut text = String::new();
    for ((unknown, replaced), paths) in by_cost {
        let unknown = if unknown.is_empty() { "nothing".to_owned() } else { unknown.join(", ") };
        let _ = writeln!(text, "unknown: {unknown}{}", if replaced { "; a new object" } else { "" });
        for path in paths {
            let _ = writeln!(text, "    {path}");
        }
    }
    text
}

async fn offline() -> (crate::client::Plugin, Connection, Schemas) {
    let plugin = Launch::as_plugin().start();
    let mut connection = plugin.connect().await;
    let schemas = Schemas::of(&mut connection).await;
    let config = Some(schemas.provider_config(&[("offline", true.into())]));
    let request = wire::configure_provider::Request { config, ..Default::default() };
    let configured = connection.provider.configure_provider(request).await.unwrap().into_inner();
    assert_eq!(errors(&configured.diagnostics), [""; 0]);
    (plugin, connection, schemas)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_change_of_a_tenant_control_plane_costs() {
    let (_plugin, mut connection, schemas) = offline().await;
    let edits = [("kubernetes.version", "v1.33.0".into())];
    insta::assert_snapshot!(costs(&mut connection, &schemas, "kamaji_tenant_control_plane", &edits).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_change_of_a_datastore_costs() {
    let (_plugin, mut connection, schemas) = offline().await;
    insta::assert_snapshot!(costs(&mut connection, &schemas, "kamaji_datastore", &[]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_change_of_a_worker_join_costs() {
    let (_plugin, mut connection, schemas) = offline().await;
    let edits = [("tenant_control_plane_id", "tenants/a".into())];
    insta::assert_snapshot!(costs(&mut connection, &schemas, "kamaji_worker_join", &edits).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_change_of_a_worker_costs() {
    let (_plugin, mut connection, schemas) = offline().await;
    let edits = [("tenant_control_plane_id", "tenants/a".into()), ("host", "10.0.0.7".into())];
    insta::assert_snapshot!(costs(&mut connection, &schemas, "kamaji_worker", &edits).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_change_of_worker_nodes_costs() {
    let (_plugin, mut connection, schemas) = offline().await;
    let edits = [("tenant_control_plane_id", "tenants/a".into())];
    insta::assert_snapshot!(costs(&mut connection, &schemas, "kamaji_worker_nodes", &edits).await);
}

/// A plan of what did not change must be empty, to the last byte.
#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_object_is_planned_as_it_is() {
    let (_plugin, mut connection, schemas) = offline().await;
    for type_name in schemas.0.resource_schemas.keys() {
        let object = schemas.resource(type_name);
        let config = with_required(&object.block.attributes, 0);
        let mut state = config.clone();
        // What is known from the configuration alone is not sampled.
        let sampled = |attribute: &&Attribute| attribute.computed && !attribute.name.ends_with("_all");
        for attribute in object.block.attributes.iter().filter(sampled) {
            state.set(&attribute.name, sample_of(attribute, 0));
        }
        let state = Some(object.write(&state));
        let request = wire::plan_resource_change::Request {
            type_name: type_name.clone(),
            prior_state: state.clone(),
            proposed_new_state: state.clone(),
            config: Some(object.write(&config)),
            ..Default::default()
        };
        let plan = connection.provider.plan_resource_change(request).await.unwrap().into_inner();
        assert_eq!(plan.planned_state, state, "{type_name}");
        assert_eq!(plan.requires_replace, vec![]);
    }
}
