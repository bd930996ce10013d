//! Image manifests and indexes.
//!
//! Parsed documents are for reading and for making new ones. What is pushed or signed is always the exact bytes ([`Content`]),
//! never a document written again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::descriptor::null_as_default;
use crate::digest::excerpt;
use crate::{Content, Descriptor, Limits, media_type};

/// An image manifest
/// ([image-spec 1.1, manifest.md](https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageManifest {
    /// Always 2.
    pub schema_version: u32,
    /// Own media type; older OCI manifests lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What kind of artifact this is, where it is no runnable image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The configuration.
    pub config: Descriptor,
    /// The layers, lowest first.
    #[serde(default, deserialize_with = "null_as_default")]
    pub layers: Vec<Descriptor>,
    /// The manifest that this one refers to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Free annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_as_default")]
    pub annotations: BTreeMap<String, String>,
}

impl ImageManifest {
    /// An OCI manifest with nothing but a configuration and layers.
    pub fn new(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(media_type::OCI_MANIFEST.to_owned()),
            artifact_type: None,
            config,
            layers,
            subject: None,
            annotations: BTreeMap::new(),
        }
    }

    /// The document as bytes ready to push.
    pub fn to_content(&self) -> Content {
        to_content(self.media_type.as_deref().unwrap_or(media_type::OCI_MANIFEST), self)
    }
}

/// An index of manifests
/// ([image-spec 1.1, image-index.md](https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageIndex {
    /// Always 2.
    pub schema_version: u32,
    /// Own media type; older OCI indexes lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What kind of artifact this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The manifests listed.
    #[serde(default, deserialize_with = "null_as_default")]
    pub manifests: Vec<Descriptor>,
    /// The manifest that this one refers to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Free annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_as_default")]
    pub annotations: BTreeMap<String, String>,
}

impl ImageIndex {
    /// An OCI index of `manifests`.
    pub fn new(manifests: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(media_type::OCI_INDEX.to_owned()),
            artifact_type: None,
            manifests,
            subject: None,
            annotations: BTreeMap::new(),
        }
    }

    /// The document as bytes ready to push.
    pub fn to_content(&self) -> Content {
        to_content(self.media_type.as_deref().unwrap_or(media_type::OCI_INDEX), self)
    }
}

/// What a registry serves under `/manifests/`: an image manifest or an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manifest {
    /// One image, or one artifact.
    Image(ImageManifest),
    /// A list of manifests.
    Index(ImageIndex),
}

impl Manifest {
    /// Parses a manifest or index by the media type of its content.
    ///
    /// A document that names a media type of its own must name the same one: the digest covers that member but not the
    /// `Content-Type`, and bytes that are a manifest under one type and an index under another have fooled clients
    /// ([CVE-2021-41190](https://github.com/opencontainers/image-spec/security/advisories/GHSA-77vh-xpmg-72qh)).
    ///
    /// # Errors
    /// [`ManifestError`]: too large, not JSON of that type, too many descriptors, or an ambiguous type.
    pub fn parse(content: &Content, limits: &Limits) -> Result<Self, ManifestError> {
        let size = content.bytes().len() as u64;
        if size > limits.max_manifest_bytes {
            return Err(ManifestError::TooLarge { size, limit: limits.max_manifest_bytes });
        }
        let outer = content.media_type();
        let shape: Shape = serde_json::from_slice(content.bytes())?;
        shape.check(outer)?;
        let (manifest, count) = if media_type::is_index(outer) {
            let index: ImageIndex = serde_json::from_slice(content.bytes())?;
            let count = index.manifests.len();
            (Self::Index(index), count)
        } else {
            let image: ImageManifest = serde_json::from_slice(content.bytes())?;
            let count = image.layers.len();
            (Self::Image(image), count)
        };
        if count > limits.max_descriptors {
            return Err(ManifestError::TooManyDescriptors { count, limit: limits.max_descriptors });
        }
        Ok(manifest)
    }

    /// The manifest that this one refers to.
    pub fn subject(&self) -> Option<&Descriptor> {
        match self {
            Self::Image(image) => image.subject.as_ref(),
            Self::Index(index) => index.subject.as_ref(),
        }
    }
}

/// The members that tell a manifest from an index.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    schema_version: u32,
    media_type: Option<String>,
    #[serde(default)]
    manifests: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    config: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    layers: Option<serde::de::IgnoredAny>,
}

impl Shape {
    fn check(&self, outer: &str) -> Result<(), ManifestError> {
        if !media_type::is_index(outer) && !media_type::is_image_manifest(outer) {
            return Err(ManifestError::UnknownType { media_type: excerpt(outer) });
        }
        if self.schema_version != 2 {
            return Err(ManifestError::SchemaVersion { found: self.schema_version });
        }
        if let Some(inner) = &self.media_type
            && inner != outer
        {
            return Err(ManifestError::TypeMismatch { inner: excerpt(inner), outer: excerpt(outer) });
        }
        if self.manifests.is_some() && (self.config.is_some() || self.layers.is_some()) {
            return Err(ManifestError::Ambiguous);
        }
        Ok(())
    }
}

/// Why bytes are no manifest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Larger than [`Limits::max_manifest_bytes`].
    #[error("manifest has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// Bytes found.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// Not JSON, or not the members of a manifest.
    #[error("manifest is not valid")]
    Json(#[from] serde_json::Error),
    /// Another schema version than 2, such as Docker's retired schema 1.
    #[error("manifest has schema version {found}, expected 2")]
    SchemaVersion {
        /// The version found.
        found: u32,
    },
    /// A media type that is neither manifest nor index.
    #[error("media type {media_type:?} is neither an image manifest nor an index")]
    UnknownType {
        /// The media type, shortened.
        media_type: String,
    },
    /// The document says that it is of another type than it was served as.
    #[error("manifest says that it is {inner:?} but was served as {outer:?}")]
    TypeMismatch {
        /// As the document says.
        inner: String,
        /// As the descriptor or the registry says.
        outer: String,
    },
    /// Both a manifest and an index.
    #[error("document has the members of an image manifest and of an index, expected one of them")]
    Ambiguous,
    /// More layers or entries than [`Limits::max_descriptors`].
    #[error("manifest lists {count} descriptors, the limit is {limit}")]
    TooManyDescriptors {
        /// Descriptors found.
        count: usize,
        /// The limit.
        limit: usize,
    },
}

fn to_content<T: Serialize>(media_type: &str, document: &T) -> Content {
    // Writing strings, numbers and maps with string keys to memory cannot fail.
    Content::new(media_type, serde_json::to_vec(document).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(media_type: &str, text: &str) -> Result<Manifest, ManifestError> {
        Manifest::parse(&Content::new(media_type, text.as_bytes().to_vec()), &Limits::default())
    }

    fn image() -> ImageManifest {
        ImageManifest::new(Descriptor::of(media_type::OCI_CONFIG, b"{}"), vec![])
    }

    #[test]
    fn a_manifest_survives_writing_and_parsing() {
        let content = image().to_content();
        assert_eq!(Manifest::parse(&content, &Limits::default()).unwrap(), Manifest::Image(image()));
    }

    #[test]
    fn rejects_a_document_that_says_it_is_of_another_type() {
        let text = format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[]}}"#, media_type::OCI_INDEX);
        let error = parse(media_type::OCI_MANIFEST, &text).unwrap_err();
        assert!(matches!(error, ManifestError::TypeMismatch { .. }));
    }

    #[test]
    fn rejects_a_document_that_is_both() {
        let text = r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#;
        assert!(matches!(parse(media_type::OCI_INDEX, text), Err(ManifestError::Ambiguous)));
    }

    #[test]
    fn rejects_docker_schema_1() {
        let error = parse(media_type::OCI_MANIFEST, r#"{"schemaVersion":1}"#).unwrap_err();
        assert!(matches!(error, ManifestError::SchemaVersion { found: 1 }));
    }

    #[test]
    fn rejects_an_unknown_media_type() {
        let error = parse("text/html", r#"{"schemaVersion":2}"#).unwrap_err();
        assert!(matches!(error, ManifestError::UnknownType { .. }));
    }

    #[test]
    fn rejects_bytes_that_are_no_json() {
        assert!(matches!(parse(media_type::OCI_INDEX, "{"), Err(ManifestError::Json(_))));
    }

    #[test]
    fn rejects_more_than_the_limits() {
        let mut manifest = image();
        manifest.layers = vec![manifest.config.clone(); 3];
        let content = manifest.to_content();
        let few = Limits { max_descriptors: 2, ..Limits::default() };
        assert!(matches!(
            Manifest::parse(&content, &few),
            Err(ManifestError::TooManyDescriptors { count: 3, limit: 2 })
        ));
        let small = Limits { max_manifest_bytes: 10, ..Limits::default() };
        assert!(matches!(Manifest::parse(&content, &small), Err(ManifestError::TooLarge { .. })));
    }
}
