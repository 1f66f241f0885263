//! Between Terraform and the provider: starts the provider and writes down what it took.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

/// The built provider; `KAMAJI_BENCH_PROVIDER` names another one, to compare with.
const PROVIDER: &str = env!("CARGO_BIN_EXE_terraform-provider-kamaji");
/// The folder for the notes.
pub const NOTES: &str = "KAMAJI_BENCH_NOTES";
const NAME: &str = "terraform-provider-kamaji";
/// `/proc/<pid>/stat` counts in hundredths of a second on all that Linux runs on.
const TICK: Duration = Duration::from_millis(10);

/// What all starts of the provider in one command took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    pub cpu: Duration,
    /// Bytes, of the biggest one.
    pub memory: usize,
}

/// True if this process stands for the provider.
pub fn is_wanted() -> bool {
    std::env::args().next().is_some_and(|name| Path::new(&name).file_name().is_some_and(|name| name == NAME))
}

/// Runs the provider to its end.
pub fn run() -> ! {
    let provider = std::env::var_os("KAMAJI_BENCH_PROVIDER").unwrap_or_else(|| PROVIDER.into());
    let mut child = Command::new(provider).args(std::env::args().skip(1)).spawn().unwrap();
    let pid = Pid::from_child(&child);
    let mut memory = 0;
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    while waitid(WaitId::Pid(pid), options).unwrap().is_none() {
        memory = peak(pid).unwrap_or(memory);
        std::thread::sleep(Duration::from_millis(5));
    }
    // A process that has ended and was not waited for still tells its times.
    let ticks = ticks(pid).unwrap_or_default();
    if let Some(folder) = std::env::var_os(NOTES) {
        let note = Path::new(&folder).join(pid.as_raw_nonzero().to_string());
        std::fs::write(note, format!("{ticks} {memory}")).unwrap();
    }
    std::process::exit(child.wait().unwrap().code().unwrap_or(1))
}

/// Reads the notes of one command and removes them.
pub fn usage(folder: &Path) -> Usage {
    let mut usage = Usage::default();
    for note in std::fs::read_dir(folder).unwrap() {
        let note = note.unwrap().path();
        let text = std::fs::read_to_string(&note).unwrap();
        let (ticks, memory) = text.split_once(' ').unwrap();
        usage.cpu += TICK * ticks.parse().unwrap();
        usage.memory = usage.memory.max(memory.parse().unwrap());
        std::fs::remove_file(note).unwrap();
    }
    usage
}

fn peak(pid: Pid) -> Option<usize> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse::<usize>().ok().map(|kibibytes| kibibytes * 1024)
}

/// CPU time of all processes that this one has started and waited for, with theirs.
pub fn cpu_of_children() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field = |index: usize| fields.get(index).and_then(|ticks| ticks.parse::<u32>().ok()).unwrap_or_default();
    TICK * (field(13) + field(14))
}

fn ticks(pid: Pid) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The second field is the name, in parentheses; user and system time are the fields 14 and 15.
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    Some(fields.get(11)?.parse::<u32>().ok()? + fields.get(12)?.parse::<u32>().ok()?)
}
