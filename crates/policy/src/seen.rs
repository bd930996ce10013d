//! What was seen instead of what was wanted, and where: a few examples, and a count of the rest.

use std::fmt;

use serde::ser::{Serialize, SerializeStruct, Serializer};
use touchmark_sigstore::Origin;

use crate::decision::OriginText;

/// Something that was seen, and where.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Seen {
    /// The value, or what is wrong with the document.
    pub value: String,
    /// Who signed it, by the policy's name or as a key.
    pub signer: Option<String>,
    /// Where it is.
    pub origin: Origin,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.value)?;
        if let Some(signer) = &self.signer {
            write!(f, ", by {signer}")?;
        }
        write!(f, ", in {}", self.origin)
    }
}

impl Serialize for Seen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Seen", 3)?;
        object.serialize_field("value", &self.value)?;
        match &self.signer {
            Some(signer) => object.serialize_field("signer", signer)?,
            None => object.skip_field("signer")?,
        }
        object.serialize_field("origin", &OriginText::of(&self.origin))?;
        object.end()
    }
}

/// What was seen: the first [`Sightings::MAX_LISTED`], and how many more there are. Anyone may attach any number of documents to a
/// public image, and nobody has to read them all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sightings {
    listed: Vec<Seen>,
    more: usize,
}

impl Sightings {
    /// How many are listed at most.
    pub const MAX_LISTED: usize = 16;

    pub(crate) fn push(&mut self, seen: Seen) {
        if self.listed.len() < Self::MAX_LISTED {
            self.listed.push(seen);
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    /// The first ones.
    pub fn listed(&self) -> &[Seen] {
        &self.listed
    }

    /// How many there are beyond those.
    pub fn more(&self) -> usize {
        self.more
    }
}

impl FromIterator<Seen> for Sightings {
    fn from_iter<I: IntoIterator<Item = Seen>>(all: I) -> Self {
        let mut sightings = Self::default();
        all.into_iter().for_each(|seen| sightings.push(seen));
        sightings
    }
}
