//! What the tests stand on: a management cluster, Terraform, and a place of its own for each test.

pub mod api_server;
pub mod cluster;
pub mod configuration;
pub mod database;
pub mod machine;
pub mod sandbox;
pub mod terraform;

use std::time::{Duration, Instant};

pub use api_server::ApiServer;
pub use configuration::Tenant;
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
