//! From the spans that end to the collector, in batches, in the background.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prost::Message as _;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::settings::{Settings, read};
use super::{Collect, Post};
use crate::proto::otlp;
use crate::provider::{Identity, Provider};

/// Spans that may wait for the collector; more are lost.
const PLACES: usize = 2048;

/// Spans in one request.
const BATCH: usize = 512;

/// How long spans are gathered before they are sent.
const INTERVAL: Duration = Duration::from_secs(5);

/// How long the end of the process may take for what was not sent yet. Terraform kills after two seconds.
pub(crate) const TIME_TO_FLUSH: Duration = Duration::from_secs(1);

/// Traces on their way to a collector.
pub(crate) struct Traces {
    settings: Settings,
    spans: mpsc::Receiver<otlp::Span>,
    lost: Arc<AtomicU64>,
}

impl Traces {
    /// What the environment asks for: the layer that makes the spans and what sends them; nothing without a collector. And
    /// what of the environment cannot be used.
    pub(crate) fn of(
        identity: &Identity,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> (Option<(Collect, Self)>, Vec<String>) {
        let (settings, problems) = read(identity, environment);
        let traces = settings.map(|settings| {
            let (sender, spans) = mpsc::channel(PLACES);
            let lost = Arc::new(AtomicU64::new(0));
            let layer = Collect { sender, lost: Arc::clone(&lost), root: settings.root };
            (layer, Self { settings, spans, lost })
        });
        (traces, problems)
    }

    /// Sends what comes until `ended`, and then the rest. The caller bounds the time after that by [`TIME_TO_FLUSH`].
    pub(crate) async fn send(mut self, provider: &dyn Provider, ended: CancellationToken) {
        let mut sender = Sender::default();
        let mut batch = Vec::new();
        while !ended.is_cancelled() {
            let due = Instant::now() + INTERVAL;
            while batch.len() < BATCH {
                let next = tokio::select! {
                    biased;
                    () = ended.cancelled() => break,
                    next = timeout_at(due, self.spans.recv()) => next,
                };
                // There is always a sender: the subscriber.
                let Ok(Some(span)) = next else { break };
                batch.push(span);
            }
            self.post(provider, &mut sender, &mut batch).await;
        }
        while let Ok(span) = self.spans.try_recv() {
            batch.push(span);
            if batch.len() == BATCH {
                self.post(provider, &mut sender, &mut batch).await;
            }
        }
        self.post(provider, &mut sender, &mut batch).await;
        let lost = self.lost.load(Ordering::Relaxed);
        if lost > 0 {
            self.warn(&mut sender, &format!("{lost} spans found no place and are lost"));
        }
        tracing::debug!(spans = sender.accepted, "traces sent");
    }

    async fn post(&self, provider: &dyn Provider, sender: &mut Sender, batch: &mut Vec<otlp::Span>) {
        if batch.is_empty() {
            return;
        }
        let spans = std::mem::take(batch);
        let count = spans.len();
        let sent = timeout(self.settings.timeout, async {
            let connection = match &mut sender.connection {
                Some(connection) => connection,
                none => none.insert(provider.connect(&self.settings.collector).await?),
            };
            connection.post(self.request(spans)).await
        });
        match sent.await {
            Ok(Ok(())) => sender.accepted += count,
            Ok(Err(error)) => self.warn(sender, &error),
            Err(_) => self.warn(sender, &format!("no answer within {} ms", self.settings.timeout.as_millis())),
        }
    }

    fn request(&self, spans: Vec<otlp::Span>) -> Vec<u8> {
        let attribute = |(key, value): &(String, String)| otlp::KeyValue {
            key: key.clone(),
            value: Some(otlp::AnyValue { value: Some(otlp::any_value::Value::StringValue(value.clone())) }),
        };
        let attributes = self.settings.resource.iter().map(attribute).collect();
        let scope = otlp::InstrumentationScope {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let resource_spans = vec![otlp::ResourceSpans {
            resource: Some(otlp::Resource { attributes }),
            scope_spans: vec![otlp::ScopeSpans { scope: Some(scope), spans }],
        }];
        otlp::ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    }

    /// Once a process: a collector that is down is down for every batch.
    fn warn(&self, sender: &mut Sender, problem: &str) {
        if !std::mem::replace(&mut sender.warned, true) {
            tracing::warn!("traces are lost: the collector {}: {problem}. The run goes on", self.collector());
        }
    }

    /// What to say when the rest could not be sent in time.
    pub(crate) fn too_late(collector: &str) {
        tracing::warn!("traces are lost: the collector {collector} did not take the last ones within a second");
    }

    /// The collector, for messages.
    pub(crate) fn collector(&self) -> String {
        format!("{} ({})", self.settings.collector.url, self.settings.variable)
    }
}

/// What has become of the sending so far.
#[derive(Default)]
struct Sender {
    connection: Option<Box<dyn Post>>,
    accepted: usize,
    warned: bool,
}
