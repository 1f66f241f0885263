//! Socket directories that killed processes left behind.
//!
//! Terraform kills with SIGKILL what does not end in time, and SIGTERM keeps its default; neither leaves time to clean
//! up. So the name of the directory carries the process id, and the next process clears what no process owns.

use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::process::Pid;

/// Name of the socket in its directory.
pub(super) const SOCKET_NAME: &str = "provider.sock";

/// A directory without a socket may be one that its process is about to fill.
const TIME_TO_BIND: Duration = Duration::from_secs(60);

/// How the name of the socket directory of process `pid` starts; a random part follows.
pub(super) fn directory_prefix(pid: u32) -> String {
    format!("tfp-{pid}-")
}

/// The process that made the directory of this name; `None` for other directories.
fn owner(name: &str) -> Option<Pid> {
    let (pid, _random) = name.strip_prefix("tfp-")?.split_once('-')?;
    Pid::from_raw(pid.parse().ok().filter(|pid| *pid > 0)?)
}

/// Removes the socket directories in `parent` whose processes are gone. Errors leave a directory for the next start.
pub(super) fn clear(parent: &Path) {
    let Ok(entries) = parent.read_dir() else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(owner) = name.to_str().and_then(owner) else { continue };
        let directory = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) && !is_alive(owner) && is_deserted(&directory) {
            // Only what this program makes; a directory with anything else in it stays.
            let _ = std::fs::remove_file(directory.join(SOCKET_NAME));
            let removed = std::fs::remove_dir(&directory).is_ok();
            tracing::debug!(directory = %directory.display(), removed, "socket directory of a dead process");
        }
    }
}

fn is_alive(pid: Pid) -> bool {
    // A process of another user answers EPERM: it is alive.
    rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH)
}

/// Whether nobody listens there. A process in another container that shares the directory has a pid that means nothing
/// here, but its socket can be reached.
fn is_deserted(directory: &Path) -> bool {
    match UnixStream::connect(directory.join(SOCKET_NAME)) {
        Ok(_) => false,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => true,
        Err(error) if error.kind() == ErrorKind::NotFound => directory
            .metadata()
            .and_then(|metadata| metadata.modified())
            .is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > TIME_TO_BIND)),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;

    use super::*;
    use rstest::rstest;

    /// A pid beyond the kernel's largest (2^22).
    const NO_PROCESS: u32 = 1 << 30;

    fn directory(parent: &Path, pid: u32) -> PathBuf {
        let directory = parent.join(format!("{}a1b2c3", directory_prefix(pid)));
        std::fs::create_dir(&directory).unwrap();
        directory
    }

    /// A socket file that nobody listens on, as a killed process leaves it.
    fn abandoned_socket(directory: &Path) {
        drop(UnixListener::bind(directory.join(SOCKET_NAME)).unwrap());
    }

    #[test]
    fn the_directory_of_a_dead_process_is_removed() {
        let parent = tempfile::tempdir().unwrap();
        let dead = directory(parent.path(), NO_PROCESS);
        abandoned_socket(&dead);
        clear(parent.path());
        assert!(!dead.exists());
    }

    #[test]
    fn the_directory_of_a_living_process_stays() {
        let parent = tempfile::tempdir().unwrap();
        let alive = directory(parent.path(), std::process::id());
        abandoned_socket(&alive);
        clear(parent.path());
        assert!(alive.exists());
    }

    #[test]
    fn a_socket_that_answers_stays_though_its_pid_is_unknown_here() {
        let parent = tempfile::tempdir().unwrap();
        let alive = directory(parent.path(), NO_PROCESS);
        let _listener = UnixListener::bind(alive.join(SOCKET_NAME)).unwrap();
        clear(parent.path());
        assert!(alive.join(SOCKET_NAME).exists());
    }

    #[test]
    fn a_directory_that_was_just_made_stays() {
        let parent = tempfile::tempdir().unwrap();
        let fresh = directory(parent.path(), NO_PROCESS);
        clear(parent.path());
        assert!(fresh.exists());
    }

    #[test]
    fn a_directory_with_anything_else_in_it_stays() {
        let parent = tempfile::tempdir().unwrap();
        let foreign = directory(parent.path(), NO_PROCESS);
        abandoned_socket(&foreign);
        std::fs::write(foreign.join("notes"), "mine").unwrap();
        clear(parent.path());
        assert!(foreign.join("notes").exists());
    }

    #[rstest]
    #[case("tfp-123-x1y2z3", Some(123))]
    #[case("tfp-123", None)]
    #[case("tfp-0-x", None)]
    #[case("tfp--1-x", None)]
    #[case("tfp-99999999999-x", None)]
    #[case("plugin123", None)]
    fn the_name_tells_the_process(#[case] name: &str, #[case] pid: Option<i32>) {
        assert_eq!(owner(name).map(|pid| pid.as_raw_nonzero().get()), pid);
    }
}
