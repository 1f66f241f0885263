//! After a change of credentials or endpoints: Kamaji rolls out the tenants, and the apply waits for it.

use std::collections::BTreeMap;
use std::time::Duration;

use tfplugin::{Diagnostic, Path};

use super::material::Material;
use super::part::Part;
use super::users::{User, users};
use crate::kamaji::readiness::{Level, Verdict, Wanted, judge};
use crate::kamaji::tenant_control_plane::View;
use crate::managed_object::Scene;
use crate::management_cluster::{Kind, ObjectRef, json_of};

/// How often the tenants are looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long a tenant has to stay as it is: Kamaji takes a moment to begin.
const STEADY: Duration = Duration::from_secs(5);

/// Waits until every tenant on the datastore runs with what it says now. The tenants are listed once; then only those are
/// looked at that are not there yet, and all of them again at the end.
///
/// # Errors
/// The deadline, or an interrupt; the text names the tenants that are missing and why.
pub(super) async fn wait(scene: &Scene, driver: &str, material: &Material) -> Result<(), Diagnostic> {
    let at = || Path::of("wait_for_tenants");
    let listed = users(scene).await;
    let listed = listed.map_err(|error| error.to_diagnostic("find the tenants that use the datastore").at(at()))?;
    let all: Vec<User> = listed.into_iter().filter(User::has_data).collect();
    let mut generations = BTreeMap::new();
    let mut pending: Vec<&User> = all.iter().collect();
    while !pending.is_empty() {
        let mut missing = Vec::new();
        let mut still = Vec::new();
        for user in pending {
            match look(scene, user, driver, material).await {
                // A generation that is new has to prove that it stays.
                Ok(generation) => {
                    if generations.insert(&user.tenant, generation) != Some(generation) {
                        still.push(user);
                    }
                }
                Err(why) => {
                    generations.remove(&user.tenant);
                    missing.push(format!("{}: {why}", user.tenant.id()));
                    still.push(user);
                }
            }
        }
        let pause = if missing.is_empty() { STEADY } else { LOOK_AGAIN };
        tracing::info!(object = %scene.object, waiting_for = missing.len(), "waiting for the tenants");
        pending = if missing.is_empty() && !still.is_empty() { all.iter().collect() } else { still };
        if pending.is_empty() {
            break;
        }
        if scene.operation.remaining() <= pause + LOOK_AGAIN {
            return Err(late(scene, &missing));
        }
        if !scene.operation.pause(pause).await {
            let detail = format!(
                "{} is changed; its tenants may not have rolled out yet. Apply again to go on waiting.",
                scene.object
            );
            return Err(Diagnostic::error("Interrupted while waiting for the tenants", detail).at(at()));
        }
    }
    Ok(())
}

/// The generation of the Deployment of a tenant that runs with the credentials, or what is missing.
async fn look(scene: &Scene, user: &User, driver: &str, material: &Material) -> Result<i64, String> {
    let namespace = user.tenant.namespace.as_deref().unwrap_or_default();
    let unreadable = |what: &str, error: &dyn std::fmt::Display| format!("its {what} cannot be read: {error}");
    let live = scene.cluster.get(&scene.operation, &user.tenant).await;
    // One that is deleted meanwhile needs nothing any more.
    let Some(live) = live.map_err(|error| unreadable("object", &error))?.as_ref().map(json_of) else { return Ok(0) };
    let object = ObjectRef::namespaced(Kind::Deployment, namespace, user.tenant.name.clone());
    let deployment = scene.cluster.get(&scene.operation, &object).await;
    let deployment = deployment.map_err(|error| unreadable("Deployment", &error))?.as_ref().map(json_of);
    let wanted = Wanted { level: Level::Ready, ..Wanted::default() };
    match judge(&live, deployment.as_ref(), wanted) {
        Verdict::Ready => {}
        Verdict::NotYet(why) | Verdict::Never(why) => return Err(why),
    }
    copied(scene, &View::new(&live), driver, material).await?;
    Ok(deployment.as_ref().map_or(0, |deployment| deployment["metadata"]["generation"].as_i64().unwrap_or_default()))
}

/// What Kamaji copies from the datastore into the tenant's own Secrets.
async fn copied(scene: &Scene, view: &View<'_>, driver: &str, material: &Material) -> Result<(), String> {
    let mut expected: Vec<(&str, &str, Part)> = vec![("certificate", "ca.crt", Part::CaCertificate)];
    if driver != "etcd" {
        expected.push(("certificate", "server.crt", Part::ClientCertificate));
    }
    if driver == "NATS" {
        expected.extend([("config", "DB_USER", Part::Username), ("config", "DB_PASSWORD", Part::Password)]);
    }
    for (secret, key, part) in expected {
        let Some(wanted) = material.get(part) else { continue };
        let Some(name) = view.text(&format!("/status/storage/{secret}/secretName")) else { continue };
        let Ok(Some(found)) = scene.cluster.secret(&scene.operation, view.namespace(), name).await else { continue };
        let same = found.get(key).is_some_and(|found| found.trim_ascii() == wanted.trim_ascii());
        if !same {
            return Err(format!("Kamaji has not copied `{}` into its Secret {name} yet", part.path()));
        }
    }
    Ok(())
}

fn late(scene: &Scene, missing: &[String]) -> Diagnostic {
    let names =
        if missing.is_empty() { "They kept changing.".to_owned() } else { format!("  - {}", missing.join("\n  - ")) };
    Diagnostic::error(
        "Tenants have not rolled out in time",
        format!(
            "{} is changed, but not all of its tenants run with it:\n\n{names}\n\nApply again to go on waiting, give it more time \
             with `timeouts.update`, or set `wait_for_tenants = false`.",
            scene.object
        ),
    )
    .at(Path::of("wait_for_tenants"))
}

/// True if a configuration wants to wait.
pub(super) fn is_wanted(planned: &tfplugin::Value) -> bool {
    planned.get("wait_for_tenants").as_bool().unwrap_or(true)
}
