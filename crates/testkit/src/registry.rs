//! A registry in the process of the test: in memory, on loopback, and as faulty as asked.
//!
//! It answers as [distribution-spec 1.1](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md) says, unless one of
//! [`Knobs`] says otherwise, and remembers what it was asked.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use touchmark_oci::{Digest, ImageName, media_type};

/// How a [`FakeRegistry`] behaves.
#[derive(Debug, Clone)]
pub struct Knobs {
    /// Whether and how the referrers API is served.
    pub referrers: ReferrersApi,
    /// Referrers on one page.
    pub page_size: usize,
    /// Whether each page of referrers has a next one, for ever.
    pub endless_pages: bool,
    /// Where the next page of referrers is said to be, instead of here.
    pub next_page: Option<String>,
    /// Who may do what.
    pub auth: Auth,
    /// Answers to give instead, the first that matches.
    pub faults: Vec<Fault>,
    /// What is done to bodies on their way out.
    pub tampers: Vec<(String, Tamper)>,
    /// Where uploads go on.
    pub location: Location,
    /// Whether blobs can be mounted.
    pub mounts: bool,
    /// `scheme://host` to which `GET`s of blobs are redirected.
    pub redirect_blobs: Option<String>,
    /// After a tag was written, these bytes take its place, once each: another writer came between.
    pub overwrites: HashMap<String, VecDeque<Vec<u8>>>,
    /// How long every answer takes.
    pub delay: Duration,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            referrers: ReferrersApi::Served,
            page_size: 1_000,
            endless_pages: false,
            next_page: None,
            auth: Auth::None,
            faults: Vec::new(),
            tampers: Vec::new(),
            location: Location::Relative,
            mounts: true,
            redirect_blobs: None,
            overwrites: HashMap::new(),
            delay: Duration::ZERO,
        }
    }
}

/// Whether and how the referrers API is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReferrersApi {
    /// As specified.
    Served,
    /// Served, but a push is not answered with `OCI-Subject`.
    Unannounced,
    /// Not served, but a push is answered with `OCI-Subject`.
    OnlyAnnounced,
    /// Not at all.
    Absent,
}

/// Who may do what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// Anyone anything.
    None,
    /// These users anything, by `Basic`.
    Basic(BTreeMap<String, String>),
    /// These users anything, by a token from `/token` here.
    Bearer {
        /// Users and their passwords.
        users: BTreeMap<String, String>,
        /// Refresh tokens that are as good.
        refresh_tokens: Vec<String>,
        /// Whether anyone may pull, with an anonymous token.
        anonymous_pull: bool,
        /// The token server, instead of this one.
        realm: Option<String>,
    },
}

/// An answer to give instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Of requests with this method, or any.
    pub method: Option<String>,
    /// Of requests whose path has this in it.
    pub path: String,
    /// The status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
    /// How often; `u32::MAX` for always.
    pub times: u32,
}

impl Fault {
    /// A status, always.
    pub fn always(path: &str, status: u16) -> Self {
        Self::times(path, status, u32::MAX)
    }

    /// A status, some times.
    pub fn times(path: &str, status: u16, times: u32) -> Self {
        Self {
            method: None,
            path: path.to_owned(),
            status,
            headers: Vec::new(),
            body: String::new(),
            times,
        }
    }

    /// Only for requests with this method.
    #[must_use]
    pub fn on(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a body.
    #[must_use]
    pub fn body(mut self, body: &str) -> Self {
        self.body = body.to_owned();
        self
    }
}

/// What is done to a body on its way out, where the path has the text beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tamper {
    /// The last byte is another.
    Flip,
    /// The last byte is missing.
    Shorten,
    /// There is a byte more.
    Lengthen,
    /// The connection breaks before the end, which is announced right.
    BreakOff,
    /// `Docker-Content-Digest` says something else.
    LieInHeader,
    /// The media type is another.
    MediaType(String),
}

/// Where uploads go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A path.
    Relative,
    /// A URL.
    Absolute,
    /// Nowhere.
    Missing,
    /// At another `scheme://host`.
    Elsewhere(String),
}

/// A request as it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The query, if any.
    pub query: String,
    /// The `Authorization` header, if any.
    pub authorization: Option<String>,
}

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
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let state = Arc::new(Shared {
            address,
            knobs: Mutex::new(knobs),
            contents: Mutex::default(),
            requests: Mutex::default(),
        });
        let router = Router::new()
            .fallback(answer)
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&state));
        let server = tokio::spawn(async move {
            // Ends when it is aborted.
            let _ = axum::serve(listener, router).await;
        });
        Self {
            address,
            state,
            server,
        }
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// A repository of this registry.
    pub fn name(&self, repository: &str) -> ImageName {
        ImageName::Repository {
            registry: self.host(),
            repository: repository.to_owned(),
        }
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

    /// Forgets what it was asked.
    pub fn forget_requests(&self) {
        lock(&self.state.requests).clear();
    }

    /// Keeps a blob.
    pub fn put_blob(&self, repository: &str, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        let key = (repository.to_owned(), digest.to_string());
        lock(&self.state.contents)
            .blobs
            .insert(key, Bytes::copy_from_slice(bytes));
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
        contents.keep(
            repository,
            tag,
            media_type.to_owned(),
            Bytes::copy_from_slice(bytes),
        );
        digest
    }

    /// The manifest that a tag points at.
    pub fn tag(&self, repository: &str, tag: &str) -> Option<Vec<u8>> {
        lock(&self.state.contents)
            .manifest(repository, tag)
            .map(|(_, bytes)| bytes.to_vec())
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
        self.manifests
            .insert((repository.to_owned(), digest.clone()), (kind, bytes));
        if let Some(tag) = tag {
            self.tags
                .insert((repository.to_owned(), tag.to_owned()), digest.clone());
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A request, taken apart.
struct Asked {
    method: Method,
    path: String,
    query: HashMap<String, String>,
    scopes: Vec<String>,
    headers: HeaderMap,
    body: Bytes,
}

impl Asked {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

type Answer = Response<Body>;

async fn answer(
    State(state): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let pairs = pairs(uri.query().unwrap_or_default());
    let scopes = pairs
        .iter()
        .filter(|(name, _)| name == "scope")
        .map(|(_, value)| value.clone())
        .collect();
    let path = uri.path().to_owned();
    let asked = Asked {
        method,
        path,
        query: pairs.into_iter().collect(),
        scopes,
        headers,
        body,
    };
    lock(&state.requests).push(Recorded {
        method: asked.method.to_string(),
        path: asked.path.clone(),
        query: uri.query().unwrap_or_default().to_owned(),
        authorization: asked.header("authorization").map(str::to_owned),
    });
    let delay = lock(&state.knobs).delay;
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
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
    fn fault(&self, asked: &Asked) -> Option<Answer> {
        let mut knobs = lock(&self.knobs);
        let method = asked.method.as_str();
        let fault = knobs.faults.iter_mut().find(|fault| {
            fault.times > 0
                && asked.path.contains(&fault.path)
                && fault.method.as_deref().is_none_or(|only| only == method)
        })?;
        if fault.times != u32::MAX {
            fault.times -= 1;
        }
        let headers: Vec<(&str, String)> = fault
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()))
            .collect();
        Some(respond(fault.status, &headers, fault.body.clone()))
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
        let found = lock(&self.contents)
            .blobs
            .get(&(repository.to_owned(), digest.to_owned()))
            .cloned();
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
        let found = lock(&self.contents).manifest(repository, reference);
        let Some((kind, bytes)) = found else {
            return error(404, "MANIFEST_UNKNOWN");
        };
        let digest = Digest::of(&bytes).to_string();
        respond(
            200,
            &[("content-type", kind), ("docker-content-digest", digest)],
            bytes,
        )
    }

    /// Stores a manifest whose blobs are there; of those that are not, the specification lets a registry refuse it.
    fn put(&self, asked: &Asked, repository: &str, reference: &str) -> Answer {
        let Ok(document) = serde_json::from_slice::<Value>(&asked.body) else {
            return error(400, "MANIFEST_INVALID");
        };
        let kind = asked
            .header("content-type")
            .unwrap_or(media_type::OCI_MANIFEST)
            .to_owned();
        let mut contents = lock(&self.contents);
        let blobs = document["layers"]
            .as_array()
            .into_iter()
            .flatten()
            .chain(document.get("config"));
        for blob in blobs {
            let digest = blob["digest"].as_str().unwrap_or_default().to_owned();
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
        if let Some(bytes) = tag
            .and_then(|tag| knobs.overwrites.get_mut(tag))
            .and_then(VecDeque::pop_front)
        {
            contents.keep(repository, tag, kind, bytes.into());
        }
        let mut headers = vec![
            ("location", format!("/v2/{repository}/manifests/{digest}")),
            ("docker-content-digest", digest),
        ];
        let announced = matches!(
            knobs.referrers,
            ReferrersApi::Served | ReferrersApi::OnlyAnnounced
        );
        if let Some(subject) = document["subject"]["digest"].as_str().filter(|_| announced) {
            headers.push(("oci-subject", subject.to_owned()));
        }
        respond(201, &headers, "")
    }

    fn referrers(&self, asked: &Asked, repository: &str, subject: &str) -> Answer {
        let knobs = lock(&self.knobs).clone();
        if matches!(
            knobs.referrers,
            ReferrersApi::Absent | ReferrersApi::OnlyAnnounced
        ) {
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
        let start: usize = asked
            .query
            .get("start")
            .and_then(|start| start.parse().ok())
            .unwrap_or(0);
        let page: Vec<Value> = all
            .iter()
            .skip(start)
            .take(knobs.page_size)
            .map(|(_, entry)| entry.clone())
            .collect();
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
                    contents
                        .blobs
                        .insert((repository.to_owned(), digest.clone()), bytes);
                    return respond(
                        201,
                        &[("location", format!("/v2/{repository}/blobs/{digest}"))],
                        "",
                    );
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
                let start = asked
                    .header("content-range")
                    .and_then(|range| range.split('-').next());
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
                contents
                    .blobs
                    .insert((repository.to_owned(), digest.clone()), bytes.into());
                respond(
                    201,
                    &[("location", format!("/v2/{repository}/blobs/{digest}"))],
                    "",
                )
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

    /// The token server: what it gives names the user and what is allowed.
    fn token(&self, asked: &Asked) -> Answer {
        let Auth::Bearer {
            users,
            refresh_tokens,
            anonymous_pull,
            ..
        } = lock(&self.knobs).auth.clone()
        else {
            return error(404, "NOT_FOUND");
        };
        let (user, scopes) = if asked.method == Method::POST {
            let form: HashMap<String, String> =
                pairs(&String::from_utf8_lossy(&asked.body)).into_iter().collect();
            let known = form
                .get("refresh_token")
                .is_some_and(|token| refresh_tokens.contains(token));
            let scopes = form
                .get("scope")
                .map(|scope| scope.split(' ').map(str::to_owned).collect());
            (known.then(|| "refreshed".to_owned()), scopes.unwrap_or_default())
        } else {
            let user = match basic_user(asked, &users) {
                None => anonymous_pull.then(|| "anonymous".to_owned()),
                Some(user) => user,
            };
            (user, asked.scopes.clone())
        };
        let Some(user) = user else {
            return error(401, "UNAUTHORIZED");
        };
        let allowed: Vec<String> = scopes
            .iter()
            .map(|scope| {
                if user == "anonymous" {
                    scope.replace("pull,push", "pull")
                } else {
                    scope.clone()
                }
            })
            .collect();
        let token = STANDARD.encode(format!("{user} {}", allowed.join(" ")));
        respond(200, &[], json!({"token": token, "expires_in": 300}).to_string())
    }

    fn unauthorized(&self, asked: &Asked) -> Option<Answer> {
        let auth = lock(&self.knobs).auth.clone();
        let given = asked.header("authorization");
        let challenge = match auth {
            Auth::None => return None,
            Auth::Basic(users) => {
                if basic_user(asked, &users).flatten().is_some() {
                    return None;
                }
                "Basic realm=\"fake\"".to_owned()
            }
            Auth::Bearer { realm, .. } => {
                let scope = needed_scope(asked);
                if given
                    .and_then(|given| given.strip_prefix("Bearer "))
                    .is_some_and(|token| allows(token, &scope))
                {
                    return None;
                }
                let realm = realm.unwrap_or_else(|| format!("http://{}/token", self.address));
                format!("Bearer realm=\"{realm}\",service=\"fake\",scope=\"{scope}\"")
            }
        };
        let body = json!({"errors": [{"code": "UNAUTHORIZED", "message": "who are you?"}]});
        Some(respond(401, &[("www-authenticate", challenge)], body.to_string()))
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

async fn tampered_with(answer: Answer, tamper: &Tamper) -> Answer {
    let (mut parts, body) = answer.into_parts();
    let mut bytes = axum::body::to_bytes(body, usize::MAX)
        .await
        .unwrap_or_default()
        .to_vec();
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = value.parse() {
            parts.headers.insert(name, value);
        }
    };
    match tamper {
        Tamper::Flip => {
            if let Some(last) = bytes.last_mut() {
                *last ^= 1;
            }
        }
        Tamper::Shorten => {
            bytes.pop();
        }
        Tamper::Lengthen => bytes.push(b'!'),
        Tamper::LieInHeader => set("docker-content-digest", &Digest::of(b"a lie").to_string()),
        Tamper::MediaType(kind) => set("content-type", kind),
        Tamper::BreakOff => {
            set("content-length", &bytes.len().to_string());
            bytes.pop();
            return Response::from_parts(parts, Body::from_stream(breaking_off(bytes)));
        }
    }
    parts.headers.remove("content-length");
    Response::from_parts(parts, Body::from(bytes))
}

/// All bytes and then an error, late enough that the bytes are on their way.
fn breaking_off(bytes: Vec<u8>) -> impl futures_util::Stream<Item = Result<Bytes, std::io::Error>> {
    futures_util::stream::unfold(Some(bytes), |bytes| async move {
        match bytes {
            Some(bytes) => Some((Ok(Bytes::from(bytes)), None)),
            None => {
                tokio::task::yield_now().await;
                Some((Err(std::io::Error::other("broken off")), None))
            }
        }
    })
}

/// A manifest as the referrers API lists it, if it has that subject.
fn listed(digest: &str, kind: &str, bytes: &[u8], subject: &str) -> Option<Value> {
    let document: Value = serde_json::from_slice(bytes).ok()?;
    if document["subject"]["digest"] != subject {
        return None;
    }
    let artifact_type = document
        .get("artifactType")
        .or_else(|| document["config"].get("mediaType"));
    Some(json!({
        "mediaType": kind,
        "digest": digest,
        "size": bytes.len(),
        "artifactType": artifact_type,
        "annotations": document.get("annotations"),
    }))
}

fn needed_scope(asked: &Asked) -> String {
    let rest = asked.path.strip_prefix("/v2/").unwrap_or_default();
    let end = ["/blobs/", "/manifests/", "/referrers/"]
        .iter()
        .filter_map(|part| rest.find(part))
        .min();
    let repository = end.and_then(|end| rest.get(..end)).unwrap_or_default();
    let action = if matches!(asked.method, Method::GET | Method::HEAD) {
        "pull"
    } else {
        "pull,push"
    };
    format!("repository:{repository}:{action}")
}

fn allows(token: &str, scope: &str) -> bool {
    let text = STANDARD.decode(token).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.split(' ')
        .skip(1)
        .any(|allowed| allowed == scope || allowed == format!("{scope},push"))
}

/// Who an `Authorization: Basic` names: nothing without one, `Some(None)` for a wrong one.
fn basic_user(asked: &Asked, users: &BTreeMap<String, String>) -> Option<Option<String>> {
    let pair = STANDARD
        .decode(asked.header("authorization")?.strip_prefix("Basic ")?)
        .unwrap_or_default();
    let pair = String::from_utf8_lossy(&pair);
    let (user, password) = pair.split_once(':').unwrap_or_default();
    Some(
        users
            .get(user)
            .is_some_and(|wanted| wanted == password)
            .then(|| user.to_owned()),
    )
}

fn error(status: u16, code: &str) -> Answer {
    respond(
        status,
        &[],
        json!({"errors": [{"code": code, "message": ""}]}).to_string(),
    )
}

fn respond(status: u16, headers: &[(&str, String)], body: impl Into<Body>) -> Answer {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (axum::http::HeaderName::try_from(*name), value.parse()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// The pairs of a query or form.
fn pairs(text: &str) -> Vec<(String, String)> {
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (unescape(name), unescape(value))
    };
    text.split('&')
        .filter(|part| !part.is_empty())
        .map(pair)
        .collect()
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let code = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
                bytes.extend(code.and_then(|hex| u8::from_str_radix(hex, 16).ok()));
                rest = tail.get(2..).unwrap_or_default();
            }
            other => bytes.push(*other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
