//! Credentials that expire, against an API server on a socket and a credential plugin that runs.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::management_cluster::config::{Credentials, Impersonated, Plugin, Source, load};
use crate::management_cluster::scripted::{failure, tenant};
use crate::management_cluster::{Kind, MAX_IN_FLIGHT, ManagementCluster, ObjectRef, Operation};

/// An API server that accepts one token at a time, and the heads of the requests that it got.
struct Api {
    url: String,
    accepted: Arc<AtomicU32>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Api {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (accepted, heads) = (Arc::new(AtomicU32::new(1)), Arc::new(Mutex::new(Vec::new())));
        let (number, seen) = (Arc::clone(&accepted), Arc::clone(&heads));
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let (mut head, mut byte) = (Vec::new(), [0]);
                while !head.ends_with(b"\r\n\r\n") && socket.read_exact(&mut byte).await.is_ok() {
                    head.push(byte[0]);
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                let known = head.contains(&format!("Bearer token-{}\r\n", number.load(Ordering::SeqCst)));
                seen.lock().expect("no panic").push(head);
                let (status, body) = if known {
                    ("200 OK", tenant("a", "1", &json!({})))
                } else {
                    ("401 Unauthorized", failure(401, "Unauthorized", "Unauthorized", &json!({})))
                };
                let body = body.to_string();
                let answer = format!(
                    "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                let _ = socket.write_all(answer.as_bytes()).await;
            }
        });
        Self { url, accepted, heads }
    }

    fn asked(&self) -> usize {
        self.heads.lock().expect("no panic").len()
    }

    fn credentials(&self) -> Credentials {
        Credentials::new(Source::Host(self.url.clone()))
    }
}

/// A plugin that gives `token-1` at its first start, `token-2` at its second, and talks on stderr.
fn plugin(folder: &Path) -> Plugin {
    let script = "echo x >>\"$COUNT\"; echo s3cret >&2; n=$(wc -l <\"$COUNT\"); printf '{\"kind\":\"ExecCredential\",\
                  \"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{\"token\":\"token-%d\"}}' \"$n\"";
    Plugin {
        api_version: "client.authentication.k8s.io/v1".to_owned(),
        command: "sh".to_owned(),
        args: vec!["-c".to_owned(), script.to_owned()],
        env: [("COUNT".to_owned(), folder.join("count").display().to_string().into())].into(),
    }
}

fn starts(folder: &Path) -> usize {
    fs::read_to_string(folder.join("count")).unwrap_or_default().lines().count()
}

async fn read(cluster: &ManagementCluster) -> Result<(), ApiError> {
    let operation = Operation::new(Duration::from_secs(10), &CancellationToken::new());
    let object = ObjectRef::namespaced(Kind::TenantControlPlane, "tenants", "a");
    cluster.get(&operation, &object).await.map(drop)
}

fn cluster(credentials: &Credentials) -> ManagementCluster {
    ManagementCluster::new(load(credentials, &|_| None).expect("usable"), MAX_IN_FLIGHT)
}

#[tokio::test]
async fn a_token_that_is_refused_after_it_was_good_is_asked_for_anew_once() {
    let (api, folder) = (Api::start().await, TempDir::new().expect("a directory"));
    let cluster = cluster(&Credentials { exec: Some(plugin(folder.path())), ..api.credentials() });
    read(&cluster).await.expect("the first token is good");
    read(&cluster).await.expect("it is used again");
    assert_eq!(starts(folder.path()), 1);
    api.accepted.store(2, Ordering::SeqCst);
    let (one, other) = tokio::join!(read(&cluster), read(&cluster));
    one.and(other).expect("the second token is good");
    assert_eq!(starts(folder.path()), 2, "two requests that are refused at once ask for one token");
    // The third one is not accepted either.
    api.accepted.store(9, Ordering::SeqCst);
    let before = api.asked();
    assert!(matches!(read(&cluster).await, Err(ApiError::Unauthorized { .. })));
    assert_eq!((starts(folder.path()), api.asked() - before), (3, 2));
    assert!(matches!(read(&cluster).await, Err(ApiError::Unauthorized { .. })));
    assert_eq!(starts(folder.path()), 3, "what was never accepted is not asked for again");
}

#[tokio::test]
async fn a_token_file_that_changed_is_read_anew_when_the_old_token_is_refused() {
    let (api, folder) = (Api::start().await, TempDir::new().expect("a directory"));
    let file = folder.path().join("token");
    fs::write(&file, "token-1").expect("written");
    let kubeconfig = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
         clusters: [{{name: c, cluster: {{server: {:?}}}}}]\nusers: [{{name: u, user: {{tokenFile: {file:?}}}}}]\n",
        api.url
    );
    let cluster = cluster(&Credentials::new(Source::Text { kubeconfig: kubeconfig.into(), context: None }));
    read(&cluster).await.expect("the first token is good");
    fs::write(&file, "token-2").expect("written");
    api.accepted.store(2, Ordering::SeqCst);
    read(&cluster).await.expect("the second token is good");
}

#[tokio::test]
async fn a_token_of_the_configuration_is_refused_for_good() {
    let api = Api::start().await;
    let cluster = cluster(&Credentials { token: Some("token-1".into()), ..api.credentials() });
    read(&cluster).await.expect("good");
    api.accepted.store(2, Ordering::SeqCst);
    assert!(matches!(read(&cluster).await, Err(ApiError::Unauthorized { .. })));
    assert_eq!(api.asked(), 2);
}

#[tokio::test]
async fn requests_say_whom_they_act_as() {
    let api = Api::start().await;
    let somebody = Impersonated {
        user: "system:serviceaccount:tenants:terraform".to_owned(),
        uid: Some("7".to_owned()),
        groups: vec!["platform".to_owned(), "system:authenticated".to_owned()],
        extra: [("scopes".to_owned(), vec!["view".to_owned()])].into(),
    };
    let credentials = Credentials { token: Some("token-1".into()), impersonate: Some(somebody), ..api.credentials() };
    read(&cluster(&credentials)).await.expect("good");
    let head = api.heads.lock().expect("no panic").remove(0).to_lowercase();
    for header in [
        "impersonate-user: system:serviceaccount:tenants:terraform",
        "impersonate-uid: 7",
        "impersonate-group: platform",
        "impersonate-group: system:authenticated",
        "impersonate-extra-scopes: view",
    ] {
        assert!(head.contains(header), "{header} is missing in {head}");
    }
}
