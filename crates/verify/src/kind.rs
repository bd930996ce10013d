//! What a piece of evidence is for, by its own account.

use touchmark_attestation::predicate_types;
use touchmark_sigstore::{BundleContent, Document, Limits, parse_statement};

/// What evidence is for. Nobody has verified that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EvidenceKind {
    /// A signature over the image.
    Signature,
    /// A signed statement about it.
    Attestation,
    /// An SBOM that nobody signed, under the legacy tag `.sbom`.
    Sbom,
}

impl EvidenceKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Signature, Self::Attestation, Self::Sbom];

    /// What `document` is for; `None` when it cannot be read.
    pub fn of(document: &Document, limits: &Limits) -> Option<Self> {
        match document {
            Document::Malformed(_) => None,
            Document::LegacySignature(_) => Some(Self::Signature),
            Document::Bundle(bundle) if matches!(bundle.content(), BundleContent::Message(_)) => {
                Some(Self::Signature)
            }
            other => match predicate_type(other, limits)?.as_str() {
                predicate_types::COSIGN_SIGN => Some(Self::Signature),
                _ => Some(Self::Attestation),
            },
        }
    }
}

/// The predicate type of the statement in `document`, if it holds one.
pub fn predicate_type(document: &Document, limits: &Limits) -> Option<String> {
    let envelope = match document {
        Document::LegacyAttestation { envelope, .. } => envelope,
        Document::Bundle(bundle) => match bundle.content() {
            BundleContent::Envelope(envelope) => envelope,
            BundleContent::Message(_) => return None,
        },
        Document::LegacySignature(_) | Document::Malformed(_) => return None,
    };
    let statement = parse_statement(envelope.dangerous_payload(), limits).ok()?;
    Some(statement.predicate_type().to_owned())
}
