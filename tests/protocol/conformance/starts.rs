//! Every kind of start: versions, certificates, environment, sockets, and what comes over the first connection.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::clis::Cli;
use super::tally::Tally;
use crate::certificate::ClientCertificate;
use crate::client::{Connection, Launch, PATIENCE, Plugin};

const NAME: &str = "handshake";

pub async fn play(cli: &'static Cli, tally: &mut Tally) {
    for (what, launch, serves) in launches(cli) {
        let outcome = if serves { served(launch).await } else { refused(launch) };
        tally.played(NAME, outcome, what);
    }
    connections(cli, tally).await;
    tally.played(NAME, reattached().await, "-debug: two walks, then Ctrl-C");
}

/// Starts, and whether they are served.
fn launches(cli: &'static Cli) -> Vec<(&'static str, Launch, bool)> {
    let chain = || format!("{}{}", ClientCertificate::generate().pem(), ClientCertificate::generate().pem());
    let mut all = vec![
        ("with mutual TLS", cli.launch(), true),
        ("without TLS", Launch::plain().env("PLUGIN_PROTOCOL_VERSIONS", cli.protocols), true),
        ("with an empty certificate", Launch::plain().env("PLUGIN_CLIENT_CERT", ""), true),
        ("with a certificate that is none", Launch::plain().env("PLUGIN_CLIENT_CERT", "-----BEGIN"), false),
        ("with a certificate of no DER", Launch::plain().env("PLUGIN_CLIENT_CERT", pem("AAAA")), true),
        ("with a certificate of broken base64", Launch::plain().env("PLUGIN_CLIENT_CERT", pem("A===")), false),
        (
            "with a key for a certificate",
            Launch::plain().env("PLUGIN_CLIENT_CERT", pem("AAAA").replace("CERTIFICATE", "PRIVATE KEY")),
            false,
        ),
        ("with a chain of strangers", Launch::plain().env("PLUGIN_CLIENT_CERT", chain()), true),
        (
            "with a certificate of a megabyte of lines",
            Launch::plain().env("PLUGIN_CLIENT_CERT", "\n".repeat(100_000)),
            false,
        ),
        ("with the seventh field allowed", cli.launch().env("PLUGIN_MULTIPLEX_GRPC", "true"), true),
        ("with ports that are none", cli.launch().env("PLUGIN_MIN_PORT", "x").env("PLUGIN_MAX_PORT", "-1"), true),
        ("with an empty socket directory", cli.launch().env("PLUGIN_UNIX_SOCKET_DIR", ""), true),
        ("with a socket directory that is a file", cli.launch().env("PLUGIN_UNIX_SOCKET_DIR", "/etc/hostname"), false),
        (
            "with a socket directory with the line's separator",
            cli.launch().env("PLUGIN_UNIX_SOCKET_DIR", "/tmp/a|b"),
            false,
        ),
        ("with a relative temporary directory", cli.launch().env("TMPDIR", "."), true),
        ("with every log line", cli.launch().env("TF_LOG", "TRACE"), true),
        ("with a log level that is none", cli.launch().env("TF_LOG_PROVIDER", "\u{fffd}"), true),
        ("without the cookie", cli.launch().without("TF_PLUGIN_MAGIC_COOKIE"), false),
        ("with an empty cookie", cli.launch().env("TF_PLUGIN_MAGIC_COOKIE", ""), false),
        ("with another plugin's cookie", cli.launch().env("TF_PLUGIN_MAGIC_COOKIE", "0".repeat(64)), false),
        ("with an argument", cli.launch().arg("serve"), false),
    ];
    for versions in ["6", "5", "5,6", "6,5", "", ",", " 6", "six", "6,6,6", "99999999999999999999", "-6"] {
        all.push(("with other protocol versions", cli.launch().env("PLUGIN_PROTOCOL_VERSIONS", versions), true));
    }
    all.push(("without protocol versions", cli.launch().without("PLUGIN_PROTOCOL_VERSIONS"), true));
    let not_text = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xff\xfe");
    for key in ["PLUGIN_PROTOCOL_VERSIONS", "TF_LOG", "PLUGIN_MULTIPLEX_GRPC", "KUBE_HOST"] {
        all.push(("with a variable that is not UTF-8", cli.launch().env(key, not_text), true));
    }
    all
}

fn pem(base64: &str) -> String {
    format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n")
}

/// A start with a handshake line; where a client can connect, a call and the end.
async fn served(launch: Launch) -> Result<(), String> {
    let mut process = launch.spawn();
    let Some(line) = process.handshake_line(PATIENCE) else {
        process.kill();
        return Err(format!("no handshake line; stderr: {:?}", process.drain_stderr()));
    };
    let mut plugin = Plugin::of(process, &line);
    if plugin.handshake.protocol != 6 {
        return Err(format!("protocol {} was answered", plugin.handshake.protocol));
    }
    if plugin.handshake.certificate.is_some() && plugin.certificate().is_none() {
        // The certificate that the start was given is nobody's.
        return if plugin.connect_with(Some(&ClientCertificate::generate())).await.is_ok() {
            Err("a stranger was let in".to_owned())
        } else {
            Ok(())
        };
    }
    let mut connection = plugin.connect().await;
    answers(&connection).await?;
    connection.try_shut_down().await.map_err(|status| format!("Shutdown: {status:?}"))?;
    match plugin.process.ended_within(PATIENCE) {
        Some(status) if status.success() => Ok(()),
        other => Err(format!("{other:?} after Shutdown")),
    }
}

async fn answers(connection: &Connection) -> Result<(), String> {
    match tokio::time::timeout(PATIENCE, connection.call("GetMetadata", vec![Vec::new()])).await {
        Ok(Ok(_)) => Ok(()),
        other => Err(format!("GetMetadata: {other:?}")),
    }
}

/// A start that ends by itself: nothing on stdout, a word on stderr, a status that is none of success.
fn refused(launch: Launch) -> Result<(), String> {
    let mut process = launch.spawn();
    let line = process.handshake_line(PATIENCE);
    let status = process.ended_within(PATIENCE);
    let stderr = process.drain_stderr();
    match (line, status) {
        (None, Some(status)) if !status.success() && !stderr.is_empty() => {
            let panicked = stderr.iter().any(|line| line.starts_with("panic: "));
            if panicked { Err(stderr.join("\n")) } else { Ok(()) }
        }
        (line, status) => Err(format!("{status:?}, stdout {line:?}, stderr {stderr:?}")),
    }
}

/// Clients of one process: right and wrong ones, silent and noisy ones.
async fn connections(cli: &'static Cli, tally: &mut Tally) {
    let plugin = cli.launch().start();
    let stranger = ClientCertificate::generate();
    let socket = &plugin.handshake.socket;
    let is_refused = |outcome: Result<Connection, _>| if outcome.is_err() { Ok(()) } else { Err("let in".to_owned()) };
    tally.played(NAME, is_refused(plugin.connect_with(Some(&stranger)).await), "a client with another certificate");
    tally.played(NAME, is_refused(plugin.connect_with(None).await), "a client without TLS");
    for (what, bytes) in [
        ("a client that says nothing", b"".as_slice()),
        ("a client of HTTP/1", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        ("a client of HTTP/2 without TLS", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"),
        ("a client hello cut off", &[0x16, 3, 1, 2, 0, 1, 0, 1]),
        ("a client hello of no version", &[0x16, 9, 9, 0, 2, 1, 0]),
        ("a TLS alert", &[0x15, 3, 3, 0, 2, 2, 40]),
        ("zeros", &[0; 65536]),
    ] {
        let outcome = noise(socket, bytes);
        tally.played(NAME, outcome, what);
        tally.played(NAME, answers(&plugin.connect().await).await, "the right client after that");
    }
    let (one, other) = (plugin.connect().await, plugin.connect().await);
    tally.played(NAME, answers(&one).await, "two clients, the first");
    tally.played(NAME, answers(&other).await, "two clients, the second");
    drop(one);
    tally.played(NAME, answers(&other).await, "two clients, the second alone");
    let mut many = Vec::new();
    for _ in 0..50 {
        many.push(plugin.connect().await);
    }
    for connection in &many {
        tally.played(NAME, answers(connection).await, "one of fifty clients");
    }
    drop((many, other));
    // Less than what makes the process end.
    tokio::time::sleep(Duration::from_millis(500)).await;
    tally.played(NAME, answers(&plugin.connect().await).await, "a client that comes back");
}

/// Sends bytes and reads whatever comes until the other side is silent or gone.
fn noise(socket: &std::path::Path, bytes: &[u8]) -> Result<(), String> {
    let mut stream = UnixStream::connect(socket).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(Duration::from_millis(100))).map_err(|error| error.to_string())?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
    // A server that closes in the middle is right.
    let _ = stream.write_all(bytes);
    let _ = stream.read(&mut [0; 1024]);
    Ok(())
}

/// A developer's process serves walk after walk; core does not end it, and it outlives its clients.
async fn reattached() -> Result<(), String> {
    let mut process = Launch::by_hand().arg("-debug").spawn();
    let socket = process.reattach_socket();
    for _walk in 0..2 {
        let connection = Connection::reattach(&socket).await.map_err(|error| error.to_string())?;
        answers(&connection).await?;
    }
    process.interrupt();
    match process.ended_within(PATIENCE) {
        Some(status) if status.success() => Ok(()),
        other => Err(format!("{other:?} after Ctrl-C")),
    }
}
