//! Import ids: `namespace/name`, or `name` for cluster-wide kinds; and identities, which say the same in attributes.

use tfplugin::identity::{IdentityAttribute, IdentitySchema};
use tfplugin::private::Private;
use tfplugin::resource::ImportResponse;
use tfplugin::{Diagnostic, Diagnostics, Value};

use super::{Managed, ManagedResource};
use crate::management_cluster::Kind;

const NAME: IdentityAttribute = IdentityAttribute { name: "name", optional: false, description: "Name of the object." };
const NAMESPACE: IdentityAttribute = IdentityAttribute {
    name: "namespace",
    optional: false,
    description: "Namespace of the management cluster that the object is in.",
};
/// More than the version of hashicorp/kubernetes, which is 1: OpenTofu 1.12 keeps the identity of the resource that an object
/// is moved from, and has it upgraded as if it were an older one of the new resource. Its attributes have the same names.
const VERSION: i64 = 2;
static NAMESPACED: IdentitySchema = IdentitySchema { version: VERSION, attributes: &[NAMESPACE, NAME] };
static CLUSTER_WIDE: IdentitySchema = IdentitySchema { version: VERSION, attributes: &[NAME] };

/// What identifies an object of a kind.
pub(super) fn identity(kind: Kind) -> &'static IdentitySchema {
    if kind.is_namespaced() { &NAMESPACED } else { &CLUSTER_WIDE }
}

impl<M: Managed> ManagedResource<M> {
    /// Just enough of a state for the read that follows.
    pub(super) fn read_import_id(&self, id: &str) -> ImportResponse {
        match split(id, self.managed.kind().is_namespaced()) {
            Some((namespace, name)) => {
                self.stub(&Value::object([("namespace", Value::from(namespace)), ("name", name.into())]))
            }
            None => {
                let form = if self.managed.kind().is_namespaced() { "namespace/name" } else { "name" };
                let refused =
                    Diagnostic::error("Import id not readable", format!("{id:?} is not of the form `{form}`."));
                ImportResponse { state: Value::Null, private: Private::default(), diagnostics: refused.into() }
            }
        }
    }

    /// A state with an identity and nothing else.
    pub(super) fn stub(&self, given: &Value) -> ImportResponse {
        let mut state = self.managed.schema().null_object();
        for attribute in identity(self.managed.kind()).attributes {
            state.set(attribute.name, given.get(attribute.name).clone());
        }
        ImportResponse { state, private: Private::default(), diagnostics: Diagnostics::new() }
    }

    /// The command that imports an object, for error texts.
    pub(super) fn import_command(&self, value: &Value) -> String {
        format!("terraform import {}.<name> {}", self.managed.type_name(), self.object(value).id())
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
