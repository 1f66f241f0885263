//! Rules across attributes, offline.

use tfplugin::{Diagnostic, Diagnostics, Path, Value};

/// The ends of the names of Kamaji's own Secrets: `<control plane>-ca`.
const OWN: [&str; 13] = [
    "ca",
    "front-proxy-ca-certificate",
    "sa-certificate",
    "api-server-certificate",
    "api-server-kubelet-client-certificate",
    "front-proxy-client-certificate",
    "admin-kubeconfig",
    "controller-manager-kubeconfig",
    "scheduler-kubeconfig",
    "datastore-config",
    "datastore-certificate",
    "konnectivity-certificate",
    "konnectivity-kubeconfig",
];

pub(super) fn validate(config: &Value) -> Diagnostics {
    let mut found = Diagnostics::new();
    name(config, &mut found);
    value(config.get("user"), &Path::of("user"), &mut found);
    for (index, group) in config.get("groups").as_list().unwrap_or_default().iter().enumerate() {
        let at = Path::of("groups").index(index);
        value(group, &at, &mut found);
        if group.str_at("string_value") == Some("system:masters") {
            let detail = "Members of system:masters may do everything, and no RBAC rule takes that back: only a new CA of the \
                          tenant does. Use a group of your own and bind it to the role that is needed.";
            found.push(Diagnostic::warning("Group without limits", detail).at(at.attribute("string_value")));
        }
    }
    found
}

/// A generator writes into `<control plane>-<generator>`, whatever is there.
fn name(config: &Value, found: &mut Diagnostics) {
    let Some(name) = config.str_at("name") else { return };
    let at = Path::of("name");
    if OWN.contains(&name) {
        let detail = format!(
            "The Secrets of this generator would be `<control plane>-{name}`, which is where Kamaji keeps a Secret of its own: \
             the generator would overwrite it, and break the tenants. Choose another name."
        );
        found.push(Diagnostic::error("Name of Kamaji's own Secret", detail).at(at));
    } else if let Some(end) = OWN.iter().find(|end| name.ends_with(&format!("-{end}"))) {
        let start = name.strip_suffix(end).unwrap_or_default().trim_end_matches('-');
        let detail = format!(
            "With a control plane `x` the Secret is `x-{name}`; that is Kamaji's own Secret of a control plane `x-{start}`, if \
             there is one in the namespace. Choose a name that does not end with -{end}."
        );
        found.push(Diagnostic::warning("Name may clash with Kamaji's own Secret", detail).at(at));
    }
}

/// Exactly one of the two.
fn value(value: &Value, at: &Path, found: &mut Diagnostics) {
    if !value.is_set() {
        return;
    }
    let (text, definition) = (value.get("string_value"), value.get("from_definition"));
    if text.is_set() && definition.is_set() {
        let detail = format!("`{at}` has both `string_value` and `from_definition`. Remove one of them.");
        found.push(Diagnostic::error("Value is given twice", detail).at(at.attribute("from_definition")));
    }
    if text.is_null() && definition.is_null() {
        let detail = format!("`{at}` says nothing. Set `string_value` or `from_definition`.");
        found.push(Diagnostic::error("Value is not given", detail).at(at.clone()));
    }
}
