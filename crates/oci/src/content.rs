//! Bytes that are what their descriptor says.

use crate::{Descriptor, Digest};

/// Bytes whose size and digest match their descriptor. [`Content::check`] is the only way to make one from foreign bytes.
///
/// Holding one says that the bytes are those that were asked for. It says nothing about who made them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    descriptor: Descriptor,
    bytes: Vec<u8>,
}

impl Content {
    /// Checks size and digest.
    ///
    /// # Errors
    /// [`ContentError::Size`] or [`ContentError::Digest`] when the bytes are not those described.
    pub fn check(descriptor: Descriptor, bytes: Vec<u8>) -> Result<Self, ContentError> {
        let found = bytes.len() as u64;
        if found != descriptor.size {
            return Err(ContentError::Size { digest: descriptor.digest, found, wanted: descriptor.size });
        }
        let found = Digest::of_with(descriptor.digest.algorithm(), &bytes);
        if found != descriptor.digest {
            return Err(ContentError::Digest { found, wanted: descriptor.digest });
        }
        Ok(Self { descriptor, bytes })
    }

    /// Content of our own making: the descriptor is computed from the bytes.
    pub fn new(media_type: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self { descriptor: Descriptor::of(media_type, &bytes), bytes }
    }

    /// What the bytes were checked against.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// The digest of the bytes.
    pub fn digest(&self) -> &Digest {
        &self.descriptor.digest
    }

    /// The media type in the descriptor. Nothing in the digest covers it.
    pub fn media_type(&self) -> &str {
        &self.descriptor.media_type
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, without the descriptor.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Why bytes are not what their descriptor says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    /// More or fewer bytes than described.
    #[error("content of {digest} has {found} bytes, its descriptor says {wanted}")]
    Size {
        /// The digest that was asked for.
        digest: Digest,
        /// Bytes found.
        found: u64,
        /// Bytes described.
        wanted: u64,
    },
    /// Other bytes than described.
    #[error("content has digest {found}, its descriptor says {wanted}")]
    Digest {
        /// Digest of the bytes found.
        found: Digest,
        /// Digest described.
        wanted: Digest,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_bytes_that_match() {
        let content = Content::check(Descriptor::of("text/plain", b"hello"), b"hello".to_vec()).unwrap();
        assert_eq!(content.bytes(), b"hello");
    }

    #[test]
    fn rejects_a_lying_size() {
        let mut descriptor = Descriptor::of("text/plain", b"hello");
        descriptor.size = 4;
        let error = Content::check(descriptor, b"hello".to_vec()).unwrap_err();
        assert!(matches!(error, ContentError::Size { found: 5, wanted: 4, .. }));
    }

    #[test]
    fn rejects_other_bytes_of_the_same_size() {
        let descriptor = Descriptor::of("text/plain", b"hello");
        let error = Content::check(descriptor, b"hellO".to_vec()).unwrap_err();
        assert!(matches!(error, ContentError::Digest { .. }));
    }
}
