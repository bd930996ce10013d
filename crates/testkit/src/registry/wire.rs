//! Requests taken apart and answers put together.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::http::{HeaderMap, Method};
use serde_json::json;
use touchmark_demo_sigstore::serving::{Answer, respond};

/// A request, taken apart.
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: HashMap<String, String>,
    pub(super) scopes: Vec<String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Asked {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

pub(super) fn error(status: u16, code: &str) -> Answer {
    respond(status, &[], json!({"errors": [{"code": code, "message": ""}]}).to_string())
}
