//! A Sigstore whose TUF repository is asked, and the client that asks it.

use jiff::Timestamp;
use touchmark_testkit::{Clock, Options, Sigstore};
use touchmark_transport::{Client, ClientOptions, RetryPolicy};
use touchmark_tuf::{Cache, Limits, Repository, Trusted, TufError};

pub(crate) struct Stage {
    pub(crate) sigstore: Sigstore,
    client: Client,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let sigstore = Sigstore::start(Options::at(Clock::at(start))).await;
        let options = ClientOptions { retry: RetryPolicy::never(), ..ClientOptions::default() };
        Self { sigstore, client: Client::new(options).unwrap() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.sigstore.clock().now()
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn repository(&self) -> Repository {
        self.at(&self.sigstore.tuf_url())
    }

    fn at(&self, mirror: &str) -> Repository {
        let root = self.sigstore.tuf_root().into_bytes();
        Repository::new(&mirror.parse().unwrap(), root, &Limits::default()).unwrap()
    }

    pub(crate) async fn refresh(&self, kept: Option<&Cache>) -> Result<(Cache, Trusted), TufError> {
        self.refresh_within(kept, &Limits::default()).await
    }

    pub(crate) async fn refresh_within(
        &self,
        kept: Option<&Cache>,
        limits: &Limits,
    ) -> Result<(Cache, Trusted), TufError> {
        self.repository().refresh(kept, &self.client, limits, self.now()).await
    }

    /// Asks where nobody listens.
    pub(crate) async fn unreachable(&self) -> Result<(Cache, Trusted), TufError> {
        let repository = self.at("http://127.0.0.1:1/");
        repository.refresh(None, &self.client, &Limits::default(), self.now()).await
    }
}
