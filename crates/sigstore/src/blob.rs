//! Signatures over files, as `cosign sign-blob` writes them: a bundle, the older JSON, or bare base64.

use aws_lc_rs::digest as hash;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use sigstore_types::Artifact as WireArtifact;
use touchmark_oci::Digest;

use crate::verifier::{Message, Signed, wire_digest};
use crate::{
    Bundle, BundleContent, BundleError, JsonError, Limits, MessageDigestHint, Rejection, Verified, Verifier,
    json,
};

/// A signature over a file. Nobody has checked it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum BlobSignature {
    /// A Sigstore bundle.
    Bundle(Box<Bundle>),
    /// A signature alone, or out of cosign's older JSON. That format may carry a key, which is not read: whoever made the
    /// signature chose it ([GHSA-fx35-mq7g-6g98](https://github.com/sigstore/cosign/security/advisories/GHSA-fx35-mq7g-6g98)).
    Bare(Vec<u8>),
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
        match serde_json::from_slice::<OldBundle>(text) {
            Ok(old) => Ok(Self::Bare(STANDARD.decode(old.base64_signature)?)),
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

/// What cosign 1 and 2 write for `--bundle`. Of its members, only the signature is of use to someone who has the key.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OldBundle {
    base64_signature: String,
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
    /// JSON that means different things to different readers.
    #[error("signature file is not readable")]
    Json(#[from] JsonError),
    /// JSON that is neither bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
}
