//! What an SBOM is made of: an image, streamed from its store, a directory on this machine, or another SBOM.

use std::fmt;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, bail};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio_util::io::SyncIoBridge;
use touchmark_oci::{
    Descriptor, Digest, ImageConfig, ImageManifest, ImageRef, Limits, Manifest, PinnedRef, Platform,
    media_type,
};
use touchmark_registry::ImageStore as _;
use touchmark_sbom::{
    Compression, DirectoryEntry, DirectoryEntryKind, ImageSubject, Inventory, LayerScan, Subject,
    scan_directory, scan_layer,
};

use crate::context::Context;
use crate::failure::Mistake;

/// Layers scanned at the same time: as many as small CI machines have cores.
const CONCURRENT_LAYERS: usize = 2;

/// What to list the packages of.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// An image.
    Image(ImageRef),
    /// A directory.
    Directory(PathBuf),
    /// A document.
    Sbom(PathBuf),
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("dir", "")) => Err("dir: names no directory".to_owned()),
            Some(("dir", path)) => Ok(Self::Directory(path.into())),
            Some(("sbom", "")) => Err("sbom: names no file".to_owned()),
            Some(("sbom", path)) => Ok(Self::Sbom(path.into())),
            _ => text
                .parse()
                .map(Self::Image)
                .map_err(|error: touchmark_oci::ReferenceError| error.to_string()),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(image) => write!(f, "{image}"),
            Self::Directory(path) => write!(f, "dir:{}", path.display()),
            Self::Sbom(path) => write!(f, "sbom:{}", path.display()),
        }
    }
}

/// Takes inventory of the source.
pub(crate) async fn scan(
    source: &Source,
    platform: Option<&Platform>,
    context: &Context,
) -> anyhow::Result<Inventory> {
    match source {
        Source::Image(image) => {
            let pinned = context.stores().resolve(image).await?;
            scan_image(&pinned, platform, context).await
        }
        Source::Directory(path) => {
            let path = path.clone();
            tokio::task::spawn_blocking(move || scan_tree(&path)).await?
        }
        Source::Sbom(path) => Err(Mistake::new(
            format!("{} is an SBOM, which cannot be scanned", path.display()),
            "an image or dir:PATH can be",
        )
        .into()),
    }
}

/// Takes inventory of an image: of an index, the manifest for `platform`.
pub(crate) async fn scan_image(
    image: &PinnedRef,
    platform: Option<&Platform>,
    context: &Context,
) -> anyhow::Result<Inventory> {
    let (image, manifest) = find_manifest(image, platform, context).await?;
    let limits = Limits::default();
    let config = context.stores().fetch_blob(image.name(), &manifest.config, limits.max_config_bytes).await?;
    let config =
        ImageConfig::parse(config.bytes(), &limits).with_context(|| format!("cannot scan {image}"))?;
    let (layers, diff_ids) = (manifest.layers.len(), config.rootfs.diff_ids.len());
    if layers != diff_ids {
        bail!("cannot scan {image}: it has {layers} layers, and its configuration says {diff_ids}");
    }
    let layers = manifest.layers.into_iter().zip(config.rootfs.diff_ids.clone());
    let scans: Vec<LayerScan> = stream::iter(layers)
        .map(|(layer, diff_id)| scan_one(context, &image, layer, diff_id))
        .buffered(CONCURRENT_LAYERS)
        .try_collect()
        .await?;
    let subject =
        ImageSubject::new(image.name(), image.digest().clone()).with_created(config.created.clone());
    let subject = match config.architecture.is_empty() {
        true => subject,
        false => subject.with_platform(&Platform {
            architecture: config.architecture,
            os: config.os,
            variant: None,
        }),
    };
    Ok(Inventory::from_layers(Subject::Image(subject), scans, &touchmark_sbom::Limits::default()))
}

/// A layer that is no file system is left out, and the inventory says so. A layer that is one and cannot be read is an error.
async fn scan_one(
    context: &Context,
    image: &PinnedRef,
    layer: Descriptor,
    diff_id: Digest,
) -> anyhow::Result<LayerScan> {
    let Some(compression) = Compression::of_media_type(&layer.media_type) else {
        return Ok(LayerScan::not_scanned(Some(diff_id)));
    };
    let blob = context.stores().open_blob(image.name(), &layer).await?;
    let reader = SyncIoBridge::new(blob);
    let scan = tokio::task::spawn_blocking(move || {
        scan_layer(reader, compression, Some(&diff_id), &touchmark_sbom::Limits::default())
    });
    scan.await?.with_context(|| format!("cannot scan layer {} of {image}", layer.digest))
}

/// Follows indexes to an image manifest for the platform.
pub(crate) async fn find_manifest(
    image: &PinnedRef,
    platform: Option<&Platform>,
    context: &Context,
) -> anyhow::Result<(PinnedRef, ImageManifest)> {
    let limits = Limits::default();
    let mut image = image.clone();
    for _ in 0..=limits.max_index_depth {
        let content = context.stores().fetch_manifest(&image).await?;
        let manifest = Manifest::parse(&content, &limits)
            .with_context(|| format!("cannot read the manifest of {image}"))?;
        match manifest {
            Manifest::Image(manifest) => return Ok((image, manifest)),
            Manifest::Index(index) => {
                let entry = choose(&index.manifests, platform)
                    .with_context(|| format!("cannot choose from {image}"))?;
                image = image.name().pin(entry.digest.clone());
            }
        }
    }
    bail!("indexes under {image} are nested deeper than {}", limits.max_index_depth)
}

/// The entry for the platform. An index with one entry has no choice to make.
fn choose<'a>(entries: &'a [Descriptor], platform: Option<&Platform>) -> anyhow::Result<&'a Descriptor> {
    let runnable: Vec<&Descriptor> = entries.iter().filter(|entry| is_runnable(entry)).collect();
    if let (&[only], None) = (runnable.as_slice(), platform) {
        return Ok(only);
    }
    let wanted = platform.cloned().unwrap_or_else(this_machine);
    let found =
        runnable.iter().find(|entry| entry.platform.as_ref().is_some_and(|found| fits(found, &wanted)));
    let known: Vec<String> =
        runnable.iter().filter_map(|entry| entry.platform.as_ref()).map(Platform::to_string).collect();
    found.copied().ok_or_else(|| {
        Mistake::new(
            format!("no manifest is for {wanted}; found {}", known.join(", ")),
            "--platform OS/ARCHITECTURE chooses one of them",
        )
        .into()
    })
}

/// BuildKit keeps attestations in entries for `unknown/unknown`.
fn is_runnable(entry: &Descriptor) -> bool {
    let unknown = entry.platform.as_ref().is_some_and(|platform| platform.os == "unknown");
    !unknown && (media_type::is_index(&entry.media_type) || media_type::is_image_manifest(&entry.media_type))
}

fn fits(found: &Platform, wanted: &Platform) -> bool {
    found.os == wanted.os
        && found.architecture == wanted.architecture
        && (wanted.variant.is_none() || wanted.variant == found.variant)
}

/// This machine, in Go's words.
fn this_machine() -> Platform {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    };
    Platform { architecture: architecture.to_owned(), os: "linux".to_owned(), variant: None }
}

/// Reads `OS/ARCHITECTURE[/VARIANT]`.
pub(crate) fn parse_platform(text: &str) -> Result<Platform, String> {
    let mut parts = text.split('/').map(str::to_owned);
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(os), Some(architecture), variant, None) if !os.is_empty() && !architecture.is_empty() => {
            Ok(Platform { architecture, os, variant })
        }
        _ => Err(format!("{text:?} is not a platform, expected such as linux/arm64")),
    }
}

fn scan_tree(root: &Path) -> anyhow::Result<Inventory> {
    let failed = || format!("cannot scan the directory {}", root.display());
    let root = root.canonicalize().with_context(failed)?;
    if !root.is_dir() {
        return Err(Mistake::new(
            format!("{} is not a directory", root.display()),
            "dir:PATH names a directory",
        )
        .into());
    }
    let limits = touchmark_sbom::Limits::default();
    let scan = scan_directory(Walk::new(&root), &limits).with_context(failed)?;
    let name = root.file_name().map_or_else(|| "/".to_owned(), |name| name.to_string_lossy().into_owned());
    Ok(Inventory::from_directory(Subject::Directory { name }, scan, &limits))
}

/// Walks a directory tree in the order of names, parents first. Symbolic links are told and never followed.
struct Walk {
    root: PathBuf,
    pending: Vec<PathBuf>,
}

impl Walk {
    fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), pending: vec![root.to_owned()] }
    }

    /// Puts the entries of a directory first in line.
    fn enter(&mut self, directory: &Path) -> std::io::Result<()> {
        let mut entries = fs::read_dir(directory)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<_>, _>>()?;
        entries.sort_unstable_by(|a, b| b.cmp(a));
        self.pending.extend(entries);
        Ok(())
    }

    fn kind(&mut self, path: &Path) -> std::io::Result<DirectoryEntryKind<'static>> {
        let metadata = fs::symlink_metadata(path)?;
        let kind = metadata.file_type();
        if kind.is_dir() {
            self.enter(path)?;
            return Ok(DirectoryEntryKind::Directory);
        }
        if kind.is_symlink() {
            let target = fs::read_link(path)?.to_string_lossy().into_owned();
            return Ok(DirectoryEntryKind::Symlink { target });
        }
        if !kind.is_file() {
            return Ok(DirectoryEntryKind::Other);
        }
        let path = path.to_owned();
        let seen = (metadata.dev(), metadata.ino());
        let open = Box::new(move || open_seen(&path, seen).map(|file| Box::new(file) as Box<_>));
        Ok(DirectoryEntryKind::File { size: metadata.len(), open })
    }
}

/// Opens the file that was looked at before. A link that somebody put in its place since leads elsewhere, perhaps out of the tree.
fn open_seen(path: &Path, seen: (u64, u64)) -> std::io::Result<File> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if (metadata.dev(), metadata.ino()) != seen {
        return Err(std::io::Error::other("file was replaced while it was looked at"));
    }
    Ok(file)
}

impl Iterator for Walk {
    type Item = DirectoryEntry<'static>;

    fn next(&mut self) -> Option<Self::Item> {
        let path = self.pending.pop()?;
        let kind = self.kind(&path).unwrap_or(DirectoryEntryKind::Unreadable);
        let relative = path.strip_prefix(&self.root).unwrap_or(&path);
        Some(DirectoryEntry { path: relative.to_string_lossy().into_owned(), kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(platform: &str) -> Descriptor {
        let mut entry = Descriptor::of(media_type::OCI_MANIFEST, platform.as_bytes());
        entry.platform = Some(parse_platform(platform).unwrap());
        entry
    }

    #[test]
    fn the_platform_chooses_from_an_index() {
        let entries = [entry("linux/amd64"), entry("linux/arm64/v8"), entry("unknown/unknown")];
        let wanted = parse_platform("linux/arm64").unwrap();
        assert_eq!(choose(&entries, Some(&wanted)).unwrap(), &entries[1]);
        let absent = parse_platform("windows/amd64").unwrap();
        assert!(choose(&entries, Some(&absent)).unwrap_err().is::<Mistake>());
        assert_eq!(choose(&entries[1..], None).unwrap(), &entries[1]);
    }

    #[test]
    fn a_walk_tells_links_and_does_not_follow_them() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("b")).unwrap();
        fs::write(directory.path().join("b/f"), "x").unwrap();
        std::os::unix::fs::symlink("/etc", directory.path().join("a")).unwrap();
        let paths: Vec<String> = Walk::new(directory.path()).map(|entry| entry.path).collect();
        assert_eq!(paths, ["", "a", "b", "b/f"]);
    }

    #[test]
    fn a_file_that_is_replaced_by_a_link_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let (path, other) = (directory.path().join("f"), directory.path().join("other"));
        fs::write(&path, "mine").unwrap();
        fs::write(&other, "theirs").unwrap();
        let metadata = fs::symlink_metadata(&path).unwrap();
        let seen = (metadata.dev(), metadata.ino());
        assert!(open_seen(&path, seen).is_ok());
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&other, &path).unwrap();
        assert!(open_seen(&path, seen).is_err());
    }

    #[test]
    fn rejects_what_is_no_source_or_platform() {
        assert!("dir:".parse::<Source>().is_err());
        assert!(parse_platform("linux").is_err());
        assert!(parse_platform("linux/arm/v7/x").is_err());
    }
}
