//! Ctrl-C, as each system tells it to a runtime.

use std::io;

#[cfg(unix)]
pub(super) use tokio::signal::unix::Signal as Interrupts;
#[cfg(windows)]
pub(super) use tokio::signal::windows::CtrlC as Interrupts;

/// From here on Ctrl-C is received here, and no longer ends the process.
pub(super) fn listen() -> io::Result<Interrupts> {
    #[cfg(unix)]
    return tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt());
    #[cfg(windows)]
    return tokio::signal::windows::ctrl_c();
}
