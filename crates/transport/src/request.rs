//! A request that can be sent again.

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};

/// A request. Its body is in memory, so that it can be sent again.
#[derive(Clone)]
pub struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) credentials: Option<HeaderValue>,
    pub(crate) body: Bytes,
    pub(crate) repeatable: bool,
}

impl Request {
    /// A request without headers and body. `POST` and `PATCH` are not repeated once the server may have acted on them;
    /// the other methods may be done twice
    /// ([RFC 9110 §9.2.2](https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2)).
    pub fn new(method: Method, url: Url) -> Self {
        let repeatable = method.is_idempotent();
        Self { method, url, headers: HeaderMap::new(), credentials: None, body: Bytes::new(), repeatable }
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// With an `Authorization` header, for the origin of this URL only: a redirect elsewhere goes without it.
    #[must_use]
    pub fn authorization(mut self, mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        self.credentials = Some(value);
        self
    }

    /// With a body.
    #[must_use]
    pub fn body(mut self, body: Bytes) -> Self {
        self.body = body;
        self
    }

    /// Whether doing it twice does no harm, where the method does not say.
    #[must_use]
    pub fn repeatable(mut self, repeatable: bool) -> Self {
        self.repeatable = repeatable;
        self
    }

    /// Where it goes.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, crate::RedactedUrl::new(&self.url))
    }
}
