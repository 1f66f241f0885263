//! What is sent, and what is read back.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use tfplugin::Value;
use tfplugin::schema::{Attribute, Empty, Form, Kind, Merge, list_of, number, object, string, string_list, string_map};
use tfplugin::value::{decode, encode, from_json, to_json};

use super::arbitrary;
use super::*;
use crate::{datastore, tenant_control_plane};

fn upper(value: &Value) -> Value {
    value.as_str().unwrap_or_default().to_uppercase().into()
}

fn table() -> Vec<Attribute> {
    vec![
        string("name").json("metadata.name").required(),
        string_map("labels").json("metadata.labels"),
        string("version").json("spec.kubernetes.version").canonical(upper),
        object(
            "network",
            vec![string_list("sans").json("certSANs"), number("port").json("port").server_default("6443")],
        )
        .json("spec.network")
        .empty(Empty::Always),
        object("addon", vec![string("image").json("image")]).json("spec.addon").empty(Empty::Presence),
        string("wait_for"),
    ]
}

fn config(edit: impl FnOnce(&mut Value)) -> Value {
    let mut value =
        Value::object(["name", "labels", "version", "network", "addon", "wait_for"].map(|n| (n, Value::Null)));
    value.set("name", "a".into());
    edit(&mut value);
    value
}

#[test]
fn sends_canonical_values_and_what_the_server_needs_and_nothing_else() {
    let config = config(|value| {
        value.set("version", "v1".into());
        value.set("addon", Value::object([("image", Value::Null)]));
        value.set("wait_for", "ready".into());
    });
    assert_eq!(
        Json::Object(to_api(&table(), &config)),
        json!({"metadata": {"name": "a"}, "spec": {"kubernetes": {"version": "V1"}, "network": {}, "addon": {}}})
    );
}

#[test]
fn an_empty_list_is_not_sent() {
    let config = config(|value| value.set("network.sans", Value::List(Vec::new())));
    assert_eq!(to_api(&table(), &config)["spec"], json!({"network": {}}));
}

#[test]
fn refresh_leaves_alone_what_is_not_ours_and_keeps_the_spelling() {
    let prior = config(|value| {
        value.set("labels", Value::object([("team", Value::from("a")), ("gone", "x".into())]));
        value.set("version", "v1".into());
    });
    let live = json!({
        "metadata": {"name": "a", "labels": {"team": "b", "other": "y"}},
        "spec": {"kubernetes": {"version": "V1"}, "network": {"port": 1}, "addon": {}},
    });
    let now = refresh(&table(), &prior, &live);
    assert_eq!(now.get("labels"), &Value::object([("team", Value::from("b"))]));
    assert_eq!(now.str_at("version"), Some("v1"));
    assert!(now.get("network").is_null() && now.get("addon").is_null());
}

#[test]
fn an_addon_that_is_gone_is_drift() {
    let prior = config(|value| value.set("addon", Value::object([("image", Value::Null)])));
    assert!(refresh(&table(), &prior, &json!({"spec": {}})).get("addon").is_null());
    let live = json!({"spec": {"addon": {}}});
    assert_eq!(refresh(&table(), &prior, &live).get("addon"), prior.get("addon"));
}

#[test]
fn an_import_takes_what_differs_from_the_default() {
    let live = json!({
        "metadata": {"name": "a", "labels": {"mine": "1", "theirs": "2"}},
        "spec": {"kubernetes": {"version": "V1"}, "network": {"port": 6443, "certSANs": ["x"]}, "addon": {}},
    });
    let taken = adopt(&table(), &live, &mut |path| path.last() != Some(&"theirs"));
    assert_eq!(taken.get("labels"), &Value::object([("mine", Value::from("1"))]));
    assert_eq!(taken.get("network.sans"), &Value::strings(["x"]));
    assert!(taken.get("network.port").is_null());
    assert!(!taken.get("addon").is_null());
}

fn ports() -> Vec<Attribute> {
    vec![
        number("container_port").json("containerPort").required(),
        string("protocol").json("protocol").server_default("\"TCP\""),
        string("host_ip").json("hostIP"),
    ]
}

fn port(number: i64, protocol: Option<&str>) -> Value {
    let (protocol, host_ip) = (protocol.into(), Value::Null);
    Value::object([("container_port", number.into()), ("protocol", protocol), ("host_ip", host_ip)])
}

fn listed(items: Vec<Value>) -> Value {
    Value::object([("ports", Value::List(items))])
}

#[test]
fn in_a_keyed_list_only_the_given_elements_are_ours() {
    let table = [list_of("ports", ports()).json("ports").merging(Merge::Keys(&["containerPort", "protocol"]))];
    let prior = listed(vec![port(80, None), port(53, Some("UDP"))]);
    let live = json!({"ports": [
        {"containerPort": 1, "protocol": "TCP"},
        {"containerPort": 53, "protocol": "UDP", "hostIP": "::1"},
        {"containerPort": 80, "protocol": "TCP"},
    ]});
    assert_eq!(refresh(&table, &prior, &live), prior);
    let gone = json!({"ports": [{"containerPort": 53, "protocol": "TCP"}]});
    assert_eq!(refresh(&table, &prior, &gone), listed(vec![]));
}

#[test]
fn in_a_list_that_is_owned_as_a_whole_everything_is_ours() {
    let table = [list_of("ports", ports()).json("ports")];
    let prior = listed(vec![port(80, None)]);
    assert_eq!(refresh(&table, &prior, &json!({"ports": [{"containerPort": 80, "protocol": "TCP"}]})), prior);
    let changed = json!({"ports": [{"containerPort": 80, "protocol": "UDP"}, {"containerPort": 81}]});
    assert_eq!(refresh(&table, &prior, &changed), listed(vec![port(80, Some("UDP")), port(81, None)]));
    assert!(refresh(&table, &prior, &json!({})).get("ports").is_null());
}

#[test]
fn a_map_that_is_owned_as_a_whole_shows_what_others_added() {
    let live = json!({"labels": {"a": "1", "b": "2"}});
    let prior = Value::object([("labels", Value::object([("a", Value::from("1"))]))]);
    let shared = refresh(&[string_map("labels").json("labels")], &prior, &live);
    assert_eq!(shared, prior);
    let whole = refresh(&[string_map("labels").json("labels").whole()], &prior, &live);
    assert_eq!(whole.get("labels").as_object().map(BTreeMap::len), Some(2));
}

#[test]
fn a_member_that_is_null_is_left_to_others() {
    let table = [string_map("labels").json("labels")];
    let labels = |site: &str| {
        let members = [("site", Value::from(site)), ("cost", Value::Null)];
        Value::object([("labels", Value::object(members))])
    };
    for live in [json!({"labels": {"site": "x", "cost": "theirs"}}), json!({"labels": {"site": "x"}})] {
        assert_eq!(refresh(&table, &labels("x"), &live), labels("x"));
    }
    assert_eq!(refresh(&table, &labels("x"), &json!({"labels": {"site": "y"}})), labels("y"));
    assert_eq!(Json::Object(to_api(&table, &labels("x"))), json!({"labels": {"site": "x"}}));
    let gone = refresh(&table, &labels("x"), &json!({}));
    assert_eq!(gone.get("labels"), &Value::object([("cost", Value::Null)]));
}

#[test]
fn maps_of_objects_go_both_ways() {
    let inner = vec![string("image").json("image")];
    let table = [Attribute::new("sides", Kind::MapOf(inner)).json("sides")];
    let prior = Value::object([("sides", Value::object([("a", Value::object([("image", Value::from("x"))]))]))]);
    let sent = Json::Object(to_api(&table, &prior));
    assert_eq!(sent, json!({"sides": {"a": {"image": "x"}}}));
    assert_eq!(adopt(&table, &sent, &mut |_| true), prior);
    let live = json!({"sides": {"a": {"image": "y"}, "b": {"image": "z"}}});
    assert_eq!(refresh(&table, &prior, &live).get("sides.a.image").as_str(), Some("y"));
    assert!(refresh(&table, &prior, &live).get("sides.b").is_null());
}

#[test]
fn text_is_sent_in_the_form_of_the_api() {
    let table = [
        string("surge").json("surge").form(Form::NumberOrText),
        string("size").json("size").form(Form::Text),
        string("value").json("value").form(Form::Json),
    ];
    let value = |surge: &str| {
        Value::object([("surge", surge), ("size", "1"), ("value", "{\"b\":[1]}")].map(|(n, v)| (n, Value::from(v))))
    };
    let sent = Json::Object(to_api(&table, &value("1")));
    assert_eq!(sent, json!({"surge": 1, "size": "1", "value": {"b": [1]}}));
    assert_eq!(adopt(&table, &sent, &mut |_| true), value("1"));
    assert_eq!(to_api(&table, &value("25%"))["surge"], "25%");
    assert_eq!(refresh(&table, &value("1"), &json!({"surge": 1, "size": 1, "value": {"b": [1]}})), value("1"));
}

#[test]
fn an_object_with_the_default_of_the_server_is_not_imported() {
    let inner = vec![string("type").json("type"), number("port").json("port").required()];
    let table = [object("server", inner).json("server").server_default("{\"port\":1}")];
    assert!(adopt(&table, &json!({"server": {"port": 1}}), &mut |_| true).get("server").is_null());
    assert_eq!(adopt(&table, &json!({"server": {"port": 2}}), &mut |_| true).get("server.port").as_i64(), Some(2));
}

#[test]
fn what_must_be_cleared_is_sent_empty_once_it_was_applied() {
    let args = object("args", vec![string_list("api")]).json("args").empty(Empty::Cleared);
    let table = [object("pods", vec![args]).json("spec.pods")];
    let clear = |applied: &Json, mut manifest: serde_json::Map<String, Json>| {
        cleared(&table, applied.as_object().expect("an object"), &mut manifest);
        Json::Object(manifest)
    };
    let applied = json!({"spec": {"pods": {"args": {"api": ["x"]}}}});
    assert_eq!(clear(&applied, to_api(&table, &Value::Null)), json!({"spec": {"pods": {"args": {}}}}));
    assert_eq!(clear(&json!({"spec": {"pods": {}}}), to_api(&table, &Value::Null)), json!({}));
    let same = applied.as_object().cloned().expect("an object");
    assert_eq!(clear(&applied, same), applied);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_control_plane_of_any_shape_comes_back(
        value in arbitrary::object(&tenant_control_plane::schema::SCHEMA.attributes)
    ) {
        comes_back(&tenant_control_plane::schema::SCHEMA, &value)?;
    }

    #[test]
    fn a_datastore_of_any_shape_comes_back(value in arbitrary::object(&datastore::schema::SCHEMA.attributes)) {
        comes_back(&datastore::schema::SCHEMA, &value)?;
    }
}

/// Through the wire, the state and the API.
fn comes_back(schema: &tfplugin::schema::Schema, value: &Value) -> Result<(), TestCaseError> {
    let ty = schema.object_type();
    prop_assert_eq!(ty.stranger(value), None);
    prop_assert_eq!(&decode(&encode(value, ty), ty), &Ok(value.clone()));
    prop_assert_eq!(&from_json(&to_json(value, ty), ty), &Ok(value.clone()));

    let sent = Json::Object(to_api(&schema.attributes, value));
    let back = refresh(&schema.attributes, value, &sent);
    prop_assert_eq!(tfplugin::plan::changes(&schema.attributes, value, &back), vec![]);
    prop_assert_eq!(&back, value, "the spelling stays");
    // An import takes what was sent, but for defaults and for what means nothing.
    let taken = adopt(&schema.attributes, &sent, &mut |_| true);
    for change in tfplugin::plan::changes(&schema.attributes, value, &taken) {
        let attribute = schema.at(&change.path).expect("in the table");
        let defaults = attribute.api.iter().flat_map(|api| &api.server_defaults);
        let mut defaults = defaults
            .filter_map(|default| from_json(&serde_json::from_str(default.json).ok()?, &attribute.value_type()).ok());
        let is_default = defaults.any(|default| attribute.means_the_same(&default, &change.old));
        prop_assert!(
            change.new.is_null() && (attribute.sensitive || is_default || is_hollow(&change.old)),
            "{:?}",
            change
        );
    }
    Ok(())
}

fn is_hollow(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::List(items) => items.is_empty(),
        Value::Object(members) => members.values().all(is_hollow),
        _ => false,
    }
}
