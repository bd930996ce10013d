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
mod json;
mod keys;
mod log;
mod merkle;
mod misbehaviour;
mod oidc;
mod refusal;
mod rekor_v1;
mod rekor_v2;
mod routes;
mod timestamps;
mod trust;
mod tuf;
mod witness;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use jiff::{SignedDuration, Timestamp};

use crate::registry::lock;

pub use clock::Clock;
pub use misbehaviour::{Authority, Misbehaviour};
pub use oidc::Identity;

use refusal::Refusal;

/// How to start a [`Sigstore`].
#[derive(Debug, Clone)]
pub struct Options {
    /// The time that everything goes by.
    pub clock: Clock,
    /// The port on loopback; 0 for a free one.
    pub port: u16,
    /// How many witnesses sign the checkpoints of Rekor v2.
    pub witnesses: usize,
    /// What it does wrong from the start.
    pub misbehaviour: Misbehaviour,
}

impl Options {
    /// On a free port, without witnesses, well-behaved.
    pub fn at(clock: Clock) -> Self {
        Self { clock, port: 0, witnesses: 0, misbehaviour: Misbehaviour::default() }
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
        let parts = Parts::new(address, &options.clock, options.witnesses).expect("keys and certificates");
        let state = Arc::new(Shared {
            url: format!("http://{address}"),
            clock: options.clock,
            misbehaviour: Mutex::new(options.misbehaviour),
            parts: Mutex::new(parts),
            requests: Mutex::default(),
        });
        let router = Router::new()
            .fallback(routes::answer)
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&state));
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

    /// The public keys of the witnesses of Rekor v2, `NAME+HASH+KEY`.
    pub fn witness_keys(&self) -> Vec<String> {
        lock(&self.state.parts).rekor_v2.log.witness_keys()
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
    fn new(address: SocketAddr, clock: &Clock, witnesses: usize) -> Result<Self, Refusal> {
        let now = clock.now();
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
            rekor_v2: rekor_v2::RekorV2::new(&host, witnesses, clock)?,
            timestamps: timestamps::TimestampAuthority::new(validity)?,
            tuf: tuf::Repository::new(now)?,
        })
    }
}

impl Shared {
    fn trusted_root(&self) -> Result<String, Refusal> {
        let misbehaviour = lock(&self.misbehaviour).clone();
        let parts = lock(&self.parts);
        Ok(trust::trusted_root(&parts, &self.url, self.clock.now(), &misbehaviour)?.to_string())
    }

    fn signing_config(&self, rekor: u32) -> String {
        trust::signing_config(lock(&self.parts).started, &self.url, rekor).to_string()
    }
}

const TEN_YEARS: SignedDuration = SignedDuration::from_hours(24 * 365 * 10);
