//! Values along the schemas that the provider announces, as Terraform makes them.

use std::collections::BTreeMap;

use tfplugin::Value;
use tfplugin::proto::tfplugin6::schema::object::NestingMode;
use tfplugin::proto::tfplugin6::schema::{Attribute, Block};
use tfplugin::proto::tfplugin6::{Diagnostic, DynamicValue, Schema, diagnostic, get_provider_schema};
use tfplugin::value::{self, Type};

use crate::client::Connection;

/// All schemas of the provider.
pub struct Schemas(pub get_provider_schema::Response);

impl Schemas {
    pub async fn of(connection: &mut Connection) -> Self {
        let request = get_provider_schema::Request {};
        Schemas(connection.provider.get_provider_schema(request).await.unwrap().into_inner())
    }

    pub fn provider(&self) -> Object<'_> {
        Object::of(self.0.provider.as_ref().unwrap())
    }

    pub fn resource(&self, type_name: &str) -> Object<'_> {
        Object::of(&self.0.resource_schemas[type_name])
    }

    /// The provider block with these arguments.
    pub fn provider_config(&self, arguments: &[(&str, Value)]) -> DynamicValue {
        let provider = self.provider();
        provider.write(&provider.with(arguments))
    }
}

/// One schema, and values of it.
#[derive(Clone, Copy)]
pub struct Object<'a> {
    pub block: &'a Block,
}

impl<'a> Object<'a> {
    pub fn of(schema: &'a Schema) -> Self {
        let block = schema.block.as_ref().unwrap();
        assert!(block.block_types.is_empty(), "values with nested blocks are not made here");
        Object { block }
    }

    pub fn ty(&self) -> Type {
        object_type(&self.block.attributes)
    }

    /// Every attribute null but these, given by dotted paths.
    pub fn with(&self, values: &[(&str, Value)]) -> Value {
        let mut object = null_object(&self.block.attributes);
        for (path, value) in values {
            object.set(path, value.clone());
        }
        object
    }

    pub fn write(&self, value: &Value) -> DynamicValue {
        DynamicValue { msgpack: value::encode(value, &self.ty()), json: Vec::new() }
    }

    pub fn read(&self, value: Option<&DynamicValue>) -> Value {
        value.map_or(Value::Null, |value| value::decode(&value.msgpack, &self.ty()).unwrap())
    }
}

pub fn null_object(attributes: &[Attribute]) -> Value {
    Value::object(attributes.iter().map(|attribute| (attribute.name.clone(), Value::Null)))
}

fn object_type(attributes: &[Attribute]) -> Type {
    Type::Object(attributes.iter().map(|attribute| (attribute.name.clone(), attribute_type(attribute))).collect())
}

pub fn attribute_type(attribute: &Attribute) -> Type {
    let Some(nested) = &attribute.nested_type else {
        return Type::from_json(&serde_json::from_slice(&attribute.r#type).unwrap()).unwrap();
    };
    let object = object_type(&nested.attributes);
    match nested.nesting() {
        NestingMode::Single => object,
        NestingMode::List => Type::list(object),
        NestingMode::Set => Type::set(object),
        NestingMode::Map => Type::map(object),
        NestingMode::Invalid => panic!("{} has no nesting mode", attribute.name),
    }
}

/// The state that core proposes: the configuration, with the prior values of what only the provider sets.
pub fn propose(attributes: &[Attribute], config: &Value, prior: &Value) -> Value {
    let propose_one = |attribute: &Attribute| {
        let (given, before) = (config.get(&attribute.name), prior.get(&attribute.name));
        let proposed = match &attribute.nested_type {
            _ if attribute.computed && given.is_null() => before.clone(),
            Some(nested) if nested.nesting() == NestingMode::Single && !given.is_null() => {
                propose(&nested.attributes, given, before)
            }
            _ => given.clone(),
        };
        (attribute.name.clone(), proposed)
    };
    Value::Object(attributes.iter().map(propose_one).collect::<BTreeMap<_, _>>())
}

/// The summaries of the errors; every diagnostic must be worth reading.
pub fn errors(diagnostics: &[Diagnostic]) -> Vec<&str> {
    for diagnostic in diagnostics {
        assert!((1..=8).contains(&diagnostic.summary.split_whitespace().count()), "{diagnostic:?}");
        assert!(diagnostic.detail.len() > diagnostic.summary.len(), "{diagnostic:?}");
        assert_ne!(diagnostic.severity(), diagnostic::Severity::Invalid, "{diagnostic:?}");
    }
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity() == diagnostic::Severity::Error);
    errors.map(|diagnostic| diagnostic.summary.as_str()).collect()
}
