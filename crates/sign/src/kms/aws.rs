//! AWS KMS: [GetPublicKey](https://docs.aws.amazon.com/kms/latest/APIReference/API_GetPublicKey.html) and
//! [Sign](https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html), over the JSON 1.1 protocol.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use touchmark_sigstore::PublicKey;
use touchmark_transport::header::HeaderName;
use touchmark_transport::{Request, Url, is_loopback};

use super::aws_credentials::AwsCredentials;
use super::exchange::Exchange;
use super::sigv4::{self, Scope, Signable};
use super::{Environment, KmsError, Order, Service};
use crate::key_reference::{AwsKmsReference, host_name, is_region};

const MEDIA_TYPE: &str = "application/x-amz-json-1.1";
/// The names of KMS for what we sign with: P-256, P-384, Ed25519, RSA.
const ALGORITHMS: [&str; 4] =
    ["ECDSA_SHA_256", "ECDSA_SHA_384", "ED25519_SHA_512", "RSASSA_PKCS1_V1_5_SHA_256"];

/// A key of AWS KMS.
pub(super) struct AwsKms {
    key: String,
    region: String,
    endpoint: Url,
    credentials: AwsCredentials,
    exchange: Exchange,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PublicKeyAnswer {
    public_key: String,
    #[serde(default)]
    key_usage: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SignAnswer {
    signature: String,
}

impl PublicKeyAnswer {
    pub(super) fn public_key(self) -> Result<PublicKey, KmsError> {
        match self.key_usage {
            Some(found) if found != "SIGN_VERIFY" => Err(KmsError::Use { service: Service::Aws, found }),
            _ => Service::Aws.public_key(&Service::Aws.base64(&self.public_key, "PublicKey")?),
        }
    }
}

impl AwsKms {
    pub(super) fn new(
        reference: &AwsKmsReference,
        exchange: Exchange,
        environment: Environment,
    ) -> Result<Self, KmsError> {
        let region = match reference.region() {
            Some(region) => region.to_owned(),
            None => environment
                .first(&["AWS_REGION", "AWS_DEFAULT_REGION"])
                .ok_or_else(|| KmsError::Variable { name: "AWS_REGION".to_owned() })?
                .to_string(),
        };
        if !is_region(&region) {
            return Err(KmsError::VariableValue {
                name: "AWS_REGION",
                expected: "a region such as eu-west-1",
            });
        }
        let endpoint = exchange.url(&endpoint(reference, &region, &environment))?;
        let credentials = AwsCredentials::new(exchange.clone(), environment, region.clone());
        Ok(Self { key: reference.key.clone(), region, endpoint, credentials, exchange })
    }

    pub(super) async fn public_key(&self) -> Result<PublicKey, KmsError> {
        let answer: PublicKeyAnswer = self.call("GetPublicKey", &json!({ "KeyId": self.key })).await?;
        answer.public_key()
    }

    pub(super) async fn sign(&self, order: Order<'_>) -> Result<Vec<u8>, KmsError> {
        let digest = order.digest();
        let (message, message_type) =
            digest.as_ref().map_or((order.message, "RAW"), |digest| (digest.as_ref(), "DIGEST"));
        let body = json!({
            "KeyId": self.key,
            "Message": STANDARD.encode(message),
            "MessageType": message_type,
            "SigningAlgorithm": order.choose(ALGORITHMS)?,
        });
        let answer: SignAnswer = self.call("Sign", &body).await?;
        Service::Aws.base64(&answer.signature, "Signature")
    }

    async fn call<T: DeserializeOwned>(&self, action: &str, body: &Value) -> Result<T, KmsError> {
        self.exchange.call(self.signed(action, body.to_string()).await?).await
    }

    async fn signed(&self, action: &str, body: String) -> Result<Request, KmsError> {
        let credentials = self.credentials.current().await?;
        let target = format!("TrentService.{action}");
        let host = host(&self.endpoint);
        let time = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let mut headers: Vec<(&'static str, &str)> =
            vec![("content-type", MEDIA_TYPE), ("host", host.as_str()), ("x-amz-date", time.as_str())];
        if let Some(token) = &credentials.session_token {
            headers.push(("x-amz-security-token", token.as_str()));
        }
        headers.push(("x-amz-target", target.as_str()));
        let path = self.endpoint.path();
        let signable = Signable { method: "POST", path, query: "", headers: &headers, body: body.as_bytes() };
        let scope = Scope { time: &time, region: &self.region, service: "kms" };
        let authorization = sigv4::authorization(&signable, &scope, &credentials);
        let mut request = self.exchange.post(self.endpoint.as_str(), MEDIA_TYPE, body.clone())?;
        for (name, value) in headers.into_iter().filter(|(name, _)| name.starts_with("x-amz-")) {
            request = request.header(HeaderName::from_static(name), self.exchange.header_value(value)?);
        }
        Ok(request.authorization(self.exchange.header_value(&authorization)?))
    }
}

/// The address of KMS: in the reference, in the variables of AWS's SDKs, or that of the region
/// ([endpoints](https://docs.aws.amazon.com/general/latest/gr/kms.html)). An emulator on this machine is spoken to in plain HTTP.
fn endpoint(reference: &AwsKmsReference, region: &str, environment: &Environment) -> String {
    if let Some(host) = &reference.endpoint {
        let scheme = if is_loopback(host_name(host)) { "http" } else { "https" };
        return format!("{scheme}://{host}/");
    }
    if let Some(url) = environment.first(&["AWS_ENDPOINT_URL_KMS", "AWS_ENDPOINT_URL"]) {
        return url.to_string();
    }
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://kms.{region}.{domain}/")
}

/// The `Host` header that the client sends.
fn host(url: &Url) -> String {
    let name = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"))
}
