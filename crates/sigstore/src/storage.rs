//! How signatures and attestations are kept in a registry, in cosign's two ways.
//!
//! Bundles are manifests whose `subject` is the image (cosign 3). Legacy signatures and attestations are layers of one manifest
//! under a tag that is named after the image's digest (cosign 1 and 2). Everything here makes or reads documents; moving them
//! is the registry client's work.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use touchmark_attestation::Envelope;
use touchmark_oci::{
    Content, Descriptor, Digest, ImageManifest, Manifest, ManifestError, ReferenceError, Tag, media_type,
};

use crate::{BUNDLE_V03, Bundle, BundleContent, BundleError, Limits, SIGNATURE_ANNOTATION, SIMPLE_SIGNING};

/// The media type of a layer with a DSSE envelope, in a legacy `.att` manifest.
pub const DSSE_LAYER: &str = "application/vnd.dsse.envelope.v1+json";

/// Media types of bundles, all of which begin so.
const BUNDLE_PREFIX: &str = "application/vnd.dev.sigstore.bundle";

/// Documents to push: the blobs first, then the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The manifest.
    pub manifest: Content,
    /// The blobs that it lists and that may not be there yet.
    pub blobs: Vec<Content>,
}

/// The manifest that attaches a bundle to the image or index described by `subject`, as cosign 3 writes it. `created` is a time in
/// RFC 3339; without it, storing the same bundle twice gives the same manifest.
///
/// # Errors
/// [`BundleError`] when the bytes are no bundle: nothing else is stored as one.
pub fn store_bundle(
    bytes: Vec<u8>,
    subject: &Descriptor,
    created: Option<&str>,
    limits: &Limits,
) -> Result<Stored, BundleError> {
    let bundle = Bundle::parse(&bytes, limits)?;
    let blob = Content::new(BUNDLE_V03, bytes);
    let config = Content::new(media_type::OCI_EMPTY, b"{}".to_vec());
    let mut manifest = ImageManifest::new(config.descriptor().clone(), vec![blob.descriptor().clone()]);
    manifest.artifact_type = Some(BUNDLE_V03.to_owned());
    manifest.subject = Some(Descriptor::new(&subject.media_type, subject.digest.clone(), subject.size));
    manifest.annotations = bundle_annotations(&bundle);
    if let Some(created) = created {
        manifest.annotations.insert("org.opencontainers.image.created".to_owned(), created.to_owned());
    }
    Ok(Stored { manifest: manifest.to_content(), blobs: vec![config, blob] })
}

fn bundle_annotations(bundle: &Bundle) -> BTreeMap<String, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Typed {
        predicate_type: String,
    }
    let (content, predicate_type) = match bundle.content() {
        BundleContent::Message(_) => ("message-signature", None),
        BundleContent::Envelope(envelope) => {
            let typed = serde_json::from_slice::<Typed>(envelope.dangerous_payload()).ok();
            ("dsse-envelope", typed.map(|typed| typed.predicate_type))
        }
    };
    let mut annotations = BTreeMap::from([("dev.sigstore.bundle.content".to_owned(), content.to_owned())]);
    if let Some(predicate_type) = predicate_type {
        annotations.insert("dev.sigstore.bundle.predicateType".to_owned(), predicate_type);
    }
    annotations
}

/// A layer for a legacy manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyLayer {
    blob: Content,
    annotations: BTreeMap<String, String>,
}

impl LegacyLayer {
    /// A simple signing payload with its signature, for `.sig`.
    pub fn signature(payload: Vec<u8>, signature: &[u8]) -> Self {
        let annotations = BTreeMap::from([(SIGNATURE_ANNOTATION.to_owned(), STANDARD.encode(signature))]);
        Self { blob: Content::new(SIMPLE_SIGNING, payload), annotations }
    }

    /// A signed statement, for `.att`.
    pub fn attestation(envelope: &Envelope, predicate_type: &str) -> Self {
        let annotations = BTreeMap::from([
            (SIGNATURE_ANNOTATION.to_owned(), String::new()),
            ("predicateType".to_owned(), predicate_type.to_owned()),
        ]);
        Self { blob: Content::new(DSSE_LAYER, envelope.to_json()), annotations }
    }

    /// The same with one more annotation: certificate, log entry or timestamp, as [`LegacyMaterial`](crate::LegacyMaterial) reads it.
    #[must_use]
    pub fn annotated(mut self, name: &str, value: String) -> Self {
        self.annotations.insert(name.to_owned(), value);
        self
    }

    /// The layer's bytes.
    pub fn blob(&self) -> &Content {
        &self.blob
    }

    /// The annotations of its descriptor.
    pub fn annotations(&self) -> &BTreeMap<String, String> {
        &self.annotations
    }

    fn descriptor(&self) -> Descriptor {
        Descriptor { annotations: self.annotations.clone(), ..self.blob.descriptor().clone() }
    }
}

/// Adds a layer to the manifest under a legacy tag, or begins one. Whatever is there stays, in its order; a layer that is there
/// already changes nothing, not even the bytes.
///
/// The configuration is written anew from the layers, as cosign has it: they are not compressed, so each is its own `diff_id`.
///
/// # Errors
/// [`StorageError`] when what is there is no manifest of layers, or is full.
pub fn append_layer(
    existing: Option<&Content>,
    layer: &LegacyLayer,
    limits: &Limits,
) -> Result<Stored, StorageError> {
    let mut stored = add_layers(existing, vec![layer.descriptor()], limits)?;
    stored.blobs.push(layer.blob.clone());
    Ok(stored)
}

/// Adds the layers of another legacy manifest, `added`, to the one under a legacy tag. Without one, `added` is what is stored.
/// The layers' blobs are not among those of the result.
///
/// # Errors
/// [`StorageError`] when either is no manifest of layers, or it would be full.
pub fn merge_layers(
    existing: Option<&Content>,
    added: &Content,
    limits: &Limits,
) -> Result<Stored, StorageError> {
    let layers = parse_legacy(added)?.layers;
    match existing {
        Some(_) => add_layers(existing, layers, limits),
        None => Ok(Stored { manifest: added.clone(), blobs: Vec::new() }),
    }
}

fn add_layers(
    existing: Option<&Content>,
    added: Vec<Descriptor>,
    limits: &Limits,
) -> Result<Stored, StorageError> {
    let mut manifest = match existing {
        Some(content) => parse_legacy(content)?,
        None => ImageManifest::new(Descriptor::of(media_type::OCI_CONFIG, b""), Vec::new()),
    };
    let before = manifest.layers.len();
    for layer in added {
        if !manifest.layers.contains(&layer) {
            manifest.layers.push(layer);
        }
    }
    if let Some(content) = existing
        && manifest.layers.len() == before
    {
        return Ok(Stored { manifest: content.clone(), blobs: Vec::new() });
    }
    let count = manifest.layers.len();
    if count > limits.max_layers {
        return Err(StorageError::Full { count, limit: limits.max_layers });
    }
    let config = legacy_config(&manifest.config.media_type, &manifest.layers);
    manifest.config = config.descriptor().clone();
    Ok(Stored { manifest: manifest.to_content(), blobs: vec![config] })
}

fn parse_legacy(content: &Content) -> Result<ImageManifest, StorageError> {
    match Manifest::parse(content, &touchmark_oci::Limits::default())? {
        Manifest::Index(_) => Err(StorageError::NotLegacy { media_type: content.media_type().to_owned() }),
        Manifest::Image(image) => match image.config.media_type.as_str() {
            media_type::OCI_CONFIG | media_type::DOCKER_CONFIG => Ok(image),
            other => Err(StorageError::NotLegacy { media_type: other.to_owned() }),
        },
    }
}

/// Go's zero time.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// The configuration that cosign writes, with its members in cosign's order: the same layers give the same bytes.
fn legacy_config(media_type: &str, layers: &[Descriptor]) -> Content {
    #[derive(Serialize)]
    struct Config<'a> {
        architecture: &'static str,
        created: &'static str,
        history: Vec<History>,
        os: &'static str,
        rootfs: RootFs<'a>,
        config: BTreeMap<String, String>,
    }
    #[derive(Clone, Serialize)]
    struct History {
        created: &'static str,
    }
    #[derive(Serialize)]
    struct RootFs<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        diff_ids: Vec<&'a Digest>,
    }
    let config = Config {
        architecture: "",
        created: NEVER,
        history: vec![History { created: NEVER }; layers.len()],
        os: "",
        rootfs: RootFs { kind: "layers", diff_ids: layers.iter().map(|layer| &layer.digest).collect() },
        config: BTreeMap::new(),
    };
    // Writing strings to memory cannot fail.
    Content::new(media_type, serde_json::to_vec(&config).unwrap_or_default())
}

/// Why nothing can be added to a legacy manifest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// Not a manifest.
    #[error("manifest under the legacy tag is malformed")]
    Manifest(#[from] ManifestError),
    /// A manifest of something else.
    #[error(
        "the legacy tag points at a {media_type:?}, expected an image manifest with an image configuration"
    )]
    NotLegacy {
        /// The media type of the index or configuration found.
        media_type: String,
    },
    /// As many layers as anybody reads.
    #[error("manifest under the legacy tag would have {count} layers, the limit is {limit}")]
    Full {
        /// Layers that it would have.
        count: usize,
        /// The limit.
        limit: usize,
    },
}

/// The tags under which cosign 1 and 2 keep what they know about a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyTags {
    /// `.sig`: signatures.
    pub signatures: Tag,
    /// `.att`: attestations.
    pub attestations: Tag,
    /// `.sbom`: an SBOM that nobody signed.
    pub sbom: Tag,
}

/// The legacy tags for `digest`.
///
/// # Errors
/// None for any digest that there is; the tag's constructor has one.
pub fn legacy_tags(digest: &Digest) -> Result<LegacyTags, ReferenceError> {
    Ok(LegacyTags {
        signatures: Tag::for_digest(digest, ".sig")?,
        attestations: Tag::for_digest(digest, ".att")?,
        sbom: Tag::for_digest(digest, ".sbom")?,
    })
}

/// What one layer of evidence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LayerKind {
    /// A Sigstore bundle.
    Bundle,
    /// A simple signing payload.
    SimpleSigning,
    /// A DSSE envelope.
    Envelope,
}

/// A layer of evidence to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// What it should be.
    pub kind: LayerKind,
    /// Where it is, with the annotations that [`crate::Document::read`] wants.
    pub descriptor: Descriptor,
}

/// The evidence in a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layers {
    /// The layers to read, in the manifest's order.
    pub layers: Vec<Layer>,
    /// How many more there are than [`Limits::max_layers`].
    pub omitted: usize,
}

/// Finds the evidence in a referrer's manifest, or in one under a legacy tag. A manifest without any is about something else.
///
/// The layers' media types decide. `artifactType` alone says too little: registries and clients lose it, or write the
/// configuration's type instead, so it only counts for a manifest whose single layer has a type of no meaning.
pub fn find_layers(manifest: &ImageManifest, limits: &Limits) -> Layers {
    let artifact_type = manifest.artifact_type.as_deref().unwrap_or(&manifest.config.media_type);
    let single = manifest.layers.len() == 1;
    let mut layers: Vec<Layer> = manifest
        .layers
        .iter()
        .filter_map(|descriptor| {
            let kind = kind_of(&descriptor.media_type)
                .or_else(|| kind_of(artifact_type).filter(|kind| single && *kind == LayerKind::Bundle))?;
            Some(Layer { kind, descriptor: descriptor.clone() })
        })
        .collect();
    let omitted = layers.len().saturating_sub(limits.max_layers);
    layers.truncate(limits.max_layers);
    Layers { layers, omitted }
}

fn kind_of(media_type: &str) -> Option<LayerKind> {
    match media_type {
        SIMPLE_SIGNING => Some(LayerKind::SimpleSigning),
        DSSE_LAYER => Some(LayerKind::Envelope),
        other if other.starts_with(BUNDLE_PREFIX) => Some(LayerKind::Bundle),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(payload: &str) -> LegacyLayer {
        LegacyLayer::signature(payload.as_bytes().to_vec(), b"signature")
    }

    fn layers(content: &Content) -> Vec<Descriptor> {
        parse_legacy(content).unwrap().layers
    }

    #[test]
    fn appending_keeps_what_is_there_in_its_order() {
        let limits = Limits::default();
        let first = append_layer(None, &layer("a"), &limits).unwrap();
        let second = append_layer(Some(&first.manifest), &layer("b"), &limits).unwrap();
        assert_eq!(layers(&second.manifest), [layer("a").descriptor(), layer("b").descriptor()]);
        let config: touchmark_oci::ImageConfig = serde_json::from_slice(second.blobs[0].bytes()).unwrap();
        assert_eq!(config.rootfs.diff_ids, [Digest::of(b"a"), Digest::of(b"b")]);
        assert_eq!(config.history.len(), 2);
    }

    #[test]
    fn appending_the_same_layer_again_changes_no_byte() {
        let limits = Limits::default();
        let first = append_layer(None, &layer("a"), &limits).unwrap();
        let again = append_layer(Some(&first.manifest), &layer("a"), &limits).unwrap();
        assert_eq!(again.manifest, first.manifest);
        let other = LegacyLayer::signature(b"a".to_vec(), b"other signature");
        assert_eq!(layers(&append_layer(Some(&first.manifest), &other, &limits).unwrap().manifest).len(), 2);
    }

    #[test]
    fn annotations_of_the_manifest_and_of_foreign_layers_survive() {
        let mut foreign = layer("a").descriptor();
        foreign.annotations.insert("dev.sigstore.cosign/bundle".to_owned(), "{}".to_owned());
        let mut manifest =
            ImageManifest::new(Descriptor::of(media_type::OCI_CONFIG, b"{}"), vec![foreign.clone()]);
        manifest.annotations.insert("a".to_owned(), "b".to_owned());
        let stored = append_layer(Some(&manifest.to_content()), &layer("b"), &Limits::default()).unwrap();
        let found = parse_legacy(&stored.manifest).unwrap();
        assert_eq!((&found.layers[0], &found.annotations), (&foreign, &manifest.annotations));
    }

    #[test]
    fn merging_keeps_what_is_there_and_adds_what_is_not() {
        let limits = Limits::default();
        let stored = |existing, name| append_layer(existing, &layer(name), &limits).unwrap().manifest;
        let here = stored(None, "a");
        let there = stored(Some(&stored(None, "b")), "a");
        assert_eq!(merge_layers(None, &there, &limits).unwrap().manifest, there);
        let merged = merge_layers(Some(&here), &there, &limits).unwrap().manifest;
        assert_eq!(layers(&merged), [layer("a").descriptor(), layer("b").descriptor()]);
        assert_eq!(merge_layers(Some(&merged), &there, &limits).unwrap().manifest, merged);
        let index = touchmark_oci::ImageIndex::new(Vec::new()).to_content();
        assert!(matches!(merge_layers(None, &index, &limits), Err(StorageError::NotLegacy { .. })));
    }

    #[test]
    fn refuses_to_append_to_something_else() {
        let append =
            |content: &Content| append_layer(Some(content), &layer("a"), &Limits::default()).unwrap_err();
        let index = touchmark_oci::ImageIndex::new(Vec::new()).to_content();
        assert!(
            matches!(append(&index), StorageError::NotLegacy { media_type } if media_type == media_type::OCI_INDEX)
        );
        let artifact =
            ImageManifest::new(Descriptor::of(media_type::OCI_EMPTY, b"{}"), Vec::new()).to_content();
        assert!(
            matches!(append(&artifact), StorageError::NotLegacy { media_type } if media_type == media_type::OCI_EMPTY)
        );
        let garbage = Content::new(media_type::OCI_MANIFEST, b"{".to_vec());
        assert!(matches!(append(&garbage), StorageError::Manifest(_)));
    }

    #[test]
    fn refuses_to_write_more_layers_than_are_read() {
        let limits = Limits { max_layers: 1, ..Limits::default() };
        let first = append_layer(None, &layer("a"), &limits).unwrap();
        let error = append_layer(Some(&first.manifest), &layer("b"), &limits).unwrap_err();
        assert!(matches!(error, StorageError::Full { count: 2, limit: 1 }));
        append_layer(Some(&first.manifest), &layer("a"), &limits).unwrap();
    }

    #[test]
    fn only_a_bundle_is_stored_as_one_and_time_is_only_what_is_given() {
        let subject = Descriptor::of(media_type::OCI_MANIFEST, b"{}");
        assert!(store_bundle(b"{}".to_vec(), &subject, None, &Limits::default()).is_err());
        let bundle = br#"{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{}},"messageSignature":{"signature":"AAAA"}}"#;
        let store = || store_bundle(bundle.to_vec(), &subject, None, &Limits::default()).unwrap();
        assert_eq!(store(), store());
        let manifest = parse_bundle_manifest(&store().manifest);
        assert_eq!(
            manifest.annotations,
            BTreeMap::from([("dev.sigstore.bundle.content".to_owned(), "message-signature".to_owned())])
        );
    }

    fn parse_bundle_manifest(content: &Content) -> ImageManifest {
        serde_json::from_slice(content.bytes()).unwrap()
    }

    #[test]
    fn layers_of_other_kinds_are_no_evidence_and_too_many_are_counted() {
        let bundle = Descriptor::of("application/vnd.dev.sigstore.bundle+json;version=0.3", b"1");
        let sbom = Descriptor::of("application/spdx+json", b"2");
        let config = Descriptor::of(media_type::OCI_EMPTY, b"{}");
        let manifest = ImageManifest::new(config, vec![sbom, bundle.clone(), bundle.clone()]);
        let found = find_layers(&manifest, &Limits { max_layers: 1, ..Limits::default() });
        assert_eq!(found.layers, [Layer { kind: LayerKind::Bundle, descriptor: bundle }]);
        assert_eq!(found.omitted, 1);
    }

    #[test]
    fn legacy_tags_are_named_after_the_digest() {
        let tags = legacy_tags(&Digest::of(b"")).unwrap();
        let stem = format!("sha256-{}", Digest::of(b"").hex());
        assert_eq!(tags.signatures.as_str(), format!("{stem}.sig"));
        assert_eq!(tags.attestations.as_str(), format!("{stem}.att"));
        assert_eq!(tags.sbom.as_str(), format!("{stem}.sbom"));
    }
}
