//! `kubernetes`: version, kubelets and admission of the tenant.

use tfplugin::schema::{Attribute, Empty, Merge, Validator, list_of, object, string, string_list};

use crate::kamaji::version;
use crate::kubernetes_types::values::json;
use crate::managed_object::schema::not_empty;

pub(super) fn attribute() -> Attribute {
    object(
        "kubernetes",
        vec![
            string("version")
                .json("version")
                .required()
                .rule(version::validator())
                .canonical(version::canonical_value)
                .doc(
                    "Kubernetes version of the tenant, `v1.30.2`. Upgrades go one minor at a time; the nodes are not \
                     upgraded. Downgrades of the minor are refused.",
                ),
            kubelet(),
            admission_controllers(),
        ],
    )
    .json("spec.kubernetes")
    .required()
    .doc("Version and settings of Kubernetes.")
}

fn kubelet() -> Attribute {
    object("kubelet", vec![cgroupfs(), preferred_address_types(), configuration_json_patches()])
        .json("kubelet")
        .empty(Empty::Always)
        .doc("Settings of the tenant's kubelets.")
}

fn cgroupfs() -> Attribute {
    string("cgroupfs").json("cgroupfs").rule(Validator::one_of(&["systemd", "cgroupfs"])).doc(
        "Cgroup driver of the tenant's kubelets, written to their shared configuration. Newer Kamaji: use \
         `configuration_json_patches` on `/cgroupDriver`.",
    )
}

fn preferred_address_types() -> Attribute {
    const TYPES: &[&str] = &["Hostname", "InternalIP", "ExternalIP", "InternalDNS", "ExternalDNS"];
    string_list("preferred_address_types")
        .json("preferredAddressTypes")
        .former_default("[\"Hostname\",\"InternalIP\",\"ExternalIP\"]", "edge-25.7.1")
        .server_default_since("edge-25.7.1", "[\"InternalIP\",\"ExternalIP\",\"Hostname\"]")
        // The server keeps its own order when others have added to the list.
        .merging(Merge::Set)
        .rule(Validator::each(Validator::one_of(TYPES)))
        .rule(not_empty("Kamaji's default would come back"))
        .doc(
            "Kinds of node addresses that the API server tries, in this order, when it connects to a kubelet. A change \
             restarts the control plane pods; a change of the order alone is not seen.",
        )
}

fn configuration_json_patches() -> Attribute {
    let members = vec![
        string("op")
            .json("op")
            .required()
            .rule(Validator::one_of(&["add", "remove", "replace", "move", "copy", "test"]))
            .doc("Operation of RFC 6902."),
        string("path").json("path").required().doc("JSON pointer into the KubeletConfiguration: `/maxPods`."),
        string("from").json("from").doc("JSON pointer to the source, for `move` and `copy`."),
        json("value").json("value").doc("Value, as JSON: `jsonencode(150)`."),
    ];
    list_of("configuration_json_patches", members).json("configurationJSONPatches").since("edge-26.1.3").doc(
        "Changes to the configuration that all kubelets of the tenant share (ConfigMap `kubelet-config`), in this order. \
         Nodes read it when they join. Kamaji logs a patch that does not apply, and goes on without it.",
    )
}

fn admission_controllers() -> Attribute {
    const NAMES: &[&str] = &[
        "AlwaysAdmit",
        "AlwaysDeny",
        "AlwaysPullImages",
        "CertificateApproval",
        "CertificateSigning",
        "CertificateSubjectRestriction",
        "DefaultIngressClass",
        "DefaultStorageClass",
        "DefaultTolerationSeconds",
        "DenyEscalatingExec",
        "DenyExecOnPrivileged",
        "DenyServiceExternalIPs",
        "EventRateLimit",
        "ExtendedResourceToleration",
        "ImagePolicyWebhook",
        "LimitPodHardAntiAffinityTopology",
        "LimitRanger",
        "MutatingAdmissionWebhook",
        "NamespaceAutoProvision",
        "NamespaceExists",
        "NamespaceLifecycle",
        "NodeRestriction",
        "OwnerReferencesPermissionEnforcement",
        "PersistentVolumeClaimResize",
        "PersistentVolumeLabel",
        "PodNodeSelector",
        "PodSecurity",
        "PodSecurityPolicy",
        "PodTolerationRestriction",
        "Priority",
        "ResourceQuota",
        "RuntimeClass",
        "SecurityContextDeny",
        "ServiceAccount",
        "StorageObjectInUseProtection",
        "TaintNodesByCondition",
        "ValidatingAdmissionWebhook",
    ];
    const DEFAULT: &str = "[\"CertificateApproval\",\"CertificateSigning\",\"CertificateSubjectRestriction\",\
        \"DefaultIngressClass\",\"DefaultStorageClass\",\"DefaultTolerationSeconds\",\"LimitRanger\",\
        \"MutatingAdmissionWebhook\",\"NamespaceLifecycle\",\"PersistentVolumeClaimResize\",\"Priority\",\
        \"ResourceQuota\",\"RuntimeClass\",\"ServiceAccount\",\"StorageObjectInUseProtection\",\
        \"TaintNodesByCondition\",\"ValidatingAdmissionWebhook\"]";
    string_list("admission_controllers")
        .json("admissionControllers")
        .server_default(DEFAULT)
        .rule(Validator::each(Validator::one_of(NAMES)))
        .rule(not_empty("Kamaji's default would come back"))
        .doc(
            "Admission plugins of the tenant's API server: the whole list, which takes the place of Kamaji's. A change \
             restarts the control plane pods; a plugin that the Kubernetes version does not have keeps them from starting.",
        )
}
