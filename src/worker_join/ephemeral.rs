//! The ephemeral twin: user data that is stored nowhere, for the token of a resource or for one of its own.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use tfplugin::ephemeral::{EphemeralResource, Opened};
use tfplugin::private::Private;
use tfplugin::resource::Context;
use tfplugin::schema::Schema;
use tfplugin::{Diagnostic, Diagnostics, Path, Value};

use super::Scene;
use super::create::{DRAWS, after};
use super::payload::{self, RENDERED, diagnostic, fill_tenant, render, tenant_warnings};
use super::schema::{EPHEMERAL, EPHEMERAL_TTL};
use super::secret::{draw_join_id, terms};
use super::validate;
use crate::configured::Configured;
use crate::kamaji::bootstrap_token::{BootstrapToken, Expiration, expiration_text, secret_name};
use crate::kamaji::duration;
use crate::management_cluster::{ApiError, Operation, REFRESH_PATIENCE};
use crate::tenant_cluster::lease::{Held, Term};
use crate::tenant_cluster::reach::{For, Reach, Sight, Tenant, missing};
use crate::tenant_cluster::{Connect, over_the_network, random, reference};

/// How long a tenant is waited for.
const LIMIT: Duration = Duration::from_secs(60);

/// What is known of the tenant and of the token when there is one, and null otherwise.
const COMPUTED: [&str; 6] = ["join_id", "token", "expiration", "ca_certificate", "ca_cert_hashes", "cluster_dns"];

/// The ephemeral resource.
pub struct EphemeralWorkerJoin {
    shared: Arc<Configured>,
    connect: Connect,
}

/// What is remembered of a token that was made. No secret.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Memory {
    term: Term,
    token_id: String,
    uid: String,
    revoke_on_close: bool,
}

/// A token in its tenant.
struct Token<'a> {
    memory: &'a Memory,
    field_manager: String,
}

#[async_trait]
impl Held for Token<'_> {
    fn subject(&self) -> String {
        format!("Bootstrap token {}", self.memory.token_id)
    }

    async fn prolong(&self, tenant: &Tenant, operation: &Operation, end: Timestamp) -> Result<(), ApiError> {
        let name = secret_name(&self.memory.token_id);
        tenant.api.move_end(operation, (&name, &self.memory.uid), end, &self.field_manager).await
    }

    async fn end(&self, tenant: &Tenant, operation: &Operation) -> Result<(), ApiError> {
        match tenant.api.find_token(operation, &self.memory.token_id).await? {
            Some(stored) if stored.uid() == self.memory.uid => tenant.api.remove_token(operation, &stored).await,
            _ => Ok(()),
        }
    }
}

impl EphemeralWorkerJoin {
    /// The ephemeral resource in a provider.
    pub fn new(shared: Arc<Configured>) -> Self {
        Self { shared, connect: over_the_network() }
    }

    /// With tenants reached in another way than over the network.
    #[cfg(test)]
    pub(crate) fn with(shared: Arc<Configured>, connect: Connect) -> Self {
        Self { shared, connect }
    }

    fn reach(&self) -> Result<Reach, Diagnostic> {
        Ok(Reach { cluster: self.shared.cluster()?, connect: Arc::clone(&self.connect) })
    }

    /// Renders for the token of this id.
    async fn render_for(&self, scene: &Scene, tenant: &Tenant, id: &str, config: &Value) -> Result<Opened, Diagnostic> {
        let found = tenant.api.find_token(&scene.operation, id).await;
        let doing = format!("read the bootstrap token {id} of {}", scene.object);
        let Some(stored) = found.map_err(|error| tenant.api.diagnostic(&error, &doing))? else {
            let why = format!("There is no bootstrap token {id}: it has expired, or somebody has revoked it.");
            return Ok(nothing(scene, config, &why));
        };
        let found = match &stored.found {
            Ok(found) => found,
            Err(problem) => return Err(diagnostic(problem.clone()).at(Path::of("token_id"))),
        };
        let mut result = config.clone();
        result.set("join_id", stored.join_id().into());
        let end = if let Expiration::At(end) = found.expiration { Some(expiration_text(end)) } else { None };
        result.set("expiration", end.into());
        let mut said = fill(&mut result, config, tenant, &found.token)?;
        if found.expired(Timestamp::now()) {
            let detail = format!("Bootstrap token {id} of {} has expired: no machine joins with it.", scene.object);
            said.push(Diagnostic::warning("Token has expired", detail).at(Path::of("token_id")));
        }
        Ok(Opened { result, renew_at: None, private: Private::default(), diagnostics: said })
    }

    /// Makes a token and renders for it.
    async fn make(&self, scene: &Scene, tenant: &Tenant, config: &Value) -> Result<Opened, Diagnostic> {
        let ttl = duration::parse(config.str_at("ttl").unwrap_or(EPHEMERAL_TTL)).unwrap_or_default();
        let mut term = Term::new(&scene.object, tenant, ttl);
        let own_endpoint = !config.get("endpoint").is_null();
        let doing = format!("make a bootstrap token in {}", scene.object);
        let mut result = config.clone();
        result.set("join_id", draw_join_id()?.into());
        let end = term.start();
        result.set("expiration", expiration_text(end).into());
        let terms = terms(&result, Some(end), own_endpoint, &scene.object);
        let mut taken = None;
        for _ in 0..DRAWS {
            let token = random::token()?;
            // What cannot be rendered is found before there is a token.
            let mut said = fill(&mut result, config, tenant, &token)?;
            match tenant.api.make_token(&scene.operation, &token, &terms, &self.shared.field_manager()).await {
                Ok(uid) => {
                    let memory = Memory {
                        term,
                        token_id: token.id().to_owned(),
                        uid,
                        revoke_on_close: config.get("revoke_on_close").as_bool() == Some(true),
                    };
                    said.extend(after(scene, tenant, &token, &result, !terms.without_signing).await);
                    let renew_at = Some(memory.term.renew_at());
                    return Ok(Opened { result, renew_at, private: Private::write(&memory), diagnostics: said });
                }
                Err(error @ ApiError::AlreadyExists { .. }) => taken = Some(error),
                Err(error) => return Err(tenant.api.diagnostic(&error, &doing)),
            }
        }
        let why = taken.map(|error| error.to_string()).unwrap_or_default();
        Err(Diagnostic::error("No free bootstrap token found", format!("Failed to {doing}: {why}. Try again.")))
    }
}

/// Fills in what the tenant and a token say, and renders.
fn fill(
    result: &mut Value,
    config: &Value,
    tenant: &Tenant,
    token: &BootstrapToken,
) -> Result<Diagnostics, Diagnostic> {
    result.set("token_id", token.id().into());
    result.set("token", token.token().expose_secret().into());
    fill_tenant(result, config, tenant).map_err(diagnostic)?;
    let mut said = render(result, token, !config.get("endpoint").is_null())?;
    said.extend(tenant_warnings(result, tenant, None));
    Ok(said)
}

/// The configuration with null results, and a warning.
fn nothing(scene: &Scene, config: &Value, why: &str) -> Opened {
    let mut result = config.clone();
    for attribute in COMPUTED.iter().chain(RENDERED).chain(payload::OF_THE_TENANT).chain(&["token_id"]) {
        if config.get(attribute).is_null() {
            result.set(attribute, Value::Null);
        }
    }
    let warning = Diagnostic::warning(
        "No user data for machines now",
        format!("The results of kamaji_worker_join for {} are null. {why}", scene.object),
    );
    Opened { result, renew_at: None, private: Private::default(), diagnostics: warning.into() }
}

#[async_trait]
impl EphemeralResource for EphemeralWorkerJoin {
    fn type_name(&self) -> &'static str {
        "kamaji_worker_join"
    }

    fn schema(&self) -> &Schema {
        &EPHEMERAL
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let mut found = validate::payload(config);
        found.extend(validate::groups(config));
        found.extend(validate::shortest(config));
        if !config.get("token_id").is_null() {
            let of_a_new_one = ["ttl", "revoke_on_close", "description", "extra_groups", "include_default_group"];
            for name in of_a_new_one.into_iter().filter(|name| !config.get(name).is_null()) {
                let detail = format!(
                    "`{name}` is about a token that is made, and `token_id` names one that is there. Remove one of the two."
                );
                found.push(Diagnostic::error("Token is not made here", detail).at(Path::of(name)));
            }
        }
        found
    }

    async fn open(&self, cx: &Context, config: Value) -> Result<Opened, Diagnostics> {
        let object = reference::of(&config)?;
        let scene = Scene {
            reach: self.reach()?,
            operation: Operation::new(LIMIT, &cx.stop).patience(REFRESH_PATIENCE),
            object,
        };
        let renders = config.str_at("token_id").map(str::to_owned);
        let wanted = if renders.is_some() { For::Api } else { For::Nodes };
        let tenant = match scene.reach.seek(&scene.operation, &scene.object, wanted).await? {
            Sight::Missing => return Err(missing(&scene.object).into()),
            Sight::Answers(tenant) => tenant,
            Sight::Silent(_) if cx.stop.is_cancelled() => {
                let detail = format!("The API of {} did not answer yet.", scene.object);
                return Err(Diagnostic::error("Interrupted while waiting", detail).into());
            }
            Sight::Silent(silence) => return Ok(nothing(&scene, &config, &silence.why)),
        };
        let opened = match renders {
            Some(id) => self.render_for(&scene, &tenant, &id, &config).await,
            None => self.make(&scene, &tenant, &config).await,
        };
        Ok(opened?)
    }

    async fn renew(&self, cx: &Context, private: Private) -> Result<(Private, Option<SystemTime>), Diagnostics> {
        let memory: Memory = private.read();
        if memory.token_id.is_empty() {
            return Ok((private, None));
        }
        let token = Token { memory: &memory, field_manager: self.shared.field_manager() };
        let renewed = memory.term.renew(&self.reach()?, &cx.stop, &token).await?;
        Ok((Private::write(&Memory { term: renewed.term, ..memory }), renewed.again))
    }

    async fn close(&self, cx: &Context, private: Private) -> Diagnostics {
        let memory: Memory = private.read();
        if memory.token_id.is_empty() || !memory.revoke_on_close {
            return Diagnostics::new();
        }
        let token = Token { memory: &memory, field_manager: self.shared.field_manager() };
        match self.reach() {
            Ok(reach) => memory.term.close(&reach, &cx.stop, &token).await,
            Err(diagnostic) => diagnostic.into(),
        }
    }
}

#[cfg(test)]
mod tests;
