//! What the tests stand on: a management cluster, Terraform, and a place of its own for each test.

pub mod api_server;
pub mod cluster;
pub mod configuration;
pub mod database;
pub mod features;
pub mod machine;
pub mod running;
pub mod sandbox;
pub mod terraform;

use std::io::Write as _;
use std::time::{Duration, Instant};

pub use api_server::ApiServer;
pub use configuration::Tenant;
pub use features::Feature;
pub use machine::{Machine, SshMachine};
pub use sandbox::Sandbox;

/// Asks until the answer is there, and returns it; panics with `what` when `limit` is over.
pub fn wait_for<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Says what of the test is not run: `since Terraform 1.11 has no actions: kamaji_restart`.
pub fn left_out(why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // Past the capture of the test harness, which drops what a test that passes says.
    let _ = writeln!(std::io::stderr(), "-- left out, {why} ({test})");
}
