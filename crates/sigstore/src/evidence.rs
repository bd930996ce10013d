//! All that was found for one image: untrusted, with where each piece was.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use touchmark_attestation::Envelope;
use touchmark_oci::{Digest, PinnedRef, Tag};

use crate::storage::LayerKind;
use crate::{Bundle, DocumentError, LegacyMaterial, Limits, SimpleSigning, json};

/// What was found about one image. Nothing in it is verified.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The image that was asked about.
    pub subject: PinnedRef,
    /// What was found.
    pub items: Vec<EvidenceItem>,
    /// Where was looked, whether or not anything was there, so that an absence is a finding.
    pub searched: Vec<Place>,
    /// What is there but was not read because a limit was reached.
    pub omitted: Vec<Omission>,
}

impl Evidence {
    /// Of an image about which nobody was asked.
    pub fn none(subject: PinnedRef) -> Self {
        Self { subject, items: Vec::new(), searched: Vec::new(), omitted: Vec::new() }
    }
}

/// One document about the image.
#[derive(Debug, Clone)]
pub struct EvidenceItem {
    /// Where it was.
    pub origin: Origin,
    /// What it is.
    pub document: Document,
}

/// Where a document was found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// How it is attached to the image.
    pub place: Place,
    /// The manifest that lists it.
    pub manifest: Digest,
    /// The blob itself.
    pub blob: Digest,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of manifest {} ({})", self.blob, self.manifest, self.place)
    }
}

/// How evidence is attached to an image.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// A manifest whose `subject` is the image, by the referrers API or its fallback tag.
    Referrers,
    /// A tag named after the image's digest, as cosign 1 and 2 write it.
    LegacyTag(Tag),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Referrers => f.write_str("referrers"),
            Self::LegacyTag(tag) => write!(f, "tag {tag}"),
        }
    }
}

/// What a piece of evidence is.
#[derive(Debug, Clone)]
pub enum Document {
    /// A Sigstore bundle.
    Bundle(Box<Bundle>),
    /// A layer of a legacy `.sig` manifest.
    LegacySignature(Box<SimpleSigning>),
    /// A layer of a legacy `.att` manifest.
    LegacyAttestation {
        /// The envelope.
        envelope: Box<Envelope>,
        /// Certificate, log entry and timestamp beside it.
        material: Box<LegacyMaterial>,
    },
    /// Something that should be one of these and is not.
    Malformed(Arc<DocumentError>),
}

impl Document {
    /// Reads the bytes of a layer, with the annotations of its descriptor. What is not valid becomes [`Document::Malformed`], so that it
    /// is reported and not lost.
    pub fn read(
        kind: LayerKind,
        bytes: &[u8],
        annotations: &BTreeMap<String, String>,
        limits: &Limits,
    ) -> Self {
        let document = match kind {
            LayerKind::Bundle => {
                Bundle::parse(bytes, limits).map(|bundle| Self::Bundle(Box::new(bundle))).map_err(Into::into)
            }
            LayerKind::SimpleSigning => SimpleSigning::parse(bytes, annotations, limits)
                .map(|layer| Self::LegacySignature(Box::new(layer)))
                .map_err(Into::into),
            LayerKind::Envelope => read_envelope(bytes, limits).map(|envelope| Self::LegacyAttestation {
                envelope: Box::new(envelope),
                material: Box::new(LegacyMaterial::of(annotations)),
            }),
        };
        document.unwrap_or_else(Self::malformed)
    }

    /// A document that could not be read.
    pub fn malformed(error: DocumentError) -> Self {
        Self::Malformed(Arc::new(error))
    }
}

fn read_envelope(bytes: &[u8], limits: &Limits) -> Result<Envelope, DocumentError> {
    if bytes.len() <= limits.attestation.max_envelope_bytes {
        json::check(bytes, limits.max_json_depth)?;
    }
    Ok(Envelope::parse(bytes, &limits.attestation)?)
}

/// Evidence that a limit kept from being read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Omission {
    /// Where.
    pub place: Place,
    /// How many documents at least.
    pub count: usize,
    /// The limit.
    pub limit: usize,
}
