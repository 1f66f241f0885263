//! PostgreSQL: startup and login (password in clear text, MD5, SCRAM-SHA-256), then goodbye.

use std::io;

use bytes::BytesMut;
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::{ErrorResponseBody, Header, Message};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::stream::{LONGEST, Stream, Tls, broken, read, secure};
use super::{Failure, Login};
use crate::kamaji::network::Endpoint;

const WANTED: &str = "a PostgreSQL";

pub(super) async fn try_out(
    mut stream: impl Stream + 'static,
    endpoint: &Endpoint,
    tls: Option<&Tls>,
    login: Option<Login<'_>>,
) -> Result<Vec<String>, Failure> {
    let Some(tls) = tls else { return session(&mut stream, endpoint, login).await };
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    let asking = async {
        stream.write_all(&request).await?;
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
    let mut out = BytesMut::new();
    frontend::startup_message([("user", user), ("database", "postgres")], &mut out).map_err(failed)?;
    let mut received = BytesMut::new();
    let mut scram: Option<ScramSha256> = None;
    loop {
        stream.write_all(&out).await.map_err(failed)?;
        out.clear();
        match next(stream, &mut received).await.map_err(failed)? {
            Message::AuthenticationOk => {
                frontend::terminate(&mut out);
                let _ = stream.write_all(&out).await;
                return Ok(Vec::new());
            }
            Message::AuthenticationCleartextPassword => {
                frontend::password_message(password.as_bytes(), &mut out).map_err(failed)?;
            }
            Message::AuthenticationMd5Password(body) => {
                let hash = md5_hash(user.as_bytes(), password.as_bytes(), body.salt());
                frontend::password_message(hash.as_bytes(), &mut out).map_err(failed)?;
            }
            Message::AuthenticationSasl(body) => {
                let known = body.mechanisms().any(|name| Ok(name == SCRAM_SHA_256)).map_err(failed)?;
                if !known {
                    return Err(not_known(endpoint, "a SASL mechanism other than SCRAM-SHA-256"));
                }
                let client = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
                frontend::sasl_initial_response(SCRAM_SHA_256, client.message(), &mut out).map_err(failed)?;
                scram = Some(client);
            }
            Message::AuthenticationSaslContinue(body) => {
                let Some(client) = &mut scram else { return Err(out_of_turn(endpoint)) };
                client.update(body.data()).map_err(failed)?;
                frontend::sasl_response(client.message(), &mut out).map_err(failed)?;
            }
            Message::AuthenticationSaslFinal(body) => {
                let Some(client) = &mut scram else { return Err(out_of_turn(endpoint)) };
                client.finish(body.data()).map_err(|_| {
                    Failure::Login(format!(
                        "PostgreSQL at {endpoint} does not know the password either: is it the right one?"
                    ))
                })?;
            }
            Message::AuthenticationGss | Message::AuthenticationSspi | Message::AuthenticationKerberosV5 => {
                return Err(not_known(endpoint, "Kerberos"));
            }
            Message::ErrorResponse(body) => return of_error(endpoint, &body),
            _ => {}
        }
    }
}

fn not_known(endpoint: &Endpoint, what: &str) -> Failure {
    Failure::NotChecked(format!("PostgreSQL at {endpoint} wants {what}, which this check does not know."))
}

fn out_of_turn(endpoint: &Endpoint) -> Failure {
    Failure::NotThisDatabase(format!("{endpoint} answers out of turn."))
}

async fn next(stream: &mut impl Stream, received: &mut BytesMut) -> io::Result<Message> {
    loop {
        if let Some(message) = Message::parse(received)? {
            return Ok(message);
        }
        let announced = Header::parse(received)?.and_then(|header| usize::try_from(header.len()).ok());
        if announced.unwrap_or_default().max(received.len()) > LONGEST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer has an absurd length"));
        }
        if stream.read_buf(received).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn of_error(endpoint: &Endpoint, body: &ErrorResponseBody) -> Result<Vec<String>, Failure> {
    let (mut code, mut text) = (String::new(), String::new());
    let mut fields = body.fields();
    while let Ok(Some(field)) = fields.next() {
        let value = String::from_utf8_lossy(field.value_bytes()).into_owned();
        match field.type_() {
            b'C' => code = value,
            b'M' => text = value,
            _ => {}
        }
    }
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
