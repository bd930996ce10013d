//! A whole Sigstore in the process of the test, on loopback: an OpenID Connect issuer, Fulcio with a certificate
//! transparency log, Rekor in both versions, a timestamp authority, and the TUF repository that tells of them.
//!
//! All of it answers at one address, whose paths do not collide. It goes by a [`Clock`] that it is given, makes new keys
//! each time it starts, keeps everything in memory, and misbehaves as [`Misbehaviour`] says. It limits nothing that it
//! reads: it is for tests only.

mod certificates;
mod clock;
mod ct_log;
mod fulcio;
mod keys;
mod log;
mod merkle;
mod misbehaviour;
mod oidc;
mod refusal;
mod rekor_v1;
mod rekor_v2;
mod timestamps;
mod trust;
mod tuf;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, Response, Uri};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::registry::tamper::breaking_off;
use crate::registry::wire::{Answer, respond};
use crate::registry::{lock, take_fault};

pub use clock::Clock;
pub use misbehaviour::{Authority, Misbehaviour};
pub use oidc::Identity;

use refusal::Refusal;
use rekor_v1::Logged;

/// How to start a [`Sigstore`].
#[derive(Debug, Clone)]
pub struct Options {
    /// The time that everything goes by.
    pub clock: Clock,
    /// The port on loopback; 0 for a free one.
    pub port: u16,
    /// What it does wrong from the start.
    pub misbehaviour: Misbehaviour,
}

impl Options {
    /// On a free port, well-behaved.
    pub fn at(clock: Clock) -> Self {
        Self { clock, port: 0, misbehaviour: Misbehaviour::default() }
    }
}

/// A Sigstore that serves until it is dropped.
pub struct Sigstore {
    state: Arc<Shared>,
    server: tokio::task::JoinHandle<()>,
}

struct Shared {
    url: String,
    clock: Clock,
    misbehaviour: Mutex<Misbehaviour>,
    parts: Mutex<Parts>,
    requests: Mutex<Vec<String>>,
}

/// Everything with a key.
struct Parts {
    started: Timestamp,
    issuer: oidc::Issuer,
    fulcio: fulcio::Fulcio,
    ct_log: ct_log::CtLog,
    rekor_v1: rekor_v1::RekorV1,
    rekor_v2: rekor_v2::RekorV2,
    timestamps: timestamps::TimestampAuthority,
    tuf: tuf::Repository,
}

impl Sigstore {
    /// Starts everything.
    ///
    /// # Panics
    /// When the port is taken, or no keys and certificates can be made.
    #[expect(clippy::expect_used, reason = "a test cannot go on without")]
    pub async fn start(options: Options) -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", options.port)).await.expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let parts = Parts::new(address, options.clock.now()).expect("keys and certificates");
        let state = Arc::new(Shared {
            url: format!("http://{address}"),
            clock: options.clock,
            misbehaviour: Mutex::new(options.misbehaviour),
            parts: Mutex::new(parts),
            requests: Mutex::default(),
        });
        let router =
            Router::new().fallback(answer).layer(DefaultBodyLimit::disable()).with_state(Arc::clone(&state));
        let server = tokio::spawn(async move {
            // Ends when it is aborted.
            let _ = axum::serve(listener, router).await;
        });
        Self { state, server }
    }

    /// `http://127.0.0.1:PORT`: the issuer, Fulcio, and Rekor in both versions.
    pub fn url(&self) -> String {
        self.state.url.clone()
    }

    /// Where the timestamp authority is asked.
    pub fn timestamp_url(&self) -> String {
        trust::timestamp_url(&self.state.url)
    }

    /// The URL of the TUF repository; its targets are `trusted_root.json` and `signing_config.v0.2.json`.
    pub fn tuf_url(&self) -> String {
        format!("{}/tuf", self.state.url)
    }

    /// The clock that it goes by.
    pub fn clock(&self) -> &Clock {
        &self.state.clock
    }

    /// Changes how it misbehaves from now on.
    pub fn set(&self, change: impl FnOnce(&mut Misbehaviour)) {
        change(&mut lock(&self.state.misbehaviour));
    }

    /// The methods and paths that it was asked for so far: `POST /api/v2/signingCert`.
    pub fn requests(&self) -> Vec<String> {
        lock(&self.state.requests).clone()
    }

    /// `trusted_root.json`, as of now.
    ///
    /// # Panics
    /// When it cannot be put together.
    #[expect(clippy::expect_used, reason = "a test cannot go on without")]
    pub fn trusted_root(&self) -> String {
        self.state.trusted_root().expect("a trusted root")
    }

    /// `signing_config.v0.2.json`, with Rekor of this major version.
    pub fn signing_config(&self, rekor: u32) -> String {
        self.state.signing_config(rekor)
    }

    /// `root.json` of the TUF repository.
    ///
    /// # Panics
    /// When it cannot be signed.
    #[expect(clippy::expect_used, reason = "a test cannot go on without")]
    pub fn tuf_root(&self) -> String {
        lock(&self.state.parts).tuf.root().expect("a root")
    }

    /// A token for Fulcio, good for an hour from now.
    ///
    /// # Panics
    /// When it cannot be signed.
    #[expect(clippy::expect_used, reason = "a test cannot go on without")]
    pub fn token(&self, identity: &Identity) -> String {
        let now = self.state.clock.now();
        lock(&self.state.parts).issuer.token(&self.state.url, identity, now).expect("a token")
    }
}

impl Drop for Sigstore {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Parts {
    fn new(address: SocketAddr, now: Timestamp) -> Result<Self, Refusal> {
        let from = now.saturating_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN);
        let validity = certificates::validity(from, TEN_YEARS)?;
        // Clients compare a checkpoint's name with the host in the log's URL, without its port.
        let host = address.ip().to_string();
        Ok(Self {
            started: now,
            issuer: oidc::Issuer::new()?,
            fulcio: fulcio::Fulcio::new(validity)?,
            ct_log: ct_log::CtLog::new()?,
            rekor_v1: rekor_v1::RekorV1::new(&host, now)?,
            rekor_v2: rekor_v2::RekorV2::new(&host)?,
            timestamps: timestamps::TimestampAuthority::new(validity)?,
            tuf: tuf::Repository::new(now)?,
        })
    }
}

/// A request, taken apart.
struct Asked {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

async fn answer(
    State(state): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    lock(&state.requests).push(format!("{method} {}", uri.path()));
    let misbehaviour = lock(&state.misbehaviour).clone();
    if !misbehaviour.delay.is_zero() {
        tokio::time::sleep(misbehaviour.delay).await;
    }
    let fault = take_fault(&mut lock(&state.misbehaviour).faults, method.as_str(), uri.path());
    if let Some(fault) = fault {
        return fault;
    }
    let asked = Asked { method, uri, headers, body };
    let answer = state.route(&asked, &misbehaviour).unwrap_or_else(|refusal| refusal.answer());
    if misbehaviour.cut_off.iter().any(|part| asked.uri.path().contains(part)) {
        return cut_off(answer).await;
    }
    answer
}

impl Shared {
    fn route(&self, asked: &Asked, bad: &Misbehaviour) -> Result<Answer, Refusal> {
        let Asked { method, uri, body, .. } = asked;
        let path = uri.path();
        let mut parts = lock(&self.parts);
        let now = self.clock.now();
        match (method.as_str(), path) {
            ("GET", "/.well-known/openid-configuration") => {
                Ok(answer_json(200, &oidc::configuration(&self.url)))
            }
            ("GET", "/keys") => Ok(answer_json(200, &parts.issuer.keys())),
            ("POST", "/api/v2/signingCert") => self.signing_certificate(&parts, asked, bad),
            ("GET", "/api/v2/trustBundle") => Ok(answer_json(200, &parts.fulcio.trust_bundle()?)),
            ("GET", "/api/v2/configuration") => Ok(answer_json(200, &fulcio::configuration(&self.url))),
            ("POST", "/api/v1/log/entries") => Ok(logged(parts.rekor_v1.add(&parse(body)?, now, bad)?)),
            ("GET", "/api/v1/log/entries") => {
                let index = uri.query().and_then(|query| query.strip_prefix("logIndex=")).unwrap_or_default();
                Ok(answer_json(200, &parts.rekor_v1.at(index, bad)?))
            }
            ("GET", "/api/v1/log") => Ok(answer_json(200, &parts.rekor_v1.about(bad)?)),
            ("GET", "/api/v1/log/publicKey") => {
                Ok(typed("application/x-pem-file", parts.rekor_v1.public_key()?.into_bytes()))
            }
            ("POST", "/api/v2/log/entries") => Ok(answer_json(201, &parts.rekor_v2.add(&parse(body)?, bad)?)),
            ("GET", "/api/v2/checkpoint") => {
                Ok(typed("text/plain; charset=utf-8", parts.rekor_v2.log.latest(bad)?.into_bytes()))
            }
            ("POST", "/api/v1/timestamp") => {
                Ok(typed("application/timestamp-reply", parts.timestamps.reply(body, now)?))
            }
            ("GET", "/api/v1/timestamp/certchain") => {
                Ok(typed("application/pem-certificate-chain", parts.timestamps.chain()?.into_bytes()))
            }
            ("GET", _) => self.file(parts, path, bad),
            _ => Err(Refusal::not_found("path")),
        }
    }

    /// What has a name in the path.
    fn file(
        &self,
        parts: std::sync::MutexGuard<'_, Parts>,
        path: &str,
        bad: &Misbehaviour,
    ) -> Result<Answer, Refusal> {
        if let Some(uuid) = path.strip_prefix("/api/v1/log/entries/") {
            return Ok(answer_json(200, &parts.rekor_v1.find(uuid, bad)?));
        }
        if let Some(tile) = path.strip_prefix("/api/v2/tile/") {
            return Ok(typed("application/octet-stream", parts.rekor_v2.tile(tile)?));
        }
        let name = path.strip_prefix("/tuf/").ok_or_else(|| Refusal::not_found("path"))?;
        let root = trust::trusted_root(&parts, &self.url, self.clock.now(), bad)?.to_string();
        let config = trust::signing_config(parts.started, &self.url, 2).to_string();
        let targets = [("trusted_root.json", root), ("signing_config.v0.2.json", config)];
        Ok(typed("application/json", parts.tuf.file(name, &targets)?.into_bytes()))
    }

    /// The token comes in the request or, from sigstore-go, as a bearer's.
    fn signing_certificate(
        &self,
        parts: &Parts,
        asked: &Asked,
        bad: &Misbehaviour,
    ) -> Result<Answer, Refusal> {
        let request = parse(&asked.body)?;
        let now = self.clock.now();
        let header = asked.headers.get("authorization").and_then(|header| header.to_str().ok());
        let token = match header.and_then(|header| header.strip_prefix("Bearer ")) {
            Some(token) => token,
            None => text(&request, "/credentials/oidcIdentityToken")?,
        };
        let claims = parts.issuer.claims(&self.url, token, now)?;
        let chain = parts.fulcio.signing_certificate(&request, &claims, &parts.ct_log, now, bad)?;
        Ok(answer_json(200, &chain))
    }

    fn trusted_root(&self) -> Result<String, Refusal> {
        let misbehaviour = lock(&self.misbehaviour).clone();
        let parts = lock(&self.parts);
        Ok(trust::trusted_root(&parts, &self.url, self.clock.now(), &misbehaviour)?.to_string())
    }

    fn signing_config(&self, rekor: u32) -> String {
        trust::signing_config(lock(&self.parts).started, &self.url, rekor).to_string()
    }
}

/// As Rekor v1 answers: an equivalent entry is a conflict, and where it is to be found.
fn logged(logged: Logged) -> Answer {
    let location = |uuid: &str| ("location", format!("/api/v1/log/entries/{uuid}"));
    match logged {
        Logged::Created { uuid, entry } => {
            let headers = [location(&uuid), ("content-type", "application/json".to_owned()), ("etag", uuid)];
            respond(201, &headers, entry.to_string())
        }
        Logged::Known { uuid } => {
            let message =
                format!("an equivalent entry already exists in the transparency log with UUID {uuid}");
            let mut answer = Refusal::new(409, message).answer();
            let (name, value) = location(&uuid);
            if let Ok(value) = value.parse() {
                answer.headers_mut().insert(name, value);
            }
            answer
        }
    }
}

fn answer_json(status: u16, body: &Value) -> Answer {
    respond(status, &[("content-type", "application/json".to_owned())], body.to_string())
}

fn typed(kind: &str, body: Vec<u8>) -> Answer {
    respond(200, &[("content-type", kind.to_owned())], body)
}

/// The first half of an answer, under the length of the whole.
async fn cut_off(answer: Answer) -> Answer {
    let (mut parts, body) = answer.into_parts();
    let mut bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default().to_vec();
    parts.headers.insert("content-length", bytes.len().into());
    bytes.truncate(bytes.len() / 2);
    Response::from_parts(parts, Body::from_stream(breaking_off(bytes)))
}

fn parse(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::bad_request(format!("not JSON: {error}")))
}

/// The string at a JSON pointer.
fn text<'a>(value: &'a Value, pointer: &str) -> Result<&'a str, Refusal> {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .ok_or_else(|| Refusal::bad_request(format!("no text at {pointer}")))
}

/// JSON as it is signed: no white space, names in order. What is written here are short ASCII names, whole numbers and
/// text without control characters, for which RFC 8785 and TUF's canonical JSON ask no more than that.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by_key(|(name, _)| name.as_str());
            let written = sorted
                .iter()
                .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), canonical(value)));
            format!("{{{}}}", written.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

const TEN_YEARS: SignedDuration = SignedDuration::from_hours(24 * 365 * 10);
