//! What Kamaji has issued for a control plane: Secrets with certificates, and whether one has been issued anew.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::Value as Json;

use crate::kamaji::certificate::{is_signed_by, read_pem};
use crate::kamaji::kubeconfig::Kubeconfig;

/// The component of the Secret with the tenant's CA.
pub(super) const AUTHORITY: &str = "ca";
/// The component of the Secret with the admin kubeconfigs.
pub(super) const ADMIN: &str = "admin-kubeconfig";
/// The kubeconfig of konnectivity has the certificate of konnectivity in it.
const KONNECTIVITY_KUBECONFIG: &str = "konnectivity-kubeconfig";
/// The CA of the front proxy is another one, which tenants never see; it stays.
pub(super) const FRONT_PROXY_CLIENT: &str = "front-proxy-client-certificate";

/// What is rotated, by the components of the Secrets. The certificate for the datastore is not the tenant's: it belongs to
/// the DataStore. The CA of the front proxy and the key of ServiceAccount tokens stay.
const CERTIFICATES: [&str; 4] =
    ["api-server-certificate", "api-server-kubelet-client-certificate", FRONT_PROXY_CLIENT, "konnectivity-certificate"];
const KUBECONFIGS: [&str; 4] =
    [ADMIN, "controller-manager-kubeconfig", "scheduler-kubeconfig", KONNECTIVITY_KUBECONFIG];

/// What the configuration asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Serving and client certificates.
    pub(super) certificates: bool,
    /// Kubeconfigs.
    pub(super) kubeconfigs: bool,
    /// The CA, and so all of the above.
    pub(super) authority: bool,
}

impl Wanted {
    /// True if the Secret of a component is to be issued anew.
    pub(super) fn takes(self, component: &str) -> bool {
        let is = |all: &[&str]| all.contains(&component);
        (self.authority && (component == AUTHORITY || is(&CERTIFICATES) || is(&KUBECONFIGS)))
            || (self.certificates && (is(&CERTIFICATES) || component == KONNECTIVITY_KUBECONFIG))
            || (self.kubeconfigs && is(&KUBECONFIGS))
    }
}

/// One certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// PEM, without its key.
    pub(super) pem: String,
    /// SHA-256, hex.
    pub(super) fingerprint: String,
    /// The begin of its life.
    pub(super) not_before: Timestamp,
    /// The end of its life.
    pub(super) not_after: Timestamp,
    /// The pin of its public key.
    pub(super) pin: String,
    /// In a kubeconfig: the fingerprint of the CA beside it.
    authority: Option<String>,
}

/// A Secret that Kamaji has issued. Holds no private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Issued {
    /// Its name.
    pub(super) name: String,
    /// Its UID.
    pub(super) uid: String,
    /// The label `kamaji.clastix.io/component`.
    pub(super) component: String,
    /// By the key in the Secret.
    pub(super) certificates: BTreeMap<String, Seen>,
}

impl Issued {
    /// Reads a Secret; [`None`] for one without certificates of the tenant. What cannot be read is left out: it has to be
    /// made anew in any case.
    pub(super) fn of(secret: &Json) -> Option<Self> {
        let text = |pointer: &str| secret.pointer(pointer).and_then(Json::as_str).unwrap_or_default().to_owned();
        let component = text("/metadata/labels/kamaji.clastix.io~1component");
        let everything = Wanted { certificates: true, kubeconfigs: true, authority: true };
        if !everything.takes(&component) {
            return None;
        }
        let is_kubeconfig = KUBECONFIGS.contains(&component.as_str());
        let data = secret.get("data").and_then(Json::as_object).into_iter().flatten();
        let certificates = data.filter_map(|(key, value)| {
            let text = String::from_utf8(STANDARD.decode(value.as_str()?).ok()?).ok()?;
            let seen = if is_kubeconfig {
                in_kubeconfig(&text)
            } else if key == "ca.crt" || key.ends_with(".crt") {
                seen(&text)
            } else {
                None
            };
            Some((key.clone(), seen?))
        });
        let certificates = certificates.collect();
        Some(Self { name: text("/metadata/name"), uid: text("/metadata/uid"), component, certificates })
    }

    /// The certificate of the CA; [`None`] of another Secret.
    pub(super) fn authority(&self) -> Option<&Seen> {
        (self.component == AUTHORITY).then(|| self.certificates.get("ca.crt"))?
    }

    /// What is missing until it is issued anew, as it was `before` and under the CA as it is now; [`None`] if nothing is.
    pub(super) fn lacks(before: &Self, now: Option<&Self>, authority: Option<&Seen>) -> Option<String> {
        let Some(now) = now else { return Some("it is being made".to_owned()) };
        if before.certificates.is_empty() && now.certificates.is_empty() {
            return Some("it has no certificate".to_owned());
        }
        if let Some(key) = before.certificates.keys().find(|key| !now.certificates.contains_key(*key)) {
            return Some(format!("{key} is missing"));
        }
        for (key, seen) in &now.certificates {
            if before.certificates.get(key).is_some_and(|old| old.fingerprint == seen.fingerprint) {
                return Some(format!("{key} is the old one"));
            }
            let Some(authority) =
                authority.filter(|_| ![AUTHORITY, FRONT_PROXY_CLIENT].contains(&now.component.as_str()))
            else {
                continue;
            };
            if seen.authority.as_ref().is_some_and(|beside| *beside != authority.fingerprint) {
                return Some(format!("{key} has another CA in it"));
            }
            if !is_signed_by(&seen.pem, &authority.pem) {
                return Some(format!("{key} is signed by another CA"));
            }
        }
        None
    }

    /// The earliest end of life of its certificates.
    pub(super) fn not_after(&self) -> Option<Timestamp> {
        self.certificates.values().map(|seen| seen.not_after).min()
    }
}

fn seen(pem: &str) -> Option<Seen> {
    let certificate = read_pem(pem).ok()?.into_iter().next()?;
    Some(Seen {
        pem: pem.to_owned(),
        fingerprint: certificate.fingerprint,
        not_before: certificate.not_before,
        not_after: certificate.not_after,
        pin: certificate.public_key_pin,
        authority: None,
    })
}

fn in_kubeconfig(text: &str) -> Option<Seen> {
    let kubeconfig = Kubeconfig::parse(text).ok()?;
    let authority = read_pem(&kubeconfig.ca_pem).ok()?.into_iter().next()?.fingerprint;
    Some(Seen { authority: Some(authority), ..seen(kubeconfig.client_certificate_pem.as_deref()?)? })
}
