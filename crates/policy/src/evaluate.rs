//! Whether what was found meets one requirement, and if not, why.
//!
//! Only a claim that is authentic, of the right kind, by a named signer and with the right content counts. Everything else that
//! was found becomes a reason, so that "wrong key", "nothing there" and "unreadable" are different answers.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;
use touchmark_attestation::{Statement, predicate_types};
use touchmark_provenance::BuildFacts;
use touchmark_sigstore::{Alleged, Claim, Finding, Findings, Place, Promise, Rejected, Rejection, Signer};

use crate::decision::{OmittedEvidence, RequirementOutcome};
use crate::key_window::Untimely;
use crate::provenance::{Found, ProvenanceExpectations, Unmet};
use crate::reason::{Ask, Cause};
use crate::{
    KeyWindow, Policy, ProvenanceField, Reason, Requirement, RequirementKind, Seen, Sightings, Support,
    Wanted,
};

/// What becomes of `requirement` at the time `now`.
pub(crate) fn outcome(
    policy: &Policy,
    requirement: &Requirement,
    findings: &Findings,
    now: Timestamp,
) -> RequirementOutcome {
    let (others, unfit) = (BTreeMap::new(), BTreeMap::new());
    let mut tally = Tally { policy, requirement, now, support: Vec::new(), others, unfit };
    for finding in findings.claims() {
        tally.count(finding);
    }
    let signed: BTreeSet<&str> = tally.support.iter().map(|support| support.signer.as_str()).collect();
    let satisfied = signed.len() >= requirement.quorum().at_least() && !signed.is_empty();
    let reasons = if satisfied { Vec::new() } else { tally.reasons(&signed, findings) };
    let (name, kind) = (requirement.name().to_owned(), requirement.kind());
    RequirementOutcome { name, kind, satisfied, support: tally.support, reasons }
}

/// An error with its sources, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

struct Tally<'a> {
    policy: &'a Policy,
    requirement: &'a Requirement,
    now: Timestamp,
    /// What counts.
    support: Vec<Support>,
    /// What is of the right kind and by somebody else.
    others: BTreeMap<Cause, Sightings>,
    /// What is by the right signer and says the wrong thing.
    unfit: BTreeMap<Flaw, Sightings>,
}

/// What is wrong with a claim of the right kind by the right signer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Flaw {
    Annotation { key: String, wanted: String },
    Mismatch { field: ProvenanceField, wanted: String },
    Silent { field: ProvenanceField, wanted: String },
    Malformed,
    Proof { wanted: String },
    KeyNotValidThen { wanted: String },
    TimeNotProven { wanted: String },
}

impl Tally<'_> {
    fn count(&mut self, finding: &Finding) {
        if !is_of_kind(&finding.claim, self.requirement.wanted()) {
            return;
        }
        let Some(named) = self.requirement.quorum().find(finding.claim.signer()) else {
            let seen = self.seen(describe(&finding.claim), finding);
            let cause = match finding.claim.signer() {
                Signer::Certificate(_) => Cause::WrongIdentity,
                _ => Cause::WrongKey,
            };
            self.others.entry(cause).or_default().push(seen);
            return;
        };
        let mut flaws = flaws(self.requirement.wanted(), &finding.claim);
        let missing = self.policy.proof().missing(finding.claim.signer(), finding.claim.proof());
        flaws.extend(missing.into_iter().map(|(wanted, found)| (Flaw::Proof { wanted }, found)));
        let window = named.window(finding.claim.signer());
        flaws.extend(window.and_then(|window| untimely(window, finding, self.now)));
        if flaws.is_empty() {
            self.support.push(Support::of(named, finding));
        }
        for (flaw, found) in flaws {
            let seen = self.seen(found, finding);
            self.unfit.entry(flaw).or_default().push(seen);
        }
    }

    fn seen(&self, value: String, finding: &Finding) -> Seen {
        let signer = self.name_of(finding.claim.signer());
        Seen { value, signer: Some(signer), origin: finding.origin.clone() }
    }

    /// The policy's name for a signer, or the key.
    fn name_of(&self, signer: &Signer) -> String {
        let named = self.policy.signers().find(|named| named.is(signer));
        named.map_or_else(|| signer.to_string(), |named| named.name().to_owned())
    }

    fn reasons(&self, signed: &BTreeSet<&str>, findings: &Findings) -> Vec<Reason> {
        let mut reasons: Vec<Reason> = self
            .unfit
            .iter()
            .map(|(flaw, seen)| flaw.reason(self.requirement.kind(), seen.clone()))
            .collect();
        if !signed.is_empty() {
            let signed = signed.iter().map(|name| (*name).to_owned()).collect();
            let at_least = self.requirement.quorum().at_least();
            reasons.push(Reason::TooFewSigners { wanted: self.ask(), at_least, signed });
        }
        for (cause, seen) in self.rejected(findings) {
            reasons.push(Reason::Rejected { wanted: self.ask(), cause, seen });
        }
        if reasons.is_empty() {
            let seen = findings.claims().iter().map(|finding| self.seen(describe(&finding.claim), finding));
            reasons.push(Reason::Missing { wanted: self.ask(), seen: seen.collect() });
        }
        reasons.extend(findings.omitted().iter().map(OmittedEvidence::of).map(Reason::EvidenceOmitted));
        reasons
    }

    /// What does not count, by why it does not.
    fn rejected(&self, findings: &Findings) -> BTreeMap<Cause, Sightings> {
        let mut causes = self.others.clone();
        let wanted = self.requirement.wanted();
        for rejected in findings.rejected().iter().filter(|rejected| may_be(rejected, wanted)) {
            let value = chain(&rejected.rejection);
            let seen = Seen { value, signer: None, origin: rejected.origin.clone() };
            causes.entry(cause(&rejected.rejection)).or_default().push(seen);
        }
        causes
    }

    fn ask(&self) -> Ask {
        let predicate_type = match self.requirement.wanted() {
            Wanted::Attestation { predicate_type } => Some(predicate_type.clone()),
            Wanted::Signature { .. } | Wanted::Provenance(_) => None,
        };
        let signers = self.requirement.quorum().signers().map(|signer| signer.name().to_owned()).collect();
        Ask { kind: self.requirement.kind(), predicate_type, signers }
    }
}

/// Whether a claim is the kind of thing that is wanted.
fn is_of_kind(claim: &Claim, wanted: &Wanted) -> bool {
    match (wanted, claim) {
        (Wanted::Signature { .. }, Claim::Signature { .. }) => true,
        (_, Claim::Attestation(statement)) => is_of_type(statement.predicate_type(), wanted),
        (Wanted::Attestation { .. } | Wanted::Provenance(_), Claim::Signature { .. }) => false,
    }
}

/// Whether an attestation of this type is wanted.
fn is_of_type(found: &str, wanted: &Wanted) -> bool {
    match wanted {
        Wanted::Signature { .. } => false,
        Wanted::Attestation { predicate_type } => found == predicate_type.uri(),
        Wanted::Provenance(_) => PROVENANCE.contains(&found),
    }
}

const PROVENANCE: [&str; 2] = [predicate_types::SLSA_PROVENANCE_V1, predicate_types::SLSA_PROVENANCE_V02];

fn describe(claim: &Claim) -> String {
    match claim {
        Claim::Signature { .. } => "signature".into(),
        Claim::Attestation(statement) => format!("attestation of type {}", statement.predicate_type()),
    }
}

/// What is wrong with a claim of the right kind by the right signer, each with what it says instead.
fn flaws(wanted: &Wanted, claim: &Claim) -> Vec<(Flaw, String)> {
    match (wanted, claim) {
        (Wanted::Signature { annotations: wanted }, Claim::Signature { annotations }) => wanted
            .iter()
            .filter_map(|(key, value)| annotation_flaw(key, value, annotations.get(key)))
            .collect(),
        (Wanted::Provenance(expectations), Claim::Attestation(statement)) => {
            provenance_flaws(expectations, statement)
        }
        _ => Vec::new(),
    }
}

/// cosign's annotations are texts (`-a key=value`); a number or an object that looks the same is not the same.
fn annotation_flaw(key: &str, wanted: &str, found: Option<&Value>) -> Option<(Flaw, String)> {
    if found.and_then(Value::as_str) == Some(wanted) {
        return None;
    }
    let found = found.map_or_else(|| format!("no annotation {key}"), |found| format!("{key}={found}"));
    Some((Flaw::Annotation { key: key.to_owned(), wanted: wanted.to_owned() }, found))
}

/// A signature by a key that did not count then.
fn untimely(window: &KeyWindow, finding: &Finding, now: Timestamp) -> Option<(Flaw, String)> {
    let wanted = format!("a signature made while its key counts, {window}");
    match window.check(&finding.claim.proof().times, now) {
        Ok(()) => None,
        Err(Untimely::Outside(time)) => Some((Flaw::KeyNotValidThen { wanted }, format!("signed at {time}"))),
        Err(Untimely::NotProven) => {
            Some((Flaw::TimeNotProven { wanted }, "nothing that proves when it was made".to_owned()))
        }
    }
}

fn provenance_flaws(expectations: &ProvenanceExpectations, statement: &Statement) -> Vec<(Flaw, String)> {
    match BuildFacts::of(statement) {
        Ok(facts) => expectations.unmet(&facts).into_iter().map(Flaw::of_unmet).collect(),
        Err(error) => vec![(Flaw::Malformed, chain(&error))],
    }
}

impl Flaw {
    fn of_unmet(unmet: Unmet) -> (Self, String) {
        let Unmet { field, wanted, found } = unmet;
        match found {
            Found::Other(found) => (Self::Mismatch { field, wanted }, found),
            Found::Nothing => (Self::Silent { field, wanted }, format!("no {field}")),
            Found::Unknown(gap) => (Self::Silent { field, wanted }, chain(&gap)),
        }
    }

    fn reason(&self, kind: RequirementKind, seen: Sightings) -> Reason {
        match self.clone() {
            Self::Annotation { key, wanted } => Reason::AnnotationMismatch { key, wanted, seen },
            Self::Mismatch { field, wanted } => Reason::ProvenanceMismatch { field, wanted, seen },
            Self::Silent { field, wanted } => Reason::ProvenanceSilent { field, wanted, seen },
            Self::Malformed => Reason::ProvenanceMalformed { seen },
            Self::Proof { wanted } => Reason::ProofTooWeak { kind, wanted, seen },
            Self::KeyNotValidThen { wanted } => Reason::KeyNotValidThen { kind, wanted, seen },
            Self::TimeNotProven { wanted } => Reason::TimeNotProven { kind, wanted, seen },
        }
    }
}

fn cause(rejection: &Rejection) -> Cause {
    match rejection {
        Rejection::NoKeyMatches { .. } => Cause::WrongKey,
        Rejection::SignatureInvalid { .. } => Cause::Invalid,
        Rejection::WrongSubject { .. } => Cause::WrongSubject,
        Rejection::NoTrustRoot { .. } => Cause::Keyless,
        Rejection::NotProven { promise: Promise::Artifact, .. } => Cause::WrongSubject,
        Rejection::NotProven { .. } => Cause::NotProven,
        _ => Cause::Unreadable,
    }
}

/// Whether a rejected document may be what is wanted, going by what it says it is, or by where it is when it does not say. Nothing
/// vouches for either: the answer words a denial and plays no part in making it.
fn may_be(rejected: &Rejected, wanted: &Wanted) -> bool {
    let signature = matches!(wanted, Wanted::Signature { .. });
    match (&rejected.alleged, &rejected.origin.place) {
        (Alleged::Signature, _) => signature,
        (Alleged::Attestation { predicate_type }, _) => is_of_type(predicate_type, wanted),
        (_, Place::LegacyTag(tag)) if tag.as_str().ends_with(".sig") => signature,
        (_, Place::LegacyTag(tag)) if tag.as_str().ends_with(".att") => !signature,
        (_, Place::LegacyTag(_) | Place::Referrers) => true,
    }
}
