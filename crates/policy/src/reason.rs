//! Why a requirement is not met: a stable code, what was wanted, what was seen, and where.
//!
//! Codes are part of the interface: test tables, dashboards and scripts compare them. Messages are not.

use std::fmt;

use serde::ser::{Serialize, SerializeStruct, Serializer};
use touchmark_attestation::PredicateType;
use touchmark_oci::{Digest, ImageName};

use crate::decision::OmittedEvidence;
use crate::{ProvenanceField, RequirementKind, Seen, Sightings};

/// Why an image or one of its requirements fails.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// No policy of the set is about this image.
    NoPolicyMatches {
        /// The image.
        image: ImageName,
    },
    /// The evidence is about another image than the one to decide on: a mistake of the caller.
    EvidenceForAnotherImage {
        /// What the evidence is about.
        found: Digest,
        /// What is to be decided on.
        wanted: Digest,
    },
    /// Nothing there that could be it.
    Missing {
        /// What is asked for.
        wanted: Ask,
        /// Authentic documents of other kinds.
        seen: Sightings,
    },
    /// There is something, and it does not count.
    Rejected {
        /// What is asked for.
        wanted: Ask,
        /// Why it does not count.
        cause: Cause,
        /// The documents.
        seen: Sightings,
    },
    /// Some of the signers, and not enough of them.
    TooFewSigners {
        /// What is asked for.
        wanted: Ask,
        /// How many different signers.
        at_least: usize,
        /// Those who signed.
        signed: Vec<String>,
    },
    /// Signed by the right signer without the right annotation.
    AnnotationMismatch {
        /// The annotation.
        key: String,
        /// The value asked for.
        wanted: String,
        /// The values found.
        seen: Sightings,
    },
    /// The provenance says something else.
    ProvenanceMismatch {
        /// About what.
        field: ProvenanceField,
        /// The value asked for.
        wanted: String,
        /// The values found.
        seen: Sightings,
    },
    /// The provenance does not say, or not in a way that this build type is known to say it.
    ProvenanceSilent {
        /// About what.
        field: ProvenanceField,
        /// The value asked for.
        wanted: String,
        /// What each statement lacks.
        seen: Sightings,
    },
    /// The provenance is authentic and not valid SLSA provenance.
    ProvenanceMalformed {
        /// The statements, each with what is wrong with it.
        seen: Sightings,
    },
    /// Signed by the right signer, and less is proven than is asked for.
    ProofTooWeak {
        /// Of what kind of requirement.
        kind: RequirementKind,
        /// The proof asked for.
        wanted: String,
        /// The proof shown.
        seen: Sightings,
    },
    /// Signed by a key of the right signer, at a time when that key did not count.
    KeyNotValidThen {
        /// Of what kind of requirement.
        kind: RequirementKind,
        /// When the key counts.
        wanted: String,
        /// When the signatures were made.
        seen: Sightings,
    },
    /// Signed by a key that counts for a time, and nothing proves when.
    TimeNotProven {
        /// Of what kind of requirement.
        kind: RequirementKind,
        /// When the key counts.
        wanted: String,
        /// The signatures.
        seen: Sightings,
    },
    /// Evidence was left unread because of a limit; what is missing may be among it.
    EvidenceOmitted(OmittedEvidence),
}

/// Why a document does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Cause {
    /// It is by nobody who is asked for.
    WrongKey,
    /// It names a key that did not make its signature: it was changed.
    Invalid,
    /// It is about another image.
    WrongSubject,
    /// It is signed with a certificate, and there is no trust root to verify it with.
    Keyless,
    /// It is by a certificate of somebody else.
    WrongIdentity,
    /// Its certificate, log entries or timestamps do not hold.
    NotProven,
    /// It is malformed.
    Unreadable,
}

/// What a requirement asks for.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Ask {
    /// What kind of thing.
    pub kind: RequirementKind,
    /// Of which type, for attestations.
    pub predicate_type: Option<PredicateType>,
    /// By whom; any of these.
    pub signers: Vec<String>,
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind, &self.predicate_type) {
            (RequirementKind::Signature, _) => f.write_str("signature")?,
            (RequirementKind::Provenance, _) => f.write_str("SLSA provenance")?,
            (RequirementKind::Attestation, None) => f.write_str("attestation")?,
            (RequirementKind::Attestation, Some(predicate_type)) => {
                write!(f, "attestation of type {predicate_type}")?;
            }
        }
        match self.signers.as_slice() {
            [] => f.write_str(" by nobody"),
            signers => write!(f, " by {}", signers.join(" or ")),
        }
    }
}

impl Reason {
    /// Every code that there is, in order.
    pub const CODES: &'static [&'static str] = &[
        "attestation-invalid",
        "attestation-key-not-valid-then",
        "attestation-keyless",
        "attestation-missing",
        "attestation-not-proven",
        "attestation-proof-too-weak",
        "attestation-time-not-proven",
        "attestation-too-few-signers",
        "attestation-unreadable",
        "attestation-wrong-identity",
        "attestation-wrong-key",
        "attestation-wrong-subject",
        "evidence-for-another-image",
        "evidence-omitted",
        "no-policy-matches",
        "provenance-build-type-mismatch",
        "provenance-build-type-unknown",
        "provenance-builder-mismatch",
        "provenance-builder-unknown",
        "provenance-commit-mismatch",
        "provenance-commit-unknown",
        "provenance-invalid",
        "provenance-key-not-valid-then",
        "provenance-keyless",
        "provenance-malformed",
        "provenance-missing",
        "provenance-not-proven",
        "provenance-proof-too-weak",
        "provenance-ref-mismatch",
        "provenance-ref-unknown",
        "provenance-source-mismatch",
        "provenance-source-unknown",
        "provenance-time-not-proven",
        "provenance-too-few-signers",
        "provenance-unreadable",
        "provenance-wrong-identity",
        "provenance-wrong-key",
        "provenance-wrong-subject",
        "signature-annotation-mismatch",
        "signature-invalid",
        "signature-key-not-valid-then",
        "signature-keyless",
        "signature-missing",
        "signature-not-proven",
        "signature-proof-too-weak",
        "signature-time-not-proven",
        "signature-too-few-signers",
        "signature-unreadable",
        "signature-wrong-identity",
        "signature-wrong-key",
        "signature-wrong-subject",
    ];

    /// The stable code.
    pub fn code(&self) -> &'static str {
        use ProvenanceField as Field;
        match self {
            Self::NoPolicyMatches { .. } => "no-policy-matches",
            Self::EvidenceForAnotherImage { .. } => "evidence-for-another-image",
            Self::Missing { wanted, .. } => missing_code(wanted.kind),
            Self::Rejected { wanted, cause, .. } => rejected_code(wanted.kind, *cause),
            Self::TooFewSigners { wanted, .. } => match wanted.kind {
                RequirementKind::Signature => "signature-too-few-signers",
                RequirementKind::Attestation => "attestation-too-few-signers",
                RequirementKind::Provenance => "provenance-too-few-signers",
            },
            Self::AnnotationMismatch { .. } => "signature-annotation-mismatch",
            Self::ProvenanceMismatch { field, .. } => match field {
                Field::Builder => "provenance-builder-mismatch",
                Field::BuildType => "provenance-build-type-mismatch",
                Field::Source => "provenance-source-mismatch",
                Field::Ref => "provenance-ref-mismatch",
                Field::Commit => "provenance-commit-mismatch",
            },
            Self::ProvenanceSilent { field, .. } => match field {
                Field::Builder => "provenance-builder-unknown",
                Field::BuildType => "provenance-build-type-unknown",
                Field::Source => "provenance-source-unknown",
                Field::Ref => "provenance-ref-unknown",
                Field::Commit => "provenance-commit-unknown",
            },
            Self::ProofTooWeak { kind, .. } => match kind {
                RequirementKind::Signature => "signature-proof-too-weak",
                RequirementKind::Attestation => "attestation-proof-too-weak",
                RequirementKind::Provenance => "provenance-proof-too-weak",
            },
            Self::KeyNotValidThen { kind, .. } => match kind {
                RequirementKind::Signature => "signature-key-not-valid-then",
                RequirementKind::Attestation => "attestation-key-not-valid-then",
                RequirementKind::Provenance => "provenance-key-not-valid-then",
            },
            Self::TimeNotProven { kind, .. } => match kind {
                RequirementKind::Signature => "signature-time-not-proven",
                RequirementKind::Attestation => "attestation-time-not-proven",
                RequirementKind::Provenance => "provenance-time-not-proven",
            },
            Self::ProvenanceMalformed { .. } => "provenance-malformed",
            Self::EvidenceOmitted(_) => "evidence-omitted",
        }
    }

    /// What is asked for, as text.
    pub fn wanted(&self) -> Option<String> {
        match self {
            Self::EvidenceForAnotherImage { wanted, .. } => Some(wanted.to_string()),
            Self::Missing { wanted, .. } | Self::Rejected { wanted, .. } => Some(wanted.to_string()),
            Self::TooFewSigners { wanted, at_least, .. } => {
                Some(format!("{wanted}, at least {at_least} of them"))
            }
            Self::AnnotationMismatch { key, wanted, .. } => Some(format!("{key}={wanted}")),
            Self::ProvenanceMismatch { wanted, .. }
            | Self::ProvenanceSilent { wanted, .. }
            | Self::ProofTooWeak { wanted, .. }
            | Self::KeyNotValidThen { wanted, .. }
            | Self::TimeNotProven { wanted, .. } => Some(wanted.clone()),
            Self::NoPolicyMatches { .. } | Self::ProvenanceMalformed { .. } | Self::EvidenceOmitted(_) => {
                None
            }
        }
    }

    /// What was seen instead, and where; the first few.
    pub fn seen(&self) -> &[Seen] {
        self.sightings().map_or(&[], Sightings::listed)
    }

    /// How many more were seen than [`Self::seen`] lists.
    pub fn more_seen(&self) -> usize {
        self.sightings().map_or(0, Sightings::more)
    }

    fn sightings(&self) -> Option<&Sightings> {
        match self {
            Self::Missing { seen, .. }
            | Self::Rejected { seen, .. }
            | Self::AnnotationMismatch { seen, .. }
            | Self::ProvenanceMismatch { seen, .. }
            | Self::ProvenanceSilent { seen, .. }
            | Self::ProofTooWeak { seen, .. }
            | Self::KeyNotValidThen { seen, .. }
            | Self::TimeNotProven { seen, .. }
            | Self::ProvenanceMalformed { seen } => Some(seen),
            Self::NoPolicyMatches { .. }
            | Self::EvidenceForAnotherImage { .. }
            | Self::TooFewSigners { .. }
            | Self::EvidenceOmitted(_) => None,
        }
    }
}

fn missing_code(kind: RequirementKind) -> &'static str {
    match kind {
        RequirementKind::Signature => "signature-missing",
        RequirementKind::Attestation => "attestation-missing",
        RequirementKind::Provenance => "provenance-missing",
    }
}

fn rejected_code(kind: RequirementKind, cause: Cause) -> &'static str {
    use RequirementKind as Kind;
    match (kind, cause) {
        (Kind::Signature, Cause::WrongKey) => "signature-wrong-key",
        (Kind::Signature, Cause::Invalid) => "signature-invalid",
        (Kind::Signature, Cause::WrongSubject) => "signature-wrong-subject",
        (Kind::Signature, Cause::Keyless) => "signature-keyless",
        (Kind::Signature, Cause::WrongIdentity) => "signature-wrong-identity",
        (Kind::Signature, Cause::NotProven) => "signature-not-proven",
        (Kind::Signature, Cause::Unreadable) => "signature-unreadable",
        (Kind::Attestation, Cause::WrongKey) => "attestation-wrong-key",
        (Kind::Attestation, Cause::Invalid) => "attestation-invalid",
        (Kind::Attestation, Cause::WrongSubject) => "attestation-wrong-subject",
        (Kind::Attestation, Cause::Keyless) => "attestation-keyless",
        (Kind::Attestation, Cause::WrongIdentity) => "attestation-wrong-identity",
        (Kind::Attestation, Cause::NotProven) => "attestation-not-proven",
        (Kind::Attestation, Cause::Unreadable) => "attestation-unreadable",
        (Kind::Provenance, Cause::WrongKey) => "provenance-wrong-key",
        (Kind::Provenance, Cause::Invalid) => "provenance-invalid",
        (Kind::Provenance, Cause::WrongSubject) => "provenance-wrong-subject",
        (Kind::Provenance, Cause::Keyless) => "provenance-keyless",
        (Kind::Provenance, Cause::WrongIdentity) => "provenance-wrong-identity",
        (Kind::Provenance, Cause::NotProven) => "provenance-not-proven",
        (Kind::Provenance, Cause::Unreadable) => "provenance-unreadable",
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPolicyMatches { image } => write!(f, "no policy matches {image}")?,
            Self::EvidenceForAnotherImage { found, wanted } => {
                write!(f, "evidence is about {found}, expected {wanted}")?;
            }
            Self::Missing { wanted, .. } => write!(f, "found no {wanted}")?,
            Self::Rejected { wanted, cause, .. } => write!(f, "found no {wanted}; {}", cause.text())?,
            Self::TooFewSigners { wanted, at_least, signed } => {
                write!(
                    f,
                    "expected {wanted}, at least {at_least} of them, found it by {}",
                    signed.join(", ")
                )?;
            }
            Self::AnnotationMismatch { key, wanted, .. } => {
                write!(f, "expected signed annotation {key}={wanted}")?;
            }
            Self::ProvenanceMismatch { field, wanted, .. } => write!(f, "expected {field} {wanted}")?,
            Self::ProvenanceSilent { field, wanted, .. } => {
                write!(f, "expected {field} {wanted}, and the provenance does not tell")?;
            }
            Self::ProofTooWeak { wanted, .. }
            | Self::KeyNotValidThen { wanted, .. }
            | Self::TimeNotProven { wanted, .. } => write!(f, "expected {wanted}")?,
            Self::ProvenanceMalformed { .. } => f.write_str("SLSA provenance is malformed")?,
            Self::EvidenceOmitted(omitted) => write!(
                f,
                "at least {} documents in {} were not read because of the limit of {}; what is missing may be among them",
                omitted.count, omitted.place, omitted.limit,
            )?,
        }
        for (index, seen) in self.seen().iter().enumerate() {
            write!(f, "{} {seen}", if index == 0 { "; found" } else { " and" })?;
        }
        match self.more_seen() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl Cause {
    fn text(self) -> &'static str {
        match self {
            Self::WrongKey => "what is there is by somebody else",
            Self::Invalid => "what is there does not match its signature",
            Self::WrongSubject => "what is there is about another image",
            Self::Keyless => "what is there is signed with a certificate, which takes a trust root to verify",
            Self::WrongIdentity => "what is there is by somebody else",
            Self::NotProven => "the certificate, log entries or timestamps of what is there do not hold",
            Self::Unreadable => "what is there is malformed",
        }
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let wanted = self.wanted();
        let mut object = serializer.serialize_struct("Reason", 5)?;
        object.serialize_field("code", self.code())?;
        object.serialize_field("message", &self.to_string())?;
        match &wanted {
            Some(wanted) => object.serialize_field("wanted", wanted)?,
            None => object.skip_field("wanted")?,
        }
        object.serialize_field("seen", self.seen())?;
        match self.more_seen() {
            0 => object.skip_field("moreSeen")?,
            more => object.serialize_field("moreSeen", &more)?,
        }
        object.end()
    }
}
