//! Tokens for Google Cloud, in the order of
//! [Application Default Credentials](https://cloud.google.com/docs/authentication/application-default-credentials): a service account's
//! file by [JWT bearer](https://developers.google.com/identity/protocols/oauth2/service-account#httprest) (RFC 7523), or the metadata
//! server. `GOOGLE_OAUTH_ACCESS_TOKEN` goes first, as with Terraform.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use touchmark_sigstore::Limits;
use touchmark_transport::header::{HeaderName, HeaderValue};
use zeroize::Zeroizing;

use super::exchange::{Exchange, secret};
use super::kept_token::KeptToken;
use super::{Environment, KmsError, Service};
use crate::{KeyFile, SignatureFormat, percent};

const SCOPE: &str = "https://www.googleapis.com/auth/cloudkms";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const METADATA: &str = "metadata.google.internal";
const METADATA_PATH: &str = "computeMetadata/v1/instance/service-accounts/default/token";
/// How long an assertion may be valid at most, in seconds.
const ASSERTION_SECONDS: i64 = 3600;

/// Where tokens come from, and one that is still good.
pub(super) struct GcpToken {
    exchange: Exchange,
    environment: Environment,
    kept: KeptToken,
}

#[derive(Deserialize)]
struct TokenAnswer {
    #[serde(deserialize_with = "secret")]
    access_token: Zeroizing<String>,
}

/// A file with a service account's key. Other kinds of files are refused: some of them name programs to run.
#[derive(Deserialize)]
struct ServiceAccount {
    #[serde(rename = "type")]
    kind: String,
    client_email: String,
    #[serde(deserialize_with = "secret")]
    private_key: Zeroizing<String>,
    private_key_id: String,
    token_uri: String,
}

impl GcpToken {
    pub(super) fn new(exchange: Exchange, environment: Environment) -> Self {
        Self { exchange, environment, kept: KeptToken::default() }
    }

    /// A token that is good now.
    pub(super) async fn current(&self) -> Result<Zeroizing<String>, KmsError> {
        self.kept.get(self.find()).await
    }

    async fn find(&self) -> Result<Zeroizing<String>, KmsError> {
        if let Some(token) = self.environment.value("GOOGLE_OAUTH_ACCESS_TOKEN") {
            return Ok(token);
        }
        match self.environment.value("GOOGLE_APPLICATION_CREDENTIALS") {
            Some(path) => self.service_account(&path).await,
            None => self.metadata().await,
        }
    }

    async fn service_account(&self, path: &str) -> Result<Zeroizing<String>, KmsError> {
        let text = self.exchange.read_file(path).await?;
        let account: ServiceAccount = serde_json::from_str(&text)
            .ok()
            .filter(|account: &ServiceAccount| account.kind == "service_account")
            .ok_or(KmsError::VariableValue {
                name: "GOOGLE_APPLICATION_CREDENTIALS",
                expected: "a file with a service account's key",
            })?;
        let assertion = assertion(&account, Timestamp::now().as_second())?;
        let body = percent::form(&[("grant_type", GRANT), ("assertion", &assertion)]);
        let request = self.exchange.post(&account.token_uri, "application/x-www-form-urlencoded", body)?;
        Ok(self.exchange.call::<TokenAnswer>(request).await?.access_token)
    }

    async fn metadata(&self) -> Result<Zeroizing<String>, KmsError> {
        let host = self.exchange.with_host()?;
        let name = self.environment.value("GCE_METADATA_HOST");
        let name = name.as_deref().map_or(METADATA, String::as_str);
        let request = host
            .get(&format!("http://{name}/{METADATA_PATH}"))?
            .header(HeaderName::from_static("metadata-flavor"), HeaderValue::from_static("Google"));
        match host.call::<TokenAnswer>(request).await {
            Ok(answer) => Ok(answer.access_token),
            // Away from Google there is no such host, which is no news.
            Err(KmsError::Transport { .. }) => Err(KmsError::NoCredentials { service: Service::Gcp }),
            Err(error) => Err(error),
        }
    }
}

/// A JWT (RFC 7519) by the account's RSA key.
fn assertion(account: &ServiceAccount, now: i64) -> Result<String, KmsError> {
    let KeyFile::Plain(key) = KeyFile::parse(&account.private_key, &Limits::default())? else {
        return Err(KmsError::Field { service: Service::Gcp, field: "private_key" });
    };
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": account.private_key_id });
    let claims = json!({
        "iss": account.client_email,
        "scope": SCOPE,
        "aud": account.token_uri,
        "iat": now,
        "exp": now + ASSERTION_SECONDS,
    });
    let encode = |value: String| URL_SAFE_NO_PAD.encode(value);
    let signed = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let signature = key.sign(signed.as_bytes(), SignatureFormat::Legacy)?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}
