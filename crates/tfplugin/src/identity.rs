//! Resource identities: what tells one object from all others for as long as it lives, apart from its state.

use crate::schema::Schema;
use crate::value::{Type, Value};

/// One attribute of an identity: the attribute of the state of the same name.
#[derive(Clone, Copy, Debug)]
pub struct IdentityAttribute {
    /// Name of a top-level attribute of the resource whose type is a string, number or bool, or a list of those.
    pub name: &'static str,
    /// Whether an import by identity may leave it out.
    pub optional: bool,
    /// Markdown.
    pub description: &'static str,
}

/// The identity of a kind of resource: some attributes of its state.
///
/// An identity tells objects apart, so its attributes are those whose change needs a new object. A resource whose objects
/// are told apart by what an update changes gets another identity by it.
#[derive(Clone, Copy, Debug)]
pub struct IdentitySchema {
    /// Version of the identity's shape, of its own beside that of the state. An identity of an older version may have had
    /// more attributes; those of today must have been there under the same names.
    pub version: i64,
    /// Its attributes.
    pub attributes: &'static [IdentityAttribute],
}

impl IdentitySchema {
    /// The type of identities of a resource with this schema.
    pub fn object_type(&self, schema: &Schema) -> Type {
        let member = |attribute: &IdentityAttribute| {
            let ty = schema.attribute(attribute.name).map_or(Type::String, |found| found.value_type());
            (attribute.name.to_owned(), ty)
        };
        Type::object(self.attributes.iter().map(member))
    }

    /// The identity of the object of a state; [`Value::Null`] if there is none.
    pub fn of(&self, state: &Value) -> Value {
        if state.is_null() {
            return Value::Null;
        }
        Value::object(self.attributes.iter().map(|attribute| (attribute.name, state.get(attribute.name).clone())))
    }

    /// The identity that a plan promises: what exists keeps its own until another one is known. [`Value::Null`] for a new
    /// object whose identity is not known as a whole: Terraform takes an unknown one, OpenTofu cannot store it.
    pub fn planned(&self, prior: &Value, planned: &Value, replaced: bool) -> Value {
        if planned.is_null() {
            return self.of(prior);
        }
        let promised = self.of(planned);
        match promised.is_wholly_known() {
            true => promised,
            false if replaced => Value::Null,
            false => self.of(prior),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDENTITY: IdentitySchema = IdentitySchema {
        version: 0,
        attributes: &[IdentityAttribute { name: "name", optional: false, description: "Name." }],
    };

    fn thing(name: Value) -> Value {
        Value::object([("name", name), ("size", Value::from(1))])
    }

    fn named(name: Value) -> Value {
        Value::object([("name", name)])
    }

    #[rstest::rstest]
    #[case::create(Value::Null, thing("a".into()), false, named("a".into()))]
    #[case::create_of_unknown_outcome(Value::Null, thing(Value::Unknown), false, Value::Null)]
    #[case::update(thing("a".into()), thing("a".into()), false, named("a".into()))]
    #[case::update_of_unknown_outcome(thing("a".into()), thing(Value::Unknown), false, named("a".into()))]
    #[case::replace(thing("a".into()), thing("b".into()), true, named("b".into()))]
    #[case::replace_of_unknown_outcome(thing("a".into()), thing(Value::Unknown), true, Value::Null)]
    #[case::destroy(thing("a".into()), Value::Null, false, named("a".into()))]
    fn a_plan_promises_an_identity(
        #[case] prior: Value,
        #[case] planned: Value,
        #[case] replaced: bool,
        #[case] identity: Value,
    ) {
        assert_eq!(IDENTITY.planned(&prior, &planned, replaced), identity);
    }
}
