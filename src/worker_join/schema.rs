//! The table of `kamaji_worker_join`, and the parts of it that its ephemeral twin shares.

use std::sync::LazyLock;

use tfplugin::schema::{
    Attribute, Mode, RecomputedBy, Schema, Validator, boolean, list_of, number, object, string, string_list, string_map,
};

use crate::kamaji::join::{Discovery, attributes, user_data};
use crate::kamaji::{bootstrap_token, duration, network, version};
use crate::managed_object::schema::timeouts;
use crate::tenant_cluster::{public_token, reference};

/// The time to live of a token, unless the configuration says otherwise: kubeadm's own default.
pub const TTL: &str = "24h";
/// What is done about the end of a token, unless the configuration says otherwise.
pub const RENEWAL_POLICY: &str = "never";

/// The schema.
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let mut all = vec![reference::attribute(
        "The tenant to join: the `id` of a `kamaji_tenant_control_plane`, `namespace/name`. Refer to the resource, so that \
         Terraform makes the control plane first.",
    )
    .replace("a token belongs to one tenant; the old one is revoked")];
    all.extend(token_inputs());
    all.extend(payload_inputs());
    all.push(timeouts(&[("create", "15m"), ("read", "1m"), ("update", "5m"), ("delete", "2m")]));
    all.extend(token_outputs());
    all.extend(payload_outputs());
    Schema::new(0, DESCRIPTION, all)
});

const DESCRIPTION: &str = "What a machine needs to join a tenant as a worker: a bootstrap token, and user data and a command \
    that use it.\n\nThe create waits until the tenant's API answers from where Terraform runs and takes nodes, makes a token \
    in the tenant, and renders the outputs. The machines themselves are made with other resources, for example with \
    `user_data = kamaji_worker_join.pool.user_data.cloud_config`. Unless an `installer` is set, they bring a container \
    runtime, kubelet and kubeadm; nothing is installed.\n\nThe user data stays as it was rendered: neither an upgrade of the \
    tenant nor a new release of this provider changes it, so that running machines are not replaced. It is rendered again \
    when something that is set here changes, or the tenant's CA or address. A change of `keepers` renders everything \
    anew, with a new token.\n\nThe token expires after `ttl`. Machines that have joined stay; no machine joins any more. \
    What then happens says `renewal_policy`. The clock is looked at in a refresh only: with `-refresh=false` an expired \
    token goes unnoticed. Use one resource per machine (`for_each`) or pool, and a short `ttl`: whoever holds the token \
    can join as a node of any name until it expires.\n\nThe token is in the state, as sensitive values are, because machines \
    take their user data from it. With `store_secret = false` it is not, and neither is what holds it; the ephemeral resource \
    `kamaji_worker_join` renders it from `token_id`.\n\nA token that was removed from the tenant before its end was revoked by \
    somebody: it is never made valid again. With the policies `extend` and `rotate` a new one is planned.\n\nA destroy revokes \
    the token. If the tenant cannot be reached, it fails until the token has expired. Nodes that have joined are neither \
    drained nor deleted. Import is not possible.";

/// The schema of the ephemeral twin.
pub static EPHEMERAL: LazyLock<Schema> = LazyLock::new(|| {
    let text = |name| string(name).computed(RecomputedBy::Nothing);
    let mut all = vec![
        reference::attribute(
            "The tenant to join: the `id` of a `kamaji_tenant_control_plane`, `namespace/name`. Refer to the resource, so \
             that Terraform makes the control plane first.",
        ),
        Attribute {
            mode: Mode::OptionalComputed,
            ..string("token_id").rule(bootstrap_token::id()).doc(
                "Public part of a token that is there, six characters: the `token_id` of a resource `kamaji_worker_join` with \
                 `store_secret = false`. Its secret is read from the tenant. Without it a token is made.",
            )
        },
        ttl("How long a token that is made can be used, a duration such as `90m`, at least `1m`. It is prolonged half way as \
             long as the run lasts.")
        .default(EPHEMERAL_TTL),
        boolean("revoke_on_close").default("false").doc(
            "Whether a token that was made is removed at the end of the run: for machines that have joined by then, because \
             a provisioner has waited for them. Otherwise it stays until its end.",
        ),
        description(),
        extra_groups(),
        include_default_group(),
        public_token::attribute(),
    ];
    all.extend(payload_inputs());
    all.extend([
        text("join_id").doc(
            "Names the join. Nodes carry it as label `terraform.kamaji.clastix.io/join-id`; null for a token that no join has \
             made.",
        ),
        text("token").sensitive().doc("The token, `id.secret`."),
        text("expiration").doc("When the token expires, RFC 3339 in UTC, if it is not prolonged."),
    ]);
    all.extend(payload_outputs());
    Schema::new(0, EPHEMERAL_DESCRIPTION, all)
});

/// The time to live of a token that the ephemeral twin makes.
pub const EPHEMERAL_TTL: &str = "1h";

const EPHEMERAL_DESCRIPTION: &str = "User data for machines that join a tenant, and the token in it, stored nowhere: for \
    write-only arguments of secret stores, provisioners and `connection` blocks. Most resources that make machines take no \
    ephemeral values as user data.\n\nWith `token_id` it renders what the resource `kamaji_worker_join` with `store_secret = \
    false` keeps out of the state; the settings of the machines have to be given here, too. It makes and changes nothing. \
    \n\nWithout `token_id` it makes a token of its own, at each opening: once for the plan and once for the apply, and also \
    for a destroy. Each is prolonged as long as the run lasts, and then ends after `ttl`, or at once with \
    `revoke_on_close`.\n\nIn a tenant that is scaled to zero, does not answer or takes no nodes, and for a token that is not \
    there any more, the results are null, with a warning, so that no plan fails.";

fn token_inputs() -> Vec<Attribute> {
    vec![
        ttl("How long the token can be used, a duration such as `90m` or `24h`. A change counts from the \
             moment it is applied, and keeps token and user data."),
        string("renewal_policy").default(RENEWAL_POLICY).rule(Validator::one_of(super::renewal::Policy::WORDS)).doc(
            "What an apply does about a token that has expired, or does within `renew_before`. `never`: nothing; the plan \
             stays empty. `extend`: the same token lives for another `ttl`, and the user data stays as it is, so that no \
             machine is replaced. `rotate`: a new token and new user data; machines whose user data must not change need \
             `ignore_changes`.",
        ),
        string("renew_before").rule(duration::validator()).canonical(duration::canonical_value).doc(
            "How long before its end the token is renewed: more than the time between two applies, and less than `ttl`. By default it is renewed once it has expired.",
        ),
        description(),
        extra_groups(),
        include_default_group(),
        string_map("keepers").doc(
            "Anything. A change makes a new token and renders everything anew, with the templates of this release of the \
             provider and the version that the tenant has then.",
        ),
        boolean("store_secret").default("true").doc(
            "Whether the token and what holds it are in the state. If not, those outputs are null. A change makes a new \
             token.",
        ),
        Attribute {
            write_only: true,
            ..string("token_wo").sensitive().rule(bootstrap_token::validator()).doc(
                "A token of your own, `id.secret`, which is not stored. The outputs that would hold it are null, as with \
                 `store_secret = false`.",
            )
        },
        number("token_wo_version").rule(Validator::whole()).doc("A change makes `token_wo` the token."),
        public_token::attribute(),
    ]
}

/// How long a token lives.
pub(super) fn ttl(doc: &'static str) -> Attribute {
    string("ttl").default(TTL).rule(duration::validator()).canonical(duration::canonical_value).doc(doc)
}

/// What the Secret of a token says it is for.
pub(super) fn description() -> Attribute {
    string("description").rule(Validator::non_empty()).doc("What the token is for; in its Secret in the tenant.")
}

/// Groups of a token.
pub(super) fn extra_groups() -> Attribute {
    string_list("extra_groups")
        .rule(Validator::each(bootstrap_token::group()))
        .doc("Groups of the token's holder, `system:bootstrappers:…`, for RBAC of your own in the tenant.")
}

/// Whether a token is of the group that Kamaji lets join.
pub(super) fn include_default_group() -> Attribute {
    boolean("include_default_group").default("true").doc(
        "Whether the token is in the group that Kamaji lets join nodes. Without it RBAC of your own has to, for one of \
         `extra_groups`.",
    )
}

/// What payloads are rendered from, beside the token and the tenant.
pub(super) fn payload_inputs() -> Vec<Attribute> {
    let mut all = vec![
        Attribute {
            mode: Mode::OptionalComputed,
            ..string("kubernetes_version").rule(version::validator()).canonical(version::canonical_value).doc(
                "Version of kubelet and kubeadm on the machines, `v1.30.2`. By default the one that the tenant runs when the \
                 token is made; a later upgrade of the tenant does not change it.",
            )
        },
        Attribute {
            mode: Mode::OptionalComputed,
            ..string("endpoint").rule(network::host_port()).doc(
                "Where machines reach the tenant's API, `host:port`. By default the address that Kamaji tells them. Another \
                 one must be in the API server's certificate (`network_profile.cert_sans`), and means `discovery = \"file\"`.",
            )
        },
        string("discovery").rule(Validator::one_of(Discovery::WORDS)).doc(
            "How machines recognise the tenant. `token` (the default): by the token's signature and the pin of the CA, at \
             the address that Kamaji tells them. `file` (the default with `endpoint`): by a kubeconfig with the CA, which the \
             payloads bring along.",
        ),
        list_of(
            "user_data_parts",
            vec![
                string("content_type").required().rule(Validator::one_of(user_data::PART_TYPES)).doc("Its MIME type."),
                string("content").required().doc("What is in it."),
            ],
        )
        .doc("Parts of `user_data.mime` after the one that joins the machine."),
    ];
    all.extend(attributes::machine());
    all
}

fn token_outputs() -> Vec<Attribute> {
    let nothing = RecomputedBy::Nothing;
    vec![
        string("id").computed(nothing.clone()).doc("`namespace/name/join_id`."),
        string("join_id").computed(nothing.clone()).doc(
            "Names this join. Nodes carry it as label `terraform.kamaji.clastix.io/join-id`; it stays when the token changes.",
        ),
        string("token_id").computed(nothing.clone()).doc("Public part of the token, six characters."),
        string("token").computed(nothing.clone()).sensitive().doc("The token, `id.secret`."),
        string("expiration").computed(nothing.clone()).doc(
            "When the token expires, RFC 3339 in UTC: `2026-01-02T03:04:05Z`.",
        ),
        string("status").computed(nothing).doc(
            "What the last refresh found: `valid`, `renewal_due`, `expired`, or `revoked` by somebody else.",
        ),
    ]
}

/// What is known of the tenant and rendered with the token.
pub(super) fn payload_outputs() -> Vec<Attribute> {
    let text = |name| string(name).computed(RecomputedBy::Nothing);
    let secret = |name| text(name).sensitive();
    let forms =
        |each: &dyn Fn(&'static str) -> Attribute| user_data::FORMS.iter().map(|form| each(form)).collect::<Vec<_>>();
    vec![
        text("ca_certificate").doc("Certificates of the tenant's CA, PEM."),
        string_list("ca_cert_hashes").computed(RecomputedBy::Nothing).doc(
            "Pins of the tenant's CA, by which machines recognise the tenant: `sha256:` and 64 hexadecimal digits.",
        ),
        string_list("cluster_dns")
            .computed(RecomputedBy::Nothing)
            .doc("Addresses of the tenant's DNS, for kubelets without kubeadm."),
        text("cluster_domain").doc("DNS domain of the tenant."),
        secret("join_command").doc(
            "`kubeadm join …` for a shell of root on a machine. Null where kubeadm has no flags for what is set. Nodes that \
             join with it do not carry the label of the join.",
        ),
        secret("join_configuration").doc(
            "kubeadm's JoinConfiguration, YAML: v1beta4 for `kubernetes_version` from v1.31, v1beta3 before.",
        ),
        text("discovery_kubeconfig").doc("Kubeconfig with address and CA and no credentials, for kubeadm's discovery by file."),
        secret("bootstrap_kubeconfig").doc("Kubeconfig with the token, for a kubelet's `--bootstrap-kubeconfig`."),
        object("user_data", forms(&|form| string(form).computed(RecomputedBy::Nothing).sensitive().doc(user_data::about(form))))
            .computed(RecomputedBy::Nothing)
            // Of an object that is unknown as a whole, core does not see what is sensitive inside.
            .sensitive()
            .doc(
                "User data that joins a machine at its first boot. A machine that has joined already is left alone; the \
                 token is on disk only while kubeadm runs.",
            ),
        object(
            "user_data_size",
            forms(&|form| number(form).computed(RecomputedBy::Nothing).doc("Bytes; null where the form cannot say what is set.")),
        )
        .computed(RecomputedBy::Nothing)
        .doc("Sizes of `user_data`. Amazon EC2 takes 16384 bytes."),
        object("user_data_sha256", forms(&|form| text(form).doc("Hexadecimal digits.")))
            .computed(RecomputedBy::Nothing)
            .doc("SHA-256 of each `user_data`, to trigger on."),
        number("template_version").computed(RecomputedBy::Nothing).doc("Version of the templates that it was rendered with."),
    ]
}
