//! Tables of the Kubernetes types that Kamaji's kinds embed (`core/v1`, `apps/v1`, `meta/v1`): each type once.
//!
//! A function makes the attribute for one place; where a type occurs in several, the caller gives its name and key. The
//! rules are those that Kubernetes has had for long: a wrong value would show only when the Deployment is written, as a
//! control plane that never comes up. Enumerations that still grow are described, and judged by the API server.

pub mod container;
pub mod env;
pub mod probe;
pub mod resources;
pub mod scheduling;
pub mod security;
pub mod selectors;
pub mod values;
pub mod volume;

use tfplugin::schema::{Attribute, Empty, Validator, number};

/// `name = 1`, a whole number without other bounds.
pub fn whole_number(name: &'static str) -> Attribute {
    number(name).rule(Validator::whole())
}

/// An object that is chosen by being there: `{}` is something else than nothing.
pub fn chosen(attribute: Attribute) -> Attribute {
    attribute.empty(Empty::Presence)
}
