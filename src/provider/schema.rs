//! The table of the provider block.

use std::sync::LazyLock;

use tfplugin::schema::{
    Attribute, Kind, Problem, Schema, Validator, boolean, number, object, string, string_list, string_map,
};
use tfplugin::value::Type;

use crate::configured::FIELD_MANAGER;
use crate::kamaji::{metadata, names};

/// The schema.
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(0,
    "Manages hosted Kubernetes control planes with [Kamaji](https://kamaji.clastix.io).\n\nThe provider \
                  talks to the API of the management cluster, in which Kamaji runs. The cluster must be named: by a \
                  kubeconfig (`config_path` or `kubeconfig`), by `host` and credentials, by `in_cluster`, or by the \
                  environment variables of the hashicorp/kubernetes provider. Nothing is guessed.",
    vec![
        string("config_path").doc(
            "Path of a kubeconfig; `~` is the home directory, a relative path starts where Terraform runs. Environment: \
             `KUBE_CONFIG_PATH`. `$KUBECONFIG` itself is not read. A credential plugin (`exec`) in it runs without a \
             terminal.",
        ),
        string_list("config_paths").rule(Validator::each(Validator::non_empty())).doc(
            "Paths of several kubeconfigs, merged as kubectl merges `$KUBECONFIG`: the first to say something wins, and \
             missing ones are passed over. Conflicts with the other sources. Environment: `KUBE_CONFIG_PATHS`, separated \
             by colons (semicolons on Windows).",
        ),
        string("config_context")
            .doc("Context in the kubeconfigs; its `current-context` by default. Environment: `KUBE_CTX`."),
        string("kubeconfig").sensitive().doc(
            "Text of a kubeconfig, YAML: for a kubeconfig that another resource or a secret store gives. Conflicts with \
             `config_path`, `host` and `in_cluster`.",
        ),
        string("host").doc(
            "URL of the API server, `https://host:port`, with a path if it has one (Rancher). Conflicts with \
             `config_path`, `kubeconfig` and `in_cluster`. Environment: `KUBE_HOST`.",
        ),
        string("token").sensitive().doc(
            "Bearer token, such as that of a service account. Beside a kubeconfig it replaces the user. Environment: \
             `KUBE_TOKEN`.",
        ),
        string("client_certificate").doc(
            "Client certificate, PEM; needs `client_key`. Beside a kubeconfig it replaces the user. Environment: \
             `KUBE_CLIENT_CERT_DATA`.",
        ),
        string("client_key").sensitive().doc(
            "Private key of the client certificate, PEM (PKCS#8, PKCS#1 or SEC1, not encrypted). Environment: \
             `KUBE_CLIENT_KEY_DATA`.",
        ),
        string("cluster_ca_certificate").doc(
            "Certificates of the CA that signed the API server's certificate, PEM. The operating system's by default. \
             Base64 from a kubeconfig needs `base64decode()`. Environment: `KUBE_CLUSTER_CA_CERT_DATA`.",
        ),
        exec(),
        impersonate(),
        boolean("insecure").default("false").doc(
            "Whether any certificate of the API server is accepted. Only for tests: whoever is on the way sees the \
             credentials. Environment: `KUBE_INSECURE`.",
        ),
        string("tls_server_name").doc(
            "Name that the API server's certificate must hold, if not that of the host. Environment: \
             `KUBE_TLS_SERVER_NAME`.",
        ),
        string("proxy_url").doc(
            "Proxy before the API server: `http://`, `https://` or `socks5://`, host and port. By default that of the \
             kubeconfig, else `HTTPS_PROXY` unless `NO_PROXY` names the API server. Environment: `KUBE_PROXY_URL`.",
        ),
        boolean("in_cluster").default("false").doc(
            "Whether Terraform runs in a pod of the management cluster and uses the pod's service account. Conflicts \
             with the other sources and with `token`, `client_certificate`, `client_key` and `cluster_ca_certificate`.",
        ),
        number("max_in_flight").default("32").rule(Validator::between(1, 1000)).doc(
            "How many requests may be under way at once. There is no other limit: the API server shares its time out \
             itself (priority and fairness) and says when it is too much. Of interest with a higher `-parallelism`.",
        ),
        string("field_manager").default(FIELD_MANAGER).rule(names::field_manager()).doc(
            "Name under which the provider owns the fields that it writes (server-side apply). Give each configuration \
             that shares objects its own name.",
        ),
        boolean("offline").default("false").doc(
            "Whether plans are made without asking the management cluster: the state is shown as it was at the last \
             refresh, and an apply fails.",
        ),
        string("plan_check").default("server").rule(Validator::one_of(&["server", "schema"])).doc(
            "What plans are checked with. `server`: a changed object is sent to the API server as a dry-run, so that its \
             schema, Kamaji's webhooks and other admission are heard before the apply, and its surroundings are looked \
             at. `schema`: only with what the provider knows, for credentials that may read but not write.",
        ),
        boolean("check_overlaps").default("false").doc(
            "Whether networks, addresses and host names of a tenant may not be those of another tenant of the management \
             cluster. The networks of tenants are separate, so overlaps are normal; they hurt where tenants are routed \
             to each other. All control planes of the cluster are listed once a run.",
        ),
        string_map("default_labels").rule(names::labels()).doc(
            "Labels of every object that this provider manages. A resource's own `labels` win; `key = null` there leaves \
             a default out. The result is the resource's `labels_all`. A change here changes all objects in place.",
        ),
        string_map("default_annotations")
            .rule(names::annotations())
            .doc("Annotations of every object that this provider manages, as `default_labels`."),
        string_list("ignore_labels").rule(Validator::each(metadata::pattern())).doc(
            "Labels that are others' business: neither read nor changed nor removed, and left out of an import. Each \
             entry is a key, or a regular expression that is found anywhere in a key, as in the hashicorp/kubernetes \
             provider. Labels that are in no configuration are left alone anyway.",
        ),
        string_list("ignore_annotations")
            .rule(Validator::each(metadata::pattern()))
            .doc("Annotations that are others' business, as `ignore_labels`."),
        crate::ssh::schema::settings(),
    ],)
});

fn exec() -> Attribute {
    object("exec", vec![
        string("api_version")
            .required()
            .rule(Validator::one_of(&["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"]))
            .doc("Version of the object that the plugin prints."),
        string("command").required().rule(Validator::non_empty()).doc(
            "The program: a name is looked up in `PATH`, a relative path starts where Terraform runs.",
        ),
        string_list("args").doc("Its arguments."),
        string_map("env").sensitive().doc("Environment variables of its own, beside those of Terraform."),
    ])
    .doc(
        "Credential plugin that gives the token or client certificate, such as `aws eks get-token`. Beside a kubeconfig it \
         replaces the user. It runs at the first request, again when what it gave expires or the API server no longer \
         accepts it, and never with a terminal; what it prints appears nowhere.",
    )
}

fn impersonate() -> Attribute {
    let extra = Attribute::new("extra", Kind::Value(Type::map(Type::list(Type::String))));
    object("impersonate", vec![
        string("user").required().rule(header()).doc(
            "Name of the user, or `system:serviceaccount:NAMESPACE:NAME`.",
        ),
        string("uid").rule(header()).doc("UID of the user."),
        string_list("groups").rule(Validator::each(header())).doc(
            "Groups of the user; `system:authenticated` is always among them.",
        ),
        extra.doc("Other attributes that an authenticator would give, such as `scopes`."),
    ])
    .doc(
        "Whom to act as. The credentials must be allowed to (verb `impersonate`); what is done is what that user may do. \
         Replaces what a kubeconfig says (`as`).",
    )
}

/// What fits a header of HTTP.
fn header() -> Validator {
    Validator::new("text of one line", |value| match value.as_str() {
        Some(text) if text.is_empty() || http::HeaderValue::from_str(text).is_err() => {
            Err(Problem::new("Not a line of text", format!("{text:?} is empty or has characters that no name has.")))
        }
        _ => Ok(()),
    })
}
