//! A service on loopback that keeps what it is asked and answers by a function.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Response};
use serde_json::Value;
use touchmark_sign::kms::{Environment, KmsError, RemoteKey};
use touchmark_sign::{KeyKind, PrivateKey};
use touchmark_transport::{Client, ClientOptions, RetryPolicy};

/// What was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A service that runs until it is dropped.
pub(crate) struct Service {
    pub(crate) origin: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Service {
    pub(crate) async fn start(answer: impl Fn(&Asked) -> Response<Body> + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (answer, kept) = (Arc::new(answer), Arc::clone(&asked));
        let router = Router::new().fallback(move |request: Request| {
            let (answer, kept) = (Arc::clone(&answer), Arc::clone(&kept));
            async move {
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
                let asked = Asked {
                    method: parts.method.to_string(),
                    path: parts.uri.path_and_query().unwrap().to_string(),
                    headers: parts.headers,
                    body: String::from_utf8(body.to_vec()).unwrap(),
                };
                kept.lock().unwrap().push(asked.clone());
                answer(&asked)
            }
        });
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { origin, asked, task }
    }

    pub(crate) fn host(&self) -> &str {
        self.origin.strip_prefix("http://").unwrap()
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

pub(crate) fn json(value: &Value) -> Response<Body> {
    Response::new(Body::from(value.to_string()))
}

pub(crate) fn status(code: u16, body: &str) -> Response<Body> {
    Response::builder().status(code).header("retry-after", "7").body(Body::from(body.to_owned())).unwrap()
}

pub(crate) fn environment(pairs: &[(&str, &str)]) -> Environment {
    let table: BTreeMap<String, String> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Environment::new(move |name| table.get(name).cloned())
}

/// The key at `reference`, over a client that tries once.
pub(crate) async fn open(reference: &str, pairs: &[(&str, &str)]) -> Result<RemoteKey, KmsError> {
    let options = ClientOptions { retry: RetryPolicy::never(), ..ClientOptions::default() };
    let client = Client::new(options).unwrap();
    RemoteKey::open(&reference.parse().unwrap(), client, environment(pairs)).await
}

pub(crate) fn key(kind: KeyKind) -> Arc<PrivateKey> {
    Arc::new(PrivateKey::generate(kind).unwrap())
}
