//! Signatures over files, as `cosign sign-blob` writes them: a bundle, the older JSON, or bare base64.

use aws_lc_rs::digest as hash;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;
use sigstore_types::Artifact as WireArtifact;
use touchmark_oci::Digest;

use crate::signed::{Message, Signed, wire_digest};
use crate::{
    Bundle, BundleContent, BundleError, JsonError, LegacyMaterial, Limits, MessageDigestHint, Rejection,
    Verified, Verifier, json,
};

/// A signature over a file. Nobody has checked it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum BlobSignature {
    /// A Sigstore bundle.
    Bundle(Box<Bundle>),
    /// A signature alone.
    Bare(Vec<u8>),
    /// The JSON of cosign 1 and 2. Where a certificate belongs it may carry a key, which is not read: whoever made the signature chose
    /// it ([GHSA-fx35-mq7g-6g98](https://github.com/sigstore/cosign/security/advisories/GHSA-fx35-mq7g-6g98)).
    Old(Box<OldBundle>),
}

/// What cosign 1 and 2 write for `--bundle` ([cosign 2.5, cosign.LocalSignedPayload](https://github.com/sigstore/cosign/blob/v2.5.0/pkg/cosign/fetch.go)):
/// a signature, with a certificate and a log's promise if there are any.
#[derive(Debug, Clone)]
pub struct OldBundle {
    signature: Vec<u8>,
    material: LegacyMaterial,
}

/// The file that was signed.
#[derive(Debug, Clone, Copy)]
pub enum Artifact<'a> {
    /// All of it. Every kind of key can be checked.
    Bytes(&'a [u8]),
    /// Its SHA-256 digest. Enough for signatures over that digest: ECDSA P-256, RSA, and P-384 as cosign 2 signs.
    Digest(&'a Digest),
}

impl BlobSignature {
    /// Reads whichever of the three formats it is.
    ///
    /// # Errors
    /// [`BlobSignatureError`]: over a limit, or none of them.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, BlobSignatureError> {
        if bytes.len() > limits.max_bundle_bytes {
            return Err(BlobSignatureError::TooLarge { size: bytes.len(), limit: limits.max_bundle_bytes });
        }
        let text = bytes.trim_ascii();
        if text.first() != Some(&b'{') {
            return Ok(Self::Bare(STANDARD.decode(text)?));
        }
        json::check(text, limits.max_json_depth)?;
        match serde_json::from_slice::<OldWire<'_>>(text) {
            Ok(old) => Ok(Self::Old(Box::new(old.read()?))),
            Err(_) => Ok(Self::Bundle(Box::new(Bundle::parse(text, limits)?))),
        }
    }
}

impl Verifier {
    /// Verifies the signature over a file. Gives the file's SHA-256 digest, once for each known key that signed.
    ///
    /// # Errors
    /// The [`Rejection`] that says what does not hold.
    pub fn verify_blob(
        &self,
        artifact: Artifact<'_>,
        signature: &BlobSignature,
    ) -> Result<Vec<Verified<Digest>>, Rejection> {
        let digest = artifact.digest();
        let message = artifact.message();
        let signed = match signature {
            BlobSignature::Bare(bytes) => Signed::bare(message, bytes, artifact.wire()),
            BlobSignature::Old(old) => {
                Signed::legacy(message, &old.signature, &old.material, artifact.wire())
            }
            BlobSignature::Bundle(bundle) => bundled(bundle, artifact, message)?,
        };
        self.authenticate(&signed, |_| Ok(digest))
    }
}

fn bundled<'a>(
    bundle: &'a Bundle,
    artifact: Artifact<'a>,
    message: Message<'a>,
) -> Result<Signed<'a>, Rejection> {
    let BundleContent::Message(content) = bundle.content() else {
        return Err(Rejection::NotABlobSignature);
    };
    if let Some(hint) = &content.digest {
        artifact.check(hint)?;
    }
    Ok(Signed::bundled_message(bundle, &content.signature, message, artifact.wire()))
}

impl<'a> Artifact<'a> {
    fn digest(self) -> Digest {
        match self {
            Self::Bytes(bytes) => Digest::of(bytes),
            Self::Digest(digest) => digest.clone(),
        }
    }

    fn message(self) -> Message<'a> {
        match self {
            Self::Bytes(bytes) => Message::Borrowed(bytes),
            // A digest is hexadecimal by construction.
            Self::Digest(digest) => Message::Digest(hex::decode(digest.hex()).unwrap_or_default()),
        }
    }

    fn wire(self) -> WireArtifact<'a> {
        match self {
            Self::Bytes(bytes) => WireArtifact::Blob(bytes),
            Self::Digest(digest) => wire_digest(digest),
        }
    }

    /// The bundle's own note of the digest must be right where it can be compared: the note is what people look files up by.
    fn check(self, hint: &MessageDigestHint) -> Result<(), Rejection> {
        let found = hex::encode(&hint.value);
        let wanted = match (self, hint.algorithm.as_str()) {
            (Self::Bytes(bytes), "SHA2_384") => hex::encode(hash::digest(&hash::SHA384, bytes)),
            (Self::Bytes(bytes), "SHA2_512") => hex::encode(hash::digest(&hash::SHA512, bytes)),
            (_, "SHA2_256") => self.digest().hex().to_owned(),
            _ => return Ok(()),
        };
        if found == wanted {
            return Ok(());
        }
        Err(Rejection::WrongArtifact { algorithm: hint.algorithm.clone(), found, wanted })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OldWire<'a> {
    base64_signature: String,
    /// PEM, in base64 once more.
    cert: Option<String>,
    #[serde(borrow)]
    rekor_bundle: Option<&'a RawValue>,
}

impl OldWire<'_> {
    fn read(self) -> Result<OldBundle, BlobSignatureError> {
        let signature = STANDARD.decode(&self.base64_signature)?;
        let certificate = match self.cert.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
            Some(text) => certificate(&STANDARD.decode(text)?)?,
            None => None,
        };
        let log = self.rekor_bundle.map(RawValue::get).filter(|text| *text != "null");
        let material = LegacyMaterial::beside_a_file(certificate, log.map(str::to_owned));
        Ok(OldBundle { signature, material })
    }
}

/// The PEM of a certificate, or none where there is a key instead.
fn certificate(bytes: &[u8]) -> Result<Option<String>, BlobSignatureError> {
    let block =
        pem::parse(bytes).map_err(|source| BlobSignatureError::Certificate { source: source.into() })?;
    match block.tag() {
        "CERTIFICATE" => Ok(Some(pem::encode(&block))),
        _ => Ok(None),
    }
}

/// Why bytes are no signature over a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlobSignatureError {
    /// Larger than [`Limits::max_bundle_bytes`].
    #[error("signature file has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// Bytes found.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// Neither JSON nor base64.
    #[error("signature is neither a bundle nor base64")]
    Base64(#[from] base64::DecodeError),
    /// Not PEM where the older JSON has a certificate.
    #[error("signature file has a certificate that is not PEM")]
    Certificate {
        /// What the reader objects to.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// JSON that means different things to different readers.
    #[error("signature file is not readable")]
    Json(#[from] JsonError),
    /// JSON that is neither bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
}
