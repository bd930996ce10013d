//! The documents that are signed, byte for byte as cosign writes them.

use std::collections::BTreeMap;

use aws_lc_rs::digest as hash;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use touchmark_attestation::{
    Envelope, EnvelopeSignature, IN_TOTO_PAYLOAD, ResourceDescriptor, Statement, predicate_types,
};
use touchmark_oci::{ImageName, PinnedRef};
use touchmark_sigstore::storage::LegacyLayer;
use touchmark_sigstore::{BUNDLE_V03, KeyAlgorithm, Limits, PublicKey, SimpleSigning, parse_statement};

use crate::{SignError, SignatureFormat, Signer};

/// Signs an image: a bundle as `cosign sign` writes it since version 3, with `annotations` in the statement's subject.
///
/// # Errors
/// [`SignError`].
pub fn sign_image(
    signer: &Signer,
    image: &PinnedRef,
    annotations: &BTreeMap<String, String>,
) -> Result<Vec<u8>, SignError> {
    sign_statement(signer, &image_statement(image, annotations))
}

/// The statement that is an image's signature, with `annotations` in its subject.
pub fn image_statement(image: &PinnedRef, annotations: &BTreeMap<String, String>) -> Statement {
    let mut subject = ResourceDescriptor::of(image.digest());
    subject.annotations = as_values(annotations);
    Statement::new(vec![subject], predicate_types::COSIGN_SIGN, Value::Object(Map::new()))
}

/// Signs a statement: a bundle as `cosign attest` writes it since version 3.
///
/// # Errors
/// [`SignError`].
pub fn sign_statement<P: Serialize>(signer: &Signer, statement: &Statement<P>) -> Result<Vec<u8>, SignError> {
    let unsigned = UnsignedStatement::new(statement)?;
    let signature = signer.sign(unsigned.message(), SignatureFormat::Bundle)?;
    unsigned.into_bundle(signer.public_key(), signature)
}

/// Signs an image as cosign 1 and 2 do: a layer for its `.sig` manifest.
///
/// # Errors
/// [`SignError`].
pub fn sign_legacy(
    signer: &Signer,
    image: &PinnedRef,
    annotations: &BTreeMap<String, String>,
) -> Result<LegacyLayer, SignError> {
    let unsigned = UnsignedSignature::new(image, annotations);
    let signature = signer.sign(unsigned.message(), SignatureFormat::Legacy)?;
    Ok(unsigned.into_layer(&signature))
}

/// Signs a statement as cosign 1 and 2 do: a layer for the image's `.att` manifest.
///
/// # Errors
/// [`SignError`].
pub fn attest_legacy<P: Serialize>(
    signer: &Signer,
    statement: &Statement<P>,
) -> Result<LegacyLayer, SignError> {
    let unsigned = UnsignedStatement::new(statement)?;
    let signature = signer.sign(unsigned.message(), SignatureFormat::Legacy)?;
    Ok(unsigned.into_layer(signature))
}

/// Signs a file: a bundle as `cosign sign-blob --bundle` writes it. For the signature alone, see [`Signer::sign`] with
/// [`SignatureFormat::Legacy`], in base64.
///
/// # Errors
/// [`SignError`].
pub fn sign_blob(signer: &Signer, artifact: &[u8]) -> Result<Vec<u8>, SignError> {
    let signature = signer.sign(artifact, SignatureFormat::Bundle)?;
    UnsignedBlob::new(artifact).into_bundle(signer.public_key(), &signature)
}

/// A statement before it is signed, for whoever signs it elsewhere.
#[derive(Debug, Clone)]
pub struct UnsignedStatement {
    payload: Vec<u8>,
    message: Vec<u8>,
    predicate_type: String,
}

impl UnsignedStatement {
    /// Writes the statement, and checks that verifiers will accept it.
    ///
    /// # Errors
    /// [`SignError`].
    pub fn new<P: Serialize>(statement: &Statement<P>) -> Result<Self, SignError> {
        Self::from_payload(statement.to_json()?)
    }

    /// A statement that is written already: its bytes are signed as they are.
    ///
    /// # Errors
    /// [`SignError::Unverifiable`]: the bytes are no statement that a verifier would accept.
    pub fn from_payload(payload: Vec<u8>) -> Result<Self, SignError> {
        let predicate_type = parse_statement(&payload, &Limits::default())?.predicate_type().to_owned();
        let message = touchmark_attestation::pae(IN_TOTO_PAYLOAD, &payload);
        Ok(Self { payload, message, predicate_type })
    }

    /// The bytes to sign.
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// The bundle, once `key` has signed.
    ///
    /// # Errors
    /// [`SignError::Bundle`].
    pub fn into_bundle(self, key: &PublicKey, signature: Vec<u8>) -> Result<Vec<u8>, SignError> {
        let envelope = serde_json::from_slice::<Box<RawValue>>(&self.into_envelope(signature).to_json())?;
        write_bundle(key, BundleContent::DsseEnvelope(envelope))
    }

    /// The layer of the image's `.att` manifest.
    pub fn into_layer(self, signature: Vec<u8>) -> LegacyLayer {
        let predicate_type = self.predicate_type.clone();
        LegacyLayer::attestation(&self.into_envelope(signature), &predicate_type)
    }

    /// The statement's bytes.
    pub(crate) fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The envelope, once signed.
    pub(crate) fn into_envelope(self, signature: Vec<u8>) -> Envelope {
        let signature = EnvelopeSignature { key_id: None, signature };
        Envelope::new(IN_TOTO_PAYLOAD, self.payload, vec![signature])
    }
}

/// A legacy signature of an image before it is signed.
#[derive(Debug, Clone)]
pub struct UnsignedSignature {
    payload: Vec<u8>,
}

impl UnsignedSignature {
    /// Writes the payload.
    pub fn new(image: &PinnedRef, annotations: &BTreeMap<String, String>) -> Self {
        let name = reference(image.name());
        Self { payload: SimpleSigning::payload_for(&name, image.digest(), &as_values(annotations)) }
    }

    /// The bytes to sign.
    pub fn message(&self) -> &[u8] {
        &self.payload
    }

    /// The layer of the image's `.sig` manifest.
    pub fn into_layer(self, signature: &[u8]) -> LegacyLayer {
        LegacyLayer::signature(self.payload, signature)
    }
}

/// A file before it is signed. Its bytes are what is signed.
#[derive(Debug, Clone, Copy)]
pub struct UnsignedBlob<'a> {
    artifact: &'a [u8],
}

impl<'a> UnsignedBlob<'a> {
    /// A file with these bytes.
    pub fn new(artifact: &'a [u8]) -> Self {
        Self { artifact }
    }

    /// The bundle, once `key` has signed the bytes.
    ///
    /// # Errors
    /// [`SignError::Bundle`].
    pub fn into_bundle(self, key: &PublicKey, signature: &[u8]) -> Result<Vec<u8>, SignError> {
        let (algorithm, digest) = match key.algorithm() {
            KeyAlgorithm::EcdsaP384 => ("SHA2_384", hash::digest(&hash::SHA384, self.artifact)),
            _ => ("SHA2_256", hash::digest(&hash::SHA256, self.artifact)),
        };
        let content = BundleContent::MessageSignature {
            message_digest: MessageDigest { algorithm, digest: STANDARD.encode(digest) },
            signature: STANDARD.encode(signature),
        };
        write_bundle(key, content)
    }
}

fn as_values(annotations: &BTreeMap<String, String>) -> BTreeMap<String, Value> {
    annotations.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect()
}

/// What a signature calls the image. Nobody may rely on it; the digest is what counts. cosign spells Docker Hub so; a path on this
/// machine stays here.
fn reference(name: &ImageName) -> String {
    match name {
        ImageName::Repository { registry, repository } if registry == "docker.io" => {
            format!("index.docker.io/{repository}")
        }
        ImageName::Repository { .. } => name.to_string(),
        _ => String::new(),
    }
}

fn write_bundle(key: &PublicKey, content: BundleContent) -> Result<Vec<u8>, SignError> {
    let hint = key.id().hint();
    let bundle = Bundle {
        media_type: BUNDLE_V03,
        verification_material: Material { public_key: KeyHint { hint } },
        content,
    };
    Ok(serde_json::to_vec(&bundle)?)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    media_type: &'static str,
    verification_material: Material,
    #[serde(flatten)]
    content: BundleContent,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    public_key: KeyHint,
}

#[derive(Serialize)]
struct KeyHint {
    hint: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
enum BundleContent {
    DsseEnvelope(Box<RawValue>),
    MessageSignature { message_digest: MessageDigest, signature: String },
}

#[derive(Serialize)]
struct MessageDigest {
    algorithm: &'static str,
    digest: String,
}
