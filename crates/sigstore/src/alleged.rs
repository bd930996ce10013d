//! What a document says it is, read before anybody has checked who signed it. For explaining, never for deciding.

use serde::Deserialize;
use touchmark_attestation::{Envelope, IN_TOTO_PAYLOAD, predicate_types};

use crate::{BundleContent, Document};

/// The longest predicate type that is read. Those in use have less than 100 bytes.
const MAX_TYPE_BYTES: usize = 1024;

/// What a document that proves nothing says it is. Nobody has checked that: whoever attached the document chose it.
///
/// It tells people which absence a document might explain: "signed by somebody else" rather than "nothing there".
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Alleged {
    /// A signature, of the image or of a file.
    Signature,
    /// An attestation.
    Attestation {
        /// Of this type.
        predicate_type: String,
    },
    /// It does not say, or not readably.
    Unknown,
}

impl Alleged {
    pub(crate) fn of(document: &Document) -> Self {
        match document {
            Document::LegacySignature(_) => Self::Signature,
            Document::LegacyAttestation { envelope, .. } => Self::by_envelope(envelope),
            Document::Bundle(bundle) => match bundle.content() {
                BundleContent::Envelope(envelope) => Self::by_envelope(envelope),
                BundleContent::Message(_) => Self::Signature,
            },
            Document::Malformed(_) => Self::Unknown,
        }
    }

    fn by_envelope(envelope: &Envelope) -> Self {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Head {
            predicate_type: String,
        }
        if envelope.payload_type() != IN_TOTO_PAYLOAD {
            return Self::Unknown;
        }
        match serde_json::from_slice::<Head>(envelope.dangerous_payload()) {
            Ok(Head { predicate_type }) if predicate_type == predicate_types::COSIGN_SIGN => Self::Signature,
            Ok(Head { predicate_type }) if predicate_type.len() <= MAX_TYPE_BYTES => {
                Self::Attestation { predicate_type }
            }
            _ => Self::Unknown,
        }
    }
}
