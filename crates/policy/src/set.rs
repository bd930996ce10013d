//! All policies that are in force, and the decision they make together.

use jiff::Timestamp;
use touchmark_oci::PinnedRef;
use touchmark_sigstore::{Findings, PublicKey, WitnessKey};

use crate::decision::{EvidenceSummary, OmittedEvidence, PolicyOutcome, RejectedDocument};
use crate::{Decision, Mode, NamedSigner, NoMatch, Policy, Reason, Verdict, evaluate};

/// The policies in force. All that match an image have to be satisfied.
#[derive(Debug, Clone)]
pub struct PolicySet {
    policies: Vec<Policy>,
}

impl PolicySet {
    /// Puts policies in force.
    ///
    /// # Errors
    /// [`PolicySetError::Empty`] without policies, [`PolicySetError::DuplicateName`] when two have one name: a decision would not
    /// say which of them it means.
    pub fn new(policies: Vec<Policy>) -> Result<Self, PolicySetError> {
        if policies.is_empty() {
            return Err(PolicySetError::Empty);
        }
        let mut names = std::collections::BTreeSet::new();
        match policies.iter().find(|policy| !names.insert(policy.name())) {
            Some(policy) => Err(PolicySetError::DuplicateName { name: policy.name().to_owned() }),
            None => Ok(Self { policies }),
        }
    }

    /// The policies.
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// Every key that the policies name, each once: what the verifier has to know.
    pub fn public_keys(&self) -> Vec<PublicKey> {
        let mut keys: Vec<PublicKey> = Vec::new();
        for trusted in self.policies.iter().flat_map(Policy::signers).flat_map(NamedSigner::keys) {
            if !keys.contains(trusted.key()) {
                keys.push(trusted.key().clone());
            }
        }
        keys
    }

    /// Every witness that the policies name, each once: whose cosignatures the verifier has to look for.
    pub fn witnesses(&self) -> Vec<WitnessKey> {
        let named = self.policies.iter().flat_map(|policy| policy.proof().known_witnesses());
        named.cloned().collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    }

    /// Whether a signer is known by certificate, a key counts for a time only, or a policy asks for proof: all of them take a trust root
    /// to verify.
    pub fn needs_trust_root(&self) -> bool {
        let timed = |signer: &NamedSigner| signer.keys().iter().any(|trusted| trusted.window().is_some());
        let signers = |policy: &Policy| policy.signers().any(|signer| signer.is_certified() || timed(signer));
        self.policies.iter().any(|policy| signers(policy) || policy.proof().is_stated())
    }

    /// What an image gets that no policy matches: the strictest that a policy states, and deny when none does.
    pub fn no_match(&self) -> NoMatch {
        self.policies.iter().filter_map(Policy::no_match).max().unwrap_or_default()
    }

    /// Decides on `image`, from what was found about it. `now` is the time of the decision.
    ///
    /// A requirement is met by claims that are there, each judged by itself, so more findings never make the verdict worse: whoever
    /// looks for evidence in several places may stop at the first [`Verdict::Allow`].
    ///
    /// The image's name selects the policies, its digest is what the evidence has to be about; the name under which the evidence was
    /// found does not matter.
    pub fn evaluate(&self, image: &PinnedRef, findings: &Findings, now: Timestamp) -> Decision {
        let mut decision = Decision::new(image.clone(), now, Verdict::Deny, summary(findings));
        if findings.subject().digest() != image.digest() {
            let (found, wanted) = (findings.subject().digest().clone(), image.digest().clone());
            decision.reasons.push(Reason::EvidenceForAnotherImage { found, wanted });
            return decision;
        }
        let matching = self.policies.iter().filter(|policy| policy.applies_to(image.name()));
        decision.policies = matching.map(|policy| outcome(policy, findings, now)).collect();
        let worst = decision.policies.iter().map(PolicyOutcome::verdict).max();
        decision.verdict = worst.unwrap_or_else(|| {
            decision.no_match = Some(self.no_match());
            decision.reasons.push(Reason::NoPolicyMatches { image: image.name().clone() });
            self.no_match().into()
        });
        decision
    }
}

impl PolicyOutcome {
    fn verdict(&self) -> Verdict {
        match (self.satisfied, self.mode) {
            (true, _) => Verdict::Allow,
            (false, Mode::Warn) => Verdict::Warn,
            (false, Mode::Enforce) => Verdict::Deny,
        }
    }
}

impl From<NoMatch> for Verdict {
    fn from(no_match: NoMatch) -> Self {
        match no_match {
            NoMatch::Allow => Self::Allow,
            NoMatch::Warn => Self::Warn,
            NoMatch::Deny => Self::Deny,
        }
    }
}

fn outcome(policy: &Policy, findings: &Findings, now: Timestamp) -> PolicyOutcome {
    let requirements: Vec<_> = policy
        .requirements()
        .iter()
        .map(|requirement| evaluate::outcome(policy, requirement, findings, now))
        .collect();
    PolicyOutcome {
        name: policy.name().to_owned(),
        mode: policy.mode(),
        // A policy without requirements is never made; were there one, it would not allow everything.
        satisfied: !requirements.is_empty() && requirements.iter().all(|requirement| requirement.satisfied),
        requirements,
    }
}

fn summary(findings: &Findings) -> EvidenceSummary {
    let rejected = findings.rejected().iter();
    EvidenceSummary {
        searched: findings.searched().iter().map(ToString::to_string).collect(),
        authentic: findings.claims().len(),
        rejected: rejected
            .map(|rejected| RejectedDocument {
                origin: rejected.origin.clone(),
                reason: evaluate::chain(&rejected.rejection),
            })
            .collect(),
        omitted: findings.omitted().iter().map(OmittedEvidence::of).collect(),
    }
}

/// Why policies cannot be put in force together.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicySetError {
    /// None.
    #[error("there are no policies, expected at least one")]
    Empty,
    /// Two of one name.
    #[error("two policies are named {name:?}, expected different names")]
    DuplicateName {
        /// The name.
        name: String,
    },
}
