//! What a CustomResourceDefinition says about a field.

use std::fs;
use std::path::Path;

use serde_json::Value as Json;
use tfplugin::schema::Merge;

use crate::kamaji::release::Release;

/// Each release in a folder that has the kind, with its name and the schema of the kind's spec.
pub(super) fn releases(folder: &Path, kind: &str, has: impl Fn(Release) -> bool) -> Vec<(Release, String, Json)> {
    let mut releases = Vec::new();
    for entry in fs::read_dir(folder).expect("KAMAJI_CRDS is a folder").map(|entry| entry.expect("an entry")) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(release) = Release::parse(&name).filter(|release| has(*release)) else { continue };
        let files = fs::read_dir(entry.path()).expect("a release is a folder").map(|file| file.expect("a file").path());
        let file = files.into_iter().find(|file| file.to_string_lossy().contains(kind));
        let file = file.unwrap_or_else(|| panic!("{name} has no {kind}"));
        let yaml = fs::read_to_string(&file).expect("readable");
        let definition: Json = serde_saphyr::from_str(&yaml).unwrap_or_else(|error| panic!("{name}: {error}"));
        let spec = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        releases.push((release, name, spec.clone()));
    }
    releases.sort_by_key(|(release, ..)| *release);
    releases
}

/// An object in which the API keeps nothing: whatever is written there is dropped.
pub(super) fn holds_nothing(crd: &Json) -> bool {
    crd["type"] == "object"
        && crd.get("properties").is_none()
        && crd.get("additionalProperties").is_none()
        && crd.get("x-kubernetes-preserve-unknown-fields").is_none()
}

/// The type of a field, in the words of the table.
pub(super) fn type_in(crd: &Json) -> String {
    match crd["type"].as_str() {
        _ if crd["x-kubernetes-int-or-string"] == true && crd["pattern"].is_string() => "a quantity".to_owned(),
        _ if crd["x-kubernetes-int-or-string"] == true => "a number or text".to_owned(),
        None if crd["x-kubernetes-preserve-unknown-fields"] == true => "any JSON".to_owned(),
        Some("string") if crd["format"] == "byte" => "bytes".to_owned(),
        Some("string") => "a string".to_owned(),
        Some("integer") => "a number".to_owned(),
        Some("boolean") => "a bool".to_owned(),
        Some("array") => format!("a list of {}", type_in(&crd["items"])),
        Some("object") if crd["additionalProperties"].is_object() => {
            format!("a map of {}", type_in(&crd["additionalProperties"]))
        }
        Some("object") => "an object".to_owned(),
        other => format!("of type {other:?}"),
    }
}

/// How the API merges a field.
pub(super) fn merge_in(crd: &Json) -> Merge {
    let keys = crd["x-kubernetes-list-map-keys"].as_array().into_iter().flatten();
    match crd["x-kubernetes-list-type"].as_str().or(crd["x-kubernetes-map-type"].as_str()) {
        Some("set") => Merge::Set,
        Some("map") => {
            // As static as the table; a test ends soon.
            Merge::Keys(keys.map(|key| &*key.as_str().unwrap_or_default().to_owned().leak()).collect::<Vec<_>>().leak())
        }
        Some("atomic") if crd["type"] == "object" => Merge::Whole,
        _ => Merge::Members,
    }
}

/// The CEL rules of a field.
pub(super) fn validations(crd: &Json) -> impl Iterator<Item = &str> {
    crd["x-kubernetes-validations"].as_array().into_iter().flatten().filter_map(|rule| rule["rule"].as_str())
}

/// `certSANs` → `cert_sans`, `dnsServiceIPs` → `dns_service_ips`, `coreDNS` → `core_dns`.
pub(super) fn snake_case(key: &str) -> String {
    let letters: Vec<char> = key.chars().collect();
    let mut name = String::new();
    for (index, letter) in letters.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| letters.get(before)).copied();
        // The `s` of a plural belongs to the capitals before it.
        let after: String = letters.iter().skip(index + 1).take(2).collect();
        let starts_word = after.starts_with(|c: char| c.is_ascii_lowercase()) && after != "s";
        let starts = letter.is_ascii_uppercase()
            && before.is_some_and(|before| before.is_ascii_lowercase() || (before.is_ascii_uppercase() && starts_word));
        if starts {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

#[test]
fn keys_become_names() {
    for (key, name) in [
        ("certSANs", "cert_sans"),
        ("dnsServiceIPs", "dns_service_ips"),
        ("coreDNS", "core_dns"),
        ("allowAddressAsExternalIP", "allow_address_as_external_ip"),
        ("configurationJSONPatches", "configuration_json_patches"),
        ("targetWWNs", "target_wwns"),
        ("seLinuxOptions", "se_linux_options"),
        ("downwardAPI", "downward_api"),
        ("fsType", "fs_type"),
    ] {
        assert_eq!(snake_case(key), name);
    }
}
