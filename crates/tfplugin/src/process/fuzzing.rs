//! What a start of the process reads, without the process; only for the fuzz targets (`cfg(fuzzing)`).

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConnection;

use super::command_line::Command;
use super::{command_line, handshake, listener, log, tls};
use crate::provider::Identity;

const IDENTITY: Identity = Identity { address: "registry.terraform.io/acme/kamaji", version: "1.2.3" };

/// Goes the way of a start with these arguments and this environment, up to the handshake line, and gives the bytes to
/// the TLS session of the first connection.
///
/// # Panics
///
/// If something that was written for the client does not keep its form.
pub fn start(arguments: Vec<String>, environment: impl Fn(&str) -> Option<String>, mut sent: &[u8]) {
    if let Command::Unknown(argument) = Command::parse(arguments) {
        assert!(!command_line::unknown_argument(&IDENTITY, &argument).is_empty());
    }
    let _ = log::level(IDENTITY.name(), &environment);
    if !handshake::is_started_as_plugin(&environment) {
        return;
    }
    let directory = environment(listener::SOCKET_DIRECTORY_KEY).unwrap_or_default();
    let socket = Path::new(&directory).join("provider.sock");
    let mtls = environment(handshake::CLIENT_CERTIFICATE_KEY).map(|pem| tls::AutoMtls::new(&pem));
    let mtls = match mtls {
        None => None,
        Some(Ok(mtls)) => Some(mtls),
        Some(Err(_)) => return,
    };
    if listener::is_usable(&socket) {
        let address = listener::Address { network: "unix", text: socket.display().to_string() };
        let line = handshake::line(&address, mtls.as_ref().map_or("", tls::AutoMtls::certificate));
        assert!(line.ends_with('\n') && line.lines().count() == 1, "{line:?}");
        assert_eq!(line.split('|').count(), 6, "{line:?}");
    }
    let Some(Ok(config)) = mtls.map(tls::AutoMtls::into_config) else { return };
    let Ok(mut session) = ServerConnection::new(Arc::new(config)) else { return };
    while !sent.is_empty() && session.read_tls(&mut sent).is_ok_and(|read| read > 0) {
        if session.process_new_packets().is_err() {
            return;
        }
    }
}
