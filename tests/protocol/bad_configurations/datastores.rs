//! The mistakes in datastores, by what they start from.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use serde_json::{Value as Json, json};

use super::mistakes::Mistake;
use super::{Group, Of};

/// PEM texts; `$NAME` in the JSON stands for them.
pub struct Credentials(BTreeMap<&'static str, String>);

impl Credentials {
    pub fn new() -> Self {
        let key = || KeyPair::generate().unwrap();
        let params = |name: &str| {
            let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
            params.distinguished_name.push(DnType::CommonName, name);
            params
        };
        let authority = |name: &str| {
            let mut params = params(name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            CertifiedIssuer::self_signed(params, key()).unwrap()
        };
        let (ca, other) = (authority("ca"), authority("other"));
        let mut all = BTreeMap::new();
        let mut put = |name: &'static str, text: String| all.insert(name, text);
        // In the form that every Kamaji reads: the test of keys in PKCS#8 form has its own.
        put("CA_KEY_PKCS8", pem("PRIVATE KEY", &ca.key().serialize_der()));
        put("CA_KEY", sec1(ca.key()));
        put("CA", pem("CERTIFICATE", ca.der()));
        put("OTHER_KEY", sec1(other.key()));
        for (cert_name, key_name, user, issuer) in [
            ("CLIENT", "CLIENT_KEY", "root", &ca),
            ("FOREIGN_CLIENT", "FOREIGN_KEY", "root", &other),
            ("USER_CLIENT", "USER_KEY", "alice", &ca),
        ] {
            let key = key();
            put(cert_name, pem("CERTIFICATE", params(user).signed_by(&key, issuer).unwrap().der()));
            put(key_name, sec1(&key));
        }
        let mut old = params("root");
        old.not_before = date_time_ymd(2020, 1, 1);
        old.not_after = date_time_ymd(2021, 1, 1);
        let old_key = key();
        put("EXPIRED_CLIENT", pem("CERTIFICATE", old.signed_by(&old_key, &ca).unwrap().der()));
        put("EXPIRED_KEY", sec1(&old_key));
        put("ENCRYPTED_KEY", pem("ENCRYPTED PRIVATE KEY", b"?"));
        Self(all)
    }

    /// A JSON text with the PEM texts in their places. Longer names first: one may begin like another.
    pub fn fill_in(&self, text: &str) -> String {
        let mut names: Vec<_> = self.0.keys().collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        names.into_iter().fold(text.to_owned(), |text, name| {
            let quoted = Json::String(self.0[name].clone()).to_string();
            text.replace(&format!("\"${name}\""), &quoted)
        })
    }
}

fn pem(kind: &str, der: &[u8]) -> String {
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", BASE64.encode(der))
}

/// A P-256 key as SEC1: the octet string at the end of its PKCS#8 form.
fn sec1(key: &KeyPair) -> String {
    let pkcs8 = key.serialize_der();
    let start = pkcs8.windows(2).position(|pair| pair == [0x30, 0x6b]).expect("a P-256 key");
    pem("EC PRIVATE KEY", &pkcs8[start..start + 0x6d])
}

fn reference(key: &str) -> Json {
    json!({"secret_reference": {"name": "db", "namespace": "kamaji-system", "key_path": key}})
}

fn etcd() -> Json {
    json!({"name": "store", "driver": "etcd", "endpoints": ["etcd.example:2379"], "tls_config": {
        "certificate_authority": {"certificate": reference("ca.crt"), "private_key": reference("ca.key")},
        "client_certificate": {"certificate": reference("tls.crt"), "private_key": reference("tls.key")},
    }})
}

fn etcd_with_material() -> Json {
    let part = |name: &str| json!({"content_wo": format!("${name}"), "content_wo_version": 1});
    json!({"name": "store", "driver": "etcd", "endpoints": ["etcd.example:2379"], "tls_config": {
        "certificate_authority": {"certificate": part("CA"), "private_key": part("CA_KEY")},
        "client_certificate": {"certificate": part("CLIENT"), "private_key": part("CLIENT_KEY")},
    }})
}

fn with_login(driver: &str) -> Json {
    json!({"name": "store", "driver": driver, "endpoints": ["db.example:5432"],
        "basic_auth": {"username": reference("user"), "password": {"content_wo": "x", "content_wo_version": 1}}})
}

/// All of them.
pub fn groups() -> Vec<Group> {
    let group = |sound, mistakes| Group { of: Of::Resources, type_name: "kamaji_datastore", sound, mistakes };
    vec![
        group(etcd(), ETCD),
        group(etcd_with_material(), MATERIAL),
        group(with_login("PostgreSQL"), LOGIN),
        group(with_login("MySQL"), MYSQL),
        group(with_login("NATS"), NATS),
    ]
}

const ETCD: &[Mistake] = &[
    (r#"{"name": "Store"}"#, "name", "Store"),
    (r#"{"name": "a234567890123456789012345678901234567890123456789012345678901234"}"#, "name", "63"),
    (r#"{"driver": "Etcd"}"#, "driver", "\"etcd\""),
    (r#"{"endpoints": []}"#, "endpoints", "at least one"),
    (r#"{"endpoints": ["https://etcd.example:2379"]}"#, "endpoints[0]", "https://"),
    (r#"{"endpoints": ["etcd.example"]}"#, "endpoints[0]", "etcd.example"),
    (r#"{"endpoints": ["etcd.example:0"]}"#, "endpoints[0]", "etcd.example:0"),
    (r#"{"endpoints": ["etcd.example:70000"]}"#, "endpoints[0]", "70000"),
    (r#"{"endpoints": ["fd00::1:2379"]}"#, "endpoints[0]", "fd00::1:2379"),
    (r#"{"endpoints": ["a:1", "a:1"]}"#, "endpoints[1]", "already"),
    (r#"{"tls_config": null}"#, "tls_config", "client certificates only"),
    (
        r#"{"tls_config": {"certificate_authority": {"private_key": null}}}"#,
        "tls_config.certificate_authority.private_key",
        "for each tenant",
    ),
    (r#"{"tls_config": {"client_certificate": null}}"#, "tls_config.client_certificate", "root"),
    (
        r#"{"tls_config": {"client_certificate": {"private_key": null}}}"#,
        "tls_config.client_certificate.private_key",
        "null",
    ),
    (
        r#"{"tls_config": {"certificate_authority": {"certificate": {"secret_reference": null}}}}"#,
        "tls_config.certificate_authority.certificate",
        "says nothing",
    ),
    (
        r#"{"tls_config": {"certificate_authority": {"certificate": {"content_wo": "$CA", "content_wo_version": 1}}}}"#,
        "tls_config.certificate_authority.certificate.content_wo",
        "both `secret_reference` and `content_wo`",
    ),
    (
        r#"{"tls_config": {"client_certificate": {"certificate": {"secret_reference": {"name": "DB"}}}}}"#,
        "tls_config.client_certificate.certificate.secret_reference.name",
        "DB",
    ),
    (
        r#"{"tls_config": {"client_certificate": {"certificate": {"secret_reference": {"namespace": "a.b"}}}}}"#,
        "tls_config.client_certificate.certificate.secret_reference.namespace",
        "a.b",
    ),
    (
        r#"{"tls_config": {"client_certificate": {"certificate": {"secret_reference": {"namespace": null}}}}}"#,
        "tls_config.client_certificate.certificate.secret_reference.namespace",
        "null",
    ),
    (
        r#"{"tls_config": {"client_certificate": {"certificate": {"secret_reference": {"key_path": ""}}}}}"#,
        "tls_config.client_certificate.certificate.secret_reference.key_path",
        "empty",
    ),
    (
        r#"{"basic_auth": {"username": {"content_wo": "u", "content_wo_version": 1},
            "password": {"content_wo": "p", "content_wo_version": 1}}}"#,
        "basic_auth",
        "not used",
    ),
    (r#"{"credentials_secret": {"name": "mine"}}"#, "credentials_secret", "content_wo"),
    (r#"{"check_connection": "always"}"#, "check_connection", "when_reachable"),
    (r#"{"timeouts": {"create": "5"}}"#, "timeouts.create", "5"),
];

const MATERIAL: &[Mistake] = &[
    (r#"{"credentials_secret": {"name": "My_Secret"}}"#, "credentials_secret.name", "My_Secret"),
    (r#"{"credentials_secret": {"namespace": "a.b"}}"#, "credentials_secret.namespace", "a.b"),
    (
        r#"{"tls_config": {"certificate_authority": {"certificate": {"content_wo": "hello"}}}}"#,
        "tls_config.certificate_authority.certificate.content_wo",
        "BEGIN CERTIFICATE",
    ),
    (
        r#"{"tls_config": {"certificate_authority": {"certificate": {"content_wo": "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t"}}}}"#,
        "tls_config.certificate_authority.certificate.content_wo",
        "base64decode",
    ),
    (
        r#"{"tls_config": {"certificate_authority": {"certificate": {"content_wo": ""}}}}"#,
        "tls_config.certificate_authority.certificate.content_wo",
        "at least one character",
    ),
    (
        r#"{"tls_config": {"certificate_authority": {"certificate": {"content_wo_version": null}}}}"#,
        "tls_config.certificate_authority.certificate.content_wo_version",
        "stored nowhere",
    ),
    (
        r#"{"tls_config": {"certificate_authority": {"certificate": {"content_wo_version": 1.5}}}}"#,
        "tls_config.certificate_authority.certificate.content_wo_version",
        "whole number",
    ),
    (
        r#"{"tls_config": {"certificate_authority": {"private_key": {"content_wo": "hello"}}}}"#,
        "tls_config.certificate_authority.private_key.content_wo",
        "BEGIN PRIVATE KEY",
    ),
    (
        r#"{"tls_config": {"certificate_authority": {"private_key": {"content_wo": "$ENCRYPTED_KEY"}}}}"#,
        "tls_config.certificate_authority.private_key.content_wo",
        "encrypted",
    ),
    (
        r#"{"tls_config": {"certificate_authority": {"private_key": {"content_wo": "$OTHER_KEY"}}}}"#,
        "tls_config.certificate_authority.private_key.content_wo",
        "does not belong",
    ),
    (
        r#"{"tls_config": {"certificate_authority": {"private_key": {"content_wo": "$CA_KEY_PKCS8"}}}}"#,
        "tls_config.certificate_authority.private_key.content_wo",
        "PKCS#1",
    ),
    (
        r#"{"tls_config": {"certificate_authority": {"certificate": {"content_wo": "$CLIENT"}, "private_key": {"content_wo": "$CLIENT_KEY"}}}}"#,
        "tls_config.certificate_authority.certificate.content_wo",
        "may not sign others",
    ),
    (
        r#"{"tls_config": {"client_certificate": {"private_key": {"content_wo": "$FOREIGN_KEY"}}}}"#,
        "tls_config.client_certificate.private_key.content_wo",
        "does not belong",
    ),
    (
        r#"{"tls_config": {"client_certificate": {"certificate": {"content_wo": "$FOREIGN_CLIENT"}, "private_key": {"content_wo": "$FOREIGN_KEY"}}}}"#,
        "tls_config.client_certificate.certificate.content_wo",
        "did not sign",
    ),
    (
        r#"{"tls_config": {"client_certificate": {"certificate": {"content_wo": "$USER_CLIENT"}, "private_key": {"content_wo": "$USER_KEY"}}}}"#,
        "tls_config.client_certificate.certificate.content_wo",
        "alice",
    ),
    (
        r#"{"tls_config": {"client_certificate": {"certificate": {"content_wo": "$EXPIRED_CLIENT"}, "private_key": {"content_wo": "$EXPIRED_KEY"}}}}"#,
        "tls_config.client_certificate.certificate.content_wo",
        "2021-01-01",
    ),
    (
        r#"{"tls_config": {"certificate_authority": {"certificate": {"content_wo": null}}}}"#,
        "tls_config.certificate_authority.certificate",
        "says nothing",
    ),
];

const LOGIN: &[Mistake] = &[
    (r#"{"basic_auth": null}"#, "basic_auth", "databases and users"),
    (r#"{"basic_auth": {"password": null}}"#, "basic_auth.password", "null"),
    (
        r#"{"basic_auth": {"password": {"content": "x"}}}"#,
        "basic_auth.password.content_wo",
        "both `content` and `content_wo`",
    ),
    (
        r#"{"basic_auth": {"password": {"content_wo": null, "content": "x", "content_wo_version": null}}}"#,
        "basic_auth.password.content",
        "for everybody to read",
    ),
    (r#"{"basic_auth": {"password": {"content_wo": "secret\n"}}}"#, "basic_auth.password.content_wo", "chomp()"),
    (
        r#"{"basic_auth": {"username": {"content_wo_version": 2}}}"#,
        "basic_auth.username.content_wo_version",
        "not given",
    ),
    (r#"{"endpoints": ["a:5432", "b:5432"]}"#, "endpoints[1]", "the first"),
    (
        r#"{"tls_config": {"certificate_authority": {"certificate": null}}}"#,
        "tls_config.certificate_authority.certificate",
        "null",
    ),
];

const MYSQL: &[Mistake] = &[
    (r#"{"basic_auth": null}"#, "basic_auth", "databases and users"),
    (r#"{"endpoints": ["a:3306", "b:3306"]}"#, "endpoints[1]", "the first"),
    (r#"{"driver": "MariaDB"}"#, "driver", "MySQL"),
];

const NATS: &[Mistake] = &[
    (r#"{"basic_auth": null}"#, "basic_auth", "even if the server wants no login"),
    (r#"{"endpoints": ["nats://n:4222"]}"#, "endpoints[0]", "nats://"),
];
