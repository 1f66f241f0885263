//! How other objects refer to a tenant control plane: by the `id` of its resource, `namespace/name`.

use tfplugin::identity::IdentityAttribute;
use tfplugin::schema::{Attribute, Problem, Validator, string};
use tfplugin::{Diagnostic, Path, Value};

use crate::kamaji::names::{is_dns1035_label, is_dns1123_label};
use crate::management_cluster::{Kind, ObjectRef};

/// What a configuration should say, so that Terraform knows the order of things.
pub const FORM: &str = "tenant_control_plane_id = kamaji_tenant_control_plane.<name>.id";

/// The attribute that names a control plane.
pub const ATTRIBUTE: &str = "tenant_control_plane_id";

/// Reads `namespace/name`.
///
/// # Errors
/// Another form.
pub fn parse(id: &str) -> Result<ObjectRef, Problem> {
    match id.split_once('/') {
        Some((namespace, name)) if is_dns1123_label(namespace) && is_dns1035_label(name) => {
            Ok(ObjectRef::namespaced(Kind::TenantControlPlane, namespace, name))
        }
        _ => Err(Problem::new(
            "Not the id of a control plane",
            format!("{id:?} is not of the form \"namespace/name\". Refer to the resource: `{FORM}`."),
        )),
    }
}

/// The control plane that a configuration or a state names in `tenant_control_plane_id`.
///
/// # Errors
/// Another form, at the attribute.
pub fn of(value: &Value) -> Result<ObjectRef, Diagnostic> {
    parse(value.str_at(ATTRIBUTE).unwrap_or_default())
        .map_err(|problem| Diagnostic::error(problem.summary, problem.detail).at(Path::of(ATTRIBUTE)))
}

/// The control plane in the identity of what is in a tenant.
pub const IDENTITY: IdentityAttribute =
    IdentityAttribute { name: ATTRIBUTE, optional: false, description: "The tenant, `namespace/name`." };

/// The attribute `tenant_control_plane_id`, required.
pub fn attribute(doc: &'static str) -> Attribute {
    string(ATTRIBUTE)
        .required()
        .rule(Validator::new("`namespace/name` of a tenant control plane", |value| {
            value.as_str().map_or(Ok(()), |id| parse(id).map(|_| ()))
        }))
        .doc(doc)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("tenants/a", true)]
    #[case("a", false)]
    #[case("tenants/", false)]
    #[case("/a", false)]
    #[case("tenants/a/b", false)]
    #[case("Tenants/a", false)]
    #[case("", false)]
    fn a_control_plane_is_named_by_namespace_and_name(#[case] id: &str, #[case] good: bool) {
        assert_eq!(parse(id).map(|object| object.to_string()).ok(), good.then(|| format!("TenantControlPlane {id}")));
    }
}
