//! Why a document proves nothing about an image.

use std::sync::Arc;

use touchmark_attestation::EnvelopeError;
use touchmark_oci::{ContentError, Digest, ManifestError};

use crate::prove::Broken;
use crate::{BundleError, JsonError, KeyAlgorithm, KeyId, PayloadError, Signer, SimpleSigningError};

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
    /// Signed with a certificate, where nobody said which certificate authorities to trust. It may be perfectly valid.
    #[error("signed keyless{}, which takes a trust root to verify", by(identity.as_deref()))]
    NoTrustRoot {
        /// Who the certificate says signed; nobody has checked that.
        identity: Option<String>,
    },
    /// Signed with a certificate, or shown with log entries or timestamps, of which something does not hold.
    #[error("{promise}{}", by(identity.as_deref()))]
    NotProven {
        /// Who the certificate says signed; not proven.
        identity: Option<String>,
        /// What does not hold.
        promise: Promise,
        /// In detail.
        source: Arc<dyn std::error::Error + Send + Sync>,
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
    #[error("payload signed by {signer} has type {found:?}, expected {wanted:?}")]
    WrongPayloadType {
        /// Who signed it.
        signer: Signer,
        /// As the envelope says.
        found: String,
        /// The type that is read.
        wanted: &'static str,
    },
    /// Signed by a known key, and no valid statement.
    #[error("payload signed by {signer} is malformed")]
    MalformedPayload {
        /// Who signed it.
        signer: Signer,
        /// What is wrong with it.
        source: Arc<PayloadError>,
    },
    /// Signed by a known key, about something else.
    #[error("signed by {signer} for {}, not for {wanted}", found.join(", "))]
    WrongSubject {
        /// Who signed it.
        signer: Signer,
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

impl Rejection {
    pub(crate) fn not_proven(identity: Option<String>, broken: Broken) -> Self {
        let Broken { promise, source } = broken;
        Self::NotProven { identity, promise, source }
    }
}

/// What a document with a certificate, log entries or timestamps promises: one name for each check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Promise {
    /// The document has the members that its version asks for.
    #[error("document does not have the form that its version asks for")]
    Structure,
    /// The signature is by the certificate's key, over these bytes.
    #[error("signature was not made with the certificate's key")]
    Signature,
    /// The signature is about the artifact asked about.
    #[error("signature is about another artifact")]
    Artifact,
    /// The certificate can be read.
    #[error("certificate cannot be read")]
    CertificateForm,
    /// The certificate chains to an authority of the trust root, and is for signing code.
    #[error("certificate does not chain to the trust root")]
    CertificateChain,
    /// An authority of the trust root was valid at that time.
    #[error("no certificate authority of the trust root was valid then")]
    CertificateAuthority,
    /// The certificate was valid at every proven time.
    #[error("certificate was not valid when it signed")]
    CertificateValidity,
    /// A certificate transparency log of the trust root signed for the certificate (SCT).
    #[error("certificate has no valid signed certificate timestamp")]
    CertificateLogged,
    /// The log entry is of a log that the trust root lists.
    #[error("log entry is of a log that the trust root does not list")]
    KnownLog,
    /// The entry is in the log.
    #[error("log entry is not proven to be in its log")]
    InclusionProof,
    /// The log signed the head of its tree.
    #[error("checkpoint is not signed by the log, or is of another tree")]
    Checkpoint,
    /// The log signed its promise to include the entry.
    #[error("log's promise to include the entry is not valid")]
    InclusionPromise,
    /// The entry describes this signature.
    #[error("log entry describes another signature")]
    LogEntry,
    /// The entry can be read.
    #[error("log entry cannot be read")]
    LogEntryForm,
    /// No entry is there twice.
    #[error("log entry is there twice")]
    LogEntryOnce,
    /// The log's time is within the certificate's validity and not in the future.
    #[error("log's time is outside the certificate's validity, or in the future")]
    IntegratedTime,
    /// A timestamp authority of the trust root signed this signature's timestamp.
    #[error("timestamp is not valid")]
    Timestamp,
    /// The timestamp authority was valid at the time that it signed.
    #[error("timestamp authority was not valid then")]
    TimestampAuthority,
    /// Somebody proves when the signature was made.
    #[error("nothing proves when the signature was made")]
    ProvenTime,
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
