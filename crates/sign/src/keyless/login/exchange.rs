//! The token endpoint (RFC 6749 §3.2), and how it refuses (§5.2).

use serde::Deserialize;
use serde::de::DeserializeOwned;
use touchmark_transport::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use touchmark_transport::{Client, Method, Request, Url};
use zeroize::Zeroizing;

use super::provider::Provider;
use super::{LoginEndpoint, LoginError};
use crate::percent;

/// Bytes of an answer with a token.
const MAX_ANSWER_BYTES: u64 = 256 << 10;
/// Characters of a refusal that are shown.
const MAX_MESSAGE: usize = 200;

/// An issuer, and as which of its clients it is asked.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) client: Client,
    pub(super) provider: Provider,
    pub(super) client_id: String,
}

#[derive(Deserialize)]
struct TokenAnswer {
    id_token: Option<String>,
}

/// A refusal in the words of OAuth 2.0.
#[derive(Debug, Deserialize)]
pub(super) struct OauthError {
    pub(super) error: String,
    #[serde(default)]
    pub(super) error_description: String,
}

impl OauthError {
    /// As nobody but the caller can do anything about it.
    pub(super) fn into_error(self) -> LoginError {
        match self.error.as_str() {
            "access_denied" => LoginError::Denied,
            "expired_token" => LoginError::Expired,
            _ => LoginError::Oauth {
                code: readable(&self.error),
                description: readable(&self.error_description),
            },
        }
    }
}

impl Exchange {
    /// The identity token for what `form` proves, or the refusal.
    pub(super) async fn token(
        &self,
        form: &[(&str, &str)],
    ) -> Result<Result<Zeroizing<String>, OauthError>, LoginError> {
        let answer = self.post::<TokenAnswer>(LoginEndpoint::Token, &self.provider.token, form).await?;
        let Some(token) = answer.map(|answer| answer.id_token).transpose() else {
            return Err(LoginError::NoToken);
        };
        Ok(token.map(Zeroizing::new))
    }

    /// Posts a form as this client. Sent once: a code can be redeemed once.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        endpoint: LoginEndpoint,
        url: &Url,
        form: &[(&str, &str)],
    ) -> Result<Result<T, OauthError>, LoginError> {
        let form = percent::form(&[form, &[("client_id", self.client_id.as_str())]].concat());
        let request = Request::new(Method::POST, url.clone())
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .header(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
            .body(form.into_bytes().into());
        let answer = self.client.fetch(request, MAX_ANSWER_BYTES).await;
        let answer = answer.map_err(|source| endpoint.unreachable(source))?;
        if answer.status.is_success() {
            let read = serde_json::from_slice(&answer.body);
            return Ok(Ok(read.map_err(|source| LoginError::Answer { endpoint, source })?));
        }
        match serde_json::from_slice(&answer.body) {
            Ok(error) if answer.status.is_client_error() => Ok(Err(error)),
            _ => Err(endpoint.refused(answer.status)),
        }
    }
}

/// What a server said, short enough and without control characters.
pub(super) fn readable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_MESSAGE).collect()
}
