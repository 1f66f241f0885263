//! The minted kind of the ephemeral resource: a credential that is made for one run, lives as long as the run, and is
//! revoked at its end.

use std::time::SystemTime;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tfplugin::ephemeral::Opened;
use tfplugin::private::Private;
use tfplugin::resource::Context;
use tfplugin::{Diagnostic, Diagnostics, Path, Value};

use super::schema::{CLUSTER_ROLE, TTL};
use super::source::{empty, filled, going};
use super::{Kubeconfig, source};
use crate::kamaji::duration;
use crate::kamaji::kubeconfig::Kubeconfig as Document;
use crate::kamaji::tenant_control_plane::View;
use crate::management_cluster::{ApiError, ObjectRef, Operation, REFRESH_PATIENCE};
use crate::tenant_cluster::kubeconfig::AdminKubeconfig;
use crate::tenant_cluster::lease::{CLOSE, Held, Term};
use crate::tenant_cluster::minted::{AGAIN, Minted};
use crate::tenant_cluster::reach::{For, Reach, Sight, Tenant, missing};
use crate::tenant_cluster::reference;

/// What is remembered between open, renew and close. No secret.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Memory {
    term: Term,
    minted: Minted,
}

/// A credential in its tenant.
struct Credential<'a> {
    minted: &'a Minted,
    field_manager: String,
}

#[async_trait]
impl Held for Credential<'_> {
    fn subject(&self) -> String {
        format!("Minted credential terraform-{}", self.minted.id)
    }

    async fn prolong(&self, tenant: &Tenant, operation: &Operation, end: Timestamp) -> Result<(), ApiError> {
        tenant.api.prolong(operation, self.minted, end, &self.field_manager).await
    }

    async fn end(&self, tenant: &Tenant, operation: &Operation) -> Result<(), ApiError> {
        tenant.api.unmint(operation, self.minted).await
    }
}

impl Kubeconfig {
    pub(super) async fn open_minted(&self, cx: &Context, config: &Value) -> Result<Opened, Diagnostics> {
        let object = reference::of(config)?;
        let nothing = |said: Diagnostic| {
            Ok(Opened { result: empty(config), renew_at: None, private: Private::default(), diagnostics: said.into() })
        };
        let operation = Operation::new(source::LIMIT, &cx.stop).patience(REFRESH_PATIENCE);
        let tenant = match self.reach()?.seek(&operation, &object, For::Api).await? {
            Sight::Missing => return Err(missing(&object).into()),
            Sight::Answers(tenant) => *tenant,
            Sight::Silent(_) if cx.stop.is_cancelled() => {
                let detail = format!("The API of {object} did not answer yet.");
                return Err(Diagnostic::error("Interrupted while waiting", detail).into());
            }
            Sight::Silent(silence) if View::new(&silence.live).deleting() => return nothing(going(&object)),
            Sight::Silent(silence) => return nothing(not_now(&object, &silence.why)),
        };
        let ttl = duration::parse(config.str_at("minted.ttl").unwrap_or(TTL)).unwrap_or_default();
        let mut memory = Memory { term: Term::new(&object, &tenant, ttl), minted: Minted::default() };
        match self.mint(&operation, &object, &tenant, config, &mut memory).await {
            Ok(result) => Ok(Opened {
                result,
                renew_at: Some(memory.term.renew_at()),
                private: Private::write(&memory),
                diagnostics: Diagnostics::new(),
            }),
            Err(failed) => {
                // Nobody closes what was not opened. What an interrupt leaves ends by itself.
                if !memory.minted.is_empty() {
                    let _ = tenant.api.unmint(&Operation::new(CLOSE, &cx.stop), &memory.minted).await;
                }
                match failed {
                    Failed::Finally(diagnostic) => Err(diagnostic.into()),
                    Failed::ForNow(why) => nothing(not_now(&object, &why)),
                }
            }
        }
    }

    async fn mint(
        &self,
        operation: &Operation,
        object: &ObjectRef,
        tenant: &Tenant,
        config: &Value,
        memory: &mut Memory,
    ) -> Result<Value, Failed> {
        let role = config.str_at("minted.cluster_role").unwrap_or(CLUSTER_ROLE);
        let doing = format!("make a credential in {object}");
        let failed = |error: &ApiError| {
            // A tenant that takes no new objects by wish, or has stopped to answer, fails no plan.
            if error.is_unreachable() || matches!(error, ApiError::WebhookDenied { .. } | ApiError::PolicyDenied { .. })
            {
                return Failed::ForNow(format!("{error}."));
            }
            Failed::Finally(tenant.api.diagnostic(error, &doing))
        };
        loop {
            let names = (self.names)().map_err(Failed::Finally)?;
            let end = memory.term.start();
            let manager = self.shared.field_manager();
            let minted = async {
                if !tenant.api.has_cluster_role(operation, role).await? {
                    return Ok(None);
                }
                tenant.api.mint(operation, &names, role, end, &manager, &mut memory.minted).await.map(Some)
            };
            let error = match minted.await {
                Ok(Some(token)) => {
                    if let Err(error) = tenant.api.sweep(operation).await {
                        tracing::info!(%object, %error, "what crashed runs have left was not removed");
                    }
                    let kubeconfig = Document {
                        user: names.account(),
                        client_certificate_pem: None,
                        client_key_pem: None,
                        token: Some(token),
                        ..tenant.admin.parsed.clone()
                    };
                    let text = kubeconfig
                        .render()
                        .map_err(|problem| Failed::Finally(Diagnostic::error(problem.summary, problem.detail)))?;
                    return Ok(filled(config, &AdminKubeconfig { text, parsed: kubeconfig }));
                }
                Ok(None) => return Err(Failed::Finally(no_such_role(object, role))),
                Err(error) => error,
            };
            // The binding that lets `admin.conf` in comes some seconds after the API.
            let is_early = matches!(error, ApiError::Unauthorized { .. } | ApiError::Forbidden { .. });
            if !is_early || operation.remaining() <= AGAIN || !operation.pause(AGAIN).await {
                return Err(failed(&error));
            }
            if !memory.minted.is_empty() {
                let _ = tenant.api.unmint(operation, &memory.minted).await;
                memory.minted = Minted::default();
            }
        }
    }

    pub(super) async fn renew_minted(
        &self,
        cx: &Context,
        private: Private,
    ) -> Result<(Private, Option<SystemTime>), Diagnostics> {
        let Memory { term, minted } = private.read();
        if minted.is_empty() {
            return Ok((private, None));
        }
        let renewed = term.renew(&self.reach()?, &cx.stop, &self.credential(&minted)).await?;
        Ok((Private::write(&Memory { term: renewed.term, minted }), renewed.again))
    }

    pub(super) async fn close_minted(&self, cx: &Context, private: &Private) -> Diagnostics {
        let Memory { term, minted } = private.read();
        if minted.is_empty() {
            return Diagnostics::new();
        }
        match self.reach() {
            Ok(reach) => term.close(&reach, &cx.stop, &self.credential(&minted)).await,
            Err(diagnostic) => diagnostic.into(),
        }
    }

    fn credential<'a>(&self, minted: &'a Minted) -> Credential<'a> {
        Credential { minted, field_manager: self.shared.field_manager() }
    }

    fn reach(&self) -> Result<Reach, Diagnostic> {
        Ok(Reach { cluster: self.shared.cluster()?, connect: self.connect.clone() })
    }
}

/// Why nothing was minted.
enum Failed {
    /// The tenant does not take it now, for this reason.
    ForNow(String),
    /// The configuration, or the rights, are at fault.
    Finally(Diagnostic),
}

fn not_now(object: &ObjectRef, why: &str) -> Diagnostic {
    Diagnostic::warning(
        "No credential minted in tenant",
        format!("{object} makes no credential now, so the results of kamaji_kubeconfig are null. {why}"),
    )
}

fn no_such_role(object: &ObjectRef, role: &str) -> Diagnostic {
    Diagnostic::error(
        "ClusterRole does not exist",
        format!(
            "There is no ClusterRole {role:?} in {object}. Those that every tenant has are cluster-admin, admin, edit and view. \
             One that is made in the same configuration must be made before this is opened: `depends_on`."
        ),
    )
    .at(Path::of("minted.cluster_role"))
}

#[cfg(test)]
mod tests;
