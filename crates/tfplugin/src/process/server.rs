//! The gRPC server on its socket, from the handshake line to the end of the process.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use signal_hook::consts::SIGINT;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tonic::Request;
use tonic::transport::Server;

use super::{controller, debug, handshake, interrupt, lifetime, listener, tls};
use crate::proto::goplugin::grpc_broker_server::GrpcBrokerServer;
use crate::proto::goplugin::grpc_controller_server::GrpcControllerServer;
use crate::proto::goplugin::grpc_stdio_server::GrpcStdioServer;
use crate::proto::tfplugin6::provider_server::Provider as _;
use crate::proto::tfplugin6::stop_provider;
use crate::provider::Identity;
use crate::service::ProviderService;
use crate::traces::{TIME_TO_FLUSH, Traces};

/// Largest message in bytes, both ways; as in terraform-plugin-go. A state of many megabytes is one message.
const LARGEST_MESSAGE: usize = 256 << 20;

/// Calls at once on one connection. Calls beyond it would wait in the client, whose `-parallelism` has no upper limit.
const MOST_STREAMS: u32 = 1 << 16;

/// Threads: the work is waiting for the Kubernetes API, not computing.
const WORKER_THREADS: usize = 2;

/// How long running operations have to wind down after the client is gone; `StopProvider` is answered within a second.
const TIME_TO_WIND_DOWN: Duration = Duration::from_secs(2);

/// Who started the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Terraform: mutual TLS if it asks for it, Ctrl-C is Terraform's to handle, the process ends with its client.
    Plugin,
    /// A developer: plaintext, clients come and go, Ctrl-C ends the process.
    Debug,
}

/// Why the process cannot serve.
#[derive(Debug, thiserror::Error)]
pub(super) enum ServerError {
    /// The handler for Ctrl-C could not be installed.
    #[error("failed to install the handler for SIGINT")]
    Signal(#[source] io::Error),
    /// The threads could not be started.
    #[error("failed to start the runtime")]
    Runtime(#[source] io::Error),
    /// The socket could not be made.
    #[error(transparent)]
    Socket(#[from] listener::SocketError),
    /// Mutual TLS could not be set up.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    /// The socket could not be handed to the runtime.
    #[error("failed to listen on the plugin's socket")]
    Listen(#[source] io::Error),
    /// Nobody reads stdout.
    #[error("failed to write the handshake line to stdout")]
    HandshakeLine(#[source] io::Error),
    /// The gRPC server ended by itself.
    #[error("the gRPC server failed")]
    Server(#[source] tonic::transport::Error),
}

/// Serves until the end of the process is due.
///
/// Terraform waits for the handshake line three or four times a command, so nothing that can come after it comes before
/// it: the socket already queues connections while the threads start.
pub(super) fn run(
    mode: Mode,
    identity: &Identity,
    service: impl FnOnce() -> ProviderService,
    traces: Option<Traces>,
) -> Result<(), ServerError> {
    let started = Instant::now();
    let parent = lifetime::parent();
    // Ctrl-C reaches the whole process group. From here on it does not end the process.
    let interrupted = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGINT, Arc::clone(&interrupted)).map_err(ServerError::Signal)?;
    let client_certificate = match mode {
        Mode::Plugin => std::env::var(handshake::CLIENT_CERTIFICATE_KEY).ok().filter(|pem| !pem.is_empty()),
        Mode::Debug => None,
    };
    let mtls = client_certificate.as_deref().map(tls::AutoMtls::new).transpose()?;
    // The directory of a unix socket is removed when `socket` is dropped, at the end of this function.
    let socket = listener::bind(|key| std::env::var(key).ok())?;

    let line = match mode {
        Mode::Plugin => handshake::line(&socket.address(), mtls.as_ref().map_or("", tls::AutoMtls::certificate)),
        Mode::Debug => debug::instructions(identity, std::process::id(), &socket.address()),
    };
    {
        let mut stdout = io::stdout().lock();
        stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush()).map_err(ServerError::HandshakeLine)?;
    }
    tracing::info!(version = identity.version, address = identity.address, "provider started");

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKER_THREADS)
        .thread_name(identity.name())
        .enable_all()
        .build()
        .map_err(ServerError::Runtime)?;
    let tls = mtls.map(tls::AutoMtls::into_config).transpose()?;
    let service = service();
    let ended = CancellationToken::new();
    let sending =
        traces.map(|traces| (traces.collector(), runtime.spawn(service.clone().send_traces(traces, ended.clone()))));
    let result = runtime.block_on(serve(mode, parent, &socket, tls, service.clone(), &interrupted));
    // Terraform reads what is logged up to the end of the process.
    service.ends(started.elapsed());
    if let Some((collector, sending)) = sending {
        ended.cancel();
        // The timer belongs to the runtime.
        let sent = runtime.block_on(async { tokio::time::timeout(TIME_TO_FLUSH, sending).await });
        if sent.is_err() {
            Traces::too_late(&collector);
        }
    }
    // Open streams and blocking work must not hold up the end of the process.
    runtime.shutdown_background();
    result
}

async fn serve(
    mode: Mode,
    parent: lifetime::Parent,
    socket: &listener::Socket,
    tls: Option<ServerConfig>,
    service: ProviderService,
    early_interrupt: &AtomicBool,
) -> Result<(), ServerError> {
    let mut interrupts = interrupt::listen().map_err(ServerError::Signal)?;
    if mode == Mode::Debug && early_interrupt.load(Ordering::Relaxed) {
        return Ok(());
    }
    socket.clear_stale();
    let listener = socket.listener().map_err(ServerError::Listen)?;
    let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));

    let connections = listener::Connections::new();
    let shutdown = CancellationToken::new();
    let incoming = listener::accept(listener, tls, connections.clone());
    let server = Server::builder()
        .max_concurrent_streams(MOST_STREAMS)
        .add_service(service.clone().into_server(LARGEST_MESSAGE))
        .add_service(GrpcControllerServer::new(controller::Controller { shutdown: shutdown.clone() }))
        .add_service(GrpcStdioServer::new(controller::Stdio))
        .add_service(GrpcBrokerServer::new(controller::Broker))
        .serve_with_incoming(incoming);

    tokio::select! {
        ended = server => ended.map_err(ServerError::Server),
        () = shutdown.cancelled() => {
            lifetime::answered(connections.watch()).await;
            Ok(())
        }
        why = lifetime::abandoned(parent, connections.watch()), if mode == Mode::Plugin => {
            tracing::warn!("{why}; the provider stops");
            wind_down(&service).await;
            Ok(())
        }
        () = interrupted(&mut interrupts, mode) => Ok(()),
    }
}

/// Lets running operations bring what they began to a state that the next run can go on from.
async fn wind_down(service: &ProviderService) {
    if let Err(error) = service.stop_provider(Request::new(stop_provider::Request {})).await {
        tracing::warn!(%error, "running operations were not told to stop");
    }
    tokio::time::sleep(TIME_TO_WIND_DOWN).await;
}

/// Returns at Ctrl-C in debug mode. A plugin goes on: Terraform gets the signal too and sends `StopProvider`; dying here
/// would lose what a running apply has made.
async fn interrupted(interrupts: &mut interrupt::Interrupts, mode: Mode) {
    while interrupts.recv().await.is_some() {
        if mode == Mode::Debug {
            return;
        }
        tracing::debug!("interrupt ignored: Terraform says what is to stop");
    }
    std::future::pending().await
}
