//! An API server on a TCP socket whose answers the test gives, one by one.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use crate::client::PATIENCE;

/// The management cluster's API, as far as the test plays it.
pub struct ApiServer {
    pub url: String,
    requests: mpsc::UnboundedReceiver<Asked>,
}

/// A request that waits for its answer; dropped, it waits for ever.
pub struct Asked {
    pub method: Method,
    pub path: String,
    pub query: String,
    pub body: Json,
    answer: oneshot::Sender<(u16, Json)>,
}

impl Asked {
    pub fn answer(self, status: u16, body: &Json) {
        // The client may have gone meanwhile.
        let _ = self.answer.send((status, body.clone()));
    }

    /// Waits until the client does not wait for the answer any more.
    pub async fn abandoned(mut self) {
        self.answer.closed().await;
    }

    /// 404 for the object of the path.
    pub fn not_found(self) {
        let name = self.path.rsplit('/').next().unwrap_or_default().to_owned();
        let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404,
            "message": format!("{name:?} not found"), "details": {"name": name}});
        self.answer(404, &status);
    }

    /// What was sent, as the server stores it.
    pub fn stored(&self) -> Json {
        let mut object = self.body.clone();
        object["metadata"]["uid"] = "3f1c".into();
        object["metadata"]["resourceVersion"] = "1".into();
        object["metadata"]["generation"] = 1.into();
        object["metadata"]["creationTimestamp"] = "2026-11-24T00:00:00Z".into();
        object
    }
}

impl ApiServer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, requests) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let sender = sender.clone();
                let service = service_fn(move |request| handle(request, sender.clone()));
                // A client that goes away in the middle ends its connection alone.
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service),
                );
            }
        });
        ApiServer { url, requests }
    }

    /// True if nothing was asked that the test has not seen.
    pub fn is_quiet(&mut self) -> bool {
        self.requests.try_recv().is_err()
    }

    /// Answers everything from now on with this status: an error of the API, or a body that is none of its own. Returns
    /// the URL.
    pub fn always(mut self, status: u16) -> String {
        let url = self.url.clone();
        tokio::spawn(async move {
            let nonsense =
                [json!({}), json!([]), json!("x"), json!(null), json!({"items": 7, "metadata": [], "spec": "x"})];
            let mut turn = 0;
            while let Some(asked) = self.requests.recv().await {
                if status == 200 {
                    asked.answer(status, &nonsense[turn % nonsense.len()]);
                    turn += 1;
                } else {
                    let message = format!("{} {} is not allowed", asked.method, asked.path);
                    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden",
                        "code": status, "message": message});
                    asked.answer(status, &body);
                }
            }
        });
        url
    }

    pub async fn next(&mut self) -> Asked {
        tokio::time::timeout(PATIENCE, self.requests.recv()).await.expect("a request").unwrap()
    }
}

async fn handle(
    request: Request<Incoming>,
    sender: mpsc::UnboundedSender<Asked>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let (answer, answered) = oneshot::channel();
    let path = parts.uri.path().to_owned();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    // What fences a cluster is asked once a run, whenever that is; no test's own request.
    if path == "/api/v1/namespaces/kube-system" {
        let body =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system", "uid": "cluster-1"}});
        return Ok(response(200, &body));
    }
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let _ = sender.send(Asked { method: parts.method, path, query, body, answer });
    let Ok((status, body)) = answered.await else { return std::future::pending().await };
    Ok(response(status, &body))
}

fn response(status: u16, body: &Json) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    response
}
