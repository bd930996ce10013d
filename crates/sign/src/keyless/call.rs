//! One request to a Sigstore service: bounded, retried as the transport does, its refusal told.

use touchmark_transport::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use touchmark_transport::{Answer, Client, Method, Request, StatusCode, Url};

use super::{KeylessError, SigningService};

/// Bytes of an answer. An entry of Rekor repeats the statement that it is about.
const MAX_ANSWER_BYTES: u64 = 256 << 20;
/// Characters of a refusal that are shown.
const MAX_MESSAGE: usize = 200;

/// A service at its address.
#[derive(Clone, Copy)]
pub(super) struct Service<'a> {
    pub(super) kind: SigningService,
    pub(super) url: &'a Url,
}

impl Service<'_> {
    /// The address of `path` under the service's.
    pub(super) fn at(&self, path: &str) -> Result<Url, KeylessError> {
        let text = format!("{}/{path}", self.url.as_str().trim_end_matches('/'));
        text.parse().map_err(|error| self.unusable(error))
    }

    /// Posts, and gives the answer whatever its status. A service that was asked twice gives another certificate, the same entry or
    /// another time, none of which harms.
    pub(super) async fn post(
        &self,
        client: &Client,
        url: Url,
        media_type: &'static str,
        body: Vec<u8>,
    ) -> Result<Answer, KeylessError> {
        let request = Request::new(Method::POST, url)
            .header(ACCEPT, HeaderValue::from_static("*/*"))
            .header(CONTENT_TYPE, HeaderValue::from_static(media_type))
            .body(body.into())
            .repeatable(true);
        self.send(client, request).await
    }

    /// Sends, and gives the answer whatever its status.
    pub(super) async fn send(&self, client: &Client, request: Request) -> Result<Answer, KeylessError> {
        client.fetch(request, MAX_ANSWER_BYTES).await.map_err(|source| KeylessError::Transport {
            service: self.kind,
            url: self.url.to_string(),
            source: Box::new(source),
        })
    }

    /// The answer, if it is a success.
    pub(super) fn success(&self, answer: Answer) -> Result<Answer, KeylessError> {
        if answer.status.is_success() { Ok(answer) } else { Err(self.refused(answer.status, &answer.body)) }
    }

    fn refused(&self, status: StatusCode, body: &[u8]) -> KeylessError {
        let text = String::from_utf8_lossy(body);
        let message = text.chars().filter(|c| !c.is_control()).take(MAX_MESSAGE).collect();
        KeylessError::Refused { service: self.kind, url: self.url.to_string(), status, message }
    }

    /// An answer that is none.
    pub(super) fn unusable(
        &self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> KeylessError {
        KeylessError::Answer { service: self.kind, url: self.url.to_string(), source: source.into() }
    }
}
