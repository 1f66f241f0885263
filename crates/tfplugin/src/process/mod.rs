//! The go-plugin process: how Terraform starts a provider, talks to it and ends it.

mod command_line;
mod controller;
mod debug;
#[cfg(fuzzing)]
pub mod fuzzing;
mod handshake;
mod interrupt;
mod lifetime;
mod listener;
mod log;
mod panic;
mod server;
#[cfg(unix)]
mod stale;
mod tls;

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

use command_line::Command;
pub(crate) use log::clip;

use crate::provider::{Identity, Provider};
use crate::service::ProviderService;
use crate::traces::Traces;

/// Runs the provider that `make` returns until Terraform is done with it, and returns the exit code for `main`.
///
/// `main` is nothing but this call. What `make` does is paid before Terraform gets its handshake, three or four times per
/// command, so it should be next to nothing.
pub fn serve<P: Provider>(make: impl FnOnce() -> P) -> ExitCode {
    let provider = make();
    run(provider.identity(), || ProviderService::new(provider))
}

/// Runs `service` as the provider `identity` until Terraform is done with it, and returns the exit code for `main`.
///
/// Reads the arguments and the environment; `service` is made only when there is something to serve.
fn run(identity: Identity, service: impl FnOnce() -> ProviderService) -> ExitCode {
    let environment = |key: &str| std::env::var(key).ok();
    match Command::parse(std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned())) {
        Command::Version => print(&command_line::version(&identity)),
        Command::Help => print(&command_line::help(&identity)),
        Command::Unknown(argument) => {
            complain(&command_line::unknown_argument(&identity, &argument));
            ExitCode::from(2)
        }
        Command::Serve if !handshake::is_started_as_plugin(environment) => {
            complain(&command_line::not_a_program(&identity));
            ExitCode::FAILURE
        }
        Command::Serve => serve_as(server::Mode::Plugin, identity, service),
        Command::Debug => serve_as(server::Mode::Debug, identity, service),
    }
}

fn serve_as(mode: server::Mode, identity: Identity, service: impl FnOnce() -> ProviderService) -> ExitCode {
    let environment = |key: &str| std::env::var(key).ok();
    let (traces, problems) = Traces::of(&identity, &environment);
    let (collect, traces) = traces.unzip();
    log::install(identity.name(), environment, collect);
    problems.iter().for_each(|problem| tracing::warn!("{problem}"));
    panic::install_hook();
    match server::run(mode, &identity, service, traces) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Terraform logs lines that start so at this level.
            complain(&format!("[ERROR] {}: {}\n", identity.binary_name(), with_causes(&error)));
            ExitCode::FAILURE
        }
    }
}

/// The error and what caused it, on one line.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

fn print(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn complain(text: &str) {
    // Without stderr there is nobody to tell.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
