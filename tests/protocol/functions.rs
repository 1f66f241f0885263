//! Functions: declared, and called by a process that nobody has configured, as core does.

use rstest::rstest;
use tfplugin::Value;
use tfplugin::proto::tfplugin6::{self as wire, DynamicValue, function};
use tfplugin::value::{self, Type};

use crate::client::{Connection, Launch, Plugin};
use crate::objects::Schemas;

async fn start() -> (Plugin, Connection, Schemas) {
    let plugin = Launch::as_plugin().start();
    let mut connection = plugin.connect().await;
    let schemas = Schemas::of(&mut connection).await;
    (plugin, connection, schemas)
}

fn type_of(json: &[u8]) -> Type {
    Type::from_json(&serde_json::from_slice(json).unwrap()).unwrap()
}

/// The types of a function's parameters, the variadic one last.
fn parameters(function: &wire::Function) -> Vec<&function::Parameter> {
    function.parameters.iter().chain(&function.variadic_parameter).collect()
}

async fn call(connection: &mut Connection, name: &str, arguments: Vec<DynamicValue>) -> wire::call_function::Response {
    let request = wire::call_function::Request { name: name.to_owned(), arguments };
    connection.provider.call_function(request).await.expect("no error of gRPC").into_inner()
}

fn texts(texts: &[&str]) -> Vec<DynamicValue> {
    texts.iter().map(|&text| msgpack(value::encode(&text.into(), &Type::String))).collect()
}

fn msgpack(msgpack: Vec<u8>) -> DynamicValue {
    DynamicValue { msgpack, json: Vec::new() }
}

/// The text and the argument of the error; every error must be worth reading.
#[track_caller]
fn error(response: wire::call_function::Response) -> (String, Option<i64>) {
    assert_eq!(response.result, None);
    let error = response.error.expect("an error");
    assert!(error.text.len() > 20 && !error.text.ends_with('.'), "core ends the sentence: {:?}", error.text);
    (error.text, error.function_argument)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_declarations_are_the_same_everywhere_and_whole() {
    let (_plugin, mut connection, schemas) = start().await;
    let declared = connection.provider.get_functions(wire::get_functions::Request {}).await.unwrap().into_inner();
    assert_eq!(declared.functions, schemas.0.functions);
    let metadata = connection.provider.get_metadata(wire::get_metadata::Request {}).await.unwrap().into_inner();
    let mut named: Vec<String> = metadata.functions.into_iter().map(|function| function.name).collect();
    let mut described: Vec<String> = declared.functions.keys().cloned().collect();
    named.sort();
    described.sort();
    assert_eq!(named, described);
    assert!(named.len() >= 11, "{named:?}");
    for (name, function) in &declared.functions {
        assert!(!function.summary.is_empty() && !function.description.is_empty(), "{name}");
        type_of(&function.r#return.as_ref().expect("core dereferences it").r#type);
        for parameter in parameters(function) {
            assert!(!parameter.name.is_empty() && !parameter.description.is_empty(), "{name}");
            type_of(&parameter.r#type);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_has_a_result_of_the_declared_type() {
    let (_plugin, mut connection, schemas) = start().await;
    let response = call(&mut connection, "next_versions", texts(&["v1.30.2", "v1.32.1", "v1.31.4"])).await;
    assert_eq!(response.error, None);
    let ty = type_of(&schemas.0.functions["next_versions"].r#return.as_ref().unwrap().r#type);
    let result = value::decode(&response.result.unwrap().msgpack, &ty);
    assert_eq!(result, Ok(Value::strings(["v1.31.4", "v1.32.1"])));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_may_leave_attributes_out_and_its_mistakes_are_told() {
    let (_plugin, mut connection, _) = start().await;
    let ca = include_str!("../../src/kamaji/certificate/ec-ca.pem");
    let dynamic = |more: &[(&str, Value)]| {
        let members = [("host", "https://a:6443".into()), ("cluster_ca_certificate", ca.into())];
        let members = Value::object(members.into_iter().chain(more.iter().cloned()));
        let typed = Value::Dynamic(Box::new((members.natural_type(), members)));
        vec![msgpack(value::encode(&typed, &Type::Dynamic))]
    };
    let built = call(&mut connection, "build_kubeconfig", dynamic(&[("token", "t".into())])).await;
    assert_eq!(built.error, None);
    let parsed = call(&mut connection, "parse_kubeconfig", vec![built.result.unwrap()]).await;
    assert_eq!(parsed.error, None);
    let (text, argument) = error(call(&mut connection, "build_kubeconfig", dynamic(&[("tokn", "t".into())])).await);
    assert!(argument == Some(0) && text.contains("\"tokn\""), "{text}");
    let (text, argument) = error(call(&mut connection, "build_kubeconfig", dynamic(&[("token", 5.into())])).await);
    assert_eq!((text.as_str(), argument), ("`config.token` must be a string, and is a number", Some(0)));
    let unknown = call(&mut connection, "build_kubeconfig", dynamic(&[("token", Value::Unknown)])).await;
    let result = value::decode(&unknown.result.unwrap().msgpack, &Type::String);
    assert_eq!((unknown.error, result), (None, Ok(Value::Unknown)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_number_of_arguments_is_an_error_of_the_call() {
    let (_plugin, mut connection, schemas) = start().await;
    for (name, function) in schemas.0.functions {
        let wanted = function.parameters.len();
        let mut counts = vec![0];
        if function.variadic_parameter.is_none() {
            counts.push(wanted + 1);
        }
        for count in counts {
            let (text, argument) = error(call(&mut connection, &name, texts(&vec!["a"; count])).await);
            assert_eq!(argument, None, "{name}");
            assert!(text.contains(&format!("{count} are given")), "{name}: {text}");
        }
    }
}

/// What no client sends for the types that are declared: each is an error of its argument.
#[rstest]
#[case::truncated(&[0xa5, b'a'])]
#[case::nothing_msgpack(&[0xc1])]
#[case::trailing(&[0xa1, b'a', 0xc0])]
#[case::not_utf8(&[0xa1, 0xff])]
#[case::huge_claim(&[0xdb, 0xff, 0xff, 0xff, 0xff])]
#[case::array(&[0x91, 0xa1, b'a'])]
#[case::number_as_dynamic(&[0x92, 0xc4, 0x08, b'"', b'n', b'u', b'm', b'b', b'e', b'r', b'"', 0x05])]
#[case::null(&[0xc0])]
#[case::empty(&[])]
#[tokio::test(flavor = "multi_thread")]
async fn a_broken_argument_is_an_error_of_that_argument(#[case] broken: &[u8]) {
    let (_plugin, mut connection, schemas) = start().await;
    for (name, function) in schemas.0.functions {
        let good = msgpack(vec![0xd4, 0, 0]);
        for index in 0..parameters(&function).len() {
            let mut arguments = vec![good.clone(); index];
            arguments.push(msgpack(broken.to_vec()));
            arguments.resize(function.parameters.len().max(index + 1), good.clone());
            let (_, argument) = error(call(&mut connection, &name, arguments).await);
            assert_eq!(argument, i64::try_from(index).ok(), "{name}");
        }
    }
}

/// Core does not call then; another client may.
#[rstest]
#[case::plain(&[0xd4, 0, 0])]
#[case::refined(&[0xc7, 0x03, 0x0c, 0x81, 0x01, 0xc2])]
#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_argument_makes_the_result_unknown(#[case] unknown: &[u8]) {
    let (_plugin, mut connection, schemas) = start().await;
    for (name, function) in schemas.0.functions {
        let count = parameters(&function).len();
        let response = call(&mut connection, &name, vec![msgpack(unknown.to_vec()); count]).await;
        assert_eq!(response.error, None, "{name}");
        let ty = type_of(&function.r#return.unwrap().r#type);
        assert_eq!(value::decode(&response.result.unwrap().msgpack, &ty), Ok(Value::Unknown), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_is_not_there_is_named() {
    let (_plugin, mut connection, _) = start().await;
    let (text, argument) = error(call(&mut connection, "kubeconfig", Vec::new()).await);
    assert!(argument.is_none() && text.contains("no function named \"kubeconfig\""), "{text}");
}

/// Core compares the results of equal arguments.
#[tokio::test(flavor = "multi_thread")]
async fn many_calls_at_once_have_the_same_result() {
    let (_plugin, connection, _) = start().await;
    let calls = (0..50).map(|_| {
        let mut provider = connection.provider.clone();
        let arguments = texts(&["10.96.0.0/16"]);
        let request = wire::call_function::Request { name: "dns_service_ip".to_owned(), arguments };
        tokio::spawn(async move { provider.call_function(request).await.unwrap().into_inner() })
    });
    let results = futures::future::join_all(calls).await;
    let wanted = msgpack(value::encode(&"10.96.0.10".into(), &Type::String));
    assert!(results.into_iter().all(|result| result.unwrap().result == Some(wanted.clone())));
}
