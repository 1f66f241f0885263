//! One request to the API server: sent, sent again where that can help, and read.

use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderMap, RETRY_AFTER, WARNING};
use http_body_util::BodyExt as _;
use kube::client::{AuthError, Body};
use tokio::time::{Instant, timeout};

use super::classify::{Asked, classify};
use super::client::ManagementCluster;
use super::error::{ApiError, chain};
use super::operation::Operation;
use super::retry::{Again, Delays};
use super::traffic::{self, millis};

/// The longest an API server may take over one answer; kube-apiserver itself gives up after 60 s.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(65);
/// How long a write that is under way may still answer after an interrupt: knowing whether it was carried out is worth
/// half of the second that Terraform gives.
const GRACE: Duration = Duration::from_millis(500);

/// A request with what is needed to read its answer.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) asked: Asked,
    pub(super) request: http::Request<Vec<u8>>,
    /// True if carrying it out twice is the same as once.
    pub(super) idempotent: bool,
}

/// A successful answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) body: Bytes,
    /// `Warning` headers of the API server.
    pub(super) warnings: Vec<String>,
}

struct Failure {
    error: ApiError,
    again: Again,
    retry_after: Option<Duration>,
}

impl From<(ApiError, Again)> for Failure {
    fn from((error, again): (ApiError, Again)) -> Self {
        Self { error, again, retry_after: None }
    }
}

impl ManagementCluster {
    /// Sends a request until it is answered, it cannot help to go on, or the operation is over.
    pub(super) async fn exchange(&self, operation: &Operation, call: &Call) -> Result<Answer, ApiError> {
        let started = Instant::now();
        let mut delays = Delays::default();
        let mut last: Option<ApiError> = None;
        // The failure of an attempt that may have been carried out. A later one that certainly was not changes nothing.
        let mut doubt: Option<ApiError> = None;
        if !changes_nothing(call) {
            self.touched(&call.asked);
        }
        let mut logged_in_again = false;
        loop {
            let remaining = operation.remaining();
            let over = || ApiError::DeadlineExceeded { last: doubt.clone().or_else(|| last.clone()).map(Box::new) };
            if remaining.is_zero() {
                return Err(over());
            }
            let failure = tokio::select! {
                biased;
                () = operation.stop.cancelled() => return Err(ApiError::Stopped { sent: doubt.is_some() }),
                turn = timeout(remaining, self.turn()) => match turn {
                    Err(_) => return Err(over()),
                    Ok(Err(error)) => return Err(error),
                    Ok(Ok(turn)) => match self.attempt(operation, call, &turn.client).await {
                        Ok(answer) => {
                            turn.login.was_accepted();
                            return Ok(answer);
                        }
                        // Not carried out, so any request may be sent again.
                        Err(Failure { error: ApiError::Unauthorized { .. }, .. })
                            if !logged_in_again && self.log_in_again(&turn.login) =>
                        {
                            logged_in_again = true;
                            continue;
                        }
                        Err(failure) => failure,
                    },
                },
            };
            let may = failure.again == Again::Always || (failure.again == Again::IfIdempotent && call.idempotent);
            if !may {
                return Err(failure.error);
            }
            let delay = delays.next_after(failure.retry_after);
            tracing::info!(error = %failure.error, delay_ms = millis(delay), "the request failed; it may be sent again");
            if failure.again == Again::IfIdempotent && !changes_nothing(call) {
                doubt = Some(failure.error.clone());
            }
            let told = doubt.clone().unwrap_or_else(|| failure.error.clone());
            if delay >= operation.remaining() {
                return Err(ApiError::DeadlineExceeded { last: Some(Box::new(told)) });
            }
            if started.elapsed() + delay > operation.patience {
                return Err(told);
            }
            last = Some(failure.error);
            traffic::repeated();
            tokio::select! {
                biased;
                () = operation.stop.cancelled() => return Err(ApiError::Stopped { sent: doubt.is_some() }),
                () = tokio::time::sleep(delay) => {}
            }
        }
    }

    async fn attempt(&self, operation: &Operation, call: &Call, client: &kube::Client) -> Result<Answer, Failure> {
        let limit = operation.remaining().min(ANSWER_TIMEOUT);
        let sent = timeout(limit, self.round_trip(call, client));
        tokio::pin!(sent);
        let in_time = tokio::select! {
            biased;
            in_time = &mut sent => in_time,
            () = operation.stop.cancelled() => {
                let stopped = |sent| Failure::from((ApiError::Stopped { sent }, Again::Never));
                if changes_nothing(call) {
                    return Err(stopped(false));
                }
                timeout(GRACE, sent).await.map_err(|_| stopped(true))?
            }
        };
        in_time.unwrap_or_else(|_| {
            let cause = format!("no answer within {} s", limit.as_secs());
            Err((ApiError::Unreachable { host: self.host().to_owned(), cause, sent: true }, Again::IfIdempotent).into())
        })
    }

    async fn round_trip(&self, call: &Call, client: &kube::Client) -> Result<Answer, Failure> {
        let started = Instant::now();
        let request = call.request.clone();
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let outcome = client.send(request.map(Body::from)).await;
        let ms = millis(started.elapsed());
        let response = match outcome {
            Ok(response) => response,
            Err(error) => {
                let failure = from_transport(self.host(), &error);
                tracing::debug!(%method, path, error = %failure.0, ms, "request failed");
                return Err(failure.into());
            }
        };
        let (head, body) = response.into_parts();
        let status = head.status.as_u16();
        tracing::debug!(%method, path, status, ms, "request");
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => {
                let cause = format!("the answer broke off: {}", chain(&error));
                let host = self.host().to_owned();
                return Err((ApiError::Unreachable { host, cause, sent: true }, Again::IfIdempotent).into());
            }
        };
        if head.status.is_success() {
            return Ok(Answer { body, warnings: warnings(&head.headers) });
        }
        let (error, again) = classify(&call.asked, status, &body);
        Err(Failure { error, again, retry_after: retry_after(&head.headers) })
    }
}

/// A read, or a write that stores nothing.
fn changes_nothing(call: &Call) -> bool {
    let query = call.request.uri().query().unwrap_or_default();
    call.request.method() == http::Method::GET || query.split('&').any(|parameter| parameter == "dryRun=All")
}

/// Reads a failure that is no HTTP answer.
pub(super) fn from_transport(host: &str, error: &kube::Error) -> (ApiError, Again) {
    let mut again = Again::IfIdempotent;
    let mut current: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(source) = current {
        if let Some(tls) = source.downcast_ref::<rustls::Error>() {
            return (ApiError::Tls { host: host.to_owned(), cause: tls.to_string() }, Again::Never);
        }
        if let Some(auth) = source.downcast_ref::<AuthError>() {
            return (ApiError::Credentials(auth_failure(auth)), Again::Never);
        }
        let never_connected = source
            .downcast_ref::<hyper_util::client::legacy::Error>()
            .is_some_and(hyper_util::client::legacy::Error::is_connect)
            || source
                .downcast_ref::<std::io::Error>()
                .is_some_and(|io| io.kind() == std::io::ErrorKind::ConnectionRefused);
        if never_connected {
            again = Again::Always;
        }
        // The source of an io::Error is that of the error inside it: that one itself would be passed over.
        current = match source.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inside) => Some(inside),
            None => source.source(),
        };
    }
    (ApiError::Unreachable { host: host.to_owned(), cause: causes(error), sent: again != Again::Always }, again)
}

/// The causes without the outermost layers, which say only "ServiceError: client error (Connect)".
pub(crate) fn causes(error: &kube::Error) -> String {
    let text = chain(error);
    let text = text.strip_prefix("ServiceError: ").unwrap_or(&text);
    text.strip_prefix("client error (Connect): ").unwrap_or(text).to_owned()
}

/// What a token file or the command of an `auth-provider` did wrong. kube's own text holds what the command printed, which
/// may be a token.
pub(super) fn auth_failure(error: &AuthError) -> String {
    match error {
        AuthError::AuthExecRun { out, .. } => {
            format!("the credential plugin failed ({}); run it in a terminal to see why", out.status)
        }
        other => chain(other),
    }
}

/// Seconds; the form with a date is not used by Kubernetes.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

fn warnings(headers: &HeaderMap) -> Vec<String> {
    headers.get_all(WARNING).iter().filter_map(|value| value.to_str().ok()).filter_map(text_of_299).collect()
}

/// The text of `299 - "text"`, the only form that Kubernetes sends.
fn text_of_299(value: &str) -> Option<String> {
    let after = value.trim().strip_prefix("299 ")?;
    let (_, quoted) = after.split_once('"')?;
    let mut text = String::new();
    let mut characters = quoted.chars();
    loop {
        match characters.next()? {
            '"' => return Some(text),
            '\\' => text.push(characters.next()?),
            character => text.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("299 - \"unknown field \\\"spec.x\\\"\"", Some("unknown field \"spec.x\""))]
    #[case("299 kube \"v1 is deprecated\" \"Sat, 25 Aug 2026 23:34:45 GMT\"", Some("v1 is deprecated"))]
    #[case("199 - \"other\"", None)]
    #[case("299 - \"never ends", None)]
    #[case("299", None)]
    fn the_text_of_a_warning(#[case] header: &str, #[case] text: Option<&str>) {
        assert_eq!(text_of_299(header).as_deref(), text);
    }

    #[cfg(unix)]
    #[test]
    fn what_a_credential_plugin_prints_is_not_shown() {
        let out = std::process::Command::new("sh").args(["-c", "echo s3cret; echo s3cret >&2; exit 3"]).output();
        let error = AuthError::AuthExecRun { cmd: "sh -c s3cret".into(), out: Box::new(out.expect("runs")) };
        let text = auth_failure(&error);
        assert!(!text.contains("s3cret"), "{text}");
        assert!(text.contains("exit status: 3"), "{text}");
    }

    #[test]
    fn a_refused_connection_was_never_made_and_a_reset_one_may_have_been() {
        let error = |kind| kube::Error::Service(Box::new(std::io::Error::from(kind)));
        assert_eq!(from_transport("h", &error(std::io::ErrorKind::ConnectionRefused)).1, Again::Always);
        assert_eq!(from_transport("h", &error(std::io::ErrorKind::ConnectionReset)).1, Again::IfIdempotent);
    }

    #[test]
    fn a_certificate_that_does_not_fit_is_not_tried_again() {
        let tls = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let error = kube::Error::Service(Box::new(std::io::Error::other(std::io::Error::other(tls))));
        assert!(matches!(from_transport("h", &error), (ApiError::Tls { .. }, Again::Never)));
    }
}
