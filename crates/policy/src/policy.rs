//! Checked policies: patterns compile, keys parse, every requirement names its signers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;
use touchmark_attestation::PredicateType;
use touchmark_oci::ImageName;
use touchmark_sigstore::{KeyId, PublicKey, Signer};

use crate::{ImageGlob, Lint, Mode, NoMatch, ProvenanceExpectations};

/// A policy that can be evaluated. Made by [`crate::PolicyDocument::check`], or by the two constructors here.
#[derive(Debug, Clone)]
pub struct Policy {
    pub(crate) name: String,
    pub(crate) mode: Mode,
    pub(crate) images: Vec<ImageGlob>,
    pub(crate) no_match: Option<NoMatch>,
    pub(crate) signers: Vec<Arc<NamedSigner>>,
    pub(crate) requirements: Vec<Requirement>,
    pub(crate) lints: Vec<Lint>,
}

impl Policy {
    /// The policy of `verify --key`: every image has to be signed by one of `keys`, with all of `annotations`. Without keys it
    /// denies everything.
    pub fn signed_by(keys: Vec<PublicKey>, annotations: BTreeMap<String, String>) -> Self {
        Self::one_requirement("signed", keys, Wanted::Signature { annotations })
    }

    /// The policy of `verify-attestation --key --type`: every image has to have an attestation of `predicate_type` by one of
    /// `keys`. Without keys it denies everything.
    pub fn attested_by(keys: Vec<PublicKey>, predicate_type: PredicateType) -> Self {
        Self::one_requirement("attested", keys, Wanted::Attestation { predicate_type })
    }

    fn one_requirement(name: &str, keys: Vec<PublicKey>, wanted: Wanted) -> Self {
        let mut seen = BTreeSet::new();
        let distinct = keys.into_iter().filter(|key| seen.insert(key.id().clone()));
        let signers: Vec<_> = distinct.map(|key| Arc::new(NamedSigner::of_key(key))).collect();
        let quorum = Quorum { signers: signers.clone(), at_least: 1 };
        Self {
            name: "command-line".into(),
            mode: Mode::Enforce,
            images: vec![ImageGlob::everything()],
            no_match: None,
            signers,
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
    /// Holding this key.
    Key(PublicKey),
}

impl NamedSigner {
    fn of_key(key: PublicKey) -> Self {
        Self { name: format!("key {}", short(key.id())), identity: Identity::Key(key) }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key to be known by.
    pub fn key(&self) -> &PublicKey {
        let Identity::Key(key) = &self.identity;
        key
    }

    /// Whether `signer` is this one.
    pub fn is(&self, signer: &Signer) -> bool {
        match (&self.identity, signer) {
            (Identity::Key(key), Signer::Key(id)) => key.id() == id,
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
