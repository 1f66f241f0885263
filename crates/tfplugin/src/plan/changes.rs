//! Which configurable attributes differ between two objects.

use crate::path::Path;
use crate::schema::{Attribute, Kind};
use crate::value::Value;

/// One attribute that differs. Objects are compared member by member, so the path is as deep as the difference.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Where.
    pub path: Path,
    /// Before.
    pub old: Value,
    /// After.
    pub new: Value,
}

/// The differences in what the configuration may give; values that mean the same do not differ. Lists of objects are
/// compared by index if they have the same length, and as a whole otherwise.
pub fn changes(attributes: &[Attribute], old: &Value, new: &Value) -> Vec<Change> {
    let mut found = Vec::new();
    compare(attributes, &Path::root(), old, new, &mut found);
    found
}

fn compare(attributes: &[Attribute], at: &Path, old: &Value, new: &Value, found: &mut Vec<Change>) {
    for attribute in attributes.iter().filter(|attribute| attribute.is_configurable()) {
        let (before, after) = (old.get(attribute.name), new.get(attribute.name));
        // Most are the same, in most plans all: no path is made for them.
        if attribute.means_the_same(before, after) {
            continue;
        }
        let path = at.attribute(attribute.name);
        match (&attribute.kind, before, after) {
            (Kind::Object(inner), Value::Object(_) | Value::Null, Value::Object(_) | Value::Null)
                if !inner.is_empty() =>
            {
                let before_count = found.len();
                compare(inner, &path, before, after, found);
                // An empty object that comes or goes has no member that differs, and may switch something on or off.
                if found.len() == before_count && before.is_null() != after.is_null() {
                    found.push(Change { path, old: before.clone(), new: after.clone() });
                }
            }
            (Kind::ListOf(inner), Value::List(befores), Value::List(afters)) if befores.len() == afters.len() => {
                for (index, (before, after)) in befores.iter().zip(afters).enumerate() {
                    compare(inner, &path.index(index), before, after, found);
                }
            }
            _ => found.push(Change { path, old: before.clone(), new: after.clone() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{object, string};

    #[test]
    fn an_empty_object_that_appears_is_a_change() {
        let attributes = [object("addon", vec![string("image")])];
        let off = Value::object([("addon", Value::Null)]);
        let on = Value::object([("addon", Value::object([("image", Value::Null)]))]);
        let found = changes(&attributes, &off, &on);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, Path::of("addon"));
        assert_eq!(changes(&attributes, &on, &on), []);
    }

    #[test]
    fn objects_whose_members_mean_the_same_do_not_differ() {
        let lower = |value: &Value| value.as_str().unwrap_or_default().to_lowercase().into();
        let attributes = [object("addon", vec![string("image").canonical(lower)])];
        let with = |image: &str| Value::object([("addon", Value::object([("image", Value::from(image))]))]);
        assert_eq!(changes(&attributes, &with("A"), &with("a")), []);
    }

    #[test]
    fn the_path_is_as_deep_as_the_difference() {
        let attributes = [object("addon", vec![string("image"), string("tag")])];
        let one = Value::object([("addon", Value::object([("image", "a".into()), ("tag", "1".into())]))]);
        let two = Value::object([("addon", Value::object([("image", "a".into()), ("tag", "2".into())]))]);
        assert_eq!(changes(&attributes, &one, &two)[0].path, Path::of("addon.tag"));
    }
}
