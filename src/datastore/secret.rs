//! Secrets: those that a datastore refers to, and the one that the provider keeps for what is write-only.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value as Json, json};
use tfplugin::{Diagnostic, Diagnostics, Path, Value};

use super::material::Material;
use super::part::{Part, kept, kept_in};
use crate::managed_object::mapping::{annotate, at, put};
use crate::managed_object::{Applying, Scene};
use crate::management_cluster::{ApiError, ApplyOptions, ObjectRef, Propagation, SecretData, json_of};

/// Annotation of a DataStore that tells the versions of what the provider keeps for it. With a new version the object
/// changes, by which every Kamaji notices that the credentials did.
pub const CREDENTIALS: &str = "terraform.kamaji.clastix.io/credentials";

/// Annotation of the Secret that the provider keeps: the name of its datastore.
const OWNER: &str = "terraform.kamaji.clastix.io/datastore";

/// Adds the references to the kept Secret to what is sent, and the versions of what is in it.
pub(super) fn complete(value: &Value, manifest: &mut Map<String, Json>) {
    let secret = kept_in(value);
    let mut versions = Vec::new();
    for part in kept(value) {
        put(manifest, &format!("{}.secretReference", part.api_path()), reference(&secret, part));
        let version = value.get(&part.inner("content_wo_version")).as_i64().unwrap_or_default();
        versions.push(format!("{}={version}", part.key()));
    }
    if !versions.is_empty() {
        annotate(manifest, CREDENTIALS, &versions.join(","));
    }
}

fn reference(secret: &ObjectRef, part: Part) -> Json {
    json!({"name": secret.name, "namespace": secret.namespace, "keyPath": part.key()})
}

/// True if a part is to be sent anew: its version, or the Secret that it is kept in, changes.
fn is_new(part: Part, prior: &Value, planned: &Value) -> bool {
    let version = part.inner("content_wo_version");
    part.is_kept(planned) && (prior.get(&version) != planned.get(&version) || kept_in(prior) != kept_in(planned))
}

/// True if the Secret that is kept has to change, or goes.
pub(super) fn changes(prior: &Value, planned: &Value) -> bool {
    Part::ALL.into_iter().any(|part| is_new(part, prior, planned) || part.is_kept(prior) != part.is_kept(planned))
}

/// Secrets of the management cluster, each read once.
pub(super) struct Secrets<'a> {
    scene: &'a Scene,
    read: BTreeMap<(String, String), Result<Option<SecretData>, ApiError>>,
}

/// A key of a Secret.
pub(super) enum Found {
    /// Its value.
    Value(Vec<u8>),
    /// There is no such Secret.
    NoSecret,
    /// The Secret has no such key.
    NoKey,
    /// It may not be read, or nobody answers.
    Unseen,
}

impl<'a> Secrets<'a> {
    pub(super) fn new(scene: &'a Scene) -> Self {
        Self { scene, read: BTreeMap::new() }
    }

    pub(super) async fn get(&mut self, namespace: &str, name: &str, key: &str) -> Found {
        let secret = match self.read.entry((namespace.to_owned(), name.to_owned())) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let answer = self.scene.cluster.secret(&self.scene.operation, namespace, name).await;
                if let Err(error) = &answer {
                    tracing::info!(namespace, name, %error, "a Secret of a datastore cannot be read");
                }
                new.insert(answer)
            }
        };
        match secret {
            Ok(Some(secret)) => secret.get(key).map_or(Found::NoKey, |value| Found::Value(value.to_vec())),
            Ok(None) | Err(ApiError::NamespaceMissing { .. }) => Found::NoSecret,
            Err(_) => Found::Unseen,
        }
    }

    /// The part that a live DataStore has.
    pub(super) async fn of_live(&mut self, live: &Json, part: Part) -> Option<(Found, String)> {
        let part = at(live, part.api_path());
        if let Some(content) = part["content"].as_str().filter(|content| !content.is_empty()) {
            return Some((BASE64.decode(content).map_or(Found::NoKey, Found::Value), String::new()));
        }
        let text = |key: &str| part["secretReference"][key].as_str();
        let (namespace, name, key) = (text("namespace")?, text("name")?, text("keyPath")?);
        Some((self.get(namespace, name, key).await, format!("{namespace}/{name}, key {key}")))
    }

    /// The part that a configuration refers to by `secret_reference`, if it does.
    pub(super) async fn of_reference(&mut self, value: &Value, part: Part) -> Option<(Found, String)> {
        let text = |name: &str| value.str_at(&part.inner(&format!("secret_reference.{name}"))).map(str::to_owned);
        let (namespace, name, key) = (text("namespace")?, text("name")?, text("key_path")?);
        Some((self.get(&namespace, &name, &key).await, format!("{namespace}/{name}, key {key}")))
    }
}

/// What is missing, if something is: title and text.
pub(super) fn missing(found: &Found, place: &str) -> Option<(&'static str, String)> {
    let secret = place.split(',').next().unwrap_or_default();
    match found {
        Found::NoSecret => Some(("Secret does not exist", format!("There is no Secret {secret}."))),
        Found::NoKey => Some(("Secret has no such key", format!("There is no such value: Secret {place}."))),
        Found::Value(_) | Found::Unseen => None,
    }
}

/// What an apply works with.
#[derive(Default)]
pub(super) struct Gathered {
    /// The values, as far as they can be seen.
    pub material: Material,
    /// The values for the Secret that the provider keeps.
    kept: BTreeMap<&'static str, String>,
    /// True if a value exists that the provider may not read.
    pub unseen: bool,
    /// What is missing.
    pub found: Diagnostics,
}

/// Gathers the values for a write.
pub(super) async fn gather(scene: &Scene, applying: &Applying<'_>) -> Gathered {
    let Applying { prior, planned, config } = *applying;
    let mut secrets = Secrets::new(scene);
    let mut all = Gathered::default();
    for part in Part::ALL {
        if let Some(content) = planned.str_at(&part.inner("content")) {
            all.material.put(part, content.as_bytes().to_vec());
        } else if part.is_kept(planned) {
            let stays = if is_new(part, prior, planned) { None } else { from_kept(&mut secrets, prior, part).await };
            let new = || config.str_at(&part.inner("content_wo")).map(|text| text.as_bytes().to_vec());
            match stays.or_else(new) {
                Some(value) => {
                    all.kept.insert(part.key(), BASE64.encode(&value));
                    all.material.put(part, value);
                }
                None => all.found.push(
                    Diagnostic::error(
                        "Write-only value is not given",
                        format!(
                            "`{}` is needed to make the Secret {}. Give it.",
                            part.inner("content_wo"),
                            kept_in(planned).id()
                        ),
                    )
                    .at(part.at("content_wo")),
                ),
            }
        } else if let Some((found, place)) = secrets.of_reference(planned, part).await {
            if let Some((summary, detail)) = missing(&found, &place) {
                let detail = format!("{detail} Make it before the datastore (depends_on, if nothing else says so).");
                all.found.push(Diagnostic::error(summary, detail).at(part.at("secret_reference")));
            }
            match found {
                Found::Value(value) => all.material.put(part, value),
                Found::Unseen => all.unseen = true,
                _ => {}
            }
        }
    }
    all
}

async fn from_kept(secrets: &mut Secrets<'_>, prior: &Value, part: Part) -> Option<Vec<u8>> {
    let secret = kept_in(prior);
    match secrets.get(secret.namespace.as_deref().unwrap_or_default(), &secret.name, part.key()).await {
        Found::Value(value) => Some(value),
        _ => None,
    }
}

/// Writes the Secret that the provider keeps, if there is something to keep.
pub(super) async fn write(scene: &Scene, planned: &Value, gathered: &Gathered) -> Result<(), Diagnostic> {
    if gathered.kept.is_empty() {
        return Ok(());
    }
    let object = kept_in(planned);
    let failed = |error: ApiError| {
        let inner = if matches!(error, ApiError::NamespaceMissing { .. }) { ".namespace" } else { "" };
        error.to_diagnostic(&format!("write {object}")).at(Path::of(&format!("credentials_secret{inner}")))
    };
    let found = scene.cluster.get(&scene.operation, &object).await.map_err(failed)?;
    let name = &scene.object.name;
    if let Some(found) = found.map(|found| json_of(&found))
        && found["metadata"]["annotations"][OWNER] != name.as_str()
    {
        return Err(Diagnostic::error(
            "Secret exists already",
            format!(
                "{object} exists and was not made for this datastore (it lacks the annotation {OWNER}: {name}). Choose another \
                 name in `credentials_secret`, or refer to it with `secret_reference`."
            ),
        )
        .at(Path::of("credentials_secret")));
    }
    let manifest = json!({
        "metadata": {
            "labels": {"app.kubernetes.io/managed-by": "terraform-provider-kamaji"},
            "annotations": {OWNER: name},
        },
        "type": "Opaque",
        "data": gathered.kept,
    });
    let options = ApplyOptions { field_manager: scene.field_manager.clone(), force: true, dry_run: false };
    scene.cluster.apply(&scene.operation, &object, &manifest, &options).await.map(drop).map_err(failed)
}

/// Removes the Secret that was kept for a datastore. One that is not the provider's, or not there, is left alone.
pub(super) async fn remove(scene: &Scene, state: &Value) -> Result<(), Diagnostic> {
    if kept(state).next().is_none() {
        return Ok(());
    }
    let object = kept_in(state);
    let failed = |error: ApiError| error.to_diagnostic(&format!("delete {object}"));
    let found = scene.cluster.get(&scene.operation, &object).await.map_err(failed)?.map(|found| json_of(&found));
    let ours = found.filter(|found| found["metadata"]["annotations"][OWNER] == scene.object.name.as_str());
    let Some(uid) = ours.as_ref().and_then(|found| found["metadata"]["uid"].as_str()) else { return Ok(()) };
    scene.cluster.delete(&scene.operation, &object, uid, Propagation::Background).await.map(drop).map_err(failed)
}

/// True for the Secret that a state says is kept, and that the object refers to.
pub(super) fn refers_to_kept(live: &Json, state: &Value, part: Part) -> bool {
    let now = at(live, part.api_path());
    now["content"].as_str().unwrap_or_default().is_empty() && now["secretReference"] == reference(&kept_in(state), part)
}
