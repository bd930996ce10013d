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
use touchmark_sigstore::{BUNDLE_V03, KeyAlgorithm, Limits, SimpleSigning, parse_statement};

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
    let mut subject = ResourceDescriptor::of(image.digest());
    subject.annotations = as_values(annotations);
    let statement = Statement::new(vec![subject], predicate_types::COSIGN_SIGN, Value::Object(Map::new()));
    sign_statement(signer, &statement)
}

/// Signs a statement: a bundle as `cosign attest` writes it since version 3.
///
/// # Errors
/// [`SignError`].
pub fn sign_statement<P: Serialize>(signer: &Signer, statement: &Statement<P>) -> Result<Vec<u8>, SignError> {
    let envelope = envelope(signer, statement, SignatureFormat::Bundle)?;
    let envelope = serde_json::from_slice::<Box<RawValue>>(&envelope.to_json())?;
    write_bundle(signer, BundleContent::DsseEnvelope(envelope))
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
    let payload =
        SimpleSigning::payload_for(&reference(image.name()), image.digest(), &as_values(annotations));
    let signature = signer.sign(&payload, SignatureFormat::Legacy)?;
    Ok(LegacyLayer::signature(payload, &signature))
}

/// Signs a statement as cosign 1 and 2 do: a layer for the image's `.att` manifest.
///
/// # Errors
/// [`SignError`].
pub fn attest_legacy<P: Serialize>(
    signer: &Signer,
    statement: &Statement<P>,
) -> Result<LegacyLayer, SignError> {
    let envelope = envelope(signer, statement, SignatureFormat::Legacy)?;
    Ok(LegacyLayer::attestation(&envelope, statement.predicate_type()))
}

/// Signs a file: a bundle as `cosign sign-blob --bundle` writes it. For the signature alone, see [`Signer::sign`] with
/// [`SignatureFormat::Legacy`], in base64.
///
/// # Errors
/// [`SignError`].
pub fn sign_blob(signer: &Signer, artifact: &[u8]) -> Result<Vec<u8>, SignError> {
    let signature = signer.sign(artifact, SignatureFormat::Bundle)?;
    let (algorithm, digest) = match signer.public_key().algorithm() {
        KeyAlgorithm::EcdsaP384 => ("SHA2_384", hash::digest(&hash::SHA384, artifact)),
        _ => ("SHA2_256", hash::digest(&hash::SHA256, artifact)),
    };
    let content = BundleContent::MessageSignature {
        message_digest: MessageDigest { algorithm, digest: STANDARD.encode(digest) },
        signature: STANDARD.encode(signature),
    };
    write_bundle(signer, content)
}

fn envelope<P: Serialize>(
    signer: &Signer,
    statement: &Statement<P>,
    format: SignatureFormat,
) -> Result<Envelope, SignError> {
    let payload = statement.to_json()?;
    parse_statement(&payload, &Limits::default())?;
    let signature = signer.sign(&touchmark_attestation::pae(IN_TOTO_PAYLOAD, &payload), format)?;
    let signature = EnvelopeSignature { key_id: None, signature };
    Ok(Envelope::new(IN_TOTO_PAYLOAD, payload, vec![signature]))
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

fn write_bundle(signer: &Signer, content: BundleContent) -> Result<Vec<u8>, SignError> {
    let hint = signer.public_key().id().hint();
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
