//! Import ids: `namespace/name`, or `name` for cluster-wide kinds.

use tfplugin::private::Private;
use tfplugin::resource::ImportResponse;
use tfplugin::{Diagnostic, Diagnostics, Value};

use super::{Managed, ManagedResource};

impl<M: Managed> ManagedResource<M> {
    /// Just enough of a state for the read that follows.
    pub(super) fn read_import_id(&self, id: &str) -> ImportResponse {
        let mut state = self.managed.schema().null_object();
        let diagnostics = match split(id, self.managed.kind().is_namespaced()) {
            Some((namespace, name)) => {
                state.set("name", name.into());
                if let Some(namespace) = namespace {
                    state.set("namespace", namespace.into());
                }
                Diagnostics::new()
            }
            None => {
                let form = if self.managed.kind().is_namespaced() { "namespace/name" } else { "name" };
                Diagnostic::error("Import id not readable", format!("{id:?} is not of the form `{form}`.")).into()
            }
        };
        let state = if diagnostics.has_errors() { Value::Null } else { state };
        ImportResponse { state, private: Private::default(), diagnostics }
    }

    /// The command that imports an object, for error texts.
    pub(super) fn import_command(&self, value: &Value) -> String {
        let object = self.object(value);
        let id = object.namespace.map_or_else(|| object.name.clone(), |ns| format!("{ns}/{}", object.name));
        format!("terraform import {}.<name> {id}", self.managed.type_name())
    }
}

fn split(id: &str, namespaced: bool) -> Option<(Option<&str>, &str)> {
    let plain = |text: &str| !text.is_empty() && !text.contains(['/', ' ']);
    if !namespaced {
        return plain(id).then_some((None, id));
    }
    let (namespace, name) = id.split_once('/')?;
    (plain(namespace) && plain(name)).then_some((Some(namespace), name))
}

#[cfg(test)]
mod tests {
    use super::split;

    #[rstest::rstest]
    #[case("tenants/a", true, Some((Some("tenants"), "a")))]
    #[case("a", true, None)]
    #[case("a/b/c", true, None)]
    #[case("/a", true, None)]
    #[case("default", false, Some((None, "default")))]
    #[case("ns/default", false, None)]
    #[case("", false, None)]
    fn ids_have_one_form(#[case] id: &str, #[case] namespaced: bool, #[case] parts: Option<(Option<&str>, &str)>) {
        assert_eq!(split(id, namespaced), parts);
    }
}
