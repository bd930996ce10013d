//! Checked policies: patterns compile, keys parse, every requirement names its signers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;
use touchmark_attestation::PredicateType;
use touchmark_oci::ImageName;
use touchmark_sigstore::{KeyId, PublicKey, Signer};

use crate::{
    CertificateIdentity, ImageGlob, KeyWindow, Lint, Mode, NoMatch, ProofRequirement, ProvenanceExpectations,
    TrustedKey,
};

/// A policy that can be evaluated. Made by [`crate::PolicyDocument::check`], or by the two constructors here.
#[derive(Debug, Clone)]
pub struct Policy {
    pub(crate) name: String,
    pub(crate) mode: Mode,
    pub(crate) images: Vec<ImageGlob>,
    pub(crate) no_match: Option<NoMatch>,
    pub(crate) signers: Vec<Arc<NamedSigner>>,
    pub(crate) proof: ProofRequirement,
    pub(crate) requirements: Vec<Requirement>,
    pub(crate) lints: Vec<Lint>,
}

impl Policy {
    /// The policy of `verify` without policy files: every image has to be signed by one of `signers`, with all of `annotations`.
    /// Without signers it denies everything.
    pub fn signed_by(signers: Vec<NamedSigner>, annotations: BTreeMap<String, String>) -> Self {
        Self::one_requirement("signed", signers, Wanted::Signature { annotations })
    }

    /// The policy of `verify-attestation --type`: every image has to have an attestation of `predicate_type` by one of
    /// `signers`. Without signers it denies everything.
    pub fn attested_by(signers: Vec<NamedSigner>, predicate_type: PredicateType) -> Self {
        Self::one_requirement("attested", signers, Wanted::Attestation { predicate_type })
    }

    /// The same, asking for so much proof of every signature.
    #[must_use]
    pub fn with_proof(mut self, proof: ProofRequirement) -> Self {
        self.proof = proof;
        self
    }

    fn one_requirement(name: &str, signers: Vec<NamedSigner>, wanted: Wanted) -> Self {
        let mut seen = BTreeSet::new();
        let distinct = signers.into_iter().filter(|signer| seen.insert(signer.name.clone()));
        let signers: Vec<_> = distinct.map(Arc::new).collect();
        let quorum = Quorum { signers: signers.clone(), at_least: 1 };
        Self {
            name: "command-line".into(),
            mode: Mode::Enforce,
            images: vec![ImageGlob::everything()],
            no_match: None,
            signers,
            proof: ProofRequirement::default(),
            requirements: vec![Requirement { name: name.into(), quorum, wanted }],
            lints: Vec::new(),
        }
    }

    /// What the policy is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it does with an image that fails it.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The images that it is about.
    pub fn images(&self) -> &[ImageGlob] {
        &self.images
    }

    /// Whether it is about images of this name.
    pub fn applies_to(&self, name: &ImageName) -> bool {
        self.images.iter().any(|glob| glob.matches(name))
    }

    /// What it states about images that no policy matches.
    pub fn no_match(&self) -> Option<NoMatch> {
        self.no_match
    }

    /// The signers that it knows.
    pub fn signers(&self) -> impl Iterator<Item = &NamedSigner> {
        self.signers.iter().map(Arc::as_ref)
    }

    /// How much has to be proven of every signature that counts.
    pub fn proof(&self) -> &ProofRequirement {
        &self.proof
    }

    /// What it asks for; all of it.
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// What is allowed and probably not meant.
    pub fn lints(&self) -> &[Lint] {
        &self.lints
    }
}

/// A signer under the name that the policy has for it.
#[derive(Debug, Clone)]
pub struct NamedSigner {
    pub(crate) name: String,
    pub(crate) identity: Identity,
}

/// What makes a signer the one that is meant.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub(crate) enum Identity {
    /// Holding one of these keys, of which there is one at least.
    Keys(Vec<TrustedKey>),
    /// Holding a certificate that says so.
    Certificate(CertificateIdentity),
}

impl Identity {
    pub(crate) fn keys(&self) -> &[TrustedKey] {
        match self {
            Self::Keys(keys) => keys,
            Self::Certificate(_) => &[],
        }
    }
}

impl NamedSigner {
    /// The holder of `key`, named after it.
    pub fn of_key(key: PublicKey) -> Self {
        Self {
            name: format!("key {}", short(key.id())),
            identity: Identity::Keys(vec![TrustedKey::always(key)]),
        }
    }

    /// The holder of a certificate of `identity`, named after it.
    pub fn of_certificate(identity: CertificateIdentity) -> Self {
        Self { name: identity.to_string(), identity: Identity::Certificate(identity) }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The keys to be known by; none where a certificate says who it is.
    pub fn keys(&self) -> &[TrustedKey] {
        self.identity.keys()
    }

    /// Whether it is known by its certificate.
    pub fn is_certified(&self) -> bool {
        matches!(self.identity, Identity::Certificate(_))
    }

    /// When the key counts with which `signer` signed, if that is one of this one's and has a window.
    pub(crate) fn window(&self, signer: &Signer) -> Option<&KeyWindow> {
        let Signer::Key(id) = signer else { return None };
        self.keys().iter().find(|trusted| trusted.key.id() == id)?.window()
    }

    /// Whether `signer` is this one.
    pub fn is(&self, signer: &Signer) -> bool {
        match (&self.identity, signer) {
            (Identity::Keys(keys), Signer::Key(id)) => keys.iter().any(|trusted| trusted.key.id() == id),
            (Identity::Certificate(identity), Signer::Certificate(certificate)) => {
                identity.matches(certificate)
            }
            _ => false,
        }
    }
}

fn short(id: &KeyId) -> String {
    id.hex().chars().take(12).collect()
}

/// One thing that a policy asks for.
#[derive(Debug, Clone)]
pub struct Requirement {
    pub(crate) name: String,
    pub(crate) quorum: Quorum,
    pub(crate) wanted: Wanted,
}

impl Requirement {
    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What kind of thing it asks for.
    pub fn kind(&self) -> RequirementKind {
        match self.wanted {
            Wanted::Signature { .. } => RequirementKind::Signature,
            Wanted::Attestation { .. } => RequirementKind::Attestation,
            Wanted::Provenance(_) => RequirementKind::Provenance,
        }
    }

    /// Who has to say it.
    pub fn quorum(&self) -> &Quorum {
        &self.quorum
    }

    /// What has to be said.
    pub fn wanted(&self) -> &Wanted {
        &self.wanted
    }
}

/// How many of which signers.
#[derive(Debug, Clone)]
pub struct Quorum {
    pub(crate) signers: Vec<Arc<NamedSigner>>,
    pub(crate) at_least: usize,
}

impl Quorum {
    /// The signers that count.
    pub fn signers(&self) -> impl Iterator<Item = &NamedSigner> {
        self.signers.iter().map(Arc::as_ref)
    }

    /// How many different ones it takes.
    pub fn at_least(&self) -> usize {
        self.at_least
    }

    /// The one of them that `signer` is.
    pub(crate) fn find(&self, signer: &Signer) -> Option<&NamedSigner> {
        self.signers().find(|named| named.is(signer))
    }
}

/// What has to be said about the image.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Wanted {
    /// A signature: cosign's, in either storage form. No attestation counts as one.
    Signature {
        /// What has to be among the signed annotations.
        annotations: BTreeMap<String, String>,
    },
    /// An attestation of this type, whatever it says.
    Attestation {
        /// The type.
        predicate_type: PredicateType,
    },
    /// SLSA provenance, version 0.2 or 1, that says this.
    Provenance(ProvenanceExpectations),
}

/// The kinds of requirement, as they are called in a policy document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RequirementKind {
    /// `signature`
    Signature,
    /// `attestation`
    Attestation,
    /// `provenance`
    Provenance,
}

impl RequirementKind {
    /// The name in policy documents and reason codes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Attestation => "attestation",
            Self::Provenance => "provenance",
        }
    }
}
