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
use std::path::Path;
use std::time::{Duration, Instant};

use client::{BINARY, Launch, Plugin};
use http_body_util::{BodyExt as _, Full};
use tonic::body::Body;
use transport::Http2;

const STARTS: usize = 50;
const SCHEMA_CALLS: usize = 50;
const CALLS: usize = 1000;

/// One line of the table. Without a limit it is for information.
struct Row {
    what: &'static str,
    limit: Option<f64>,
    unit: &'static str,
}

const fn row(what: &'static str, limit: Option<f64>, unit: &'static str) -> Row {
    Row { what, limit, unit }
}

/// What [`measure`] measures, in its order.
const ROWS: [Row; 6] = [
    row("binary", Some(12.0), "MB"),
    row("start to handshake", Some(3.0), "ms"),
    row("idle memory after GetProviderSchema", Some(10.0), "MB"),
    row("answer to GetProviderSchema", None, "MB"),
    row("GetProviderSchema", Some(3.0), "ms"),
    row("GetMetadata", Some(0.3), "ms"),
];

#[tokio::main]
async fn main() {
    let own = Path::new(BINARY);
    let own = measure(own, Launch::as_plugin_of(own)).await;
    // The program of any other provider that speaks protocol 6, to measure beside ours.
    let peer = std::env::var_os("PEER_PROVIDER");
    let peer = match &peer {
        Some(program) => {
            let program = Path::new(program);
            // Its calls go without TLS, to its advantage: go-plugin certifies itself with a CA, which rustls does not take.
            Some((program, measure(program, Launch::plain_of(program)).await))
        }
        None => None,
    };
    print(own, peer);
}

/// The values of [`ROWS`] for the program of a provider. Starts are with TLS, calls as the launch says.
async fn measure(program: &Path, launch: Launch) -> [f64; ROWS.len()] {
    let size = std::fs::metadata(program).unwrap().len();
    let start = median(STARTS, || {
        // Neither the client's key pair nor its threads are the provider's time.
        let mut launch = Launch::as_plugin_of(program);
        let mut line = String::new();
        let begin = Instant::now();
        let mut plugin = launch.command.spawn().unwrap();
        BufReader::new(plugin.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let taken = begin.elapsed();
        plugin.kill().and_then(|()| plugin.wait()).unwrap();
        assert!(line.starts_with("1|6|unix|"), "{line}");
        taken
    });
    let plugin = launch.start();
    let (schema, answer) = calls(&plugin, "GetProviderSchema", SCHEMA_CALLS).await;
    let resident = resident_bytes(plugin.process.pid()).unwrap_or_default();
    let (metadata, _) = calls(&plugin, "GetMetadata", CALLS).await;
    [
        megabytes(size),
        milliseconds(start),
        megabytes(resident),
        megabytes(answer as u64),
        milliseconds(schema),
        milliseconds(metadata),
    ]
}

/// The median time of calls without arguments, from the request to the last byte of the answer, and the bytes of the answer.
/// What a client then makes of the bytes is its own affair.
async fn calls(plugin: &Plugin, rpc: &str, calls: usize) -> (Duration, usize) {
    // A peer may open go-plugin's streams when it has something to say, and not before.
    let (http, driver) = plugin.connect_without_streams(plugin.certificate()).await.unwrap();
    let mut times = Vec::with_capacity(calls);
    let mut bytes = 0;
    for _ in 0..calls {
        let begin = Instant::now();
        bytes = call(&http, rpc).await;
        times.push(begin.elapsed());
    }
    driver.abort();
    (middle(times), bytes)
}

/// One call without arguments; the bytes of the answer, which are counted as they come and not gathered.
async fn call(http: &Http2, rpc: &str) -> usize {
    /// The frame of gRPC around a message: no compression, four bytes of length.
    const PREFIX: usize = 5;
    let request = http::Request::post(format!("http://localhost/tfplugin6.Provider/{rpc}"))
        .header(http::header::CONTENT_TYPE, "application/grpc")
        .header(http::header::TE, "trailers")
        .body(Body::new(Full::from([0; PREFIX].as_slice())))
        .unwrap();
    let mut answer = client::send(http, request).await.unwrap().into_body();
    let mut bytes = 0;
    while let Some(frame) = answer.frame().await {
        let frame = frame.unwrap();
        bytes += frame.data_ref().map_or(0, bytes::Bytes::len);
        if let Some(trailers) = frame.trailers_ref() {
            assert_eq!(trailers["grpc-status"], "0");
        }
    }
    bytes - PREFIX
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

fn print(own: [f64; ROWS.len()], peer: Option<(&Path, [f64; ROWS.len()])>) {
    let mut out = std::io::stdout().lock();
    if cfg!(debug_assertions) {
        writeln!(out, "A debug build: the limits are for release builds.").unwrap();
    }
    writeln!(out, "Medians of {STARTS} starts, {SCHEMA_CALLS} calls of GetProviderSchema, {CALLS} of GetMetadata.")
        .unwrap();
    if let Some((program, _)) = peer {
        writeln!(out, "The peer is {}.", program.display()).unwrap();
    }
    writeln!(out, "{:<40} {:>13} {:>13} {:>6} {:>13} {:>6}", "", "measured", "limit", "ratio", "peer", "ratio")
        .unwrap();
    for (index, Row { what, limit, unit }) in ROWS.iter().enumerate() {
        let value = own[index];
        write!(out, "{what:<40} {value:>10.2} {unit}").unwrap();
        match limit {
            Some(limit) => write!(out, " {limit:>10.2} {unit} {:>6.2}", value / limit).unwrap(),
            None => write!(out, " {:>20}", "").unwrap(),
        }
        match peer {
            Some((_, values)) => {
                writeln!(out, " {:>10.2} {unit} {:>6.2}", values[index], value / values[index]).unwrap()
            }
            None => writeln!(out).unwrap(),
        }
    }
}
