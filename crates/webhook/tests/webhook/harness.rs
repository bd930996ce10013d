//! A server on loopback, with a certificate of its own and a decider that does as it is told.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use touchmark_oci::PinnedRef;
use touchmark_policy::Verdict;
use touchmark_webhook::{
    CertificateFiles, Certificates, Decide, DecideFuture, ImageAnswer, Limits, Metrics, Server, Shared,
    Undecided, Watched,
};

pub(crate) const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A running server.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) shared: Arc<Shared>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) certificates: Watched<CertificateFiles>,
    pub(crate) directory: tempfile::TempDir,
    end: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Running {
    /// Starts a server that asks nobody yet.
    pub(crate) async fn start(limits: Limits) -> Self {
        let directory = tempfile::tempdir().unwrap();
        write_certificate(directory.path());
        let metrics = Arc::new(Metrics::new());
        let shared = Arc::new(Shared::new(limits, Arc::clone(&metrics)));
        let certificates = Arc::new(Certificates::default());
        let files = CertificateFiles {
            chain: directory.path().join("tls.crt"),
            key: directory.path().join("tls.key"),
            certificates: Arc::clone(&certificates),
            metrics: Arc::clone(&metrics),
        };
        let mut watched = Watched::new(files, Arc::clone(&metrics));
        watched.start().await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let tls = TlsAcceptor::from(Arc::new(certificates.server_config().unwrap()));
        let server = Server::reviews(Arc::clone(&shared), listener, tls);
        let (end, ended) = oneshot::channel::<()>();
        let task = tokio::spawn(server.serve(async { drop(ended.await) }));
        Self { address, shared, metrics, certificates: watched, directory, end: Some(end), task }
    }

    /// Starts a server that asks `decider`.
    pub(crate) async fn with(decider: impl Decide + 'static) -> Self {
        let running = Self::start(Limits::default()).await;
        running.shared.decide_by(Arc::new(decider));
        running
    }

    /// Tells the server to end.
    pub(crate) fn end(&mut self) {
        self.end.take().unwrap().send(()).unwrap();
    }

    /// Waits until it did.
    pub(crate) async fn ended(self) {
        self.task.await.unwrap();
    }

    /// A client that trusts the certificate that is in the server's directory now.
    pub(crate) fn client(&self) -> Client {
        let pem = std::fs::read(self.directory.path().join("tls.crt")).unwrap();
        let root = reqwest::Certificate::from_pem(&pem).unwrap();
        let builder = Client::builder().no_proxy().tls_certs_only([root]);
        builder.resolve("webhook.test", self.address).build().unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://webhook.test:{}{path}", self.address.port())
    }

    /// Asks for a review, as the API server does.
    pub(crate) async fn ask(&self, review: &Value) -> Value {
        let (status, body) = self.post("/validate?timeout=10s", review.to_string()).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> (StatusCode, String) {
        let request =
            self.client().post(self.url(path)).header("content-type", "application/json").body(body);
        let response = request.send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }

    pub(crate) async fn read(&self, path: &str) -> (StatusCode, String) {
        let response = self.client().get(self.url(path)).send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }
}

/// Writes a new certificate and its key for `webhook.test`.
pub(crate) fn write_certificate(directory: &std::path::Path) {
    let made = rcgen::generate_simple_self_signed(vec!["webhook.test".to_owned()]).unwrap();
    std::fs::write(directory.join("tls.crt"), made.cert.pem()).unwrap();
    std::fs::write(directory.join("tls.key"), made.signing_key.serialize_pem()).unwrap();
}

/// Answers by the image's repository, and counts how often it was asked.
#[derive(Clone, Default)]
pub(crate) struct Script {
    pub(crate) asked: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Decide for Script {
    fn decide<'a>(&'a self, image: &'a PinnedRef) -> DecideFuture<'a> {
        Box::pin(async move {
            let name = image.name().repository().unwrap_or_default().to_owned();
            *self.asked.lock().unwrap().entry(name.clone()).or_default() += 1;
            let answer = |verdict, reasons: &[&str], codes: &[&'static str]| ImageAnswer {
                verdict,
                reasons: reasons.iter().map(|reason| (*reason).to_owned()).collect(),
                codes: codes.to_vec(),
            };
            match name.rsplit('/').next().unwrap_or_default() {
                "signed" | "other" => Ok(answer(Verdict::Allow, &[], &[])),
                "warned" => {
                    Ok(answer(Verdict::Warn, &["no signature, which will be needed"], &["signature-missing"]))
                }
                "unsigned" => {
                    Ok(answer(Verdict::Deny, &["found no signature by release"], &["signature-missing"]))
                }
                "hangs" => std::future::pending().await,
                "panics" => panic!("told to"),
                _ => Err(Undecided("the registry is on fire".into())),
            }
        })
    }
}

/// A pinned reference to a repository that [`Script`] knows.
pub(crate) fn image(name: &str) -> String {
    format!("registry.test/acme/{name}@sha256:{HEX}")
}

pub(crate) fn pod(images: &[&str]) -> Value {
    let containers: Vec<_> = images.iter().map(|image| json!({"name": "c", "image": image})).collect();
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": containers}})
}

pub(crate) fn create(object: &Value) -> Value {
    review("CREATE", object, &Value::Null)
}

pub(crate) fn review(operation: &str, object: &Value, old: &Value) -> Value {
    let some = if object.is_null() { old } else { object };
    let api_version = some["apiVersion"].as_str().unwrap();
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": group, "version": version, "kind": some["kind"]},
            "namespace": "web", "name": "p", "operation": operation,
            "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"},
            "object": object, "oldObject": old, "dryRun": false,
        },
    })
}

pub(crate) fn message(answer: &Value) -> &str {
    answer["response"]["status"]["message"].as_str().unwrap_or_default()
}
