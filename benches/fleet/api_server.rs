//! As much of an API server as the provider needs: reads, pages of lists, applies, Secrets; in memory, over TLS.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::line::Line;

pub struct ApiServer {
    /// Behind the line.
    pub url: String,
    /// The CA certificate, PEM.
    pub ca: String,
    pub line: Line,
    store: Arc<Store>,
    _runtime: tokio::runtime::Runtime,
}

struct Store {
    ca: String,
    requests: AtomicUsize,
    /// By namespace and name; each as its text, since a server that is measured does not serialise.
    objects: Mutex<BTreeMap<(String, String), Bytes>>,
}

impl ApiServer {
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (ca, acceptor) = certificates();
        let store = Store { ca: ca.clone(), requests: AtomicUsize::default(), objects: Mutex::default() };
        let (store, line) = (Arc::new(store), Line::default());
        let url = runtime.block_on(async {
            let (near, far) =
                (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
            let url = format!("https://{}", near.local_addr().unwrap());
            tokio::spawn(line.clone().serve(near, far.local_addr().unwrap()));
            tokio::spawn(serve(far, acceptor, Arc::clone(&store)));
            url
        });
        Self { url, ca, line, store, _runtime: runtime }
    }

    /// How many requests there were.
    pub fn requests(&self) -> usize {
        self.store.requests.load(Ordering::Relaxed)
    }
}

fn certificates() -> (String, TlsAcceptor) {
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let der = parameters.self_signed(&key).unwrap().der().clone();
    let ca = pem(&der);
    let issuer = Issuer::new(parameters, key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config = rustls::ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![leaf.der().clone(), der], key).unwrap();
    (ca, TlsAcceptor::from(Arc::new(config)))
}

fn pem(der: &[u8]) -> String {
    let base64 = STANDARD.encode(der).into_bytes();
    let lines: Vec<_> = base64.chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----", lines.join("\n"))
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, store: Arc<Store>) {
    while let Ok((socket, _)) = listener.accept().await {
        let (acceptor, store) = (acceptor.clone(), Arc::clone(&store));
        tokio::spawn(async move {
            let _ = socket.set_nodelay(true);
            let Ok(socket) = acceptor.accept(socket).await else { return };
            let service = service_fn(move |request| answer(request, Arc::clone(&store)));
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

async fn answer(request: Request<Incoming>, store: Arc<Store>) -> Result<Response<Full<Bytes>>, Infallible> {
    store.requests.fetch_add(1, Ordering::Relaxed);
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let query = head.uri.query().unwrap_or_default();
    let (status, body) = store.answer(&head.method, head.uri.path(), query, &body);
    let response = Response::builder().status(status).header("content-type", "application/json");
    Ok(response.body(Full::new(body)).unwrap())
}

impl Store {
    fn answer(&self, method: &Method, path: &str, query: &str, body: &[u8]) -> (u16, Bytes) {
        let parts: Vec<&str> = path.split('/').skip_while(|part| *part != "namespaces").skip(1).collect();
        match (method.as_str(), parts.as_slice()) {
            ("GET", [namespace, "tenantcontrolplanes"]) => (200, self.page(namespace, query)),
            ("GET", [namespace, "tenantcontrolplanes", name]) => {
                let key = (namespace.to_string(), name.to_string());
                self.objects.lock().unwrap().get(&key).map_or_else(|| not_found(path), |object| (200, object.clone()))
            }
            ("PATCH", [namespace, "tenantcontrolplanes", name]) => {
                let object = Bytes::from(stored(serde_json::from_slice(body).unwrap(), namespace, name).to_string());
                if !query.contains("dryRun=All") {
                    self.objects.lock().unwrap().insert((namespace.to_string(), name.to_string()), object.clone());
                }
                (200, object)
            }
            ("GET", [_, "secrets", name]) => (200, self.kubeconfig(name)),
            _ => not_found(path),
        }
    }

    fn page(&self, namespace: &str, query: &str) -> Bytes {
        let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let limit = value("limit").and_then(|limit| limit.parse().ok()).unwrap_or(usize::MAX);
        let from = value("continue").unwrap_or_default().to_owned();
        let objects = self.objects.lock().unwrap();
        let mut all = objects.range((namespace.to_owned(), from)..).take_while(|((of, _), _)| of == namespace);
        let mut text =
            br#"{"apiVersion":"kamaji.clastix.io/v1alpha1","kind":"TenantControlPlaneList","items":["#.to_vec();
        for (index, (_, object)) in all.by_ref().take(limit).enumerate() {
            if index > 0 {
                text.push(b',');
            }
            text.extend_from_slice(object);
        }
        let next = all.next().map(|((_, name), _)| name.as_str()).unwrap_or_default();
        text.extend_from_slice(format!(r#"],"metadata":{{"resourceVersion":"9","continue":"{next}"}}}}"#).as_bytes());
        text.into()
    }

    fn kubeconfig(&self, name: &str) -> Bytes {
        let ca = STANDARD.encode(&self.ca);
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: a\nclusters:\n- name: a\n  cluster:\n    server: \
             https://192.0.2.1:6443\n    certificate-authority-data: {ca}\ncontexts:\n- name: a\n  context:\n    cluster: \
             a\n    user: a\nusers:\n- name: a\n  user: {{}}\n"
        );
        let text = STANDARD.encode(text);
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": "Opaque",
            "data": {"super-admin.conf": text, "admin.conf": text}});
        secret.to_string().into()
    }
}

fn not_found(path: &str) -> (u16, Bytes) {
    let mut parts = path.rsplit('/');
    let (name, kind) = (parts.next(), parts.next());
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404,
        "message": "not found", "details": {"name": name, "kind": kind, "group": "kamaji.clastix.io"}});
    (404, status.to_string().into())
}

/// An object as Kamaji has it after a while.
fn stored(mut object: Value, namespace: &str, name: &str) -> Value {
    const TIME: &str = "2026-11-24T00:00:00Z";
    let fields =
        json!({"f:metadata": {"f:labels": owned(&object["metadata"]["labels"])}, "f:spec": owned(&object["spec"])});
    let status = status(namespace, name);
    let managers = json!([
        {"manager": "terraform-provider-kamaji", "operation": "Apply", "apiVersion": "kamaji.clastix.io/v1alpha1",
            "time": TIME, "fieldsType": "FieldsV1", "fieldsV1": fields},
        {"manager": "manager", "operation": "Update", "apiVersion": "kamaji.clastix.io/v1alpha1", "time": TIME,
            "subresource": "status", "fieldsType": "FieldsV1", "fieldsV1": {"f:status": owned(&status)}},
    ]);
    let metadata = object["metadata"].as_object_mut().unwrap();
    metadata.insert(
        "uid".to_owned(),
        format!("00000000-0000-4000-8000-{:0>12.12}", name.replace(|c: char| !c.is_ascii_digit(), "")).into(),
    );
    metadata.insert("resourceVersion".to_owned(), "7".into());
    metadata.insert("generation".to_owned(), 1.into());
    metadata.insert("creationTimestamp".to_owned(), TIME.into());
    metadata.insert("finalizers".to_owned(), json!(["finalizer.kamaji.clastix.io"]));
    metadata.insert("managedFields".to_owned(), managers);
    object["status"] = status;
    object
}

/// The field set of a value.
fn owned(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            Value::Object(members.iter().map(|(key, member)| (format!("f:{key}"), owned(member))).collect())
        }
        _ => Value::Object(Map::new()),
    }
}

fn status(namespace: &str, name: &str) -> Value {
    const TIME: &str = "2026-11-24T00:00:00Z";
    let secret = |of: &str| json!({"secretName": format!("{name}-{of}"), "checksum": "d1e8a70b5ccab1dc2f56bbf7e99f064a", "lastUpdate": TIME});
    let condition = |of: &str| {
        json!({"type": of, "status": "True", "reason": "NewReplicaSetAvailable", "lastUpdateTime": TIME,
        "lastTransitionTime": TIME, "message": format!("ReplicaSet \"{name}-5d4f8c7b9d\" has successfully progressed.")})
    };
    let balancer = json!({"ingress": [{"ip": "192.0.2.1", "ipMode": "VIP"}]});
    json!({
        "observedGeneration": 1,
        "controlPlaneEndpoint": "192.0.2.1:6443",
        "certificates": {"ca": secret("ca"), "apiServer": secret("api-server-certificate"),
            "apiServerKubeletClient": secret("api-server-kubelet-client-certificate"),
            "frontProxyCA": secret("front-proxy-ca-certificate"), "frontProxyClient": secret("front-proxy-client-certificate"),
            "sa": secret("sa-certificate")},
        "kubeconfig": {"admin": secret("admin-kubeconfig"), "controllerManager": secret("controller-manager-kubeconfig"),
            "scheduler": secret("scheduler-kubeconfig")},
        "kubeadmconfig": {"configmapName": format!("{name}-kubeadmconfig"), "checksum": "d1e8a70b", "lastUpdate": TIME},
        "kubeadmPhase": {"bootstrapToken": {"checksum": "d1e8a70b", "lastUpdate": TIME}},
        "storage": {"driver": "etcd", "dataStoreName": "default", "config": secret("datastore-config"),
            "setup": {"schema": format!("{namespace}_{name}"), "user": format!("{namespace}_{name}"), "lastUpdate": TIME, "checksum": "d1e8"},
            "certificate": secret("datastore-certificate")},
        "kubernetesResources": {"version": {"version": "v1.30.2", "status": "Ready"},
            "deployment": {"name": name, "namespace": namespace, "selector": format!("kamaji.clastix.io/name={name}"),
                "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2, "observedGeneration": 3,
                "lastUpdate": TIME, "conditions": [condition("Available"), condition("Progressing")]},
            "service": {"name": name, "namespace": namespace, "port": 6443, "loadBalancer": balancer}},
        "addons": {"coreDNS": {"enabled": true, "lastUpdate": TIME}, "kubeProxy": {"enabled": true, "lastUpdate": TIME},
            "konnectivity": {"enabled": true, "certificate": secret("konnectivity-certificate"),
                "kubeconfig": secret("konnectivity-kubeconfig"),
                "agent": {"name": "konnectivity-agent", "namespace": "kube-system", "mode": "DaemonSet", "lastUpdate": TIME},
                "sa": {"name": "konnectivity-agent", "namespace": "kube-system", "lastUpdate": TIME}}},
    })
}
