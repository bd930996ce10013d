//! What held and what did not.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;
use touchmark_attestation::Statement;
use touchmark_oci::PinnedRef;

use crate::{Alleged, Certificate, KeyId, Omission, Origin, Place, Rejection, Verified};

/// The result of verifying an [`crate::Evidence`]: what is authentic, and why the rest is not.
#[derive(Debug)]
pub struct Findings {
    subject: PinnedRef,
    claims: Vec<Finding>,
    rejected: Vec<Rejected>,
    searched: Vec<Place>,
    omitted: Vec<Omission>,
}

/// An authentic claim about the image, and where it was found.
#[derive(Debug)]
pub struct Finding {
    /// Where it was.
    pub origin: Origin,
    /// What was said, by whom, and how far that is proven.
    pub claim: Verified<Claim>,
}

/// A document that proved nothing, and why.
#[derive(Debug)]
pub struct Rejected {
    /// Where it was.
    pub origin: Origin,
    /// What it says it is. Untrusted: it explains a denial and allows nothing.
    pub alleged: Alleged,
    /// Why.
    pub rejection: Rejection,
}

impl Findings {
    pub(crate) fn new(
        subject: PinnedRef,
        claims: Vec<Finding>,
        rejected: Vec<Rejected>,
        searched: Vec<Place>,
        omitted: Vec<Omission>,
    ) -> Self {
        Self { subject, claims, rejected, searched, omitted }
    }

    pub(crate) fn add_claims(&mut self, origin: &Origin, claims: Vec<Verified<Claim>>) {
        self.claims.extend(claims.into_iter().map(|claim| Finding { origin: origin.clone(), claim }));
    }

    pub(crate) fn add_rejected(&mut self, rejected: Rejected) {
        self.rejected.push(rejected);
    }

    pub(crate) fn add_places(&mut self, searched: Vec<Place>, omitted: Vec<Omission>) {
        self.searched.extend(searched);
        self.omitted.extend(omitted);
    }

    /// The image that all of this is about.
    pub fn subject(&self) -> &PinnedRef {
        &self.subject
    }

    /// What is authentic.
    pub fn claims(&self) -> &[Finding] {
        &self.claims
    }

    /// What is not.
    pub fn rejected(&self) -> &[Rejected] {
        &self.rejected
    }

    /// Where was looked.
    pub fn searched(&self) -> &[Place] {
        &self.searched
    }

    /// What was not read.
    pub fn omitted(&self) -> &[Omission] {
        &self.omitted
    }
}

/// What somebody said about an image.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// "This is ours": a cosign signature, in the bundle form (predicate `https://sigstore.dev/cosign/sign/v1`) or as legacy
    /// simple signing. No other statement is a signature.
    Signature {
        /// The annotations that were signed with it (`-a key=value`).
        annotations: BTreeMap<String, Value>,
    },
    /// An in-toto statement of any other predicate type.
    Attestation(Statement),
}

/// Who signed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signer {
    /// The holder of this key.
    Key(KeyId),
    /// Whom this certificate was issued to.
    Certificate(Box<Certificate>),
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(id) => write!(f, "key {id}"),
            Self::Certificate(certificate) => certificate.fmt(f),
        }
    }
}
