//! Spans of `tracing` as spans of OpenTelemetry.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::mpsc;
use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::parent::Parent;
use crate::process::clip;
use crate::proto::otlp::any_value::Value;
use crate::proto::otlp::{AnyValue, KeyValue, Span, Status, span, status};

/// Longest text of one attribute in bytes.
const LONGEST_TEXT: usize = 1024;

/// Hands spans over when they end. A collector that takes none stops nobody: what finds no place is counted and lost.
pub(crate) struct Collect {
    pub(super) sender: mpsc::Sender<Span>,
    pub(super) lost: Arc<AtomicU64>,
    pub(super) root: Option<Parent>,
}

/// A span that goes on.
struct Open {
    span: Span,
    sampled: bool,
    begin: Instant,
    started: SystemTime,
}

impl Open {
    fn as_parent(&self) -> Option<Parent> {
        let trace_id = u128::from_be_bytes(self.span.trace_id.as_slice().try_into().ok()?);
        let span_id = u64::from_be_bytes(self.span.span_id.as_slice().try_into().ok()?);
        Some(Parent { trace_id, span_id, sampled: self.sampled })
    }
}

impl<S> Layer<S> for Collect
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut made = Span { name: attributes.metadata().name().to_owned(), ..Span::default() };
        made.set_kind(span::SpanKind::Internal);
        attributes.record(&mut Fields(&mut made));
        let around = span.parent().and_then(|parent| parent.extensions().get::<Open>().and_then(Open::as_parent));
        let parent = around.or(self.root);
        // Zero is no id.
        let trace_id = parent.map_or_else(|| fastrand::u128(1..), |parent| parent.trace_id);
        made.trace_id = trace_id.to_be_bytes().to_vec();
        made.span_id = fastrand::u64(1..).to_be_bytes().to_vec();
        made.parent_span_id = parent.map(|parent| parent.span_id.to_be_bytes().to_vec()).unwrap_or_default();
        made.flags = 1;
        let sampled = parent.is_none_or(|parent| parent.sampled);
        let open = Open { span: made, sampled, begin: Instant::now(), started: SystemTime::now() };
        span.extensions_mut().insert(open);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(open) = span.extensions_mut().get_mut::<Open>() {
            values.record(&mut Fields(&mut open.span));
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(open) = context.span(&id).and_then(|span| span.extensions_mut().remove::<Open>()) else { return };
        if !open.sampled {
            return;
        }
        let mut span = open.span;
        let started = open.started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        span.start_time_unix_nano = nanos(started);
        span.end_time_unix_nano = nanos(started.saturating_add(open.begin.elapsed()));
        if self.sender.try_send(span).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Takes fields down in a span.
struct Fields<'a>(&'a mut Span);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("otel.name", Value::StringValue(name)) => self.0.name = name,
            ("otel.kind", Value::StringValue(kind)) => match kind.as_str() {
                "client" => self.0.set_kind(span::SpanKind::Client),
                "server" => self.0.set_kind(span::SpanKind::Server),
                _ => {}
            },
            ("otel.status_message", Value::StringValue(message)) => {
                self.0.status = Some(Status { message, code: status::StatusCode::Error.into() });
            }
            (key, value) => {
                let value = Some(AnyValue { value: Some(value) });
                match self.0.attributes.iter_mut().find(|attribute| attribute.key == key) {
                    Some(attribute) => attribute.value = value,
                    None => self.0.attributes.push(KeyValue { key: key.to_owned(), value }),
                }
            }
        }
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, Value::StringValue(clip(format!("{value:?}"), LONGEST_TEXT)));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::StringValue(clip(value.to_owned(), LONGEST_TEXT)));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::BoolValue(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::IntValue(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Value::IntValue(i64::try_from(value).unwrap_or(i64::MAX)));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Value::DoubleValue(value));
    }
}

#[cfg(test)]
mod tests {
    use tracing::field::Empty;
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::registry::Registry;

    use super::*;

    /// The spans that end while `make` runs, in the order of their ends.
    fn spans(root: Option<&str>, places: usize, make: impl FnOnce()) -> (Vec<Span>, u64) {
        let (sender, mut receiver) = mpsc::channel(places);
        let lost = Arc::new(AtomicU64::new(0));
        let collect = Collect { sender, lost: Arc::clone(&lost), root: root.and_then(Parent::parse) };
        tracing::subscriber::with_default(Registry::default().with(collect), make);
        let mut spans = Vec::new();
        while let Ok(span) = receiver.try_recv() {
            spans.push(span);
        }
        (spans, lost.load(Ordering::Relaxed))
    }

    #[test]
    fn a_child_belongs_to_its_parent_and_the_first_to_the_root() {
        let root = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let (spans, _) = spans(Some(root), 8, || {
            let call = tracing::info_span!("call").entered();
            drop(tracing::info_span!("wait").entered());
            drop(call);
        });
        let [wait, call] = &spans[..] else { panic!("{spans:?}") };
        assert_eq!((wait.name.as_str(), call.name.as_str()), ("wait", "call"));
        assert_eq!(call.trace_id[..2], [0x0a, 0xf7]);
        assert_eq!(call.parent_span_id[..2], [0xb7, 0xad]);
        assert_eq!((&wait.trace_id, &wait.parent_span_id), (&call.trace_id, &call.span_id));
        assert!(
            call.start_time_unix_nano <= wait.start_time_unix_nano
                && wait.end_time_unix_nano >= wait.start_time_unix_nano
        );
    }

    #[test]
    fn fields_are_attributes_but_those_about_the_span() {
        let (spans, _) = spans(None, 8, || {
            let span = tracing::info_span!(
                "a",
                otel.name = "b",
                otel.kind = "client",
                status = Empty,
                otel.status_message = Empty
            );
            span.record("status", 200);
            span.record("status", 500);
            span.record("otel.status_message", "no");
        });
        let span = &spans[0];
        assert_eq!((span.name.as_str(), span.kind()), ("b", span::SpanKind::Client));
        assert_eq!(
            span.status.as_ref().map(|status| (status.message.as_str(), status.code())),
            Some(("no", status::StatusCode::Error))
        );
        let attributes: Vec<_> =
            span.attributes.iter().map(|it| (it.key.as_str(), it.value.clone().and_then(|it| it.value))).collect();
        assert_eq!(attributes, [("status", Some(Value::IntValue(500)))]);
        assert!(span.parent_span_id.is_empty() && span.trace_id.len() == 16 && span.span_id.len() == 8);
    }

    #[test]
    fn nothing_of_a_trace_that_is_not_kept() {
        let (spans, _) = spans(Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"), 8, || {
            let _call = tracing::info_span!("call").entered();
            drop(tracing::info_span!("wait"));
        });
        assert!(spans.is_empty(), "{spans:?}");
    }

    #[test]
    fn what_finds_no_place_is_lost_and_counted() {
        let (spans, lost) = spans(None, 1, || (0..3).for_each(|_| drop(tracing::info_span!("a"))));
        assert_eq!((spans.len(), lost), (1, 2));
    }
}
