//! Google Cloud KMS:
//! [getPublicKey](https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys.cryptoKeyVersions/getPublicKey),
//! [asymmetricSign](https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys.cryptoKeyVersions/asymmetricSign),
//! with the CRC32C checks of [data integrity guidelines](https://cloud.google.com/kms/docs/data-integrity-guidelines).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::OnceCell;
use touchmark_sigstore::PublicKey;
use touchmark_transport::Request;

use super::exchange::Exchange;
use super::gcp_token::GcpToken;
use super::{Environment, KmsError, Order, Service};
use crate::key_reference::GcpKmsReference;

const ENDPOINT: &str = "https://cloudkms.googleapis.com";
/// As many versions as one page holds.
const MAX_VERSIONS: &str = "1000";
/// [CryptoKeyVersionAlgorithm](https://cloud.google.com/kms/docs/reference/rest/v1/CryptoKeyVersionAlgorithm)s that sign as we do.
const ALGORITHMS: [&str; 6] = [
    "EC_SIGN_P256_SHA256",
    "EC_SIGN_P384_SHA384",
    "EC_SIGN_ED25519",
    "RSA_SIGN_PKCS1_2048_SHA256",
    "RSA_SIGN_PKCS1_3072_SHA256",
    "RSA_SIGN_PKCS1_4096_SHA256",
];

/// A key of Google Cloud KMS.
pub(super) struct GcpKms {
    base: String,
    reference: GcpKmsReference,
    version: OnceCell<String>,
    token: GcpToken,
    exchange: Exchange,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PublicKeyAnswer {
    pem: String,
    algorithm: String,
    pem_crc32c: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignAnswer {
    signature: String,
    signature_crc32c: String,
    #[serde(default)]
    verified_digest_crc32c: bool,
    #[serde(default)]
    verified_data_crc32c: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Versions {
    #[serde(default)]
    crypto_key_versions: Vec<Version>,
}

#[derive(Deserialize)]
struct Version {
    name: String,
}

impl PublicKeyAnswer {
    pub(super) fn public_key(self) -> Result<PublicKey, KmsError> {
        if !ALGORITHMS.contains(&self.algorithm.as_str()) {
            return Err(KmsError::Use { service: Service::Gcp, found: self.algorithm });
        }
        if self.pem_crc32c.is_some_and(|sum| sum != checksum(self.pem.as_bytes())) {
            return Err(KmsError::Checksum { service: Service::Gcp, field: "pemCrc32c" });
        }
        Service::Gcp.public_key_pem(&self.pem)
    }
}

impl GcpKms {
    pub(super) fn new(
        reference: &GcpKmsReference,
        exchange: Exchange,
        environment: Environment,
    ) -> Result<Self, KmsError> {
        let endpoint = environment.value("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS");
        let endpoint = endpoint.as_deref().map_or(ENDPOINT, |url| url.trim_end_matches('/'));
        exchange.url(endpoint)?;
        Ok(Self {
            base: format!("{endpoint}/v1"),
            reference: reference.clone(),
            version: OnceCell::new(),
            token: GcpToken::new(exchange.clone(), environment),
            exchange,
        })
    }

    pub(super) async fn public_key(&self) -> Result<PublicKey, KmsError> {
        let request = self.exchange.get(&format!("{}/publicKey", self.version_url().await?))?;
        let answer: PublicKeyAnswer = self.exchange.call(self.with_token(request).await?).await?;
        answer.public_key()
    }

    pub(super) async fn sign(&self, order: Order<'_>) -> Result<Vec<u8>, KmsError> {
        let digest = order.digest();
        let body = match &digest {
            Some(digest) => {
                let name = order.choose(["sha256", "sha384", "sha512", "sha256"])?;
                json!({ "digest": { name: STANDARD.encode(digest) }, "digestCrc32c": checksum(digest.as_ref()) })
            }
            None => json!({ "data": STANDARD.encode(order.message), "dataCrc32c": checksum(order.message) }),
        };
        let url = format!("{}:asymmetricSign", self.version_url().await?);
        let request = self.with_token(self.exchange.post_json(&url, &body)?).await?;
        let answer: SignAnswer = self.exchange.call(request).await?;
        let damaged = |field| KmsError::Checksum { service: Service::Gcp, field };
        match digest {
            Some(_) if !answer.verified_digest_crc32c => return Err(damaged("verifiedDigestCrc32c")),
            None if !answer.verified_data_crc32c => return Err(damaged("verifiedDataCrc32c")),
            _ => {}
        }
        let signature = Service::Gcp.base64(&answer.signature, "signature")?;
        if checksum(&signature) == answer.signature_crc32c {
            Ok(signature)
        } else {
            Err(damaged("signatureCrc32c"))
        }
    }

    async fn with_token(&self, request: Request) -> Result<Request, KmsError> {
        Ok(request.authorization(self.exchange.bearer(&self.token.current().await?)?))
    }

    async fn version_url(&self) -> Result<String, KmsError> {
        let version = self.version.get_or_try_init(|| self.find_version()).await?;
        Ok(format!("{}/{}/cryptoKeyVersions/{version}", self.base, self.reference.key))
    }

    /// The version in the reference, or the newest one that is enabled, as cosign has it.
    async fn find_version(&self) -> Result<String, KmsError> {
        if let Some(version) = &self.reference.version {
            return Ok(version.clone());
        }
        let url = format!(
            "{}/{}/cryptoKeyVersions?filter=state%3DENABLED&pageSize={MAX_VERSIONS}",
            self.base, self.reference.key
        );
        let request = self.with_token(self.exchange.get(&url)?).await?;
        let found: Versions = self.exchange.call(request).await?;
        let numbers = found
            .crypto_key_versions
            .iter()
            .filter_map(|version| version.name.rsplit('/').next()?.parse::<u64>().ok());
        let newest = numbers.max().ok_or_else(|| Service::Gcp.field("cryptoKeyVersions"))?;
        Ok(newest.to_string())
    }
}

/// CRC-32C (RFC 3720 §12.1) in decimal, as Google writes it.
fn checksum(bytes: &[u8]) -> String {
    const REVERSED_POLYNOMIAL: u32 = 0x82f6_3b78;
    let crc = bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ REVERSED_POLYNOMIAL } else { crc >> 1 }
        })
    });
    (!crc).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3720 §B.4, and the check value of the catalogue of CRC algorithms.
    #[test]
    fn checksums_are_crc_32c() {
        assert_eq!(checksum(&[0; 32]), 0x8a91_36aa_u32.to_string());
        assert_eq!(checksum(&[0xff; 32]), 0x62a8_ab43_u32.to_string());
        assert_eq!(checksum(b"123456789"), 0xe306_9283_u32.to_string());
    }
}
