//! The table of `kamaji_datastore`.

use std::sync::LazyLock;

use tfplugin::schema::{Attribute, RecomputedBy, Schema, Validator, object, string, string_list};

use crate::kamaji::{names, network};
use crate::managed_object::schema::{
    adopt_existing, deletion_protection, force_conflicts, metadata, not_empty, timeouts,
};

/// The schema.
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(
        0,
        "A datastore: the etcd, PostgreSQL, MySQL or NATS in which Kamaji keeps the data of tenants. It is \
                  cluster-wide. Credentials are references to Secrets of the management cluster; no secret is in the \
                  state.\n\nKamaji accepts a datastore without connecting to it: a wrong endpoint or credential shows \
                  only at the first tenant.",
        attributes(),
    )
});

fn attributes() -> Vec<Attribute> {
    let mut all = metadata(
        string("name")
            .rule(names::data_store_name())
            .doc("Name of the DataStore. It becomes a label value of the tenants' pods: at most 63 characters."),
        None,
    );
    all.extend([
        string("driver")
            .json("spec.driver")
            .required()
            .rule(Validator::one_of(&["etcd", "PostgreSQL", "MySQL", "NATS"]))
            .replace("a datastore cannot change its driver; tenants that use it must be moved first")
            .doc("Kind of database: `etcd`, `PostgreSQL`, `MySQL` or `NATS`."),
        string_list("endpoints")
            .json("spec.endpoints")
            .required()
            .rule(not_empty("a datastore without an address holds nothing"))
            .rule(Validator::each(network::host_port()))
            .doc(
                "Addresses of the database, `host:port` without scheme; IPv6 in brackets. PostgreSQL and MySQL use the \
                 first only. A change rolls out every tenant that uses the datastore.",
            ),
        object(
            "basic_auth",
            vec![
                secret("username", "username", "User name.").required(),
                secret("password", "password", "Password.").required(),
            ],
        )
        .json("spec.basicAuth")
        .doc("User and password of the database administrator. Needed for PostgreSQL, MySQL and NATS; not used by etcd."),
        object(
            "tls_config",
            vec![
                object(
                    "certificate_authority",
                    vec![
                        secret("certificate", "certificate", "Certificate of the CA, PEM.").required(),
                        secret(
                            "private_key",
                            "privateKey",
                            "Private key of the CA, PEM. Needed for etcd: Kamaji signs a client certificate per tenant.",
                        ),
                    ],
                )
                .json("certificateAuthority")
                .required()
                .doc("CA that signed the database's certificate."),
                object(
                    "client_certificate",
                    vec![
                        secret("certificate", "certificate", "Client certificate, PEM.").required(),
                        secret("private_key", "privateKey", "Private key of the client certificate, PEM.").required(),
                    ],
                )
                .json("clientCertificate")
                .doc("Client certificate of the database administrator. Needed for etcd, where it must be that of `root`."),
            ],
        )
        .json("spec.tlsConfig")
        .doc("TLS settings. Needed for etcd."),
        deletion_protection(
            "While true (the default), plans that would delete or replace the datastore are refused.",
        ),
        force_conflicts(),
        adopt_existing(),
        timeouts(&[("create", "5m"), ("read", "1m"), ("update", "10m"), ("delete", "10m")]),
        string("id").computed(RecomputedBy::Nothing).doc("The name, also the import id."),
        string("uid").computed(RecomputedBy::Nothing).doc("UID of the object."),
        string_list("used_by").computed(RecomputedBy::Nothing).doc(
            "Tenant control planes that use the datastore, `namespace/name`. Those that use it only as an override are \
             not listed.",
        ),
    ]);
    all
}

/// A value in a Secret of the management cluster.
fn secret(name: &'static str, key: &'static str, doc: &'static str) -> Attribute {
    object(
        name,
        vec![
            object(
                "secret_reference",
                vec![
                    string("name").json("name").required().rule(names::dns1123_subdomain()).doc("Name of the Secret."),
                    string("namespace")
                        .json("namespace")
                        .required()
                        .rule(names::dns1123_label())
                        .doc("Namespace of the Secret; there is no default, since a datastore is cluster-wide."),
                    string("key_path")
                        .json("keyPath")
                        .required()
                        .rule(Validator::non_empty())
                        .doc("Key in the Secret's data, not a path."),
                ],
            )
            .json("secretReference")
            .required()
            .whole()
            .doc("Where the value is."),
        ],
    )
    .json(key)
    .doc(doc)
}
