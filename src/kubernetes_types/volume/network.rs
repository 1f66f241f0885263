//! Volumes of storage systems that Kubernetes knows by name. Most of them are history: CSI drivers have taken over.

use tfplugin::schema::{Attribute, Validator, boolean, number, string, string_list, string_map};

use super::{fs_type, read_only, source};
use crate::kubernetes_types::selectors::local_reference;

pub(super) fn sources() -> Vec<Attribute> {
    let mut all = network_file_systems();
    all.extend(block_storage());
    all.extend(clouds());
    all.extend(gone());
    all
}

fn secret_ref() -> Attribute {
    local_reference("secret_ref").json("secretRef").doc("Secret with what the storage asks for.")
}

fn volume_id() -> Attribute {
    string("volume_id").json("volumeID").required().doc("Id of the volume.")
}

fn partition() -> Attribute {
    number("partition")
        .json("partition")
        .rule(Validator::at_least(0))
        .doc("Number of the partition; the whole disk if left out.")
}

fn monitors() -> Attribute {
    string_list("monitors").json("monitors").required().doc("Ceph monitors.")
}

fn network_file_systems() -> Vec<Attribute> {
    vec![
        source(
            "nfs",
            "nfs",
            "An NFS export.",
            vec![
                string("server").json("server").required().doc("Host name or IP address."),
                string("path").json("path").required().doc("Exported path."),
                read_only(),
            ],
        ),
        source(
            "cephfs",
            "cephfs",
            "CephFS. Gone from Kubernetes 1.31 on.",
            vec![
                monitors(),
                string("path").json("path").doc("Path; `/` if left out."),
                string("user").json("user").doc("User; `admin` if left out."),
                string("secret_file").json("secretFile").doc("Key file; `/etc/ceph/user.secret` if left out."),
                secret_ref(),
                read_only(),
            ],
        ),
        source(
            "glusterfs",
            "glusterfs",
            "GlusterFS. Gone from Kubernetes 1.26 on.",
            vec![
                string("endpoints").json("endpoints").required().doc("Endpoints with the servers."),
                string("path").json("path").required().doc("Name of the volume."),
                read_only(),
            ],
        ),
        source(
            "azure_file",
            "azureFile",
            "An Azure file share.",
            vec![
                string("secret_name").json("secretName").required().doc("Secret with the account."),
                string("share_name").json("shareName").required().doc("Name of the share."),
                read_only(),
            ],
        ),
        source(
            "quobyte",
            "quobyte",
            "Quobyte. Gone from Kubernetes 1.25 on.",
            vec![
                string("registry").json("registry").required().doc("Registries, `host:port`, with commas between."),
                string("volume").json("volume").required().doc("Name of the volume."),
                string("user").json("user").doc("User."),
                string("group").json("group").doc("Group."),
                string("tenant").json("tenant").doc("Tenant of the volume."),
                read_only(),
            ],
        ),
    ]
}

fn block_storage() -> Vec<Attribute> {
    vec![
        source("iscsi", "iscsi", "An iSCSI disk.", iscsi()),
        source(
            "fc",
            "fc",
            "A Fibre Channel disk.",
            vec![
                string_list("target_wwns").json("targetWWNs").doc("World wide names of the targets, with `lun`."),
                string_list("wwids").json("wwids").doc("World wide identifiers, instead."),
                number("lun").json("lun").rule(Validator::at_least(0)).doc("Number of the unit."),
                fs_type(),
                read_only(),
            ],
        ),
        source(
            "rbd",
            "rbd",
            "A Ceph block device. Gone from Kubernetes 1.31 on.",
            vec![
                monitors(),
                string("image").json("image").required().doc("Name of the image."),
                string("pool").json("pool").server_default_since("edge-24.9.1", "\"rbd\"").doc("Pool."),
                string("user").json("user").server_default_since("edge-24.9.1", "\"admin\"").doc("User."),
                string("keyring")
                    .json("keyring")
                    .server_default_since("edge-24.9.1", "\"/etc/ceph/keyring\"")
                    .doc("File with the key."),
                secret_ref(),
                fs_type(),
                read_only(),
            ],
        ),
        source("scale_io", "scaleIO", "ScaleIO. Gone from Kubernetes 1.22 on.", scale_io()),
        source(
            "storageos",
            "storageos",
            "StorageOS. Gone from Kubernetes 1.25 on.",
            vec![
                string("volume_name").json("volumeName").doc("Name of the volume."),
                string("volume_namespace").json("volumeNamespace").doc("Namespace of the volume."),
                secret_ref(),
                fs_type(),
                read_only(),
            ],
        ),
    ]
}

fn iscsi() -> Vec<Attribute> {
    vec![
        string("target_portal").json("targetPortal").required().doc("Portal, `host:port`."),
        string("iqn").json("iqn").required().doc("Qualified name of the target."),
        number("lun").json("lun").required().rule(Validator::at_least(0)).doc("Number of the unit."),
        string_list("portals").json("portals").doc("More portals."),
        string("initiator_name").json("initiatorName").doc("Name of the initiator."),
        string("iscsi_interface")
            .json("iscsiInterface")
            .server_default_since("edge-24.9.1", "\"default\"")
            .doc("Interface with the transport."),
        boolean("chap_auth_discovery").json("chapAuthDiscovery").doc("Whether discovery uses CHAP."),
        boolean("chap_auth_session").json("chapAuthSession").doc("Whether the session uses CHAP."),
        secret_ref(),
        fs_type(),
        read_only(),
    ]
}

fn scale_io() -> Vec<Attribute> {
    vec![
        string("gateway").json("gateway").required().doc("Address of the gateway."),
        string("system").json("system").required().doc("Name of the system."),
        secret_ref().required(),
        string("protection_domain").json("protectionDomain").doc("Protection domain."),
        string("storage_pool").json("storagePool").doc("Storage pool."),
        string("storage_mode")
            .json("storageMode")
            .server_default_since("edge-24.9.1", "\"ThinProvisioned\"")
            .doc("Kind of storage."),
        string("volume_name").json("volumeName").doc("Name of the volume."),
        boolean("ssl_enabled").json("sslEnabled").doc("Whether the gateway is asked by TLS."),
        fs_type().server_default_since("edge-24.9.1", "\"xfs\""),
        read_only(),
    ]
}

fn clouds() -> Vec<Attribute> {
    let disk_id = |name, key| string(name).json(key).required().doc("Id of the disk.");
    vec![
        source(
            "aws_elastic_block_store",
            "awsElasticBlockStore",
            "An AWS disk.",
            vec![volume_id(), partition(), fs_type(), read_only()],
        ),
        source(
            "azure_disk",
            "azureDisk",
            "An Azure disk.",
            vec![
                string("disk_name").json("diskName").required().doc("Name of the disk."),
                string("disk_uri").json("diskURI").required().doc("URI of the disk."),
                string("kind")
                    .json("kind")
                    .rule(Validator::one_of(&["Shared", "Dedicated", "Managed"]))
                    .doc("`Shared` if left out."),
                string("caching_mode")
                    .json("cachingMode")
                    .rule(Validator::one_of(&["None", "ReadOnly", "ReadWrite"]))
                    .doc("How the node caches."),
                fs_type().server_default_since("edge-24.9.1", "\"ext4\""),
                read_only().server_default_since("edge-24.9.1", "false"),
            ],
        ),
        source("cinder", "cinder", "An OpenStack disk.", vec![volume_id(), secret_ref(), fs_type(), read_only()]),
        source(
            "gce_persistent_disk",
            "gcePersistentDisk",
            "A Google Cloud disk.",
            vec![
                string("pd_name").json("pdName").required().doc("Name of the disk."),
                partition(),
                fs_type(),
                read_only(),
            ],
        ),
        source(
            "photon_persistent_disk",
            "photonPersistentDisk",
            "A Photon disk. Gone from Kubernetes 1.22 on.",
            vec![disk_id("pd_id", "pdID"), fs_type()],
        ),
        source("portworx_volume", "portworxVolume", "A Portworx volume.", vec![volume_id(), fs_type(), read_only()]),
        source(
            "vsphere_volume",
            "vsphereVolume",
            "A vSphere disk.",
            vec![
                string("volume_path").json("volumePath").required().doc("Path of the disk."),
                string("storage_policy_name").json("storagePolicyName").doc("Name of the storage policy."),
                string("storage_policy_id").json("storagePolicyID").doc("Id of the storage policy."),
                fs_type(),
            ],
        ),
    ]
}

fn gone() -> Vec<Attribute> {
    vec![
        source(
            "flex_volume",
            "flexVolume",
            "A volume of a FlexVolume driver, which CSI has replaced.",
            vec![
                string("driver").json("driver").required().doc("Name of the driver."),
                string_map("options").json("options").doc("Settings of the driver."),
                secret_ref(),
                fs_type(),
                read_only(),
            ],
        ),
        source(
            "flocker",
            "flocker",
            "A Flocker dataset. Gone from Kubernetes 1.25 on.",
            vec![
                string("dataset_name").json("datasetName").doc("Name of the dataset."),
                string("dataset_uuid").json("datasetUUID").doc("UUID of the dataset."),
            ],
        ),
        source(
            "git_repo",
            "gitRepo",
            "The content of a git repository. Kubernetes refuses it from 1.33 on; use an init container.",
            vec![
                string("repository").json("repository").required().doc("URL."),
                string("revision").json("revision").doc("Commit."),
                string("directory").json("directory").doc("Directory in the volume; without `..`."),
            ],
        ),
    ]
}
