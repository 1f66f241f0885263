//! `kamaji_rotate_certificates`: new certificates, kubeconfigs or a new CA for a control plane, followed to the end.
//!
//! Kamaji issues a Secret anew when it carries an empty annotation `certs.kamaji.clastix.io/rotate` (since edge-25.7.5), and
//! in every release when it is deleted. Both leave gaps, which [`Rotation::follow`] closes: the annotation on the admin
//! kubeconfig renews `admin.conf` and leaves `super-admin.conf`, which is the one that Kamaji itself uses; after a new CA
//! v1.0.0 leaves `super-admin.conf`, konnectivity and the tenant's `cluster-info` under the old one.

mod issued;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use async_trait::async_trait;
use kube::api::DynamicObject;
use serde_json::{Value as Json, json};
use tfplugin::schema::{Schema, Validator, string_list};
use tfplugin::{Diagnostic, Diagnostics, Path, Value};

use super::rollout::{self, Unfinished};
use super::{Invocation, Now, TenantAction, asleep, idle, refused, tenant};
use crate::kamaji::readiness::Level;
use crate::kamaji::tenant_control_plane::{NAME_LABEL, View};
use crate::managed_object::schema::{not_empty, timeouts};
use crate::management_cluster::watch::{EndReason, WaitEnded, wait_until_selected};
use crate::management_cluster::{Change, Kind, ObjectRef, Operation, Propagation, json_of};
use crate::tenant_cluster::kubeconfig::User;
use crate::tenant_cluster::reach::For;
use crate::tenant_control_plane::settle;
use issued::{ADMIN, AUTHORITY, FRONT_PROXY_CLIENT, Issued, Seen, Wanted};

/// What Kamaji understands as the wish for a new certificate.
const ROTATE: &str = "certs.kamaji.clastix.io/rotate";
/// In the CRD since edge-25.8.2, the first release with [`ROTATE`] that shows it there. What is older takes the delete.
const KNOWS_ROTATE: &str =
    "/properties/spec/properties/addons/properties/konnectivity/properties/agent/properties/hostNetwork";
/// The labels of the pods with the hashes of what they mount.
const MOUNTED: &str = "component.kamaji.clastix.io/";
/// How long Kamaji gets to issue what it issues by itself, before a Secret that it has left is deleted.
const LEFT: Duration = Duration::from_secs(30);
/// How long Kamaji gets to write a new CA into the tenant's `cluster-info`, before that is done here.
const CLUSTER_INFO: Duration = Duration::from_secs(20);
/// How often the tenant is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// The action.
#[derive(Clone, Copy, Debug, Default)]
pub struct RotateCertificates;

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(
        0,
        "Gives a tenant control plane new certificates, and follows them to the end: it returns when all of them are issued, the \
         pods run with them, and the tenant's API answers to the new kubeconfigs.\n\n`super-admin.conf` is renewed together with \
         `admin.conf`, which Kamaji by itself does not do. Kubeconfigs that were handed out before go on working until their \
         certificates expire, since Kubernetes knows no revocation; only a new CA ends them. Secrets of a \
         `kamaji_kubeconfig_generator` follow a new CA by themselves.\n\n**A new CA cuts off every node and every kubeconfig that \
         knows only the old one.** Machines have to join again, kubeconfigs have to be handed out again, and tokens of a \
         `kamaji_worker_join` need new user data: the pin in it is that of the old CA. The keys of ServiceAccount tokens and \
         the certificate for the datastore stay.\n\nThe pods are replaced by the strategy of the control plane. A control plane \
         that is paused, sleeps, is being deleted or moves its data is refused. A rotation that was interrupted is complete \
         after the next one.",
        vec![
            tenant(),
            string_list("rotate")
                .default("[\"certificates\", \"kubeconfigs\"]")
                .rule(not_empty("nothing is rotated"))
                .rule(Validator::each(Validator::one_of(&["certificates", "kubeconfigs", "ca"])))
                .doc(
                    "What is issued anew. `certificates`: of the API server, towards kubelets, of the front proxy and of \
                     konnectivity. `kubeconfigs`: those of administrators, controller manager, scheduler and konnectivity. `ca`: \
                     the CA of the tenant, and so all of these.",
                ),
            timeouts(&[("invoke", "20m")]),
        ],
    )
});

impl Wanted {
    fn of(config: &Value) -> Self {
        let list = config.get("rotate").as_list();
        let has = |word: &str, default: bool| {
            list.map_or(default, |words| words.iter().any(|given| given.as_str() == Some(word)))
        };
        Self {
            certificates: has("certificates", true),
            kubeconfigs: has("kubeconfigs", true),
            authority: has("ca", false),
        }
    }
}

#[async_trait]
impl TenantAction for RotateCertificates {
    fn type_name(&self) -> &'static str {
        "kamaji_rotate_certificates"
    }

    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn foretell(&self, config: &Value) -> Diagnostics {
        if !Wanted::of(config).authority {
            return Diagnostics::new();
        }
        Diagnostic::warning(
            "New CA cuts off nodes and kubeconfigs",
            "With the new CA of the tenant every node has to join again, and every kubeconfig that was handed out ends. Machines \
             that boot with user data rendered before do not join.",
        )
        .at(Path::of("rotate"))
        .into()
    }

    fn refusal(&self, now: &Now<'_>, config: &Value) -> Option<Diagnostic> {
        let limited = Wanted::of(config).authority && now.view.write_limited();
        idle(now).or_else(|| asleep(now)).or_else(|| {
            limited.then(|| {
                let detail = "`write_permissions` keeps the new CA out of the tenant's `cluster-info`, so that nothing could join. \
                              Lift it and apply that first.";
                refused("Writes in the tenant are limited", detail.to_owned())
            })
        })
    }

    async fn carry_out(&self, on: &Invocation<'_>, live: Json, config: &Value) -> Result<Diagnostics, Diagnostics> {
        let rotation = Rotation::begin(on, &live, Wanted::of(config)).await?;
        rotation.issue().await?;
        rotation.follow().await?;
        rotation.roll_out().await?;
        let settled = settle(&on.reach, &on.scene, Level::Ready, live, &|reason| on.progress.say(reason)).await;
        let settled = settled.map_err(|unsettled| unsettled.why)?;
        let mut said = settled.warnings;
        said.extend(rotation.prove(&settled.live).await?);
        Ok(said)
    }
}

/// A rotation under way.
struct Rotation<'a> {
    on: &'a Invocation<'a>,
    wanted: Wanted,
    /// The Secrets that are issued anew, as they were.
    before: BTreeMap<String, Issued>,
    /// The CA as it was.
    authority: Seen,
    /// The hashes on the pods as they were.
    mounted: BTreeMap<String, String>,
    /// True if this Kamaji knows [`ROTATE`].
    knows_rotate: bool,
}

impl<'a> Rotation<'a> {
    /// Looks at what there is.
    async fn begin(on: &'a Invocation<'a>, live: &Json, wanted: Wanted) -> Result<Self, Diagnostic> {
        let scene = &on.scene;
        let doing = format!("read the certificates of {}", scene.object);
        let keep = |object: DynamicObject| Issued::of(&json_of(&object));
        let found =
            scene.cluster.list_kept(&scene.operation, Kind::Secret, Some(namespace(on)), &labels(on), keep).await;
        let found: Vec<Issued> = found.map_err(|error| error.to_diagnostic(&doing))?.into_iter().flatten().collect();
        let authority = found.iter().find_map(Issued::authority).cloned();
        let Some(authority) = authority.filter(|_| View::new(live).admin_kubeconfig_secret().is_some()) else {
            let detail =
                format!("Kamaji has not issued the certificates of {} yet. Wait until it is ready.", scene.object);
            return Err(refused("Control plane has no certificates yet", detail));
        };
        let before = found.into_iter().filter(|issued| wanted.takes(&issued.component));
        let before: BTreeMap<String, Issued> = before.map(|issued| (issued.name.clone(), issued)).collect();
        let deployment = scene.cluster.get(&scene.operation, &rollout::deployment(on)).await;
        let deployment = deployment.map_err(|error| error.to_diagnostic(&doing))?;
        let mounted = deployment.as_ref().map(|object| hashes(&json_of(object))).unwrap_or_default();
        let knows_rotate =
            scene.cluster.declares(&scene.operation, Kind::TenantControlPlane, KNOWS_ROTATE).await.unwrap_or(false);
        let names = before.keys().cloned().collect::<Vec<_>>().join(", ");
        on.progress.say(format!("Rotates {} Secrets of {}: {names}.", before.len(), scene.object));
        Ok(Self { on, wanted, before, authority, mounted, knows_rotate })
    }

    /// Asks Kamaji for new ones. With a new CA Kamaji does the others by itself, as far as it does.
    async fn issue(&self) -> Result<(), Diagnostic> {
        let first = |issued: &&Issued| !self.wanted.authority || issued.component == AUTHORITY;
        for issued in self.before.values().filter(first) {
            self.renew(issued).await?;
        }
        if !self.wanted.authority {
            return Ok(());
        }
        self.on.progress.say("Waiting for the new CA.");
        let scene = &self.on.scene;
        let operation = &scene.operation;
        let renewed = self.wait(operation, |now| {
            let authority = now.values().find_map(Issued::authority)?;
            (authority.fingerprint != self.authority.fingerprint).then(|| authority.clone())
        });
        let renewed = renewed.await.map_err(|ended| self.too_late(&ended, "the new CA"))?;
        self.on.progress.say(format!("The new CA is there: pin {}, valid until {}.", renewed.pin, renewed.not_after));
        // Its CA is another one, so it does not follow.
        for issued in self.before.values().filter(|issued| issued.component == FRONT_PROXY_CLIENT) {
            self.renew(issued).await?;
        }
        Ok(())
    }

    /// Waits until all certificates are issued anew, under the CA that is there then. What Kamaji leaves is deleted, so
    /// that it has to make it.
    async fn follow(&self) -> Result<(), Diagnostic> {
        let scene = &self.on.scene;
        let mut told = String::new();
        loop {
            let mut left = Vec::new();
            let bounded = Operation::new(scene.operation.remaining().min(LEFT), &scene.operation.stop);
            let last = scene.operation.remaining() <= LEFT;
            let waited = self.wait(&bounded, |now| {
                left = self.left(now);
                let text =
                    left.iter().map(|(issued, why)| format!("{}: {why}", issued.name)).collect::<Vec<_>>().join("; ");
                if !text.is_empty() && text != told {
                    self.on.progress.say(format!("{} of {} are left: {text}.", left.len(), self.before.len()));
                    told = text;
                }
                left.is_empty().then_some(())
            });
            let Err(ended) = waited.await else { break };
            if last || !matches!(ended.reason, EndReason::Timeout(_)) {
                return Err(self.too_late(&ended, &told));
            }
            for (issued, why) in left {
                if issued.component == AUTHORITY || issued.uid.is_empty() {
                    continue;
                }
                self.on
                    .progress
                    .say(format!("Kamaji has left {} ({why}): it is deleted, to be made anew.", issued.name));
                self.delete(&issued).await?;
            }
        }
        self.on.progress.say(format!("All {} Secrets are issued anew.", self.before.len()));
        Ok(())
    }

    /// What is not issued anew yet: the Secret as it is now (without a UID while it does not exist), and what it lacks.
    fn left(&self, now: &BTreeMap<String, Issued>) -> Vec<(Issued, String)> {
        let authority = now.values().find_map(Issued::authority);
        let lacks = |before: &Issued| {
            let is = now.get(&before.name);
            let why = Issued::lacks(before, is, authority)?;
            let absent = Issued { uid: String::new(), certificates: BTreeMap::new(), ..before.clone() };
            Some((is.cloned().unwrap_or(absent), why))
        };
        self.before.values().filter_map(lacks).collect()
    }

    /// Waits until the Secrets of the control plane are what the predicate wants.
    async fn wait<T>(
        &self,
        operation: &Operation,
        mut predicate: impl FnMut(&BTreeMap<String, Issued>) -> Option<T>,
    ) -> Result<T, WaitEnded> {
        let cluster = &self.on.scene.cluster;
        let (namespace, labels) = (Some(namespace(self.on)), labels(self.on));
        wait_until_selected(cluster, operation, Kind::Secret, namespace, &labels, None, |secrets| {
            let now = secrets.values().filter_map(|secret| Issued::of(&json_of(secret)));
            predicate(&now.map(|issued| (issued.name.clone(), issued)).collect())
        })
        .await
    }

    /// Asks for a Secret anew in the way that this Kamaji understands. That of the admin kubeconfigs is deleted in any case:
    /// the annotation renews a part of it only.
    async fn renew(&self, issued: &Issued) -> Result<(), Diagnostic> {
        if self.knows_rotate && issued.component != ADMIN {
            self.annotate(issued).await
        } else {
            self.delete(issued).await
        }
    }

    async fn annotate(&self, issued: &Issued) -> Result<(), Diagnostic> {
        let scene = &self.on.scene;
        let secret = ObjectRef::namespaced(Kind::Secret, namespace(self.on), &issued.name);
        let change = Change::Merge(json!({"metadata": {"uid": issued.uid, "annotations": {ROTATE: ""}}}));
        let written = scene.cluster.patch(&scene.operation, &secret, &change, &self.on.manager("rotate")).await;
        written.map(|_| ()).map_err(|error| error.to_diagnostic(&format!("ask for a new {secret}")))
    }

    async fn delete(&self, issued: &Issued) -> Result<(), Diagnostic> {
        let scene = &self.on.scene;
        let secret = ObjectRef::namespaced(Kind::Secret, namespace(self.on), &issued.name);
        let deleted = scene.cluster.delete(&scene.operation, &secret, &issued.uid, Propagation::Background).await;
        deleted.map(|_| ()).map_err(|error| error.to_diagnostic(&format!("delete {secret}, to be made anew")))
    }

    /// Waits until the Deployment has the hashes of the new Secrets, and only pods with them.
    async fn roll_out(&self) -> Result<(), Diagnostic> {
        let components = self.before.values().map(|issued| format!("{MOUNTED}{}", issued.component));
        let expected: Vec<String> = components.filter(|label| self.mounted.contains_key(label)).collect();
        let followed = rollout::follow(self.on, |deployment| self.not_rolled_out(deployment, &expected)).await;
        followed.map_err(|Unfinished { ended, missing }| self.too_late(&ended, &missing))
    }

    fn not_rolled_out(&self, deployment: &Json, expected: &[String]) -> Option<String> {
        let now = hashes(deployment);
        if let Some(old) = expected.iter().find(|label| now.get(*label) == self.mounted.get(*label)) {
            return Some(format!("Waiting for pods with the new {}.", old.trim_start_matches(MOUNTED)));
        }
        rollout::left(deployment, deployment.pointer("/spec/replicas").and_then(Json::as_i64).unwrap_or(1))
    }

    /// Shows that the new chain works: nothing is left, and the tenant's API answers to both administrators.
    async fn prove(&self, live: &Json) -> Result<Diagnostics, Diagnostic> {
        let (on, scene) = (self.on, &self.on.scene);
        // Something may have been issued once more meanwhile; it is looked at as it is in the end.
        let now = self.wait(&scene.operation, |now| self.left(now).is_empty().then(|| now.clone()));
        let now = now.await.map_err(|ended| self.too_late(&ended, "all certificates to be new"))?;
        on.progress.say(format!("Asking the API of {} with the new kubeconfigs.", scene.object));
        let tenant = on.reach.wait(&scene.operation, &scene.object, For::Api).await?;
        for user in [User::SuperAdmin, User::Admin] {
            let admitted = on.reach.admitted(&scene.operation, &scene.object, live, user).await?;
            let server = &tenant.admin.parsed.server;
            on.progress.say(if admitted {
                format!("The API at {server} admits {}.", user.key())
            } else {
                format!("The API at {server} knows {}, and permits it nothing yet.", user.key())
            });
        }
        for issued in now.values().filter(|issued| self.before.contains_key(&issued.name)) {
            let fingerprints = issued.certificates.iter().map(|(key, seen)| {
                format!("{key} since {}, SHA-256 {}", seen.not_before, seen.fingerprint.get(..16).unwrap_or_default())
            });
            let until = issued.not_after().map(|end| format!(", valid until {end}")).unwrap_or_default();
            on.progress.say(format!("{}{until}: {}.", issued.name, fingerprints.collect::<Vec<_>>().join("; ")));
        }
        let mut said = Diagnostics::new();
        if let Some(authority) = now.values().find_map(Issued::authority).filter(|_| self.wanted.authority) {
            said.extend(self.handed_on(authority).await?);
        }
        Ok(said)
    }

    /// Whether machines can join under the new CA, and what has to be done outside.
    async fn handed_on(&self, authority: &Seen) -> Result<Diagnostics, Diagnostic> {
        let (on, scene) = (self.on, &self.on.scene);
        on.progress.say("Waiting for the tenant's cluster-info to name the new CA.");
        let mut said = Diagnostics::new();
        if self.announced(authority, CLUSTER_INFO).await? || self.announce(authority).await? {
            on.progress.say("The tenant's cluster-info names the new CA.");
        } else {
            said.push(Diagnostic::warning(
                "Nothing can join under the new CA yet",
                format!(
                    "ConfigMap kube-public/cluster-info of {} does not name the new CA. Kamaji writes it; machines cannot join by \
                     token until it has.",
                    scene.object
                ),
            ));
        }
        said.push(Diagnostic::warning(
            "Nodes and kubeconfigs have the old CA",
            format!(
                "The CA of {} is new, with the pin {}. Nodes have to join again with user data that is rendered now (`terraform \
                 apply` renders it for a kamaji_worker_join), and kubeconfigs have to be handed out again.",
                scene.object, authority.pin
            ),
        ));
        Ok(said)
    }

    /// Waits until `cluster-info` names the CA; false if it does not in this time.
    async fn announced(&self, authority: &Seen, limit: Duration) -> Result<bool, Diagnostic> {
        let (on, scene) = (self.on, &self.on.scene);
        let bounded = Operation::new(scene.operation.remaining().min(limit), &scene.operation.stop);
        loop {
            let tenant = on.reach.wait(&scene.operation, &scene.object, For::Api).await?;
            if tenant.api.announces(&bounded, &authority.pem).await.unwrap_or(false) {
                return Ok(true);
            }
            if bounded.remaining() <= AGAIN || !bounded.pause(AGAIN).await {
                return Ok(false);
            }
        }
    }

    /// Writes the CA into `cluster-info` itself: v1.0.0 writes it once only.
    async fn announce(&self, authority: &Seen) -> Result<bool, Diagnostic> {
        let (on, scene) = (self.on, &self.on.scene);
        let tenant = on.reach.wait(&scene.operation, &scene.object, For::Api).await?;
        let cas = (self.authority.pem.as_str(), authority.pem.as_str());
        on.progress.say("Kamaji has left cluster-info with the old CA: it gets the new one.");
        match tenant.api.announce(&scene.operation, cas, &on.manager("rotate")).await {
            Ok(true) => self.announced(authority, CLUSTER_INFO).await,
            Ok(false) => Ok(false),
            Err(error) => Err(tenant.api.diagnostic(&error, "write the new CA into kube-public/cluster-info")),
        }
    }

    fn too_late(&self, ended: &WaitEnded, what: &str) -> Diagnostic {
        let scene = &self.on.scene;
        let goes_on =
            "What Kamaji was asked for it still does; the action, invoked again, begins anew and completes it.";
        match &ended.reason {
            EndReason::Stopped => Diagnostic::error(
                "Interrupted while rotating certificates",
                format!("The rotation for {} is not complete. It waited for: {what}.\n\n{goes_on}", scene.object),
            ),
            EndReason::Failed(error) => error.to_diagnostic(&format!("wait for the certificates of {}", scene.object)),
            EndReason::Timeout(trouble) => {
                let trouble =
                    trouble.as_ref().map(|error| format!(" The API server had trouble: {error}.")).unwrap_or_default();
                Diagnostic::error(
                    "Certificates not rotated in time",
                    format!(
                        "The rotation for {} is not complete. It waited for: {what}.{trouble}\n\n{goes_on} Look at the pods and at \
                         Kamaji's log; more time is given in `timeouts.invoke`.",
                        scene.object
                    ),
                )
            }
        }
    }
}

fn namespace<'a>(on: &'a Invocation<'_>) -> &'a str {
    on.scene.object.namespace.as_deref().unwrap_or_default()
}

fn labels(on: &Invocation<'_>) -> String {
    format!("{NAME_LABEL}={}", on.scene.object.name)
}

/// The hashes of what the pods of a Deployment mount.
fn hashes(deployment: &Json) -> BTreeMap<String, String> {
    let labels = deployment.pointer("/spec/template/metadata/labels").and_then(Json::as_object).into_iter().flatten();
    let hashes = labels.filter(|(label, _)| label.starts_with(MOUNTED));
    hashes.map(|(label, hash)| (label.clone(), hash.as_str().unwrap_or_default().to_owned())).collect()
}
