//! One request to a service and its answer: limits, statuses, JSON.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use touchmark_transport::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use touchmark_transport::{
    Answer, Client, ClientOptions, Method, PlainHttp, Proxies, Request, RetryPolicy, StatusCode,
    TransportError, Url,
};
use zeroize::Zeroizing;

use super::{KmsError, KmsLimits, Service};

/// The longest name of an error that is passed on.
const MAX_CODE_BYTES: usize = 80;

/// A service and how to speak to it.
#[derive(Clone)]
pub(super) struct Exchange {
    service: Service,
    client: Client,
    limits: KmsLimits,
}

impl Exchange {
    /// Without redirects: no service sends its callers elsewhere, and what is sent holds secrets in bodies and headers.
    pub(super) fn new(service: Service, client: Client, limits: KmsLimits) -> Result<Self, KmsError> {
        let options = ClientOptions { max_redirects: 0, ..client.options().clone() };
        Self { service, client, limits }.with_options(options)
    }

    /// The same over a client for addresses that only the machine's host answers: link-local ones, in plain HTTP and never through
    /// a proxy. A machine without such a host gives up soon.
    pub(super) fn with_host(&self) -> Result<Self, KmsError> {
        let options = ClientOptions {
            plain_http: PlainHttp::DangerousAnywhere,
            proxies: Proxies::None,
            connect_timeout: std::time::Duration::from_secs(2),
            max_redirects: 0,
            retry: RetryPolicy { max_attempts: 2, ..RetryPolicy::default() },
            offline: self.client.options().offline,
            ..ClientOptions::default()
        };
        self.with_options(options)
    }

    /// The same with other options.
    pub(super) fn with_options(&self, options: ClientOptions) -> Result<Self, KmsError> {
        let client = Client::new(options).map_err(|error| self.unanswered(error.into()))?;
        Ok(Self { client, ..self.clone() })
    }

    pub(super) fn options(&self) -> &ClientOptions {
        self.client.options()
    }

    /// A `GET`.
    pub(super) fn get(&self, url: &str) -> Result<Request, KmsError> {
        Ok(Request::new(Method::GET, self.url(url)?)
            .header(ACCEPT, HeaderValue::from_static("application/json")))
    }

    /// A `POST`. Signing twice and asking for a token twice do no harm, so it may be repeated.
    pub(super) fn post(
        &self,
        url: &str,
        media_type: &'static str,
        body: String,
    ) -> Result<Request, KmsError> {
        Ok(Request::new(Method::POST, self.url(url)?)
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .header(CONTENT_TYPE, HeaderValue::from_static(media_type))
            .body(body.into_bytes().into())
            .repeatable(true))
    }

    /// A `POST` of JSON.
    pub(super) fn post_json(&self, url: &str, body: &Value) -> Result<Request, KmsError> {
        self.post(url, "application/json", body.to_string())
    }

    pub(super) fn url(&self, text: &str) -> Result<Url, KmsError> {
        text.parse().map_err(|_| self.service.field("address"))
    }

    /// The JSON of a successful answer.
    pub(super) async fn call<T: DeserializeOwned>(&self, request: Request) -> Result<T, KmsError> {
        let answer = self.fetch(request).await?;
        self.service.parse(&answer.body)
    }

    /// The text of a successful answer: a token.
    pub(super) async fn call_text(&self, request: Request) -> Result<Zeroizing<String>, KmsError> {
        let answer = self.fetch(request).await?;
        let text = std::str::from_utf8(&answer.body).map_err(|_| self.service.field("text"))?;
        Ok(Zeroizing::new(text.trim().to_owned()))
    }

    async fn fetch(&self, request: Request) -> Result<Answer, KmsError> {
        let answer = self
            .client
            .fetch(request, self.limits.max_answer_bytes)
            .await
            .map_err(|source| self.unanswered(source))?;
        if answer.status.is_success() { Ok(answer) } else { Err(self.refusal(&answer)) }
    }

    fn refusal(&self, answer: &Answer) -> KmsError {
        let (service, status) = (self.service, answer.status);
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                KmsError::Denied { service, status, code: code(&answer.body) }
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                KmsError::Busy { service, status, retry_after: answer.retry_after() }
            }
            _ => KmsError::Status { service, status, code: code(&answer.body) },
        }
    }

    fn unanswered(&self, source: TransportError) -> KmsError {
        KmsError::Transport { service: self.service, source }
    }

    /// A value for an `Authorization` header.
    pub(super) fn bearer(&self, token: &str) -> Result<HeaderValue, KmsError> {
        self.header_value(&Zeroizing::new(format!("Bearer {token}")))
    }

    /// A secret value for a header.
    pub(super) fn header_value(&self, text: &str) -> Result<HeaderValue, KmsError> {
        let mut value = HeaderValue::from_str(text).map_err(|_| self.service.field("token"))?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// A file with a token or with credentials, without white space around it.
    pub(super) async fn read_file(&self, path: impl AsRef<Path>) -> Result<Zeroizing<String>, KmsError> {
        let path = path.as_ref();
        let failed = |source| KmsError::File { path: path.to_owned(), source };
        let file = tokio::fs::File::open(path).await.map_err(failed)?;
        let mut text = Zeroizing::new(String::new());
        let limit = self.limits.max_file_bytes;
        file.take(limit + 1).read_to_string(&mut text).await.map_err(failed)?;
        if text.len() as u64 > limit {
            return Err(failed(std::io::ErrorKind::FileTooLarge.into()));
        }
        Ok(Zeroizing::new(text.trim().to_owned()))
    }
}

/// A secret text, overwritten when dropped.
pub(super) fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(deserializer).map(Zeroizing::new)
}

/// The service's name for an error, without its prose: AWS's `__type`, Google's `error.status`, Azure's `error.code` or OAuth's
/// `error`, Kubernetes' `reason`.
fn code(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let found = ["/__type", "/error/status", "/error/code", "/error", "/reason"]
        .into_iter()
        .find_map(|pointer| body.pointer(pointer)?.as_str())?;
    let name = found.rsplit('#').next().unwrap_or(found);
    let fine = name.len() <= MAX_CODE_BYTES
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
    (fine && !name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_names_and_their_prose_is_left_out() {
        let named = |text: &str| code(text.as_bytes());
        assert_eq!(
            named(r#"{"__type":"com.amazon#NotFoundException"}"#).as_deref(),
            Some("NotFoundException")
        );
        assert_eq!(
            named(r#"{"error":{"code":403,"status":"PERMISSION_DENIED"}}"#).as_deref(),
            Some("PERMISSION_DENIED")
        );
        assert_eq!(
            named(r#"{"error":"invalid_client","error_description":"x"}"#).as_deref(),
            Some("invalid_client")
        );
        for text in ["", "[]", r#"{"error":"a sentence"}"#, r#"{"__type":""}"#] {
            assert_eq!(named(text), None, "{text}");
        }
    }
}
