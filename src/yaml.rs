//! YAML is read into one kind of value, and whatever type is wanted is made of that.
//!
//! The parser is compiled once for each type that it reads into. For the dozen types of a kubeconfig that is more than
//! half a megabyte, so nothing but [`Node`] is read with it.

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Deserialize, DeserializeOwned, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_saphyr::{Location, NonFiniteFloatPolicy, Spanned};

/// The text is not YAML of what was asked for. Tells where, never what: the text may hold secrets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unfit {
    /// Line and column, from 1.
    pub place: Option<(u64, u64)>,
}

impl Unfit {
    /// This, at a place unless it has one already.
    fn or_at(self, location: Location) -> Self {
        let known = (location != Location::UNKNOWN).then(|| (location.line(), location.column()));
        Self { place: self.place.or(known) }
    }
}

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.place {
            Some((line, column)) => write!(f, "unfit YAML at line {line}, column {column}"),
            None => f.write_str("unfit YAML"),
        }
    }
}

impl std::error::Error for Unfit {}

impl serde::de::Error for Unfit {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Self::default()
    }
}

/// Reads each document of a text; those that are empty or null are passed over.
///
/// # Errors
/// A document is not YAML, or not of this type.
pub fn documents<T: DeserializeOwned>(text: &str) -> Result<Vec<T>, Unfit> {
    nodes(text)?.into_iter().map(|root| T::deserialize(Reader { root, text })).collect()
}

fn nodes(text: &str) -> Result<Vec<Spanned<Node>>, Unfit> {
    // A number out of range is still good where a string is wanted.
    let options = serde_saphyr::options! {
        with_snippet: false,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
    };
    serde_saphyr::from_multiple_with_options(text, options)
        .map_err(|error| Unfit { place: error.location().map(|location| (location.line(), location.column())) })
}

/// What YAML can say.
enum Node {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    List(Vec<Spanned<Node>>),
    Map(Vec<(String, Spanned<Node>)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("YAML")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Unsigned(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Signed(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Node, E> {
        Ok(Node::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut read = Vec::new();
        while let Some(element) = list.next_element()? {
            read.push(element);
        }
        Ok(Node::List(read))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut read = Vec::new();
        while let Some(entry) = map.next_entry()? {
            read.push(entry);
        }
        Ok(Node::Map(read))
    }
}

/// A node and the text that it is of.
struct Reader<'t> {
    root: Spanned<Node>,
    text: &'t str,
}

impl<'de> IntoDeserializer<'de, Unfit> for Reader<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl Reader<'_> {
    /// The node as a string: `token: 0123` and `name: yes` are what is written there.
    fn string(self) -> Result<String, Unfit> {
        let unfit = Unfit::default().or_at(self.root.referenced);
        match self.root.value {
            Node::Text(text) => Ok(text),
            Node::Bool(_) | Node::Unsigned(_) | Node::Signed(_) | Node::Float(_) => {
                written(self.text, self.root.defined).map(str::to_owned).ok_or(unfit)
            }
            Node::Null | Node::List(_) | Node::Map(_) => Err(unfit),
        }
    }
}

/// The plain scalar at a place.
fn written(text: &str, location: Location) -> Option<&str> {
    let span = location.span();
    let from = usize::try_from(span.byte_offset()?).ok()?;
    let length = usize::try_from(span.byte_len()?).ok()?;
    let scalar = text.get(from..from.checked_add(length)?)?.trim();
    // A number in quotes is one by its tag.
    (!scalar.is_empty() && !scalar.starts_with(['"', '\'', '|', '>'])).then_some(scalar)
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Unfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        let Reader { root, text } = self;
        let reader = |root| Reader { root, text };
        let read = match root.value {
            Node::Null => visitor.visit_unit(),
            Node::Bool(value) => visitor.visit_bool(value),
            Node::Unsigned(value) => visitor.visit_u64(value),
            Node::Signed(value) => visitor.visit_i64(value),
            Node::Float(value) => visitor.visit_f64(value),
            Node::Text(value) => visitor.visit_string(value),
            Node::List(list) => visitor.visit_seq(SeqDeserializer::new(list.into_iter().map(reader))),
            Node::Map(map) => {
                visitor.visit_map(MapDeserializer::new(map.into_iter().map(|(key, value)| (key, reader(value)))))
            }
        };
        read.map_err(|unfit: Unfit| unfit.or_at(root.referenced))
    }

    /// In quotes as well, and with the words of YAML 1.1, as the parser reads it where it knows the type.
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        let Node::Text(text) = &self.root.value else { return self.deserialize_any(visitor) };
        let word = text.trim().to_ascii_lowercase();
        match word.as_str() {
            "true" | "yes" | "y" | "on" => visitor.visit_bool(true),
            "false" | "no" | "n" | "off" => visitor.visit_bool(false),
            _ => Err(Unfit::default().or_at(self.root.referenced)),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        self.deserialize_string(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        let location = self.root.referenced;
        visitor.visit_string(self.string()?).map_err(|unfit: Unfit| unfit.or_at(location))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        if matches!(self.root.value, Node::Null) { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_newtype_struct(self)
    }

    /// Only variants without content; a kubeconfig has no other.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        let location = self.root.referenced;
        let variant: serde::de::value::StringDeserializer<Unfit> = self.string()?.into_deserializer();
        visitor.visit_enum(variant).map_err(|unfit| unfit.or_at(location))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple tuple_struct map
        struct identifier
    }
}

#[cfg(test)]
mod tests;
