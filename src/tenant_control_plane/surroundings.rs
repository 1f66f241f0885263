//! What a control plane meets in the management cluster: its datastore, its node ports, the other tenants. Kamaji looks
//! at none of it at admission; the control plane would be accepted and never work.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use ipnet::IpNet;
use kube::api::DynamicObject;
use serde_json::{Value as Json, json};
use tfplugin::schema::Problem;
use tfplugin::{Diagnostic, Diagnostics, Path, Value};
use tokio::sync::OnceCell;

use super::validate::exposure::own_ports;
use super::validate::networks::{pod_networks, service_networks};
use crate::kamaji::datastore::{check_migration, check_shared, check_tenant_user, refusal};
use crate::kamaji::network::{overlap, parse_cidr};
use crate::kamaji::tenant_control_plane::View;
use crate::managed_object::Scene;
use crate::management_cluster::{ApiError, Kind, ObjectRef, Operation, json_of};

/// What the plans of one run know about each other.
#[derive(Default)]
pub(super) struct Run {
    /// Networks and names of the tenants of the cluster, listed once.
    neighbours: OnceCell<Vec<Neighbour>>,
    /// Node ports that plans of this run ask for, and for whom.
    node_ports: Mutex<BTreeMap<i64, ObjectRef>>,
}

/// Looks round for a control plane that is to be made (`prior` is null) or changed. Without the right to look, the apply
/// will show.
pub(super) async fn check(run: &Run, scene: &Scene, overlaps: bool, prior: &Value, planned: &Value) -> Diagnostics {
    let (stores, ports, neighbours) = tokio::join!(
        data_stores(scene, prior, planned),
        node_ports(run, scene, prior, planned),
        neighbours(run, scene, overlaps, prior, planned),
    );
    let mut found = stores;
    found.extend(ports);
    found.extend(neighbours);
    found
}

fn error(at: Path, problem: Problem) -> Diagnostic {
    Diagnostic::error(problem.summary, problem.detail).at(at)
}

fn differs(prior: &Value, planned: &Value, attribute: &str) -> bool {
    prior.is_null() || prior.get(attribute) != planned.get(attribute)
}

async fn data_store(scene: &Scene, name: &str) -> Option<Json> {
    let store = scene.cluster.get(&scene.operation, &ObjectRef::cluster(Kind::DataStore, name)).await;
    // One that is not there yet, or may not be seen, shows in the dry-run or at apply.
    store.ok().flatten().as_ref().map(json_of)
}

fn driver(store: &Json) -> &str {
    store["spec"]["driver"].as_str().unwrap_or_default()
}

async fn data_stores(scene: &Scene, prior: &Value, planned: &Value) -> Diagnostics {
    let mut found = Diagnostics::new();
    let at = Path::of("data_store");
    let in_use = prior.get("effective").str_at("data_store");
    let wanted =
        planned.str_at("data_store").filter(|name| differs(prior, planned, "data_store") && in_use != Some(*name));
    if let Some(name) = wanted
        && let Some(store) = data_store(scene, name).await
    {
        found.extend(check_shared(&store, &scene.object.id()).err().map(|problem| error(at.clone(), problem)));
        if let Some(now) = in_use
            && let Some(now) = data_store(scene, now).await
        {
            match check_migration(driver(&now), driver(&store)) {
                Ok(()) => found.push(frozen(in_use.unwrap_or_default(), name).at(at.clone())),
                Err(problem) => found.push(error(at.clone(), problem)),
            }
        }
        if let Some(why) = refusal(&store) {
            let detail = format!(
                "Kamaji does not accept the DataStore {name}: {why}. Until it does, the control plane does not come up."
            );
            found.push(Diagnostic::warning("Datastore is not ready", detail).at(at));
        }
        if prior.is_null() && !planned.get("data_store_username").is_unknown() {
            let user = planned.str_at("data_store_username");
            let problem = check_tenant_user(driver(&store), user).err();
            found.extend(problem.map(|problem| {
                Diagnostic::warning(problem.summary, problem.detail).at(Path::of("data_store_username"))
            }));
        }
    }
    if differs(prior, planned, "data_store_overrides") {
        let overrides = planned.get("data_store_overrides").as_list().unwrap_or_default();
        for (index, each) in overrides.iter().enumerate() {
            let Some(name) = each.str_at("data_store") else { continue };
            let Some(store) = data_store(scene, name).await else { continue };
            if driver(&store) != "etcd" {
                found.push(error(
                    Path::of("data_store_overrides").index(index).attribute("data_store"),
                    Problem::new(
                        "Override needs an etcd datastore",
                        format!(
                            "{name} has the driver {}, but resources of their own can only be in etcd. Name a DataStore of \
                             that driver.",
                            driver(&store)
                        ),
                    ),
                ));
            }
        }
    }
    found
}

/// What a migration costs.
fn frozen(from: &str, to: &str) -> Diagnostic {
    Diagnostic::warning(
        "Tenant takes no writes while its data move",
        format!(
            "The data move from DataStore {from} to {to}. Until that is done, which takes seconds to minutes, every write in the \
             tenant is denied outside of kube-system; reads go on. The data in {from} stay there. To go back while it lasts, set \
             `data_store` to {from:?} again."
        ),
    )
}

/// Node ports that the control plane asks for newly, with their attributes.
fn new_node_ports(prior: &Value, planned: &Value) -> Vec<(i64, &'static str)> {
    let asks = |value: &Value| -> Vec<(i64, &'static str)> {
        let node_port = value.str_at("control_plane.service.service_type") == Some("NodePort");
        own_ports(value).into_iter().flatten().filter(|_| node_port).collect()
    };
    let before = asks(prior);
    asks(planned).into_iter().filter(|(port, _)| before.iter().all(|(had, _)| had != port)).collect()
}

/// The API server says whether a node port is free when a Service that wants it is sent as a dry-run: it counts all
/// Services. Its range it looks at only when the Service is really made.
async fn node_ports(run: &Run, scene: &Scene, prior: &Value, planned: &Value) -> Diagnostics {
    let wanted = new_node_ports(prior, planned);
    let mut found = Diagnostics::new();
    let Some(namespace) = scene.object.namespace.as_deref().filter(|_| !wanted.is_empty()) else { return found };
    {
        let mut planned = run.node_ports.lock().unwrap_or_else(PoisonError::into_inner);
        for (port, attribute) in &wanted {
            let owner = planned.entry(*port).or_insert_with(|| scene.object.clone());
            if *owner != scene.object {
                found.push(not_available(*port, attribute, &format!("{owner} asks for it in the same plan")));
            }
        }
    }
    if found.has_errors() {
        return found;
    }
    let port = |(index, (port, _)): (usize, &(i64, &str))| json!({"name": format!("port-{index}"), "port": port, "nodePort": port, "protocol": "TCP"});
    let ports: Vec<Json> = wanted.iter().enumerate().map(port).collect();
    let service =
        json!({"metadata": {"generateName": "node-port-check-"}, "spec": {"type": "NodePort", "ports": ports}});
    let answer = scene.cluster.would_create(&scene.operation, Kind::Service, namespace, &service).await;
    let Err(ApiError::Invalid(fields)) = answer else { return found };
    for (index, (port, attribute)) in wanted.iter().enumerate() {
        let field = format!("spec.ports[{index}].nodePort");
        if let Some(refused) = fields.iter().find(|refused| refused.field == field) {
            found.push(not_available(*port, attribute, &refused.message));
        }
    }
    found
}

fn not_available(port: i64, attribute: &str, why: &str) -> Diagnostic {
    error(
        Path::of(attribute),
        Problem::new(
            "Node port not available",
            format!(
                "{port} cannot be the node port of this control plane: {why}. Its Service would never be made. Choose \
                 another port; `kubectl get services -A` shows those in use."
            ),
        ),
    )
}

/// What other tenants could clash with.
#[derive(Clone, Debug, PartialEq)]
struct Neighbour {
    id: String,
    services: Vec<IpNet>,
    pods: Vec<IpNet>,
    /// Address and port under which nodes reach it, where the specification says so.
    address: Option<(String, i64)>,
    hostnames: Vec<String>,
}

impl Neighbour {
    fn of(object: &DynamicObject) -> Self {
        let live = json_of(object);
        let view = View::new(&live);
        let networks = |list: &str, scalar: &str| -> Vec<IpNet> {
            let many = view.texts(&format!("/spec/networkProfile/{list}"));
            let one = view.text(&format!("/spec/networkProfile/{scalar}"));
            let texts = if many.is_empty() { one.into_iter().collect() } else { many };
            texts.into_iter().filter_map(|text| parse_cidr(text).ok()).collect()
        };
        let port = view.at("/spec/networkProfile/port").and_then(Json::as_i64);
        let hostname = |route: &str| view.text(&format!("/spec/controlPlane/{route}/hostname")).map(str::to_owned);
        Self {
            id: format!("{}/{}", view.namespace(), view.name()),
            services: networks("serviceCidrs", "serviceCidr"),
            pods: networks("podCidrs", "podCidr"),
            address: view.address().map(str::to_owned).zip(port),
            hostnames: ["ingress", "gateway"].into_iter().filter_map(hostname).collect(),
        }
    }
}

/// The attributes that can clash.
const CLASHING: [&str; 4] =
    ["network_profile", "control_plane.ingress", "control_plane.gateway", "control_plane.service.service_type"];

/// Compares with all other tenants, which costs a list of them; so only if it is asked for.
async fn neighbours(run: &Run, scene: &Scene, overlaps: bool, prior: &Value, planned: &Value) -> Diagnostics {
    let mut found = Diagnostics::new();
    if !overlaps || !CLASHING.iter().any(|attribute| differs(prior, planned, attribute)) {
        return found;
    }
    let list = || list(scene, &scene.operation);
    let Ok(all) = run.neighbours.get_or_try_init(list).await else {
        tracing::info!("the other control planes cannot be listed; overlaps are not looked for");
        return found;
    };
    let id = scene.object.id();
    for other in all.iter().filter(|other| other.id != id) {
        clashes(planned, other, &mut found);
    }
    found
}

async fn list(scene: &Scene, operation: &Operation) -> Result<Vec<Neighbour>, ApiError> {
    scene.cluster.list_kept(operation, Kind::TenantControlPlane, None, "", |object| Neighbour::of(&object)).await
}

fn clashes(planned: &Value, other: &Neighbour, found: &mut Diagnostics) {
    let networks = [("service", service_networks(planned)), ("pod", pod_networks(planned))];
    for (what, ours) in networks {
        let taken =
            |ours: &IpNet| other.services.iter().chain(&other.pods).find(|theirs| overlap(ours, theirs)).copied();
        let clash = ours.into_iter().flatten().find_map(|network| Some((network, taken(&network)?)));
        if let Some((network, theirs)) = clash {
            let names = [format!("network_profile.{what}_cidrs"), format!("network_profile.{what}_cidr")];
            let at = names.iter().find(|name| planned.get(name).is_set()).unwrap_or(&names[0]);
            found.push(error(
                Path::of(at),
                Problem::new(
                    "Network overlaps with another tenant",
                    format!(
                        "The {what} network {network} overlaps with {theirs} of the tenant {}. Choose another network, or \
                         remove `check_overlaps` from the provider block if the tenants are never routed to each other.",
                        other.id
                    ),
                ),
            ));
        }
    }
    let address = planned.str_at("network_profile.address");
    let port = own_ports(planned)[0].map(|(port, _)| port);
    if let (Some(address), Some(port)) = (address, port)
        && other.address.as_ref().is_some_and(|(theirs, at)| theirs == address && *at == port)
    {
        let detail = format!(
            "The tenant {} has the address {address} and the port {port} already. Choose another one of them.",
            other.id
        );
        found.push(error(Path::of("network_profile.address"), Problem::new("Address of another tenant", detail)));
    }
    for route in ["control_plane.ingress.hostname", "control_plane.gateway.hostname"] {
        if let Some(name) = planned.str_at(route).filter(|name| other.hostnames.iter().any(|theirs| theirs == name)) {
            let detail = format!("The tenant {} is reached under {name:?} already. Choose another name.", other.id);
            found.push(error(Path::of(route), Problem::new("Host name of another tenant", detail)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Method;

    use super::*;
    use crate::management_cluster::scripted::{Scripted, Step, failure, list_of, not_found, on, tenant};
    use crate::tenant_control_plane::schema::SCHEMA;

    const STORES: &str = "/apis/kamaji.clastix.io/v1alpha1/datastores";
    const SERVICES: &str = "/api/v1/namespaces/tenants/services";
    const TENANTS: &str = "/apis/kamaji.clastix.io/v1alpha1/tenantcontrolplanes";

    fn config(edits: &[(&str, Value)]) -> Value {
        let mut config = SCHEMA.null_object();
        config.set("control_plane.service.service_type", "LoadBalancer".into());
        for (path, value) in edits {
            config.set(path, value.clone());
        }
        config
    }

    fn node_port(port: i64) -> Value {
        config(&[
            ("control_plane.service.service_type", "NodePort".into()),
            ("network_profile.port", port.into()),
            ("network_profile.address", "192.0.2.1".into()),
        ])
    }

    fn scene(api: &Scripted, name: &str) -> Scene {
        Scene::of_tenant(api, name, Duration::from_secs(30))
    }

    /// Attribute and text of what is found, with everything that the script expects asked.
    async fn found(steps: Vec<Step>, overlaps: bool, prior: &Value, planned: &Value) -> Vec<(String, String)> {
        let api = Scripted::new(steps);
        let found = check(&Run::default(), &scene(&api, "blue"), overlaps, prior, planned).await;
        api.finish();
        found.iter().map(|found| (found.path.to_string(), found.detail.clone())).collect()
    }

    fn store(name: &str, driver: &str, status: &Json) -> Step {
        let object = json!({"apiVersion": "kamaji.clastix.io/v1alpha1", "kind": "DataStore", "metadata": {"name": name},
            "spec": {"driver": driver}, "status": status});
        on(Method::GET, &format!("{STORES}/{name}")).answers(200, &object)
    }

    #[rstest::rstest]
    #[case::nothing_to_look_at(&[], vec![], &[])]
    #[case::fine(&[("data_store", "d".into())], vec![store("d", "etcd", &json!({"ready": true}))], &[])]
    #[case::not_there(
        &[("data_store", "d".into())],
        vec![on(Method::GET, &format!("{STORES}/d")).answers(404, &not_found("datastores", "d"))],
        &[]
    )]
    #[case::not_ready(
        &[("data_store", "d".into())],
        vec![store("d", "etcd", &json!({"ready": false}))],
        &["data_store"]
    )]
    #[case::nats_in_use(
        &[("data_store", "d".into())],
        vec![store("d", "NATS", &json!({"usedBy": ["tenants/red"]}))],
        &["data_store"]
    )]
    #[case::mysql_user(
        &[("data_store", "d".into())],
        vec![store("d", "MySQL", &json!({}))],
        &["data_store_username"]
    )]
    #[case::overrides(
        &[("data_store_overrides", Value::List(vec![Value::object([
            ("resource", Value::from("/events")), ("data_store", Value::from("d")),
        ])]))],
        vec![store("d", "PostgreSQL", &json!({}))],
        &["data_store_overrides[0].data_store"]
    )]
    #[tokio::test]
    async fn the_datastore_of_a_new_tenant_is_looked_at(
        #[case] edits: &[(&str, Value)],
        #[case] steps: Vec<Step>,
        #[case] paths: &[&str],
    ) {
        let found = found(steps, false, &Value::Null, &config(edits)).await;
        assert_eq!(found.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), paths, "{found:#?}");
    }

    #[tokio::test]
    async fn a_migration_to_another_driver_is_refused_and_an_unchanged_datastore_not_asked() {
        let prior = config(&[("data_store", "a".into()), ("effective.data_store", "a".into())]);
        let same = config(&[("data_store", "a".into())]);
        assert_eq!(found(vec![], false, &prior, &same).await, []);
        let other = config(&[("data_store", "b".into())]);
        let steps = vec![store("b", "PostgreSQL", &json!({})), store("a", "etcd", &json!({}))];
        let found = found(steps, false, &prior, &other).await;
        let [(path, text)] = found.as_slice() else { panic!("{found:#?}") };
        assert_eq!(path, "data_store");
        assert!(text.contains("etcd") && text.contains("PostgreSQL"), "{text}");
    }

    fn invalid(message: &str) -> Json {
        let cause = json!({"reason": "FieldValueInvalid", "field": "spec.ports[0].nodePort", "message": message});
        failure(422, "Invalid", "Service is invalid", &json!({"causes": [cause]}))
    }

    #[tokio::test]
    async fn a_node_port_in_use_is_known_from_the_dry_run_of_a_service() {
        let taken = invalid("Invalid value: 30080: provided port is already allocated");
        let steps = vec![on(Method::POST, SERVICES).answers(422, &taken)];
        let answer = found(steps, false, &Value::Null, &node_port(30080)).await;
        let [(path, text)] = answer.as_slice() else { panic!("{answer:#?}") };
        assert_eq!(path, "network_profile.port");
        assert!(text.contains("already allocated"), "{text}");
        // Its own port is not free, of course.
        assert_eq!(found(vec![], false, &node_port(30080), &node_port(30080)).await, []);
        let forbidden = failure(403, "Forbidden", "services is forbidden", &json!({}));
        let steps = vec![on(Method::POST, SERVICES).answers(403, &forbidden)];
        assert_eq!(found(steps, false, &Value::Null, &node_port(30080)).await, []);
    }

    #[tokio::test]
    async fn two_tenants_of_one_plan_cannot_have_the_same_node_port() {
        let created = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}});
        let api = Scripted::new([on(Method::POST, SERVICES).answers(201, &created).always()]);
        let run = Run::default();
        let plan = node_port(30080);
        for _ in 0..2 {
            assert!(check(&run, &scene(&api, "blue"), false, &Value::Null, &plan).await.is_empty(), "core plans twice");
        }
        let found = check(&run, &scene(&api, "red"), false, &Value::Null, &plan).await;
        assert!(found.iter().any(|found| found.detail.contains("blue")), "{found:?}");
        api.finish();
    }

    #[tokio::test]
    async fn overlaps_with_other_tenants_are_found_if_they_are_asked_for() {
        let spec = json!({
            "networkProfile": {"serviceCidrs": ["10.1.0.0/16"], "podCidr": "10.2.0.0/16", "address": "192.0.2.1", "port": 6443},
            "controlPlane": {"ingress": {"hostname": "a.example.com"}},
        });
        let all = || vec![on(Method::GET, TENANTS).answers(200, &list_of("5", &[tenant("red", "4", &spec)]))];
        let planned = config(&[
            ("network_profile.pod_cidr", "10.2.128.0/20".into()),
            ("network_profile.address", "192.0.2.1".into()),
            ("control_plane.ingress.hostname", "a.example.com".into()),
        ]);
        assert_eq!(found(vec![], false, &Value::Null, &planned).await, []);
        let found_all = found(all(), true, &Value::Null, &planned).await;
        let paths: Vec<&str> = found_all.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["network_profile.pod_cidr", "network_profile.address", "control_plane.ingress.hostname"]);
        assert!(found_all.iter().all(|(_, text)| text.contains("tenants/red")), "{found_all:#?}");
        let elsewhere = config(&[("network_profile.pod_cidr", "10.3.0.0/16".into())]);
        assert_eq!(found(all(), true, &Value::Null, &elsewhere).await, []);
    }
}
