//! The tables of the ephemeral resource and of the data source `kamaji_kubeconfig`.

use std::sync::LazyLock;

use tfplugin::schema::{Attribute, Problem, RecomputedBy, Schema, Validator, boolean, object, string};

use crate::kamaji::{duration, names};
use crate::tenant_cluster::kubeconfig::User;
use crate::tenant_cluster::minted::LONGEST;
use crate::tenant_cluster::reference;

/// The schema of the ephemeral resource.
pub static EPHEMERAL: LazyLock<Schema> = LazyLock::new(|| {
    let mut all = inputs();
    all.push(minted());
    all.extend(results().map(Attribute::sensitive));
    Schema::new(
        0,
        "The kubeconfig of a tenant, for providers that work inside the tenant. Nothing of it is stored in the plan or the \
         state.\n\nIt is one that Kamaji keeps, whose certificate lives for a year and cannot be taken back (`user`, \
         `generator`), or with `minted` one that is made for this run and ends with it.\n\nIt is read anew in every plan and \
         apply, so it is never outdated. With a control plane of the same \
         configuration refer to its `id`: until the control plane exists the id is unknown, and Terraform puts off \
         everything that depends on it.\n\nWhile the control plane is being deleted and its kubeconfig is gone already, the \
         results are null, with a warning, so that a destroy can be repeated. So they are if a credential is to be minted in \
         a tenant that is scaled to zero, does not answer, or takes no new objects.",
        all,
    )
});

/// The schema of the data source.
pub static DATA_SOURCE: LazyLock<Schema> = LazyLock::new(|| {
    let mut all = inputs();
    all.push(boolean("accept_secret_in_state").default("false").doc(
        "Whether you have read the warning that the private key is stored in the state, and need not read it again.",
    ));
    let secrets = ["kubeconfig", "client_key", "token"];
    all.extend(results().map(|result| if secrets.contains(&result.name) { result.sensitive() } else { result }));
    Schema::new(
        0,
        "The kubeconfig of a tenant, for releases of Terraform before 1.10 and of OpenTofu before 1.11.\n\n**The private key \
         is stored in the state, in plain text**, and in saved plans: whoever can read them has the tenant. Each plan says \
         so. The ephemeral resource `kamaji_kubeconfig` gives the same and stores nothing; use it wherever it can be \
         had.\n\nWhile the control plane is being deleted and its kubeconfig is gone already, the results are null, with a \
         warning.",
        all,
    )
});

/// The attributes that are read.
pub(super) const RESULTS: [&str; 6] =
    ["kubeconfig", "host", "cluster_ca_certificate", "client_certificate", "client_key", "token"];

fn inputs() -> Vec<Attribute> {
    vec![
        reference::attribute(
            "The tenant: the `id` of a `kamaji_tenant_control_plane`, `namespace/name`. Refer to the resource: a name that \
             is written out is looked for in the first plan already.",
        ),
        string("user").default("super-admin").rule(Validator::one_of(User::WORDS)).doc(
            "Whose kubeconfig. `super-admin` (the default) is of `system:masters` and may do everything from the first \
             moment. `admin` is made cluster-admin by a binding inside the tenant, which comes some seconds after the API: \
             right after a create its requests may be refused (403).",
        ),
        string("generator").rule(names::dns1123_label()).doc(
            "Instead of `user`: the `name` of a `kamaji_kubeconfig_generator` that selects the control plane. Its kubeconfig \
             is waited for.",
        ),
    ]
}

/// `minted`, of the ephemeral resource alone: what is in a state outlives the run.
fn minted() -> Attribute {
    object(
        "minted",
        vec![
            string("ttl").default(TTL).rule(duration::validator()).rule(ttl()).doc(
                "How long the credential lives if nobody renews or revokes it, for example because Terraform has crashed: a \
                 duration from `1m` to `24h`. It is renewed half way as long as the run lasts.",
            ),
            string("cluster_role").default(CLUSTER_ROLE).rule(role()).doc(
                "Name of the ClusterRole in the tenant whose rights it has, in all namespaces: `cluster-admin`, `edit`, \
                 `view`, or one of your own.",
            ),
        ],
    )
    .doc(
        "Instead of `user`: a token that is made for this run, `{}` for the defaults. A ServiceAccount in `kube-system` of the \
         tenant, a ClusterRoleBinding for it, and a token that is bound to a Secret with an end, the lease. A renewal moves \
         the end; closing removes all three, and the token is refused within ten seconds, for so long API servers remember \
         that they have seen it. If Terraform crashes, the tenant removes the lease by itself at its end, and with it the \
         ServiceAccount; the binding of nobody is removed by the next run that mints. For that the tenant's controller \
         manager must run `tokencleaner`, as it does unless `extra_args` say otherwise. However often it is renewed, the \
         token ends after 24 hours.",
    )
}

/// How long a minted credential lives unless the configuration says otherwise.
pub(super) const TTL: &str = "15m";
/// Whose rights it has then.
pub(super) const CLUSTER_ROLE: &str = "cluster-admin";

fn ttl() -> Validator {
    Validator::new("from `1m` to `24h`", |value| {
        let Some(ttl) = value.as_str().and_then(|text| duration::parse(text).ok()) else { return Ok(()) };
        // That it is longer than zero is a rule of every duration.
        if ttl.is_zero() || (60..=LONGEST).contains(&ttl.as_secs()) {
            return Ok(());
        }
        Err(Problem::new(
            "Time to live out of range",
            format!(
                "{:?} is not from `1m` to `24h`. The clock of the tenant and this one may differ; a longer run is renewed.",
                value.as_str().unwrap_or_default()
            ),
        ))
    })
}

fn role() -> Validator {
    Validator::new("the name of a ClusterRole", |value| {
        let Some(name) = value.as_str() else { return Ok(()) };
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':');
        if !name.is_empty() && name.bytes().all(allowed) && !name.bytes().all(|byte| byte == b'.') {
            return Ok(());
        }
        let detail = format!("{name:?} is not the name of a ClusterRole: letters, digits, `-`, `.` and `:`.");
        Err(Problem::new("Not the name of a ClusterRole", detail))
    })
}

fn results() -> impl Iterator<Item = Attribute> {
    let docs = [
        "The kubeconfig, YAML, with everything embedded.",
        "URL of the tenant's API, `https://host:port`.",
        "Certificate of the tenant's CA, PEM.",
        "Client certificate, PEM. It lives for a year; Kamaji renews it.",
        "Private key of the client certificate, PEM.",
        "Bearer token, where the kubeconfig has one instead of a client certificate, as a minted one has; null otherwise.",
    ];
    RESULTS.into_iter().zip(docs).map(|(name, doc)| string(name).computed(RecomputedBy::Nothing).doc(doc))
}
