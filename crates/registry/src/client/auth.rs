//! Authentication: who is told what.
//!
//! Every request goes out anonymous until its registry asks for more; then what it asked for is remembered, so that
//! later requests bring it along. Credentials go to the registry itself (`Basic`) or to the token server that it names
//! (`Bearer`, [distribution token protocol](https://distribution.github.io/distribution/spec/auth/token/)), and nowhere
//! else. Tokens are kept by registry, scope and identity, so that one identity never borrows another's.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use touchmark_oci::Digest;
use touchmark_transport::header::{CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use touchmark_transport::{
    Answer, Bytes, Method, RedactedUrl, Request, Response, StatusCode, Url, is_loopback,
};

use super::credentials::{self, Credential};
use super::repository::Repository;
use super::{RegistryClient, refusal, unavailable};
use crate::challenge::{Challenge, parse_challenges};
use crate::{At, Operation, ResponseFault, StoreError};

/// Tokens are replaced this long before they end, so that none ends on its way.
const EXPIRY_MARGIN: Duration = Duration::from_secs(10);
/// How long a token without an expiry is good for, by the token protocol.
const DEFAULT_EXPIRY_SECONDS: u64 = 60;
/// No token is kept for longer, whatever its server says.
const MAX_EXPIRY_SECONDS: u64 = 3600;
/// Tokens kept in all. Beyond that all are forgotten, which costs requests and nothing else.
const MAX_TOKENS: usize = 10_000;

/// What a request needs to be allowed to do: scopes of the token protocol.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Scopes(Vec<String>);

impl Scopes {
    pub(super) fn pull(repository: &Repository) -> Self {
        Self(vec![format!("repository:{}:pull", repository.path)])
    }

    pub(super) fn push(repository: &Repository) -> Self {
        Self(vec![format!("repository:{}:pull,push", repository.path)])
    }

    pub(super) fn delete(repository: &Repository) -> Self {
        Self(vec![format!("repository:{}:pull,push,delete", repository.path)])
    }

    pub(super) fn and_pull_of(mut self, path: &str) -> Self {
        self.0.push(format!("repository:{path}:pull"));
        self
    }
}

/// What registries asked for and token servers gave.
#[derive(Default)]
pub(super) struct Session {
    challenges: Mutex<HashMap<String, Challenge>>,
    tokens: Mutex<HashMap<TokenKey, Token>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct TokenKey {
    registry: String,
    scopes: Scopes,
    identity: Digest,
}

#[derive(Clone)]
struct Token {
    value: HeaderValue,
    expires: Instant,
}

/// What an answer has in any case.
pub(super) trait Head {
    fn status(&self) -> StatusCode;
    fn headers(&self) -> &HeaderMap;
}

impl Head for Response {
    fn status(&self) -> StatusCode {
        Response::status(self)
    }
    fn headers(&self) -> &HeaderMap {
        Response::headers(self)
    }
}

impl Head for Answer {
    fn status(&self) -> StatusCode {
        self.status
    }
    fn headers(&self) -> &HeaderMap {
        &self.headers
    }
}

impl RegistryClient {
    /// Sends a request that may be answered "who are you?": at most three times, once with what is remembered, once
    /// with a fresh token or credential, once with the scope that the registry itself asks for.
    pub(super) async fn authorized<T: Head, F>(
        &self,
        repository: &Repository,
        scopes: &Scopes,
        at: &At,
        request: &Request,
        send: impl Fn(Request) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        if !repository.is_own(request.url()) {
            return send(request.clone()).await;
        }
        let mut scopes = scopes.clone();
        let (mut fresh, mut widened) = (false, false);
        loop {
            let authorization = self.authorization(repository, &scopes, at).await?;
            let had_any = authorization.is_some();
            let answer = match authorization {
                Some(value) => send(request.clone().authorization(value)).await?,
                None => send(request.clone()).await?,
            };
            if answer.status() != StatusCode::UNAUTHORIZED {
                return Ok(answer);
            }
            let challenge = strongest(answer.headers(), at)?;
            let theirs = challenge.as_ref().and_then(|found| found.parameter("scope")).map(str::to_owned);
            self.remember(repository, challenge);
            if fresh {
                let other = theirs.map(|scope| Scopes(vec![scope])).filter(|other| *other != scopes);
                match other {
                    Some(other) if had_any && !widened => scopes = other,
                    _ => return Ok(answer),
                }
                widened = true;
                continue;
            }
            if had_any {
                self.forget(repository, &scopes, at).await?;
            } else if self.authorization(repository, &scopes, at).await?.is_none() {
                // Nobody to say that we are. Whether this request or one beside it learned of the challenge does not matter.
                return Ok(answer);
            }
            fresh = true;
        }
    }

    /// Whether this client has no credentials for the registry.
    pub(super) async fn is_anonymous(&self, repository: &Repository) -> bool {
        let at = At::new(Operation::LogIn, &repository.registry);
        self.credential(repository, &at).await.is_ok_and(|credential| credential.is_anonymous())
    }

    /// The `Authorization` to send, if the registry is known to want one.
    async fn authorization(
        &self,
        repository: &Repository,
        scopes: &Scopes,
        at: &At,
    ) -> Result<Option<HeaderValue>, StoreError> {
        let challenge = lock(&self.shared.session.challenges).get(&repository.registry).cloned();
        let Some(challenge) = challenge else {
            return Ok(None);
        };
        let credential = self.credential(repository, at).await?;
        if challenge.scheme == "basic" {
            return Ok(basic(&credential));
        }
        let key = self.token_key(repository, scopes, at).await?;
        let now = Instant::now();
        if let Some(token) = lock(&self.shared.session.tokens).get(&key)
            && token.expires > now
        {
            return Ok(Some(token.value.clone()));
        }
        let token = self.fetch_token(repository, &challenge, &credential, scopes, at).await?;
        let value = token.value.clone();
        let mut tokens = lock(&self.shared.session.tokens);
        if tokens.len() >= MAX_TOKENS {
            tokens.clear();
        }
        tokens.insert(key, token);
        Ok(Some(value))
    }

    async fn token_key(
        &self,
        repository: &Repository,
        scopes: &Scopes,
        at: &At,
    ) -> Result<TokenKey, StoreError> {
        let identity = self.credential(repository, at).await?.fingerprint();
        Ok(TokenKey { registry: repository.registry.clone(), scopes: scopes.clone(), identity })
    }

    async fn credential(&self, repository: &Repository, at: &At) -> Result<Credential, StoreError> {
        let registry = &repository.registry;
        if let Some(known) = lock(&self.credentials).get(registry) {
            return Ok(known.clone());
        }
        let found = credentials::find(&self.source, registry, &self.shared.options.limits).await.map_err(
            |source| StoreError::Credentials { at: at.clone(), registry: registry.clone(), source },
        )?;
        lock(&self.credentials).insert(registry.clone(), found.clone());
        Ok(found)
    }

    /// Remembers what the registry asks for.
    fn remember(&self, repository: &Repository, challenge: Option<Challenge>) {
        if let Some(challenge) = challenge {
            lock(&self.shared.session.challenges).insert(repository.registry.clone(), challenge);
        }
    }

    /// Drops a token that was refused, and the credential, which its helper may have replaced.
    async fn forget(&self, repository: &Repository, scopes: &Scopes, at: &At) -> Result<(), StoreError> {
        let key = self.token_key(repository, scopes, at).await?;
        lock(&self.shared.session.tokens).remove(&key);
        lock(&self.credentials).remove(&repository.registry);
        Ok(())
    }

    async fn fetch_token(
        &self,
        repository: &Repository,
        challenge: &Challenge,
        credential: &Credential,
        scopes: &Scopes,
        at: &At,
    ) -> Result<Token, StoreError> {
        let realm = realm(repository, challenge, at)?;
        let request = token_request(realm, challenge.parameter("service"), credential, scopes);
        let url = request.url().clone();
        let max_bytes = self.shared.options.limits.max_token_bytes;
        let answer =
            self.shared.http.fetch(request, max_bytes).await.map_err(|error| unavailable(at, error))?;
        if !answer.status.is_success() {
            return Err(refusal(at, &repository.registry, credential.is_anonymous(), &url, &answer));
        }
        let no_token = || invalid(at, ResponseFault::NoToken);
        let body: TokenAnswer = serde_json::from_slice(&answer.body).map_err(|_| no_token())?;
        let text = body.token.or(body.access_token).filter(|text| !text.is_empty()).ok_or_else(no_token)?;
        let mut value = HeaderValue::from_str(&format!("Bearer {text}")).map_err(|_| no_token())?;
        value.set_sensitive(true);
        let seconds = body.expires_in.unwrap_or(DEFAULT_EXPIRY_SECONDS).min(MAX_EXPIRY_SECONDS);
        let life = Duration::from_secs(seconds).saturating_sub(EXPIRY_MARGIN);
        Ok(Token { value, expires: Instant::now() + life })
    }
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // What these hold is whole after every statement, also one that panics.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn invalid(at: &At, fault: ResponseFault) -> StoreError {
    StoreError::InvalidResponse { at: at.clone(), fault }
}

/// The challenge to answer: a token rather than the password itself.
fn strongest(headers: &HeaderMap, at: &At) -> Result<Option<Challenge>, StoreError> {
    let found: Vec<Challenge> = headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(parse_challenges)
        .collect();
    let by = |scheme: &str| found.iter().find(|challenge| challenge.scheme == scheme);
    match by("bearer").or_else(|| by("basic")) {
        Some(challenge) => Ok(Some(challenge.clone())),
        None => match found.first() {
            Some(other) => Err(invalid(at, ResponseFault::Challenge { scheme: other.scheme.clone() })),
            None => Ok(None),
        },
    }
}

fn basic(credential: &Credential) -> Option<HeaderValue> {
    let Credential::Basic { username, password } = credential else {
        return None;
    };
    let pair = STANDARD.encode(format!("{username}:{}", password.expose()));
    let mut value = HeaderValue::from_str(&format!("Basic {pair}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The token server, if credentials may go there: by HTTPS, or, for a registry that is itself asked by plain HTTP, on this
/// machine if the registry is, or else on the registry's own host.
fn realm(repository: &Repository, challenge: &Challenge, at: &At) -> Result<Url, StoreError> {
    let text = challenge.parameter("realm").unwrap_or_default();
    let Ok(url) = Url::parse(text) else {
        return Err(invalid(at, ResponseFault::Challenge { scheme: challenge.scheme.clone() }));
    };
    let base = repository.base();
    let loopback = |url: &Url| url.host_str().is_some_and(is_loopback);
    let allowed = match url.scheme() {
        "https" => !loopback(&url) || loopback(base),
        "http" => {
            base.scheme() == "http" && ((loopback(base) && loopback(&url)) || url.host() == base.host())
        }
        _ => false,
    };
    if allowed {
        Ok(url)
    } else {
        Err(invalid(at, ResponseFault::RefusedUrl { url: RedactedUrl::new(&url) }))
    }
}

/// A `GET` with the password, or a `POST` with the refresh token
/// ([OAuth2](https://distribution.github.io/distribution/spec/auth/oauth/)).
fn token_request(mut realm: Url, service: Option<&str>, credential: &Credential, scopes: &Scopes) -> Request {
    let service = service.map(|service| ("service", service));
    if let Credential::IdentityToken(token) = credential {
        let scope = scopes.0.join(" ");
        let form =
            [("grant_type", "refresh_token"), ("client_id", "touchmark"), ("refresh_token", token.expose())];
        let mut form_url = realm.clone();
        form_url
            .query_pairs_mut()
            .clear()
            .extend_pairs(form)
            .extend_pairs(service)
            .append_pair("scope", &scope);
        let body = form_url.query().unwrap_or_default().to_owned();
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        return Request::new(Method::POST, realm)
            .header(CONTENT_TYPE, form_type)
            .body(Bytes::from(body))
            .repeatable(true);
    }
    {
        let mut query = realm.query_pairs_mut();
        query.extend_pairs(service);
        query.extend_pairs(scopes.0.iter().map(|scope| ("scope", scope.as_str())));
    }
    let request = Request::new(Method::GET, realm);
    match basic(credential) {
        Some(value) => request.authorization(value),
        None => request,
    }
}

#[cfg(test)]
mod tests {
    use touchmark_transport::PlainHttp;

    use super::*;

    fn check_realm(registry: &str, realm_text: &str) -> Result<Url, StoreError> {
        let image: touchmark_oci::ImageRef = format!("{registry}/a").parse().unwrap();
        let at = At::new(Operation::LogIn, &image);
        let repository = Repository::new(image.name(), PlainHttp::Loopback, &at).unwrap();
        let header = format!("Bearer realm=\"{realm_text}\"");
        realm(&repository, &parse_challenges(&header)[0], &at)
    }

    #[test]
    fn credentials_go_to_a_token_server_by_https_only() {
        assert!(check_realm("reg.example", "https://auth.example/token").is_ok());
        for realm in
            ["http://auth.example/token", "http://reg.example/token", "ftp://x/", "https://127.0.0.1/token"]
        {
            let error = check_realm("reg.example", realm).unwrap_err();
            let refused =
                matches!(error, StoreError::InvalidResponse { fault: ResponseFault::RefusedUrl { .. }, .. });
            assert!(refused, "{realm}");
        }
        assert!(matches!(
            check_realm("reg.example", "token"),
            Err(StoreError::InvalidResponse { fault: ResponseFault::Challenge { .. }, .. })
        ));
    }

    #[test]
    fn a_registry_on_this_machine_may_name_a_token_server_on_it() {
        assert!(check_realm("127.0.0.1:5000", "http://localhost:5001/token").is_ok());
        assert!(check_realm("127.0.0.1:5000", "http://auth.example/token").is_err());
    }

    #[test]
    fn a_refresh_token_goes_into_the_body_and_never_the_url() {
        let credential = Credential::IdentityToken(crate::Secret::new("r&t"));
        let realm = Url::parse("https://auth.example/token?x=y").unwrap();
        let request = token_request(realm, Some("s"), &credential, &Scopes(vec!["repository:a:pull".into()]));
        assert_eq!(request.url().as_str(), "https://auth.example/token?x=y");
        assert_eq!(*request.method(), Method::POST);
    }

    #[test]
    fn a_token_is_preferred_to_the_password_itself() {
        let mut headers = HeaderMap::new();
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=x"));
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"https://x/t\""));
        let at = At::new(Operation::LogIn, "x");
        assert_eq!(strongest(&headers, &at).unwrap().unwrap().scheme, "bearer");
        headers.clear();
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Negotiate"));
        assert!(matches!(
            strongest(&headers, &at),
            Err(StoreError::InvalidResponse { fault: ResponseFault::Challenge { .. }, .. })
        ));
    }
}
