//! PostgreSQL: startup and login (password in clear text, MD5, SCRAM-SHA-256), then goodbye, as its documentation says
//! ("Frontend/Backend Protocol"). The crates that speak it bring Unicode tables (0.2 MB).

mod scram;

use std::io;

use md5::{Digest as _, Md5};
use tokio::io::AsyncWriteExt as _;

use self::scram::{MECHANISM, Scram};
use super::stream::{LONGEST, Stream, Tls, broken, read, secure};
use super::{Failure, Login};
use crate::kamaji::network::Endpoint;

const WANTED: &str = "a PostgreSQL";

/// The request for TLS: a length, and a number that is no version.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

pub(super) async fn try_out(
    mut stream: impl Stream + 'static,
    endpoint: &Endpoint,
    tls: Option<&Tls>,
    login: Option<Login<'_>>,
) -> Result<Vec<String>, Failure> {
    let Some(tls) = tls else { return session(&mut stream, endpoint, login).await };
    let asking = async {
        stream.write_all(&SSL_REQUEST).await?;
        read(&mut stream, 1).await
    };
    let answer = asking.await.map_err(|error| broken(endpoint, WANTED, &error))?;
    match answer.first() {
        Some(b'S') => session(&mut secure(stream, endpoint, tls, &[]).await?, endpoint, login).await,
        Some(b'N') => Err(Failure::TlsMissing(format!(
            "PostgreSQL at {endpoint} has TLS switched off (`ssl = off`), but `tls_config` asks for it."
        ))),
        _ => Err(Failure::NotThisDatabase(format!("{endpoint} does not answer like {WANTED}."))),
    }
}

async fn session(
    stream: &mut impl Stream,
    endpoint: &Endpoint,
    login: Option<Login<'_>>,
) -> Result<Vec<String>, Failure> {
    let Login { user, password } = login.unwrap_or(Login { user: "postgres", password: "" });
    let failed = |error: io::Error| broken(endpoint, WANTED, &error);
    stream.write_all(&startup(user)).await.map_err(failed)?;
    let mut scram = None;
    loop {
        let (kind, body) = message(stream).await.map_err(failed)?;
        let reply = match (kind, &body) {
            (b'E', body) => return of_error(endpoint, body),
            (b'R', body) => match authentication(body) {
                Some((0, _)) => {
                    let _ = stream.write_all(&framed(b'X', &[])).await;
                    return Ok(Vec::new());
                }
                Some((3, _)) => terminated(password.as_bytes()),
                Some((5, salt)) => terminated(md5_proof(user, password, salt).as_bytes()),
                Some((10, mechanisms)) => {
                    if !mechanisms.split(|byte| *byte == 0).any(|name| name == MECHANISM.as_bytes()) {
                        return Err(not_known(endpoint, "a SASL mechanism other than SCRAM-SHA-256"));
                    }
                    if !password.is_ascii() {
                        return Err(not_known(endpoint, "a password with letters beyond ASCII prepared by SASLprep"));
                    }
                    scram.insert(Scram::new()).first_message()
                }
                Some((11, challenge)) => scram
                    .as_mut()
                    .and_then(|scram| scram.final_message(password, challenge))
                    .ok_or_else(|| out_of_turn(endpoint))?,
                Some((12, signature)) => {
                    if !scram.as_ref().is_some_and(|scram| scram.knows_server(signature)) {
                        return Err(Failure::Login(format!(
                            "PostgreSQL at {endpoint} does not know the password itself: is it the right server?"
                        )));
                    }
                    continue;
                }
                Some((2 | 7 | 9, _)) => return Err(not_known(endpoint, "Kerberos")),
                _ => return Err(out_of_turn(endpoint)),
            },
            (b'N' | b'v' | b'S' | b'K', _) => continue,
            _ => return Err(out_of_turn(endpoint)),
        };
        stream.write_all(&framed(b'p', &reply)).await.map_err(failed)?;
        stream.flush().await.map_err(failed)?;
    }
}

/// Version 3.0, the user and the database that every server has.
fn startup(user: &str) -> Vec<u8> {
    let mut body = vec![0, 3, 0, 0];
    for text in ["user", user, "database", "postgres"] {
        body.extend_from_slice(&terminated(text.as_bytes()));
    }
    body.push(0);
    [&length(&body)[..], &body].concat()
}

fn terminated(text: &[u8]) -> Vec<u8> {
    [text, &[0]].concat()
}

/// The length of a message, itself included.
fn length(body: &[u8]) -> [u8; 4] {
    u32::try_from(body.len() + 4).unwrap_or(u32::MAX).to_be_bytes()
}

fn framed(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &length(body), body].concat()
}

/// One message: its kind and what is in it.
async fn message(stream: &mut impl Stream) -> io::Result<(u8, Vec<u8>)> {
    let head = read(stream, 5).await?;
    let [kind, a, b, c, d] = head[..] else { return Err(io::ErrorKind::UnexpectedEof.into()) };
    let length = u32::from_be_bytes([a, b, c, d]);
    let length = usize::try_from(length).ok().and_then(|length| length.checked_sub(4)).filter(|it| *it <= LONGEST);
    let length = length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer has an absurd length"))?;
    Ok((kind, read(stream, length).await?))
}

/// The code of a message about authentication, and the rest of it.
fn authentication(body: &[u8]) -> Option<(u32, &[u8])> {
    let (code, rest) = body.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*code), rest))
}

/// `md5`, and the hash of the salt with the hash of password and user.
fn md5_proof(user: &str, password: &str, salt: &[u8]) -> String {
    let hex = |parts: &[&[u8]]| -> String {
        let mut hash = Md5::new();
        parts.iter().for_each(|part| hash.update(part));
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let inner = hex(&[password.as_bytes(), user.as_bytes()]);
    format!("md5{}", hex(&[inner.as_bytes(), salt]))
}

fn not_known(endpoint: &Endpoint, what: &str) -> Failure {
    Failure::NotChecked(format!("PostgreSQL at {endpoint} wants {what}, which this check does not know."))
}

fn out_of_turn(endpoint: &Endpoint) -> Failure {
    Failure::NotThisDatabase(format!("{endpoint} does not answer like {WANTED}."))
}

/// Fields of one letter and a text, each ended by a zero.
fn of_error(endpoint: &Endpoint, body: &[u8]) -> Result<Vec<String>, Failure> {
    let field = |wanted: u8| {
        let mut fields = body.split(|byte| *byte == 0).filter_map(<[u8]>::split_first);
        fields.find(|(letter, _)| **letter == wanted).map(|(_, text)| String::from_utf8_lossy(text).into_owned())
    };
    let (code, text) = (field(b'C').unwrap_or_default(), field(b'M').unwrap_or_default());
    let said = format!("PostgreSQL at {endpoint} says: {} ({code}).", text.trim_end_matches('.'));
    match code.as_str() {
        // The login has worked, but there is no database of that name.
        "3D000" => Ok(Vec::new()),
        "28P01" => Err(Failure::Login(said)),
        "28000" if text.contains("certificate") => Err(Failure::ClientCertificate(said)),
        "28000" if text.contains("no encryption") || text.contains("SSL off") => Err(Failure::TlsMissing(said)),
        "28000" => Err(Failure::Login(said)),
        _ => Err(Failure::Refused(said)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // md5(md5("secretkamaji") in hex, 01 02 03 04)
    #[test]
    fn the_hash_is_that_of_the_documentation() {
        assert_eq!(md5_proof("kamaji", "secret", &[1, 2, 3, 4]), "md55895fb6757dcf7221dd9e15caa8397a7");
    }

    #[test]
    fn the_startup_says_its_own_length() {
        let startup = startup("u");
        assert_eq!(startup[..8], [0, 0, 0, 34, 0, 3, 0, 0]);
        assert_eq!(startup.len(), 34);
    }
}
