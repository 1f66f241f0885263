//! Mistakes in configurations: each is found offline, at its attribute, with what is wrong.

mod datastores;
mod kubeconfig_generators;
mod mistakes;
mod tenants;
mod worker;
mod worker_join;
mod worker_nodes;

use serde_json::{Value as Json, json};
use tfplugin::Value;
use tfplugin::proto::tfplugin6 as wire;
use tfplugin::proto::tfplugin6::schema::Attribute;
use tfplugin::proto::tfplugin6::schema::object::NestingMode;
use tfplugin::value;

use crate::client::Launch;
use crate::objects::{Object, Schemas, attribute_type, null_object};
use mistakes::Mistake;

/// What a type is a type of.
#[derive(Clone, Copy)]
enum Of {
    Resources,
    DataSources,
    Ephemerals,
}

/// Mistakes in configurations of one type.
struct Group {
    of: Of,
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
    let group =
        |mistakes| Group { of: Of::Resources, type_name: "kamaji_tenant_control_plane", sound: sound(), mistakes };
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
    let group = Group { of: Of::Resources, type_name: "kamaji_worker_join", sound, mistakes: worker_join::ALL };
    let count = all_are_found([group], &|text| text.to_owned()).await;
    assert!(count >= 40, "{count}");
    println!("{count} mistakes found");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_in_worker_nodes_is_found_offline_at_its_attribute() {
    let sound = json!({"tenant_control_plane_id": "tenants/blue", "node_names": ["a", "b"]});
    let group = Group { of: Of::Resources, type_name: "kamaji_worker_nodes", sound, mistakes: worker_nodes::ALL };
    let count = all_are_found([group], &|text| text.to_owned()).await;
    println!("{count} mistakes found");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_in_a_worker_is_found_offline_at_its_attribute() {
    let sound = json!({"tenant_control_plane_id": "tenants/blue", "host": "10.0.0.7"});
    let group = Group { of: Of::Resources, type_name: "kamaji_worker", sound, mistakes: worker::ALL };
    let count = all_are_found([group], &|text| text.to_owned()).await;
    println!("{count} mistakes found");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_in_a_kubeconfig_generator_is_found_offline_at_its_attribute() {
    all_are_found([kubeconfig_generators::group()], &|text| text.to_owned()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_in_what_looks_into_a_tenant_is_found_offline_at_its_attribute() {
    let group = |of, type_name, mistakes| Group {
        of,
        type_name,
        sound: json!({"tenant_control_plane_id": "tenants/blue"}),
        mistakes,
    };
    let groups = [
        group(Of::Ephemerals, "kamaji_kubeconfig", tenants::KUBECONFIG),
        group(Of::Ephemerals, "kamaji_worker_join", tenants::WORKER_JOIN),
        group(Of::DataSources, "kamaji_nodes", tenants::NODES),
    ];
    let count = all_are_found(groups, &|text| text.to_owned()).await;
    println!("{count} mistakes found");
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
    for Group { of, type_name, sound, mistakes } in groups {
        let object = match of {
            Of::Resources => schemas.resource(type_name),
            Of::DataSources => schemas.data_source(type_name),
            Of::Ephemerals => schemas.ephemeral(type_name),
        };
        let sound = read(&sound.to_string());
        assert_eq!(said(&mut connection, of, type_name, object, &sound).await, []);
        count += mistakes.len();
        for (patch, at, text) in mistakes {
            let mut config = sound.clone();
            merge(&mut config, read(patch));
            let said = said(&mut connection, of, type_name, object, &config).await;
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
    of: Of,
    type_name: &str,
    object: Object<'_>,
    config: &Json,
) -> Vec<(String, String)> {
    let config = value_of(config, &object.block.attributes, "");
    let (type_name, config) = (type_name.to_owned(), Some(object.write(&config)));
    let diagnostics = match of {
        Of::Resources => {
            let client_capabilities = Some(wire::ClientCapabilities {
                write_only_attributes_allowed: true,
                ..wire::ClientCapabilities::default()
            });
            let request = wire::validate_resource_config::Request { type_name, config, client_capabilities };
            connection.provider.validate_resource_config(request).await.unwrap().into_inner().diagnostics
        }
        Of::DataSources => {
            let request = wire::validate_data_resource_config::Request { type_name, config };
            connection.provider.validate_data_resource_config(request).await.unwrap().into_inner().diagnostics
        }
        Of::Ephemerals => {
            let request = wire::validate_ephemeral_resource_config::Request { type_name, config };
            connection.provider.validate_ephemeral_resource_config(request).await.unwrap().into_inner().diagnostics
        }
    };
    let text = |diagnostic: wire::Diagnostic| {
        (path(diagnostic.attribute.as_ref()), format!("{}: {}", diagnostic.summary, diagnostic.detail))
    };
    diagnostics.into_iter().map(text).collect()
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
