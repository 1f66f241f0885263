//! TCP on loopback, where there are no unix sockets that a Go client can use: on Windows.
//!
//! Whoever can reach the port can connect; what keeps others out is mutual TLS (see `tls`), which Terraform asks for.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;

pub(super) use tokio::net::{TcpListener as Listener, TcpStream as Stream};

use super::Address;

/// First port that may be taken.
const FIRST_PORT_KEY: &str = "PLUGIN_MIN_PORT";
/// Last port that may be taken.
const LAST_PORT_KEY: &str = "PLUGIN_MAX_PORT";

/// A port on 127.0.0.1 that is listened on.
pub(in crate::process) struct Socket {
    listener: std::net::TcpListener,
    address: SocketAddr,
}

impl Socket {
    /// Where clients connect.
    pub(in crate::process) fn address(&self) -> Address {
        Address { network: "tcp", text: self.address.to_string() }
    }

    /// The listener, for the runtime this is called in.
    pub(in crate::process) fn listener(&self) -> io::Result<Listener> {
        Listener::from_std(self.listener.try_clone()?)
    }

    /// A port goes with its process.
    #[cfg(windows)]
    #[allow(clippy::unused_self, reason = "the same form as that of a unix socket")]
    pub(in crate::process) fn clear_stale(&self) {}
}

/// Why there is no port.
#[derive(Debug, thiserror::Error)]
pub(in crate::process) enum SocketError {
    /// The variables of the range do not hold one.
    #[error(
        "{FIRST_PORT_KEY} = {first:?} and {LAST_PORT_KEY} = {last:?} are not a range of ports from 1 to 65535; leave both out \
         for any free port"
    )]
    Range {
        /// The text of the first port.
        first: String,
        /// The text of the last port.
        last: String,
    },
    /// No port can be listened on.
    #[error("failed to listen on 127.0.0.1, {0}")]
    Bind(String, #[source] io::Error),
}

/// Listens on the first free port of the client's range, or on any free one where the client names none.
pub(in crate::process) fn bind(environment: impl Fn(&str) -> Option<String>) -> Result<Socket, SocketError> {
    let text = |key| environment(key).unwrap_or_default();
    let range = range(&text(FIRST_PORT_KEY), &text(LAST_PORT_KEY))?;
    let mut failure = None;
    for port in range.clone() {
        match std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).and_then(listening) {
            Ok(socket) => return Ok(socket),
            Err(error) => failure = Some(error),
        }
    }
    let error = failure.unwrap_or_else(|| io::ErrorKind::AddrInUse.into());
    Err(SocketError::Bind(format!("ports {} to {}", range.start(), range.end()), error))
}

fn listening(listener: std::net::TcpListener) -> io::Result<Socket> {
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok(Socket { listener, address })
}

/// The ports to try; port 0 lets the system choose.
fn range(first: &str, last: &str) -> Result<RangeInclusive<u16>, SocketError> {
    if first.is_empty() && last.is_empty() {
        return Ok(0..=0);
    }
    match (first.parse::<u16>(), last.parse::<u16>()) {
        (Ok(from @ 1..), Ok(to)) if from <= to => Ok(from..=to),
        _ => Err(SocketError::Range { first: first.to_owned(), last: last.to_owned() }),
    }
}

/// The next connection. Calls and answers are small: none waits for more to send (Nagle's algorithm).
pub(super) async fn accept(listener: &Listener) -> io::Result<Stream> {
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn ports(first: u16, last: u16) -> impl Fn(&str) -> Option<String> {
        move |key| match key {
            "PLUGIN_MIN_PORT" => Some(first.to_string()),
            "PLUGIN_MAX_PORT" => Some(last.to_string()),
            _ => None,
        }
    }

    #[test]
    fn without_a_range_the_system_chooses_a_port_on_loopback() {
        let socket = bind(|_| None).unwrap();
        let Address { network, text } = socket.address();
        assert_eq!(network, "tcp");
        let address: SocketAddr = text.parse().unwrap();
        assert!(address.ip().is_loopback() && address.port() > 0, "{text}");
    }

    #[test]
    fn a_port_that_is_taken_is_passed_over_and_a_full_range_is_an_error_that_names_it() {
        let taken = bind(|_| None).unwrap();
        let port = taken.address.port();
        let error = bind(ports(port, port)).err().unwrap().to_string();
        assert!(error.contains(&format!("ports {port} to {port}")), "{error}");
        // One of the next hundred is free, or there is no port for anybody.
        let next = bind(ports(port.min(65_400), port.min(65_400) + 100)).unwrap();
        assert_ne!(next.address.port(), port);
    }

    #[rstest]
    #[case::none("", "", Some(0..=0))]
    #[case::of_terraform("10000", "25000", Some(10_000..=25_000))]
    #[case::one("7", "7", Some(7..=7))]
    #[case::reversed("9", "7", None)]
    #[case::zero("0", "7", None)]
    #[case::half("10000", "", None)]
    #[case::words("low", "high", None)]
    #[case::too_high("10000", "70000", None)]
    fn the_range_is_that_of_the_variables(
        #[case] first: &str,
        #[case] last: &str,
        #[case] expected: Option<RangeInclusive<u16>>,
    ) {
        assert_eq!(range(first, last).ok(), expected);
    }

    #[tokio::test]
    async fn connections_do_not_wait_for_more_to_send() {
        let socket = bind(|_| None).unwrap();
        let listener = socket.listener().unwrap();
        let client = Stream::connect(socket.address).await.unwrap();
        assert!(accept(&listener).await.unwrap().nodelay().unwrap());
        drop(client);
    }
}
