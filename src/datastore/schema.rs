//! The table of `kamaji_datastore`.

use std::sync::LazyLock;

use tfplugin::schema::{
    Attribute, Form, RecomputedBy, Schema, Validator, boolean, number, object, string, string_list,
};

use super::part::Part;
use crate::kamaji::{names, network};
use crate::managed_object::schema::{
    adopt_existing, deletion_protection, force_conflicts, metadata, not_empty, timeouts,
};

/// What is said of the connection to the database, and what a null means.
pub const CHECK_CONNECTION: [&str; 3] = ["when_reachable", "off", "require"];

/// The namespace of the Secret that the provider keeps, unless the configuration says otherwise: Kamaji's own.
pub const SECRET_NAMESPACE: &str = "kamaji-system";

/// Whatever may change the certificates of a datastore.
const CERTIFICATES: RecomputedBy = RecomputedBy::Change(&["tls_config", "credentials_secret"]);

/// The schema.
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(
        0,
        "A datastore: the etcd, PostgreSQL, MySQL or NATS in which Kamaji keeps the data of tenants. It is \
                  cluster-wide.\n\nEach credential is given in one of three ways: `secret_reference` names a key of a Secret \
                  of the management cluster; `content_wo` is write-only, and the provider keeps it in a Secret of its own; \
                  `content` stands in the DataStore and in Terraform's state, for everybody to read who can read those. With \
                  the first two no secret is in the state.\n\nKamaji accepts a datastore without connecting to it. The \
                  provider does connect, from where Terraform runs: see `check_connection`.",
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
    all.extend(configured());
    all.extend([
        object(
            "credentials_secret",
            vec![
                string("name")
                    .rule(names::dns1123_subdomain())
                    .doc("Name of the Secret. By default that of the datastore with `-credentials` behind it."),
                string("namespace")
                    .rule(names::dns1123_label())
                    .default(SECRET_NAMESPACE)
                    .doc("Its namespace, which must exist."),
            ],
        )
        .doc(
            "The Secret in which the provider keeps what is given as `content_wo`. The provider makes it before the datastore \
             and removes it after the datastore.",
        ),
        string("check_connection").rule(Validator::one_of(&CHECK_CONNECTION)).default(CHECK_CONNECTION[0]).doc(
            "Whether an apply that makes the datastore, or changes how it is reached, opens each endpoint first: TCP, then TLS \
             with the given CA and client certificate, then a login. `when_reachable`: an endpoint that does not answer from \
             where Terraform runs is a warning, everything else an error, and nothing is written. `require`: that is an error, \
             too. `off`: no connection is made.",
        ),
        boolean("wait_for_tenants").default("true").doc(
            "Whether a change of endpoints or credentials waits until every tenant that uses the datastore runs with them.",
        ),
        deletion_protection(
            "While true (the default), plans that would delete or replace the datastore are refused. A datastore that tenants \
             use is never deleted.",
        ),
        force_conflicts(),
        adopt_existing(),
        timeouts(&[("create", "5m"), ("read", "1m"), ("update", "10m"), ("delete", "10m")]),
        string("id").computed(RecomputedBy::Nothing).doc("The name, also the import id."),
        string("uid").computed(RecomputedBy::Nothing).doc("UID of the object."),
        boolean("ready").computed(RecomputedBy::Nothing).doc(
            "Whether Kamaji accepts the datastore. It looks at the presence of what is referred to, and connects to nothing. \
             Null with Kamaji before edge-26.2.5, which does not say.",
        ),
        string_list("used_by").computed(RecomputedBy::Nothing).doc(
            "Tenant control planes that use the datastore, `namespace/name`. Those that use it only as an override are \
             not listed.",
        ),
        object(
            "certificates",
            vec![
                certificate("certificate_authority", "The first certificate of the CA."),
                certificate("client_certificate", "The client certificate."),
            ],
        )
        .computed(CERTIFICATES)
        .doc("The certificates that are in use, whoever renews them. Null where the provider may not read the Secret."),
    ]);
    all
}

/// The specification of the DataStore.
fn configured() -> [Attribute; 4] {
    [
        string("driver")
            .json("spec.driver")
            .required()
            .rule(Validator::one_of(&["etcd", "MySQL", "PostgreSQL", "NATS"]))
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
        object("basic_auth", vec![content(Part::Username).required(), content(Part::Password).required()])
            .json("spec.basicAuth")
            .doc(
                "User and password of the database administrator. Needed for PostgreSQL, MySQL and NATS; not used by etcd.",
            ),
        object(
            "tls_config",
            vec![
                object(
                    "certificate_authority",
                    vec![content(Part::CaCertificate).required(), content(Part::CaPrivateKey)],
                )
                .json("certificateAuthority")
                .required()
                .doc("CA that signed the database's certificate."),
                object(
                    "client_certificate",
                    vec![content(Part::ClientCertificate).required(), content(Part::ClientPrivateKey).required()],
                )
                .json("clientCertificate")
                .doc(
                    "Client certificate of the database administrator. Needed for etcd, where it must be that of `root`. Kamaji \
                     v1.0.0 takes no `tls_config` without it, whatever the driver: its webhook fails.",
                ),
            ],
        )
        .json("spec.tlsConfig")
        .doc("TLS settings. Needed for etcd."),
    ]
}

fn certificate(name: &'static str, doc: &'static str) -> Attribute {
    object(
        name,
        vec![
            string("sha256_fingerprint")
                .computed(RecomputedBy::Nothing)
                .doc("SHA-256 of the certificate, lower-case hexadecimal."),
            string("not_after").computed(RecomputedBy::Nothing).doc("When it expires, RFC 3339."),
        ],
    )
    .computed(RecomputedBy::Nothing)
    .doc(doc)
}

/// A value that the datastore refers to or holds.
fn content(part: Part) -> Attribute {
    object(
        part.name(),
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
            .whole()
            .doc("Where the value is."),
            string("content").json("content").form(Form::Base64).sensitive().rule(Validator::non_empty()).doc(
                "The value itself, as text (not base64). It stands in the DataStore and in the state of Terraform, for \
                 everybody to read who can read those.",
            ),
            string("content_wo").write_only().rule(Validator::non_empty()).doc(
                "The value itself, as text (not base64), stored in a Secret that the provider keeps and nowhere else. It is \
                 sent when the datastore is made and when `content_wo_version` changes.",
            ),
            number("content_wo_version").rule(Validator::whole()).doc(
                "Version of `content_wo`, which is required with it: any number. Another one sends the value again.",
            ),
        ],
    )
    .json(part.api_name())
    .doc(part.doc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_where_it_says() {
        for part in Part::ALL {
            let attribute = SCHEMA.attribute(part.path()).unwrap_or_else(|| panic!("{}", part.path()));
            assert_eq!(attribute.api.as_ref().map(|api| api.key), part.api_path().rsplit('.').next());
        }
    }
}
