//! A whole Sigstore in this process, on loopback: an OpenID Connect issuer, Fulcio with a certificate transparency log,
//! Rekor in both versions, a timestamp authority, and the TUF repository that tells of them.
//!
//! All of it answers at one address, whose paths do not collide. It goes by a [`Clock`] that it is given, makes new keys
//! each time it starts, keeps everything in memory, and misbehaves as [`Misbehaviour`] says. It vouches for whoever asks,
//! so what it signs proves nothing to anybody else.

mod certificates;
mod clock;
mod ct_log;
mod fulcio;
mod json;
mod keys;
mod log;
mod login;
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

use crate::serving::lock;

pub use clock::Clock;
pub use login::PERSON;
pub use misbehaviour::{Authority, LoginFault, Misbehaviour, TufFault, TufFile};
pub use oidc::Identity;
pub use refusal::{Refusal, SigstoreError};

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

/// What a client is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientDocuments {
    /// `trusted_root.json`: whom to believe.
    pub trusted_root: String,
    /// `signing_config.v0.2.json`: whom to ask.
    pub signing_config: String,
    /// An identity token, good for an hour.
    pub token: String,
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
    logins: login::Logins,
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
    /// # Errors
    /// [`SigstoreError`]: the port is taken, or no keys and certificates can be made.
    pub async fn try_start(options: Options) -> Result<Self, SigstoreError> {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", options.port))
            .await
            .map_err(SigstoreError::Listen)?;
        let address = listener.local_addr().map_err(SigstoreError::Listen)?;
        let parts = Parts::new(address, &options.clock, options.witnesses)?;
        let state = Arc::new(Shared {
            url: format!("http://{address}"),
            clock: options.clock,
            misbehaviour: Mutex::new(options.misbehaviour),
            parts: Mutex::new(parts),
            requests: Mutex::default(),
        });
        let router = Router::new()
            .fallback(routes::answer)
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .with_state(Arc::clone(&state));
        let server = tokio::spawn(async move {
            // Ends when it is aborted.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { state, server })
    }

    /// Starts everything, for a test.
    ///
    /// # Panics
    /// When the port is taken, or no keys and certificates can be made.
    #[expect(clippy::expect_used, reason = "a test cannot go on without")]
    pub async fn start(options: Options) -> Self {
        Self::try_start(options).await.expect("a Sigstore on loopback")
    }

    /// What a client needs to sign as `identity`, with Rekor version 2, and to verify that.
    ///
    /// # Errors
    /// [`SigstoreError::Refused`].
    pub fn client_documents(&self, identity: &Identity) -> Result<ClientDocuments, SigstoreError> {
        let now = self.state.clock.now();
        Ok(ClientDocuments {
            trusted_root: self.state.trusted_root()?,
            signing_config: self.state.signing_config(2),
            token: lock(&self.state.parts).issuer.token(&self.state.url, identity, now)?,
        })
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

    /// Signs timestamp, snapshot and targets of the TUF repository anew, as of now.
    pub fn publish_tuf(&self) {
        lock(&self.state.parts).tuf.publish(self.state.clock.now());
    }

    /// Makes the next root of the TUF repository, with another key for all roles.
    ///
    /// # Panics
    /// When no key can be made.
    #[expect(clippy::expect_used, reason = "a test cannot go on without")]
    pub fn rotate_tuf_root(&self) {
        lock(&self.state.parts).tuf.rotate(self.state.clock.now()).expect("a key");
    }

    /// The first `root.json` of the TUF repository.
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
            logins: login::Logins::default(),
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

/// Bytes of a request. Whoever shares the machine can send any.
const MAX_BODY_BYTES: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_that_is_taken_and_a_time_that_no_certificate_has_are_told_apart() {
        let first = Sigstore::try_start(Options::at(Clock::system())).await.unwrap();
        let taken: u16 = first.url().rsplit(':').next().unwrap().parse().unwrap();
        let second = Sigstore::try_start(Options { port: taken, ..Options::at(Clock::system()) }).await;
        assert!(matches!(second, Err(SigstoreError::Listen(_))));
        let never = Sigstore::try_start(Options::at(Clock::at(Timestamp::MAX))).await;
        assert!(matches!(never, Err(SigstoreError::Refused(_))));
    }

    #[tokio::test]
    async fn it_listens_on_loopback_only_and_its_keys_are_new_each_time() {
        let (one, other) = (
            Sigstore::try_start(Options::at(Clock::system())).await.unwrap(),
            Sigstore::try_start(Options::at(Clock::system())).await.unwrap(),
        );
        assert!(one.url().starts_with("http://127.0.0.1:"));
        let root = |sigstore: &Sigstore| {
            sigstore.client_documents(&Identity::email("a@b.example")).unwrap().trusted_root
        };
        assert_ne!(root(&one), root(&other));
    }
}
