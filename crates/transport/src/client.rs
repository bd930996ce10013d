//! Sending: where a request may go, what follows it there, and when it is sent again.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use reqwest::{Certificate, Method, StatusCode, Url, redirect};

use crate::options::{ClientOptions, PlainHttp, Proxies};
use crate::retry::{asks_to_wait, may_pass};
use crate::{Answer, OptionsError, RedactedUrl, Request, Response, TransportError, is_loopback, retry_after};

/// The HTTP client. Cloning is cheap and shares connections.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    options: ClientOptions,
    roots: Vec<Certificate>,
    lanes: Lanes,
}

/// One connection pool per way out, made when first used: a machine without root certificates can still speak plain HTTP
/// with itself.
#[derive(Debug, Default)]
struct Lanes {
    plain: OnceLock<reqwest::Client>,
    plain_direct: OnceLock<reqwest::Client>,
    secure: OnceLock<reqwest::Client>,
    secure_direct: OnceLock<reqwest::Client>,
}

impl Client {
    /// A client with these options.
    ///
    /// # Errors
    /// [`OptionsError`] when an extra root is no certificate.
    pub fn new(options: ClientOptions) -> Result<Self, OptionsError> {
        let mut roots = Vec::new();
        for (index, pem) in options.extra_roots.iter().enumerate() {
            let position = index + 1;
            let found = Certificate::from_pem_bundle(pem)
                .map_err(|source| OptionsError::Certificate { position, source })?;
            if found.is_empty() {
                return Err(OptionsError::NoCertificate { position });
            }
            roots.extend(found);
        }
        Ok(Self { shared: Arc::new(Shared { options, roots, lanes: Lanes::default() }) })
    }

    /// The options.
    pub fn options(&self) -> &ClientOptions {
        &self.shared.options
    }

    /// Whether a request to `url` would be made at all.
    ///
    /// # Errors
    /// [`TransportError::Offline`], [`TransportError::PlainHttp`] or [`TransportError::Scheme`].
    pub fn check_url(&self, url: &Url) -> Result<(), TransportError> {
        let redacted = || RedactedUrl::new(url);
        if self.shared.options.offline {
            return Err(TransportError::Offline { url: redacted() });
        }
        let host = url.host_str().ok_or_else(|| TransportError::Scheme { url: redacted() })?;
        match url.scheme() {
            "https" => Ok(()),
            "http" if is_loopback(host) => Ok(()),
            "http" => match self.shared.options.plain_http {
                PlainHttp::DangerousAnywhere => Ok(()),
                PlainHttp::Loopback => Err(TransportError::PlainHttp { url: redacted() }),
            },
            _ => Err(TransportError::Scheme { url: redacted() }),
        }
    }

    /// Sends, follows redirects, and repeats what may be repeated. The body of the answer is not read, so a connection that
    /// breaks within it is the caller's to handle.
    ///
    /// # Errors
    /// [`TransportError`]; an error status is an answer.
    pub async fn send(&self, request: Request) -> Result<Response, TransportError> {
        self.with_retries(&request, |response| async { Ok(response) }).await
    }

    /// [`Client::send`], and reads at most `max_bytes` of body. A body that breaks off is fetched again where the
    /// request may be repeated.
    ///
    /// # Errors
    /// [`TransportError`]; an error status is an answer.
    pub async fn fetch(&self, request: Request, max_bytes: u64) -> Result<Answer, TransportError> {
        let head = request.method == Method::HEAD;
        self.with_retries(&request, |response| async move {
            if head { Ok(response.into_head()) } else { response.read(max_bytes).await }
        })
        .await
    }

    async fn with_retries<T, F>(
        &self,
        request: &Request,
        read: impl Fn(Response) -> F,
    ) -> Result<T, TransportError>
    where
        F: Future<Output = Result<T, TransportError>>,
    {
        let policy = &self.shared.options.retry;
        let started = Instant::now();
        let mut attempt = 1;
        loop {
            let (outcome, wait) = match self.follow(request.clone()).await {
                Ok(response) => {
                    let delay = wait_after(request, &response)
                        .and_then(|asked| policy.delay(attempt, started.elapsed(), asked));
                    if let Some(delay) = delay {
                        tokio::time::sleep(delay).await;
                        attempt += 1;
                        continue;
                    }
                    let outcome = read(response).await;
                    let again = request.repeatable && outcome.as_ref().is_err_and(is_broken);
                    (outcome, again)
                }
                Err(error) => {
                    let again = is_unsent(&error) || (request.repeatable && is_broken(&error));
                    (Err(error), again)
                }
            };
            let delay = if wait { policy.delay(attempt, started.elapsed(), None) } else { None };
            let Some(delay) = delay else {
                return outcome.map_err(|error| counted(error, attempt));
            };
            tokio::time::sleep(delay).await;
            attempt += 1;
        }
    }

    /// Follows redirects by hand, because what may be sent along depends on where they lead.
    async fn follow(&self, mut request: Request) -> Result<Response, TransportError> {
        let limit = self.shared.options.max_redirects;
        let mut followed = 0;
        loop {
            let response = self.send_once(&request).await?;
            if !is_followed(&request.method, response.status()) {
                return Ok(response);
            }
            let from = RedactedUrl::new(&request.url);
            if followed == limit {
                return Err(TransportError::TooManyRedirects { url: from, limit });
            }
            followed += 1;
            let target = location(&response).ok_or(TransportError::NoLocation { url: from })?;
            request = self.redirected(request, target)?;
        }
    }

    /// The request as it goes on to `target`: without credentials if that is another origin. A registry on the Internet
    /// cannot make a client ask servers on the client's own machine, nor give up HTTPS.
    fn redirected(&self, mut request: Request, target: Url) -> Result<Request, TransportError> {
        self.check_url(&target)?;
        let loopback = |url: &Url| url.host_str().is_some_and(is_loopback);
        let downgrade = request.url.scheme() == "https" && target.scheme() == "http";
        if downgrade || (loopback(&target) && !loopback(&request.url)) {
            let (from, to) = (RedactedUrl::new(&request.url), RedactedUrl::new(&target));
            return Err(TransportError::RedirectRefused { from, to });
        }
        if request.url.origin() != target.origin() {
            request.credentials = None;
        }
        request.url = target;
        Ok(request)
    }

    async fn send_once(&self, request: &Request) -> Result<Response, TransportError> {
        self.check_url(&request.url)?;
        let options = &self.shared.options;
        let mut builder = self
            .lane(&request.url)?
            .request(request.method.clone(), without_userinfo(&request.url))
            .headers(request.headers.clone());
        if let Some(credentials) = &request.credentials {
            builder = builder.header(AUTHORIZATION, credentials);
        }
        if !request.body.is_empty() || request.headers.contains_key(CONTENT_TYPE) {
            builder = builder.body(request.body.clone());
        } else if request.method == Method::POST || request.method == Method::PUT {
            builder = builder.header(reqwest::header::CONTENT_LENGTH, 0);
        }
        let upload = Duration::from_secs(request.body.len() as u64 / options.min_upload_rate.max(1));
        let limit = options.connect_timeout + options.idle_timeout + upload;
        let url = RedactedUrl::new(&request.url);
        let outcome = tokio::time::timeout(limit, builder.send()).await;
        match &outcome {
            Ok(Ok(answer)) => {
                tracing::debug!(method = %request.method, %url, status = answer.status().as_u16());
            }
            _ => tracing::debug!(method = %request.method, %url, "no answer"),
        }
        match outcome {
            Err(_) => Err(TransportError::Timeout { url, limit }),
            Ok(Err(source)) => {
                Err(TransportError::Connection { url, attempts: 1, source: source.without_url() })
            }
            Ok(Ok(inner)) => Ok(Response { inner, idle_timeout: options.idle_timeout }),
        }
    }

    fn lane(&self, url: &Url) -> Result<&reqwest::Client, TransportError> {
        let lanes = &self.shared.lanes;
        let secure = url.scheme() == "https";
        let direct = self.shared.options.proxies == Proxies::None || url.host_str().is_some_and(is_loopback);
        let lane = match (secure, direct) {
            (true, true) => &lanes.secure_direct,
            (true, false) => &lanes.secure,
            (false, true) => &lanes.plain_direct,
            (false, false) => &lanes.plain,
        };
        if let Some(client) = lane.get() {
            return Ok(client);
        }
        let client = self.shared.build(secure, direct).map_err(OptionsError::Client)?;
        Ok(lane.get_or_init(|| client))
    }
}

impl Shared {
    fn build(&self, secure: bool, direct: bool) -> Result<reqwest::Client, reqwest::Error> {
        let mut builder = reqwest::Client::builder()
            .user_agent(&self.options.user_agent)
            .connect_timeout(self.options.connect_timeout)
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false);
        // Without roots no TLS connection succeeds: the plain lanes can't be used for one by mistake. A proxy for plain
        // HTTP may itself be reached by HTTPS, so that lane keeps its roots.
        builder = match (secure, direct) {
            (false, true) => builder.tls_certs_only([]),
            _ => builder.tls_certs_merge(self.roots.iter().cloned()),
        };
        if direct { builder.no_proxy() } else { builder }.build()
    }
}

/// Whether a status asks for another attempt (outer `Some`), and after how long (inner).
fn wait_after(request: &Request, response: &Response) -> Option<Option<Duration>> {
    let status = response.status();
    let again = asks_to_wait(status) || (request.repeatable && may_pass(status));
    again.then(|| retry_after(response.headers(), std::time::SystemTime::now()))
}

/// Whether the server cannot have seen the request.
fn is_unsent(error: &TransportError) -> bool {
    matches!(error, TransportError::Connection { source, .. } if source.is_connect())
}

/// Whether the same request could fare better.
fn is_broken(error: &TransportError) -> bool {
    matches!(error, TransportError::Connection { .. } | TransportError::Timeout { .. })
}

fn counted(error: TransportError, count: u32) -> TransportError {
    match error {
        TransportError::Connection { url, source, .. } => {
            TransportError::Connection { url, attempts: count, source }
        }
        other => other,
    }
}

/// `GET` and `HEAD` follow every redirect; other methods only those that keep method and body
/// ([RFC 9110 §15.4](https://www.rfc-editor.org/rfc/rfc9110#section-15.4)).
fn is_followed(method: &Method, status: StatusCode) -> bool {
    match status.as_u16() {
        307 | 308 => true,
        301..=303 => matches!(*method, Method::GET | Method::HEAD),
        _ => false,
    }
}

fn location(response: &Response) -> Option<Url> {
    let text = response.headers().get(LOCATION)?.to_str().ok()?;
    response.url().join(text).ok()
}

/// Credentials are given by [`Request::authorization`] only, never by a URL that a server may have written.
fn without_userinfo(url: &Url) -> Url {
    let mut url = url.clone();
    // These fail for URLs that cannot have a user, which then have none.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirect(from: &str, to: &str) -> Result<Request, TransportError> {
        let client = Client::new(ClientOptions::default()).unwrap();
        let value = reqwest::header::HeaderValue::from_static("Basic x");
        let request = Request::new(Method::GET, from.parse().unwrap()).authorization(value);
        client.redirected(request, to.parse().unwrap())
    }

    #[test]
    fn credentials_are_kept_for_the_same_origin_only() {
        let kept = |to| redirect("https://a.example/x", to).unwrap().credentials.is_some();
        assert!(kept("https://a.example/y"));
        for other in ["https://b.example/x", "https://a.example:8443/x", "https://sub.a.example/x"] {
            assert!(!kept(other), "{other}");
        }
    }

    #[test]
    fn https_is_not_given_up_and_this_machine_not_reached_from_another() {
        for (from, to) in [
            ("https://localhost/x", "http://localhost/x"),
            ("https://a.example/x", "https://127.0.0.1/x"),
            ("https://a.example/x", "https://[::1]:8443/x"),
            ("https://a.example/x", "http://localhost:2375/x"),
        ] {
            assert!(matches!(redirect(from, to), Err(TransportError::RedirectRefused { .. })), "{to}");
        }
        assert!(matches!(
            redirect("https://a.example/x", "http://a.example/x"),
            Err(TransportError::PlainHttp { .. })
        ));
    }
}
