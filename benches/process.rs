//! Measures the built provider as Terraform meets it: size, start, memory, calls, each beside its limit.
//!
//! `cargo bench --bench process`. Nothing fails on a slow machine: the last column says how much of the limit is used.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "a benchmark fails by a panic")]

#[allow(dead_code, reason = "the protocol tests use the rest")]
#[path = "../tests/protocol/certificate.rs"]
mod certificate;
#[allow(dead_code, reason = "the protocol tests use the rest")]
#[path = "../tests/protocol/client.rs"]
mod client;
#[allow(dead_code, reason = "the protocol tests use the rest")]
#[path = "../tests/protocol/transport.rs"]
mod transport;

use std::io::{BufRead as _, BufReader, Write as _};
use std::time::{Duration, Instant};

use tfplugin::proto::tfplugin6::{get_metadata, get_provider_schema};

use client::{BINARY, Launch};

const STARTS: usize = 50;
const SCHEMA_CALLS: usize = 20;
const CALLS: usize = 1000;

/// One line of the table. Without a limit it is for information.
struct Row {
    what: String,
    value: f64,
    limit: Option<f64>,
    unit: &'static str,
}

impl Row {
    fn new(what: impl Into<String>, value: f64, limit: impl Into<Option<f64>>, unit: &'static str) -> Self {
        Self { what: what.into(), value, limit: limit.into(), unit }
    }
}

#[tokio::main]
async fn main() {
    let mut rows = vec![Row::new("binary", megabytes(std::fs::metadata(BINARY).unwrap().len()), 12.0, "MB")];
    let start = median(STARTS, || {
        // Neither the client's key pair nor its threads are the provider's time.
        let mut launch = Launch::as_plugin();
        let mut line = String::new();
        let begin = Instant::now();
        let mut plugin = launch.command.spawn().unwrap();
        BufReader::new(plugin.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let taken = begin.elapsed();
        plugin.kill().and_then(|()| plugin.wait()).unwrap();
        assert!(line.starts_with("1|6|unix|"), "{line}");
        taken
    });
    rows.push(Row::new(format!("start to handshake, median of {STARTS}"), milliseconds(start), 3.0, "ms"));
    rows.extend(calls().await);
    print(&rows);
}

/// What a running provider costs.
async fn calls() -> Vec<Row> {
    let plugin = Launch::as_plugin().start();
    let mut connection = plugin.connect().await;
    let provider = &mut connection.provider;

    let begin = Instant::now();
    let schema = provider.get_provider_schema(get_provider_schema::Request {}).await.unwrap().into_inner();
    let first = begin.elapsed();
    let objects = schema.resource_schemas.len() + schema.data_source_schemas.len();
    let objects = objects + schema.ephemeral_resource_schemas.len();
    let resident = resident_bytes(plugin.process.pid());

    let mut schema_calls = Vec::with_capacity(SCHEMA_CALLS);
    for _ in 0..SCHEMA_CALLS {
        let begin = Instant::now();
        provider.get_provider_schema(get_provider_schema::Request {}).await.unwrap();
        schema_calls.push(begin.elapsed());
    }
    let mut unary = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let begin = Instant::now();
        provider.get_metadata(get_metadata::Request {}).await.unwrap();
        unary.push(begin.elapsed());
    }

    let mut rows = Vec::new();
    if let Some(bytes) = resident {
        rows.push(Row::new("idle memory after GetProviderSchema", megabytes(bytes), 10.0, "MB"));
    }
    rows.push(Row::new(format!("first GetProviderSchema, {objects} objects"), milliseconds(first), None, "ms"));
    let again = milliseconds(middle(schema_calls));
    rows.push(Row::new(format!("GetProviderSchema, median of {SCHEMA_CALLS}"), again, None, "ms"));
    rows.push(Row::new(format!("GetMetadata, median of {CALLS}"), milliseconds(middle(unary)), 0.3, "ms"));
    rows
}

/// The median of so many runs, after one tenth as many that only warm the caches.
fn median(runs: usize, mut run: impl FnMut() -> Duration) -> Duration {
    for _ in 0..runs / 10 {
        run();
    }
    middle((0..runs).map(|_| run()).collect())
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// The resident set of a process; [`None`] where there is no `/proc`.
fn resident_bytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

#[allow(clippy::cast_precision_loss, reason = "shown with two digits")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn print(rows: &[Row]) {
    let mut out = std::io::stdout().lock();
    if cfg!(debug_assertions) {
        writeln!(out, "A debug build: the limits are for release builds.").unwrap();
    }
    writeln!(out, "{:<40} {:>13} {:>13} {:>6}", "", "measured", "limit", "ratio").unwrap();
    for Row { what, value, limit, unit } in rows {
        write!(out, "{what:<40} {value:>10.2} {unit}").unwrap();
        match limit {
            Some(limit) => writeln!(out, " {limit:>10.2} {unit} {:>6.2}", value / limit).unwrap(),
            None => writeln!(out).unwrap(),
        }
    }
}
