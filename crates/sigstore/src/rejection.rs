//! Why a document proves nothing about an image.

use std::sync::Arc;

use touchmark_attestation::EnvelopeError;
use touchmark_oci::{ContentError, Digest, ManifestError};

use crate::{BundleError, JsonError, KeyAlgorithm, KeyId, PayloadError, SimpleSigningError};

/// Why a document proves nothing. One variant for each promise that can be broken.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// Not the document that it should be. Nothing is known about who made it.
    #[error("document is malformed")]
    Malformed {
        /// What is wrong with it.
        source: Arc<DocumentError>,
    },
    /// Signed with a certificate, which this version cannot verify. It may be perfectly valid.
    #[error("signed keyless{}, which cannot be verified with a key", by(identity.as_deref()))]
    KeylessNotSupported {
        /// Who the certificate says signed; nobody has checked that.
        identity: Option<String>,
    },
    /// A bundle whose envelope has several signatures, or none: its log entries and timestamps can belong to one only.
    #[error("bundle's envelope has {count} signatures, expected one")]
    SignatureCount {
        /// Signatures found.
        count: usize,
    },
    /// Signs the bytes of some artifact, and so says nothing about an image.
    #[error("bundle signs a blob, expected an envelope with a statement about an image")]
    BlobSignature,
    /// An envelope with a statement where the signature of a blob was wanted.
    #[error("bundle holds an attestation, expected a signature over the blob itself")]
    NotABlobSignature,
    /// None of the keys made the signature, and it does not say that one of them did.
    #[error("none of {tried} keys made the signature{}", hinted(hint.as_deref()))]
    NoKeyMatches {
        /// Which key the document says it was.
        hint: Option<String>,
        /// How many keys were tried.
        tried: usize,
    },
    /// The document names a known key, and neither that one nor another made the signature: it was changed, or the name is wrong.
    #[error(
        "signature is not valid with key {key}, which the document names, nor with any of {tried} keys{}",
        prehashed(*algorithm)
    )]
    SignatureInvalid {
        /// The key that the document names.
        key: KeyId,
        /// What kind of key that is.
        algorithm: KeyAlgorithm,
        /// How many keys were tried.
        tried: usize,
    },
    /// Signed by a known key, and something else than an in-toto statement.
    #[error("payload signed by key {signer} has type {found:?}, expected {wanted:?}")]
    WrongPayloadType {
        /// Who signed it.
        signer: KeyId,
        /// As the envelope says.
        found: String,
        /// The type that is read.
        wanted: &'static str,
    },
    /// Signed by a known key, and no valid statement.
    #[error("payload signed by key {signer} is malformed")]
    MalformedPayload {
        /// Who signed it.
        signer: KeyId,
        /// What is wrong with it.
        source: Arc<PayloadError>,
    },
    /// Signed by a known key, about something else.
    #[error("signed by key {signer} for {}, not for {wanted}", found.join(", "))]
    WrongSubject {
        /// Who signed it.
        signer: KeyId,
        /// What it is about, as `algorithm:hex`; the first few.
        found: Vec<String>,
        /// What was asked about.
        wanted: Digest,
    },
    /// The bundle says that it is about another artifact than the one given.
    #[error(
        "bundle is about an artifact with {} digest {}, the one given has {wanted}",
        shortened(algorithm),
        shortened(found)
    )]
    WrongArtifact {
        /// The digest's algorithm, as the bundle has it.
        algorithm: String,
        /// The digest that the bundle has.
        found: String,
        /// The digest of the artifact given.
        wanted: String,
    },
}

/// Why bytes are not the document that their media type promises.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// Not read, because it is too large.
    #[error("document has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// Bytes announced.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// Listed, and not there.
    #[error("{digest} is listed, but the store has no such document")]
    Missing {
        /// The digest listed.
        digest: Digest,
    },
    /// Other bytes than listed.
    #[error("document is not what its descriptor says")]
    Content(#[from] ContentError),
    /// The manifest that should list the document is none.
    #[error("manifest of the evidence is malformed")]
    Manifest(#[from] ManifestError),
    /// Not a bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// Not a simple signing payload.
    #[error(transparent)]
    SimpleSigning(#[from] SimpleSigningError),
    /// JSON that means different things to different readers.
    #[error("envelope is not readable")]
    Json(#[from] JsonError),
    /// Not an envelope.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
}

fn by(identity: Option<&str>) -> String {
    identity.map(|identity| format!(" (certificate for {:?})", shortened(identity))).unwrap_or_default()
}

/// The key that a document names: by its id, as all keys are, when it names it as cosign does.
fn hinted(hint: Option<&str>) -> String {
    let Some(hint) = hint else {
        return String::new();
    };
    match KeyId::from_hint(hint) {
        Some(id) => format!("; it names key {id}"),
        None => format!("; it names key {:?}", shortened(hint)),
    }
}

/// As much of a foreign text as people read.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Characters of a foreign text that a message shows: a SHA-512 digest in hexadecimal.
const SHOWN: usize = 128;

fn prehashed(algorithm: KeyAlgorithm) -> &'static str {
    match algorithm {
        KeyAlgorithm::Ed25519 => {
            "; cosign 3 signs images with Ed25519ph under Ed25519 keys, which is not supported"
        }
        _ => "",
    }
}
