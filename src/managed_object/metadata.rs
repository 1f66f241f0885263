//! Labels and annotations beyond the resource's own: the provider's defaults, and keys that are others' business.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};
use tfplugin::plan::Change;
use tfplugin::{Diagnostic, Diagnostics, Path, Value};

use super::memory::Memory;
use crate::kamaji::metadata::{KeyRules, MetadataRules};

/// One of the two maps of an object's metadata.
struct Names {
    /// The attribute with the resource's own keys, and the key in the API's `metadata`.
    own: &'static str,
    /// The attribute with all keys that are managed.
    all: &'static str,
    /// The attribute with the resource's ignored keys.
    ignore: &'static str,
    /// What one entry is called.
    noun: &'static str,
    rules: fn(&MetadataRules) -> &KeyRules,
}

const MAPS: [Names; 2] = [
    Names { own: "labels", all: "labels_all", ignore: "ignore_labels", noun: "Label", rules: |rules| &rules.labels },
    Names {
        own: "annotations",
        all: "annotations_all",
        ignore: "ignore_annotations",
        noun: "Annotation",
        rules: |rules| &rules.annotations,
    },
];

/// The rules for one object: the provider's with those of the resource.
pub(super) struct ObjectRules(MetadataRules);

impl ObjectRules {
    /// `value` is a configuration, plan or state.
    pub(super) fn of(provider: MetadataRules, value: &Value) -> Self {
        let MetadataRules { mut labels, mut annotations } = provider;
        labels.ignored = labels.ignored.with(value.get("ignore_labels"));
        annotations.ignored = annotations.ignored.with(value.get("ignore_annotations"));
        Self(MetadataRules { labels, annotations })
    }

    /// True for the path of a key of `metadata` that is others' business.
    pub(super) fn ignores(&self, path: &[&str]) -> bool {
        let ["metadata", map, key] = path else { return false };
        MAPS.iter().any(|names| names.own == *map && (names.rules)(&self.0).ignored.matches(key))
    }

    /// Fills in what will be on the object: the defaults under the resource's own.
    pub(super) fn complete(&self, prior: &Value, planned: &mut Value) {
        for names in &MAPS {
            let own = planned.get(names.own);
            let all = merged((names.rules)(&self.0), own);
            // A state from before there were defaults: nothing to show where there are none.
            let before = prior.get(names.own);
            let unchanged = prior.is_set() && prior.get(names.all).is_null() && all == without_nulls(before);
            planned.set(names.all, if unchanged { Value::Null } else { all });
        }
    }

    /// A state without the keys that are others' business by now, and with [`Names::all`] where an older provider wrote
    /// none.
    pub(super) fn reduced(&self, state: &Value) -> Value {
        let mut reduced = state.clone();
        for names in &MAPS {
            if reduced.get(names.all).is_null() {
                let own = without_nulls(reduced.get(names.own));
                reduced.set(names.all, own);
            }
            for attribute in [names.own, names.all] {
                let Some(members) = reduced.get(attribute).as_object() else { continue };
                let mut kept = members.clone();
                kept.retain(|key, _| !(names.rules)(&self.0).ignored.matches(key));
                if kept.len() != members.len() {
                    reduced.set(attribute, some(kept));
                }
            }
        }
        reduced
    }

    /// After an import: what the provider's defaults say anyway is not the resource's own.
    pub(super) fn without_defaults(&self, taken: &mut Value) {
        for names in &MAPS {
            let Some(members) = taken.get(names.own).as_object() else { continue };
            let defaults = &(names.rules)(&self.0).defaults;
            let mut own = members.clone();
            own.retain(|key, value| defaults.as_object().and_then(|defaults| defaults.get(key)) != Some(value));
            taken.set(names.own, some(own));
        }
    }

    /// Keys that are configured and ignored at once: nobody could tell what is wanted.
    pub(super) fn contradictions(&self, config: &Value) -> Diagnostics {
        let mut found = Diagnostics::new();
        for names in &MAPS {
            let keys = config.get(names.own).as_object().into_iter().flatten().map(|(key, _)| key);
            for key in keys.filter(|key| (names.rules)(&self.0).ignored.matches(key)) {
                let detail = format!(
                    "{key:?} is configured, and `{}` of this resource or of the provider leaves it to others. Remove it from one \
                     of the two. To set it once and then leave it to others, use `lifecycle {{ ignore_changes = [{}[{key:?}]] }}`.",
                    names.ignore, names.own
                );
                let at = Path::of(names.own).key(key.clone());
                found.push(Diagnostic::error(format!("{} is ignored", names.noun), detail).at(at));
            }
        }
        found
    }

    /// Adds keys that we applied and that are others' business by now: dropped, they would be removed.
    pub(super) fn keep_ignored(&self, memory: &Memory, manifest: &mut Map<String, Json>) {
        for names in &MAPS {
            let applied = memory.applied.get("metadata").and_then(|metadata| metadata.get(names.own));
            edit(manifest, names.own, |entries| {
                for (key, value) in applied.and_then(Json::as_object).into_iter().flatten() {
                    if (names.rules)(&self.0).ignored.matches(key) {
                        entries.entry(key.clone()).or_insert_with(|| value.clone());
                    }
                }
            });
        }
    }

    /// Gives ignored keys the values that the object has: they are kept, and not changed back.
    pub(super) fn follow(&self, live: &Json, manifest: &mut Map<String, Json>) {
        for names in &MAPS {
            let rules = (names.rules)(&self.0);
            edit(manifest, names.own, |entries| {
                let ignored: Vec<String> = entries.keys().filter(|key| rules.ignored.matches(key)).cloned().collect();
                for key in ignored {
                    match live["metadata"][names.own].get(&key) {
                        Some(now) => entries.insert(key, now.clone()),
                        None => entries.remove(&key),
                    };
                }
            });
        }
    }
}

/// What differs in the keys that only the provider's defaults give. [`tfplugin::plan::changes`] compares what the
/// resource itself configures.
pub(super) fn changed_defaults(before: &Value, after: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    for names in &MAPS {
        let own = before.get(names.own).as_object();
        for (key, old) in before.get(names.all).as_object().into_iter().flatten() {
            let new = after.get(names.all).as_object().and_then(|members| members.get(key)).unwrap_or(&Value::Null);
            if own.is_none_or(|own| !own.contains_key(key)) && new != old {
                changes.push(Change { path: Path::of(names.all).key(key.clone()), old: old.clone(), new: new.clone() });
            }
        }
    }
    changes
}

/// True if an apply would change a label or annotation that a default gives.
pub(super) fn defaults_change(prior: &Value, planned: &Value) -> bool {
    MAPS.iter().any(|names| prior.get(names.all) != planned.get(names.all))
}

/// The same place in the map with the defaults, for a path in the resource's own.
pub(super) fn among_all(path: &Path) -> Option<Path> {
    let mut steps = path.steps().iter();
    let (tfplugin::path::Step::Attribute(own), tfplugin::path::Step::Key(key)) = (steps.next()?, steps.next()?) else {
        return None;
    };
    let names = MAPS.iter().find(|names| names.own == own.as_str())?;
    Some(Path::of(names.all).key(key.clone()))
}

fn merged(rules: &KeyRules, own: &Value) -> Value {
    if own.is_unknown() || rules.defaults.is_unknown() {
        return Value::Unknown;
    }
    let mut all = rules.defaults.as_object().cloned().unwrap_or_default();
    all.retain(|key, _| !rules.ignored.matches(key));
    all.extend(own.as_object().cloned().unwrap_or_default());
    without_nulls(&some(all))
}

/// A map without null members, which are as good as absent; null if nothing is left.
fn without_nulls(map: &Value) -> Value {
    let Some(members) = map.as_object() else { return map.clone() };
    some(members.iter().filter(|(_, value)| !value.is_null()).map(|(k, v)| (k.clone(), v.clone())).collect())
}

fn some(members: BTreeMap<String, Value>) -> Value {
    if members.is_empty() { Value::Null } else { Value::Object(members) }
}

/// Changes the labels or annotations of a manifest; an empty map is left out.
fn edit(manifest: &mut Map<String, Json>, map: &str, change: impl FnOnce(&mut Map<String, Json>)) {
    let mut metadata = members(manifest.remove("metadata"));
    let mut entries = members(metadata.remove(map));
    change(&mut entries);
    if !entries.is_empty() {
        metadata.insert(map.to_owned(), Json::Object(entries));
    }
    if !metadata.is_empty() {
        manifest.insert("metadata".to_owned(), Json::Object(metadata));
    }
}

fn members(json: Option<Json>) -> Map<String, Json> {
    if let Some(Json::Object(members)) = json { members } else { Map::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kamaji::metadata::Ignored;
    use proptest::prelude::*;
    use serde_json::json;

    fn map(members: &[(&str, &str)]) -> Value {
        Value::object(members.iter().map(|(key, value)| (*key, Value::from(*value))))
    }

    fn rules(defaults: Value, ignored: &[&str]) -> ObjectRules {
        let labels = KeyRules { defaults, ignored: Ignored::of(&Value::strings(ignored.iter().copied())) };
        ObjectRules(MetadataRules { labels, annotations: KeyRules::default() })
    }

    fn labelled(own: Value) -> Value {
        Value::object([("labels", own), ("labels_all", Value::Null)])
    }

    fn all(rules: &ObjectRules, prior: &Value, own: Value) -> Value {
        let mut planned = labelled(own);
        rules.complete(prior, &mut planned);
        planned.get("labels_all").clone()
    }

    #[test]
    fn a_resource_wins_over_the_defaults_and_null_leaves_one_out() {
        let rules = rules(map(&[("team", "a"), ("site", "x"), ("cost", "1")]), &["cost"]);
        let own = Value::object([("team", Value::from("b")), ("site", Value::Null)]);
        assert_eq!(all(&rules, &Value::Null, own), map(&[("team", "b")]));
        assert_eq!(all(&rules, &Value::Null, Value::Null), map(&[("team", "a"), ("site", "x")]));
        assert_eq!(all(&rules, &Value::Null, Value::Unknown), Value::Unknown);
    }

    #[test]
    fn a_state_of_an_older_provider_is_no_change() {
        let prior = labelled(map(&[("team", "a")]));
        assert_eq!(all(&rules(Value::Null, &[]), &prior, map(&[("team", "a")])), Value::Null);
        let defaults = rules(map(&[("site", "x")]), &[]);
        assert_eq!(all(&defaults, &prior, map(&[("team", "a")])), map(&[("team", "a"), ("site", "x")]));
    }

    #[test]
    fn an_ignored_key_leaves_the_state_and_stays_on_the_object() {
        let rules = rules(Value::Null, &["^cni/"]);
        let state = Value::object([("labels", map(&[("cni/ip", "1")])), ("labels_all", map(&[("cni/ip", "1")]))]);
        let reduced = rules.reduced(&state);
        assert!(reduced.get("labels").is_null() && reduced.get("labels_all").is_null());

        let applied = json!({"metadata": {"labels": {"cni/ip": "1", "team": "a"}}});
        let memory = Memory { applied: applied.as_object().cloned().unwrap_or_default(), ..Memory::default() };
        let mut manifest = Map::new();
        rules.keep_ignored(&memory, &mut manifest);
        assert_eq!(Json::Object(manifest.clone()), json!({"metadata": {"labels": {"cni/ip": "1"}}}));
        rules.follow(&json!({"metadata": {"labels": {"cni/ip": "2"}}}), &mut manifest);
        assert_eq!(Json::Object(manifest.clone()), json!({"metadata": {"labels": {"cni/ip": "2"}}}));
        rules.follow(&json!({"metadata": {}}), &mut manifest);
        assert_eq!(Json::Object(manifest), json!({}));
    }

    #[test]
    fn a_key_that_is_configured_and_ignored_is_an_error_at_the_key() {
        let found = rules(Value::Null, &["team"]).contradictions(&labelled(map(&[("team", "a"), ("x", "y")])));
        let paths: Vec<String> = found.iter().map(|found| found.path.to_string()).collect();
        assert_eq!(paths, ["labels[\"team\"]"]);
    }

    #[test]
    fn an_import_leaves_defaults_to_the_provider() {
        let mut taken = labelled(map(&[("team", "a"), ("site", "y")]));
        rules(map(&[("team", "a"), ("site", "x")]), &[]).without_defaults(&mut taken);
        assert_eq!(taken.get("labels"), &map(&[("site", "y")]));
    }

    proptest! {
        /// Planning again what was planned changes nothing: no endless difference.
        #[test]
        fn the_effective_map_is_stable(
            defaults in prop::collection::btree_map("[a-d]", "[xy]", 0..4),
            own in prop::collection::btree_map("[a-d]", prop::option::of("[xy]"), 0..4),
            ignored in prop::collection::vec("[a-d]", 0..2),
        ) {
            let defaults = Value::object(defaults.into_iter().map(|(k, v)| (k, v.into())));
            let own = Value::object(own.into_iter().map(|(k, v)| (k, v.into())));
            let ignored: Vec<&str> = ignored.iter().map(String::as_str).collect();
            let rules = rules(defaults, &ignored);
            prop_assume!(rules.contradictions(&labelled(own.clone())).is_empty());
            let mut state = labelled(own.clone());
            rules.complete(&Value::Null, &mut state);
            let state = rules.reduced(&state);
            let mut again = labelled(own);
            rules.complete(&state, &mut again);
            prop_assert_eq!(again.get("labels_all"), state.get("labels_all"));
        }
    }
}
