//! Mistakes in configurations: each is found offline, at its attribute, with what is wrong.

mod datastores;
mod kubeconfig_generators;
mod mistakes;
mod worker_join;

use serde_json::{Value as Json, json};
use tfplugin::Value;
use tfplugin::proto::tfplugin6 as wire;
use tfplugin::proto::tfplugin6::schema::Attribute;
use tfplugin::proto::tfplugin6::schema::object::NestingMode;
use tfplugin::value;

use crate::client::Launch;
use crate::objects::{Object, Schemas, attribute_type, null_object};
use mistakes::Mistake;

/// Mistakes in configurations of one type.
struct Group {
    type_name: &'static str,
    /// A configuration without a mistake, which the mistakes change.
    sound: Json,
    mistakes: &'static [Mistake],
}

/// A control plane without a mistake.
fn sound() -> Json {
    json!({
        "name": "blue", "namespace": "tenants", "kubernetes": {"version": "v1.33.0"},
        "control_plane": {"service": {"service_type": "LoadBalancer"}},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_in_a_control_plane_is_found_offline_at_its_attribute() {
    let group = |mistakes| Group { type_name: "kamaji_tenant_control_plane", sound: sound(), mistakes };
    let count = all_are_found(mistakes::ALL.into_iter().map(group), &|text| text.to_owned()).await;
    println!("{count} mistakes found");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_in_a_datastore_is_found_offline_at_its_attribute() {
    let credentials = datastores::Credentials::new();
    let count = all_are_found(datastores::groups(), &|text| credentials.fill_in(text)).await;
    assert!(count >= 40, "{count}");
    println!("{count} mistakes found");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_in_a_worker_join_is_found_offline_at_its_attribute() {
    let sound = json!({"tenant_control_plane_id": "tenants/blue"});
    let group = Group { type_name: "kamaji_worker_join", sound, mistakes: worker_join::ALL };
    let count = all_are_found([group], &|text| text.to_owned()).await;
    assert!(count >= 40, "{count}");
    println!("{count} mistakes found");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_in_a_kubeconfig_generator_is_found_offline_at_its_attribute() {
    all_are_found([kubeconfig_generators::group()], &|text| text.to_owned()).await;
}

/// Fails unless each mistake is all that is said of its configuration. `fill_in` completes the JSON texts. Returns how
/// many there are.
async fn all_are_found(groups: impl IntoIterator<Item = Group>, fill_in: &dyn Fn(&str) -> String) -> usize {
    let plugin = Launch::as_plugin().start();
    let mut connection = plugin.connect().await;
    let schemas = Schemas::of(&mut connection).await;
    let read =
        |text: &str| -> Json { serde_json::from_str(&fill_in(text)).unwrap_or_else(|error| panic!("{text}: {error}")) };
    let (mut wrong, mut count) = (Vec::new(), 0);
    for Group { type_name, sound, mistakes } in groups {
        let object = schemas.resource(type_name);
        let sound = read(&sound.to_string());
        assert_eq!(said(&mut connection, type_name, object, &sound).await, []);
        count += mistakes.len();
        for (patch, at, text) in mistakes {
            let mut config = sound.clone();
            merge(&mut config, read(patch));
            let said = said(&mut connection, type_name, object, &config).await;
            let found = matches!(said.as_slice(), [(path, words)] if path == at && words.contains(text));
            if !found {
                wrong.push(format!("{patch}\n  should say {text:?} at {at}, but:\n  {said:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    count
}

/// Path and text of each diagnostic of a validation.
async fn said(
    connection: &mut crate::client::Connection,
    type_name: &str,
    object: Object<'_>,
    config: &Json,
) -> Vec<(String, String)> {
    let config = value_of(config, &object.block.attributes, "");
    let request = wire::validate_resource_config::Request {
        type_name: type_name.to_owned(),
        config: Some(object.write(&config)),
        client_capabilities: Some(wire::ClientCapabilities {
            write_only_attributes_allowed: true,
            ..wire::ClientCapabilities::default()
        }),
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

/// A JSON merge patch; null stays, which Terraform takes for absent.
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
            _ if json.is_null() => Value::Null,
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
