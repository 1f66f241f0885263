//! Whether a database is there, is the one that is meant, and lets us in: TCP, TLS, and a login in the database's own
//! protocol. Nothing is read from it and nothing written.

mod etcd;
mod mysql;
mod nats;
mod postgresql;
mod stream;

use std::time::Duration;

use crate::kamaji::network::Endpoint;

pub use stream::Tls;

/// How long one attempt may take.
const LIMIT: Duration = Duration::from_secs(10);

/// The kind of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// etcd, version 3.
    Etcd,
    /// PostgreSQL and what speaks its protocol.
    PostgreSql,
    /// MySQL and MariaDB.
    MySql,
    /// NATS.
    Nats,
}

impl Driver {
    /// By the name that Kamaji gives it.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "etcd" => Some(Self::Etcd),
            "PostgreSQL" => Some(Self::PostgreSql),
            "MySQL" => Some(Self::MySql),
            "NATS" => Some(Self::Nats),
            _ => None,
        }
    }
}

/// A user and a password.
#[derive(Clone, Copy)]
pub struct Login<'a> {
    /// The user.
    pub user: &'a str,
    /// The password.
    pub password: &'a str,
}

/// Why a database cannot be used. The texts are sentences without credentials in them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Nobody answers at the address.
    #[error("{0}")]
    Unreachable(String),
    /// Somebody answers, but not this kind of database.
    #[error("{0}")]
    NotThisDatabase(String),
    /// The server does not use TLS although it should, or the other way round.
    #[error("{0}")]
    TlsMissing(String),
    /// The CA did not sign the server's certificate, or the certificate is not for this host or not valid now.
    #[error("{0}")]
    ServerCertificate(String),
    /// The server does not take the client certificate, or wants one.
    #[error("{0}")]
    ClientCertificate(String),
    /// The server does not take user and password.
    #[error("{0}")]
    Login(String),
    /// It wants something that this provider does not know.
    #[error("{0}")]
    NotChecked(String),
    /// Anything else that the server says.
    #[error("{0}")]
    Refused(String),
}

/// Tries one endpoint. Returns what is worth knowing although it works.
///
/// # Errors
/// What is wrong.
pub async fn try_out(
    driver: Driver,
    endpoint: &Endpoint,
    tls: Option<&Tls>,
    login: Option<Login<'_>>,
) -> Result<Vec<String>, Failure> {
    let attempt = async {
        let stream = stream::connect(endpoint).await?;
        match (driver, login) {
            (Driver::Etcd, _) => etcd::try_out(stream, endpoint, tls).await,
            (Driver::PostgreSql, login) => postgresql::try_out(stream, endpoint, tls, login).await,
            (Driver::MySql, login) => mysql::try_out(stream, endpoint, tls, login).await,
            (Driver::Nats, login) => nats::try_out(stream, endpoint, tls, login).await,
        }
    };
    match tokio::time::timeout(LIMIT, attempt).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Failure::NotThisDatabase(format!(
            "{endpoint} took the connection, but said nothing to the point within {} seconds.",
            LIMIT.as_secs()
        ))),
    }
}

#[cfg(test)]
pub(crate) mod tests;
