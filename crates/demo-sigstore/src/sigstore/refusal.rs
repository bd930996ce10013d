//! Why a request was not granted.

use aws_lc_rs::error::Unspecified;
use serde_json::json;

use crate::serving::{Answer, respond};

/// Why there is no Sigstore, or not what was asked of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SigstoreError {
    /// The port on loopback cannot be had.
    #[error("cannot listen on loopback")]
    Listen(#[source] std::io::Error),
    /// A key, a certificate or a document could not be made.
    #[error("cannot make what was asked for")]
    Refused(#[from] Refusal),
}

/// A status and a message, as the services answer them.
#[derive(Debug, thiserror::Error)]
#[error("{message} (status {status})")]
pub struct Refusal {
    status: u16,
    message: String,
}

impl Refusal {
    pub(super) fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self::new(404, format!("no such {what}"))
    }

    /// For what a well-formed request cannot bring about.
    pub(super) fn internal(message: &str) -> Self {
        Self::new(500, message)
    }

    pub(super) fn answer(&self) -> Answer {
        let body = json!({"code": self.status, "message": self.message}).to_string();
        respond(self.status, &[("content-type", "application/json".to_owned())], body)
    }
}

/// Nothing here encodes what is not well formed, so it was the request.
impl From<der::Error> for Refusal {
    fn from(error: der::Error) -> Self {
        Self::bad_request(format!("DER: {error}"))
    }
}

impl From<Unspecified> for Refusal {
    fn from(_: Unspecified) -> Self {
        Self::internal("cryptography failed")
    }
}
