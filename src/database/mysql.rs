//! MySQL and MariaDB: handshake and login, as their protocol documentation says ("Connection Phase"), then goodbye.

use std::io;

use tokio::io::AsyncWriteExt as _;

use super::stream::{Stream, Tls, broken, read, secure};
use super::{Failure, Login};
use crate::kamaji::network::Endpoint;
use scramble::{native, sha2};

mod scramble;

const WANTED: &str = "a MySQL";

// Capabilities.
const LONG_PASSWORD: u32 = 0x1;
const PROTOCOL_41: u32 = 0x200;
const SSL: u32 = 0x800;
const SECURE_CONNECTION: u32 = 0x8000;
const PLUGIN_AUTH: u32 = 0x8_0000;
const OURS: u32 = LONG_PASSWORD | PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH;

/// `utf8mb4`
const CHARSET: u8 = 45;

/// "Access denied for user", with and without a password, and for a user who must not come from here.
const ACCESS_DENIED: [u16; 2] = [1045, 1698];
/// "Host … is not allowed to connect", "Host … is blocked".
const HOST_REFUSED: [u16; 2] = [1130, 1129];

/// What the server says first.
#[derive(Debug, PartialEq, Eq)]
struct Greeting {
    capabilities: u32,
    nonce: Vec<u8>,
    plugin: String,
}

pub(super) async fn try_out(
    mut stream: impl Stream + 'static,
    endpoint: &Endpoint,
    tls: Option<&Tls>,
    login: Option<Login<'_>>,
) -> Result<Vec<String>, Failure> {
    let failed = |error: io::Error| broken(endpoint, WANTED, &error);
    let (sequence, first) = packet(&mut stream).await.map_err(failed)?;
    if first.first() == Some(&0xff) {
        return Err(of_error(endpoint, &first));
    }
    let greeting = Greeting::read(&first)
        .filter(|greeting| greeting.capabilities & (PROTOCOL_41 | SECURE_CONNECTION) != 0)
        .ok_or_else(|| Failure::NotThisDatabase(format!("{endpoint} does not greet like {WANTED}.")))?;
    let login = login.unwrap_or(Login { user: "", password: "" });
    let Some(tls) = tls else { return session(&mut stream, endpoint, &greeting, login, sequence, false).await };
    if greeting.capabilities & SSL == 0 {
        return Err(Failure::TlsMissing(format!(
            "MySQL at {endpoint} has TLS switched off, but `tls_config` asks for it."
        )));
    }
    send(&mut stream, sequence.wrapping_add(1), &head(OURS | SSL)).await.map_err(failed)?;
    let mut stream = secure(stream, endpoint, tls, &[]).await?;
    session(&mut stream, endpoint, &greeting, login, sequence.wrapping_add(1), true).await
}

/// Login. `encrypted`: over TLS, where a password may be sent as it is.
async fn session(
    stream: &mut impl Stream,
    endpoint: &Endpoint,
    greeting: &Greeting,
    login: Login<'_>,
    sequence: u8,
    encrypted: bool,
) -> Result<Vec<String>, Failure> {
    let failed = |error: io::Error| broken(endpoint, WANTED, &error);
    let (mut plugin, mut nonce) = (greeting.plugin.clone(), greeting.nonce.clone());
    let mut message = head(OURS | if encrypted { SSL } else { 0 });
    message.extend_from_slice(login.user.as_bytes());
    message.push(0);
    let proof = proof(&plugin, login.password, &nonce, encrypted).unwrap_or_default();
    message.push(u8::try_from(proof.len()).unwrap_or_default());
    message.extend_from_slice(&proof);
    message.extend_from_slice(plugin.as_bytes());
    message.push(0);
    send(stream, sequence.wrapping_add(1), &message).await.map_err(failed)?;
    loop {
        let (sequence, answer) = packet(stream).await.map_err(failed)?;
        let (kind, rest) =
            answer.split_first().ok_or_else(|| Failure::NotThisDatabase(format!("{endpoint} says nothing.")))?;
        let reply = match kind {
            0x00 => {
                let _ = send(stream, 0, &[1]).await;
                return Ok(Vec::new());
            }
            0xff => return Err(of_error(endpoint, &answer)),
            // Another plugin.
            0xfe => {
                let end = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
                plugin = String::from_utf8_lossy(rest.get(..end).unwrap_or_default()).into_owned();
                nonce = rest.get(end + 1..).unwrap_or_default().to_vec();
                if nonce.last() == Some(&0) {
                    nonce.pop();
                }
                self::proof(&plugin, login.password, &nonce, encrypted).ok_or_else(|| not_known(endpoint, &plugin))?
            }
            // caching_sha2_password: the server knows the password (3), or wants it as it is (4), or sends its key.
            0x01 if rest == [3] => continue,
            0x01 if rest == [4] && encrypted => scramble::terminated(login.password),
            0x01 if rest == [4] => vec![2],
            0x01 => scramble::with_key(login.password, &nonce, rest).ok_or_else(|| not_known(endpoint, &plugin))?,
            _ => return Err(Failure::NotThisDatabase(format!("{endpoint} does not answer like {WANTED}."))),
        };
        send(stream, sequence.wrapping_add(1), &reply).await.map_err(failed)?;
    }
}

/// What proves the password to a plugin; [`None`] for one that is not known.
fn proof(plugin: &str, password: &str, nonce: &[u8], encrypted: bool) -> Option<Vec<u8>> {
    match plugin {
        "mysql_native_password" => Some(native(password, nonce)),
        "caching_sha2_password" => Some(sha2(password, nonce)),
        "mysql_clear_password" if encrypted => Some(scramble::terminated(password)),
        _ => None,
    }
}

fn not_known(endpoint: &Endpoint, plugin: &str) -> Failure {
    Failure::NotChecked(format!(
        "MySQL at {endpoint} wants the user to log in by {plugin:?}, which this check does not know."
    ))
}

/// The beginning of an SSL request and of a handshake response.
fn head(capabilities: u32) -> Vec<u8> {
    let mut head = capabilities.to_le_bytes().to_vec();
    head.extend_from_slice(&0x0100_0000_u32.to_le_bytes());
    head.push(CHARSET);
    head.extend_from_slice(&[0; 23]);
    head
}

async fn packet(stream: &mut impl Stream) -> io::Result<(u8, Vec<u8>)> {
    let head = read(stream, 4).await?;
    let [low, middle, high, sequence] = head[..] else { return Err(io::ErrorKind::UnexpectedEof.into()) };
    let length = usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16;
    Ok((sequence, read(stream, length).await?))
}

async fn send(stream: &mut impl Stream, sequence: u8, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(body.len()).unwrap_or_default().to_le_bytes();
    let mut packet = vec![length[0], length[1], length[2], sequence];
    packet.extend_from_slice(body);
    stream.write_all(&packet).await?;
    stream.flush().await
}

impl Greeting {
    /// Reads version 10 of the handshake, the only one since 1998.
    fn read(packet: &[u8]) -> Option<Self> {
        let rest = packet.strip_prefix(&[10])?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        // The number of the connection, then the first eight bytes of the nonce and a zero.
        let rest = rest.get(end + 5..)?;
        let (mut nonce, rest) = (rest.get(..8)?.to_vec(), rest.get(9..)?);
        let low = u32::from(*rest.first()?) | u32::from(*rest.get(1)?) << 8;
        let high = rest.get(5..7).map_or(0, |high| u32::from(high[0]) | u32::from(high[1]) << 8);
        let capabilities = low | high << 16;
        let length = rest.get(7).map_or(0, |length| usize::from(*length));
        let rest = rest.get(18..)?;
        let second = length.saturating_sub(8).max(13).min(rest.len());
        nonce.extend_from_slice(rest.get(..second.saturating_sub(1))?);
        let name = rest.get(second..)?;
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        Some(Self { capabilities, nonce, plugin: String::from_utf8_lossy(name).into_owned() })
    }
}

fn of_error(endpoint: &Endpoint, packet: &[u8]) -> Failure {
    let code = packet.get(1..3).map_or(0, |code| u16::from_le_bytes([code[0], code[1]]));
    let text = packet.get(3..).unwrap_or_default();
    // "#28000" before the text.
    let text = if text.first() == Some(&b'#') { text.get(6..).unwrap_or_default() } else { text };
    let said = format!("MySQL at {endpoint} says: {} ({code}).", String::from_utf8_lossy(text).trim_end_matches('.'));
    match code {
        code if ACCESS_DENIED.contains(&code) => Failure::Login(said),
        code if HOST_REFUSED.contains(&code) => Failure::Refused(said),
        _ => Failure::Refused(said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What MariaDB 10.11 greets with.
    fn greeting() -> Vec<u8> {
        let mut packet = vec![10];
        packet.extend_from_slice(b"5.5.5-10.11.19-MariaDB\0");
        packet.extend_from_slice(&[7, 0, 0, 0]);
        packet.extend_from_slice(b"12345678\0");
        packet.extend_from_slice(&[0xfe, 0xf7, 45, 2, 0, 0xff, 0x81, 21]);
        packet.extend_from_slice(&[0; 10]);
        packet.extend_from_slice(b"901234567890\0mysql_native_password\0");
        packet
    }

    #[test]
    fn a_greeting_is_read() {
        let greeting = Greeting::read(&greeting()).expect("a greeting");
        assert_eq!(greeting.nonce, b"12345678901234567890");
        assert_eq!(greeting.plugin, "mysql_native_password");
        assert_ne!(greeting.capabilities & PLUGIN_AUTH, 0);
    }

    #[test]
    fn a_greeting_that_is_cut_anywhere_is_no_panic() {
        let whole = greeting();
        for end in 0..whole.len() {
            let _ = Greeting::read(&whole[..end]);
        }
        assert_eq!(Greeting::read(b"SSH-2.0-OpenSSH"), None);
    }
}
