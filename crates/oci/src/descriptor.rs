//! Descriptors: what points at content.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Digest;

/// Names content by media type, digest and size
/// ([image-spec 1.1, descriptor.md](https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md)).
///
/// Annotations are ordered, so that writing a document twice gives the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Media type of the content.
    pub media_type: String,
    /// Digest of the content.
    pub digest: Digest,
    /// Size of the content, in bytes.
    pub size: u64,
    /// Free annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_as_default")]
    pub annotations: BTreeMap<String, String>,
    /// What kind of artifact the content is, where it is a manifest. A hint: registries get it wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The platform of an entry in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
}

impl Descriptor {
    /// Describes `bytes` by their SHA-256 digest.
    pub fn of(media_type: impl Into<String>, bytes: &[u8]) -> Self {
        Self::new(media_type, Digest::of(bytes), bytes.len() as u64)
    }

    /// A descriptor with no annotations, artifact type or platform.
    pub fn new(media_type: impl Into<String>, digest: Digest, size: u64) -> Self {
        Self {
            media_type: media_type.into(),
            digest,
            size,
            annotations: BTreeMap::new(),
            artifact_type: None,
            platform: None,
        }
    }
}

/// The platform that an image runs on
/// ([image-spec 1.1, image-index.md](https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md)).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// As Go's `GOARCH`.
    pub architecture: String,
    /// As Go's `GOOS`.
    pub os: String,
    /// Such as `v7` for `arm`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

/// Go writes an empty map as `null`.
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_members_are_not_written() {
        let text = serde_json::to_string(&Descriptor::of("text/plain", b"")).unwrap();
        assert_eq!(
            text,
            r#"{"mediaType":"text/plain","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":0}"#
        );
    }

    #[test]
    fn rejects_a_negative_size() {
        let text = format!(r#"{{"mediaType":"a/b","digest":"{}","size":-1}}"#, Digest::of(b""));
        assert!(serde_json::from_str::<Descriptor>(&text).unwrap_err().is_data());
    }

    #[test]
    fn null_annotations_are_none() {
        let text =
            format!(r#"{{"mediaType":"a/b","digest":"{}","size":1,"annotations":null}}"#, Digest::of(b""));
        assert!(serde_json::from_str::<Descriptor>(&text).unwrap().annotations.is_empty());
    }
}
