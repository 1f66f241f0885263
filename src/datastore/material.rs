//! What is wrong with credentials, as far as they are known: PEM, keys and certificates that fit, signatures, expiry.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretSlice};
use tfplugin::schema::Problem;
use tfplugin::{Diagnostic, Severity};

use super::part::Part;
use crate::kamaji::certificate::{Certificate, check_pair, is_signed_by, read_key, read_pem};

/// How long before its end a certificate is warned of.
const NEAR: Duration = Duration::from_secs(30 * 24 * 3600);

/// Values of credentials. Shown by no formatter.
#[derive(Clone, Default)]
pub struct Material(BTreeMap<Part, SecretSlice<u8>>);

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Material {
    /// Adds the value of a part.
    pub fn put(&mut self, part: Part, value: Vec<u8>) {
        self.0.insert(part, value.into());
    }

    /// The value of a part; [`None`] if it is not known or not given.
    pub fn get(&self, part: Part) -> Option<&[u8]> {
        self.0.get(&part).map(|value| value.expose_secret())
    }

    /// The value as text; [`None`] also for bytes that are no text.
    pub fn text(&self, part: Part) -> Option<&str> {
        std::str::from_utf8(self.get(part)?).ok()
    }

    /// The first certificate of a part; [`None`] if it cannot be read.
    pub fn certificate(&self, part: Part) -> Option<Certificate> {
        read_pem(self.text(part)?).ok()?.into_iter().next()
    }
}

/// What is wrong with a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub part: Part,
    /// An error does not work; a warning may be meant.
    pub severity: Severity,
    /// What.
    pub problem: Problem,
}

impl Finding {
    /// As a diagnostic at an attribute of the part, not worse than `at_most`.
    pub fn to_diagnostic(&self, inner: &str, at_most: Severity) -> Diagnostic {
        let make = match (self.severity, at_most) {
            (Severity::Error, Severity::Error) => Diagnostic::error,
            _ => Diagnostic::warning,
        };
        make(&self.problem.summary, &self.problem.detail).at(self.part.at(inner))
    }
}

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, severity: Severity, part: Part, problem: Problem) {
        self.0.push(Finding { part, severity, problem });
    }

    fn error(&mut self, part: Part, summary: &str, detail: impl Into<String>) {
        self.add(Severity::Error, part, Problem::new(summary, detail));
    }

    fn warning(&mut self, part: Part, summary: &str, detail: impl Into<String>) {
        self.add(Severity::Warning, part, Problem::new(summary, detail));
    }
}

/// Everything that is wrong with what is known. No text of a credential is ever repeated.
pub fn judge(driver: Option<&str>, material: &Material, now: Timestamp) -> Vec<Finding> {
    let mut found = Findings(Vec::new());
    for part in [Part::Username, Part::Password] {
        login(part, material, &mut found);
    }
    for part in [Part::CaCertificate, Part::ClientCertificate] {
        certificate(part, material, now, &mut found);
    }
    pair(Part::CaCertificate, Part::CaPrivateKey, material, &mut found);
    pair(Part::ClientCertificate, Part::ClientPrivateKey, material, &mut found);
    signature(material, &mut found);
    if driver == Some("etcd") {
        for_etcd(material, &mut found);
    }
    found.0
}

fn login(part: Part, material: &Material, found: &mut Findings) {
    let Some(value) = material.get(part) else { return };
    if value.is_empty() {
        found.error(part, "Empty text", "The value is empty, which Kamaji takes for missing. Give one.");
    } else if value.ends_with(b"\n") {
        let detail = "The value ends with a line break, which is part of it: the database will refuse the login. Remove it, \
                      for example with chomp().";
        found.warning(part, "Line break at the end", detail);
    }
}

fn certificate(part: Part, material: &Material, now: Timestamp, found: &mut Findings) {
    if material.get(part).is_none() {
        return;
    }
    let all = match read_pem(material.text(part).unwrap_or_default()) {
        Ok(all) => all,
        Err(problem) => return found.add(Severity::Error, part, problem),
    };
    let Some(first) = all.first() else { return };
    if part == Part::CaCertificate && !first.is_authority {
        found.error(
            part,
            "Not the certificate of a CA",
            "The certificate may not sign others (no CA in its basic constraints). Give that of the CA which signed the \
             database's certificate, not the database's own.",
        );
    }
    let end = first.not_after;
    if end <= now {
        let detail = format!("The certificate has expired: it was good until {end}. Give a renewed one.");
        found.error(part, "Certificate has expired", detail);
    } else if end.duration_since(now).unsigned_abs() < NEAR {
        let detail =
            format!("The certificate is good until {end}. Renew it before: after that no tenant starts any more.");
        found.warning(part, "Certificate expires soon", detail);
    }
}

fn pair(certificate: Part, key: Part, material: &Material, found: &mut Findings) {
    if material.get(key).is_none() {
        return;
    }
    match read_key(material.text(key).unwrap_or_default()) {
        Err(problem) => found.add(Severity::Error, key, problem),
        Ok(private) => {
            let fits = material.text(certificate).map_or(Ok(()), |certificate| check_pair(certificate, &private));
            if let Err(problem) = fits {
                found.add(Severity::Error, key, problem);
            }
        }
    }
}

fn signature(material: &Material, found: &mut Findings) {
    let (Some(ca), Some(client)) = (material.text(Part::CaCertificate), material.text(Part::ClientCertificate)) else {
        return;
    };
    let authority = material.certificate(Part::CaCertificate).is_some_and(|authority| authority.is_authority);
    if authority && material.certificate(Part::ClientCertificate).is_some() && !is_signed_by(client, ca) {
        found.warning(
            Part::ClientCertificate,
            "Certificate signed by another CA",
            "The CA in `certificate_authority` did not sign the client certificate. The database refuses it unless it trusts \
             the other CA as well.",
        );
    }
}

fn for_etcd(material: &Material, found: &mut Findings) {
    if let Some(client) = material.certificate(Part::ClientCertificate)
        && client.common_name.as_deref() != Some("root")
    {
        let name = client.common_name.map_or_else(|| "none".to_owned(), |name| format!("{name:?}"));
        found.warning(
            Part::ClientCertificate,
            "Client certificate is not that of root",
            format!(
                "etcd takes the common name of the certificate, here {name}, as the user. Kamaji makes users and roles, which \
                 only `root` may."
            ),
        );
    }
    if material.text(Part::CaPrivateKey).is_some_and(|key| key.contains("BEGIN PRIVATE KEY")) {
        found.warning(
            Part::CaPrivateKey,
            "Key in PKCS#8 form",
            "Kamaji before 26.7.5-edge does not read a CA key in PKCS#8 form (BEGIN PRIVATE KEY): no tenant would become \
             ready. With such a Kamaji give it as PKCS#1 (BEGIN RSA PRIVATE KEY).",
        );
    }
}
