//! Whether the database works, before a tenant depends on it. Kamaji itself connects only when a tenant is made.

use tfplugin::{Diagnostic, Diagnostics, Path, Value};

use super::material::Material;
use super::part::Part;
use super::schema::CHECK_CONNECTION;
use crate::database::{Driver, Failure, Login, Tls, try_out};
use crate::kamaji::network::Endpoint;

const ATTRIBUTE: &str = "check_connection";

/// Opens every endpoint that is used. `unseen`: a credential exists that the provider may not read.
pub(super) async fn check(planned: &Value, material: &Material, unseen: bool) -> Diagnostics {
    let wish = planned.str_at(ATTRIBUTE).unwrap_or(CHECK_CONNECTION[0]);
    let driver = planned.str_at("driver").and_then(Driver::named);
    let (Some(driver), false) = (driver, wish == "off") else { return Diagnostics::new() };
    let required = wish == "require";
    if unseen {
        let detail =
            "A Secret that the datastore refers to cannot be read by the provider, so the login was not tried.";
        return not_done(required, detail).at(Path::of(ATTRIBUTE)).into();
    }
    let tls = match tls(planned, material) {
        Ok(tls) => tls,
        Err(why) => {
            let detail = format!("No TLS connection can be made with the given credentials: {why}.");
            return Diagnostic::error("Credentials not usable for TLS", detail).at(Path::of("tls_config")).into();
        }
    };
    let login = material
        .text(Part::Username)
        .zip(material.text(Part::Password))
        .map(|(user, password)| Login { user, password });
    let endpoints: Vec<Endpoint> = planned
        .get("endpoints")
        .as_list()
        .into_iter()
        .flatten()
        .filter_map(|endpoint| endpoint.as_str()?.parse().ok())
        .collect();
    // Of the others only the first is used.
    let count = if matches!(driver, Driver::Etcd | Driver::Nats) { endpoints.len() } else { 1 };
    let attempts = endpoints.iter().take(count).map(|endpoint| try_out(driver, endpoint, tls.as_ref(), login));
    let mut said = Diagnostics::new();
    for (index, outcome) in futures::future::join_all(attempts).await.into_iter().enumerate() {
        let at = Path::of("endpoints").index(index);
        match outcome {
            Ok(notes) => {
                said.extend(
                    notes.into_iter().map(|note| Diagnostic::warning("Database works, but", note).at(at.clone())),
                );
            }
            Err(failure) => said.push(diagnostic(planned, &failure, at, required)),
        }
    }
    said
}

fn tls(planned: &Value, material: &Material) -> Result<Option<Tls>, String> {
    if !planned.get("tls_config").is_set() {
        return Ok(None);
    }
    let Some(ca) = material.text(Part::CaCertificate) else {
        return Err("the CA certificate is not known".to_owned());
    };
    let client = material.text(Part::ClientCertificate).zip(material.text(Part::ClientPrivateKey));
    Tls::new(ca, client).map(Some)
}

fn not_done(required: bool, why: &str) -> Diagnostic {
    let detail = format!(
        "{why} `check_connection = \"off\"` switches the check off{}.",
        if required { ", `\"when_reachable\"` makes this a warning" } else { ", `\"require\"` makes this an error" }
    );
    let make = if required { Diagnostic::error } else { Diagnostic::warning };
    make("Connection not checked", detail)
}

/// A failure at the attribute that is at fault.
fn diagnostic(planned: &Value, failure: &Failure, endpoint: Path, required: bool) -> Diagnostic {
    let nothing = "Nothing was changed.";
    let (summary, at) = match failure {
        Failure::Unreachable(why) => {
            let why = format!("{why} Kamaji may reach it all the same, from where it runs.");
            return not_done(required, &why).at(endpoint);
        }
        Failure::NotChecked(why) => return not_done(required, why).at(endpoint),
        Failure::NotThisDatabase(_) => ("Not this kind of database", endpoint),
        Failure::TlsMissing(_) if planned.get("tls_config").is_set() => ("TLS does not fit", Path::of("tls_config")),
        Failure::TlsMissing(_) => ("TLS does not fit", Path::of("driver")),
        Failure::ServerCertificate(_) => ("Database's certificate not trusted", Part::CaCertificate.at("")),
        Failure::ClientCertificate(_) if planned.get("tls_config.client_certificate").is_set() => {
            ("Client certificate refused", Part::ClientCertificate.at(""))
        }
        Failure::ClientCertificate(_) => ("Client certificate refused", Path::of("tls_config")),
        Failure::Login(_) => ("Login refused", Path::of("basic_auth")),
        Failure::Refused(_) => ("Database refuses", endpoint),
    };
    Diagnostic::error(summary, format!("{failure} {nothing}")).at(at)
}
