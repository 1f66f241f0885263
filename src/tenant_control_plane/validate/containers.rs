//! Containers and volumes that join those of Kamaji in the pod. The Deployment would refuse them, after the create.

use std::cmp::Ordering;

use tfplugin::{Path, Value};

use super::{Findings, elements, items, repeated};
use crate::kamaji::quantity;

const DEPLOYMENT: &str = "control_plane.deployment";
/// Containers of Kamaji. `kine` is left out: since 26.8.2-edge an additional container of that name sets its image.
const OWN_CONTAINERS: [&str; 4] =
    ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "konnectivity-server"];
/// Volumes of Kamaji, some of which are only there with an addon or a kind of datastore.
const OWN_VOLUMES: [&str; 12] = [
    "etc-kubernetes-pki",
    "etc-ca-certificates",
    "usr-share-ca-certificates",
    "usr-local-share-ca-certificates",
    "scheduler-kubeconfig",
    "controller-manager-kubeconfig",
    "kine-uds",
    "kine-config",
    "kine-certs",
    "konnectivity-uds",
    "egress-selector-configuration",
    "konnectivity-server-kubeconfig",
];
/// Lists of containers.
const CONTAINERS: [&str; 2] = ["additional_init_containers", "additional_containers"];
/// Whom resources are for; other members of `resources` would be a new release of the CRD.
const COMPONENTS: [&str; 4] = ["api_server", "controller_manager", "scheduler", "kine"];

pub(super) fn check(config: &Value, found: &mut Findings) {
    containers(config, found);
    volumes(config, found);
    mounts(config, found);
    for component in COMPONENTS {
        let at = format!("{DEPLOYMENT}.resources.{component}");
        resources(config.get(&at), &Path::of(&at), found);
    }
    let at = "addons.konnectivity.server.resources";
    resources(config.get(at), &Path::of(at), found);
}

fn containers(config: &Value, found: &mut Findings) {
    let lists = CONTAINERS.map(|list| format!("{DEPLOYMENT}.{list}"));
    let all: Vec<(Path, &Value)> = lists.iter().flat_map(|list| elements(config, list)).collect();
    for (path, container) in &all {
        let Some(name) = container.str_at("name") else { continue };
        if OWN_CONTAINERS.contains(&name) {
            found.error(
                path.attribute("name"),
                "Container name is taken",
                format!("Kamaji has a container {name:?} of its own in the same pod. Choose another name."),
            );
        } else if container.get("image").is_null() {
            found.error(
                path.attribute("image"),
                "Image is missing",
                format!("Container {name:?} has no image, and the Deployment would be refused. Set `image`."),
            );
        }
        resources(container.get("resources"), &path.attribute("resources"), found);
        for (probe, why) in [("liveness_probe", "liveness"), ("startup_probe", "startup")] {
            threshold(container.get(probe), &path.attribute(probe), why, found);
        }
    }
    for (path, name) in repeated(all, |container| container.str_at("name")) {
        let detail = format!("{name:?} is given twice; init containers count too. Choose another name.");
        found.error(path.attribute("name"), "Container name is taken", detail);
    }
    for component in ["", "api_server.", "controller_manager.", "scheduler."] {
        for probe in ["liveness", "startup"] {
            let at = format!("{DEPLOYMENT}.probes.{component}{probe}");
            threshold(config.get(&at), &Path::of(&at), probe, found);
        }
    }
}

fn threshold(probe: &Value, at: &Path, kind: &str, found: &mut Findings) {
    if let Some(count) = probe.get("success_threshold").as_i64().filter(|count| *count != 1) {
        found.error(
            at.attribute("success_threshold"),
            "Threshold must be 1",
            format!("A {kind} probe has succeeded after one success, not {count}. Remove `success_threshold`."),
        );
    }
}

fn volumes(config: &Value, found: &mut Findings) {
    let list = format!("{DEPLOYMENT}.additional_volumes");
    let all: Vec<(Path, &Value)> = elements(config, &list).collect();
    for (path, volume) in &all {
        let name = volume.str_at("name").unwrap_or_default();
        if OWN_VOLUMES.contains(&name) {
            found.error(
                path.attribute("name"),
                "Volume name is taken",
                format!("Kamaji has a volume {name:?} of its own in the same pod. Choose another name."),
            );
        }
        let members = volume.as_object().into_iter().flatten().filter(|(member, _)| *member != "name");
        let (mut sources, mut unknown) = (Vec::new(), false);
        for (member, source) in members {
            unknown |= source.is_unknown();
            if !source.is_null() {
                sources.push(member.as_str());
            }
        }
        match sources.as_slice() {
            [] => found.error(
                path.clone(),
                "Volume without a source",
                format!("Volume {name:?} has no source. Give one, such as `config_map`, `secret` or `empty_dir`."),
            ),
            [_] => {}
            _ if unknown => {}
            more => found.error(
                path.attribute(more[1]),
                "Volume with two sources",
                format!("Volume {name:?} has the sources {}. A volume has exactly one.", more.join(" and ")),
            ),
        }
    }
    for (path, name) in repeated(all, |volume| volume.str_at("name")) {
        let detail = format!("{name:?} is given twice. Choose another name.");
        found.error(path.attribute("name"), "Volume name is taken", detail);
    }
}

fn mounts(config: &Value, found: &mut Findings) {
    let volumes = config.get(DEPLOYMENT).get("additional_volumes");
    let mut lists: Vec<(Path, &Value)> = ["api_server", "controller_manager", "scheduler"]
        .map(|component| format!("{DEPLOYMENT}.additional_volume_mounts.{component}"))
        .iter()
        .map(|at| (Path::of(at), config.get(at)))
        .collect();
    // In containers the API tells mounts apart by it, and the table says so.
    for (at, mounts) in &lists {
        for (path, mount_path) in repeated(items(mounts, at.clone()), |mount| mount.str_at("mount_path")) {
            let detail = format!("{mount_path:?} is mounted twice in the same container. Choose another directory.");
            found.error(path.attribute("mount_path"), "Mount path is taken", detail);
        }
    }
    for list in CONTAINERS.map(|list| format!("{DEPLOYMENT}.{list}")) {
        lists.extend(
            elements(config, &list)
                .map(|(path, container)| (path.attribute("volume_mounts"), container.get("volume_mounts"))),
        );
    }
    // A name that is not known yet may be the one.
    let names: Option<Vec<&str>> = match volumes {
        Value::Unknown => None,
        _ => volumes.as_list().unwrap_or_default().iter().map(|volume| volume.str_at("name")).collect(),
    };
    for (at, mounts) in lists {
        let all = || items(mounts, at.clone());
        for (path, mount) in all() {
            let wrong = |mount_path: &&str| !mount_path.starts_with('/') || mount_path.contains(':');
            if let Some(mount_path) = mount.str_at("mount_path").filter(wrong) {
                found.error(
                    path.attribute("mount_path"),
                    "Mount path is not valid",
                    format!("{mount_path:?} is not an absolute path without `:`."),
                );
            }
        }
        let Some(names) = &names else { continue };
        for (path, mount) in all() {
            let Some(name) = mount.str_at("name") else { continue };
            if !names.contains(&name) && !OWN_VOLUMES.contains(&name) {
                found.error(
                    path.attribute("name"),
                    "Volume does not exist",
                    format!("{name:?} is no volume of the pod. Add it to `{DEPLOYMENT}.additional_volumes`."),
                );
            }
        }
    }
}

/// What is requested must fit into the limit.
fn resources(resources: &Value, at: &Path, found: &mut Findings) {
    let (requests, limits) = (resources.get("requests"), resources.get("limits"));
    for (resource, request) in requests.as_object().into_iter().flatten() {
        let limit = limits.as_object().and_then(|limits| limits.get(resource)).and_then(Value::as_str);
        let (Some(request), Some(limit)) = (request.as_str(), limit) else { continue };
        if quantity::compare(request, limit) == Some(Ordering::Greater) {
            found.error(
                at.attribute("requests").key(resource.clone()),
                "Request above the limit",
                format!(
                    "{request} of {resource} are requested, but the limit is {limit}. Raise the limit or request less."
                ),
            );
        }
    }
}
