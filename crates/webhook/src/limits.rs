//! How much is taken on before saying no.

use std::time::Duration;

/// Limits on what clients may ask of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one review. It holds an object twice, and an object has at most 1.5 MiB in etcd
    /// ([etcd, "System limits"](https://etcd.io/docs/v3.5/dev-guide/limit/#request-size-limit)) and 3 MiB as a request.
    pub max_body_bytes: usize,
    /// Bytes of a request's headers.
    pub max_header_bytes: u32,
    /// Distinct images of one object.
    pub max_images: usize,
    /// Reviews being decided at the same time. One more is denied, with that reason.
    pub max_reviews: usize,
    /// Requests of any kind at the same time. One more is answered with status 503, unread.
    pub max_requests: usize,
    /// Images being decided at the same time, in the background included.
    pub max_decisions: usize,
    /// Connections at the same time. One more waits to be accepted.
    pub max_connections: usize,
    /// Requests at the same time on one HTTP/2 connection.
    pub max_streams: u32,
    /// How long a TLS handshake, or the headers of a request, may take.
    pub header_timeout: Duration,
    /// The timeout of a request that states none: the default of `timeoutSeconds`.
    pub default_timeout: Duration,
    /// The longest timeout that is believed: the largest `timeoutSeconds`.
    pub max_timeout: Duration,
    /// What is kept of a request's timeout for the answer to travel.
    pub answer_margin: Duration,
    /// How long a decision goes on after its request was denied for lack of time, so that the next try finds the evidence.
    pub background_timeout: Duration,
    /// After the signal to end: how long requests are still accepted, while the cluster learns that the server is not ready.
    pub shutdown_delay: Duration,
    /// And then: how long open requests may take to finish.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body_bytes: 8 << 20,
            max_header_bytes: 32 << 10,
            max_images: 128,
            max_reviews: 256,
            max_requests: 512,
            max_decisions: 512,
            max_connections: 1024,
            max_streams: 256,
            header_timeout: Duration::from_secs(10),
            default_timeout: Duration::from_secs(10),
            max_timeout: Duration::from_secs(30),
            answer_margin: Duration::from_millis(500),
            background_timeout: Duration::from_secs(60),
            shutdown_delay: Duration::from_secs(5),
            drain_timeout: Duration::from_secs(20),
        }
    }
}
