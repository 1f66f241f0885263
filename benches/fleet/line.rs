//! A slow line: a proxy that hands every byte on half a delay later, in both directions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// How long a round trip takes, in microseconds.
#[derive(Clone, Default)]
pub struct Line(Arc<AtomicU64>);

impl Line {
    pub fn set(&self, round_trip: Duration) {
        self.0.store(u64::try_from(round_trip.as_micros()).unwrap(), Ordering::Relaxed);
    }

    fn half(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed) / 2)
    }

    /// Hands connections on.
    pub async fn serve(self, listener: TcpListener, to: std::net::SocketAddr) {
        while let Ok((near, _)) = listener.accept().await {
            let line = self.clone();
            tokio::spawn(async move {
                // The handshake of TCP takes a round trip, too.
                sleep_until(Instant::now() + line.half() * 2).await;
                let Ok(far) = TcpStream::connect(to).await else { return };
                let _ = (near.set_nodelay(true), far.set_nodelay(true));
                let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                tokio::spawn(line.clone().carry(near_in, far_out));
                line.carry(far_in, near_out).await;
            });
        }
    }

    async fn carry(self, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin + Send + 'static) {
        let (sender, mut receiver) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
        tokio::spawn(async move {
            while let Some((due, bytes)) = receiver.recv().await {
                sleep_until(due).await;
                if to.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            let _ = to.shutdown().await;
        });
        let mut buffer = vec![0; 256 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            if sender.send((Instant::now() + self.half(), buffer[..length].to_vec())).is_err() {
                return;
            }
        }
    }
}
