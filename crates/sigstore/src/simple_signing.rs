//! Simple signing: cosign's signature format until version 2.
//!
//! A layer of a `.sig` manifest is the payload; the signature is in the layer's annotations
//! ([cosign 2.5, SIGNATURE_SPEC.md](https://github.com/sigstore/cosign/blob/v2.5.0/specs/SIGNATURE_SPEC.md), with the annotation
//! names that its code has and the prose has not).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use touchmark_oci::Digest;

use crate::{JsonError, LegacyMaterial, Limits, json};

/// The media type of a layer.
pub const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// The layer annotation with the signature, in base64.
pub const SIGNATURE_ANNOTATION: &str = "dev.cosignproject.cosign/signature";

/// The only `critical.type` that cosign writes and reads.
const TYPE: &str = "cosign container image signature";

/// A well-formed simple signing payload with its signature. Nobody has checked the signature.
#[derive(Debug, Clone, PartialEq)]
pub struct SimpleSigning {
    payload: Vec<u8>,
    parsed: Payload,
    signature: Vec<u8>,
    material: LegacyMaterial,
}

/// The payload
/// ([containers-signature(5)](https://github.com/containers/image/blob/v5.34.0/docs/containers-signature.5.md#json-data-format)),
/// with cosign's type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Payload {
    critical: Critical,
    optional: Option<BTreeMap<String, Value>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Critical {
    identity: Identity,
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Identity {
    #[serde(rename = "docker-reference")]
    docker_reference: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    docker_manifest_digest: Digest,
}

impl SimpleSigning {
    /// Parses a layer: its bytes, and the annotations of its descriptor.
    ///
    /// # Errors
    /// [`SimpleSigningError`]: over a limit, not the JSON of a payload, of another type, or without a signature.
    pub fn parse(
        payload: &[u8],
        annotations: &BTreeMap<String, String>,
        limits: &Limits,
    ) -> Result<Self, SimpleSigningError> {
        let signature = annotations.get(SIGNATURE_ANNOTATION).ok_or(SimpleSigningError::NoSignature)?;
        let signature = STANDARD.decode(signature).map_err(|source| SimpleSigningError::Base64 { source })?;
        let mut parsed = Self::unsigned(payload, limits)?;
        parsed.signature = signature;
        parsed.material = LegacyMaterial::of(annotations);
        Ok(parsed)
    }

    fn unsigned(payload: &[u8], limits: &Limits) -> Result<Self, SimpleSigningError> {
        if payload.len() > limits.max_payload_bytes {
            let (size, limit) = (payload.len(), limits.max_payload_bytes);
            return Err(SimpleSigningError::TooLarge { size, limit });
        }
        json::check(payload, limits.max_json_depth)?;
        let parsed: Payload = serde_json::from_slice(payload)?;
        if parsed.critical.kind != TYPE {
            let found = parsed.critical.kind.chars().take(100).collect();
            return Err(SimpleSigningError::Type { found });
        }
        let payload = payload.to_vec();
        Ok(Self { payload, parsed, signature: Vec::new(), material: LegacyMaterial::default() })
    }

    /// The payload that says "the image with `digest`, known as `reference`, is ours", byte for byte as cosign writes it. Not signed yet.
    pub fn payload_for(reference: &str, digest: &Digest, annotations: &BTreeMap<String, Value>) -> Vec<u8> {
        let payload = Payload {
            critical: Critical {
                identity: Identity { docker_reference: reference.to_owned() },
                image: Image { docker_manifest_digest: digest.clone() },
                kind: TYPE.to_owned(),
            },
            optional: Some(annotations.clone()).filter(|annotations| !annotations.is_empty()),
        };
        // Writing strings and JSON values to memory cannot fail.
        serde_json::to_vec(&payload).unwrap_or_default()
    }

    /// The exact bytes that the signature is over.
    pub fn dangerous_payload(&self) -> &[u8] {
        &self.payload
    }

    /// The signature, unchecked.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The digest that the payload names.
    pub(crate) fn digest(&self) -> &Digest {
        &self.parsed.critical.image.docker_manifest_digest
    }

    pub(crate) fn annotations(&self) -> BTreeMap<String, Value> {
        self.parsed.optional.clone().unwrap_or_default()
    }

    /// Certificate, log entry and timestamp beside it.
    pub(crate) fn material(&self) -> &LegacyMaterial {
        &self.material
    }
}

/// Why a layer is no simple signing payload.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimpleSigningError {
    /// Larger than [`Limits::max_payload_bytes`].
    #[error("simple signing payload has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// Bytes found.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// No signature beside the payload.
    #[error("layer has no annotation {SIGNATURE_ANNOTATION:?} with a signature")]
    NoSignature,
    /// A signature that is not base64.
    #[error("signature in the layer's annotation is not base64")]
    Base64 {
        /// What base64 objects to.
        source: base64::DecodeError,
    },
    /// Not JSON, or JSON that means different things to different readers.
    #[error("simple signing payload is not readable")]
    Json(#[from] JsonError),
    /// Not the members of a payload.
    #[error("simple signing payload is not valid")]
    Members(#[from] serde_json::Error),
    /// Another type, such as that of a GnuPG signature.
    #[error("simple signing payload has type {found:?}, expected {TYPE:?}")]
    Type {
        /// The type, shortened.
        found: String,
    },
}
