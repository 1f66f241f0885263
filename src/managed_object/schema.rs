//! Attributes that every object of the management cluster has.

use std::time::Duration;

use tfplugin::schema::{
    Attribute, Problem, RecomputedBy, Schema, Validator, boolean, object, string, string_list, string_map,
};
use tfplugin::{Path, Value};

use crate::kamaji::metadata::pattern;
use crate::kamaji::release::Release;
use crate::kamaji::{duration, names};

/// The limit of an operation for which a table has no default.
const WITHOUT_DEFAULT: Duration = Duration::from_secs(600);

/// The first Kamaji release that has the attribute at a path (or the one that the path lies in): the newest `since` on
/// the way, as the table writes it. [`None`] for what every supported release has.
pub fn since(schema: &Schema, path: &Path) -> Option<&'static str> {
    let names = path.attributes();
    let ends = names.match_indices('.').map(|(end, _)| end).chain([names.len()]);
    let own = ends.filter_map(|end| schema.attribute(names.get(..end)?)?.api.as_ref()?.since);
    own.max_by_key(|since| Release::parse(since))
}

/// `name`, `namespace` (unless the object is cluster-wide), `labels`, `annotations`, and what goes with them.
pub fn metadata(name: Attribute, namespace: Option<Attribute>) -> Vec<Attribute> {
    let mut all = vec![name.json("metadata.name").required().replace("the name is the identity of the object")];
    all.extend(namespace.map(|namespace| {
        namespace.json("metadata.namespace").required().replace("an object cannot move between namespaces")
    }));
    all.push(string_map("labels").json("metadata.labels").rule(names::labels()).doc(
        "Labels, beside the provider's `default_labels`. Only the keys given here are managed; those of others stay as \
                 they are. `null` as a value leaves a default out.",
    ));
    all.push(
        string_map("annotations")
            .json("metadata.annotations")
            .rule(names::annotations())
            .doc(
                "Annotations, beside the provider's `default_annotations`. Only the keys given here are managed; those of others \
                 stay as they are. `null` as a value leaves a default out.",
            ),
    );
    all.extend([
        string_list("ignore_labels").rule(Validator::each(pattern())).doc(
            "Labels of this object that are others' business, beside the provider's `ignore_labels`: neither read nor changed \
             nor removed, also not given by `default_labels`. Each entry is a key, or a regular expression that is found \
             anywhere in a key.",
        ),
        string_list("ignore_annotations")
            .rule(Validator::each(pattern()))
            .doc("Annotations of this object that are others' business, as `ignore_labels`."),
        string_map("labels_all")
            .json("metadata.labels")
            .computed(RecomputedBy::Nothing)
            .doc("All labels that are managed: `labels` over the provider's `default_labels`."),
        string_map("annotations_all")
            .json("metadata.annotations")
            .computed(RecomputedBy::Nothing)
            .doc("All annotations that are managed: `annotations` over the provider's `default_annotations`."),
    ]);
    all
}

/// `deletion_protection`, with the object's own description.
pub fn deletion_protection(doc: &'static str) -> Attribute {
    boolean("deletion_protection").default("true").doc(doc)
}

/// `destroy_owned`
pub fn destroy_owned() -> Attribute {
    boolean("destroy_owned").default("false").doc(
        "Whether the object may be deleted or replaced although another object owns it (`metadata.ownerReferences`), as a \
         KamajiControlPlane of Cluster API does. By default that is refused with the owner's name: whoever manages the owner \
         may make it again. Counts as it was applied last.",
    )
}

/// `force_conflicts`
pub fn force_conflicts() -> Attribute {
    boolean("force_conflicts").default("false").doc(
        "Whether fields that another manager has claimed for good (a GitOps tool, an autoscaler) are taken over. By \
         default such a field is an error that names the manager.",
    )
}

/// `adopt_existing`
pub fn adopt_existing() -> Attribute {
    boolean("adopt_existing").default("false").doc(
        "Whether a create takes over an object that exists already, as an import would, and changes it to what is \
         configured. By default that is an error that names the import command.",
    )
}

/// `timeouts`, an object with one duration per operation; `defaults` are operations and their default.
pub fn timeouts(defaults: &[(&'static str, &'static str)]) -> Attribute {
    let each = |(operation, default): &(&'static str, &'static str)| {
        string(operation).rule(duration::validator()).default(default).doc(match *operation {
            "create" => "How long a create may take, with all waiting.",
            "read" => "How long a refresh may take.",
            "update" => "How long an update may take, with all waiting.",
            "delete" => "How long a delete may take, until the object and what belonged to it are gone.",
            "invoke" => "How long the action may take, with all waiting.",
            _ => "How long it may take.",
        })
    };
    object("timeouts", defaults.iter().map(each).collect())
        .doc("How long operations may take: durations such as `90s` or `1h30m`.")
}

/// The time that an operation on the object of `value` may take: configured, or the default of [`timeouts`] in the table.
pub fn timeout(schema: &Schema, value: &Value, operation: &str) -> Duration {
    let attribute = format!("timeouts.{operation}");
    let default = schema.attribute(&attribute).and_then(|attribute| attribute.default);
    let text = value.str_at(&attribute).or(default);
    text.and_then(|text| duration::parse(text).ok()).unwrap_or(WITHOUT_DEFAULT)
}

/// The rule for a list whose emptiness the API cannot keep, with what would happen instead.
pub fn not_empty(consequence: &'static str) -> Validator {
    Validator::new("at least one entry", move |value| match value.as_list() {
        Some([]) => Err(Problem::new(
            "Empty list not possible",
            format!(
                "An empty list cannot be kept: {consequence}. Leave the attribute out, or give at least one entry."
            ),
        )),
        _ => Ok(()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant_control_plane::schema::SCHEMA;

    #[rstest::rstest]
    #[case("data_store", None)]
    #[case("data_store_schema", Some("edge-24.10.1"))]
    #[case("addons.konnectivity.server.security_context.privileged", Some("26.6.4-edge"))]
    #[case("control_plane.deployment.resources.kine.claims.request", Some("edge-24.9.1"))]
    fn what_is_inside_is_as_new_as_what_is_around(#[case] path: &str, #[case] first: Option<&str>) {
        assert_eq!(since(&SCHEMA, &Path::of(path)), first);
    }
}
