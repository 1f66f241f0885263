//! How an attribute appears in the JSON of the remote API.

use super::Attribute;

/// What an empty object, list or map means to the remote API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Empty {
    /// The same as absent: it is not sent, and `{}` from the API reads as null.
    Absent,
    /// Its presence means something: sent as written, read as it is.
    Presence,
    /// The API needs it: sent even if the user wrote nothing.
    Always,
    /// Like [`Empty::Presence`]; and once it was applied, its end is sent as an empty one, since the API would go on
    /// with the old content if it were absent.
    Cleared,
}

/// How a value of the configuration stands in the JSON of the remote API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As its type says.
    Plain,
    /// A string, also where it looks like a number; a number from the API is read as its digits.
    Text,
    /// A string, but a whole number is sent as a number.
    NumberOrText,
    /// JSON text here, the JSON itself there.
    Json,
    /// Text here, the base64 of it there.
    Base64,
}

/// How the remote API merges what several managers write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// Each member of an object or map has its owner; a list is owned as a whole.
    Members,
    /// The object or map is owned as a whole.
    Whole,
    /// Each element of the list has its owner; these members (keys of the API) tell the elements apart.
    Keys(&'static [&'static str]),
    /// Each element of the list has its owner, and none is there twice. The order means nothing to the API.
    Set,
}

/// A default that the server fills in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerDefault {
    /// The value, as JSON.
    pub json: &'static str,
    /// The first release with it; [`None`] if it came with the attribute.
    pub since: Option<&'static str>,
    /// The first release without it; [`None`] if there is none yet.
    pub until: Option<&'static str>,
}

/// An attribute's place in the JSON of the remote API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    /// The key, or a path of keys with dots when the attribute lies deeper than its place in the configuration.
    pub key: &'static str,
    /// How its value stands there.
    pub form: Form,
    /// The defaults that the server fills in, or did in older releases.
    pub server_defaults: Vec<ServerDefault>,
    /// A value, as JSON, that programs write where there is none.
    pub also_unset: Option<&'static str>,
    /// What an empty value means.
    pub empty: Empty,
    /// How the API merges it.
    pub merge: Merge,
    /// The first release of the API that knows the field; [`None`] for the oldest one supported. Inside of something
    /// newer, the outer one counts.
    pub since: Option<&'static str>,
}

impl Api {
    fn at(key: &'static str) -> Self {
        Self {
            key,
            form: Form::Plain,
            server_defaults: Vec::new(),
            also_unset: None,
            empty: Empty::Absent,
            merge: Merge::Members,
            since: None,
        }
    }

    /// The default that the newest release fills in, as JSON.
    pub fn server_default(&self) -> Option<&'static str> {
        self.server_defaults.iter().find(|default| default.until.is_none()).map(|default| default.json)
    }
}

impl Attribute {
    /// Its key (or path of keys with dots) in the JSON of the remote API.
    #[must_use]
    pub fn json(self, key: &'static str) -> Self {
        self.api_with(|api| api.key = key)
    }

    /// How its value stands in the JSON of the remote API.
    #[must_use]
    pub fn form(self, form: Form) -> Self {
        self.api_with(|api| api.form = form)
    }

    /// The default that the server fills in, as JSON.
    #[must_use]
    pub fn server_default(self, json: &'static str) -> Self {
        self.default_of(ServerDefault { json, since: None, until: None })
    }

    /// The default that the server fills in since a release, as JSON.
    #[must_use]
    pub fn server_default_since(self, release: &'static str, json: &'static str) -> Self {
        self.default_of(ServerDefault { json, since: Some(release), until: None })
    }

    /// A default of older releases, as JSON, and the first release without it. Older ones first.
    #[must_use]
    pub fn former_default(self, json: &'static str, until: &'static str) -> Self {
        let since = self.api.as_ref().and_then(|api| api.server_defaults.last()?.until);
        self.default_of(ServerDefault { json, since, until: Some(until) })
    }

    fn default_of(self, default: ServerDefault) -> Self {
        self.api_with(|api| api.server_defaults.push(default))
    }

    /// A value, as JSON, that programs write where there is none: the zero value of their types.
    #[must_use]
    pub fn also_unset(self, json: &'static str) -> Self {
        self.api_with(|api| api.also_unset = Some(json))
    }

    /// What an empty value means to the remote API.
    #[must_use]
    pub fn empty(self, empty: Empty) -> Self {
        self.api_with(|api| api.empty = empty)
    }

    /// The remote API sees it as a whole: one owner for all that is inside.
    #[must_use]
    pub fn whole(self) -> Self {
        self.merging(Merge::Whole)
    }

    /// How the remote API merges what several managers write.
    #[must_use]
    pub fn merging(self, merge: Merge) -> Self {
        self.api_with(|api| api.merge = merge)
    }

    /// The first release of the remote API that knows it.
    #[must_use]
    pub fn since(self, release: &'static str) -> Self {
        self.api_with(|api| api.since = Some(release))
    }

    /// How the remote API merges it.
    pub fn merge(&self) -> Merge {
        self.api.as_ref().map_or(Merge::Members, |api| api.merge)
    }

    fn api_with(mut self, edit: impl FnOnce(&mut Api)) -> Self {
        let key = self.name;
        edit(self.api.get_or_insert_with(|| Api::at(key)));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{string, string_list};
    use crate::value::Value;

    #[test]
    fn the_history_of_a_default_is_told_in_releases() {
        let version = string("version").former_default("\"1\"", "edge-2").former_default("\"2\"", "edge-4");
        let api = version.api.expect("in the API");
        assert_eq!(api.server_default(), None);
        let spans: Vec<_> = api.server_defaults.iter().map(|default| (default.since, default.until)).collect();
        assert_eq!(spans, [(None, Some("edge-2")), (Some("edge-2"), Some("edge-4"))]);
    }

    #[test]
    fn a_set_has_no_order_but_keeps_the_one_that_was_written() {
        let types = string_list("types").merging(Merge::Set);
        let (one, other) = (Value::strings(["b", "a"]), Value::strings(["a", "b"]));
        assert!(types.means_the_same(&one, &other));
        assert_eq!(types.to_canonical(&one), one);
        assert!(!types.means_the_same(&one, &Value::strings(["a"])));
        assert!(!string_list("types").means_the_same(&one, &other));
    }
}
