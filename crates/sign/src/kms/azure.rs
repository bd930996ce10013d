//! Azure Key Vault and Managed HSM: [get key](https://learn.microsoft.com/rest/api/keyvault/keys/get-key/get-key) and
//! [sign](https://learn.microsoft.com/rest/api/keyvault/keys/sign/sign), with JSON Web Keys (RFC 7517, RFC 7518).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::OnceCell;
use touchmark_sigstore::{KeyAlgorithm, PublicKey};
use touchmark_transport::{Request, is_loopback};

use super::azure_token::AzureToken;
use super::der::{Curve, curve_key, ecdsa_signature, rsa_key};
use super::exchange::Exchange;
use super::{Environment, KmsError, Order, Service};
use crate::key_reference::{AzureKmsReference, host_name};

const API: &str = "api-version=7.4";

/// A key of Azure Key Vault.
pub(super) struct AzureKms {
    base: String,
    reference: AzureKmsReference,
    /// The version whose public key was read, which is then the one that signs.
    version: OnceCell<String>,
    token: AzureToken,
    exchange: Exchange,
}

#[derive(Deserialize)]
pub(super) struct KeyAnswer {
    key: Jwk,
}

#[derive(Deserialize)]
struct Jwk {
    kid: String,
    kty: String,
    #[serde(default)]
    crv: String,
    #[serde(default)]
    x: String,
    #[serde(default)]
    y: String,
    #[serde(default)]
    n: String,
    #[serde(default)]
    e: String,
}

#[derive(Deserialize)]
struct SignAnswer {
    value: String,
}

impl KeyAnswer {
    pub(super) fn public_key(&self) -> Result<PublicKey, KmsError> {
        Service::Azure.public_key(&self.key.der()?)
    }
}

impl Jwk {
    /// The key as SubjectPublicKeyInfo. Keys in an HSM have a type of their own.
    fn der(&self) -> Result<Vec<u8>, KmsError> {
        let number = |text: &str, field| Service::Azure.base64url(text, field);
        match (self.kty.as_str(), self.crv.as_str()) {
            ("RSA" | "RSA-HSM", _) => Ok(rsa_key(&number(&self.n, "key.n")?, &number(&self.e, "key.e")?)),
            ("EC" | "EC-HSM", "P-256") => self.point(Curve::P256, 32),
            ("EC" | "EC-HSM", "P-384") => self.point(Curve::P384, 48),
            (kind, curve) => Err(KmsError::Use {
                service: Service::Azure,
                found: format!("{kind} {curve}").trim().to_owned(),
            }),
        }
    }

    /// Both coordinates have their full length (RFC 7518 §6.2.1.2).
    fn point(&self, curve: Curve, length: usize) -> Result<Vec<u8>, KmsError> {
        let x = Service::Azure.base64url(&self.x, "key.x")?;
        let y = Service::Azure.base64url(&self.y, "key.y")?;
        if x.len() != length || y.len() != length {
            return Err(Service::Azure.field("key.x"));
        }
        Ok(curve_key(curve, &[&[4], x.as_slice(), y.as_slice()].concat()))
    }
}

impl AzureKms {
    pub(super) fn new(
        reference: &AzureKmsReference,
        exchange: Exchange,
        environment: Environment,
    ) -> Result<Self, KmsError> {
        // An emulator on this machine; everything else is one of Azure's own hosts.
        let scheme = if is_loopback(host_name(&reference.host)) { "http" } else { "https" };
        let base = format!("{scheme}://{}/keys/{}", reference.host, reference.key);
        exchange.url(&base)?;
        Ok(Self {
            base,
            reference: reference.clone(),
            version: OnceCell::new(),
            token: AzureToken::new(exchange.clone(), environment, &reference.host),
            exchange,
        })
    }

    pub(super) async fn public_key(&self) -> Result<PublicKey, KmsError> {
        let wanted = self.reference.version.as_deref().unwrap_or_default();
        let request = self.exchange.get(&format!("{}/{wanted}?{API}", self.base))?;
        let answer: KeyAnswer = self.exchange.call(self.with_token(request).await?).await?;
        let version = version(&answer.key.kid).ok_or_else(|| Service::Azure.field("key.kid"))?;
        self.version.get_or_init(async || version.to_owned()).await;
        answer.public_key()
    }

    pub(super) async fn sign(&self, order: Order<'_>) -> Result<Vec<u8>, KmsError> {
        // Ed25519 is no algorithm of Key Vault, and its public key was refused.
        let digest = order.digest().ok_or(KmsError::Format { algorithm: order.algorithm })?;
        let body = json!({
            "alg": order.choose(["ES256", "ES384", "EdDSA", "RS256"])?,
            "value": URL_SAFE_NO_PAD.encode(digest),
        });
        let version = self.version.get().map(String::as_str).unwrap_or_default();
        let request = self.exchange.post_json(&format!("{}/{version}/sign?{API}", self.base), &body)?;
        let answer: SignAnswer = self.exchange.call(self.with_token(request).await?).await?;
        let signature = Service::Azure.base64url(&answer.value, "value")?;
        match order.algorithm {
            KeyAlgorithm::Rsa { .. } => Ok(signature),
            _ => ecdsa_signature(&signature).ok_or_else(|| Service::Azure.field("value")),
        }
    }

    async fn with_token(&self, request: Request) -> Result<Request, KmsError> {
        Ok(request.authorization(self.exchange.bearer(&self.token.current().await?)?))
    }
}

/// The version at the end of a key's identifier, if it can stand in an address.
fn version(kid: &str) -> Option<&str> {
    let version = kid.rsplit('/').next()?;
    let fine = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_alphanumeric());
    fine.then_some(version)
}
