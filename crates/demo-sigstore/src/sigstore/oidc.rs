//! An OpenID Connect issuer: its discovery document, its keys, and tokens for whom one likes
//! ([OpenID Connect Discovery 1.0 §4](https://openid.net/specs/openid-connect-discovery-1_0.html), RFC 7519).

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::{LoginFault, Refusal};

/// Whom a token is for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Identity {
    /// The claim `sub`.
    pub subject: String,
    /// The claim `email`, which is then verified.
    pub email: Option<String>,
    /// Further claims, such as GitHub's `repository` and `job_workflow_ref`.
    pub claims: Map<String, Value>,
}

impl Identity {
    /// Someone with an address.
    pub fn email(address: &str) -> Self {
        Self { subject: address.to_owned(), email: Some(address.to_owned()), claims: Map::new() }
    }

    /// Something with a URI.
    pub fn uri(uri: &str) -> Self {
        Self { subject: uri.to_owned(), ..Self::default() }
    }

    /// With a further claim.
    #[must_use]
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }
}

pub(super) struct Issuer {
    key: EcdsaKeyPair,
}

impl Issuer {
    pub(super) fn new() -> Result<Self, Refusal> {
        Ok(Self { key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)? })
    }

    /// A token that is good for an hour.
    pub(super) fn token(&self, url: &str, identity: &Identity, now: Timestamp) -> Result<String, Refusal> {
        let header = json!({"alg": "ES256", "typ": "JWT", "kid": KEY_ID});
        let mut claims = identity.claims.clone();
        claims.insert("iss".to_owned(), url.into());
        claims.insert("sub".to_owned(), identity.subject.clone().into());
        claims.insert("iat".to_owned(), now.as_second().into());
        claims.insert("exp".to_owned(), now.as_second().saturating_add(LIFETIME.as_secs()).into());
        claims.entry("aud").or_insert_with(|| AUDIENCE.into());
        if let Some(email) = &identity.email {
            claims.insert("email".to_owned(), email.clone().into());
            claims.entry("email_verified").or_insert(true.into());
        }
        let encode = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(header), encode(Value::Object(claims)));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes())?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// The claims of a token of this issuer for Fulcio that is good now.
    pub(super) fn claims(
        &self,
        url: &str,
        token: &str,
        now: Timestamp,
    ) -> Result<Map<String, Value>, Refusal> {
        let refused =
            |why: &str| Refusal::new(401, format!("There was an error processing the identity token: {why}"));
        let (signed, signature) = token.rsplit_once('.').ok_or_else(|| refused("not a JWT"))?;
        let (_, claims) = signed.split_once('.').ok_or_else(|| refused("not a JWT"))?;
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| refused("not base64url"));
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.key.public_key().as_ref())
            .verify(signed.as_bytes(), &decode(signature)?)
            .map_err(|_| refused("wrong signature"))?;
        let claims: Map<String, Value> =
            serde_json::from_slice(&decode(claims)?).map_err(|_| refused("not JSON"))?;
        let expires = claims.get("exp").and_then(Value::as_i64).unwrap_or_default();
        if claims.get("iss").and_then(Value::as_str) != Some(url) {
            return Err(refused("unknown issuer"));
        }
        if claims.get("aud").and_then(Value::as_str) != Some(AUDIENCE) {
            return Err(refused("wrong audience"));
        }
        if expires <= now.as_second() {
            return Err(refused("expired"));
        }
        Ok(claims)
    }

    /// The key set (RFC 7517 §5, RFC 7518 §6.2).
    pub(super) fn keys(&self) -> Value {
        // An uncompressed point: 4, x, y (SEC 1 §2.3.3).
        let point = self.key.public_key().as_ref();
        let part = |from: usize| URL_SAFE_NO_PAD.encode(point.get(from..from + 32).unwrap_or_default());
        json!({"keys": [{
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": KEY_ID,
            "x": part(1), "y": part(33),
        }]})
    }
}

/// The discovery document.
pub(super) fn configuration(url: &str, fault: Option<LoginFault>) -> Value {
    let issuer = if fault == Some(LoginFault::WrongDocument) { "https://another.example" } else { url };
    let device = (fault != Some(LoginFault::NoDevice)).then(|| format!("{url}/device/code"));
    json!({
        "issuer": issuer,
        "device_authorization_endpoint": device,
        "authorization_endpoint": format!("{url}/auth"),
        "token_endpoint": format!("{url}/token"),
        "jwks_uri": format!("{url}/keys"),
        "response_types_supported": ["code", "id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    })
}

const AUDIENCE: &str = "sigstore";
const KEY_ID: &str = "1";
const LIFETIME: SignedDuration = SignedDuration::from_hours(1);
