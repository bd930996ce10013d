//! The answer about one image: allowed, allowed with a warning, or denied, and why.
//!
//! Serialized, a [`Decision`] is the JSON that `docs/schemas/decision.v1.json` describes.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use touchmark_oci::PinnedRef;
use touchmark_sigstore::{Omission, Origin};

use crate::{Mode, NoMatch, Reason, RequirementKind, Support};

/// What the JSON of a decision says that it is.
const SCHEMA: &str = "touchmark.dev/decision/v1";

/// The answer. Ordered from good to bad; the worst of several wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every policy that matches is satisfied.
    Allow,
    /// Only policies that warn are not.
    Warn,
    /// A policy that denies is not satisfied.
    Deny,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "allow",
            Self::Warn => "warn",
            Self::Deny => "deny",
        })
    }
}

/// The answer about one image. Made by [`crate::PolicySet::evaluate`] only.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[must_use]
pub struct Decision {
    schema: &'static str,
    #[serde(serialize_with = "as_text")]
    pub(crate) image: PinnedRef,
    pub(crate) verdict: Verdict,
    #[serde(serialize_with = "as_text")]
    pub(crate) decided_at: Timestamp,
    pub(crate) policies: Vec<PolicyOutcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) no_match: Option<NoMatch>,
    pub(crate) reasons: Vec<Reason>,
    pub(crate) evidence: EvidenceSummary,
}

impl Decision {
    pub(crate) fn new(
        image: PinnedRef,
        decided_at: Timestamp,
        verdict: Verdict,
        evidence: EvidenceSummary,
    ) -> Self {
        let (policies, reasons) = (Vec::new(), Vec::new());
        Self { schema: SCHEMA, image, verdict, decided_at, policies, no_match: None, reasons, evidence }
    }

    /// The image that it is about.
    pub fn image(&self) -> &PinnedRef {
        &self.image
    }

    /// The answer.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// When it was given: the time that the caller stated.
    pub fn decided_at(&self) -> Timestamp {
        self.decided_at
    }

    /// What each policy that matches says.
    pub fn policies(&self) -> &[PolicyOutcome] {
        &self.policies
    }

    /// What the set states about images that no policy matches, when this is one.
    pub fn no_match(&self) -> Option<NoMatch> {
        self.no_match
    }

    /// Reasons that belong to no policy.
    pub fn reasons(&self) -> &[Reason] {
        &self.reasons
    }

    /// What there was to decide on.
    pub fn evidence(&self) -> &EvidenceSummary {
        &self.evidence
    }

    /// Every reason of the decision, those of its policies included.
    pub fn all_reasons(&self) -> impl Iterator<Item = &Reason> {
        let requirements = self.policies.iter().flat_map(|policy| &policy.requirements);
        self.reasons.iter().chain(requirements.flat_map(|requirement| &requirement.reasons))
    }

    /// The codes of all reasons, each once.
    pub fn reason_codes(&self) -> BTreeSet<&'static str> {
        self.all_reasons().map(Reason::code).collect()
    }
}

/// What one policy says about an image.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PolicyOutcome {
    /// The policy.
    pub name: String,
    /// What it does with images that fail it.
    pub mode: Mode,
    /// Whether all of its requirements are met.
    pub satisfied: bool,
    /// Each of its requirements.
    pub requirements: Vec<RequirementOutcome>,
}

/// Whether one requirement is met.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RequirementOutcome {
    /// The requirement.
    pub name: String,
    /// What kind it is.
    pub kind: RequirementKind,
    /// Whether it is met.
    pub satisfied: bool,
    /// The documents that count for it, whether or not they suffice.
    pub support: Vec<Support>,
    /// Why it is not met; empty when it is.
    pub reasons: Vec<Reason>,
}

/// What there was to decide on.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct EvidenceSummary {
    /// Where was looked.
    pub searched: Vec<String>,
    /// How many documents are authentic.
    pub authentic: usize,
    /// The documents that prove nothing.
    pub rejected: Vec<RejectedDocument>,
    /// What was not read because a limit was reached.
    pub omitted: Vec<OmittedEvidence>,
}

/// A document that proves nothing.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RejectedDocument {
    /// Where it is.
    #[serde(serialize_with = "origin")]
    pub origin: Origin,
    /// Why.
    pub reason: String,
}

/// Evidence that a limit kept from being read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct OmittedEvidence {
    /// Where.
    pub place: String,
    /// How many documents at least.
    pub count: usize,
    /// The limit.
    pub limit: usize,
}

impl OmittedEvidence {
    pub(crate) fn of(omission: &Omission) -> Self {
        Self { place: omission.place.to_string(), count: omission.count, limit: omission.limit }
    }
}

fn as_text<S: Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

pub(crate) fn origin<S: Serializer>(origin: &Origin, serializer: S) -> Result<S::Ok, S::Error> {
    OriginText::of(origin).serialize(serializer)
}

/// An [`Origin`] as it stands in JSON.
#[derive(Serialize)]
pub(crate) struct OriginText {
    place: String,
    manifest: String,
    blob: String,
}

impl OriginText {
    pub(crate) fn of(origin: &Origin) -> Self {
        let (manifest, blob) = (origin.manifest.to_string(), origin.blob.to_string());
        Self { place: origin.place.to_string(), manifest, blob }
    }
}
