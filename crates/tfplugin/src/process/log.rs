//! Log lines in the format of go-hclog: one JSON object a line on stderr, which Terraform filters and reprints.
//!
//! `@level`, `@message` and `@timestamp` must be strings, and the time needs exactly six fractional digits: Terraform
//! panics over the first and reprints the raw line over the second.

use std::fmt::Debug;
use std::io::Write as _;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber, span};
use tracing_subscriber::filter::{FilterFn, Targets};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::{LookupSpan, Registry};

use crate::traces::Collect;

/// Longest text of one field in bytes. Terraform reads 64 KiB at a time and takes the rest of a line for another one.
const LONGEST_TEXT: usize = 8 * 1024;

/// Starts logging at the level that the environment asks for, and the making of traces, if there are any to make. With
/// neither nothing is installed or formatted.
///
/// `name` is the provider's type (`kamaji`). Only events of the provider's own crate, `terraform_provider_<name>`, and of
/// this framework are written: at `TRACE` the HTTP/2 layer alone writes thousands of lines.
pub(super) fn install(name: &str, environment: impl Fn(&str) -> Option<String>, traces: Option<Collect>) {
    let level = level(name, environment);
    if level == LevelFilter::OFF && traces.is_none() {
        return;
    }
    let own_crate = format!("terraform_provider_{}", name.replace('-', "_"));
    let targets = |level| Targets::new().with_target(&own_crate, level).with_target(env!("CARGO_PKG_NAME"), level);
    let own = targets(LevelFilter::DEBUG);
    let spans =
        FilterFn::new(move |metadata| metadata.is_span() && own.would_enable(metadata.target(), metadata.level()))
            .with_max_level_hint(LevelFilter::DEBUG);
    let subscriber = Registry::default()
        .with(Hclog { write: write_to_stderr }.with_filter(targets(level)))
        .with(traces.map(|traces| traces.with_filter(spans)));
    // Fails only if a subscriber is there already, which then has the say.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// The first of `TF_LOG_PROVIDER_<NAME>`, `TF_LOG_PROVIDER` and `TF_LOG` that is set; off without any.
///
/// Terraform's rule for values: unknown ones, and `JSON`, mean trace.
pub(super) fn level(name: &str, environment: impl Fn(&str) -> Option<String>) -> LevelFilter {
    let own = format!("TF_LOG_PROVIDER_{}", name.to_uppercase().replace('-', "_"));
    let value = [own.as_str(), "TF_LOG_PROVIDER", "TF_LOG"]
        .into_iter()
        .find_map(|key| environment(key).filter(|value| !value.is_empty()));
    match value.map(|value| value.to_uppercase()).as_deref() {
        None | Some("OFF") => LevelFilter::OFF,
        Some("ERROR") => LevelFilter::ERROR,
        Some("WARN") => LevelFilter::WARN,
        Some("INFO") => LevelFilter::INFO,
        Some("DEBUG") => LevelFilter::DEBUG,
        Some(_) => LevelFilter::TRACE,
    }
}

fn write_to_stderr(line: &[u8]) {
    let _ = std::io::stderr().lock().write_all(line);
}

/// Writes each event, with the fields of the spans around it, as one line.
struct Hclog<W> {
    write: W,
}

impl<W, S> Layer<S> for Hclog<W>
where
    W: Fn(&[u8]) + 'static,
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = Fields::default();
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(fields) = span.extensions().get::<Fields>() {
                line.0.extend(fields.0.iter().map(|(key, value)| (key.clone(), value.clone())));
            }
        }
        // A span's own `message` is not the event's.
        line.0.remove("message");
        event.record(&mut line);
        let metadata = event.metadata();
        let mut bytes = line.into_hclog(*metadata.level(), metadata.target(), jiff::Timestamp::now());
        bytes.push(b'\n');
        (self.write)(&bytes);
    }
}

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        // What a span says of itself to traces.
        if field.name().starts_with("otel.") {
            return;
        }
        self.0.insert(field.name().trim_start_matches("r#").to_owned(), value);
    }

    /// One JSON object. The `@` keys are set last, so that no field can take their place.
    fn into_hclog(mut self, level: Level, module: &str, time: jiff::Timestamp) -> Vec<u8> {
        let message = match self.0.remove("message") {
            Some(Value::String(text)) => text,
            Some(other) => other.to_string(),
            None => String::new(),
        };
        let level = match level {
            Level::TRACE => "trace",
            Level::DEBUG => "debug",
            Level::INFO => "info",
            Level::WARN => "warn",
            Level::ERROR => "error",
        };
        let time = time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
        for (key, text) in [("@level", level), ("@message", &message), ("@module", module), ("@timestamp", &time)] {
            self.0.insert(key.to_owned(), Value::String(text.to_owned()));
        }
        Value::Object(self.0).to_string().into_bytes()
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, Value::String(clip(format!("{value:?}"), LONGEST_TEXT)));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::String(clip(value.to_owned(), LONGEST_TEXT)));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }
}

/// Cuts a text at so many bytes and says so.
pub(crate) fn clip(mut text: String, longest: usize) -> String {
    let length = text.len();
    if length > longest {
        let end = (0..=longest).rev().find(|&at| text.is_char_boundary(at)).unwrap_or_default();
        text.truncate(end);
        text.push_str(&format!("… ({length} bytes)"));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::nothing_set(&[], LevelFilter::OFF)]
    #[case::terraforms_level(&[("TF_LOG", "debug")], LevelFilter::DEBUG)]
    #[case::providers_before_terraforms(&[("TF_LOG", "TRACE"), ("TF_LOG_PROVIDER", "warn")], LevelFilter::WARN)]
    #[case::own_before_providers(&[("TF_LOG_PROVIDER", "TRACE"), ("TF_LOG_PROVIDER_MY_CLOUD", "ERROR")], LevelFilter::ERROR)]
    #[case::off(&[("TF_LOG", "TRACE"), ("TF_LOG_PROVIDER", "off")], LevelFilter::OFF)]
    #[case::json_is_trace(&[("TF_LOG", "JSON")], LevelFilter::TRACE)]
    #[case::unknown_is_trace(&[("TF_LOG", "yes")], LevelFilter::TRACE)]
    #[case::empty_is_unset(&[("TF_LOG_PROVIDER", ""), ("TF_LOG", "INFO")], LevelFilter::INFO)]
    #[case::core_alone_is_not_ours(&[("TF_LOG_CORE", "TRACE")], LevelFilter::OFF)]
    fn the_level_comes_from_the_environment(#[case] set: &[(&str, &str)], #[case] expected: LevelFilter) {
        let environment = |key: &str| set.iter().find(|(name, _)| *name == key).map(|(_, value)| (*value).to_owned());
        assert_eq!(level("my-cloud", environment), expected);
    }

    fn lines(emit: impl FnOnce()) -> Vec<Value> {
        let written = Arc::new(Mutex::new(Vec::new()));
        let sink = written.clone();
        let write = move |line: &[u8]| sink.lock().unwrap().extend_from_slice(line);
        tracing::subscriber::with_default(Registry::default().with(Hclog { write }), emit);
        let written = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        written.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn an_event_is_one_line_with_its_fields_and_those_of_its_spans() {
        let lines = lines(|| {
            let span = tracing::info_span!("call", tf_rpc = "ApplyResourceChange", attempt = tracing::field::Empty);
            let _entered = span.enter();
            span.record("attempt", 2);
            tracing::warn!(seconds = 1.5, r#type = "a", ready = false, "waits\nfor {}", "pods");
        });
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!(line["@level"], "warn");
        assert_eq!(line["@message"], "waits\nfor pods");
        assert_eq!(line["@module"], module_path!());
        assert_eq!(line["tf_rpc"], "ApplyResourceChange");
        assert_eq!(line["attempt"], 2);
        assert_eq!(line["seconds"], 1.5);
        assert_eq!(line["type"], "a");
        assert_eq!(line["ready"], false);
    }

    #[test]
    fn no_field_takes_the_place_of_a_key_that_terraform_insists_on() {
        let lines = lines(|| tracing::info!({ "@level" = 7, "@timestamp" = 8, "@message" = 9 }, "text"));
        assert_eq!((&lines[0]["@level"], &lines[0]["@message"]), (&"info".into(), &"text".into()));
        assert!(lines[0]["@timestamp"].is_string());
    }

    #[test]
    fn a_message_is_a_string_even_without_text() {
        let lines = lines(|| tracing::info!(message = 5));
        assert_eq!(lines[0]["@message"], "5");
    }

    #[rstest]
    #[case("2026-11-24T01:02:03Z", "2026-11-24T01:02:03.000000Z")]
    #[case("2026-11-24T01:02:03.123456789Z", "2026-11-24T01:02:03.123456Z")]
    fn the_time_has_six_fractional_digits(#[case] time: &str, #[case] expected: &str) {
        let line = Fields::default().into_hclog(Level::INFO, "m", time.parse().unwrap());
        let line: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(line["@timestamp"], expected);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let clipped = clip("é".repeat(LONGEST_TEXT), LONGEST_TEXT);
        assert!(clipped.len() < LONGEST_TEXT + 40 && clipped.ends_with(&format!("… ({} bytes)", 2 * LONGEST_TEXT)));
        assert_eq!(clip("short".to_owned(), LONGEST_TEXT), "short");
    }
}
