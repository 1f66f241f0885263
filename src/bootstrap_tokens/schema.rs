//! The table of the data source `kamaji_bootstrap_tokens`.

use std::sync::LazyLock;

use tfplugin::schema::{Attribute, RecomputedBy, Schema, boolean, list_of, string, string_list};

use crate::tenant_cluster::inquiry;

/// The schema.
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let mut all = inquiry::attributes().to_vec();
    all.push(
        list_of("tokens", token())
            .computed(RecomputedBy::Nothing)
            .doc("The tokens, by id. Null if the tenant does not answer."),
    );
    Schema::new(
        0,
        "The bootstrap tokens of a tenant: with which of them machines can join it, and until when. No secret is read into \
         the state.\n\nA token that everybody knows, `public`, is worth a warning: Kamaji before edge-25.3.1 leaves one in \
         every new tenant for a day. An apply of `kamaji_tenant_control_plane` or `kamaji_worker_join` removes it; a data \
         source changes nothing.",
        all,
    )
});

fn token() -> Vec<Attribute> {
    let text = |name| string(name).computed(RecomputedBy::Nothing);
    let texts = |name| string_list(name).computed(RecomputedBy::Nothing);
    let flag = |name| boolean(name).computed(RecomputedBy::Nothing);
    vec![
        text("id").doc("Public part of the token, six characters. Null if its Secret is no valid token."),
        text("secret_name").doc("Name of its Secret in `kube-system` of the tenant."),
        text("description").doc("What it is for, if its Secret says so."),
        texts("usages").doc("What it can be used for: `authentication`, `signing`. To join by token a machine needs both."),
        texts("groups").doc("Groups of its holder, beside `system:bootstrappers`."),
        text("expiration").doc("When it expires, RFC 3339 in UTC: `2026-01-02T03:04:05Z`. Null if never."),
        flag("expired").doc(
            "Whether it had expired when it was read. The tenant removes such a token soon; an expiration that is no time \
             counts as past.",
        ),
        text("join_id").doc("The `join_id` of the `kamaji_worker_join` that made it; null for others."),
        flag("public").doc("Whether it is the token of kubeadm's documentation, which everybody knows."),
        text("problem").doc("Why the tenant takes it for no valid token, whatever the rest says. Null if it is one."),
    ]
}
