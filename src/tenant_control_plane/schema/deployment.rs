//! `control_plane.deployment`: the pods of the control plane.

use tfplugin::schema::{Attribute, Empty, Validator, boolean, number, object, string, string_list, string_map};

use super::additional_metadata;
use crate::kamaji::names;
use crate::kubernetes_types::container::{containers, volume_mounts};
use crate::kubernetes_types::probe::timing;
use crate::kubernetes_types::resources::resources;
use crate::kubernetes_types::scheduling::{affinity, tolerations, topology_spread_constraints};
use crate::kubernetes_types::security::{pod_security_context, security_context};
use crate::kubernetes_types::values::number_or_percentage;
use crate::kubernetes_types::volume::volumes;

/// The Kubernetes components in each pod: name, key of the API, word for a description.
const COMPONENTS: [(&str, &str, &str); 3] = [
    ("api_server", "apiServer", "kube-apiserver."),
    ("controller_manager", "controllerManager", "kube-controller-manager."),
    ("scheduler", "scheduler", "kube-scheduler."),
];

/// The translator between the API server and a datastore that is no etcd, in the same form.
const KINE: (&str, &str, &str) = ("kine", "kine", "kine, which is there with PostgreSQL, MySQL and NATS.");

/// An attribute for each of some components.
fn each(
    components: impl IntoIterator<Item = (&'static str, &'static str, &'static str)>,
    of: impl Fn(&'static str) -> Attribute,
) -> Vec<Attribute> {
    components.into_iter().map(|(name, key, doc)| of(name).json(key).doc(doc)).collect()
}

pub(super) fn attribute() -> Attribute {
    let mut all = vec![replicas(), strategy()];
    all.extend(containers_and_volumes());
    all.extend(settings_of_components());
    all.extend(placement());
    all.extend(identity());
    object("deployment", all).json("deployment").empty(Empty::Always).doc(
        "The pods of the control plane. A change of most attributes restarts them, one after the other as `strategy` \
         says.",
    )
}

fn replicas() -> Attribute {
    number("replicas").json("replicas").server_default("2").rule(Validator::at_least(0)).doc(
        "Number of control plane pods. Leave it out to let an autoscaler or Kamaji decide. `0` puts the tenant to sleep; \
         its data stays. With konnectivity a change restarts the pods.",
    )
}

fn strategy() -> Attribute {
    let rolling = vec![
        number_or_percentage("max_surge").json("maxSurge").doc("Pods beyond `replicas` meanwhile: `1` or `\"100%\"`."),
        number_or_percentage("max_unavailable")
            .json("maxUnavailable")
            .doc("Pods that may be missing meanwhile: `0` or `\"25%\"`."),
    ];
    object(
        "strategy",
        vec![
            string("type")
                .json("type")
                .rule(Validator::one_of(&["Recreate", "RollingUpdate"]))
                .doc("`RollingUpdate` (if left out): new pods beside old ones. `Recreate`: old ones end first."),
            object("rolling_update", rolling)
                .json("rollingUpdate")
                .doc("Limits of a rolling update; Kamaji takes 100 % and 0 if it is left out."),
        ],
    )
    .json("strategy")
    .server_default("{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"maxUnavailable\":0,\"maxSurge\":\"100%\"}}")
    .doc("How pods are replaced. A change restarts nothing.")
}

fn containers_and_volumes() -> Vec<Attribute> {
    vec![
        containers("additional_init_containers")
            .json("additionalInitContainers")
            .doc("Init containers, before Kamaji's own."),
        containers("additional_containers")
            .json("additionalContainers")
            .doc("Containers beside Kamaji's own. Since 26.8.2-edge one named `kine` supplies the image of kine."),
        volumes("additional_volumes")
            .json("additionalVolumes")
            .doc("Volumes for `additional_volume_mounts` and additional containers."),
        object("additional_volume_mounts", each(COMPONENTS, volume_mounts))
            .json("additionalVolumeMounts")
            .doc("Where Kamaji's own containers see `additional_volumes`."),
    ]
}

fn settings_of_components() -> Vec<Attribute> {
    vec![
        registry_settings(),
        object("resources", each(COMPONENTS.into_iter().chain([KINE]), resources))
            .json("resources")
            .doc("Resources of Kamaji's own containers. Without requests the pods are the first to be evicted."),
        object("extra_args", each(COMPONENTS.into_iter().chain([KINE]), string_list))
            .json("extraArgs")
            .empty(Empty::Cleared)
            .doc(
                "More arguments of the components, `--flag=value` each. kube-apiserver drops those that Kamaji sets \
                 itself, in silence; kube-controller-manager takes them over Kamaji's; kube-scheduler keeps Kamaji's. \
                 What is left out later is taken from the components again.",
            ),
        probes(),
        object("container_security_contexts", each(COMPONENTS, security_context))
            .json("containerSecurityContexts")
            .since("26.6.4-edge")
            .doc("Security contexts of Kamaji's own containers."),
        pod_security_context("pod_security_context")
            .json("podSecurityContext")
            .since("26.6.4-edge")
            .doc("Security context of the pods."),
    ]
}

fn registry_settings() -> Attribute {
    let image = |name, key, default, doc| string(name).json(key).server_default(default).doc(doc);
    object(
        "registry_settings",
        vec![
            string("registry").json("registry").server_default("\"registry.k8s.io\"").doc("Registry, with a path."),
            image("api_server_image", "apiServerImage", "\"kube-apiserver\"", "Image of kube-apiserver, without tag."),
            image(
                "controller_manager_image",
                "controllerManagerImage",
                "\"kube-controller-manager\"",
                "Image of kube-controller-manager, without tag.",
            ),
            image("scheduler_image", "schedulerImage", "\"kube-scheduler\"", "Image of kube-scheduler, without tag."),
            string("tag_suffix")
                .json("tagSuffix")
                .doc("Put after the tag, which is `kubernetes.version`, of the three images."),
        ],
    )
    .json("registrySettings")
    .server_default(
        "{\"registry\":\"registry.k8s.io\",\"apiServerImage\":\"kube-apiserver\",\
         \"controllerManagerImage\":\"kube-controller-manager\",\"schedulerImage\":\"kube-scheduler\"}",
    )
    .doc("Where the images of the control plane come from.")
}

fn probes() -> Attribute {
    let kinds = || {
        let probe = |name, doc| object(name, timing()).json(name).doc(doc);
        vec![
            probe("liveness", "Liveness: the container is restarted when it fails."),
            probe("readiness", "Readiness: the pod gets no traffic while it fails."),
            probe("startup", "Startup: the other probes wait for it."),
        ]
    };
    let mut all = kinds();
    all.extend(each(COMPONENTS, |name| object(name, kinds())));
    object("probes", all).json("probes").since("26.3.2-edge").doc(
        "Times and counts of the probes: of all three components, and of each one, which wins. kine and konnectivity have \
         none.",
    )
}

fn placement() -> Vec<Attribute> {
    vec![
        string_map("node_selector")
            .json("nodeSelector")
            .rule(names::labels())
            .doc("Labels that a node must have to run the pods."),
        tolerations().doc("Taints that the pods tolerate."),
        affinity().doc("Nodes and other pods that the pods want to be near to, or far from."),
        topology_spread_constraints().doc("How the pods are spread over zones and nodes."),
        string("runtime_class_name").json("runtimeClassName").doc("Runtime class of the pods."),
    ]
}

fn identity() -> Vec<Attribute> {
    vec![
        string("service_account_name")
            .json("serviceAccountName")
            .server_default("\"default\"")
            .rule(names::dns1123_subdomain())
            .doc("ServiceAccount of the pods. It must exist in the namespace."),
        boolean("automount_service_account_token")
            .json("automountServiceAccountToken")
            .since("26.7.5-edge")
            .doc("Whether the pods see the token of their ServiceAccount."),
        additional_metadata("Labels and annotations of the Deployment. A change restarts nothing."),
        object(
            "pod_additional_metadata",
            vec![
                string_map("labels").json("labels").rule(names::labels()).doc("Labels. They win over Kamaji's own."),
                string_map("annotations")
                    .json("annotations")
                    .rule(names::annotations())
                    .doc("Annotations. Kamaji's own win."),
            ],
        )
        .json("podAdditionalMetadata")
        .doc("Labels and annotations of the pods; a change restarts them. Do not set `kamaji.clastix.io/name`."),
    ]
}
