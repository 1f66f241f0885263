//! The table of the ephemeral resource `kamaji_kubeconfig`.

use std::sync::LazyLock;

use tfplugin::schema::{Attribute, RecomputedBy, Schema, Validator, string};

use crate::tenant_cluster::kubeconfig::User;
use crate::tenant_cluster::reference;

/// The schema.
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(
        0,
        "The admin kubeconfig of a tenant, for providers that work inside the tenant. Nothing of it is stored in \
                  the plan or the state.\n\nIt is read anew in every plan and apply, so it is never outdated. With a \
                  control plane of the same configuration refer to its `id`: until the control plane exists the id is \
                  unknown, and Terraform puts off everything that depends on it.\n\nWhile the control plane is being \
                  deleted and its kubeconfig is gone already, the results are null, with a warning, so that a destroy \
                  can be repeated.",
        attributes(),
    )
});

/// The attributes that are read.
pub(super) const RESULTS: [&str; 5] =
    ["kubeconfig", "host", "cluster_ca_certificate", "client_certificate", "client_key"];

fn result(name: &'static str) -> Attribute {
    string(name).computed(RecomputedBy::Nothing).sensitive()
}

fn attributes() -> Vec<Attribute> {
    let mut all = vec![
        reference::attribute(
            "The tenant: the `id` of a `kamaji_tenant_control_plane`, `namespace/name`. Refer to the resource: a name that \
             is written out is looked for in the first plan already.",
        ),
        string("user").default("super-admin").rule(Validator::one_of(User::WORDS)).doc(
            "Whose kubeconfig. `super-admin` (the default) is of `system:masters` and may do everything from the first \
             moment. `admin` is made cluster-admin by a binding inside the tenant, which comes some seconds after the API: \
             right after a create its requests may be refused (403).",
        ),
    ];
    let docs = [
        "The kubeconfig, YAML, with everything embedded.",
        "URL of the tenant's API, `https://host:port`.",
        "Certificate of the tenant's CA, PEM.",
        "Client certificate, PEM. It lives for a year; Kamaji renews it.",
        "Private key of the client certificate, PEM.",
    ];
    all.extend(RESULTS.into_iter().zip(docs).map(|(name, doc)| result(name).doc(doc)));
    all
}
