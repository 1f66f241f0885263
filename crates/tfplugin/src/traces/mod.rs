//! OpenTelemetry traces of what the provider does, sent if the environment names a collector.
//!
//! A span for each call of Terraform, and below it whatever spans the provider makes with `tracing`. Field names are
//! attributes; these are not: `otel.name` (the name of the span, else its static one), `otel.kind` (`client` or `server`),
//! `otel.status_message` (the span failed, and why). Without a collector no span is made, and nothing is sent to anybody.
//!
//! Nothing that goes wrong here is an error of a run: it is one warning in the log.

mod export;
mod layer;
mod parent;
mod settings;

use async_trait::async_trait;
use http::{HeaderMap, Uri};

pub(crate) use export::{TIME_TO_FLUSH, Traces};
pub(crate) use layer::Collect;

/// Where traces are sent, and what the environment says about it.
pub struct Collector {
    /// `http` or `https`, a host, a path; no user.
    pub url: Uri,
    /// Headers of each request, the content type among them. May be secrets.
    pub headers: HeaderMap,
    /// Certificates of the authorities to believe, PEM; without them those of the system.
    pub certificates: Option<Vec<u8>>,
}

/// A connection to a [`Collector`].
#[async_trait]
pub trait Post: Send + Sync {
    /// Sends one request with this body, and succeeds if it was accepted. The caller limits the time. An error is a text
    /// without secrets.
    async fn post(&self, body: Vec<u8>) -> Result<(), String>;
}
