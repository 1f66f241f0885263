//! What data sources about the inside of a tenant have in common: they name it, wait a while for its API, and say so if it
//! does not answer. A tenant that sleeps or cannot be reached from here must not make every plan fail.

use std::sync::Arc;
use std::time::Duration;

use tfplugin::resource::Context;
use tfplugin::schema::{Attribute, RecomputedBy, boolean, string};
use tfplugin::{Diagnostic, Diagnostics, Value};

use super::reach::{For, Reach, Sight, Tenant, missing};
use super::{Connect, over_the_network, reference};
use crate::configured::Configured;
use crate::kamaji::duration;
use crate::management_cluster::{ObjectRef, Operation};

/// How long a tenant is waited for unless the configuration says otherwise.
const TIMEOUT: &str = "10s";

/// The means to ask tenants.
pub struct Inquiry {
    shared: Arc<Configured>,
    connect: Connect,
}

/// What came of it.
pub enum Answer {
    /// The tenant answers; the operation bounds what it is asked.
    Tenant(Box<Tenant>, Operation),
    /// It does not; the warning says why.
    Silence(Diagnostics),
}

/// `tenant_control_plane_id`, `timeout` and `reachable`.
pub fn attributes() -> [Attribute; 3] {
    [
        reference::attribute(
            "The tenant: the `id` of a `kamaji_tenant_control_plane`, `namespace/name`. Refer to the resource, so that \
             Terraform makes the control plane first.",
        ),
        string("timeout").default(TIMEOUT).rule(duration::validator()).doc(
            "How long the tenant's API is waited for, a duration such as `30s`. One that is scaled to zero is not waited for.",
        ),
        boolean("reachable").computed(RecomputedBy::Nothing).doc(
            "Whether the tenant's API answered. If not, there is a warning, and what would be read is null: a tenant that \
             sleeps fails no plan. Where it must answer, say so in a `postcondition`.",
        ),
    ]
}

impl Inquiry {
    /// In a provider.
    pub fn new(shared: Arc<Configured>) -> Self {
        Self { shared, connect: over_the_network() }
    }

    /// With tenants reached in another way than over the network.
    #[cfg(test)]
    pub(crate) fn with(shared: Arc<Configured>, connect: Connect) -> Self {
        Self { shared, connect }
    }

    /// Looks for the tenant of a configuration until it answers, or the time is over. The value gets `reachable`.
    pub async fn tenant(&self, cx: &Context, config: &mut Value) -> Result<Answer, Diagnostic> {
        let object = reference::of(config)?;
        let limit = duration::parse(config.str_at("timeout").unwrap_or(TIMEOUT)).unwrap_or(Duration::from_secs(10));
        let reach = Reach { cluster: self.shared.cluster()?, connect: Arc::clone(&self.connect) };
        let sight = reach.seek(&Operation::new(limit, &cx.stop).patience(limit), &object, For::Api).await?;
        config.set("reachable", matches!(sight, Sight::Answers(_)).into());
        match sight {
            Sight::Missing => Err(missing(&object)),
            // What is asked then is quick, and has its own time.
            Sight::Answers(tenant) => Ok(Answer::Tenant(tenant, Operation::new(READ, &cx.stop).patience(limit))),
            Sight::Silent(_) if cx.stop.is_cancelled() => {
                let detail = format!("The API of {object} did not answer yet.");
                Err(Diagnostic::error("Interrupted while waiting", detail))
            }
            Sight::Silent(silence) => {
                // However many data sources ask for it.
                let said = self.shared.once(format!("{object} is silent"), silent(&object, &silence.why));
                Ok(Answer::Silence(said))
            }
        }
    }
}

/// How long lists of a tenant that answers may take.
const READ: Duration = Duration::from_secs(60);

fn silent(object: &ObjectRef, why: &str) -> Diagnostic {
    Diagnostic::warning(
        "Tenant does not answer",
        format!("{object} cannot be asked now, so what would be read from it is null. {why}"),
    )
}
