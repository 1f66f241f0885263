//! Several sources in one directory.

use tfplugin::schema::{Attribute, Validator, boolean, list_of, number, object, string, string_map};

use super::local::downward_api_items;
use crate::kubernetes_types::chosen;
use crate::kubernetes_types::selectors::{file_mode, items, label_selector, object_name, optional};

pub(super) fn source() -> Attribute {
    let object_keys = || vec![object_name(), items(), optional()];
    let part = |name, members| chosen(object(name, members));
    let sources = vec![
        part("config_map", object_keys()).json("configMap").whole().doc("A ConfigMap."),
        part("secret", object_keys()).json("secret").whole().doc("A Secret."),
        part("downward_api", vec![downward_api_items()]).json("downwardAPI").doc("What is known of the pod."),
        part("service_account_token", token()).json("serviceAccountToken").doc("A token of the ServiceAccount."),
        part("cluster_trust_bundle", trust_bundle()).json("clusterTrustBundle").doc("CA certificates of the cluster."),
        part("pod_certificate", pod_certificate())
            .json("podCertificate")
            .since("edge-25.9.2")
            .doc("A certificate that is issued to the pod."),
    ];
    let members = vec![
        list_of("sources", sources).json("sources").doc("Sources, each with one of its attributes."),
        file_mode("default_mode").json("defaultMode"),
    ];
    super::source("projected", "projected", "Several sources in one directory.", members)
}

fn token() -> Vec<Attribute> {
    vec![
        string("path").json("path").required().doc("File, relative to the mount."),
        string("audience").json("audience").doc("Audience; that of the API server if left out."),
        number("expiration_seconds")
            .json("expirationSeconds")
            .rule(Validator::at_least(600))
            .doc("Seconds of validity; 3600 if left out. It is renewed in time."),
    ]
}

fn trust_bundle() -> Vec<Attribute> {
    vec![
        string("path").json("path").required().doc("File, relative to the mount."),
        string("name").json("name").doc("Name of the ClusterTrustBundle, instead of signer and labels."),
        string("signer_name").json("signerName").doc("Signer whose bundles are taken together."),
        label_selector("label_selector").json("labelSelector").doc("Which of the signer's bundles; all for `{}`."),
        boolean("optional").json("optional").doc("Whether the pod starts without it."),
    ]
}

fn pod_certificate() -> Vec<Attribute> {
    vec![
        string("signer_name").json("signerName").required().doc("Signer."),
        string("key_type").json("keyType").required().doc("Kind of key: `ED25519`, `ECDSAP256`, `RSA3072`, …"),
        string("credential_bundle_path").json("credentialBundlePath").doc("File with key and certificates."),
        string("key_path").json("keyPath").doc("File with the key alone."),
        string("certificate_chain_path").json("certificateChainPath").doc("File with the certificates alone."),
        number("max_expiration_seconds")
            .json("maxExpirationSeconds")
            .rule(Validator::at_least(3600))
            .doc("Longest validity in seconds; 86400 if left out."),
        string_map("user_annotations")
            .json("userAnnotations")
            .since("edge-25.12.4")
            .doc("Further information for the signer."),
    ]
}
