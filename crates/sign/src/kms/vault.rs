//! HashiCorp Vault and OpenBao: the [transit engine](https://developer.hashicorp.com/vault/api-docs/secret/transit).
//!
//! Signs with the newest version of the key, and names that version in the request, so that a rotation in between does not lead to a
//! signature by another key than the one that was read.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use touchmark_sigstore::PublicKey;
use touchmark_transport::Request;
use touchmark_transport::header::{HeaderName, HeaderValue};
use zeroize::Zeroizing;

use super::der::{Curve, curve_key};
use super::exchange::Exchange;
use super::{Environment, KmsError, Order, Service};
use crate::percent;

/// The `hash_algorithm` of what we sign with: P-256, P-384, Ed25519 (which has none of its own), RSA.
const HASHES: [&str; 4] = ["sha2-256", "sha2-384", "none", "sha2-256"];
/// Where the engine is mounted unless something else is said.
const MOUNT: &str = "transit";

/// A key of the transit engine.
pub(super) struct Vault {
    base: String,
    key: String,
    token: Zeroizing<String>,
    namespace: Option<HeaderValue>,
    version: OnceCell<u64>,
    exchange: Exchange,
}

#[derive(Deserialize)]
pub(super) struct Wrapped<T> {
    pub(super) data: T,
}

#[derive(Deserialize)]
pub(super) struct KeyAnswer {
    #[serde(rename = "type")]
    kind: String,
    latest_version: u64,
    keys: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct SignAnswer {
    signature: String,
}

impl KeyAnswer {
    /// The public key of that version, or of the newest.
    pub(super) fn public_key(self, version: Option<u64>) -> Result<PublicKey, KmsError> {
        let version = version.unwrap_or(self.latest_version).to_string();
        let public = self.keys.get(&version).and_then(|key| key.get("public_key")?.as_str());
        let public = public.ok_or_else(|| Service::Vault.field("data.keys"))?;
        match self.kind.as_str() {
            "ed25519" => {
                let point = Service::Vault.base64(public, "public_key")?;
                Service::Vault.public_key(&curve_key(Curve::Ed25519, &point))
            }
            kind if kind.starts_with("ecdsa-") || kind.starts_with("rsa-") => {
                Service::Vault.public_key_pem(public)
            }
            _ => Err(KmsError::Use { service: Service::Vault, found: self.kind }),
        }
    }
}

impl Vault {
    pub(super) async fn new(
        key: &str,
        exchange: Exchange,
        environment: &Environment,
    ) -> Result<Self, KmsError> {
        let address = environment
            .first(&["VAULT_ADDR", "BAO_ADDR"])
            .ok_or_else(|| KmsError::Variable { name: "VAULT_ADDR".to_owned() })?;
        let mount = environment.value("TRANSIT_SECRET_ENGINE_PATH");
        let mount: Vec<_> = mount
            .as_deref()
            .map_or(MOUNT, String::as_str)
            .split('/')
            .filter(|part| !part.is_empty())
            .map(percent::encode)
            .collect();
        let namespace = environment
            .first(&["VAULT_NAMESPACE", "BAO_NAMESPACE"])
            .map(|namespace| exchange.header_value(&namespace))
            .transpose()?;
        Ok(Self {
            base: format!("{}/v1/{}", address.trim_end_matches('/'), mount.join("/")),
            key: key.to_owned(),
            token: token(&exchange, environment).await?,
            namespace,
            version: OnceCell::new(),
            exchange,
        })
    }

    pub(super) async fn public_key(&self) -> Result<PublicKey, KmsError> {
        let request = self.exchange.get(&format!("{}/keys/{}", self.base, self.key))?;
        let Wrapped { data } = self.exchange.call::<Wrapped<KeyAnswer>>(self.with_token(request)?).await?;
        let version = self.version.get_or_init(async || data.latest_version).await;
        data.public_key(Some(*version))
    }

    pub(super) async fn sign(&self, order: Order<'_>) -> Result<Vec<u8>, KmsError> {
        let digest = order.digest();
        let input = digest.as_ref().map_or(order.message, AsRef::as_ref);
        let mut body = json!({
            "input": STANDARD.encode(input),
            "prehashed": digest.is_some(),
            "marshaling_algorithm": "asn1",
            "signature_algorithm": "pkcs1v15",
            "key_version": self.version.get(),
        });
        if let (Some(_), Some(fields)) = (&digest, body.as_object_mut()) {
            fields.insert("hash_algorithm".to_owned(), order.choose(HASHES)?.into());
        }
        let request = self.exchange.post_json(&format!("{}/sign/{}", self.base, self.key), &body)?;
        let Wrapped { data } = self.exchange.call::<Wrapped<SignAnswer>>(self.with_token(request)?).await?;
        let signature = signature(&data.signature).ok_or_else(|| Service::Vault.field("data.signature"))?;
        Service::Vault.base64(signature, "data.signature")
    }

    fn with_token(&self, request: Request) -> Result<Request, KmsError> {
        let token = self.exchange.bearer(&self.token)?;
        let request = request
            .header(HeaderName::from_static("x-vault-request"), HeaderValue::from_static("true"))
            .authorization(token);
        Ok(match &self.namespace {
            Some(namespace) => {
                request.header(HeaderName::from_static("x-vault-namespace"), namespace.clone())
            }
            None => request,
        })
    }
}

/// From a variable, or where `vault login` leaves it.
async fn token(exchange: &Exchange, environment: &Environment) -> Result<Zeroizing<String>, KmsError> {
    if let Some(token) = environment.first(&["VAULT_TOKEN", "BAO_TOKEN"]) {
        return Ok(token);
    }
    let home = environment.value("HOME").ok_or(KmsError::NoCredentials { service: Service::Vault })?;
    exchange.read_file(std::path::Path::new(home.as_str()).join(".vault-token")).await
}

/// The base64 in `vault:vN:BASE64`.
fn signature(text: &str) -> Option<&str> {
    let (version, signature) = text.strip_prefix("vault:v")?.split_once(':')?;
    version.bytes().all(|byte| byte.is_ascii_digit()).then_some(signature)
}
