//! Where in a configuration a diagnostic belongs.

use std::fmt;

use crate::proto::tfplugin6::{AttributePath, attribute_path};

/// One step of a [`Path`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// An attribute of an object, or a block type.
    Attribute(String),
    /// An element of a list or tuple, from zero.
    Index(i64),
    /// An element of a map.
    Key(String),
}

/// An attribute path, relative to the body of the object. The empty path is the object as a whole.
///
/// There is no way to address an element of a set: a path stops at the set (protocol, `AttributePath`).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Vec<Step>);

impl Path {
    /// The object as a whole.
    pub fn root() -> Self {
        Self::default()
    }

    /// A path through attributes only, written with dots: `network_profile.cert_sans`.
    pub fn of(dotted: &str) -> Self {
        Self(dotted.split('.').filter(|name| !name.is_empty()).map(|name| Step::Attribute(name.to_owned())).collect())
    }

    /// This path, one attribute deeper.
    #[must_use]
    pub fn attribute(&self, name: impl Into<String>) -> Self {
        self.with(Step::Attribute(name.into()))
    }

    /// This path, one list element deeper.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.with(Step::Index(i64::try_from(index).unwrap_or(i64::MAX)))
    }

    /// This path, one map element deeper.
    #[must_use]
    pub fn key(&self, key: impl Into<String>) -> Self {
        self.with(Step::Key(key.into()))
    }

    /// This path, one step deeper.
    #[must_use]
    pub fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// This path, seen from one level further out.
    #[must_use]
    pub fn within(mut self, step: Step) -> Self {
        self.0.insert(0, step);
        self
    }

    /// The steps, outermost first.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// True for the object as a whole.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// True if `self` is `other` or lies inside it.
    pub fn starts_with(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    /// The attribute names alone, joined with dots: indexes and keys are left out.
    pub fn attributes(&self) -> String {
        let names: Vec<&str> = self
            .0
            .iter()
            .filter_map(|step| match step {
                Step::Attribute(name) => Some(name.as_str()),
                Step::Index(_) | Step::Key(_) => None,
            })
            .collect();
        names.join(".")
    }

    /// The wire form.
    pub fn to_proto(&self) -> AttributePath {
        use attribute_path::step::Selector;
        let steps = self
            .0
            .iter()
            .map(|step| attribute_path::Step {
                selector: Some(match step {
                    Step::Attribute(name) => Selector::AttributeName(name.clone()),
                    Step::Index(index) => Selector::ElementKeyInt(*index),
                    Step::Key(key) => Selector::ElementKeyString(key.clone()),
                }),
            })
            .collect();
        AttributePath { steps }
    }
}

/// As a user would write the reference: `control_plane.service.type`, `cert_sans[1]`, `labels["team"]`.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Attribute(name) if position == 0 => f.write_str(name)?,
                Step::Attribute(name) => write!(f, ".{name}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) => write!(f, "[{key:?}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_shown_as_a_reference() {
        let path = Path::of("network_profile.cert_sans").index(1).attribute("name");
        assert_eq!(path.to_string(), "network_profile.cert_sans[1].name");
        assert_eq!(Path::of("labels").key("a.b/c").to_string(), "labels[\"a.b/c\"]");
    }

    #[test]
    fn inside_is_by_whole_steps() {
        assert!(Path::of("a.b.c").starts_with(&Path::of("a.b")));
        assert!(!Path::of("a.bc").starts_with(&Path::of("a.b")));
        assert!(Path::of("a").starts_with(&Path::root()));
    }
}
