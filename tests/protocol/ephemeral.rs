//! Ephemeral resources: opened, renewed and closed as core does it, with what each call gives to the next.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::{Value as Json, json};
use tfplugin::Value;
use tfplugin::proto::tfplugin6 as wire;

use crate::api_server::ApiServer;
use crate::interrupt::{PROMISED, start, stop};
use crate::objects::{Object, Schemas, errors};

const KUBECONFIG: &str = "kamaji_kubeconfig";

impl Schemas {
    pub fn ephemeral(&self, type_name: &str) -> Object<'_> {
        Object::of(&self.0.ephemeral_resource_schemas[type_name])
    }
}

/// Answers what leads to a tenant, whose API is that of the management cluster here.
async fn reach_tenant(api: &mut ApiServer) {
    let tenant = json!({"apiVersion": "kamaji.clastix.io/v1alpha1", "kind": "TenantControlPlane",
        "metadata": {"name": "a", "namespace": "tenants", "uid": "uid-a", "resourceVersion": "1"},
        "spec": {"controlPlane": {"deployment": {"replicas": 1}}},
        "status": {"kubeconfig": {"admin": {"secretName": "a-admin-kubeconfig"}},
            "kubernetesResources": {"version": {"status": "Ready"}}}});
    let asked = api.next().await;
    assert!(asked.path.ends_with("/tenantcontrolplanes/a"), "{}", asked.path);
    asked.answer(200, &tenant);
    let kubeconfig = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{{name: c, cluster: {{server: '{}', \
         certificate-authority-data: {}}}}}]\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\nusers: [{{name: u, \
         user: {{token: admin}}}}]\n",
        api.url,
        STANDARD.encode(include_str!("../../src/kamaji/certificate/ec-ca.pem"))
    );
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": "a-admin-kubeconfig", "namespace": "tenants"},
        "data": {"super-admin.conf": STANDARD.encode(kubeconfig)}});
    let asked = api.next().await;
    assert!(asked.path.ends_with("/secrets/a-admin-kubeconfig"), "{}", asked.path);
    asked.answer(200, &secret);
    let asked = api.next().await;
    assert_eq!(asked.path, "/readyz");
    asked.answer(200, &json!("ok"));
}

/// Answers a request that has to be the next one, and returns what was sent.
async fn answer(api: &mut ApiServer, method: &Method, end: &str, uid: &str) -> Json {
    let asked = api.next().await;
    assert!(asked.method == *method && asked.path.ends_with(end), "{} {} instead of {end}", asked.method, asked.path);
    let body = asked.body.clone();
    asked.answer(if *method == Method::POST { 201 } else { 200 }, &json!({"metadata": {"name": "x", "uid": uid}}));
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minted_credential_is_opened_renewed_and_closed() {
    let mut api = ApiServer::start().await;
    let (_plugin, mut connection, schemas) = start(&api).await;
    let object = schemas.ephemeral(KUBECONFIG);
    let mut config = object.with(&[("tenant_control_plane_id", "tenants/a".into())]);
    config.set("minted", Value::object([("ttl", Value::from("2m")), ("cluster_role", "view".into())]));
    let mut provider = connection.provider.clone();
    let request = wire::open_ephemeral_resource::Request {
        type_name: KUBECONFIG.to_owned(),
        config: Some(object.write(&config)),
        ..Default::default()
    };
    let opening = tokio::spawn(async move { provider.open_ephemeral_resource(request).await.unwrap().into_inner() });
    reach_tenant(&mut api).await;
    answer(&mut api, &Method::GET, "/clusterroles/view", "r").await;
    answer(&mut api, &Method::POST, "/namespaces/kube-system/secrets", "uid-lease").await;
    answer(&mut api, &Method::POST, "/namespaces/kube-system/serviceaccounts", "uid-account").await;
    answer(&mut api, &Method::POST, "/clusterrolebindings", "uid-binding").await;
    let asked = api.next().await;
    assert!(asked.path.ends_with("/token"), "{}", asked.path);
    asked.answer(201, &json!({"kind": "TokenRequest", "status": {"token": "planted-token"}}));
    let asked = api.next().await;
    asked.answer(200, &json!({"kind": "List", "metadata": {}, "items": []}));

    let opened = opening.await.unwrap();
    assert_eq!(errors(&opened.diagnostics), [""; 0]);
    let result = object.read(opened.result.as_ref());
    assert!(result.is_wholly_known());
    for attribute in object.block.attributes.iter().filter(|attribute| !attribute.computed) {
        assert_eq!(result.get(&attribute.name), config.get(&attribute.name), "core compares them");
    }
    assert_eq!((result.str_at("token"), result.str_at("host")), (Some("planted-token"), Some(api.url.as_str())));
    let private = opened.private.expect("what a close needs");
    assert!(!String::from_utf8_lossy(&private).contains("planted"));
    let renew_at = opened.renew_at.expect("a time");

    let mut provider = connection.provider.clone();
    let request =
        wire::renew_ephemeral_resource::Request { type_name: KUBECONFIG.to_owned(), private: Some(private.clone()) };
    let renewing = tokio::spawn(async move { provider.renew_ephemeral_resource(request).await.unwrap().into_inner() });
    reach_tenant(&mut api).await;
    let patch = answer(&mut api, &Method::PATCH, "", "uid-lease").await;
    assert_eq!(patch["metadata"]["uid"], "uid-lease");
    let renewed = renewing.await.unwrap();
    assert_eq!(errors(&renewed.diagnostics), [""; 0]);
    assert!(renewed.renew_at.expect("a time").seconds >= renew_at.seconds);
    // Terraform closes with what open gave, OpenTofu with what the last renewal gave.
    assert_eq!(renewed.private.as_ref(), Some(&private));

    let request = wire::close_ephemeral_resource::Request { type_name: KUBECONFIG.to_owned(), private: Some(private) };
    let closing =
        tokio::spawn(async move { connection.provider.close_ephemeral_resource(request).await.unwrap().into_inner() });
    reach_tenant(&mut api).await;
    for uid in ["uid-binding", "uid-lease", "uid-account"] {
        let body = answer(&mut api, &Method::DELETE, "", uid).await;
        assert_eq!(body["preconditions"]["uid"], uid);
    }
    assert_eq!(errors(&closing.await.unwrap().diagnostics), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_ends_the_wait_for_a_tenant() {
    let mut api = ApiServer::start().await;
    let (_plugin, mut connection, schemas) = start(&api).await;
    for (type_name, more) in [(KUBECONFIG, Some("minted")), (KUBECONFIG, None), ("kamaji_worker_join", None)] {
        let object = schemas.ephemeral(type_name);
        let mut config = object.with(&[("tenant_control_plane_id", "tenants/a".into())]);
        if let Some(more) = more {
            config.set(more, Value::object([("ttl", Value::Null), ("cluster_role", Value::Null)]));
        }
        let mut provider = connection.provider.clone();
        let request = wire::open_ephemeral_resource::Request {
            type_name: type_name.to_owned(),
            config: Some(object.write(&config)),
            ..Default::default()
        };
        let opening =
            tokio::spawn(async move { provider.open_ephemeral_resource(request).await.unwrap().into_inner() });
        let _unanswered = api.next().await;
        stop(&mut connection).await;
        let opened = tokio::time::timeout(PROMISED, opening).await.expect("an end").unwrap();
        assert_eq!(errors(&opened.diagnostics).len(), 1, "{type_name}");
        assert!(opened.private.is_none_or(|private| private.is_empty()));
    }
}
