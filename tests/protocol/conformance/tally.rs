//! What came of everything that was played.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use tfplugin::proto::tfplugin6::{self as wire, DynamicValue};
use tfplugin::value;
use tonic::Status;

use super::requests::Template;
use super::rpcs::{Part, RPCS, Rpc};

/// Longest text of a diagnostic that a person reads, in bytes.
const LONGEST_DIAGNOSTIC: usize = 16 << 10;

/// What the framework says of a call that panicked.
const PANICKED: &str = "The provider failed unexpectedly";

/// What came of the calls of one RPC.
#[derive(Clone, Debug, Default)]
pub struct Row {
    cases: usize,
    accepted: usize,
    refused: usize,
    /// Ended with a gRPC status, as a message that cannot be read does.
    status: usize,
    /// Waited until it was told to stop.
    pub stopped: usize,
    panics: usize,
    hangs: usize,
    slowest: Duration,
}

impl Row {
    fn plus(self, other: &Row) -> Row {
        Row {
            cases: self.cases + other.cases,
            accepted: self.accepted + other.accepted,
            refused: self.refused + other.refused,
            status: self.status + other.status,
            stopped: self.stopped + other.stopped,
            panics: self.panics + other.panics,
            hangs: self.hangs + other.hangs,
            slowest: self.slowest.max(other.slowest),
        }
    }
}

/// All that was played.
#[derive(Default)]
pub struct Tally {
    rows: BTreeMap<&'static str, Row>,
    failures: Vec<String>,
    panics: usize,
}

/// What a call may end with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// An answer, whatever it says.
    Answer,
    /// An answer with an error.
    Refusal,
    /// An answer or a status.
    End,
}

/// One request and what it should lead to.
pub struct Case<'a> {
    pub rpc: &'static Rpc,
    pub what: String,
    pub expected: Expected,
    /// For the types of the answer's values.
    pub template: Option<&'a Template>,
}

impl Tally {
    pub fn row(&mut self, name: &'static str) -> &mut Row {
        self.rows.entry(name).or_default()
    }

    /// A case that is not a call.
    pub fn played(&mut self, name: &'static str, outcome: Result<(), String>, what: &str) {
        let row = self.row(name);
        row.cases += 1;
        match outcome {
            Ok(()) => row.accepted += 1,
            Err(problem) => self.failures.push(format!("{name}: {what}: {problem}")),
        }
    }

    /// All that another one has counted.
    pub fn add(&mut self, other: Tally) {
        for (name, row) in other.rows {
            let sum = self.row(name).clone().plus(&row);
            *self.row(name) = sum;
        }
        self.failures.extend(other.failures);
        self.panics += other.panics;
    }

    /// What a process wrote of a panic.
    pub fn panicked(&mut self, report: &str) {
        self.panics += 1;
        self.failures.push(report.to_owned());
    }

    pub fn fail(&mut self, problem: String) {
        self.failures.push(problem);
    }

    /// Counts the end of a call; `None` is a call that has not ended.
    pub fn record(&mut self, case: &Case<'_>, took: Duration, end: Option<Result<Vec<Vec<u8>>, Status>>) {
        let name = case.rpc.name;
        let row = self.row(name);
        row.cases += 1;
        row.slowest = row.slowest.max(took);
        let problem = match end {
            None => {
                row.hangs += 1;
                Some(format!("no answer within {took:?}"))
            }
            Some(Err(status)) => {
                row.status += 1;
                (case.expected != Expected::End).then(|| format!("a status instead of an answer: {status:?}"))
            }
            Some(Ok(messages)) => match read(case, &messages) {
                Ok(refused) => {
                    if refused {
                        row.refused += 1;
                    } else {
                        row.accepted += 1;
                    }
                    (case.expected == Expected::Refusal && !refused).then(|| "accepted".to_owned())
                }
                Err(problem) => {
                    if problem.contains(PANICKED) {
                        row.panics += 1;
                    }
                    Some(problem)
                }
            },
        };
        self.failures.extend(problem.map(|problem| format!("{name} {}: {problem}", case.what)));
    }

    /// Says that a part has been played, for those who wait for the whole.
    pub fn progress(&self, begun: Instant, part: &str) {
        let (seconds, cases, failures) = (begun.elapsed().as_secs(), self.sum().cases, self.failures.len());
        print_for_people(&format!("{seconds:>5} s {cases:>7} cases {failures:>3} failures: {part}"));
    }

    fn sum(&self) -> Row {
        self.rows.values().fold(Row::default(), |all, row| all.plus(row))
    }

    /// The table of what was played: the RPCs in the order of the protocol, then the rest, then the sum.
    pub fn print(&self) {
        let mut rows: Vec<_> =
            RPCS.iter().map(|rpc| (rpc.name, self.rows.get(rpc.name).cloned().unwrap_or_default())).collect();
        let others = self.rows.iter().filter(|(name, _)| RPCS.iter().all(|rpc| rpc.name != **name));
        rows.extend(others.map(|(name, row)| (*name, row.clone())));
        let all = self.sum();
        rows.push(("all", all.clone()));
        let mut text = format!(
            "\n{:32} {:>8} {:>9} {:>8} {:>7} {:>8} {:>7} {:>6} {:>10}\n",
            "RPC", "cases", "accepted", "refused", "status", "stopped", "panics", "hangs", "slowest ms"
        );
        for (name, row) in rows {
            let Row { cases, accepted, refused, status, stopped, panics, hangs, slowest } = row;
            let slowest = slowest.as_millis();
            let _ = writeln!(
                text,
                "{name:32} {cases:>8} {accepted:>9} {refused:>8} {status:>7} {stopped:>8} {panics:>7} {hangs:>6} {slowest:>10}"
            );
        }
        let _ = writeln!(
            text,
            "{} RPCs, {} cases: {} panics, {} hangs, {} failures in all",
            RPCS.len(),
            all.cases,
            all.panics.max(self.panics),
            all.hangs,
            self.failures.len()
        );
        print_for_people(&text);
    }

    /// Fails with everything that went wrong.
    pub fn assert_clean(&self) {
        let never: Vec<_> = RPCS.iter().map(|rpc| rpc.name).filter(|name| !self.rows.contains_key(name)).collect();
        assert!(never.is_empty(), "never called: {never:?}");
        let shown: Vec<_> = self.failures.iter().take(100).map(|failure| shortened(failure)).collect();
        assert!(self.failures.is_empty(), "{} failures:\n{}", self.failures.len(), shown.join("\n"));
    }
}

#[allow(clippy::print_stdout, reason = "a test has no handshake on stdout")]
fn print_for_people(text: &str) {
    println!("{text}");
}

fn shortened(text: &str) -> String {
    text.chars().take(1000).collect()
}

/// Whether the answer refuses; an error if core could not live with it.
fn read(case: &Case<'_>, messages: &[Vec<u8>]) -> Result<bool, String> {
    if messages.is_empty() && case.rpc.name != "ListResource" {
        return Err("an end without an answer".to_owned());
    }
    let mut refused = false;
    for message in messages {
        let part = case.rpc.read(message)?;
        refused |= part.is_refusal();
        well_formed(&part)?;
        values_of_their_types(case, &part)?;
    }
    Ok(refused)
}

fn well_formed(part: &Part) -> Result<(), String> {
    for diagnostic in &part.diagnostics {
        let (summary, detail) = (&diagnostic.summary, &diagnostic.detail);
        if summary.contains(PANICKED) {
            return Err(format!("{summary}: {detail}"));
        }
        if summary.is_empty() || detail.is_empty() || diagnostic.severity() == wire::diagnostic::Severity::Invalid {
            return Err(format!("a diagnostic that says nothing: {diagnostic:?}"));
        }
        if summary.len() + detail.len() > LONGEST_DIAGNOSTIC {
            return Err(format!("a diagnostic of {} bytes: {summary}", summary.len() + detail.len()));
        }
    }
    Ok(())
}

fn values_of_their_types(case: &Case<'_>, part: &Part) -> Result<(), String> {
    let Some(template) = case.template else { return Ok(()) };
    for (name, DynamicValue { msgpack, json }) in &part.values {
        let Some(ty) = template.answers.get(name) else { continue };
        if !json.is_empty() || msgpack.is_empty() {
            return Err(format!("the {name} of the answer is not msgpack"));
        }
        let value = value::decode(msgpack, ty).map_err(|error| format!("the {name} of the answer: {error}"))?;
        // Only plans may leave something open.
        if !part.is_refusal() && !["plan", "result"].contains(name) && !value.is_wholly_known() {
            return Err(format!("the {name} of the answer has unknown values"));
        }
    }
    Ok(())
}
