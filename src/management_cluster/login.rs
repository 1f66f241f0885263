//! Who the provider is at an API server: a client with credentials, and new ones when those are no longer good.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use kube::client::ClientBuilder;
use tokio::sync::OnceCell;

use super::error::{ApiError, chain};
use super::plugin;
use super::traffic::Counting;
use super::transport::auth_failure;

/// The logins of a configuration, one after the other.
pub(super) struct Logins {
    how: Option<How>,
    current: Mutex<Arc<Login>>,
}

/// What clients are made of.
#[derive(Clone)]
struct How {
    config: kube::Config,
    counting: Counting,
}

/// How long before they expire credentials are no longer used: a request takes its time.
const EXPIRY_MARGIN: SignedDuration = SignedDuration::from_secs(10);

/// A client with the credentials that it started with.
#[derive(Default)]
pub(super) struct Login {
    session: OnceCell<Result<Session, ApiError>>,
    /// The API server has accepted the credentials.
    accepted: AtomicBool,
}

impl Login {
    /// Notes that the API server knows who asks.
    pub(super) fn was_accepted(&self) {
        self.accepted.store(true, Ordering::Relaxed);
    }
}

#[derive(Clone)]
struct Session {
    client: kube::Client,
    /// When the credentials of a plugin expire.
    expires: Option<Timestamp>,
}

impl Logins {
    /// Makes no connection and starts no credential plugin.
    pub(super) fn new(config: kube::Config, counting: Counting) -> Self {
        Self { how: Some(How { config, counting }), current: Mutex::default() }
    }

    /// A client of one's own, for good.
    #[cfg(test)]
    pub(super) fn of(client: kube::Client) -> Self {
        let session = OnceCell::new_with(Some(Ok(Session { client, expires: None })));
        Self { how: None, current: Mutex::new(Arc::new(Login { session, ..Login::default() })) }
    }

    /// The client, made at the first call. A failure stays: a credential plugin that failed is not started again for
    /// each object of a run.
    pub(super) async fn client(&self) -> Result<(kube::Client, Arc<Login>), ApiError> {
        let mut login = self.current();
        let mut session = self.session(&login).await?;
        let is_over = |expires: Timestamp| expires.duration_since(Timestamp::now()) < EXPIRY_MARGIN;
        if session.expires.is_some_and(is_over) && self.renew(&login) {
            login = self.current();
            session = self.session(&login).await?;
        }
        Ok((session.client, login))
    }

    async fn session(&self, login: &Login) -> Result<Session, ApiError> {
        login.session.get_or_init(|| build(self.how.clone())).await.clone()
    }

    fn current(&self) -> Arc<Login> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks the credential plugin, or reads the token's file, anew for the requests that follow; true if that can help: the
    /// credentials were good and no longer are. What the API server never accepted stays refused, so that a plugin is not
    /// started for each object of a run.
    pub(super) fn renew(&self, refused: &Arc<Login>) -> bool {
        let user = self.how.as_ref().map(|how| &how.config.auth_info);
        let renewable = user.is_some_and(|user| user.exec.is_some() || user.token_file.is_some());
        if !renewable || !refused.accepted.load(Ordering::Relaxed) {
            return false;
        }
        let mut login = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        // Another request may have seen it first.
        if Arc::ptr_eq(&login, refused) {
            tracing::info!("the credentials are no longer good; asking for new ones");
            *login = Arc::default();
        }
        true
    }
}

/// Starts the credential plugin, if there is one, and reads keys: off the runtime's threads.
async fn build(how: Option<How>) -> Result<Session, ApiError> {
    let Some(How { mut config, counting }) = how else {
        return Err(ApiError::Credentials("there is no configuration".to_owned()));
    };
    let mut expires = None;
    if let Some(exec) = config.auth_info.exec.take() {
        let credential = plugin::run(&exec).await.map_err(ApiError::Credentials)?;
        expires = credential.expires;
        credential.put_into(&mut config.auth_info);
    }
    let client = move || Ok(ClientBuilder::try_from(config)?.with_layer(&counting).build());
    match tokio::task::spawn_blocking(client).await {
        Ok(Ok(client)) => Ok(Session { client, expires }),
        Ok(Err(kube::Error::Auth(error))) => Err(ApiError::Credentials(auth_failure(&error))),
        Ok(Err(error)) => Err(ApiError::Credentials(chain(&error))),
        Err(error) => Err(ApiError::Credentials(error.to_string())),
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
