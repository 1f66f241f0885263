//! Values that a type can have, and every place inside them.

use tfplugin::Value;
use tfplugin::value::{Number, Type};

/// Attribute, list element (always `0`) or map key (always `key`), from the outside in.
pub type Place = Vec<String>;

/// The key of every map that is made here.
pub const KEY: &str = "key";

/// A value with something at every place; strings are such that an attribute of this name may take them.
pub fn full(ty: &Type, name: &str) -> Value {
    match ty {
        Type::String => word(name).into(),
        Type::Number => if name.contains("port") { 1 } else { 2 }.into(),
        Type::Bool => true.into(),
        Type::List(element) => Value::List(vec![full(element, name)]),
        Type::Set(element) => Value::Set(vec![full(element, name)]),
        Type::Map(element) => Value::object([(KEY, full(element, name))]),
        Type::Object(members) => Value::object(members.iter().map(|(name, ty)| (name, full(ty, name)))),
        Type::Tuple(elements) => Value::List(elements.iter().map(|element| full(element, name)).collect()),
        Type::Dynamic => Value::Dynamic(Box::new((Type::String, word(name).into()))),
    }
}

/// A string that an attribute of this name may take, as far as names tell. What is connected to is refused at once: nobody
/// listens at port 1.
fn word(name: &str) -> &'static str {
    const WORDS: [(&str, &str); 22] = [
        ("kubeconfig", "apiVersion: v1\nkind: Config\n"),
        ("version", "v1.33.0"),
        ("service_ips", "10.96.0.10"),
        ("cidr", "10.96.0.0/16"),
        ("tenant_control_plane_id", "tenants/a"),
        ("namespace", "tenants"),
        ("service_type", "ClusterIP"),
        ("driver", "etcd"),
        ("endpoint", "etcd.kamaji-system.svc:2379"),
        ("address", "10.0.0.7"),
        ("host", "127.0.0.1"),
        ("url", "http://127.0.0.1:1"),
        ("proxy", "http://127.0.0.1:1"),
        ("timeout", "5m"),
        ("duration", "5m"),
        ("ttl", "15m"),
        ("create", "5m"),
        ("update", "5m"),
        ("delete", "5m"),
        ("cpu", "100m"),
        ("memory", "128Mi"),
        ("expires", "2030-01-01T00:00:00Z"),
    ];
    WORDS.iter().find(|(part, _)| name.contains(part)).map_or("a", |(_, word)| *word)
}

/// Every place of a type, the outermost first, without the root.
pub fn places(ty: &Type) -> Vec<(Place, Type)> {
    let mut all = Vec::new();
    collect(ty, &mut Vec::new(), &mut all);
    all
}

fn collect(ty: &Type, here: &mut Place, all: &mut Vec<(Place, Type)>) {
    let mut go = |step: &str, inner: &Type| {
        here.push(step.to_owned());
        all.push((here.clone(), inner.clone()));
        collect(inner, here, all);
        here.pop();
    };
    match ty {
        Type::Object(members) => members.iter().for_each(|(name, ty)| go(name, ty)),
        Type::List(element) | Type::Set(element) => go("0", element),
        Type::Map(element) => go(KEY, element),
        _ => {}
    }
}

/// `value` with another value at a place; `None` if the place does not exist in it.
pub fn with(value: &Value, place: &[String], new: Value) -> Option<Value> {
    let Some((step, rest)) = place.split_first() else { return Some(new) };
    let mut changed = value.clone();
    let inner = match &mut changed {
        Value::Object(members) => members.get_mut(step)?,
        Value::List(items) | Value::Set(items) => items.first_mut()?,
        _ => return None,
    };
    *inner = with(inner, rest, new)?;
    Some(changed)
}

/// `ty` without the attribute at a place; `None` if what is there is no attribute.
pub fn without(ty: &Type, place: &[String]) -> Option<Type> {
    let (step, rest) = place.split_first()?;
    Some(match ty {
        Type::Object(members) => {
            let mut members = members.clone();
            if rest.is_empty() {
                members.remove(step)?;
            } else {
                let inner = without(members.get(step)?, rest)?;
                members.insert(step.clone(), inner);
            }
            Type::Object(members)
        }
        Type::List(element) => Type::list(without(element, rest)?),
        Type::Set(element) => Type::set(without(element, rest)?),
        Type::Map(element) => Type::map(without(element, rest)?),
        _ => return None,
    })
}

/// What people and other programs put where a string is wanted.
pub const TEXTS: [&str; 30] = [
    "",
    " ",
    "\0",
    "\n",
    "a\u{308}",
    "\u{202e}x",
    "v1.33.0",
    "1.33",
    "v999999999999999999999.0.0",
    "v1.33.0-rc.1+x",
    "10.0.0.0/8",
    "0.0.0.0/0",
    "10.0.0.0/33",
    "fd00::/108",
    "::1",
    "5m",
    "-5m",
    "9999999999999999h",
    "1e400",
    "100Mi",
    "-1",
    "tenants/a",
    "a/b/c",
    "../..",
    "{",
    "null",
    "http://127.0.0.1:1",
    "ftp://[::1",
    "2026-01-01T00:00:00Z",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
];

/// Numbers at the edges.
pub fn numbers() -> Vec<Value> {
    let of = |number| Value::Number(number);
    vec![
        0.into(),
        (-1).into(),
        i64::MAX.into(),
        i64::MIN.into(),
        65_536.into(),
        of(Number::Float(1.5)),
        of(Number::Float(f64::INFINITY)),
        of(Number::Float(1e300)),
        of(Number::Decimal("18446744073709551616".to_owned())),
        of(Number::Decimal("1e999999999".to_owned())),
        of(Number::Decimal("-0.000000000000000000001".to_owned())),
    ]
}

/// Another value of the type, or null or unknown, at every place by chance.
pub fn random(ty: &Type, name: &str, chance: &mut fastrand::Rng) -> Value {
    match chance.u8(0..10) {
        0 | 1 => return Value::Null,
        2 => return Value::Unknown,
        _ => {}
    }
    let many = chance.usize(0..3);
    match ty {
        Type::String if chance.bool() => word(name).into(),
        Type::String => TEXTS[chance.usize(..TEXTS.len())].into(),
        Type::Number => numbers().swap_remove(chance.usize(..numbers().len())),
        Type::Bool => chance.bool().into(),
        Type::List(element) => Value::List((0..many).map(|_| random(element, name, chance)).collect()),
        Type::Set(element) => Value::Set((0..many).map(|_| random(element, name, chance)).collect()),
        Type::Map(element) => Value::object(
            (0..many).map(|_| (TEXTS[chance.usize(..TEXTS.len())], random(element, name, chance))).collect::<Vec<_>>(),
        ),
        Type::Object(members) => Value::object(members.iter().map(|(name, ty)| (name, random(ty, name, chance)))),
        Type::Tuple(elements) => Value::List(elements.iter().map(|element| random(element, name, chance)).collect()),
        Type::Dynamic => Value::Dynamic(Box::new((Type::String, word(name).into()))),
    }
}
