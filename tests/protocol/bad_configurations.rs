//! Mistakes in the configuration of a control plane: each is found offline, at its attribute, with what is wrong.

mod mistakes;

use serde_json::{Value as Json, json};
use tfplugin::Value;
use tfplugin::proto::tfplugin6 as wire;
use tfplugin::proto::tfplugin6::schema::Attribute;
use tfplugin::proto::tfplugin6::schema::object::NestingMode;
use tfplugin::value;

use crate::client::Launch;
use crate::objects::{Object, Schemas, attribute_type, null_object};
use mistakes::ALL;

/// A configuration without a mistake.
fn sound() -> Json {
    json!({
        "name": "blue", "namespace": "tenants", "kubernetes": {"version": "v1.33.0"},
        "control_plane": {"service": {"service_type": "LoadBalancer"}},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_is_found_offline_at_its_attribute() {
    let plugin = Launch::as_plugin().start();
    let mut connection = plugin.connect().await;
    let schemas = Schemas::of(&mut connection).await;
    let object = schemas.resource("kamaji_tenant_control_plane");
    assert_eq!(said(&mut connection, object, &sound()).await, []);
    let mut wrong = Vec::new();
    for (patch, at, text) in ALL.into_iter().flatten() {
        let mut config = sound();
        merge(&mut config, serde_json::from_str(patch).unwrap_or_else(|error| panic!("{patch}: {error}")));
        let said = said(&mut connection, object, &config).await;
        let found = matches!(said.as_slice(), [(path, words)] if path == at && words.contains(text));
        if !found {
            wrong.push(format!("{patch}\n  should say {text:?} at {at}, but:\n  {said:#?}"));
        }
    }
    let count = ALL.into_iter().map(<[_]>::len).sum::<usize>();
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    println!("{count} mistakes found");
}

/// Path and text of each diagnostic of a validation.
async fn said(connection: &mut crate::client::Connection, object: Object<'_>, config: &Json) -> Vec<(String, String)> {
    let config = value_of(config, &object.block.attributes, "");
    let request = wire::validate_resource_config::Request {
        type_name: "kamaji_tenant_control_plane".to_owned(),
        config: Some(object.write(&config)),
        client_capabilities: None,
    };
    let answer = connection.provider.validate_resource_config(request).await.unwrap().into_inner();
    let text = |diagnostic: wire::Diagnostic| {
        (path(diagnostic.attribute.as_ref()), format!("{}: {}", diagnostic.summary, diagnostic.detail))
    };
    answer.diagnostics.into_iter().map(text).collect()
}

/// `a.b[0]["key"]`
fn path(path: Option<&wire::AttributePath>) -> String {
    use wire::attribute_path::step::Selector;
    let mut text = String::new();
    for selector in path.into_iter().flat_map(|path| &path.steps).filter_map(|step| step.selector.as_ref()) {
        match selector {
            Selector::AttributeName(name) if text.is_empty() => text.push_str(name),
            Selector::AttributeName(name) => text.push_str(&format!(".{name}")),
            Selector::ElementKeyString(key) => text.push_str(&format!("[{key:?}]")),
            Selector::ElementKeyInt(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

/// A JSON merge patch without removals.
fn merge(into: &mut Json, patch: Json) {
    match (into, patch) {
        (Json::Object(into), Json::Object(patch)) => {
            for (key, value) in patch {
                merge(into.entry(key).or_insert(Json::Null), value);
            }
        }
        (into, patch) => *into = patch,
    }
}

/// The value that Terraform makes of a configuration: what is left out is null.
fn value_of(json: &Json, attributes: &[Attribute], at: &str) -> Value {
    let mut object = null_object(attributes);
    for (name, json) in json.as_object().unwrap_or_else(|| panic!("{at} is an object")) {
        let attribute = attributes.iter().find(|attribute| attribute.name == *name);
        let attribute = attribute.unwrap_or_else(|| panic!("{at}.{name} is no attribute"));
        let at = format!("{at}.{name}");
        let value = match &attribute.nested_type {
            Some(nested) if nested.nesting() == NestingMode::Single => value_of(json, &nested.attributes, &at),
            Some(nested) if nested.nesting() == NestingMode::List => {
                let items = json.as_array().unwrap_or_else(|| panic!("{at} is a list"));
                Value::List(items.iter().map(|item| value_of(item, &nested.attributes, &at)).collect())
            }
            _ => value::from_json(json, &attribute_type(attribute)).unwrap_or_else(|error| panic!("{at}: {error}")),
        };
        object.set(name, value);
    }
    object
}
