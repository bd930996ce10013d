//! What can be wrong with a policy document, and what is allowed and probably not meant.

use std::fmt;

use touchmark_attestation::PredicateTypeError;
use touchmark_provenance::{CommitError, SourceUriError};
use touchmark_sigstore::{KeyError, UnknownExtension, WitnessKeyError};

use crate::{ExpressionError, GlobError, Location};

/// All that is wrong with a document: at least one thing.
#[derive(Debug)]
pub struct Problems<P = Problem> {
    first: Box<P>,
    others: Vec<P>,
}

/// Something that is written somewhere.
pub(crate) trait HasLocation {
    fn at(&self) -> &Location;
}

impl<P> Problems<P> {
    /// Each of them, in the order of the document.
    pub fn iter(&self) -> impl Iterator<Item = &P> {
        std::iter::once(&*self.first).chain(&self.others)
    }

    pub(crate) fn from_list(mut list: Vec<P>) -> Option<Self>
    where
        P: HasLocation,
    {
        list.sort_by(|a, b| a.at().cmp(b.at()));
        let mut list = list.into_iter();
        let first = Box::new(list.next()?);
        Some(Self { first, others: list.collect() })
    }
}

impl<P> IntoIterator for Problems<P> {
    type Item = P;
    type IntoIter = std::iter::Chain<std::iter::Once<P>, std::vec::IntoIter<P>>;

    fn into_iter(self) -> Self::IntoIter {
        std::iter::once(*self.first).chain(self.others)
    }
}

impl<P: fmt::Display> fmt::Display for Problems<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        match self.others.len() {
            0 => Ok(()),
            1 => f.write_str(" (and 1 more problem)"),
            more => write!(f, " (and {more} more problems)"),
        }
    }
}

impl<P: std::error::Error> std::error::Error for Problems<P> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.first.source()
    }
}

/// One thing that is wrong with a policy document.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A name that is not like a DNS name.
    #[error(
        "{at}: name {found:?} is not 1 to 63 lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit"
    )]
    Name {
        /// Where.
        at: Location,
        /// The name, shortened.
        found: String,
    },
    /// A policy about nothing.
    #[error("{at}: images is empty, expected at least one glob")]
    NoImages {
        /// Where.
        at: Location,
    },
    /// A pattern that does not compile or can never match.
    #[error("{at}: {pattern:?} is no usable pattern")]
    Glob {
        /// Where.
        at: Location,
        /// The pattern.
        pattern: String,
        /// Why.
        source: GlobError,
    },
    /// A policy that asks for nothing would allow everything.
    #[error("{at}: require is empty, expected at least one requirement")]
    NoRequirements {
        /// Where.
        at: Location,
    },
    /// Two requirements of one name.
    #[error("{at}: there is a requirement named {name:?} already")]
    DuplicateRequirement {
        /// The second one.
        at: Location,
        /// Their name.
        name: String,
    },
    /// A requirement of no kind, or of several.
    #[error(
        "{at}: requirement {name:?} states {found} of signature, attestation and provenance, expected exactly one"
    )]
    RequirementKinds {
        /// Where.
        at: Location,
        /// Its name.
        name: String,
        /// How many it states.
        found: usize,
    },
    /// Two signers of one name.
    #[error("{at}: there is a signer named {name:?} already")]
    DuplicateSigner {
        /// The second one.
        at: Location,
        /// Their name.
        name: String,
    },
    /// One key under two names would count as two signers.
    #[error("{at}: signer {name:?} has the same key as signer {other:?}, expected a key of its own")]
    SameKey {
        /// The second key.
        at: Location,
        /// The second signer.
        name: String,
        /// The first signer.
        other: String,
    },
    /// A signer known by nothing, or by two things.
    #[error("{at}: signer states not exactly one of key, keys and identity")]
    SignerKind {
        /// The signer.
        at: Location,
    },
    /// A subject or an issuer by two rules or by none: either alone says nothing.
    #[error("{at}: identity states not exactly one of {field} and {field}RegExp")]
    IdentityText {
        /// The identity.
        at: Location,
        /// `subject` or `issuer`.
        field: &'static str,
    },
    /// Not a regular expression.
    #[error("{at}: expected a regular expression")]
    Expression {
        /// Where.
        at: Location,
        /// What is wrong with it.
        source: ExpressionError,
    },
    /// Not an extension that certificates have.
    #[error("{at}: identity asks for an extension that is not known")]
    Extension {
        /// Where.
        at: Location,
        /// Which there are.
        source: UnknownExtension,
    },
    /// A key from nowhere, or from two places.
    #[error("{at}: key states not exactly one of file and data")]
    KeySource {
        /// Where.
        at: Location,
    },
    /// A key file that cannot be read.
    #[error("{at}: key file {file:?} cannot be read")]
    KeyFile {
        /// Where it is named.
        at: Location,
        /// The file as written.
        file: String,
        /// What went wrong.
        source: std::io::Error,
    },
    /// A key file that is too large to be one.
    #[error("{at}: key file has {found} bytes, the limit is {limit}")]
    KeyFileTooLarge {
        /// Where it is named.
        at: Location,
        /// Bytes found.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// No key, several, or one that is not accepted.
    #[error("{at}: expected one public key")]
    Key {
        /// Where it is written or named.
        at: Location,
        /// Why it is not that.
        source: KeyError,
    },
    /// A list of keys without any.
    #[error("{at}: keys is empty, expected at least one key")]
    NoKeys {
        /// Where.
        at: Location,
    },
    /// Not a time.
    #[error("{at}: expected a time such as 2026-01-31T00:00:00Z (RFC 3339)")]
    Time {
        /// Where.
        at: Location,
        /// What is wrong with it.
        source: jiff::Error,
    },
    /// A key that never counts.
    #[error("{at}: validUntil is before validFrom, so the key would never count")]
    WindowEmpty {
        /// The key.
        at: Location,
    },
    /// Signatures without a time, where no key asks for one.
    #[error("{at}: undated says something only beside validFrom or validUntil")]
    UndatedWithoutWindow {
        /// Where.
        at: Location,
    },
    /// Not the key of a witness.
    #[error("{at}: expected the key of a witness")]
    Witness {
        /// Where.
        at: Location,
        /// Why it is not that.
        source: WitnessKeyError,
    },
    /// More cosignatures than there are witnesses that could make them.
    #[error("{at}: proof asks for {wanted} witnesses, and spec.witnesses has {known} different keys")]
    TooFewWitnesses {
        /// Where.
        at: Location,
        /// As written.
        wanted: usize,
        /// Keys listed.
        known: usize,
    },
    /// A requirement that anyone or no one could meet.
    #[error("{at}: by is empty, expected at least one signer")]
    NoSigners {
        /// Where.
        at: Location,
    },
    /// A signer named twice in one list would count twice.
    #[error("{at}: signer {name:?} is in this list already")]
    SignerTwice {
        /// The second mention.
        at: Location,
        /// The signer.
        name: String,
    },
    /// A signer that the policy does not introduce.
    #[error("{at}: there is no signer {name:?}, expected one of {known:?}")]
    UnknownSigner {
        /// Where.
        at: Location,
        /// The name.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// Zero, or more signers than are listed.
    #[error("{at}: atLeast is {wanted}, expected 1 to {signers}, the number of signers in the list")]
    AtLeast {
        /// Where.
        at: Location,
        /// As written.
        wanted: u32,
        /// Signers in the list.
        signers: usize,
    },
    /// Neither an alias nor a URI.
    #[error("{at}: no attestation type")]
    PredicateType {
        /// Where.
        at: Location,
        /// What is wrong with it.
        source: PredicateTypeError,
    },
    /// cosign's signature predicate as an attestation type.
    #[error("{at}: this type is a signature, expected a requirement of kind signature")]
    SignatureAsAttestation {
        /// Where.
        at: Location,
    },
    /// A builder by two rules or by none.
    #[error("{at}: builder states not exactly one of id and idGlob")]
    BuilderId {
        /// Where.
        at: Location,
    },
    /// Not the address of a repository, or one with a ref in it.
    #[error("{at}: source is no repository")]
    SourceUri {
        /// Where.
        at: Location,
        /// What is wrong with it.
        source: SourceUriError,
    },
    /// Not a full commit id.
    #[error("{at}: source has no usable commit")]
    Commit {
        /// Where.
        at: Location,
        /// What is wrong with it.
        source: CommitError,
    },
    /// An expectation that nothing or everything would meet.
    #[error("{at}: found an empty text, expected the value to compare with")]
    EmptyText {
        /// Where.
        at: Location,
    },
    /// A ref by two rules.
    #[error("{at}: source states both ref and refGlob, expected at most one")]
    TwoRefs {
        /// Where.
        at: Location,
    },
}

impl Problem {
    /// Where it is.
    pub fn location(&self) -> &Location {
        self.at()
    }
}

impl HasLocation for Problem {
    fn at(&self) -> &Location {
        match self {
            Self::Name { at, .. }
            | Self::NoImages { at }
            | Self::Glob { at, .. }
            | Self::NoRequirements { at }
            | Self::DuplicateRequirement { at, .. }
            | Self::RequirementKinds { at, .. }
            | Self::DuplicateSigner { at, .. }
            | Self::SameKey { at, .. }
            | Self::SignerKind { at }
            | Self::IdentityText { at, .. }
            | Self::Expression { at, .. }
            | Self::Extension { at, .. }
            | Self::KeySource { at }
            | Self::KeyFile { at, .. }
            | Self::KeyFileTooLarge { at, .. }
            | Self::Key { at, .. }
            | Self::NoKeys { at }
            | Self::Time { at, .. }
            | Self::WindowEmpty { at }
            | Self::UndatedWithoutWindow { at }
            | Self::Witness { at, .. }
            | Self::TooFewWitnesses { at, .. }
            | Self::NoSigners { at }
            | Self::SignerTwice { at, .. }
            | Self::UnknownSigner { at, .. }
            | Self::AtLeast { at, .. }
            | Self::PredicateType { at, .. }
            | Self::SignatureAsAttestation { at }
            | Self::BuilderId { at }
            | Self::SourceUri { at, .. }
            | Self::Commit { at, .. }
            | Self::EmptyText { at }
            | Self::TwoRefs { at } => at,
        }
    }
}

/// Something that is allowed and probably not meant, or that a reader of the policy should know.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lint {
    /// A signer that no requirement mentions.
    UnusedSigner {
        /// Where.
        at: Location,
        /// The signer.
        name: String,
    },
    /// Provenance that may be of any source: a builder builds whatever it is given.
    AnySource {
        /// Where.
        at: Location,
    },
    /// A branch or tag without `refs/heads/` or `refs/tags/`: builders write the full name.
    ShortRef {
        /// Where.
        at: Location,
        /// The ref.
        found: String,
    },
    /// `noMatch: allow`.
    AllowsUnmatched {
        /// Where.
        at: Location,
    },
    /// `mode: warn`.
    WarnsOnly {
        /// Where.
        at: Location,
    },
}

impl Lint {
    /// Where it is.
    pub fn at(&self) -> &Location {
        match self {
            Self::UnusedSigner { at, .. }
            | Self::AnySource { at }
            | Self::ShortRef { at, .. }
            | Self::AllowsUnmatched { at }
            | Self::WarnsOnly { at } => at,
        }
    }
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.at())?;
        match self {
            Self::UnusedSigner { name, .. } => write!(f, "no requirement mentions signer {name:?}"),
            Self::AnySource { .. } => {
                f.write_str("the builder may have built any source: no source is stated")
            }
            Self::ShortRef { found, .. } => {
                write!(f, "builders write full ref names such as refs/heads/main, and never {found:?}")
            }
            Self::AllowsUnmatched { .. } => f.write_str("images that no policy matches are allowed"),
            Self::WarnsOnly { .. } => f.write_str("this policy warns and never denies"),
        }
    }
}
