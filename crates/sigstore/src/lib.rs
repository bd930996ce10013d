#![doc = include_str!("../README.md")]

mod alleged;
mod blob;
mod bundle;
mod certificate;
mod chain;
mod evidence;
mod findings;
mod inclusion;
mod json;
mod key;
mod legacy;
mod limits;
mod log_record;
mod proof;
mod prove;
mod rejection;
mod signed;
mod simple_signing;
mod statement;
pub mod storage;
mod trust_root;
mod trust_root_document;
mod verified;
mod verifier;
mod witness;

pub use alleged::Alleged;
pub use blob::{Artifact, BlobSignature, BlobSignatureError, OldBundle};
pub use bundle::{
    BUNDLE_V03, Bundle, BundleContent, BundleError, BundleVersion, MessageDigestHint, MessageSignature,
    SignerHint,
};
pub use certificate::{Certificate, FulcioExtension, SubjectName, UnknownExtension, alleged_lifetime};
pub use evidence::{Document, Evidence, EvidenceItem, Omission, Origin, Place};
pub use findings::{Claim, Finding, Findings, Rejected, Signer};
pub use json::JsonError;
pub use key::{KeyAlgorithm, KeyError, KeyId, PublicKey};
pub use legacy::{
    CERTIFICATE_ANNOTATION, CHAIN_ANNOTATION, LOG_ANNOTATION, LegacyMaterial, LegacyMaterialError,
    TIMESTAMP_ANNOTATION,
};
pub use limits::Limits;
pub use proof::{Inclusion, LogEntry, LogProof, Proof, ProvenTime, TimeSource};
pub use rejection::{DocumentError, Promise, Rejection};
pub use simple_signing::{SIGNATURE_ANNOTATION, SIMPLE_SIGNING, SimpleSigning, SimpleSigningError};
pub use statement::{PayloadError, parse_statement};
pub use trust_root::{TrustRoot, TrustRootError, TrustRootSummary};
pub use trust_root_document::{
    TrustMaterialError, TrustRootDocument, TrustedAuthority, TrustedLog, ValidityWindow,
};
pub use verified::Verified;
pub use verifier::Verifier;
pub use witness::{WitnessKey, WitnessKeyError};
