//! Create: look at the machine, save the state, mint a token, join, revoke the token, wait for the node.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};
use tfplugin::plan::without_unknowns;
use tfplugin::private::Private;
use tfplugin::resource::{ApplyRequest, ApplyResponse, Checkpoint, Context};
use tfplugin::{Diagnostic, Diagnostics, Path, Value};
use tokio_util::sync::CancellationToken;

use super::machine::{Before, ask, before, join, reset, stopped};
use super::preflight::{Wanted, check};
use super::probe::Probe;
use super::schema::WAIT_FOR;
use super::{Memory, Scene, Worker, diagnostic, note};
use crate::kamaji::bootstrap_token::{BootstrapToken, Terms, expiration_text};
use crate::kamaji::certificate::ca_pins;
use crate::kamaji::join::node::check_node_label_key;
use crate::kamaji::join::settings::MachineSettings;
use crate::kamaji::join::{Discovery, JoinInput};
use crate::kamaji::network::Endpoint;
use crate::kamaji::tenant_control_plane::View;
use crate::management_cluster::watch::{EndReason, WaitEnded};
use crate::management_cluster::{ApiError, Operation};
use crate::ssh::Session;
use crate::tenant_cluster::bootstrap_token::Owner;
use crate::tenant_cluster::node::readiness;
use crate::tenant_cluster::random;
use crate::tenant_cluster::reach::{For, Tenant};

/// How long a machine is waited for that boots.
const BOOT: Duration = Duration::from_secs(300);
/// The longest life of a token, and the shortest: the tenant's clock may differ.
const LONGEST: Duration = Duration::from_secs(3600);
const SHORTEST: Duration = Duration::from_secs(120);
/// How long the revocation of a token may take; after an interrupt less, so that the run ends within a second.
const REVOKE: Duration = Duration::from_secs(10);
const REVOKE_STOPPED: Duration = Duration::from_millis(500);
/// How often a token is drawn whose id is taken already.
const DRAWS: usize = 5;

/// A machine that is about to join.
struct Joining<'a> {
    scene: &'a Scene,
    tenant: &'a Tenant,
    session: &'a Session,
    input: JoinInput,
    name: String,
}

/// A token for one join.
struct Minted {
    token: BootstrapToken,
    /// UID of its Secret; [`None`] if it is not known whether there is one.
    uid: Option<String>,
    end: Timestamp,
}

impl Worker {
    pub(super) async fn join(&self, cx: &Context, request: ApplyRequest) -> ApplyResponse {
        let ApplyRequest { planned, checkpoint, .. } = request;
        let mut state = without_unknowns(&planned);
        let outcome = match self.scene(cx, &planned, "create") {
            Ok(scene) => try_join(&scene, &mut state, &checkpoint).await,
            Err(diagnostic) => Err(diagnostic),
        };
        let diagnostics = match outcome {
            Ok(said) => said,
            Err(diagnostic) => diagnostic.into(),
        };
        // Nothing was changed before the state was saved.
        match checkpoint.last() {
            Some((_, private)) => ApplyResponse { state, private, diagnostics },
            None => ApplyResponse { state: Value::Null, private: Private::default(), diagnostics },
        }
    }
}

async fn try_join(scene: &Scene, state: &mut Value, checkpoint: &Checkpoint) -> Result<Diagnostics, Diagnostic> {
    let tenant = scene.reach.wait(&scene.operation, &scene.object, For::Nodes).await?;
    let view = View::new(&tenant.live);
    let version = view.installed_version().or(view.requested_version()).unwrap_or_default();
    let version = version.parse().map_err(diagnostic)?;
    let settings = MachineSettings::from_value(state).map_err(diagnostic)?;
    let endpoint: Endpoint = match state.str_at("endpoint") {
        Some(own) => own.parse().map_err(|problem| diagnostic(problem).at(Path::of("endpoint")))?,
        None => tenant.admin.parsed.endpoint().map_err(diagnostic)?,
    };
    let (session, route) =
        scene.log_in(state, BOOT).await.map_err(|error| error.diagnostic("log in on the machine"))?;
    let machine = route.target.to_string();
    let probe = ask(&session, &scene.operation, &endpoint, settings.cri_socket.as_deref()).await?;
    let name = state.str_at("node_name").map_or_else(|| probe.host_name(), str::to_owned);
    let pins = ca_pins(&tenant.admin.parsed.ca_pem).map_err(diagnostic)?;
    let nodes = tenant.api.nodes_as(&scene.operation, "", Json::clone).await;
    let nodes = nodes.map_err(|error| tenant.api.diagnostic(&error, "list the nodes of the tenant"))?;
    let before = before(&probe, &pins, &nodes, &name, scene)?;
    let kubelet_config = tenant.api.kubelet_config(&scene.operation).await.ok().flatten();
    let wanted = Wanted {
        endpoint: &endpoint,
        tenant: &version,
        kubelet_config: kubelet_config.as_deref(),
        settings: &settings,
        is_reset: before != Before::Clean,
        now: Timestamp::now(),
    };
    check(&probe, &wanted, &machine)?;
    let input = input(scene, &tenant, state, &probe, settings, endpoint, pins)?;
    // What cannot be rendered is found before anything is changed.
    input.user_data_shell().map_err(diagnostic)?;

    // From here on there is something to be cleaned up.
    let memory = Memory { tenant_uid: view.uid().unwrap_or_default().to_owned() };
    state.set("id", format!("{}#{name}", state.str_at("tenant_control_plane_id").unwrap_or_default()).into());
    state.set("node_name", name.as_str().into());
    state.set("machine_id", probe.text("machine_id").into());
    checkpoint.save(state, &Private::write(&memory));
    if let Before::Reset(why) = before {
        tracing::info!(machine, why, "the machine is reset before it joins");
        reset(&session, &scene.operation, probe.text("machine_id"), input.settings.cri_socket.as_deref()).await?;
    }
    if let Some(old) = nodes.iter().find(|live| live["metadata"]["name"] == name.as_str()) {
        // Of this machine, as has been seen: kubeadm refuses a name whose Node still looks Ready.
        let deleted = tenant.api.delete_node(&scene.operation, old).await;
        deleted.map_err(|error| tenant.api.diagnostic(&error, &format!("delete the old node {name}")))?;
    }
    let joining = Joining { scene, tenant: &tenant, session: &session, input, name };
    joining.run(state).await
}

/// Everything that kubeadm is told. The token is drawn later.
fn input(
    scene: &Scene,
    tenant: &Tenant,
    state: &Value,
    probe: &Probe,
    settings: MachineSettings,
    endpoint: Endpoint,
    ca_pins: Vec<String>,
) -> Result<JoinInput, Diagnostic> {
    let kubernetes_version = probe.version("kubeadm").ok_or_else(|| {
        Diagnostic::error("No kubeadm on the machine", "kubeadm does not say its version (`kubeadm version -o short`).")
    })?;
    if let Some((path, problem)) = settings.problems_with(&kubernetes_version).into_iter().next() {
        return Err(diagnostic(problem).at(path));
    }
    // The others are set by an administrator, once the node is there.
    let labels = settings.labels.into_iter().filter(|(key, _)| check_node_label_key(key).is_ok()).collect();
    let discovery = if state.get("endpoint").is_null() { Discovery::Token } else { Discovery::File };
    Ok(JoinInput {
        endpoint,
        token: random::token()?,
        discovery,
        ca_pem: tenant.admin.parsed.ca_pem.clone(),
        ca_pins,
        cluster_name: scene.object.name.clone(),
        cluster_dns: Vec::new(),
        cluster_domain: String::new(),
        kubernetes_version,
        join_id: None,
        settings: MachineSettings { labels, ..settings },
    })
}

impl Joining<'_> {
    async fn run(mut self, state: &mut Value) -> Result<Diagnostics, Diagnostic> {
        let operation = &self.scene.operation;
        let minted = self.mint().await?;
        self.input.token = minted.token.clone();
        tracing::info!(node = self.name, token_id = self.input.token.id(), "joining");
        let joined = match self.tenant.api.wait_until_signed(operation, &self.input.token).await {
            Err(ended) if ended.reason == EndReason::Stopped => Err(stopped("nothing was done on the machine")),
            // kubeadm waits for it, too, and says what it misses.
            Ok(()) | Err(_) => join(self.session, operation, &self.input).await,
        };
        let said = self.revoke(&minted).await;
        joined?;
        let ready = state.str_at("wait_for").unwrap_or(WAIT_FOR) == "ready";
        let there = self.tenant.api.wait_for_node(operation, &self.name, false).await;
        let node = there.map_err(|ended| self.not_there(&ended))?;
        note(state, &node);
        self.relabel(state, &node).await?;
        if ready {
            let node = self.tenant.api.wait_for_node(operation, &self.name, true).await;
            note(state, &node.map_err(|ended| self.not_there(&ended))?);
        }
        Ok(said)
    }

    /// Makes a token that ends with this create.
    async fn mint(&self) -> Result<Minted, Diagnostic> {
        let (scene, api) = (self.scene, &self.tenant.api);
        let life = scene.operation.remaining().clamp(SHORTEST, LONGEST);
        let end = Timestamp::now().saturating_add(SignedDuration::try_from(life).unwrap_or_default());
        let end = end.map_err(|_| Diagnostic::error("Clock not usable", "The end of a token cannot be told."))?;
        let terms = Terms {
            expiration: Some(end),
            description: Some(format!("Made by Terraform (kamaji_worker) for one join of {}.", self.name)),
            labels: [("app.kubernetes.io/managed-by".to_owned(), "terraform-provider-kamaji".to_owned())].into(),
            ..Terms::default()
        };
        let mut last = None;
        for _ in 0..DRAWS {
            let token = random::token()?;
            match api.make_token(&scene.operation, &token, &terms, &scene.field_manager).await {
                Ok(uid) => return Ok(Minted { token, uid: Some(uid), end }),
                Err(error @ ApiError::AlreadyExists { .. }) => last = Some(error),
                Err(error) => {
                    let failed = api.diagnostic(&error, &format!("make a bootstrap token in {}", scene.object));
                    if error.is_in_doubt() {
                        self.revoke(&Minted { token, uid: None, end }).await;
                    }
                    return Err(failed);
                }
            }
        }
        let why = last.map(|error| error.to_string()).unwrap_or_default();
        Err(Diagnostic::error("No free bootstrap token found", format!("{why}. Apply again.")))
    }

    /// Revokes the token, whatever came of the join: also after an interrupt.
    async fn revoke(&self, minted: &Minted) -> Diagnostics {
        let interrupted = self.scene.operation.is_stopped();
        let limit = if interrupted { REVOKE_STOPPED } else { REVOKE };
        let operation = Operation::new(limit, &CancellationToken::new()).patience(limit);
        let (token, api) = (&minted.token, &self.tenant.api);
        let revoking = async {
            match &minted.uid {
                Some(uid) => api.remove_token_named(&operation, (&token.secret_name(), uid)).await,
                // Whether it was made is not known.
                None => api.revoke_token(&operation, token.id(), &Owner::of(token)).await,
            }
        };
        let why = match tokio::time::timeout(limit, revoking).await {
            Ok(Ok(())) => return Diagnostics::new(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the tenant did not answer in time".to_owned(),
        };
        Diagnostic::warning(
            "Token was not revoked",
            format!(
                "The bootstrap token {} of {} could not be revoked: {why}. It is valid until {}, and stored nowhere.",
                token.id(),
                self.scene.object,
                expiration_text(minted.end)
            ),
        )
        .into()
    }

    /// Sets the labels that a kubelet may not set itself.
    async fn relabel(&self, state: &Value, node: &Json) -> Result<(), Diagnostic> {
        let labels = state.get("node_labels").as_object().into_iter().flatten();
        let missing = labels.filter(|(key, value)| node["metadata"]["labels"][key.as_str()] != json!(value.as_str()));
        let missing: Vec<_> = missing.map(|(key, value)| (key.clone(), value.as_str().map(str::to_owned))).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let scene = self.scene;
        let set = self.tenant.api.relabel_node(&scene.operation, node, &missing, None, &scene.field_manager).await;
        set.map_err(|error| self.tenant.api.diagnostic(&error, &format!("label the node {}", self.name)))
    }

    fn not_there(&self, ended: &WaitEnded) -> Diagnostic {
        let name = &self.name;
        let last = ended.last().map(crate::management_cluster::json_of);
        let condition = last.as_ref().and_then(readiness);
        let says = condition.and_then(|condition| condition["message"].as_str()).unwrap_or_default();
        let (summary, why) = match (&ended.reason, &last) {
            (EndReason::Failed(error), _) => {
                return self.tenant.api.diagnostic(error, &format!("wait for the node {name}"));
            }
            (EndReason::Stopped, _) => {
                ("Interrupted while waiting", format!("The machine has joined as {name}, but is not Ready yet."))
            }
            (EndReason::Timeout(_), None) => (
                "Node did not appear",
                format!(
                    "kubeadm has joined the machine, but there is no node {name}: see `journalctl -u kubelet` on it."
                ),
            ),
            (EndReason::Timeout(_), Some(_)) if says.contains("cni") || says.contains("NetworkReady=false") => (
                "Node is not ready",
                format!(
                    "The machine has joined as {name}, but has no network for pods: {says}. The tenant needs a CNI; where that comes \
                     later, set wait_for = \"joined\"."
                ),
            ),
            (EndReason::Timeout(_), Some(_)) => {
                ("Node is not ready", format!("The machine has joined as {name}, but is not Ready: {says}"))
            }
        };
        Diagnostic::error(
            summary,
            format!(
                "{why}\n\nThe object is tainted: the next apply drains and resets the machine and joins it again. To keep it as it \
                 is, run `terraform untaint`."
            ),
        )
    }
}
