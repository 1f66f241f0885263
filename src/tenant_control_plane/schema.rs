//! The table of `kamaji_tenant_control_plane`: every attribute once, from which everything else is derived.
//!
//! Names and nesting are those of the TenantControlPlane CRD in snake_case, with `spec` dissolved to the top level, so
//! that Kamaji's documentation transfers by eye. Spec attributes are optional and nothing else: null means "not ours".

mod addons;
mod control_plane;
mod deployment;
mod kubernetes;
mod network_profile;

use std::sync::LazyLock;

use tfplugin::schema::{
    Attribute, RecomputedBy, Schema, Validator, boolean, list_of, number, object, string, string_list, string_map,
};

use crate::kamaji::upgrade::{self, Policy};
use crate::kamaji::{names, version};
use crate::managed_object::schema::{
    adopt_existing, deletion_protection, destroy_owned, force_conflicts, metadata, timeouts,
};
use crate::tenant_cluster::public_token;

/// The schema.
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(
        0,
        "A tenant control plane: a Kubernetes API server, controller manager and scheduler that Kamaji runs as \
                  pods in the management cluster.\n\nThe apply returns when the level of `wait_for` is reached. \
                  Attributes that are left out stay under the control of Kamaji and of whoever else manages the \
                  object; what is in force is shown in `effective`.",
        attributes(),
    )
});

fn attributes() -> Vec<Attribute> {
    let mut all = metadata(
        string("name").rule(names::dns1035_label()).doc(
            "Name of the TenantControlPlane, and of its Deployment, Service and Secrets in the management cluster: a \
             letter, then letters, digits and `-`, at most 63 characters.",
        ),
        Some(string("namespace").rule(names::dns1123_label()).doc(
            "Namespace of the management cluster in which the control plane runs. It must exist; a namespace that is \
             made in the same apply is fine.",
        )),
    );
    all.extend(spec());
    all.extend(settings());
    all.extend(observed());
    all
}

fn spec() -> Vec<Attribute> {
    vec![
        string("data_store").json("spec.dataStore").rule(names::data_store_name()).doc(
            "Name of the DataStore that holds the tenant's data. Without it Kamaji takes its own default. A change \
             migrates the data to another DataStore of the same driver; the tenant is read-only meanwhile. Once given \
             it is kept on the server even if it is left out again.",
        ),
        string("data_store_schema")
            .json("spec.dataStoreSchema")
            .since("edge-24.10.1")
            .replace(
                "the name of the database or key prefix is fixed at creation; the tenant's data stays in the old one",
            )
            .doc(
                "Name of the database, key prefix or bucket in the DataStore. Kamaji chooses a unique one by default.",
            ),
        string("data_store_username")
            .json("spec.dataStoreUsername")
            .since("edge-25.7.5")
            .replace("the user of the DataStore is fixed at creation")
            .doc(
                "User that Kamaji makes in the DataStore for this tenant. Needed with MySQL, whose user names have at \
                 most 32 characters while Kamaji's own choice has 36.",
            ),
        control_plane::attribute(),
        data_store_overrides(),
        write_permissions(),
        kubernetes::attribute(),
        network_profile::attribute(),
        addons::attribute(),
    ]
}

fn data_store_overrides() -> Attribute {
    let members = vec![
        string("resource").json("resource").doc(
            "Kubernetes resource of the tenant that is kept elsewhere, as kube-apiserver writes it: `/events`, \
             `apps/deployments`. Built-in resources only.",
        ),
        string("data_store")
            .json("dataStore")
            .rule(names::data_store_name())
            .doc("Name of the DataStore, of the driver `etcd`. It does not count as used by the tenant."),
    ];
    list_of("data_store_overrides", members).json("spec.dataStoreOverrides").since("edge-25.12.3").doc(
        "Resources that are kept in another DataStore than `data_store`. A change restarts the control plane pods, and \
         moves no data.",
    )
}

fn write_permissions() -> Attribute {
    let block = |name, key, doc| boolean(name).json(key).doc(doc);
    object(
        "write_permissions",
        vec![
            block("block_creation", "blockCreation", "Whether nothing can be created."),
            block("block_update", "blockUpdate", "Whether nothing can be changed."),
            block("block_deletion", "blockDeletion", "Whether nothing can be deleted."),
        ],
    )
    .json("spec.writePermissions")
    .since("edge-25.10.2")
    .doc("What the users of the tenant must not do, for a freeze or an expired quota. In force without a restart.")
}

/// What only the provider knows. Null is the default in code, never stored.
fn settings() -> Vec<Attribute> {
    vec![
        string("wait_for")
            .default("ready")
            .rule(Validator::one_of(&["accepted", "provisioned", "ready", "reachable"]))
            .doc(
                "What create and update wait for. `accepted`: the management API took the object. `provisioned`: the \
             endpoint and the kubeconfig Secret exist. `ready` (the default): Kamaji reports the wanted version as \
             ready and every pod passes its probes. `reachable`: the tenant's API also answers from where Terraform \
             runs; for configurations that use the tenant in the same apply.",
            ),
        deletion_protection(
            "While true (the default), plans that would delete or replace the control plane are refused. A control \
             plane that never became ready is not protected.",
        ),
        force_conflicts(),
        adopt_existing(),
        boolean("create_namespace").default("false").doc(
            "Whether a create makes the namespace if it does not exist. It is never deleted: other objects may have moved \
             in. A namespace with labels, quotas or policies of its own is better a resource of its own.",
        ),
        string("upgrade_policy").default("single").rule(Validator::one_of(Policy::WORDS)).doc(
            "What happens to a `kubernetes.version` that is more than one minor version away. `single` (the default): the \
             plan is refused. `sequential`: one apply goes through every minor version on the way, and waits until each \
             is ready, whatever `wait_for` says. If a step fails, the state has the version applied last, and the next \
             apply goes on from there.",
        ),
        string_list("upgrade_steps")
            .rule(Validator::each(version::validator()))
            .rule(upgrade::steps_validator())
            .doc(
                "Releases to take on the way of a `sequential` upgrade, one for each minor version, where the first \
                 release of a minor version (`v1.29.0`) is not what you want: it may be missing in a private registry. \
                 Those of other minor versions may stay in the list.",
            ),
        string("on_destroy").default("wait").rule(Validator::one_of(&["wait", "orphan"])).doc(
            "What a destroy does. `wait` (the default): deletes the control plane and waits until nothing of it is left. \
             `orphan`: leaves it running as it is, and only takes it out of the state; `deletion_protection` does not \
             forbid that. The fields stay owned by this provider's field manager, so that an import takes over exactly \
             what was managed. Counts as it was applied last.",
        ),
        boolean("destroy_with_nodes").default("false").doc(
            "Whether the control plane may be deleted or replaced while nodes are joined. By default that is refused, \
             as far as the tenant's API can be asked for its nodes from where Terraform runs; otherwise a warning says \
             that it is not known. Counts as it was applied last.",
        ),
        destroy_owned(),
        public_token::attribute(),
        timeouts(&[("create", "20m"), ("read", "1m"), ("update", "20m"), ("delete", "10m")]),
    ]
}

/// The attributes whose change can move the endpoint.
const ENDPOINT: RecomputedBy = RecomputedBy::Change(&[
    "control_plane.service.service_type",
    "control_plane.ingress.hostname",
    "control_plane.gateway.hostname",
    "control_plane.gateway.parent_refs",
    "network_profile.address",
    "network_profile.advertise_address",
    "network_profile.port",
]);

fn observed() -> Vec<Attribute> {
    vec![
        string("id").computed(RecomputedBy::Nothing).doc("`namespace/name`, also the import id."),
        string("uid").computed(RecomputedBy::Nothing).doc("UID of the object."),
        object(
            "endpoint",
            vec![
                string("host").computed(ENDPOINT).doc("Host name or IP address."),
                number("port").computed(ENDPOINT).doc("TCP port."),
                string("url").computed(ENDPOINT).doc("`https://host:port`."),
            ],
        )
        .computed(ENDPOINT)
        .doc("Where the tenant's API answers, as its own kubeconfig has it. Null until it is known."),
        string("cluster_ca_certificate")
            .computed(RecomputedBy::Nothing)
            .doc("Certificate of the tenant's cluster CA, PEM. Null until it is issued."),
        string("ca_cert_hash")
            .computed(RecomputedBy::Nothing)
            .doc("Pin of the cluster CA's public key in the form of kubeadm: `sha256:` and 64 hexadecimal digits."),
        string("status")
            .computed(RecomputedBy::AnyChange)
            .doc("Status as Kamaji reports it: `Provisioning`, `Ready`, `Upgrading`, `Migrating`, `NotReady`, …"),
        string("installed_version")
            .computed(RecomputedBy::Change(&["kubernetes.version"]))
            .doc("Kubernetes version that is rolled out; null until the first pods are ready."),
        object(
            "secret_names",
            vec![
                string("admin_kubeconfig")
                    .computed(RecomputedBy::Nothing)
                    .doc("Secret with the kubeconfigs `admin.conf`, `super-admin.conf` and their in-cluster forms."),
                string("ca").computed(RecomputedBy::Nothing).doc("Secret with the cluster CA and its key."),
            ],
        )
        .computed(RecomputedBy::Nothing)
        .doc("Names of the Secrets in the namespace of the control plane. Their content is never in the state."),
        effective(),
    ]
}

fn effective() -> Attribute {
    const BY: RecomputedBy = RecomputedBy::Change(&[
        "data_store",
        "control_plane.deployment.replicas",
        "network_profile.port",
        "network_profile.cluster_domain",
        "network_profile.service_cidr",
        "network_profile.service_cidrs",
        "network_profile.pod_cidr",
        "network_profile.pod_cidrs",
        "network_profile.dns_service_ips",
    ]);
    object(
        "effective",
        vec![
            string("data_store").computed(BY).doc("DataStore in use."),
            number("replicas").computed(BY).doc("Wanted number of control plane pods."),
            number("port").computed(BY).doc("Port of the API server."),
            string("cluster_domain").computed(BY).doc("DNS domain of the tenant."),
            string_list("service_cidrs").computed(BY).doc("Service networks."),
            string_list("pod_cidrs").computed(BY).doc("Pod networks."),
            string_list("dns_service_ips").computed(BY).doc("Addresses of the tenant's DNS service."),
        ],
    )
    .computed(BY)
    .doc("What is in force, whoever set it: the configuration, Kamaji's defaults, an autoscaler.")
}

/// Labels and annotations that Kamaji merges into an object it makes.
fn additional_metadata(of: &'static str) -> Attribute {
    object(
        "additional_metadata",
        vec![
            string_map("labels")
                .json("labels")
                .rule(names::labels())
                .doc("Labels to add. Keys that are removed here stay on the object."),
            string_map("annotations")
                .json("annotations")
                .rule(names::annotations())
                .doc("Annotations to add. Keys that are removed here stay on the object."),
        ],
    )
    .json("additionalMetadata")
    .doc(of)
}

#[cfg(test)]
mod tests {
    use tfplugin::Value;

    use super::*;
    use crate::managed_object::mapping::{cleared, to_api};

    #[test]
    fn core_accepts_the_schema() {
        assert_eq!(
            tfplugin::schema::check::check(tfplugin::schema::ObjectKind::Resource, &SCHEMA),
            Vec::<String>::new()
        );
    }

    /// Terraform asks for it at each start, and keeps it in memory.
    #[test]
    fn the_schema_stays_small_on_the_wire() {
        let bytes = tfplugin::schema::wire::encode_schema(&SCHEMA).len();
        assert!(bytes < 150_000, "{bytes} bytes");
    }

    /// Kamaji goes on with the old flags while `extraArgs` is absent.
    #[test]
    fn arguments_that_are_left_out_are_cleared() {
        use serde_json::{Value as Json, json};
        let applied = json!({"spec": {"controlPlane": {"deployment": {"extraArgs": {"apiServer": ["--v=2"]}}}}});
        let mut manifest = to_api(&SCHEMA.attributes, &SCHEMA.null_object());
        cleared(&SCHEMA.attributes, applied.as_object().expect("an object"), &mut manifest);
        let cleared: &Json = &manifest["spec"]["controlPlane"]["deployment"];
        assert_eq!(cleared, &json!({"extraArgs": {}}));
    }

    #[test]
    fn the_same_address_types_in_another_order_mean_the_same() {
        let attribute = SCHEMA.attribute("kubernetes.kubelet.preferred_address_types").expect("in the table");
        assert!(attribute.means_the_same(&Value::strings(["A", "B"]), &Value::strings(["B", "A"])));
    }
}
