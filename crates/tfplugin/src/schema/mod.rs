//! The table that describes an object once.
//!
//! From a [`Schema`] come the wire schema ([`wire`]), the type for the codecs ([`Schema::object_type`]), the
//! configuration checks ([`validate`]), the planning rules ([`crate::plan`]), the mapping to the JSON of the remote
//! API (`json`, `empty`) and the documentation page ([`docs`]). Nothing else lists the fields of an object.

mod api;
pub mod check;
pub mod docs;
pub mod validate;
mod validator;
pub mod wire;

use std::sync::OnceLock;

pub use api::{Api, Empty, Form, Merge, ServerDefault};
pub use validator::{Check, Problem, Validator};

use crate::path::Path;
use crate::value::{Type, Value};

/// What a schema describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    /// The provider block.
    Provider,
    /// A managed resource.
    Resource,
    /// A data source.
    DataSource,
    /// An ephemeral resource.
    Ephemeral,
    /// A list resource: the content of its `config` block.
    List,
    /// An action.
    Action,
}

/// Who gives the value of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The configuration must.
    Required,
    /// The configuration may; null means "not ours".
    Optional,
    /// The provider does.
    Computed,
    /// The configuration may; the provider does otherwise.
    OptionalComputed,
}

/// What a changed value costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OnChange {
    /// An update.
    InPlace,
    /// A new object; says why and what is lost.
    Replace(&'static str),
}

/// When a computed attribute becomes unknown in a plan. It always is while the object is created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecomputedBy {
    /// Never again: ids, UIDs.
    Nothing,
    /// Whenever anything changes that the remote API knows of.
    AnyChange,
    /// Whenever one of these attributes (dotted) or something inside them changes.
    Change(&'static [&'static str]),
}

/// The one spelling of a known value that the remote API keeps as it is (`1.30.0` becomes `v1.30.0`). Two values with
/// the same canonical form mean the same.
pub type Canonical = fn(&Value) -> Value;

/// The shape of an attribute.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A value of a plain type.
    Value(Type),
    /// `{ … }` with attributes of its own.
    Object(Vec<Attribute>),
    /// `[{ … }]`
    ListOf(Vec<Attribute>),
    /// `[{ … }]` without order.
    SetOf(Vec<Attribute>),
    /// `{ key = { … } }`
    MapOf(Vec<Attribute>),
}

/// One attribute of an object: everything that is known about it.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// The name in the configuration.
    pub name: &'static str,
    /// Its shape.
    pub kind: Kind,
    /// Who gives its value.
    pub mode: Mode,
    /// Hidden in plans and outputs. It is in the state all the same.
    pub sensitive: bool,
    /// Given by the configuration, never stored.
    pub write_only: bool,
    /// Markdown: units, default, what a change costs.
    pub description: &'static str,
    /// Why it should not be used any more.
    pub deprecated: Option<&'static str>,
    /// What a change costs.
    pub on_change: OnChange,
    /// For computed attributes: what makes it unknown.
    pub recomputed_by: RecomputedBy,
    /// What null means to the provider. Never stored, so that a new release can change it without touching states.
    pub default: Option<&'static str>,
    /// Rules about its value.
    pub validators: Vec<Validator>,
    /// The canonical form of its values; [`None`] if each value has one spelling only.
    pub canonical: Option<Canonical>,
    /// Its place in the JSON of the remote API; [`None`] if it is the provider's own.
    pub api: Option<Api>,
}

impl Attribute {
    /// An optional attribute of the provider's own, which the builder methods below turn into what is wanted.
    pub fn new(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            kind,
            mode: Mode::Optional,
            sensitive: false,
            write_only: false,
            description: "",
            deprecated: None,
            on_change: OnChange::InPlace,
            recomputed_by: RecomputedBy::Nothing,
            default: None,
            validators: Vec::new(),
            canonical: None,
            api: None,
        }
    }

    /// The configuration must give it.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.mode = Mode::Required;
        self
    }

    /// The provider gives it; `by` says what makes it unknown in a plan.
    #[must_use]
    pub fn computed(mut self, by: RecomputedBy) -> Self {
        self.mode = Mode::Computed;
        self.recomputed_by = by;
        self
    }

    /// Its description.
    #[must_use]
    pub fn doc(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }

    /// Hidden in plans and outputs.
    #[must_use]
    pub fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    /// Given by the configuration and stored nowhere.
    #[must_use]
    pub fn write_only(mut self) -> Self {
        self.write_only = true;
        self
    }

    /// A change makes a new object, for this reason.
    #[must_use]
    pub fn replace(mut self, reason: &'static str) -> Self {
        self.on_change = OnChange::Replace(reason);
        self
    }

    /// What null means to the provider.
    #[must_use]
    pub fn default(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    /// One more rule.
    #[must_use]
    pub fn rule(mut self, validator: Validator) -> Self {
        self.validators.push(validator);
        self
    }

    /// The canonical form of its values.
    #[must_use]
    pub fn canonical(mut self, canonical: Canonical) -> Self {
        self.canonical = Some(canonical);
        self
    }

    /// The spelling in which a known value is sent.
    pub fn to_canonical(&self, value: &Value) -> Value {
        self.canonical.filter(|_| value.is_set()).map_or_else(|| value.clone(), |canonical| canonical(value))
    }

    /// True if two values of this attribute mean the same. Null and unknown mean only themselves.
    pub fn means_the_same(&self, one: &Value, other: &Value) -> bool {
        if one == other {
            return true;
        }
        if !one.is_set() || !other.is_set() {
            return false;
        }
        let (one, other) = (self.to_canonical(one), self.to_canonical(other));
        one == other || (self.merge() == Merge::Set && unordered(&one) == unordered(&other))
    }

    /// The same attribute where nobody configures it, with all that is inside: in a data source. What is about
    /// configuring it (rules, default, what a change costs) is gone, and so is what the object does not show and what nobody
    /// should copy: secrets.
    #[must_use]
    pub fn observed(&self) -> Self {
        let is_shown = |inner: &&Self| !inner.is_configurable() || (inner.api.is_some() && !inner.sensitive);
        let all = |inner: &[Self]| inner.iter().filter(is_shown).map(Self::observed).collect();
        let kind = match &self.kind {
            Kind::Value(plain) => Kind::Value(plain.clone()),
            Kind::Object(inner) => Kind::Object(all(inner)),
            Kind::ListOf(inner) => Kind::ListOf(all(inner)),
            Kind::SetOf(inner) => Kind::SetOf(all(inner)),
            Kind::MapOf(inner) => Kind::MapOf(all(inner)),
        };
        Self {
            kind,
            mode: Mode::Computed,
            write_only: false,
            on_change: OnChange::InPlace,
            recomputed_by: RecomputedBy::Nothing,
            default: None,
            validators: Vec::new(),
            ..self.clone()
        }
    }

    /// The attributes inside; empty for plain types.
    pub fn nested(&self) -> &[Self] {
        match &self.kind {
            Kind::Value(_) => &[],
            Kind::Object(inner) | Kind::ListOf(inner) | Kind::SetOf(inner) | Kind::MapOf(inner) => inner,
        }
    }

    /// The type of its values.
    pub fn value_type(&self) -> Type {
        match &self.kind {
            Kind::Value(plain) => plain.clone(),
            Kind::Object(inner) => object_type(inner),
            Kind::ListOf(inner) => Type::list(object_type(inner)),
            Kind::SetOf(inner) => Type::set(object_type(inner)),
            Kind::MapOf(inner) => Type::map(object_type(inner)),
        }
    }

    /// True if the provider may give the value.
    pub fn is_computed(&self) -> bool {
        matches!(self.mode, Mode::Computed | Mode::OptionalComputed)
    }

    /// True if the configuration may give the value.
    pub fn is_configurable(&self) -> bool {
        self.mode != Mode::Computed
    }
}

/// The type of objects with these attributes.
pub fn object_type(attributes: &[Attribute]) -> Type {
    Type::object(attributes.iter().map(|attribute| (attribute.name, attribute.value_type())))
}

/// `name = "text"`
pub fn string(name: &'static str) -> Attribute {
    Attribute::new(name, Kind::Value(Type::String))
}

/// `name = 1`
pub fn number(name: &'static str) -> Attribute {
    Attribute::new(name, Kind::Value(Type::Number))
}

/// `name = true`
pub fn boolean(name: &'static str) -> Attribute {
    Attribute::new(name, Kind::Value(Type::Bool))
}

/// `name = [1]`
pub fn number_list(name: &'static str) -> Attribute {
    Attribute::new(name, Kind::Value(Type::list(Type::Number)))
}

/// `name = ["text"]`
pub fn string_list(name: &'static str) -> Attribute {
    Attribute::new(name, Kind::Value(Type::list(Type::String)))
}

/// `name = { key = "text" }`
pub fn string_map(name: &'static str) -> Attribute {
    Attribute::new(name, Kind::Value(Type::map(Type::String)))
}

/// `name = { … }`
pub fn object(name: &'static str, attributes: Vec<Attribute>) -> Attribute {
    Attribute::new(name, Kind::Object(attributes))
}

/// `name = [{ … }]`
pub fn list_of(name: &'static str, attributes: Vec<Attribute>) -> Attribute {
    Attribute::new(name, Kind::ListOf(attributes))
}

/// The description of an object: the provider block, a resource, a data source, an ephemeral resource or an action.
#[derive(Clone, Debug)]
pub struct Schema {
    /// Version of the state that it writes (resources only).
    pub version: i64,
    /// What the object is, in Markdown; the first sentence is the summary.
    pub description: &'static str,
    /// Its attributes.
    pub attributes: Vec<Attribute>,
    /// The type of its values: thousands of allocations for a big table, needed several times in each call.
    ty: OnceLock<Type>,
}

impl Schema {
    /// A schema: the version of the state, the description of the object, its attributes.
    pub fn new(version: i64, description: &'static str, attributes: Vec<Attribute>) -> Self {
        Self { version, description, attributes, ty: OnceLock::new() }
    }

    /// The type of its values.
    pub fn object_type(&self) -> &Type {
        self.ty.get_or_init(|| object_type(&self.attributes))
    }

    /// A value with every attribute null.
    pub fn null_object(&self) -> Value {
        Value::object(self.attributes.iter().map(|attribute| (attribute.name, Value::Null)))
    }

    /// The attribute at a dotted path.
    pub fn attribute(&self, dotted: &str) -> Option<&Attribute> {
        let mut names = dotted.split('.');
        let mut current = find(&self.attributes, names.next()?)?;
        for name in names {
            current = find(current.nested(), name)?;
        }
        Some(current)
    }

    /// The attribute that a path leads to or lies in.
    pub fn at(&self, path: &Path) -> Option<&Attribute> {
        self.attribute(&path.attributes())
    }
}

/// A list without its order.
fn unordered(value: &Value) -> Value {
    Value::Set(value.as_list().unwrap_or_default().to_vec())
}

fn find<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a Attribute> {
    attributes.iter().find(|attribute| attribute.name == name)
}
