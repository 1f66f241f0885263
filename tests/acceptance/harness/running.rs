//! A Terraform command while it runs, and what came of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use serde_json::Value as Json;

use super::wait_for;

/// How long any Terraform command may take.
const DEADLINE: Duration = Duration::from_secs(300);

/// A Terraform command that runs.
pub struct Running {
    pub(super) child: Child,
    pub(super) what: String,
    pub(super) out: PathBuf,
    pub(super) err: PathBuf,
    pub(super) log: PathBuf,
}

impl Running {
    /// What it has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// True until it ends.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    /// What Ctrl-C does. Only Terraform gets it: the provider hears of it from Terraform.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("signalled");
    }

    /// Sends Ctrl-C, and returns the outcome, which must come within a second of the plugin protocol's own word for it;
    /// what is before that is Terraform's time.
    #[track_caller]
    pub fn interrupted(self) -> Outcome {
        self.stopped_by(Signal::INT)
    }

    /// The same with the signal that the job of a pipeline gets. A script that is started while SIGINT is ignored, as
    /// what runs in the background is, never hears of SIGINT.
    #[track_caller]
    pub fn cancelled(self) -> Outcome {
        self.stopped_by(Signal::TERM)
    }

    #[track_caller]
    fn stopped_by(self, signal: Signal) -> Outcome {
        self.signal(signal);
        let begin = wait_for("the provider is stopped", Duration::from_secs(5), || {
            self.log().contains("stopping: operations return").then(Instant::now)
        });
        let outcome = self.wait();
        let took = begin.elapsed();
        assert!(took < Duration::from_secs(1), "Terraform ended {took:?} after StopProvider: {outcome}");
        outcome
    }

    /// Ends the provider that works for it, as a crash would.
    pub fn crash_provider(&self) {
        let (terraform, mut found) = (self.child.id().to_string(), 0);
        for entry in fs::read_dir("/proc").expect("readable").flatten() {
            let Some(process) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
            let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            // `pid (name) state parent …`, the name shortened to 15 bytes.
            let Some((head, tail)) = stat.rsplit_once(") ") else { continue };
            if head.contains("(terraform-provi") && tail.split(' ').nth(1) == Some(&terraform) {
                kill_process(Pid::from_raw(process).expect("no zero"), Signal::ABORT).expect("signalled");
                found += 1;
            }
        }
        assert!(found > 0, "no provider runs");
    }

    /// Waits for its end; kills it and panics when the deadline is over.
    pub fn wait(mut self) -> Outcome {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            if start.elapsed() > DEADLINE {
                let _ = self.child.kill();
                let said = fs::read_to_string(&self.out).unwrap_or_default();
                panic!("terraform {} did not end within {DEADLINE:?}\n{said}", self.what);
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        let (stdout, stderr) = (read(&self.out), read(&self.err));
        // Scripts put the errors among Terraform's JSON lines onto their standard error.
        let diagnostics = stdout.lines().chain(stderr.lines()).filter_map(diagnostic).collect();
        Outcome { what: self.what.clone(), code: status.code().unwrap_or(-1), stdout, stderr, diagnostics }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // After a panic nobody waits for it any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a Terraform command ended.
#[derive(Debug)]
pub struct Outcome {
    what: String,
    /// The exit code.
    pub code: i32,
    /// Its standard output; JSON lines where `-json` was given.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// The warnings and errors in JSON output, without the one about development overrides.
    pub diagnostics: Vec<Diagnostic>,
}

/// A warning or an error.
#[derive(Clone, Debug, Deserialize)]
pub struct Diagnostic {
    /// `error` or `warning`
    pub severity: String,
    /// The headline.
    pub summary: String,
    /// The text.
    #[serde(default)]
    pub detail: String,
    #[serde(default)]
    snippet: Option<Snippet>,
}

#[derive(Clone, Debug, Deserialize)]
struct Snippet {
    #[serde(default)]
    code: String,
}

impl Diagnostic {
    /// The line of the configuration to which Terraform points; empty if it points nowhere.
    pub fn line(&self) -> &str {
        self.snippet.as_ref().map_or("", |snippet| &snippet.code)
    }
}

/// The diagnostic in a line of JSON output.
fn diagnostic(line: &str) -> Option<Diagnostic> {
    let line: Json = serde_json::from_str(line).ok()?;
    let found: Diagnostic = serde_json::from_value(line.get("diagnostic")?.clone()).ok()?;
    (!found.summary.contains("development overrides")).then_some(found)
}

impl Outcome {
    /// The outcome of a command that had to succeed (exit code 0, or 2 for a plan with changes).
    #[track_caller]
    pub fn succeeds(self) -> Self {
        assert!(self.code == 0 || self.code == 2, "{self}");
        self
    }

    /// Checks that a plan with `-detailed-exitcode` finds nothing to do.
    #[track_caller]
    pub fn plans_nothing(self) -> Self {
        assert_eq!(self.code, 0, "the plan should be empty: {self}");
        self
    }

    /// Checks that a plan with `-detailed-exitcode` has changes.
    #[track_caller]
    pub fn has_changes(self) -> Self {
        assert_eq!(self.code, 2, "the plan should have changes: {self}");
        self
    }

    /// The errors of a command that had to fail.
    #[track_caller]
    pub fn errors(self) -> Vec<Diagnostic> {
        assert_eq!(self.code, 1, "should fail: {self}");
        self.of("error")
    }

    /// The only error of a command that had to fail.
    #[track_caller]
    pub fn error(self) -> Diagnostic {
        let shown = self.to_string();
        let mut errors = self.errors();
        assert_eq!(errors.len(), 1, "one error is expected: {shown}");
        errors.remove(0)
    }

    /// The warnings.
    pub fn warnings(&self) -> Vec<Diagnostic> {
        self.of("warning")
    }

    fn of(&self, severity: &str) -> Vec<Diagnostic> {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).cloned().collect()
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "terraform {}: exit code {}", self.what, self.code)?;
        for Diagnostic { severity, summary, detail, .. } in &self.diagnostics {
            writeln!(f, "{severity}: {summary}\n{detail}")?;
        }
        if self.diagnostics.is_empty() {
            writeln!(f, "{}", self.stdout)?;
        }
        writeln!(f, "{}", self.stderr)
    }
}
