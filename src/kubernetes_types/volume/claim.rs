//! Volumes of the cluster's own storage: claims and CSI.

use tfplugin::schema::{Attribute, Validator, object, string, string_list, string_map};

use super::{fs_type, read_only, source};
use crate::kubernetes_types::resources::limits_and_requests;
use crate::kubernetes_types::selectors::{label_selector, local_reference};

pub(super) fn sources() -> Vec<Attribute> {
    let claim = vec![string("claim_name").json("claimName").required().doc("Name of the claim."), read_only()];
    // The API takes no metadata for the claim: whatever is written there is dropped.
    let template = object("volume_claim_template", vec![claim_spec()])
        .json("volumeClaimTemplate")
        .doc("The claim that is made with the pod.");
    vec![
        source("persistent_volume_claim", "persistentVolumeClaim", "A claim in the same namespace.", claim),
        source("ephemeral", "ephemeral", "A claim that is made for each pod and ends with it.", vec![template]),
        source("csi", "csi", "A volume that a CSI driver makes for the pod.", csi()),
    ]
}

fn csi() -> Vec<Attribute> {
    vec![
        string("driver").json("driver").required().doc("Name of the driver."),
        string_map("volume_attributes").json("volumeAttributes").doc("Settings of the driver."),
        local_reference("node_publish_secret_ref")
            .json("nodePublishSecretRef")
            .doc("Secret with what the driver needs on the node."),
        fs_type(),
        read_only(),
    ]
}

fn claim_spec() -> Attribute {
    const ACCESS_MODES: &[&str] = &["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"];
    let members = vec![
        string_list("access_modes")
            .json("accessModes")
            .rule(Validator::each(Validator::one_of(ACCESS_MODES)))
            .doc("How it can be mounted."),
        string("storage_class_name").json("storageClassName").doc("Storage class; the cluster's default if left out."),
        object("resources", limits_and_requests())
            .json("resources")
            .doc("Size: `{ requests = { storage = \"1Gi\" } }`."),
        string("volume_mode")
            .json("volumeMode")
            .rule(Validator::one_of(&["Filesystem", "Block"]))
            .doc("`Filesystem` if left out."),
        label_selector("selector").json("selector").doc("Labels of the volumes that come into question."),
        string("volume_name").json("volumeName").doc("The one volume that comes into question."),
        string("volume_attributes_class_name").json("volumeAttributesClassName").doc("Volume attributes class."),
        object("data_source", data_source())
            .json("dataSource")
            .whole()
            .doc("Claim or VolumeSnapshot whose content it starts with."),
        object("data_source_ref", data_source_reference())
            .json("dataSourceRef")
            .doc("Object of any kind whose content it starts with."),
    ];
    object("spec", members).json("spec").required().doc("What is claimed.")
}

fn data_source() -> Vec<Attribute> {
    vec![
        string("kind").json("kind").required().doc("Kind."),
        string("name").json("name").required().doc("Name."),
        string("api_group").json("apiGroup").doc("API group; the core group if left out."),
    ]
}

fn data_source_reference() -> Vec<Attribute> {
    let mut all = data_source();
    all.push(string("namespace").json("namespace").doc("Namespace, if it is another one; the cluster must allow it."));
    all
}
