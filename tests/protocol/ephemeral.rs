//! Ephemeral resources: opened, renewed and closed as core does it, with what each call gives to the next.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::{Value as Json, json};
use tfplugin::Value;
use tfplugin::proto::tfplugin6 as wire;
use tfplugin::proto::tfplugin6::provider_client::ProviderClient;

use crate::api_server::{ApiServer, Asked};
use crate::interrupt::{PROMISED, start, stop};
use crate::objects::{Object, Schemas, errors};
use crate::transport::Http2;

const KUBECONFIG: &str = "kamaji_kubeconfig";
const JOIN: &str = "kamaji_worker_join";

impl Schemas {
    pub fn ephemeral(&self, type_name: &str) -> Object<'_> {
        Object::of(&self.0.ephemeral_resource_schemas[type_name])
    }
}

/// A management cluster and a tenant in one API, which remember what was made in the tenant.
struct Tenant {
    api: ApiServer,
    gone: bool,
    /// The answer to a change of what was made.
    renewals: u16,
    /// What was made and not removed, by path.
    made: BTreeMap<String, Json>,
    /// The changes, as method and kind of object.
    changes: Vec<String>,
}

impl Tenant {
    async fn start() -> Self {
        let api = ApiServer::start().await;
        Tenant { api, gone: false, renewals: 200, made: BTreeMap::new(), changes: Vec::new() }
    }

    /// Answers until the call has ended.
    async fn serve<T: Send + 'static>(&mut self, call: impl Future<Output = T> + Send + 'static) -> T {
        let mut call = tokio::spawn(call);
        loop {
            tokio::select! {
                ended = &mut call => return ended.unwrap(),
                asked = self.api.next() => self.answer(asked),
            }
        }
    }

    fn answer(&mut self, asked: Asked) {
        let path = asked.path.clone();
        let name = path.rsplit('/').next().unwrap_or_default();
        if asked.method == Method::GET {
            return match name {
                "a" if self.gone => asked.not_found(),
                "a" => asked.answer(200, &control_plane()),
                "a-admin-kubeconfig" => asked.answer(200, &self.kubeconfig()),
                "readyz" => asked.answer(200, &json!("ok")),
                "view" => asked.answer(200, &json!({"metadata": {"name": "view"}, "rules": [{"verbs": ["get"]}]})),
                "configmaps" => asked.answer(200, &self.signed()),
                _ => match self.made.get(&path) {
                    Some(made) => asked.answer(200, made),
                    None if path.ends_with('s') => asked.answer(200, &list(&[])),
                    None => asked.not_found(),
                },
            };
        }
        // Of one object, or of a collection that gets one.
        let one = asked.method != Method::POST;
        let kind = path.rsplit('/').nth(usize::from(one)).unwrap_or_default().to_owned();
        self.changes.push(format!("{} {kind}", asked.method));
        match asked.method.as_str() {
            "POST" if kind == "token" => {
                asked.answer(201, &json!({"kind": "TokenRequest", "status": {"token": "planted-token"}}));
            }
            "POST" => {
                let mut object = asked.body.clone();
                let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
                object["metadata"]["uid"] = format!("uid-{name}").into();
                let strings = object["stringData"].as_object().cloned().unwrap_or_default();
                for (key, text) in strings {
                    object["data"][key] = STANDARD.encode(text.as_str().unwrap_or_default()).into();
                }
                self.made.insert(format!("{path}/{name}"), object.clone());
                asked.answer(201, &object);
            }
            "DELETE" => match self.made.remove(&path) {
                Some(made) => {
                    assert_eq!(asked.body["preconditions"]["uid"], made["metadata"]["uid"]);
                    asked.answer(200, &json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}));
                }
                None => asked.not_found(),
            },
            _ if self.renewals == 200 => {
                assert_eq!(asked.body["metadata"]["uid"], self.made[&path]["metadata"]["uid"]);
                asked.answer(200, &self.made[&path]);
            }
            _ => asked.not_found(),
        }
    }

    fn kubeconfig(&self) -> Json {
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{{name: c, cluster: {{server: '{}', \
             certificate-authority-data: {}}}}}]\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\nusers: \
             [{{name: u, user: {{token: admin}}}}]\n",
            self.api.url,
            STANDARD.encode(include_str!("../../src/kamaji/certificate/ec-ca.pem"))
        );
        json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": "a-admin-kubeconfig", "namespace": "tenants"},
            "data": {"super-admin.conf": STANDARD.encode(text)}})
    }

    /// `cluster-info` with a signature for each token.
    fn signed(&self) -> Json {
        let ids = self.made.keys().filter_map(|path| Some(path.split_once("bootstrap-token-")?.1));
        let data: serde_json::Map<_, _> = ids.map(|id| (format!("jws-kubeconfig-{id}"), "x".into())).collect();
        list(&[json!({"apiVersion": "v1", "kind": "ConfigMap", "data": data,
            "metadata": {"name": "cluster-info", "namespace": "kube-public", "uid": "u", "resourceVersion": "2"}})])
    }

    fn changes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.changes)
    }
}

fn list(items: &[Json]) -> Json {
    json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": "2"}, "items": items})
}

fn control_plane() -> Json {
    json!({"apiVersion": "kamaji.clastix.io/v1alpha1", "kind": "TenantControlPlane",
        "metadata": {"name": "a", "namespace": "tenants", "uid": "uid-a", "resourceVersion": "1"},
        "spec": {"controlPlane": {"deployment": {"replicas": 1}}, "kubernetes": {"version": "v1.32.4"},
            "networkProfile": {"serviceCidr": "10.96.0.0/16"}},
        "status": {"kubeconfig": {"admin": {"secretName": "a-admin-kubeconfig", "checksum": "x"}},
            "kubeadmPhase": {"bootstrapToken": {"checksum": "x"}},
            "kubernetesResources": {"version": {"status": "Ready", "version": "v1.32.4"}}}})
}

/// What is opened, and what is made and removed for it.
struct Kind {
    type_name: &'static str,
    edits: Vec<(&'static str, Value)>,
    made: &'static [&'static str],
    removed: &'static [&'static str],
}

fn kinds() -> [Kind; 3] {
    let minted = Value::object([("ttl", Value::from("2m")), ("cluster_role", "view".into())]);
    let revoked = |revoke: bool| {
        vec![("ttl", "2m".into()), ("revoke_on_close", revoke.into()), ("endpoint", "a.example.com:6443".into())]
    };
    [
        Kind {
            type_name: KUBECONFIG,
            edits: vec![("minted", minted)],
            made: &["POST secrets", "POST serviceaccounts", "POST clusterrolebindings", "POST token"],
            removed: &["DELETE clusterrolebindings", "DELETE secrets", "DELETE serviceaccounts"],
        },
        Kind { type_name: JOIN, edits: revoked(true), made: &["POST secrets"], removed: &["DELETE secrets"] },
        // Machines join after the run too.
        Kind { type_name: JOIN, edits: revoked(false), made: &["POST secrets"], removed: &[] },
    ]
}

/// One ephemeral resource in a walk.
struct Walk<'a> {
    tenant: &'a mut Tenant,
    provider: ProviderClient<Http2>,
    type_name: &'static str,
}

impl Walk<'_> {
    async fn open(&mut self, object: Object<'_>, edits: &[(&str, Value)]) -> wire::open_ephemeral_resource::Response {
        let config = object.with(&[&[("tenant_control_plane_id", "tenants/a".into())], edits].concat());
        let (type_name, written) = (self.type_name.to_owned(), Some(object.write(&config)));
        let request = wire::open_ephemeral_resource::Request { type_name, config: written, ..Default::default() };
        let mut provider = self.provider.clone();
        let opening = async move { provider.open_ephemeral_resource(request).await.unwrap().into_inner() };
        let opened = self.tenant.serve(opening).await;
        assert_eq!(errors(&opened.diagnostics), [""; 0], "{:?}", opened.diagnostics);
        let result = object.read(opened.result.as_ref());
        assert!(result.is_wholly_known());
        for attribute in object.block.attributes.iter().filter(|attribute| !attribute.computed) {
            assert_eq!(result.get(&attribute.name), config.get(&attribute.name), "core compares them");
        }
        let private = String::from_utf8_lossy(opened.private.as_deref().unwrap_or_default()).into_owned();
        let token = result.str_at("token").expect("a token");
        assert!(!private.contains(token.rsplit('.').next().unwrap()), "{private}");
        opened
    }

    async fn renew(&mut self, private: &Option<Vec<u8>>) -> wire::renew_ephemeral_resource::Response {
        let (type_name, private) = (self.type_name.to_owned(), private.clone());
        let request = wire::renew_ephemeral_resource::Request { type_name, private };
        let mut provider = self.provider.clone();
        let renewing = async move { provider.renew_ephemeral_resource(request).await.unwrap().into_inner() };
        self.tenant.serve(renewing).await
    }

    /// Returns what was changed for it.
    async fn close(&mut self, private: &Option<Vec<u8>>) -> Vec<String> {
        let (type_name, private) = (self.type_name.to_owned(), private.clone());
        let request = wire::close_ephemeral_resource::Request { type_name, private };
        let mut provider = self.provider.clone();
        let closing = async move { provider.close_ephemeral_resource(request).await.unwrap().into_inner() };
        let closed = self.tenant.serve(closing).await;
        assert_eq!(closed.diagnostics, []);
        self.tenant.changes()
    }
}

/// Terraform closes with what open gave, OpenTofu with what the last renewal gave, also if that failed.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_opened_is_renewed_and_closed_in_the_order_of_each_program() {
    let mut tenant = Tenant::start().await;
    let (_plugin, mut connection, schemas) = start(&tenant.api).await;
    for kind in kinds() {
        let Kind { type_name, edits, made, removed } = kind;
        let object = schemas.ephemeral(type_name);
        for (opentofu, fails, interrupted) in
            [(false, false, false), (false, true, true), (true, false, true), (true, true, false)]
        {
            let what = format!("{type_name}: OpenTofu {opentofu}, fails {fails}, interrupted {interrupted}");
            let mut walk = Walk { tenant: &mut tenant, provider: connection.provider.clone(), type_name };
            let opened = walk.open(object, &edits).await;
            assert_eq!(walk.tenant.changes(), made, "{what}");
            let (mut private, mut last) = (opened.private.clone(), opened.renew_at.expect("a time"));
            for _ in 0..2 {
                let renewed = walk.renew(&private).await;
                assert_eq!(errors(&renewed.diagnostics), [""; 0], "{what}");
                let again = renewed.renew_at.expect("a time");
                assert!(again.seconds >= last.seconds, "{what}");
                (private, last) = (renewed.private, again);
            }
            if fails {
                walk.tenant.renewals = 404;
                let failed = walk.renew(&private).await;
                assert_eq!(errors(&failed.diagnostics), ["Not prolonged in the tenant"], "{what}");
                assert!(failed.renew_at.is_none());
                private = failed.private;
                walk.tenant.renewals = 200;
            }
            assert!(walk.tenant.changes().iter().all(|change| change == "PATCH secrets"), "{what}");
            if interrupted {
                stop(&mut connection).await;
            }
            let with = if opentofu { private } else { opened.private };
            assert_eq!(walk.close(&with).await, removed, "{what}");
            assert_eq!(tenant.made.is_empty(), !removed.is_empty(), "{what}");
            // Nobody does that, and it would be no harm.
            let mut walk = Walk { tenant: &mut tenant, provider: connection.provider.clone(), type_name };
            let again: Vec<_> = removed.iter().filter(|_| type_name == KUBECONFIG).copied().collect();
            assert_eq!(walk.close(&with).await, again, "{what}");
            tenant.made.clear();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_died_with_its_tenant_is_closed_without_a_word() {
    let mut tenant = Tenant::start().await;
    let (_plugin, connection, schemas) = start(&tenant.api).await;
    for Kind { type_name, edits, .. } in kinds() {
        tenant.gone = false;
        let mut walk = Walk { tenant: &mut tenant, provider: connection.provider.clone(), type_name };
        let opened = walk.open(schemas.ephemeral(type_name), &edits).await;
        walk.tenant.gone = true;
        walk.tenant.changes();
        let renewed = walk.renew(&opened.private).await;
        assert!(renewed.diagnostics.is_empty() && renewed.renew_at.is_none(), "{renewed:?}");
        assert_eq!(walk.close(&renewed.private).await, [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_ends_the_wait_for_a_tenant() {
    let mut api = ApiServer::start().await;
    let (_plugin, mut connection, schemas) = start(&api).await;
    for (type_name, more) in [(KUBECONFIG, Some("minted")), (KUBECONFIG, None), (JOIN, None)] {
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
