//! A session: TCP, the host's key, the login; the same again through a bastion.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::client::{self, Config, Handle, Handler};
use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PublicKeyOrCertificate};
use russh::{Preferred, SshId};
use tokio::net::TcpStream;

use super::host_key::Expected;
use super::{Hop, Route, Settings, SshError};
use crate::management_cluster::Operation;

/// The longest that one host may take until the user is in.
const LOGIN: Duration = Duration::from_secs(30);
/// How long one address may take to answer.
const CONNECT: Duration = Duration::from_secs(10);
/// How often a machine is tried again that is not there yet.
const AGAIN: Duration = Duration::from_secs(2);
/// A silent connection is asked for a sign of life after this time; three without an answer end it.
const ALIVE: Duration = Duration::from_secs(15);

/// A user who is in.
pub struct Session {
    pub(super) handle: Handle<Judge>,
    /// `user@host:port`
    pub(super) hop: String,
    /// True if the user is not root, and needs sudo.
    pub(super) sudo: bool,
    /// Carries the connection, where there is one.
    _bastion: Option<Handle<Judge>>,
}

/// Judges the key of a host, and remembers why not.
pub(super) struct Judge {
    hop: Hop,
    expected: Expected,
    verdict: Arc<Mutex<Option<SshError>>>,
}

impl Handler for Judge {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        // Certificates are not asked for.
        let PublicKeyOrCertificate::PublicKey { key, .. } = shown else { return Ok(false) };
        let verdict = self.expected.check(&self.hop, key).err();
        let good = verdict.is_none();
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = verdict;
        Ok(good)
    }
}

impl Session {
    /// Logs in at the end of a route. A host that is not there is tried again for as long as `patience`.
    pub async fn open(
        operation: &Operation,
        settings: &Settings,
        route: &Route,
        patience: Duration,
    ) -> Result<Self, SshError> {
        let begin = tokio::time::Instant::now();
        loop {
            let limit = operation.remaining().min(LOGIN * if route.bastion.is_some() { 2 } else { 1 });
            let error = tokio::select! {
                biased;
                () = operation.stop.cancelled() => return Err(SshError::Stopped),
                outcome = tokio::time::timeout(limit, log_in(settings, route)) => match outcome {
                    Ok(Ok(session)) => return Ok(session),
                    Ok(Err(error)) => error,
                    Err(_) => SshError::Timeout { hop: route.target.to_string(), doing: "login".to_owned() },
                },
            };
            let over = begin.elapsed() >= patience || operation.remaining() <= AGAIN;
            if !error.is_passing() || over {
                return Err(error);
            }
            tracing::info!(%error, "the machine is tried again");
            if !operation.pause(AGAIN).await {
                return Err(SshError::Stopped);
            }
        }
    }
}

async fn log_in(settings: &Settings, route: &Route) -> Result<Session, SshError> {
    let keys = settings.credentials.keys()?;
    let target = &route.target;
    let (mut handle, bastion) = match &route.bastion {
        None => (greet(settings, target, dial(target).await?).await?, None),
        Some(hop) => {
            let mut bastion = greet(settings, hop, dial(hop).await?).await?;
            settings.credentials.log_in(&mut bastion, hop, &keys).await?;
            let channel = bastion.channel_open_direct_tcpip(&target.host, target.port.into(), "127.0.0.1", 0).await;
            let channel = channel.map_err(|error| SshError::Unreachable {
                hop: target.to_string(),
                why: format!("the bastion {hop} does not connect to it: {error}"),
            })?;
            (greet(settings, target, channel.into_stream()).await?, Some(bastion))
        }
    };
    settings.credentials.log_in(&mut handle, target, &keys).await?;
    tracing::debug!(hop = %target, "logged in");
    Ok(Session { handle, hop: target.to_string(), sudo: target.user != super::USER, _bastion: bastion })
}

/// A TCP connection. All addresses of a name are tried.
async fn dial(hop: &Hop) -> Result<TcpStream, SshError> {
    let unreachable = |why: String| SshError::Unreachable { hop: hop.to_string(), why };
    let connecting = tokio::time::timeout(CONNECT, TcpStream::connect((hop.host.as_str(), hop.port)));
    match connecting.await {
        Ok(Ok(stream)) => {
            // A failure costs speed only.
            let _ = stream.set_nodelay(true);
            Ok(stream)
        }
        Ok(Err(error)) => Err(unreachable(error.to_string())),
        Err(_) => Err(unreachable(format!("no answer within {} seconds", CONNECT.as_secs()))),
    }
}

/// The handshake, with the host's key checked.
async fn greet<S>(settings: &Settings, hop: &Hop, stream: S) -> Result<Handle<Judge>, SshError>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let expected = settings.known_hosts.expected(hop)?;
    let config = Config {
        client_id: SshId::Standard(Cow::Borrowed("SSH-2.0-terraform-provider-kamaji")),
        keepalive_interval: Some(ALIVE),
        preferred: Preferred { key: Cow::Owned(algorithms(&expected)), ..Preferred::DEFAULT },
        ..Config::default()
    };
    let verdict = Arc::new(Mutex::new(None));
    let judge = Judge { hop: hop.clone(), expected, verdict: Arc::clone(&verdict) };
    client::connect_stream(Arc::new(config), stream, judge).await.map_err(|error| {
        if let Some(verdict) = verdict.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return verdict;
        }
        match error {
            russh::Error::IO(_) | russh::Error::HUP | russh::Error::Disconnect => {
                SshError::Unreachable { hop: hop.to_string(), why: format!("it ended the connection ({error})") }
            }
            error => SshError::Handshake { hop: hop.to_string(), why: error.to_string() },
        }
    })
}

/// The algorithms of host keys: first those of the keys that are expected, then the others.
fn algorithms(expected: &Expected) -> Vec<Algorithm> {
    let mut all: Vec<Algorithm> = Vec::new();
    let rsa = [Some(HashAlg::Sha512), Some(HashAlg::Sha256)].map(|hash| Algorithm::Rsa { hash });
    let curves = [EcdsaCurve::NistP256, EcdsaCurve::NistP384, EcdsaCurve::NistP521];
    let known = expected.algorithms().into_iter();
    let known = known.flat_map(|one| if matches!(one, Algorithm::Rsa { .. }) { rsa.to_vec() } else { vec![one] });
    let rest =
        [Algorithm::Ed25519].into_iter().chain(curves.map(|curve| Algorithm::Ecdsa { curve })).chain(rsa.clone());
    for algorithm in known.chain(rest) {
        if !all.contains(&algorithm) {
            all.push(algorithm);
        }
    }
    all
}
