//! Why a request got no answer.

use std::time::Duration;

use crate::RedactedUrl;

/// Why a request got no answer. An answer with an error status is an answer, and no error here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The options do not make a client.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The client may not use the network ([`ClientOptions::offline`](crate::ClientOptions::offline)).
    #[error("{url} is not asked while offline")]
    Offline {
        /// The URL.
        url: RedactedUrl,
    },
    /// Plain HTTP with a host that is not this machine.
    #[error("{url} is plain HTTP to another machine, expected https")]
    PlainHttp {
        /// The URL.
        url: RedactedUrl,
    },
    /// Neither `http` nor `https`, or no host.
    #[error("{url} is no address of an HTTP server")]
    Scheme {
        /// The URL.
        url: RedactedUrl,
    },
    /// No connection, or it broke.
    #[error("no answer from {url} after {attempts} attempts")]
    Connection {
        /// The URL.
        url: RedactedUrl,
        /// How often it was tried.
        attempts: u32,
        /// What went wrong the last time.
        #[source]
        source: reqwest::Error,
    },
    /// Connected, but nothing came in time.
    #[error("{url} sent nothing for {} seconds", limit.as_secs())]
    Timeout {
        /// The URL.
        url: RedactedUrl,
        /// How long it was waited for.
        limit: Duration,
    },
    /// A redirect after [`max_redirects`](crate::ClientOptions::max_redirects) others.
    #[error("{url} redirects more than {limit} times")]
    TooManyRedirects {
        /// The last URL.
        url: RedactedUrl,
        /// The limit.
        limit: usize,
    },
    /// A redirect to where nothing may be asked: from HTTPS to plain HTTP, or from another machine to this one.
    #[error("{from} redirects to {to}, which is not followed")]
    RedirectRefused {
        /// Where the redirect came from.
        from: RedactedUrl,
        /// Where it points.
        to: RedactedUrl,
    },
    /// A redirect without a `Location` that is a URL.
    #[error("{url} redirects to nowhere")]
    NoLocation {
        /// Where the redirect came from.
        url: RedactedUrl,
    },
    /// More bytes than the caller can use.
    #[error("answer of {url} has more than {limit} bytes")]
    TooLarge {
        /// The URL.
        url: RedactedUrl,
        /// The limit.
        limit: u64,
    },
}

/// Why options do not make a client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OptionsError {
    /// One of the extra roots holds no certificate.
    #[error("extra root certificates, file {position}: no PEM certificate found")]
    NoCertificate {
        /// Which of the files, from 1.
        position: usize,
    },
    /// One of the extra roots is no certificate.
    #[error("extra root certificates, file {position}: not usable")]
    Certificate {
        /// Which of the files, from 1.
        position: usize,
        /// What is wrong with it.
        #[source]
        source: reqwest::Error,
    },
    /// TLS could not be set up, such as on a machine without any root certificates.
    #[error("the HTTP client could not be set up")]
    Client(#[source] reqwest::Error),
}
