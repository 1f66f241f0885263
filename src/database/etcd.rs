//! etcd: a question over gRPC that only an administrator gets an answer to. The user is the common name of the client
//! certificate, so the answer proves the certificate, too.

use bytes::{Buf as _, Bytes};
use h2::client;
use http::{HeaderMap, Request};

use super::Failure;
use super::stream::{Stream, Tls, secure};
use crate::kamaji::network::Endpoint;

/// An empty gRPC message: not compressed, zero bytes.
const EMPTY: &[u8] = &[0, 0, 0, 0, 0];

/// The codes of gRPC that tell something.
const UNAUTHENTICATED: &str = "16";
const PERMISSION_DENIED: &str = "7";
const UNIMPLEMENTED: &str = "12";

pub(super) async fn try_out(
    stream: impl Stream + 'static,
    endpoint: &Endpoint,
    tls: Option<&Tls>,
) -> Result<Vec<String>, Failure> {
    let Some(tls) = tls else { return Err(Failure::TlsMissing("Kamaji talks to etcd over TLS only.".to_owned())) };
    let stream = secure(stream, endpoint, tls, &["h2"]).await?;
    let broken = |error: h2::Error| of_h2(endpoint, error);
    let (mut requests, connection) = client::handshake(stream).await.map_err(broken)?;
    let running = tokio::spawn(connection);
    let outcome = ask(&mut requests, endpoint).await;
    running.abort();
    outcome
}

/// Asks whether authentication is on, and on etcd before 3.5, which has no such question, for the users.
async fn ask(requests: &mut client::SendRequest<Bytes>, endpoint: &Endpoint) -> Result<Vec<String>, Failure> {
    let answer = call(requests, endpoint, "AuthStatus").await?;
    match answer.status.as_str() {
        "0" if !is_enabled(&answer.body) => Ok(vec![format!(
            "etcd at {endpoint} has authentication switched off: every tenant can read and change the data of all. Switch it on \
             (`etcdctl auth enable`)."
        )]),
        "0" => Ok(Vec::new()),
        UNIMPLEMENTED => {
            let answer = call(requests, endpoint, "UserList").await?;
            if answer.status == "0" { Ok(Vec::new()) } else { Err(answer.failure(endpoint)) }
        }
        _ => Err(answer.failure(endpoint)),
    }
}

struct Answer {
    status: String,
    message: String,
    body: Vec<u8>,
}

impl Answer {
    fn failure(&self, endpoint: &Endpoint) -> Failure {
        let text = format!("etcd at {endpoint} says: {}.", self.message.trim_end_matches('.'));
        match self.status.as_str() {
            PERMISSION_DENIED | UNAUTHENTICATED => Failure::ClientCertificate(format!(
                "{text} The common name of the client certificate is the user, who must be `root`."
            )),
            // "user name is empty", "user name not found" come as other codes.
            _ if self.message.contains("user name") => Failure::ClientCertificate(text),
            _ => Failure::Refused(text),
        }
    }
}

async fn call(requests: &mut client::SendRequest<Bytes>, endpoint: &Endpoint, method: &str) -> Result<Answer, Failure> {
    let broken = |error: h2::Error| of_h2(endpoint, error);
    let request = Request::post(format!("https://{endpoint}/etcdserverpb.Auth/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .map_err(|error| Failure::Refused(error.to_string()))?;
    let mut ready = requests.clone().ready().await.map_err(broken)?;
    let (response, mut body) = ready.send_request(request, false).map_err(broken)?;
    body.send_data(Bytes::from_static(EMPTY), true).map_err(broken)?;
    let (head, mut body) = response.await.map_err(broken)?.into_parts();
    let is_grpc = head.headers.get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    if !is_grpc {
        return Err(Failure::NotThisDatabase(format!(
            "{endpoint} speaks HTTP, but not gRPC (HTTP {}): no etcd.",
            head.status.as_u16()
        )));
    }
    let mut data = Vec::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk.map_err(broken)?;
        let _ = body.flow_control().release_capacity(chunk.len());
        data.extend_from_slice(&chunk);
        if data.len() > super::stream::LONGEST {
            return Err(Failure::NotThisDatabase(format!("{endpoint} answers with an absurd length.")));
        }
    }
    let trailers = body.trailers().await.map_err(broken)?.unwrap_or_default();
    let text = |headers: &HeaderMap, name: &str| headers.get(name).and_then(|it| it.to_str().ok()).map(str::to_owned);
    let either = |name: &str| text(&trailers, name).or_else(|| text(&head.headers, name));
    Ok(Answer {
        status: either("grpc-status").unwrap_or_default(),
        message: either("grpc-message").unwrap_or_default().replace("%20", " "),
        body: data.get(EMPTY.len()..).unwrap_or_default().to_vec(),
    })
}

/// The field `enabled`, the second, of an `AuthStatusResponse`.
fn is_enabled(mut message: &[u8]) -> bool {
    while message.has_remaining() {
        let Some(key) = varint(&mut message) else { return false };
        match key & 7 {
            0 => {
                let value = varint(&mut message);
                if key >> 3 == 2 {
                    return value == Some(1);
                }
            }
            2 => {
                let length = varint(&mut message).and_then(|length| usize::try_from(length).ok());
                let Some(rest) = length.and_then(|length| message.get(length..)) else { return false };
                message = rest;
            }
            _ => return false,
        }
    }
    false
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn of_h2(endpoint: &Endpoint, error: h2::Error) -> Failure {
    // h2 keeps of an error of TLS nothing but its text.
    let text = error.to_string();
    if text.contains("received fatal alert") {
        return Failure::ClientCertificate(format!(
            "{endpoint} does not take the client certificate, or the lack of one ({text})."
        ));
    }
    Failure::NotThisDatabase(format!("{endpoint} does not answer like an etcd: {text}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case::on(&[0x0a, 0x02, 0x08, 0x01, 0x10, 0x01, 0x18, 0x05], true)]
    #[case::off(&[0x0a, 0x02, 0x08, 0x01], false)]
    #[case::cut(&[0x0a, 0x7f, 0x08], false)]
    #[case::empty(&[], false)]
    fn the_answer_says_whether_authentication_is_on(#[case] message: &[u8], #[case] on: bool) {
        assert_eq!(is_enabled(message), on);
    }
}
