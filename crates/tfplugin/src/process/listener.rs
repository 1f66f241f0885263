//! Where clients connect, and the connections that are open: a unix socket, on Windows a port on loopback.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream as Incoming;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::either::Either;
use tonic::transport::server::Connected;

// Its tests run everywhere; only Windows uses it.
#[cfg(any(windows, test))]
mod tcp;
#[cfg(unix)]
mod unix;

#[cfg(windows)]
use tcp as platform;
#[cfg(unix)]
use unix as platform;

use platform::{Listener, Stream};
pub(super) use platform::{Socket, SocketError, bind};
#[cfg(fuzzing)]
pub(super) use unix::{SOCKET_DIRECTORY_KEY, is_usable};

/// How long accepting rests after an error, which is a lack of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a client needs to connect: two fields of the handshake line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// `unix` or `tcp`.
    pub(super) network: &'static str,
    /// The path of the socket, or `127.0.0.1:PORT`.
    pub(super) text: String,
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
    listener: Listener,
    tls: Option<TlsAcceptor>,
    connections: Connections,
) -> impl Incoming<Item = io::Result<Connection>> {
    let (ready, incoming) = mpsc::channel(4);
    tokio::spawn(async move {
        loop {
            let socket = match platform::accept(&listener).await {
                Ok(socket) => socket,
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
    stream: Either<Box<TlsStream<Stream>>, Stream>,
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
    async fn a_connection_counts_from_accept_to_drop_and_carries_bytes() {
        let socket = bind(|_| None).unwrap();
        let connections = Connections::new();
        let mut open = connections.watch();
        let mut incoming = std::pin::pin!(accept(socket.listener().unwrap(), None, connections));
        let mut client = Stream::connect(&socket.address().text).await.unwrap();
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
