//! A registry in the process of the test: in memory, on loopback, and as faulty as asked.
//!
//! It answers as [distribution-spec 1.1](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md) says,
//! unless one of [`Knobs`] says otherwise, and remembers what it was asked.

mod auth;
mod knobs;
mod tamper;
mod wire;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Value, json};
use touchmark_demo_sigstore::serving::{Answer, lock, pairs, respond, take_fault};
use touchmark_oci::{Digest, ImageName, media_type};

pub use knobs::{Auth, Knobs, Location, Meeting, Recorded, ReferrersApi, Tamper};

use tamper::tampered_with;
use wire::{Asked, error};

/// A registry that serves until it is dropped.
pub struct FakeRegistry {
    address: SocketAddr,
    state: Arc<Shared>,
    server: tokio::task::JoinHandle<()>,
}

struct Shared {
    address: SocketAddr,
    knobs: Mutex<Knobs>,
    contents: Mutex<Contents>,
    requests: Mutex<Vec<Recorded>>,
    crowd: Mutex<Crowd>,
}

/// How many requests are being answered, and were at most.
#[derive(Default)]
struct Crowd {
    now: usize,
    peak: usize,
}

/// A request that is being answered.
struct Present<'a>(&'a Mutex<Crowd>);

impl<'a> Present<'a> {
    fn count(crowd: &'a Mutex<Crowd>) -> Self {
        let mut counted = lock(crowd);
        counted.now += 1;
        counted.peak = counted.peak.max(counted.now);
        Self(crowd)
    }
}

impl Drop for Present<'_> {
    fn drop(&mut self) {
        lock(self.0).now -= 1;
    }
}

#[derive(Default)]
struct Contents {
    /// By repository and digest.
    blobs: HashMap<(String, String), Bytes>,
    /// By repository and digest.
    manifests: HashMap<(String, String), (String, Bytes)>,
    /// By repository and tag.
    tags: HashMap<(String, String), String>,
    /// By upload.
    uploads: HashMap<String, Vec<u8>>,
    started: u64,
}

impl FakeRegistry {
    /// Starts a registry that behaves well.
    pub async fn start() -> Self {
        Self::start_with(Knobs::default()).await
    }

    /// Starts a registry.
    ///
    /// # Panics
    /// When there is no free port on loopback.
    #[expect(clippy::expect_used, reason = "a test cannot go on without")]
    pub async fn start_with(knobs: Knobs) -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let state = Arc::new(Shared {
            address,
            knobs: Mutex::new(knobs),
            contents: Mutex::default(),
            requests: Mutex::default(),
            crowd: Mutex::default(),
        });
        let router =
            Router::new().fallback(answer).layer(DefaultBodyLimit::disable()).with_state(Arc::clone(&state));
        let server = tokio::spawn(async move {
            // Ends when it is aborted.
            let _ = axum::serve(listener, router).await;
        });
        Self { address, state, server }
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// A repository of this registry.
    pub fn name(&self, repository: &str) -> ImageName {
        ImageName::Repository { registry: self.host(), repository: repository.to_owned() }
    }

    /// Changes how it behaves from now on.
    pub fn set(&self, change: impl FnOnce(&mut Knobs)) {
        change(&mut lock(&self.state.knobs));
    }

    /// What it was asked so far.
    pub fn requests(&self) -> Vec<Recorded> {
        lock(&self.state.requests).clone()
    }

    /// How many requests with this method had this in their path.
    pub fn count(&self, method: &str, path: &str) -> usize {
        lock(&self.state.requests)
            .iter()
            .filter(|seen| seen.method == method && seen.path.contains(path))
            .count()
    }

    /// How many requests it was answering at the same time, at most.
    pub fn peak(&self) -> usize {
        lock(&self.state.crowd).peak
    }

    /// Forgets what it was asked.
    pub fn forget_requests(&self) {
        lock(&self.state.requests).clear();
        lock(&self.state.crowd).peak = 0;
    }

    /// Keeps a blob.
    pub fn put_blob(&self, repository: &str, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        let key = (repository.to_owned(), digest.to_string());
        lock(&self.state.contents).blobs.insert(key, Bytes::copy_from_slice(bytes));
        digest
    }

    /// Keeps a manifest, under a tag or none, whatever its bytes are.
    pub fn put_manifest(
        &self,
        repository: &str,
        tag: Option<&str>,
        media_type: &str,
        bytes: &[u8],
    ) -> Digest {
        let digest = Digest::of(bytes);
        let mut contents = lock(&self.state.contents);
        contents.keep(repository, tag, media_type.to_owned(), Bytes::copy_from_slice(bytes));
        digest
    }

    /// The manifest that a tag points at.
    pub fn tag(&self, repository: &str, tag: &str) -> Option<Vec<u8>> {
        lock(&self.state.contents).manifest(repository, tag).map(|(_, bytes)| bytes.to_vec())
    }
}

impl Drop for FakeRegistry {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Contents {
    fn keep(&mut self, repository: &str, tag: Option<&str>, kind: String, bytes: Bytes) -> String {
        let digest = Digest::of(&bytes).to_string();
        self.manifests.insert((repository.to_owned(), digest.clone()), (kind, bytes));
        if let Some(tag) = tag {
            self.tags.insert((repository.to_owned(), tag.to_owned()), digest.clone());
        }
        digest
    }

    fn manifest(&self, repository: &str, reference: &str) -> Option<(String, Bytes)> {
        let repository = repository.to_owned();
        let digest = match self.tags.get(&(repository.clone(), reference.to_owned())) {
            Some(digest) => digest.clone(),
            None => reference.to_owned(),
        };
        self.manifests.get(&(repository, digest)).cloned()
    }
}

async fn answer(
    State(state): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let pairs = pairs(uri.query().unwrap_or_default());
    let scopes = pairs.iter().filter(|(name, _)| name == "scope").map(|(_, value)| value.clone()).collect();
    let path = uri.path().to_owned();
    let asked = Asked { method, path, query: pairs.into_iter().collect(), scopes, headers, body };
    lock(&state.requests).push(Recorded {
        method: asked.method.to_string(),
        path: asked.path.clone(),
        query: uri.query().unwrap_or_default().to_owned(),
        authorization: asked.header("authorization").map(str::to_owned),
    });
    let _present = Present::count(&state.crowd);
    state.pause(&asked).await;
    if let Some(fault) = state.fault(&asked) {
        return fault;
    }
    if asked.path == "/token" {
        return state.token(&asked);
    }
    if let Some(refused) = state.unauthorized(&asked) {
        return refused;
    }
    let answer = state.route(&asked);
    state.tampered(&asked, answer).await
}

impl Shared {
    async fn pause(&self, asked: &Asked) {
        let Knobs { delay, meetings, .. } = lock(&self.knobs).clone();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        for meeting in meetings.iter().filter(|meeting| asked.path.contains(&meeting.path)) {
            meeting.all_there.wait().await;
        }
    }

    fn fault(&self, asked: &Asked) -> Option<Answer> {
        take_fault(&mut lock(&self.knobs).faults, asked.method.as_str(), &asked.path)
    }

    fn route(&self, asked: &Asked) -> Answer {
        let Some(rest) = asked.path.strip_prefix("/v2/") else {
            return error(404, "NAME_UNKNOWN");
        };
        if rest.is_empty() {
            return respond(200, &[], "{}");
        }
        if let Some((repository, upload)) = rest.split_once("/blobs/uploads/") {
            return self.upload(asked, repository, upload);
        }
        if let Some((repository, digest)) = rest.split_once("/blobs/") {
            return self.blob(asked, repository, digest);
        }
        if let Some((repository, reference)) = rest.split_once("/manifests/") {
            return self.manifest(asked, repository, reference);
        }
        match rest.split_once("/referrers/") {
            Some((repository, subject)) => self.referrers(asked, repository, subject),
            None => error(404, "NAME_UNKNOWN"),
        }
    }

    fn blob(&self, asked: &Asked, repository: &str, digest: &str) -> Answer {
        let found = lock(&self.contents).blobs.get(&(repository.to_owned(), digest.to_owned())).cloned();
        let Some(bytes) = found else {
            return error(404, "BLOB_UNKNOWN");
        };
        if asked.method == Method::GET
            && let Some(elsewhere) = &lock(&self.knobs).redirect_blobs
        {
            return respond(307, &[("location", format!("{elsewhere}{}", asked.path))], "");
        }
        respond(200, &[("content-type", "application/octet-stream".into())], bytes)
    }

    fn manifest(&self, asked: &Asked, repository: &str, reference: &str) -> Answer {
        if asked.method == Method::PUT {
            return self.put(asked, repository, reference);
        }
        if asked.method == Method::DELETE {
            return self.delete(repository, reference);
        }
        let found = lock(&self.contents).manifest(repository, reference);
        let Some((kind, bytes)) = found else {
            return error(404, "MANIFEST_UNKNOWN");
        };
        let digest = Digest::of(&bytes).to_string();
        respond(200, &[("content-type", kind), ("docker-content-digest", digest)], bytes)
    }

    /// Deletes a manifest by digest, with the tags that point at it.
    fn delete(&self, repository: &str, digest: &str) -> Answer {
        let mut contents = lock(&self.contents);
        if contents.manifests.remove(&(repository.to_owned(), digest.to_owned())).is_none() {
            return error(404, "MANIFEST_UNKNOWN");
        }
        contents.tags.retain(|(in_repository, _), target| in_repository != repository || target != digest);
        respond(202, &[], "")
    }

    /// Stores a manifest whose blobs are there; of those that are not, the specification lets a registry refuse it.
    fn put(&self, asked: &Asked, repository: &str, reference: &str) -> Answer {
        let Ok(document) = serde_json::from_slice::<Value>(&asked.body) else {
            return error(400, "MANIFEST_INVALID");
        };
        let kind = asked.header("content-type").unwrap_or(media_type::OCI_MANIFEST).to_owned();
        let mut contents = lock(&self.contents);
        let blobs = document
            .get("layers")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .chain(document.get("config"));
        for blob in blobs {
            let digest = blob.get("digest").and_then(Value::as_str).unwrap_or_default().to_owned();
            if !contents.blobs.contains_key(&(repository.to_owned(), digest)) {
                return error(404, "MANIFEST_BLOB_UNKNOWN");
            }
        }
        let tag = Some(reference).filter(|reference| !reference.contains(':'));
        let digest = contents.keep(repository, tag, kind.clone(), asked.body.clone());
        if tag.is_none() && digest != reference {
            return error(400, "DIGEST_INVALID");
        }
        let mut knobs = lock(&self.knobs);
        if let Some(bytes) = tag.and_then(|tag| knobs.overwrites.get_mut(tag)).and_then(VecDeque::pop_front) {
            contents.keep(repository, tag, kind, bytes.into());
        }
        let mut headers = vec![
            ("location", format!("/v2/{repository}/manifests/{digest}")),
            ("docker-content-digest", digest),
        ];
        let announced = matches!(knobs.referrers, ReferrersApi::Served | ReferrersApi::OnlyAnnounced);
        if let Some(subject) =
            document.pointer("/subject/digest").and_then(Value::as_str).filter(|_| announced)
        {
            headers.push(("oci-subject", subject.to_owned()));
        }
        respond(201, &headers, "")
    }

    fn referrers(&self, asked: &Asked, repository: &str, subject: &str) -> Answer {
        let knobs = lock(&self.knobs).clone();
        if matches!(knobs.referrers, ReferrersApi::Absent | ReferrersApi::OnlyAnnounced) {
            return error(404, "NOT_FOUND");
        }
        let mut all: Vec<(String, Value)> = lock(&self.contents)
            .manifests
            .iter()
            .filter(|((in_repository, _), _)| in_repository == repository)
            .filter_map(|((_, digest), (kind, bytes))| {
                Some((digest.clone(), listed(digest, kind, bytes, subject)?))
            })
            .collect();
        all.sort_by(|one, other| one.0.cmp(&other.0));
        let start: usize = asked.query.get("start").and_then(|start| start.parse().ok()).unwrap_or(0);
        let page: Vec<Value> =
            all.iter().skip(start).take(knobs.page_size).map(|(_, entry)| entry.clone()).collect();
        let next = start + knobs.page_size;
        let mut headers = vec![("content-type", media_type::OCI_INDEX.to_owned())];
        if knobs.endless_pages || next < all.len() {
            let here = format!("{}?start={next}", asked.path);
            let target = knobs.next_page.unwrap_or(here);
            headers.push(("link", format!("<{target}>; rel=\"next\"")));
        }
        let index = json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": page});
        respond(200, &headers, index.to_string())
    }

    fn upload(&self, asked: &Asked, repository: &str, upload: &str) -> Answer {
        let knobs = lock(&self.knobs).clone();
        let mut contents = lock(&self.contents);
        let digest = asked.query.get("digest").cloned();
        match asked.method {
            Method::POST => {
                if let (Some(digest), Some(from), true) =
                    (asked.query.get("mount"), asked.query.get("from"), knobs.mounts)
                    && let Some(bytes) = contents.blobs.get(&(from.clone(), digest.clone())).cloned()
                {
                    contents.blobs.insert((repository.to_owned(), digest.clone()), bytes);
                    return respond(201, &[("location", format!("/v2/{repository}/blobs/{digest}"))], "");
                }
                contents.started += 1;
                let id = format!("u{}", contents.started);
                contents.uploads.insert(id.clone(), Vec::new());
                self.accepted(&knobs, repository, &id, 0)
            }
            Method::PATCH => {
                let Some(bytes) = contents.uploads.get_mut(upload) else {
                    return error(404, "BLOB_UPLOAD_UNKNOWN");
                };
                let start = asked.header("content-range").and_then(|range| range.split('-').next());
                if start.is_some_and(|start| start != bytes.len().to_string()) {
                    return error(416, "BLOB_UPLOAD_INVALID");
                }
                bytes.extend_from_slice(&asked.body);
                let size = bytes.len();
                self.accepted(&knobs, repository, upload, size)
            }
            Method::PUT => {
                let Some(mut bytes) = contents.uploads.remove(upload) else {
                    return error(404, "BLOB_UPLOAD_UNKNOWN");
                };
                bytes.extend_from_slice(&asked.body);
                let digest = digest.unwrap_or_default();
                if Digest::of(&bytes).to_string() != digest {
                    return error(400, "DIGEST_INVALID");
                }
                contents.blobs.insert((repository.to_owned(), digest.clone()), bytes.into());
                respond(201, &[("location", format!("/v2/{repository}/blobs/{digest}"))], "")
            }
            Method::DELETE => {
                contents.uploads.remove(upload);
                respond(204, &[], "")
            }
            _ => error(405, "UNSUPPORTED"),
        }
    }

    fn accepted(&self, knobs: &Knobs, repository: &str, id: &str, size: usize) -> Answer {
        let path = format!("/v2/{repository}/blobs/uploads/{id}?state=a%2Fb");
        let location = match &knobs.location {
            Location::Relative => Some(path),
            Location::Absolute => Some(format!("http://{}{path}", self.address)),
            Location::Elsewhere(origin) => Some(format!("{origin}{path}")),
            Location::Missing => None,
        };
        let mut headers = vec![("range", format!("0-{}", size.saturating_sub(1)))];
        headers.extend(location.map(|location| ("location", location)));
        respond(202, &headers, "")
    }

    async fn tampered(&self, asked: &Asked, answer: Answer) -> Answer {
        let tampers = lock(&self.knobs).tampers.clone();
        let mut answer = answer;
        for (path, tamper) in tampers {
            if answer.status() == StatusCode::OK && asked.path.contains(&path) {
                answer = tampered_with(answer, &tamper).await;
            }
        }
        answer
    }
}

/// A manifest as the referrers API lists it, if it has that subject.
fn listed(digest: &str, kind: &str, bytes: &[u8], subject: &str) -> Option<Value> {
    let document: Value = serde_json::from_slice(bytes).ok()?;
    if document.pointer("/subject/digest").and_then(Value::as_str) != Some(subject) {
        return None;
    }
    let artifact_type = document.get("artifactType").or_else(|| document.pointer("/config/mediaType"));
    Some(json!({
        "mediaType": kind,
        "digest": digest,
        "size": bytes.len(),
        "artifactType": artifact_type,
        "annotations": document.get("annotations"),
    }))
}
