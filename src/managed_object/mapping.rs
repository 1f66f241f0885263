//! Terraform value ↔ Kubernetes JSON, along the table.

#[cfg(test)]
pub mod arbitrary;
mod read;
#[cfg(test)]
mod tests;
mod write;

use serde_json::{Map, Value as Json, json};

pub use read::{adopt, refresh, show};
pub use write::{cleared, to_api};

fn is_empty(json: &Json) -> bool {
    match json {
        Json::Array(items) => items.is_empty(),
        Json::Object(members) => members.is_empty(),
        Json::Null => true,
        Json::Bool(_) | Json::Number(_) | Json::String(_) => false,
    }
}

/// The JSON at a path of keys with dots; null if it leads nowhere.
pub fn at<'a>(json: &'a Json, dotted: &str) -> &'a Json {
    static NULL: Json = Json::Null;
    dotted.split('.').try_fold(json, |json, key| json.get(key)).unwrap_or(&NULL)
}

/// The JSON at a path of keys with dots inside an object; null if it leads nowhere.
pub fn within<'a>(object: &'a Map<String, Json>, dotted: &str) -> &'a Json {
    static NULL: Json = Json::Null;
    let (first, rest) = dotted.split_once('.').map_or((dotted, None), |(first, rest)| (first, Some(rest)));
    let found = object.get(first).unwrap_or(&NULL);
    rest.map_or(found, |rest| at(found, rest))
}

/// Puts JSON at a path of keys with dots, making the objects on the way.
pub fn put(object: &mut Map<String, Json>, dotted: &str, json: Json) {
    match dotted.split_once('.') {
        None => {
            object.insert(dotted.to_owned(), json);
        }
        Some((key, rest)) => {
            let inner = object.entry(key).or_insert_with(|| json!({}));
            if let Json::Object(inner) = inner {
                put(inner, rest, json);
            }
        }
    }
}

/// Adds an annotation. Its key has dots, so it is no path.
pub fn annotate(manifest: &mut Map<String, Json>, key: &str, text: &str) {
    let metadata = manifest.entry("metadata").or_insert_with(|| json!({}));
    let Some(metadata) = metadata.as_object_mut() else { return };
    let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
    if let Some(annotations) = annotations.as_object_mut() {
        annotations.insert(key.to_owned(), json!(text));
    }
}
