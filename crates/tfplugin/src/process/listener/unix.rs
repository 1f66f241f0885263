//! The unix socket: where it lies and who may connect.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
pub(super) use tokio::net::{UnixListener as Listener, UnixStream as Stream};

use super::Address;
use crate::process::stale;

/// Variable with the directory for the socket; the system's temporary directory without it.
pub(in crate::process) const SOCKET_DIRECTORY_KEY: &str = "PLUGIN_UNIX_SOCKET_DIR";

/// Longest path of a unix socket in bytes: `sun_path` without its final zero.
const LONGEST_PATH: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// A bound socket, alone in a directory that only this user may enter. Dropping the directory removes both.
pub(in crate::process) struct Socket {
    listener: std::os::unix::net::UnixListener,
    path: PathBuf,
    directory: TempDir,
}

impl Socket {
    /// Where clients connect.
    pub(in crate::process) fn address(&self) -> Address {
        Address { network: "unix", text: self.path.display().to_string() }
    }

    /// The listener, for the runtime this is called in.
    pub(in crate::process) fn listener(&self) -> io::Result<Listener> {
        Listener::from_std(self.listener.try_clone()?)
    }

    /// Removes, in the background, what killed processes left beside this socket.
    pub(in crate::process) fn clear_stale(&self) {
        if let Some(temporary) = self.directory.path().parent().map(ToOwned::to_owned) {
            tokio::task::spawn_blocking(move || stale::clear(&temporary));
        }
    }
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub(in crate::process) enum SocketError {
    /// The directory cannot be made, or the socket not bound in it.
    #[error("failed to make the plugin's unix socket in {}", .0.display())]
    Bind(PathBuf, #[source] io::Error),
    /// The path does not fit a socket address or the handshake line.
    #[error(
        "the path {} cannot hold the plugin's unix socket: it must be UTF-8 without `|`, and at most {LONGEST_PATH} bytes \
         long; set TMPDIR to a shorter directory",
        .0.display()
    )]
    Path(PathBuf),
}

/// Binds a socket in a fresh directory inside the one that the client asks for, or inside the system's temporary directory.
///
/// A temporary directory with an unusable path (macOS and CI runners nest them deeply) is passed over for `/tmp`;
/// one that the client asked for is not.
pub(in crate::process) fn bind(environment: impl Fn(&str) -> Option<String>) -> Result<Socket, SocketError> {
    match environment(SOCKET_DIRECTORY_KEY).filter(|directory| !directory.is_empty()) {
        Some(parent) => bind_in(Path::new(&parent)),
        None => match bind_in(&std::env::temp_dir()) {
            Err(SocketError::Path(_)) => bind_in(Path::new("/tmp")),
            other => other,
        },
    }
}

fn bind_in(parent: &Path) -> Result<Socket, SocketError> {
    let failed = |error| SocketError::Bind(parent.to_owned(), error);
    let prefix = stale::directory_prefix(std::process::id());
    // Made with this mode at once: left to itself tempfile goes by the umask, and every user may enter.
    let for_this_user_alone = std::fs::Permissions::from_mode(0o700);
    let directory =
        tempfile::Builder::new().prefix(&prefix).permissions(for_this_user_alone).tempdir_in(parent).map_err(failed)?;
    let path = directory.path().join(stale::SOCKET_NAME);
    if !is_usable(&path) {
        return Err(SocketError::Path(path));
    }
    // Connections queue up from here on; who accepts them comes after the handshake line.
    let listener = std::os::unix::net::UnixListener::bind(&path).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(Socket { listener, path, directory })
}

/// Whether the path fits a socket address and a field of the handshake line.
pub(in crate::process) fn is_usable(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path.len() <= LONGEST_PATH && !path.contains(['|', '\n', '\r']))
}

/// The next connection.
pub(super) async fn accept(listener: &Listener) -> io::Result<Stream> {
    listener.accept().await.map(|(stream, _)| stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_directory(parent: &Path) -> impl Fn(&str) -> Option<String> {
        let parent = parent.to_str().unwrap().to_owned();
        move |key| (key == "PLUGIN_UNIX_SOCKET_DIR").then(|| parent.clone())
    }

    #[tokio::test]
    async fn the_socket_lies_in_a_directory_for_this_user_alone() {
        let parent = tempfile::tempdir().unwrap();
        let socket = bind(in_directory(parent.path())).unwrap();
        let directory = socket.path.parent().unwrap();
        assert_eq!(directory.parent(), Some(parent.path()));
        assert_eq!(directory.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        let name = directory.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with(&format!("tfp-{}-", std::process::id())), "{name}");
    }

    #[tokio::test]
    async fn the_directory_goes_with_the_socket() {
        let parent = tempfile::tempdir().unwrap();
        drop(bind(in_directory(parent.path())).unwrap());
        assert_eq!(parent.path().read_dir().unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_path_that_is_too_long_is_refused_with_the_limit() {
        let parent = tempfile::tempdir().unwrap();
        let deep = parent.path().join("d".repeat(LONGEST_PATH));
        std::fs::create_dir(&deep).unwrap();
        let error = bind(in_directory(&deep)).err().unwrap().to_string();
        assert!(error.contains(&LONGEST_PATH.to_string()), "{error}");
    }

    #[test]
    fn the_longest_path_is_usable_and_one_byte_more_is_not() {
        assert!(is_usable(Path::new(&"a".repeat(LONGEST_PATH))));
        assert!(!is_usable(Path::new(&"a".repeat(LONGEST_PATH + 1))));
        assert!(!is_usable(Path::new("/tmp/a|b")), "the handshake line is split at `|`");
    }
}
