//! Running a script of `sh` as root.

use std::time::Duration;

use bytes::Bytes;
use russh::client::Msg;
use russh::{Channel, ChannelMsg};
use secrecy::{ExposeSecret as _, SecretString};

use super::{Session, SshError};
use crate::management_cluster::Operation;

/// Bytes that are kept of each output: of the first from its beginning, of the second its end.
const KEPT: usize = 64 << 10;
/// How long the end of the input may take to get on its way before the connection is dropped.
const LAST_WORD: Duration = Duration::from_millis(300);

/// What stands around a script. The shell reads the group to its end before it runs anything of it. Its input stays open as
/// long as somebody waits for the script: the end of it, also that of the connection, ends everything that the script has
/// started. Signals would be simpler, but OpenSSH passes none on to root's commands. What a shell says then to nobody must not
/// end it before it has cleaned up: hence the trap.
pub(super) const BEFORE: &str = "{\ntrap '' PIPE\n( cat <&3; kill -TERM 0 ) >/dev/null 2>&1 &\nwatch=$!\n(\n";
/// See [`BEFORE`].
pub(super) const AFTER: &str =
    "\n) 3<&-\nstatus=$?\nkill \"$watch\" 2>/dev/null\nexit \"$status\"\n} 3<&0 </dev/null\n";

/// What came of a script.
#[derive(Clone, Debug, Default)]
pub struct Output {
    /// Exit status; [`None`] if a signal ended it.
    pub status: Option<u32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// True if it succeeded.
    pub fn success(&self) -> bool {
        self.status == Some(0)
    }

    /// The last lines of both outputs, for messages.
    pub fn tail(&self, lines: usize) -> String {
        let all: Vec<&str> =
            self.stdout.lines().chain(self.stderr.lines()).filter(|line| !line.trim().is_empty()).collect();
        all.get(all.len().saturating_sub(lines)..).unwrap_or_default().join("\n")
    }
}

impl Session {
    /// Runs a script of `sh` as root: by sudo, which must not ask for a password, if the user is another one. The script goes
    /// in by standard input, so no list of processes shows it; commands in it have no input.
    ///
    /// When the user interrupts, or the time is over, the script and what it has started is ended.
    pub async fn run(&self, operation: &Operation, script: &SecretString, limit: Duration) -> Result<Output, SshError> {
        let lost = |error: russh::Error| SshError::Lost { hop: self.hop.clone(), why: error.to_string() };
        let channel = self.handle.channel_open_session();
        let channel = tokio::select! {
            biased;
            () = operation.stop.cancelled() => return Err(SshError::Stopped),
            channel = channel => channel.map_err(lost)?,
        };
        let end = tokio::time::sleep(limit.min(operation.remaining()));
        let mut channel = channel;
        let error = tokio::select! {
            biased;
            () = operation.stop.cancelled() => SshError::Stopped,
            outcome = self.exchange(&mut channel, script) => return outcome,
            () = end => SshError::Timeout { hop: self.hop.clone(), doing: "a command on the machine".to_owned() },
        };
        let ending = async {
            let _ = channel.eof().await;
            let _ = channel.close().await;
        };
        let _ = tokio::time::timeout(LAST_WORD, ending).await;
        Err(error)
    }

    async fn exchange(&self, channel: &mut Channel<Msg>, script: &SecretString) -> Result<Output, SshError> {
        let lost = |why: String| SshError::Lost { hop: self.hop.clone(), why };
        let failed = |error: russh::Error| lost(error.to_string());
        channel.exec(true, if self.sudo { "sudo -n -- sh -s" } else { "sh -s" }).await.map_err(failed)?;
        let text = format!("{BEFORE}{}{AFTER}", script.expose_secret());
        let (mut output, mut failures) = (Kept::default(), Kept::default());
        let mut status = None;
        let (mut reads, writes) = {
            let writer = channel.make_writer();
            (channel, writer)
        };
        let sending = async move {
            use tokio::io::AsyncWriteExt as _;
            let mut writes = writes;
            // A shell that has ended takes no more; its status says why.
            let _ = writes.write_all(&Bytes::from(text)).await;
            let _ = writes.flush().await;
            writes
        };
        let reading = async {
            let reads = &mut reads;
            let mut ended = false;
            while let Some(message) = reads.wait().await {
                match message {
                    ChannelMsg::Data { data } => output.first(&data),
                    ChannelMsg::ExtendedData { data, .. } => failures.last(&data),
                    ChannelMsg::ExitStatus { exit_status } => (status, ended) = (Some(exit_status), true),
                    ChannelMsg::ExitSignal { .. } => ended = true,
                    ChannelMsg::Failure => return Err(lost("it does not run commands".to_owned())),
                    _ => {}
                }
            }
            if ended { Ok(()) } else { Err(lost("no exit status came".to_owned())) }
        };
        let (outcome, _open_until_here) = tokio::join!(reading, sending);
        outcome?;
        Ok(Output { status, stdout: output.text(), stderr: failures.text() })
    }
}

/// A part of an output.
#[derive(Default)]
struct Kept(Vec<u8>);

impl Kept {
    fn first(&mut self, data: &[u8]) {
        let room = KEPT.saturating_sub(self.0.len()).min(data.len());
        self.0.extend_from_slice(data.get(..room).unwrap_or_default());
    }

    fn last(&mut self, data: &[u8]) {
        self.0.extend_from_slice(data);
        let surplus = self.0.len().saturating_sub(KEPT);
        self.0.drain(..surplus);
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}
