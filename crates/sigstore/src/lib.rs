#![doc = include_str!("../README.md")]

mod alleged;
mod blob;
mod bundle;
mod evidence;
mod findings;
mod json;
mod key;
mod limits;
mod rejection;
mod simple_signing;
mod statement;
pub mod storage;
mod verified;
mod verifier;

pub use alleged::Alleged;
pub use blob::{Artifact, BlobSignature, BlobSignatureError};
pub use bundle::{
    BUNDLE_V03, Bundle, BundleContent, BundleError, BundleVersion, MessageDigestHint, MessageSignature,
    SignerHint,
};
pub use evidence::{Document, Evidence, EvidenceItem, Omission, Origin, Place};
pub use findings::{Claim, Finding, Findings, LogProof, Proof, Rejected, Signer};
pub use json::JsonError;
pub use key::{KeyAlgorithm, KeyError, KeyId, PublicKey};
pub use limits::Limits;
pub use rejection::{DocumentError, Rejection};
pub use simple_signing::{
    CERTIFICATE_ANNOTATION, LOG_ANNOTATION, SIGNATURE_ANNOTATION, SIMPLE_SIGNING, SimpleSigning,
    SimpleSigningError,
};
pub use statement::{PayloadError, parse_statement};
pub use verified::Verified;
pub use verifier::Verifier;
