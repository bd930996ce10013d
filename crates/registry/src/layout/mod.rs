//! OCI image layouts: in directories, which are read and written, and in archives, which are read.

mod archive;
mod docker;
mod files;
mod index;
mod reader;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::AsyncReadExt;
use touchmark_oci::{Content, Descriptor, Digest, ImageName, ImageRef, Manifest, PinnedRef, Tag};

pub use archive::{ArchiveMember, index_archive};

use crate::checked::CheckedReader;
use crate::client::{broken, entry_of, fallback_tag, lists_nothing, without_entry};
use crate::{At, BlobReader, ImageStore, Limits, Operation, Referrers, StoreError, TagChange};
use files::{FileError, Files, Opened};
use reader::{Reader, blob_path};

/// An OCI image layout directory.
///
/// Everything is stored as the specification says, referrers in `index.json` without a tag, where `oras` finds them.
/// Reading also follows the fallback tag that other tools write into layouts.
#[derive(Clone)]
pub struct LayoutStore {
    path: PathBuf,
    reader: Arc<Reader>,
}

impl LayoutStore {
    /// A layout at `path`. Nothing is read yet; a layout that is not there is made when something is first pushed.
    pub fn new(path: impl Into<PathBuf>, limits: Limits) -> Self {
        let path = path.into();
        let files = Files::Directory(path.clone());
        Self { path, reader: Arc::new(Reader { files, limits }) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn check_name(&self, name: &ImageName, at: &At) -> Result<(), StoreError> {
        if writer::is_layout(name, &self.path) {
            Ok(())
        } else {
            Err(StoreError::WrongStore { at: at.clone() })
        }
    }

    /// Removes the entries for a manifest.
    async fn remove(&self, manifest: &Digest, at: &At) -> Result<(), StoreError> {
        let (reader, digest, inner) = (Arc::clone(&self.reader), manifest.clone(), at.clone());
        blocking(at, move || {
            let held = reader.lock(&inner)?;
            reader.remove_manifest(&held, &digest, &inner)
        })
        .await
    }

    /// Writes a manifest under the lock that the caller holds, with the entry that `index.json` has for it.
    fn write_manifest(
        reader: &Reader,
        held: &writer::Locked,
        manifest: &Content,
        tag: Option<&Tag>,
        at: &At,
    ) -> Result<(), StoreError> {
        let parsed = Manifest::parse(manifest, &reader.limits.documents)
            .map_err(|source| StoreError::Manifest { at: at.clone(), source: Box::new(source) })?;
        // An image's entry stays bare; one that refers to another says what it is, for those who look for it.
        let entry = match parsed.subject() {
            Some(_) => entry_of(manifest, &parsed),
            None => {
                let bare = manifest.descriptor();
                Descriptor::new(bare.media_type.clone(), bare.digest.clone(), bare.size)
            }
        };
        reader.push_manifest(held, manifest, entry, tag, at)
    }
}

/// A layout in a tar archive, or what `docker save` writes, read only.
///
/// An archive of docker's is shown as a layout: its layers as they are, uncompressed or not, and a manifest made up of
/// them and of the image's configuration. That manifest's digest is the same for the same archive, and has nothing to
/// do with the digest that a registry knows the image by.
#[derive(Clone)]
pub struct ArchiveStore {
    name: ImageName,
    reader: Arc<Reader>,
}

impl ArchiveStore {
    /// Opens an `oci-archive:` or `docker-archive:`, and finds out where in it everything is.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Io`], [`StoreError::InvalidLayout`]; [`StoreError::WrongStore`] for another
    /// kind of name.
    pub async fn open(name: &ImageName, limits: Limits) -> Result<Self, StoreError> {
        let at = At::new(Operation::Open, name);
        let opening = (name.clone(), limits, at.clone());
        let reader = blocking(&at, move || {
            let (name, limits, at) = opening;
            archive::open(&name, limits, &at)
        })
        .await?;
        Ok(Self { name: name.clone(), reader: Arc::new(reader) })
    }

    fn check_name(&self, name: &ImageName, at: &At) -> Result<(), StoreError> {
        if *name == self.name { Ok(()) } else { Err(StoreError::WrongStore { at: at.clone() }) }
    }
}

/// Runs what blocks where it may.
async fn blocking<T: Send + 'static>(
    at: &At,
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => {
            Err(StoreError::Io { at: at.clone(), path: PathBuf::new(), source: std::io::Error::other(error) })
        }
    }
}

/// A checked stream of an opened blob.
fn stream(opened: Opened, blob: &Descriptor) -> BlobReader {
    match opened {
        Opened::Memory(bytes) => Box::pin(CheckedReader::new(std::io::Cursor::new(bytes), blob, None)),
        Opened::File { file, size } => {
            Box::pin(CheckedReader::new(tokio::fs::File::from_std(file).take(size), blob, None))
        }
    }
}

/// The reading half of [`ImageStore`], which layouts and archives share.
macro_rules! reading {
    () => {
        async fn resolve(&self, image: &ImageRef) -> Result<PinnedRef, StoreError> {
            let at = At::new(Operation::Resolve, image);
            self.check_name(image.name(), &at)?;
            let (reader, image) = (Arc::clone(&self.reader), image.clone());
            blocking(&at, move || reader.resolve(&image)).await
        }

        async fn fetch_manifest(&self, image: &PinnedRef) -> Result<Content, StoreError> {
            let at = At::new(Operation::FetchManifest, image);
            self.check_name(image.name(), &at)?;
            let (reader, image) = (Arc::clone(&self.reader), image.clone());
            blocking(&at, move || reader.manifest(&image)).await
        }

        async fn fetch_tag(&self, name: &ImageName, tag: &Tag) -> Result<Option<Content>, StoreError> {
            let at = At::new(Operation::FetchTag, name.tagged(tag.clone()));
            self.check_name(name, &at)?;
            let (reader, tag, inner) = (Arc::clone(&self.reader), tag.clone(), at.clone());
            blocking(&at, move || reader.tag(&tag, &inner)).await
        }

        async fn fetch_blob(
            &self,
            name: &ImageName,
            blob: &Descriptor,
            max_bytes: u64,
        ) -> Result<Content, StoreError> {
            let at = At::new(Operation::FetchBlob, name.pin(blob.digest.clone()));
            self.check_name(name, &at)?;
            let (reader, blob, inner) = (Arc::clone(&self.reader), blob.clone(), at.clone());
            blocking(&at, move || reader.blob(&blob, max_bytes, &inner)).await
        }

        async fn open_blob(&self, name: &ImageName, blob: &Descriptor) -> Result<BlobReader, StoreError> {
            let at = At::new(Operation::FetchBlob, name.pin(blob.digest.clone()));
            self.check_name(name, &at)?;
            let (reader, wanted, inner) = (Arc::clone(&self.reader), blob.clone(), at.clone());
            let opened = blocking(&at, move || reader.open_blob(&wanted, &inner)).await?;
            Ok(stream(opened, blob))
        }

        async fn referrers(&self, subject: &PinnedRef) -> Result<Referrers, StoreError> {
            let at = At::new(Operation::ListReferrers, subject);
            self.check_name(subject.name(), &at)?;
            let (reader, subject) = (Arc::clone(&self.reader), subject.clone());
            blocking(&at, move || reader.referrers(&subject)).await
        }
    };
}

impl ImageStore for LayoutStore {
    reading!();

    async fn push_blob(&self, name: &ImageName, blob: &Content) -> Result<(), StoreError> {
        let at = At::new(Operation::PushBlob, name.pin(blob.digest().clone()));
        self.check_name(name, &at)?;
        let (reader, blob, inner) = (Arc::clone(&self.reader), blob.clone(), at.clone());
        blocking(&at, move || reader.push_blob(&blob, &inner)).await
    }

    async fn push_blob_stream(
        &self,
        name: &ImageName,
        blob: &Descriptor,
        bytes: BlobReader,
    ) -> Result<(), StoreError> {
        let at = At::new(Operation::PushBlob, name.pin(blob.digest.clone()));
        self.check_name(name, &at)?;
        let path = blob_path(&blob.digest);
        let (reader, wanted, inner, staged_path) =
            (Arc::clone(&self.reader), blob.clone(), at.clone(), path.clone());
        let staged = blocking(&at, move || {
            reader.create(&inner)?;
            let present = reader.has_blob(&wanted, &inner)?;
            if present { Ok(None) } else { reader.stage(&staged_path, &inner).map(Some) }
        })
        .await?;
        let Some(staged) = staged else { return Ok(()) };
        let io = |error| self.reader.failed(&at, &path, FileError::Io(error));
        let mut file = tokio::fs::File::from_std(staged.file.try_clone().map_err(io)?);
        let mut checked = CheckedReader::new(bytes, blob, None);
        if let Err(error) = tokio::io::copy(&mut checked, &mut file).await {
            return Err(broken(&at, error));
        }
        tokio::io::AsyncWriteExt::flush(&mut file).await.map_err(io)?;
        let (reader, inner) = (Arc::clone(&self.reader), at.clone());
        blocking(&at, move || {
            staged.commit().map_err(|error| reader.failed(&inner, &path, FileError::Io(error)))
        })
        .await
    }

    async fn push_manifest(
        &self,
        name: &ImageName,
        manifest: &Content,
        tag: Option<&Tag>,
    ) -> Result<(), StoreError> {
        let at = At::new(Operation::PushManifest, name.pin(manifest.digest().clone()));
        self.check_name(name, &at)?;
        let (reader, manifest, tag, inner) =
            (Arc::clone(&self.reader), manifest.clone(), tag.cloned(), at.clone());
        blocking(&at, move || {
            let held = reader.lock(&inner)?;
            Self::write_manifest(&reader, &held, &manifest, tag.as_ref(), &inner)
        })
        .await
    }

    /// Under the lock, so one attempt is enough.
    async fn update_tag(
        &self,
        name: &ImageName,
        tag: &Tag,
        change: &(dyn Fn(Option<&Content>) -> Result<TagChange, StoreError> + Send + Sync),
    ) -> Result<Content, StoreError> {
        let at = At::new(Operation::UpdateTag, name.tagged(tag.clone()));
        self.check_name(name, &at)?;
        let (reader, wanted, inner) = (Arc::clone(&self.reader), tag.clone(), at.clone());
        let (held, before) = blocking(&at, move || {
            let held = reader.lock(&inner)?;
            let before = reader.tag(&wanted, &inner)?;
            Ok((held, before))
        })
        .await?;
        let TagChange { manifest, blobs } = change(before.as_ref())?;
        if before.as_ref().is_some_and(|before| before.bytes() == manifest.bytes()) {
            return Ok(manifest);
        }
        let (reader, tag, inner) = (Arc::clone(&self.reader), tag.clone(), at.clone());
        blocking(&at, move || {
            // Before the blobs, which would wait for the lock to make the layout.
            reader.create_locked(&held, &inner)?;
            for blob in &blobs {
                reader.push_blob(blob, &inner)?;
            }
            Self::write_manifest(&reader, &held, &manifest, Some(&tag), &inner)?;
            Ok(manifest)
        })
        .await
    }

    /// Its entries, and those in a fallback index that another tool wrote, go; its file stays like all blobs.
    async fn delete_manifest(
        &self,
        manifest: &PinnedRef,
        subject: Option<&Digest>,
    ) -> Result<(), StoreError> {
        let at = At::new(Operation::Delete, manifest);
        self.check_name(manifest.name(), &at)?;
        self.remove(manifest.digest(), &at).await?;
        let Some(subject) = subject else { return Ok(()) };
        let tag = fallback_tag(subject, &at)?;
        let Some(index) = self.fetch_tag(manifest.name(), &tag).await? else { return Ok(()) };
        if lists_nothing(&without_entry(Some(&index), manifest.digest(), &at)?.manifest, &at)? {
            return self.remove(index.digest(), &at).await;
        }
        let change = |index: Option<&Content>| without_entry(index, manifest.digest(), &at);
        self.update_tag(manifest.name(), &tag, &change).await.map(|_| ())
    }
}

impl ImageStore for ArchiveStore {
    reading!();

    async fn push_blob(&self, name: &ImageName, _: &Content) -> Result<(), StoreError> {
        Err(StoreError::ReadOnly { at: At::new(Operation::PushBlob, name) })
    }

    async fn push_blob_stream(
        &self,
        name: &ImageName,
        _: &Descriptor,
        _: BlobReader,
    ) -> Result<(), StoreError> {
        Err(StoreError::ReadOnly { at: At::new(Operation::PushBlob, name) })
    }

    async fn push_manifest(&self, name: &ImageName, _: &Content, _: Option<&Tag>) -> Result<(), StoreError> {
        Err(StoreError::ReadOnly { at: At::new(Operation::PushManifest, name) })
    }

    async fn update_tag(
        &self,
        name: &ImageName,
        tag: &Tag,
        _: &(dyn Fn(Option<&Content>) -> Result<TagChange, StoreError> + Send + Sync),
    ) -> Result<Content, StoreError> {
        Err(StoreError::ReadOnly { at: At::new(Operation::UpdateTag, name.tagged(tag.clone())) })
    }

    async fn delete_manifest(&self, manifest: &PinnedRef, _: Option<&Digest>) -> Result<(), StoreError> {
        Err(StoreError::ReadOnly { at: At::new(Operation::Delete, manifest) })
    }
}
