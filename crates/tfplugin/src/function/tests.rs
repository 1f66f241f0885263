use insta::assert_snapshot;
use rstest::rstest;

use super::check::check_function;
use super::docs::page;
use super::wire::signature_to_proto;
use super::*;
use crate::schema::{Validator, list_of, number, object, string, string_list};

struct Plant(Signature);

impl Function for Plant {
    fn name(&self) -> &'static str {
        "plant"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn call(&self, arguments: &Arguments) -> Result<Value, FunctionError> {
        Ok(Value::object([("bed", arguments.get(0).get("name").clone())]))
    }
}

fn plant() -> Plant {
    let bed = vec![
        string("name").required().doc("Name of the bed."),
        number("rows").rule(Validator::between(1, 9)).default("1").doc("How many rows"),
        string("key").sensitive().rule(Validator::one_of(&["k"])).doc("Key of the gate."),
        list_of("tools", vec![string("kind").required().doc("What it is."), number("size").doc("How big.")])
            .doc("Tools."),
    ];
    let result = object("result", vec![string("bed").doc("The bed.\n\nIts name.")]).doc("What was planted.");
    let parameters = vec![object("bed", bed).required().doc("The bed."), string("note").doc("A note.")];
    let signature = Signature::new("Plants a bed.", "Plants a bed.\n\nTakes a while.", parameters, result);
    Plant(signature.variadic(string_list("plants").required().doc("Plants of a row.")))
}

fn bed(members: &[(&str, Value)]) -> Value {
    let members = Value::object(members.iter().map(|(name, value)| (*name, value.clone())));
    Value::Dynamic(Box::new((members.natural_type(), members)))
}

fn of(sent: impl IntoIterator<Item = Value>) -> Result<Option<Arguments>, FunctionError> {
    Arguments::of(plant().signature(), sent.into_iter().collect())
}

#[test]
fn what_is_left_out_of_an_object_is_null() {
    let named = bed(&[("name", "a".into())]);
    let arguments = of([named, Value::Null]).unwrap().unwrap();
    let wanted =
        ["name", "rows", "key", "tools"].map(|name| (name, if name == "name" { "a".into() } else { Value::Null }));
    assert_eq!(arguments.get(0), &Value::object(wanted));
    assert_eq!(arguments.get(1), &Value::Null);
    assert_eq!((arguments.get(7), arguments.text(7), arguments.from(2)), (&Value::Null, "", [].as_slice()));
}

#[rstest]
#[case::none(vec![], None, "The number of arguments is at least 2, and 0 are given.")]
#[case::one(vec![bed(&[("name", "a".into())])], None, "The number of arguments is at least 2, and 1 are given.")]
#[case::null(vec![Value::Null, Value::Null], Some(0), "`bed` needs a value, but is null. Give it one.")]
#[case::another_type(vec!["a".into(), Value::Null], Some(0), "`bed` must be an object, and is a string.")]
#[case::misspelled(
    vec![bed(&[("nmae", "a".into())]), Value::Null],
    Some(0),
    "`bed` has no attribute \"nmae\". There are `name`, `rows`, `key`, `tools`."
)]
#[case::missing(vec![bed(&[]), Value::Null], Some(0), "`bed.name` needs a value, but is null. Give it one.")]
#[case::inside(
    vec![bed(&[("name", 5.into())]), Value::Null],
    Some(0),
    "`bed.name` must be a string, and is a number."
)]
#[case::deep_inside(
    vec![
        bed(&[("name", "a".into()), ("tools", Value::List(vec![Value::object([("kind", Value::Bool(true))])]))]),
        Value::Null
    ],
    Some(0),
    "`bed.tools[0].kind` must be a string, and is a bool."
)]
#[case::rule(
    vec![bed(&[("name", "a".into()), ("rows", 10.into())]), Value::Null],
    Some(0),
    "10 is not between 1 and 9.\n\nAttribute: bed.rows"
)]
#[case::secret(
    vec![bed(&[("name", "a".into()), ("key", "s3cret".into())]), Value::Null],
    Some(0),
    "`bed.key` must be one of `k`. Its value is not shown, since it is sensitive."
)]
#[case::optional(vec![bed(&[("name", "a".into())]), 5.into()], Some(1), "`note` must be a string, and is a number.")]
#[case::variadic(
    vec![bed(&[("name", "a".into())]), Value::Null, Value::strings(["a"]), Value::Null],
    Some(3),
    "`plants` needs a value, but is null. Give it one."
)]
fn a_wrong_argument_is_named(#[case] sent: Vec<Value>, #[case] argument: Option<usize>, #[case] text: &str) {
    let error = of(sent).unwrap_err();
    assert_eq!((error.text.as_str(), error.argument), (text, argument));
}

#[test]
fn without_variadic_ones_the_number_is_fixed() {
    let signature = Signature::new("A.", "A.", vec![string("a").required().doc("A.")], string("result").doc("A."));
    let error = Arguments::of(&signature, vec!["a".into(), "b".into()]).unwrap_err();
    assert_eq!(error, FunctionError::new("The number of arguments is 1, and 2 are given."));
}

#[test]
fn what_is_unknown_makes_the_result_unknown_and_hides_no_error() {
    assert!(of([bed(&[("name", Value::Unknown)]), Value::Null]).unwrap().is_none());
    assert!(of([Value::Unknown, "a".into()]).unwrap().is_none());
    assert_eq!(of([Value::Unknown, 5.into()]).unwrap_err().argument, Some(1));
    let mut signature = plant().0;
    signature.parameters[0].allow_unknown = true;
    let arguments = Arguments::of(&signature, vec![bed(&[("name", Value::Unknown)]), Value::Null]).unwrap().unwrap();
    assert!(arguments.get(0).get("name").is_unknown());
}

#[test]
fn the_wire_has_a_type_everywhere_and_any_where_something_may_be_left_out() {
    let wire = signature_to_proto(plant().signature());
    let types: Vec<&[u8]> =
        wire.parameters.iter().chain(&wire.variadic_parameter).map(|parameter| parameter.r#type.as_slice()).collect();
    assert_eq!(types, [b"\"dynamic\"".as_slice(), b"\"string\"", br#"["list","string"]"#]);
    assert_eq!(wire.r#return.unwrap().r#type, br#"["object",{"bed":"string"}]"#);
    let nulls: Vec<bool> = wire.parameters.iter().map(|parameter| parameter.allow_null_value).collect();
    assert_eq!((nulls, wire.variadic_parameter.unwrap().allow_null_value), (vec![false, true], false));
    let whole = object("a", vec![string("b").required()]);
    assert_eq!(Parameter::from(whole.clone()).wire_type(), whole.value_type());
}

#[test]
fn a_sound_function_is_accepted_and_a_broken_one_named() {
    assert_eq!(check_function(&plant()), Vec::<String>::new());
    let same = || string("a").required();
    let mut broken = Signature::new("", " ", vec![same()], string("Result")).variadic(same());
    broken.deprecated = Some("");
    assert_eq!(
        check_function(&Plant(broken)),
        [
            "there is no summary",
            "the deprecation says nothing",
            "the object has no description",
            "a: there is no description",
            "a: there are two of this name",
            "a: there is no description",
            "the object has no description",
            "Result: the name does not match ^[a-z_][a-z0-9_]*$",
            "Result: there is no description",
        ]
    );
}

#[test]
fn a_page_has_everything() {
    let mut plant = plant();
    plant.0.deprecated = Some("Use sow.");
    assert_snapshot!(page("park", &plant, &[("", "output \"a\" {\n  value = 1\n}\n")]));
}
