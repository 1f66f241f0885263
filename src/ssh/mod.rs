//! SSH to machines: a session to a host, perhaps through a bastion, with the host's key checked, that runs scripts.
//!
//! Nothing is asked of a terminal, and nothing is learned: a host whose key nobody has vouched for is an error that says
//! which key it showed.

mod command;
pub mod credentials;
mod error;
pub mod host_key;
pub mod schema;
mod session;
#[cfg(test)]
pub(crate) mod tests;

pub use command::Output;
pub use error::SshError;
pub use session::Session;

use credentials::Credentials;
use host_key::{HostKey, KnownHosts};
use tfplugin::Value;

/// The port of SSH.
pub const PORT: u16 = 22;
/// Who logs in, unless the configuration says otherwise.
pub const USER: &str = "root";

/// What the provider block says about SSH.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// How users prove who they are.
    pub credentials: Credentials,
    /// The keys of hosts that are vouched for.
    pub known_hosts: KnownHosts,
    /// Who logs in where an object does not say.
    user: Option<String>,
    /// The bastion of objects that name none.
    bastion: Option<Hop>,
}

impl Settings {
    /// From the object `ssh` of the provider block. What is unknown is not there.
    pub fn of(block: &Value) -> Self {
        Self {
            credentials: Credentials::of(block),
            known_hosts: KnownHosts::of(block),
            user: block.str_at("user").map(str::to_owned),
            bastion: Hop::of(block.get("bastion"), block.str_at("user")),
        }
    }

    /// The way to the machine of an object with the attributes of [`schema::machine`]; [`None`] if it names no host.
    pub fn route(&self, object: &Value) -> Option<Route> {
        let user = self.user.as_deref();
        let bastion = Hop::of(object.get("bastion"), user).or_else(|| self.bastion.clone());
        Some(Route { target: Hop::of(object, user)?, bastion })
    }
}

/// A host on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Who logs in.
    pub user: String,
    /// The key that it has to have; [`None`] asks the known hosts.
    pub host_key: Option<HostKey>,
}

impl Hop {
    /// From an object with `host`, `port`, `user` and `host_key`.
    fn of(object: &Value, user: Option<&str>) -> Option<Self> {
        Some(Self {
            host: object.str_at("host")?.to_owned(),
            port: object.get("port").as_i64().and_then(|port| u16::try_from(port).ok()).unwrap_or(PORT),
            user: object.str_at("user").or(user).unwrap_or(USER).to_owned(),
            host_key: object.str_at("host_key").and_then(|text| text.parse().ok()),
        })
    }
}

/// `root@10.0.0.7:22`
impl std::fmt::Display for Hop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{}@{open}{}{close}:{}", self.user, self.host, self.port)
    }
}

/// The way to a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The machine.
    pub target: Hop,
    /// The host from which it is reached, if not from here.
    pub bastion: Option<Hop>,
}
