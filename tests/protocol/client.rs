//! A client that treats the binary as Terraform does: start, handshake, connection, calls, end.

use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use bytes::{Buf as _, BufMut as _};
use http::uri::PathAndQuery;
use hyper::body::Incoming;
use rustls::pki_types::CertificateDer;
use tempfile::TempDir;
use tfplugin::proto::goplugin::grpc_broker_client::GrpcBrokerClient;
use tfplugin::proto::goplugin::grpc_controller_client::GrpcControllerClient;
use tfplugin::proto::goplugin::grpc_stdio_client::GrpcStdioClient;
use tfplugin::proto::goplugin::{ConnInfo, Empty, StdioData};
use tfplugin::proto::tfplugin6::provider_client::ProviderClient;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::Service as _;
use tonic::{Request, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::certificate::{ClientCertificate, decode_server_certificate};
use crate::transport::{Driver, Error, Http2, connect_plain, connect_tls};

/// The built provider.
pub const BINARY: &str = env!("CARGO_BIN_EXE_terraform-provider-kamaji");

const COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

/// More than any step takes on a busy machine; a test that waits so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How long Terraform waits after `Shutdown` before it kills.
pub const TIME_TO_KILL: Duration = Duration::from_secs(2);

/// A start of the binary that is being prepared.
pub struct Launch {
    /// With the environment and the pipes that Terraform gives it.
    pub command: Command,
    certificate: Option<ClientCertificate>,
    directory: TempDir,
}

impl Launch {
    /// By hand: no arguments, no cookie.
    pub fn by_hand() -> Self {
        Self::of(Command::new(BINARY))
    }

    /// As Terraform 1.x does, with mutual TLS.
    pub fn as_plugin() -> Self {
        Self::as_plugin_of(Path::new(BINARY))
    }

    /// The same with the program of another provider.
    pub fn as_plugin_of(program: &Path) -> Self {
        let certificate = ClientCertificate::generate();
        let mut launch = Self::plain_of(program).env("PLUGIN_CLIENT_CERT", certificate.pem());
        launch.certificate = Some(certificate);
        launch
    }

    /// As Terraform does with `TF_DISABLE_PLUGIN_TLS`.
    pub fn plain() -> Self {
        Self::plain_of(Path::new(BINARY))
    }

    /// The same with the program of another provider.
    pub fn plain_of(program: &Path) -> Self {
        Self::of(Command::new(program)).with_terraforms_environment()
    }

    /// Plain, with a process between that starts the binary and waits for it.
    pub fn plain_behind_a_shell() -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", "\"$0\" & wait", BINARY]);
        Self::of(shell).with_terraforms_environment()
    }

    fn of(mut command: Command) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (key, _) in std::env::vars_os() {
            if key
                .to_str()
                .is_some_and(|key| ["TF_", "PLUGIN_", "OTEL_", "TRACEPARENT"].iter().any(|own| key.starts_with(own)))
            {
                command.env_remove(key);
            }
        }
        command.env("TMPDIR", directory.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Launch { command, certificate: None, directory }
    }

    fn with_terraforms_environment(self) -> Self {
        self.env("TF_PLUGIN_MAGIC_COOKIE", COOKIE)
            .env("PLUGIN_PROTOCOL_VERSIONS", "6,5")
            .env("PLUGIN_MIN_PORT", "10000")
            .env("PLUGIN_MAX_PORT", "25000")
    }

    pub fn env(mut self, key: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    pub fn without(mut self, key: &str) -> Self {
        self.command.env_remove(key);
        self
    }

    pub fn arg(mut self, argument: &str) -> Self {
        self.command.arg(argument);
        self
    }

    /// Starts the process without a look at what it prints.
    pub fn spawn(mut self) -> Process {
        let mut child = self.command.spawn().unwrap();
        let stdout = lines(child.stdout.take().unwrap());
        let stderr = lines(child.stderr.take().unwrap());
        Process { child, stdout, stderr, seen: Vec::new(), certificate: self.certificate, directory: self.directory }
    }

    /// Starts the plugin and reads its handshake line.
    pub fn start(self) -> Plugin {
        let mut process = self.spawn();
        match process.stdout.recv_timeout(PATIENCE) {
            Ok(line) => Plugin::of(process, &line),
            Err(error) => panic!("no handshake line ({error}); stderr: {:?}", process.drain_stderr()),
        }
    }
}

/// A running or ended process, killed when dropped.
pub struct Process {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    seen: Vec<String>,
    certificate: Option<ClientCertificate>,
    directory: TempDir,
}

impl Process {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where its temporary files lie.
    pub fn temporary_directory(&self) -> &Path {
        self.directory.path()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// SIGINT, as Ctrl-C in a terminal.
    pub fn interrupt(&self) {
        let status = Command::new("sh").args(["-c", "kill -INT \"$0\""]).arg(self.pid().to_string()).status();
        assert!(status.unwrap().success());
    }

    /// The next line on stdout.
    pub fn stdout_line(&self) -> String {
        self.stdout.recv_timeout(PATIENCE).expect("a line on stdout")
    }

    /// The first line on stdout; [`None`] if there is none in time.
    pub fn handshake_line(&self, limit: Duration) -> Option<String> {
        self.stdout.recv_timeout(limit).ok()
    }

    /// Where a developer's process listens, as it tells the developer.
    pub fn reattach_socket(&self) -> PathBuf {
        let value = self.reattach_variable();
        let providers: serde_json::Value = serde_json::from_str(&value).unwrap();
        let provider = &providers["registry.terraform.io/clastix/kamaji"];
        provider["Addr"]["String"].as_str().unwrap().into()
    }

    /// What `-debug` tells the developer to set.
    pub fn reattach_variable(&self) -> String {
        loop {
            let line = self.stdout_line();
            if let Some(value) = line.strip_prefix("TF_REATTACH_PROVIDERS='") {
                return value.strip_suffix('\'').unwrap().to_owned();
            }
        }
    }

    /// The most memory that it ever held, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() << 10
    }

    /// Waits for a line on stderr that contains `part`.
    pub fn wait_for_stderr(&mut self, part: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.seen.iter().any(|line| line.contains(part)) {
            match self.stderr.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.seen.push(line),
                Err(error) => panic!("stderr never said {part:?} ({error}): {:#?}", self.seen),
            }
        }
    }

    /// Everything on stderr up to its end; the process must have ended.
    pub fn drain_stderr(&mut self) -> Vec<String> {
        while let Ok(line) = self.stderr.recv_timeout(PATIENCE) {
            self.seen.push(line);
        }
        std::mem::take(&mut self.seen)
    }

    /// Waits for the end of the process and of all that holds its stdout; returns the rest of stdout.
    pub fn wait_within(&mut self, limit: Duration) -> (ExitStatus, Vec<String>) {
        let mut rest = Vec::new();
        match self.end_within(limit, &mut rest) {
            Some(status) => (status, rest),
            None => panic!("still running after {limit:?}"),
        }
    }

    /// The exit status; [`None`] if the process is still running.
    pub fn ended_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        self.end_within(limit, &mut Vec::new())
    }

    fn end_within(&mut self, limit: Duration, rest: &mut Vec<String>) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            match self.stdout.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => rest.push(line),
                Err(RecvTimeoutError::Disconnected) => return Some(self.child.wait().unwrap()),
                Err(RecvTimeoutError::Timeout) => return None,
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads lines in a thread until the other end is closed, which closes the channel.
fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// The fields of the handshake line, checked as go-plugin does.
#[derive(Debug)]
pub struct Handshake {
    pub protocol: u32,
    pub socket: PathBuf,
    pub certificate: Option<CertificateDer<'static>>,
}

impl Handshake {
    fn parse(line: &str) -> Self {
        let fields: Vec<_> = line.split('|').collect();
        let [core, protocol, network, address, transport, certificate] = fields.as_slice() else {
            panic!("not six fields: {line:?}")
        };
        assert_eq!((*core, *network, *transport), ("1", "unix", "grpc"), "{line:?}");
        let certificate = (!certificate.is_empty()).then(|| decode_server_certificate(certificate));
        Handshake { protocol: protocol.parse().unwrap(), socket: address.into(), certificate }
    }
}

/// A started plugin.
pub struct Plugin {
    pub process: Process,
    pub handshake: Handshake,
}

impl Plugin {
    /// A process that has written this handshake line.
    pub fn of(process: Process, line: &str) -> Self {
        Plugin { handshake: Handshake::parse(line), process }
    }

    /// Connects as the client that started it.
    pub async fn connect(&self) -> Connection {
        self.connect_with(self.process.certificate.as_ref()).await.expect("a connection")
    }

    /// Connects with another certificate, or without TLS.
    pub async fn connect_with(&self, client: Option<&ClientCertificate>) -> Result<Connection, Error> {
        let (http, driver) = self.connect_without_streams(client).await?;
        Connection::open(http, driver).await
    }

    /// Connects without the streams that go-plugin opens; the driver ends the connection.
    pub async fn connect_without_streams(&self, client: Option<&ClientCertificate>) -> Result<(Http2, Driver), Error> {
        let socket = &self.handshake.socket;
        match (&self.handshake.certificate, client) {
            (Some(server), Some(client)) => connect_tls(socket, server, client).await,
            _ => connect_plain(socket).await,
        }
    }

    /// The certificate with which it was started.
    pub fn certificate(&self) -> Option<&ClientCertificate> {
        self.process.certificate.as_ref()
    }

    /// Calls `Shutdown` and waits for the end as long as Terraform does.
    pub async fn shut_down(&mut self, connection: &mut Connection) -> ExitStatus {
        connection.shut_down().await;
        self.process.wait_within(TIME_TO_KILL).0
    }
}

/// A connection with the streams that go-plugin opens on each.
pub struct Connection {
    http: Http2,
    /// The calls of the protocol.
    pub provider: ProviderClient<Http2>,
    controller: GrpcControllerClient<Http2>,
    driver: Driver,
    /// Open as long as the connection.
    stdio: Streaming<StdioData>,
    broker: Streaming<ConnInfo>,
}

impl Connection {
    /// Over a connection to a developer's process, which speaks no TLS.
    pub async fn reattach(socket: &Path) -> Result<Self, Error> {
        let (http, driver) = connect_plain(socket).await?;
        Self::open(http, driver).await
    }

    async fn open(http: Http2, driver: Driver) -> Result<Self, Error> {
        let origin = http::Uri::from_static("http://localhost");
        let stdio = GrpcStdioClient::with_origin(http.clone(), origin.clone()).stream_stdio(()).await?.into_inner();
        let requests = futures::stream::pending::<ConnInfo>();
        let broker = GrpcBrokerClient::with_origin(http.clone(), origin.clone()).start_stream(requests).await?;
        let controller = GrpcControllerClient::with_origin(http.clone(), origin.clone());
        let provider = ProviderClient::with_origin(http.clone(), origin)
            .max_decoding_message_size(usize::MAX)
            .max_encoding_message_size(usize::MAX);
        Ok(Connection { http, provider, controller, driver, stdio, broker: broker.into_inner() })
    }

    /// A call that no generated client makes.
    pub async fn call_by_path(&mut self, path: &'static str, message: ConnInfo) -> Result<(), Status> {
        let mut grpc = Grpc::with_origin(self.http.clone(), http::Uri::from_static("http://localhost"));
        grpc.ready().await.unwrap();
        let codec = ProstCodec::<ConnInfo, Empty>::default();
        grpc.unary(Request::new(message), PathAndQuery::from_static(path), codec).await.map(|_| ())
    }

    /// See [`call`].
    pub fn call(
        &self,
        rpc: &str,
        messages: Vec<Vec<u8>>,
    ) -> impl Future<Output = Result<Vec<Vec<u8>>, Status>> + Send + use<> {
        call(&self.http, rpc, messages)
    }

    /// An HTTP request below gRPC.
    pub async fn send(&self, request: http::Request<Body>) -> Result<http::Response<Incoming>, Error> {
        send(&self.http, request).await
    }

    /// `GRPCController.Shutdown`, answered while the streams are open.
    pub async fn shut_down(&mut self) {
        self.try_shut_down().await.expect("an answer to Shutdown");
    }

    /// `GRPCController.Shutdown`.
    pub async fn try_shut_down(&mut self) -> Result<(), Status> {
        self.controller.shutdown(Empty {}).await.map(|_| ())
    }

    /// Whether the streams that the client never closes are open and silent.
    pub async fn streams_are_open(&mut self) -> bool {
        use futures::FutureExt as _;
        self.stdio.message().now_or_never().is_none() && self.broker.message().now_or_never().is_none()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// See [`Connection::send`].
pub async fn send(http: &Http2, request: http::Request<Body>) -> Result<http::Response<Incoming>, Error> {
    let mut http = http.clone();
    std::future::poll_fn(|context| http.poll_ready(context)).await?;
    Ok(http.call(request).await?)
}

/// An RPC of the provider with these messages, encoded; the messages of the answer, as they came.
pub fn call(
    http: &Http2,
    rpc: &str,
    messages: Vec<Vec<u8>>,
) -> impl Future<Output = Result<Vec<Vec<u8>>, Status>> + Send + use<> {
    let mut grpc = Grpc::with_origin(http.clone(), http::Uri::from_static("http://localhost"))
        .max_decoding_message_size(usize::MAX)
        .max_encoding_message_size(usize::MAX);
    let path = PathAndQuery::try_from(format!("/tfplugin6.Provider/{rpc}")).unwrap();
    async move {
        grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let request = Request::new(futures::stream::iter(messages));
        let mut answer = grpc.streaming(request, path, AsBytes).await?.into_inner();
        let mut parts = Vec::new();
        while let Some(part) = answer.message().await? {
            parts.push(part);
        }
        Ok(parts)
    }
}

/// Messages as they are on the wire.
#[derive(Clone, Copy, Default)]
struct AsBytes;

impl Codec for AsBytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for AsBytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&message);
        Ok(())
    }
}

impl Decoder for AsBytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut message = vec![0; buffer.remaining()];
        buffer.copy_to_slice(&mut message);
        Ok(Some(message))
    }
}
