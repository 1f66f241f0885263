//! The unix socket: where it lies, who may connect, and the connections that are open.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::either::Either;
use tonic::transport::server::Connected;

use super::stale;

/// Variable with the directory for the socket; the system's temporary directory without it.
pub(super) const SOCKET_DIRECTORY_KEY: &str = "PLUGIN_UNIX_SOCKET_DIR";

/// Longest path of a unix socket in bytes: `sun_path` without its final zero.
const LONGEST_PATH: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// How long accepting rests after an error, which is a lack of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A bound socket, alone in a directory that only this user may enter. Dropping the directory removes both.
pub(super) struct Socket {
    listener: std::os::unix::net::UnixListener,
    pub(super) path: PathBuf,
    pub(super) directory: TempDir,
}

impl Socket {
    /// The listener, for the runtime this is called in.
    pub(super) fn listener(&self) -> io::Result<UnixListener> {
        UnixListener::from_std(self.listener.try_clone()?)
    }
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub(super) enum SocketError {
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

/// Binds a socket in a fresh directory inside `parent`, or inside the system's temporary directory.
///
/// A temporary directory with an unusable path (macOS and CI runners nest them deeply) is passed over for `/tmp`;
/// a `parent` that the client asked for is not.
pub(super) fn bind(parent: Option<PathBuf>) -> Result<Socket, SocketError> {
    match parent {
        Some(parent) => bind_in(&parent),
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
fn is_usable(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path.len() <= LONGEST_PATH && !path.contains(['|', '\n', '\r']))
}

/// The number of open connections, shared with whoever waits for it to change.
#[derive(Clone, Debug)]
pub(super) struct Connections(watch::Sender<usize>);

impl Connections {
    pub(super) fn new() -> Self {
        Connections(watch::Sender::new(0))
    }

    pub(super) fn watch(&self) -> watch::Receiver<usize> {
        self.0.subscribe()
    }

    fn open(&self) -> OpenConnection {
        self.0.send_modify(|open| *open += 1);
        OpenConnection(self.clone())
    }
}

/// Counts as one connection until it is dropped.
#[derive(Debug)]
struct OpenConnection(Connections);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.0.send_modify(|open| *open -= 1);
    }
}

/// Accepts for ever, and yields the connections that are ready to be served.
///
/// The TLS handshake runs in a task of its own, so that a peer that stalls or is refused holds up nobody. A connection
/// counts as open once its handshake is done.
pub(super) fn accept(
    listener: UnixListener,
    tls: Option<TlsAcceptor>,
    connections: Connections,
) -> impl Stream<Item = io::Result<Connection>> {
    let (ready, incoming) = mpsc::channel(4);
    tokio::spawn(async move {
        loop {
            let socket = match listener.accept().await {
                Ok((socket, _)) => socket,
                Err(error) => {
                    tracing::error!(%error, "failed to accept a connection; trying again");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let (tls, connections, ready) = (tls.clone(), connections.clone(), ready.clone());
            tokio::spawn(async move {
                let stream = match tls {
                    None => Either::Right(socket),
                    Some(tls) => match tls.accept(socket).await {
                        Ok(stream) => Either::Left(Box::new(stream)),
                        Err(error) => {
                            tracing::error!(%error, "TLS handshake with the plugin's client failed");
                            return;
                        }
                    },
                };
                // Fails only when the server has ended, and with it the process.
                let _ = ready.send(Ok(Connection { stream, _open: connections.open() })).await;
            });
        }
    });
    ReceiverStream::new(incoming)
}

/// A stream to a client, counted as long as it lives.
pub(super) struct Connection {
    stream: Either<Box<TlsStream<UnixStream>>, UnixStream>,
    _open: OpenConnection,
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn the_socket_lies_in_a_directory_for_this_user_alone() {
        let parent = tempfile::tempdir().unwrap();
        let socket = bind(Some(parent.path().to_owned())).unwrap();
        let directory = socket.path.parent().unwrap();
        assert_eq!(directory.parent(), Some(parent.path()));
        assert_eq!(directory.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        let name = directory.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with(&format!("tfp-{}-", std::process::id())), "{name}");
    }

    #[tokio::test]
    async fn the_directory_goes_with_the_socket() {
        let parent = tempfile::tempdir().unwrap();
        drop(bind(Some(parent.path().to_owned())).unwrap());
        assert_eq!(parent.path().read_dir().unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_path_that_is_too_long_is_refused_with_the_limit() {
        let parent = tempfile::tempdir().unwrap();
        let deep = parent.path().join("d".repeat(LONGEST_PATH));
        std::fs::create_dir(&deep).unwrap();
        let error = bind(Some(deep)).err().unwrap().to_string();
        assert!(error.contains(&LONGEST_PATH.to_string()), "{error}");
    }

    #[test]
    fn the_longest_path_is_usable_and_one_byte_more_is_not() {
        assert!(is_usable(Path::new(&"a".repeat(LONGEST_PATH))));
        assert!(!is_usable(Path::new(&"a".repeat(LONGEST_PATH + 1))));
        assert!(!is_usable(Path::new("/tmp/a|b")), "the handshake line is split at `|`");
    }

    #[tokio::test]
    async fn a_connection_counts_from_accept_to_drop_and_carries_bytes() {
        let parent = tempfile::tempdir().unwrap();
        let socket = bind(Some(parent.path().to_owned())).unwrap();
        let connections = Connections::new();
        let mut open = connections.watch();
        let mut incoming = std::pin::pin!(accept(socket.listener().unwrap(), None, connections));
        let mut client = UnixStream::connect(&socket.path).await.unwrap();
        let mut server = incoming.next().await.unwrap().unwrap();
        assert_eq!(*open.borrow_and_update(), 1);
        client.write_all(b"ping").await.unwrap();
        let mut bytes = [0; 4];
        server.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"ping");
        drop(server);
        assert_eq!(*open.borrow_and_update(), 0);
    }
}
