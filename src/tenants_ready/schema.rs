//! The table of the data source `kamaji_tenants_ready`.

use std::sync::LazyLock;

use tfplugin::schema::{Attribute, Mode, Problem, Schema, Validator, string, string_list};

use crate::kamaji::duration;
use crate::kamaji::readiness::Level;
use crate::managed_object::selectors::{label_selector, namespaces};
use crate::tenant_cluster::reference;
use crate::tenant_control_planes::summary;

/// The schema.
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(0, "Waits until many tenant control planes are ready.\n\nA resource that waits occupies one of the ten slots \
                  of `-parallelism`. For a fleet, let the resources return at once (`wait_for = \"accepted\"`) and wait \
                  for all of them here, in one slot and with one watch for each namespace. What depends on this data \
                  source starts when all are ready; a time-out says which are not, and why.\n\nIt is read in every \
                  plan: a fleet that is ready costs a list, and one that is not is waited for, too.", vec![
        Attribute {
            mode: Mode::OptionalComputed,
            ..string_list("ids")
                .rule(Validator::each(Validator::new("`namespace/name` of a tenant control plane", is_id)))
                .doc(
                    "The control planes: the `id`s of their resources. That they are referred to puts the wait after \
                     their creation. Without it, those that `namespaces` and `label_selector` choose are waited for, and \
                     shown here; what makes them belongs into `depends_on` then.",
                )
        },
        namespaces(),
        label_selector(),
        string("level").default("ready").rule(Level::validator()).doc(
            "How far they have to be, as in `wait_for` of `kamaji_tenant_control_plane`: `accepted`, `provisioned`, \
             `ready` or `reachable`.",
        ),
        string("timeout")
            .default("20m")
            .rule(duration::validator())
            .doc("How long all of them together may take: a duration such as `90s` or `1h30m`."),
        summary::attribute("The control planes, by namespace and name."),
    ])
});

fn is_id(value: &tfplugin::Value) -> Result<(), Problem> {
    value.as_str().map_or(Ok(()), |id| reference::parse(id).map(|_| ()))
}
