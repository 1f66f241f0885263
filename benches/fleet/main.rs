//! What a plan without changes costs a fleet: the real Terraform, the built provider, an API server behind a slow line.
//!
//! `cargo bench --bench fleet`; without Terraform (`TERRAFORM_BIN`, or `terraform` in `PATH`) there is nothing to measure.
//! Nothing fails on a slow machine: the last column says how much of the limit is used.
//!
//! The API server is the benchmark's own ([`api_server`]), in memory and over TLS: it runs anywhere, takes no time of its
//! own worth speaking of, and counts what it is asked. A real kube-apiserver adds its own milliseconds to each request.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "a benchmark fails by a panic")]

mod api_server;
mod line;
mod plugin;
mod terraform;

use std::io::Write as _;
use std::time::Duration;

use api_server::ApiServer;
use terraform::{Run, Terraform};

const SIZES: [usize; 3] = [1, 100, 1000];
/// Added to each round trip.
const DELAYS: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(50)];
const RUNS: usize = 3;

/// One line of the table. Without a limit it is for information.
struct Row {
    what: String,
    value: f64,
    limit: Option<f64>,
    unit: &'static str,
}

fn main() {
    // Started by Terraform: a provider that is being watched.
    if plugin::is_wanted() {
        plugin::run();
    }
    let Some(program) = terraform::program() else {
        let mut out = std::io::stdout().lock();
        writeln!(out, "No terraform in PATH and no TERRAFORM_BIN: the fleet is not measured.").unwrap();
        return;
    };
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let api = ApiServer::start();
    let mut rows = Vec::new();
    for size in SIZES {
        api.line.set(Duration::ZERO);
        let terraform = Terraform::new(&program, &api, size);
        terraform.apply();
        let mut walls = Vec::new();
        for delay in DELAYS {
            api.line.set(delay);
            let run = (0..RUNS).map(|_| terraform.plan(&api)).min_by(|a, b| a.wall.cmp(&b.wall)).unwrap();
            rows.extend(figures(&run, size, delay));
            walls.push(run.wall);
        }
        if size == 1000 {
            let more = walls[1].saturating_sub(walls[0]).as_secs_f64();
            rows.push(Row {
                what: format!("{size} tenants, 50 ms: more than at 2 ms"),
                value: more,
                limit: Some(0.5),
                unit: "s",
            });
            let row = |what: &str, value| Row { what: format!("{size} {what}"), value, limit: None, unit: "s" };
            let without = terraform.plan_without_refresh(&api).wall.as_secs_f64();
            rows.push(row("tenants: the same without refresh", without));
            rows.push(row("terraform_data, without any provider", terraform::floor(&program, size).as_secs_f64()));
        }
        let (file, text) = terraform.state_bytes();
        let each = |what: &str, bytes, limit| Row {
            what: format!("{size} tenants: state of each, {what}"),
            value: number(bytes) / number(size) / 1000.0,
            limit,
            unit: "KB",
        };
        rows.extend([each("as JSON", text, Some(4.0)), each("indented", file, None)]);
    }
    print(&rows);
}

/// The limits are those of a thousand tenants; a smaller fleet has the same memory and less of the rest.
fn figures(run: &Run, size: usize, delay: Duration) -> Vec<Row> {
    let thousand = (size == 1000).then_some(());
    let of = |what: &str| format!("{size} tenants, {} ms: {what}", delay.as_millis());
    let cpu = run.cpu.as_secs_f64() * 1e3 / number(size);
    let row = |what: &str, value, limit, unit| Row { what: of(what), value, limit, unit };
    vec![
        row("wall time of a plan", run.wall.as_secs_f64(), thousand.map(|()| 3.0), "s"),
        row("requests", number(run.requests), Some(6.0), ""),
        row("CPU of Terraform for each", run.terraform.as_secs_f64() * 1e3 / number(size), None, "ms"),
        row("CPU of the provider for each", cpu, thousand.map(|()| 0.5), "ms"),
        row("memory of the provider", number(run.memory) / 1e6, Some(60.0), "MB"),
    ]
}

#[allow(clippy::cast_precision_loss, reason = "shown with two digits")]
fn number(count: usize) -> f64 {
    count as f64
}

fn print(rows: &[Row]) {
    let mut out = std::io::stdout().lock();
    if cfg!(debug_assertions) {
        writeln!(out, "A debug build: the limits are for release builds.").unwrap();
    }
    writeln!(out, "{:<48} {:>13} {:>13} {:>6}", "a plan without changes", "measured", "limit", "ratio").unwrap();
    for Row { what, value, limit, unit } in rows {
        write!(out, "{what:<48} {value:>10.2} {unit:<2}").unwrap();
        match limit {
            Some(limit) => writeln!(out, " {limit:>10.2} {unit:<2} {:>6.2}", value / limit).unwrap(),
            None => writeln!(out).unwrap(),
        }
    }
    writeln!(
        out,
        "Others with the same objects: kubernetes_manifest (hashicorp/kubernetes 3.2.1) 50 s for 100 tenants; \
         kubectl_manifest (alekc/kubectl 3) 1.2 s for 100,\n9.0 s for 1000 and 11.5 s at 50 ms, one request and 2.3 KB of \
         state for each."
    )
    .unwrap();
}
