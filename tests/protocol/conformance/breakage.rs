//! One field of a request, right and broken.

use std::collections::HashMap;

use serde_json::Value as Json;
use tfplugin::Value;
use tfplugin::proto::tfplugin6::{DynamicValue, RawState};
use tfplugin::value::{self, Type};

use super::Extent;
use super::samples::{self, Place, TEXTS, numbers, places};

/// What a field holds in one request.
#[derive(Clone)]
pub enum Content {
    Value(Option<DynamicValue>),
    Stored(Option<RawState>),
    Bytes(Vec<u8>),
    Text(String),
    Number(i64),
}

/// What belongs into a field.
pub enum Good {
    /// A value of the type: one as a configuration would have it, and one with something at every place.
    Value {
        ty: Type,
        lean: Value,
        full: Value,
    },
    /// A stored state or identity of the type.
    Stored {
        ty: Type,
        full: Value,
    },
    /// Private data.
    Private(Vec<u8>),
    Text(String),
    Number(i64),
}

/// A field of a request.
pub struct Field {
    pub name: &'static str,
    pub good: Good,
    /// Whether a value that is no value of the type must be refused. What the call does not read need not be.
    pub read: bool,
}

/// A field with something else in it.
pub struct Broken {
    pub what: String,
    pub content: Content,
    /// Whether it must be refused.
    pub refused: bool,
}

/// Every prefix up to this length is tried, and some longer ones.
const CUT_AT_EVERY_BYTE: usize = 96;

/// Takes the place of a value until its bytes are put there.
const PLACEHOLDER: &str = "\u{1}placeholder\u{1}";

pub fn dynamic(msgpack: Vec<u8>) -> Content {
    Content::Value(Some(DynamicValue { msgpack, json: Vec::new() }))
}

fn stored(json: impl Into<Vec<u8>>) -> Content {
    Content::Stored(Some(RawState { json: json.into(), flatmap: HashMap::new() }))
}

impl Field {
    pub fn good(&self) -> Content {
        match &self.good {
            Good::Value { ty, lean, .. } => dynamic(value::encode(lean, ty)),
            Good::Stored { ty, full } => stored(value::to_json(full, ty).to_string()),
            Good::Private(bytes) => Content::Bytes(bytes.clone()),
            Good::Text(text) => Content::Text(text.clone()),
            Good::Number(number) => Content::Number(*number),
        }
    }

    /// Left out.
    pub fn absent(&self) -> Content {
        match &self.good {
            Good::Value { .. } => Content::Value(None),
            Good::Stored { .. } => Content::Stored(None),
            Good::Private(_) => Content::Bytes(Vec::new()),
            Good::Text(_) => Content::Text(String::new()),
            Good::Number(_) => Content::Number(0),
        }
    }

    /// All that is wrong or odd, made one by one; `turn` tells which part of it is the sample.
    pub fn broken(&self, extent: Extent, turn: usize) -> Box<dyn Iterator<Item = Broken> + Send + '_> {
        let must = self.read;
        let one = move |what: &str, content: Content, refused: bool| Broken {
            what: format!("{} {what}", self.name),
            content,
            refused: refused && must,
        };
        match &self.good {
            Good::Text(good) => {
                let mut texts: Vec<String> = TEXTS.iter().map(|text| (*text).to_owned()).collect();
                texts.extend([format!("{good}x"), good.to_uppercase(), "x".repeat(1 << 20), "/".repeat(4096)]);
                Box::new(extent.pick(texts, [1, 2, usize::MAX], turn).map(move |text| {
                    let shown: String = text.chars().take(20).collect();
                    one(&format!("= {shown:?}"), Content::Text(text), false)
                }))
            }
            Good::Number(_) => Box::new(
                [0, 1, -1, 7, i64::MAX, i64::MIN]
                    .into_iter()
                    .map(move |number| one(&format!("= {number}"), Content::Number(number), false)),
            ),
            Good::Private(good) => Box::new(
                extent
                    .pick(private(good), [1, 3, usize::MAX], turn)
                    .map(move |(what, bytes)| one(&what, Content::Bytes(bytes), false)),
            ),
            Good::Stored { ty, full } => {
                let whole = value::to_json(full, ty);
                let roots = extent.pick(stored_roots(&whole), [1, 4, usize::MAX], turn);
                let places = extent.pick(places(ty), [1, 2, 120], turn);
                let all = roots.chain(places.flat_map(move |(place, _)| at_stored_place(&whole, &place)));
                Box::new(all.map(move |(what, content, refused)| one(&what, content, refused)))
            }
            Good::Value { ty, lean, full } => {
                let roots = extent.pick(roots(lean, ty), [2, 4, usize::MAX], turn);
                let cuts = cuts(lean, ty, extent, turn).chain(cuts(full, ty, extent, turn));
                let places = extent.pick(places(ty).into_iter().enumerate().collect(), [0, 1, 120], turn);
                let places = places.flat_map(move |(turn, (place, inner))| at_place(ty, full, &place, &inner, turn));
                let seeds = extent.pick((0..64).collect(), [1, 2, 64], turn);
                let chance = seeds.map(move |seed| by_chance(ty, turn, seed));
                let all = roots.chain(cuts).chain(places).chain(chance);
                Box::new(all.map(move |(what, content, refused)| one(&what, content, refused)))
            }
        }
    }
}

type Breakage = (String, Content, bool);

/// The value as a whole.
fn roots(lean: &Value, ty: &Type) -> Vec<Breakage> {
    let good = value::encode(lean, ty);
    let scalar = !matches!(ty, Type::Object(_));
    let of = |what: &str, bytes: &[u8], refused: bool| (what.to_owned(), dynamic(bytes.to_vec()), refused);
    let json = |text: &str| Content::Value(Some(DynamicValue { msgpack: Vec::new(), json: text.into() }));
    let mut all = vec![
        ("absent".to_owned(), Content::Value(None), false),
        of("without bytes", &[], false),
        of("null", &[0xc0], false),
        of("unknown", &[0xd4, 0, 0], false),
        of("unknown without payload", &[0xc7, 0, 0], false),
        of("unknown, not null", &[0xc7, 3, 12, 0x81, 1, 0xc2], false),
        of("unknown with a prefix", &[0xc7, 7, 12, 0x82, 1, 0xc2, 2, 0xa2, b'x', b'-'], false),
        of("unknown with broken refinements", &[0xc7, 4, 12, 0xdf, 0xff, 0xff, 0xff], false),
        of("an ext of no length", &[0xc9, 0xff, 0xff, 0xff, 0xff, 12], true),
        of("four billion members", &[0xdf, 0xff, 0xff, 0xff, 0xff], true),
        of("four billion elements", &[0xdd, 0xff, 0xff, 0xff, 0xff], true),
        of("four billion bytes", &[0xdb, 0xff, 0xff, 0xff, 0xff, b'x'], true),
        of("no msgpack", &[0xc1], true),
        of("an array in arrays", &[0x91; 4096], true),
        ("a byte too many".to_owned(), dynamic([good.as_slice(), &[0xc0]].concat()), true),
        ("as JSON".to_owned(), json(&value::to_json(lean, ty).to_string()), false),
        ("as JSON cut off".to_owned(), json("{\"name\":"), true),
        ("as JSON too deep".to_owned(), json(&"[".repeat(100_000)), true),
        (
            "as both".to_owned(),
            Content::Value(Some(DynamicValue { msgpack: good.clone(), json: b"{".to_vec() })),
            false,
        ),
    ];
    if !scalar {
        all.extend([
            of("a number", &[42], true),
            of("a string", &[0xa1, b'x'], true),
            of("a bool", &[0xc3], true),
            of("a list", &[0x91, 0xc0], true),
            of("an object without attributes", &[0x80], true),
            of("an object with another attribute", &[0x81, 0xa4, b'n', b'o', b'p', b'e', 0xc0], true),
            of("a key that is no string", &[0x81, 1, 0xc0], true),
            ("as JSON of another type".to_owned(), json("[]"), true),
        ]);
    }
    if let (Type::Object(members), Value::Object(_)) = (ty, lean) {
        let mut more = members.clone();
        more.insert("no_such_attribute".to_owned(), Type::String);
        all.push(("with an attribute more".to_owned(), dynamic(value::encode(lean, &Type::Object(more))), true));
        if let Some(name) = members.keys().find(|name| name.len() < 32) {
            let other = format!("~{}", &name[1..]);
            let mut twice = members.clone();
            twice.insert(other.clone(), Type::String);
            let bytes = spliced(&value::encode(lean, &Type::Object(twice)), other.as_bytes(), name.as_bytes());
            all.extend(bytes.map(|bytes| (format!("with {name} twice"), dynamic(bytes), true)));
        }
    }
    all
}

/// Prefixes of a value.
fn cuts(value: &Value, ty: &Type, extent: Extent, turn: usize) -> impl Iterator<Item = Breakage> + Send + use<> {
    let whole = value::encode(value, ty);
    let step = (whole.len() / 64).max(1);
    let every = (1..whole.len().min(CUT_AT_EVERY_BYTE)).chain((CUT_AT_EVERY_BYTE..whole.len()).step_by(step)).collect();
    let picked = extent.pick(every, [1, 2, usize::MAX], turn);
    picked
        .map(move |cut| (format!("cut off after {cut} of {} bytes", whole.len()), dynamic(whole[..cut].to_vec()), true))
}

/// One place with null, unknown, another kind of value and odd ones of its own kind.
fn at_place(ty: &Type, full: &Value, place: &Place, inner: &Type, turn: usize) -> Vec<Breakage> {
    let name = place.join(".");
    let encoded = |new: Value| samples::with(full, place, new).map(|value| value::encode(&value, ty));
    let mut all = Vec::new();
    let mut put = |what: &str, bytes: Option<Vec<u8>>, refused: bool| {
        all.extend(bytes.map(|bytes| (format!("with {name} {what}"), dynamic(bytes), refused)));
    };
    put("null", encoded(Value::Null), false);
    put("unknown", encoded(Value::Unknown), false);
    let raw = |bytes: &[u8]| {
        let mut placeholder = vec![0xa0 | u8::try_from(PLACEHOLDER.len()).ok()?];
        placeholder.extend_from_slice(PLACEHOLDER.as_bytes());
        spliced(&encoded(PLACEHOLDER.into())?, &placeholder, bytes)
    };
    put("refined", raw(&[0xc7, 3, 12, 0x81, 1, 0xc2]), false);
    for (kind, other) in others(inner, turn) {
        put(kind, encoded(other), true);
    }
    match inner {
        Type::String => {
            put("not UTF-8", raw(&[0xa2, 0xff, 0xfe]), true);
            let text = TEXTS[turn % TEXTS.len()];
            put(&format!("= {text:?}"), encoded(text.into()), false);
            put("long", encoded("x".repeat(1 << 16).into()), false);
        }
        Type::Number => {
            put("not a number", raw(&[0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 1]), true);
            for number in numbers() {
                put("at an edge", encoded(number), false);
            }
        }
        Type::List(_) => put("empty", encoded(Value::List(Vec::new())), false),
        Type::Set(_) => put("empty", encoded(Value::Set(Vec::new())), false),
        Type::Map(_) => put("empty", encoded(Value::object::<&str>([])), false),
        _ => {}
    }
    if let Some(less) = samples::without(ty, place) {
        put("left out", Some(value::encode(full, &less)), true);
    }
    all
}

/// Values of other kinds than the type.
fn others(ty: &Type, turn: usize) -> Vec<(&'static str, Value)> {
    let all = [
        ("a string", Value::from("x"), matches!(ty, Type::String | Type::Dynamic)),
        ("a bool", Value::from(true), matches!(ty, Type::Bool | Type::Dynamic)),
        ("a number", Value::from(7), matches!(ty, Type::Number | Type::Dynamic)),
        (
            "a list",
            Value::List(vec![Value::Null]),
            matches!(ty, Type::List(_) | Type::Set(_) | Type::Tuple(_) | Type::Dynamic),
        ),
        ("a map", Value::object([("x", Value::Null)]), matches!(ty, Type::Map(_) | Type::Object(_) | Type::Dynamic)),
    ];
    let mut wrong: Vec<_> =
        all.into_iter().filter_map(|(name, value, fits)| (!fits).then_some((name, value))).collect();
    // Two kinds a place: all pairs of kinds come up, as there are many places.
    if !wrong.is_empty() {
        let length = wrong.len();
        wrong.rotate_left(turn % length);
        wrong.truncate(2);
    }
    wrong
}

/// The bytes with the first `old` in them replaced; [`None`] if it is not in them.
fn spliced(bytes: &[u8], old: &[u8], new: &[u8]) -> Option<Vec<u8>> {
    let at = bytes.windows(old.len()).position(|window| window == old)?;
    Some([&bytes[..at], new, &bytes[at + old.len()..]].concat())
}

/// Something else at every place.
fn by_chance(ty: &Type, turn: usize, seed: u64) -> Breakage {
    let mut chance = fastrand::Rng::with_seed(u64::try_from(turn).unwrap_or_default() << 32 | seed);
    let value = match ty {
        Type::Object(members) => {
            Value::object(members.iter().map(|(name, ty)| (name, samples::random(ty, name, &mut chance))))
        }
        other => samples::random(other, "", &mut chance),
    };
    (format!("by chance {turn}.{seed}"), dynamic(value::encode(&value, ty)), false)
}

/// A stored state as a whole.
fn stored_roots(whole: &Json) -> Vec<Breakage> {
    let flatmap = HashMap::from([("id".to_owned(), "a".to_owned()), ("tags.%".to_owned(), "1".to_owned())]);
    let text = whole.to_string();
    let cuts = [1, 2, text.len() / 3, text.len() / 2, text.len() - 1];
    let mut all = vec![
        ("absent".to_owned(), Content::Stored(None), false),
        ("without bytes".to_owned(), stored(""), false),
        ("of Terraform 0.11".to_owned(), Content::Stored(Some(RawState { json: Vec::new(), flatmap })), false),
        ("null".to_owned(), stored("null"), false),
        ("a list".to_owned(), stored("[]"), true),
        ("a number".to_owned(), stored("7"), true),
        ("a string".to_owned(), stored("\"x\""), true),
        ("an object without attributes".to_owned(), stored("{}"), false),
        ("with other attributes".to_owned(), stored(r#"{"gone": {"a": [1, null]}, "id": null}"#), false),
        ("with white space".to_owned(), stored(format!(" \n\t{whole:#}\n")), false),
        ("not UTF-8".to_owned(), stored(b"{\"id\": \"\xff\"}".as_slice()), true),
        ("with a lone surrogate".to_owned(), stored(r#"{"id": "\ud800"}"#), true),
        ("with two values".to_owned(), stored("{} {}"), true),
        ("too deep".to_owned(), stored("[".repeat(100_000)), true),
        ("too deep in an attribute".to_owned(), stored(format!("{{\"id\":{}", "{\"a\":".repeat(100_000))), true),
    ];
    all.extend(cuts.map(|cut| (format!("cut off after {cut} bytes"), stored(&text.as_bytes()[..cut]), true)));
    all
}

/// Something else at one place. Whether it fits is the type's to say; core is lenient here, and so is the provider.
fn at_stored_place(whole: &Json, place: &Place) -> Vec<Breakage> {
    let pointer: String = place.iter().map(|step| format!("/{step}")).collect();
    let odd = ["null", "\"x\"", "\"\"", "true", "-1", "1e400", "[]", "[[null]]", "{}", r#"{"x": {}}"#];
    let with = |text: &str| {
        let mut changed = whole.clone();
        *changed.pointer_mut(&pointer)? = serde_json::from_str(text).ok()?;
        Some((format!("with {} = {text}", place.join(".")), stored(changed.to_string()), false))
    };
    odd.into_iter().filter_map(with).collect()
}

/// Private data is ours, but a state can be edited: other bytes, and each member something else.
fn private(good: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut all = vec![
        ("empty".to_owned(), Vec::new()),
        ("not UTF-8".to_owned(), b"\xff\x00{".to_vec()),
        ("null".to_owned(), b"null".to_vec()),
        ("a list".to_owned(), b"[]".to_vec()),
        ("an empty object".to_owned(), b"{}".to_vec()),
        ("too deep".to_owned(), b"{\"a\":".repeat(100_000)),
        ("another provider's".to_owned(), br#"{"schema_version":"1"}"#.to_vec()),
    ];
    all.extend(
        (1..good.len())
            .step_by((good.len() / 8).max(1))
            .map(|cut| (format!("cut off after {cut}"), good[..cut].to_vec())),
    );
    if let Ok(Json::Object(members)) = serde_json::from_slice(good) {
        for name in members.keys() {
            for text in ["null", "7", "\"x\"", "[]", "[{}]", "{}", r#"{"x": 1}"#, "true"] {
                let mut changed = members.clone();
                changed.insert(name.clone(), serde_json::from_str(text).expect("JSON"));
                all.push((format!("with {name} = {text}"), Json::Object(changed).to_string().into_bytes()));
            }
        }
    }
    all
}
