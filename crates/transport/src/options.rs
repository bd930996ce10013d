//! What a client is told once, when it is made.

use std::time::Duration;

use crate::RetryPolicy;

/// Options of a [`Client`](crate::Client). The defaults are safe for the open Internet.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// PEM files, as bytes, with certificates to trust beside those of the system.
    pub extra_roots: Vec<Vec<u8>>,
    /// Whether `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` are followed. Loopback hosts never go through a proxy.
    pub proxies: Proxies,
    /// Where plain HTTP may be spoken.
    pub plain_http: PlainHttp,
    /// Refuses every request before a name is looked up or a connection made: no packet leaves by this client.
    pub offline: bool,
    /// How long making a connection may take.
    pub connect_timeout: Duration,
    /// How long a server may take to begin its answer once it has the request, and how long it may pause within the answer.
    pub idle_timeout: Duration,
    /// The slowest upload that is waited for, in bytes per second; a body of that many bytes adds one second to the wait.
    pub min_upload_rate: u64,
    /// How many redirects are followed for one request.
    pub max_redirects: usize,
    /// The `User-Agent`.
    pub user_agent: String,
    /// When and how often a request is repeated.
    pub retry: RetryPolicy,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            extra_roots: Vec::new(),
            proxies: Proxies::Environment,
            plain_http: PlainHttp::Loopback,
            offline: false,
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            min_upload_rate: 64 << 10,
            // As curl and Go's net/http stop at.
            max_redirects: 10,
            user_agent: concat!("touchmark/", env!("CARGO_PKG_VERSION")).to_owned(),
            retry: RetryPolicy::default(),
        }
    }
}

/// Where proxies are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proxies {
    /// In the environment, as curl reads it.
    Environment,
    /// Nowhere: every connection is direct.
    None,
}

/// Where plain HTTP may be spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainHttp {
    /// With hosts that are this machine by name or address.
    Loopback,
    /// With every host. Whoever is on the way can read and change what is sent.
    DangerousAnywhere,
}
