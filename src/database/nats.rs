//! NATS: what the server says of itself, CONNECT, PING.

use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::stream::{Stream, Tls, broken, secure};
use super::{Failure, Login};
use crate::kamaji::network::Endpoint;

const WANTED: &str = "a NATS server";

/// The longest line of the protocol that matters here.
const LINE: usize = 64 * 1024;

pub(super) async fn try_out(
    mut stream: impl Stream + 'static,
    endpoint: &Endpoint,
    tls: Option<&Tls>,
    login: Option<Login<'_>>,
) -> Result<Vec<String>, Failure> {
    let greeting = line(&mut stream, endpoint).await?;
    let info: Json = greeting
        .strip_prefix("INFO ")
        .and_then(|info| serde_json::from_str(info).ok())
        .ok_or_else(|| Failure::NotThisDatabase(format!("{endpoint} does not greet like {WANTED}.")))?;
    let offered = info["tls_required"] == true || info["tls_available"] == true;
    match tls {
        Some(tls) if offered => session(&mut secure(stream, endpoint, tls, &[]).await?, endpoint, login).await?,
        Some(_) => {
            return Err(Failure::TlsMissing(format!("NATS at {endpoint} has no TLS, but `tls_config` asks for it.")));
        }
        None if info["tls_required"] == true => {
            return Err(Failure::TlsMissing(format!("NATS at {endpoint} wants TLS. Add `tls_config`.")));
        }
        None => session(&mut stream, endpoint, login).await?,
    }
    let without_store = info["jetstream"] != true;
    let note = || {
        format!("NATS at {endpoint} has JetStream switched off, in which tenants keep their data. Start it with `-js`.")
    };
    Ok(without_store.then(note).into_iter().collect())
}

async fn session(stream: &mut impl Stream, endpoint: &Endpoint, login: Option<Login<'_>>) -> Result<(), Failure> {
    let mut hello = json!({"verbose": false, "pedantic": false, "lang": "rust", "version": env!("CARGO_PKG_VERSION"),
        "name": "terraform-provider-kamaji", "protocol": 1});
    if let Some(login) = login {
        hello["user"] = json!(login.user);
        hello["pass"] = json!(login.password);
    }
    let hello = format!("CONNECT {hello}\r\nPING\r\n");
    stream.write_all(hello.as_bytes()).await.map_err(|error| broken(endpoint, WANTED, &error))?;
    loop {
        let answer = line(stream, endpoint).await?;
        match answer.strip_prefix("-ERR") {
            Some(error) if error.to_lowercase().contains("authorization") || error.contains("Authentication") => {
                return Err(Failure::Login(format!("NATS at {endpoint} says: {}.", error.trim())));
            }
            Some(error) => return Err(Failure::Refused(format!("NATS at {endpoint} says: {}.", error.trim()))),
            None if answer == "PONG" => return Ok(()),
            None => {}
        }
    }
}

/// One line, without its end.
async fn line(stream: &mut impl Stream, endpoint: &Endpoint) -> Result<String, Failure> {
    let mut line = Vec::new();
    loop {
        let byte = stream.read_u8().await.map_err(|error| broken(endpoint, WANTED, &error))?;
        match byte {
            b'\n' => return Ok(String::from_utf8_lossy(&line).trim_end().to_owned()),
            _ if line.len() >= LINE => {
                return Err(Failure::NotThisDatabase(format!("{endpoint} does not answer like {WANTED}.")));
            }
            byte => line.push(byte),
        }
    }
}
