//! Reading a layout, wherever its files are. Everything here blocks.

use std::collections::HashSet;
use std::path::PathBuf;

use touchmark_oci::{
    Content, ContentError, Descriptor, Digest, ImageRef, Manifest, ManifestError, PinnedRef, Tag, media_type,
};

use super::files::{FileError, Files, Opened};
use super::index::{Index, is_evidence_tag, ref_name};
use crate::client::own_type;
use crate::error::LayoutFault;
use crate::{At, Limits, Operation, Referrers, StoreError};

/// A layout, read only.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) files: Files,
    pub(super) limits: Limits,
}

impl Reader {
    /// `index.json`, once `oci-layout` says that this is a layout. `None` when there is none at all.
    pub(super) fn index(&self, at: &At) -> Result<Option<Index>, StoreError> {
        let Some(marker) = self.document("oci-layout", at)? else {
            return Ok(None);
        };
        let version = serde_json::from_slice::<serde_json::Value>(&marker).ok();
        let version = version.as_ref().and_then(|marker| marker.get("imageLayoutVersion")?.as_str());
        if version != Some("1.0.0") {
            return Err(self.fault(at, "oci-layout", LayoutFault::NoLayout));
        }
        let bytes = self.document("index.json", at)?;
        let bytes = bytes.ok_or_else(|| self.fault(at, "index.json", LayoutFault::NoLayout))?;
        Index::parse(&bytes).map(Some).map_err(|_| self.fault(at, "index.json", LayoutFault::Json))
    }

    /// `index.json` of a layout that must be there.
    fn present_index(&self, at: &At) -> Result<Index, StoreError> {
        match self.index(at)? {
            Some(index) => Ok(index),
            None if self.files.root().exists() => Err(self.fault(at, "oci-layout", LayoutFault::NoLayout)),
            None => Err(StoreError::NotFound { at: at.clone() }),
        }
    }

    pub(super) fn resolve(&self, image: &ImageRef) -> Result<PinnedRef, StoreError> {
        if let Some(pinned) = image.as_pinned() {
            return Ok(pinned);
        }
        let at = At::new(Operation::Resolve, image);
        let index = self.present_index(&at)?;
        let candidates = match image.tag() {
            Some(tag) => index.tagged(tag.as_str()),
            None => self.images(&index, &at)?,
        };
        one_of(&candidates, &at).map(|entry| image.pin(entry.digest.clone()))
    }

    /// The entries that are images: neither about another manifest, nor kept under a tag for evidence, nor without a tag and in
    /// an index that is here.
    fn images<'a>(&self, index: &'a Index, at: &At) -> Result<Vec<&'a Descriptor>, StoreError> {
        let mut images = Vec::new();
        for entry in index.entries() {
            let evidence = ref_name(entry).is_some_and(is_evidence_tag);
            if !evidence && self.subject_of(entry, at)?.is_none() {
                images.push(entry);
            }
        }
        if images.len() > 1 {
            let parts = self.parts(&images, at)?;
            images.retain(|entry| ref_name(entry).is_some() || !parts.contains(&entry.digest));
        }
        Ok(images)
    }

    /// What the indexes among the entries name.
    fn parts(&self, entries: &[&Descriptor], at: &At) -> Result<HashSet<Digest>, StoreError> {
        let mut parts = HashSet::new();
        for entry in entries.iter().filter(|entry| media_type::is_index(&entry.media_type)) {
            if let Manifest::Index(index) = self.parse(&self.described_manifest(entry, at)?, at)? {
                parts.extend(index.manifests.into_iter().map(|part| part.digest));
            }
        }
        Ok(parts)
    }

    pub(super) fn manifest(&self, image: &PinnedRef) -> Result<Content, StoreError> {
        let at = At::new(Operation::FetchManifest, image);
        let index = self.present_index(&at)?;
        self.manifest_with(&index, image.digest(), &at)
    }

    fn manifest_with(&self, index: &Index, digest: &Digest, at: &At) -> Result<Content, StoreError> {
        if let Some(entry) = index.by_digest(digest) {
            return self.described_manifest(entry, at);
        }
        // A manifest within an index of `index.json`: its size and type are in that one, which the caller has.
        let bytes = self.small_blob(digest, self.limits.documents.max_manifest_bytes, at)?;
        let kind = own_type(&bytes).unwrap_or_else(|| media_type::OCI_MANIFEST.to_owned());
        check(Descriptor::new(kind, digest.clone(), bytes.len() as u64), bytes, at)
    }

    /// The manifest that an entry of `index.json` describes, without the entry's own annotations.
    fn described_manifest(&self, entry: &Descriptor, at: &At) -> Result<Content, StoreError> {
        let bytes = self.small_blob(&entry.digest, self.limits.documents.max_manifest_bytes, at)?;
        let descriptor = Descriptor::new(entry.media_type.clone(), entry.digest.clone(), entry.size);
        check(descriptor, bytes, at)
    }

    pub(super) fn tag(&self, tag: &Tag, at: &At) -> Result<Option<Content>, StoreError> {
        let Some(index) = self.index(at)? else {
            return Ok(None);
        };
        let candidates = index.tagged(tag.as_str());
        if candidates.is_empty() {
            return Ok(None);
        }
        let entry = one_of(&candidates, at)?;
        self.described_manifest(entry, at).map(Some)
    }

    pub(super) fn blob(&self, blob: &Descriptor, max_bytes: u64, at: &At) -> Result<Content, StoreError> {
        if blob.size > max_bytes {
            return Err(StoreError::TooLarge { at: at.clone(), size: blob.size, limit: max_bytes });
        }
        match self.open(&blob.digest, at)? {
            opened if opened.size() == blob.size => {
                let bytes = opened
                    .read(max_bytes)
                    .map_err(|error| self.failed(at, &blob_path(&blob.digest), error))?;
                check(blob.clone(), bytes, at)
            }
            opened => Err(wrong_size(blob, opened.size(), at)),
        }
    }

    /// A blob to be read and checked by the caller; its size is checked already.
    pub(super) fn open_blob(&self, blob: &Descriptor, at: &At) -> Result<Opened, StoreError> {
        match self.open(&blob.digest, at)? {
            opened if opened.size() == blob.size => Ok(opened),
            opened => Err(wrong_size(blob, opened.size(), at)),
        }
    }

    pub(super) fn has_blob(&self, blob: &Descriptor, at: &At) -> Result<bool, StoreError> {
        match self.open(&blob.digest, at) {
            Ok(opened) => Ok(opened.size() == blob.size),
            Err(StoreError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Manifests of `index.json` with this subject, and what the fallback tag lists.
    pub(super) fn referrers(&self, subject: &PinnedRef) -> Result<Referrers, StoreError> {
        let at = At::new(Operation::ListReferrers, subject);
        let index = self.present_index(&at)?;
        let mut found = Referrers { manifests: Vec::new(), truncated: false };
        for entry in index.entries() {
            if self.subject_of(entry, &at)?.is_some_and(|digest| digest == *subject.digest()) {
                self.add(&mut found, entry.clone());
            }
        }
        let tag = Tag::for_digest(subject.digest(), "")
            .map_err(|source| StoreError::Tag { at: at.clone(), source })?;
        if let Some(fallback) = self.tag(&tag, &at)?
            && let Manifest::Index(fallback) = self.parse(&fallback, &at)?
        {
            for entry in fallback.manifests {
                self.add(&mut found, entry);
            }
        }
        Ok(found)
    }

    fn add(&self, found: &mut Referrers, entry: Descriptor) {
        if found.manifests.iter().any(|seen| seen.digest == entry.digest) {
            return;
        }
        if found.manifests.len() >= self.limits.max_referrers {
            found.truncated = true;
        } else {
            found.manifests.push(entry);
        }
    }

    /// What an entry of `index.json` is about. An entry whose manifest is not there, or is something else, is about nothing.
    fn subject_of(&self, entry: &Descriptor, at: &At) -> Result<Option<Digest>, StoreError> {
        if !media_type::MANIFESTS.contains(&entry.media_type.as_str()) {
            return Ok(None);
        }
        match self.described_manifest(entry, at) {
            Ok(content) => {
                // It may be the evidence of any image here, so it is the error of all, and told by its own name.
                let at = At::new(Operation::FetchManifest, &entry.digest);
                let manifest = self.parse(&content, &at)?;
                Ok(manifest.subject().map(|subject| subject.digest.clone()))
            }
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn parse(&self, content: &Content, at: &At) -> Result<Manifest, StoreError> {
        let manifest =
            |source: ManifestError| StoreError::Manifest { at: at.clone(), source: Box::new(source) };
        Manifest::parse(content, &self.limits.documents).map_err(manifest)
    }

    fn document(&self, path: &str, at: &At) -> Result<Option<Vec<u8>>, StoreError> {
        let limit = self.limits.max_layout_document_bytes;
        match self.files.open(path).and_then(|opened| opened.read(limit)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(FileError::Absent) => Ok(None),
            Err(error) => Err(self.failed(at, path, error)),
        }
    }

    fn small_blob(&self, digest: &Digest, limit: u64, at: &At) -> Result<Vec<u8>, StoreError> {
        let opened = self.open(digest, at)?;
        opened.read(limit).map_err(|error| self.failed(at, &blob_path(digest), error))
    }

    fn open(&self, digest: &Digest, at: &At) -> Result<Opened, StoreError> {
        let path = blob_path(digest);
        self.files.open(&path).map_err(|error| self.failed(at, &path, error))
    }

    fn fault(&self, at: &At, path: &str, fault: LayoutFault) -> StoreError {
        StoreError::InvalidLayout { at: at.clone(), path: self.shown(path), fault }
    }

    pub(super) fn failed(&self, at: &At, path: &str, error: FileError) -> StoreError {
        let at = at.clone();
        match error {
            FileError::Absent => StoreError::NotFound { at },
            FileError::Fault(fault) => StoreError::InvalidLayout { at, path: self.shown(path), fault },
            FileError::TooLarge { size, limit } => StoreError::TooLarge { at, size, limit },
            FileError::Io(source) => StoreError::Io { at, path: self.shown(path), source },
        }
    }

    fn shown(&self, path: &str) -> PathBuf {
        self.files.root().join(path)
    }
}

/// Only the digest's own characters, which are hexadecimal: no path gets in here.
pub(super) fn blob_path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm().name(), digest.hex())
}

fn check(descriptor: Descriptor, bytes: Vec<u8>, at: &At) -> Result<Content, StoreError> {
    Content::check(descriptor, bytes)
        .map_err(|source| StoreError::Corrupt { at: at.clone(), source: Box::new(source) })
}

fn wrong_size(blob: &Descriptor, found: u64, at: &At) -> StoreError {
    let source = ContentError::Size { digest: blob.digest.clone(), found, wanted: blob.size };
    StoreError::Corrupt { at: at.clone(), source: Box::new(source) }
}

/// The one image that all candidates are.
fn one_of<'a>(candidates: &[&'a Descriptor], at: &At) -> Result<&'a Descriptor, StoreError> {
    const MAX_SHOWN: usize = 20;
    let Some(first) = candidates.first() else {
        return Err(StoreError::NotFound { at: at.clone() });
    };
    if candidates.iter().all(|other| other.digest == first.digest) {
        return Ok(first);
    }
    let shown = candidates.iter().take(MAX_SHOWN);
    let found =
        shown.map(|entry| ref_name(entry).map_or_else(|| entry.digest.to_string(), str::to_owned)).collect();
    Err(StoreError::Ambiguous { at: at.clone(), found })
}
