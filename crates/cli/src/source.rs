//! What an SBOM is made of: an image, streamed from its store, a directory or file on this machine, or another SBOM.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context as _, bail};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::sync::Semaphore;
use touchmark_oci::{Descriptor, Digest, ImageRef, PinnedRef, Platform};
use touchmark_registry::{ImageStore as _, StoreError};
use touchmark_sbom::{
    Assembly, Compression, GapReason, ImageSubject, Inventory, LayerScan, Limits, Subject,
    is_encrypted_layer, is_foreign_layer, scan_layer,
};

use crate::base_image::{Built, fetch_config};
use crate::context::Context;
use crate::failure::Mistake;
use crate::platform::{Chosen, Platforms, find_manifests};
use crate::read_ahead::ReadAhead;
use crate::walk::{scan_file, scan_tree};

/// Layers scanned at the same time, on machines with as many cores. Each takes the memory of its decoder and of what it keeps.
const MOST_CONCURRENT_LAYERS: usize = 4;

/// What to list the packages of.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// An image.
    Image(ImageRef),
    /// A directory.
    Directory(PathBuf),
    /// A file.
    File(PathBuf),
    /// A document.
    Sbom(PathBuf),
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some((kind @ ("dir" | "file"), "")) => Err(format!("{kind}: names nothing")),
            Some(("dir", path)) => Ok(Self::Directory(path.into())),
            Some(("file", path)) => Ok(Self::File(path.into())),
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
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Sbom(path) => write!(f, "sbom:{}", path.display()),
        }
    }
}

/// An inventory, and of an image what to attach evidence about it to.
pub(crate) struct Scanned {
    pub(crate) inventory: Inventory,
    pub(crate) image: Option<PinnedRef>,
    /// The platform in the words of a file's name, such as `linux-arm64`; `any` where there is none.
    pub(crate) platform: String,
}

/// Takes inventory of the source: of an index, of the manifest for each platform that is meant.
pub(crate) async fn scan(
    source: &Source,
    platforms: &Platforms,
    base: Option<&ImageRef>,
    context: &Context,
) -> anyhow::Result<Vec<Scanned>> {
    let local = |inventory| vec![Scanned { inventory, image: None, platform: "any".to_owned() }];
    match source {
        Source::Image(image) => {
            let pinned = context.stores().resolve(image).await?;
            let mut scanned = Vec::new();
            for chosen in find_manifests(&pinned, platforms, context).await? {
                scanned.push(scan_manifest(chosen, base, context).await?);
            }
            if scanned.is_empty() {
                bail!("there is no image in {pinned}");
            }
            Ok(scanned)
        }
        _ if base.is_some() || *platforms != Platforms::Own => Err(Mistake::new(
            format!("{source} is no image, and has neither platforms nor a base"),
            "--platform and --base are for images",
        )
        .into()),
        Source::Directory(path) => {
            let path = path.clone();
            Ok(local(tokio::task::spawn_blocking(move || scan_tree(&path)).await??))
        }
        Source::File(path) => {
            let path = path.clone();
            Ok(local(tokio::task::spawn_blocking(move || scan_file(&path)).await??))
        }
        Source::Sbom(path) => Err(Mistake::new(
            format!("{} is an SBOM, which cannot be scanned", path.display()),
            "an image or dir:PATH can be",
        )
        .into()),
    }
}

/// Takes inventory of an image: of an index, of the manifest for this machine.
pub(crate) async fn scan_image(image: &PinnedRef, context: &Context) -> anyhow::Result<Inventory> {
    let mut chosen = find_manifests(image, &Platforms::Own, context).await?;
    match chosen.pop() {
        Some(chosen) => Ok(scan_manifest(chosen, None, context).await?.inventory),
        None => bail!("there is no image in {image}"),
    }
}

async fn scan_manifest(
    chosen: Chosen,
    base: Option<&ImageRef>,
    context: &Context,
) -> anyhow::Result<Scanned> {
    let Chosen { image, manifest, platform } = chosen;
    let config = fetch_config(&image, &manifest, context).await?;
    let (layers, diff_ids) = (manifest.layers.len(), config.rootfs.diff_ids.len());
    if layers != diff_ids {
        bail!("cannot scan {image}: it has {layers} layers, and its configuration says {diff_ids}");
    }
    let built = Built { image: &image, manifest: &manifest, config: &config };
    let base = match base {
        Some(base) => Some(built.on(base, context).await?),
        None => built.guess(context).await,
    };
    let own = (!config.architecture.is_empty()).then(|| Platform {
        architecture: config.architecture.clone(),
        os: config.os.clone(),
        variant: None,
    });
    let subject =
        ImageSubject::new(image.name(), image.digest().clone()).with_created(config.created.clone());
    let subject = match &own {
        Some(platform) => subject.with_platform(platform),
        None => subject,
    };
    let layers = manifest.layers.into_iter().zip(config.rootfs.diff_ids);
    let assembly = scan_layers(context, &image, layers).await?;
    let inventory = tokio::task::spawn_blocking(move || assembly.finish(Subject::Image(subject))).await?;
    let inventory = match base {
        Some(base) => inventory.with_base(base),
        None => inventory,
    };
    let platform = platform.or(own).map_or_else(|| "any".to_owned(), |platform| file_name(&platform));
    Ok(Scanned { inventory, image: Some(image), platform })
}

/// A platform as a part of a file's name, without what could make it a path.
fn file_name(platform: &Platform) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') { c } else { '-' };
    platform.to_string().chars().map(safe).collect()
}

/// Scans layers side by side, and puts them together in their order as they come in.
async fn scan_layers(
    context: &Context,
    image: &PinnedRef,
    layers: impl Iterator<Item = (Descriptor, Digest)>,
) -> anyhow::Result<Assembly> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let running = cores.min(MOST_CONCURRENT_LAYERS);
    let permits = Semaphore::new(running);
    let scans = stream::iter(layers)
        .map(|(layer, diff_id)| {
            let permits = &permits;
            async move {
                let _permit = permits.acquire().await?;
                scan_one(context, image, layer, diff_id).await
            }
        })
        // Beyond those that run: a large layer must not keep the small ones above it waiting.
        .buffered(2 * running);
    let mut scans = std::pin::pin!(scans);
    let mut assembly = Assembly::new(&Limits::default());
    while let Some(scan) = scans.try_next().await? {
        assembly = tokio::task::spawn_blocking(move || {
            assembly.add(scan);
            assembly
        })
        .await?;
    }
    Ok(assembly)
}

/// A layer that is no file system, or that nobody can read here, is left out, and the inventory says so. A layer that is one and is not
/// what it should be is an error: what is in it is not the image's.
async fn scan_one(
    context: &Context,
    image: &PinnedRef,
    layer: Descriptor,
    diff_id: Digest,
) -> anyhow::Result<LayerScan> {
    if is_encrypted_layer(&layer.media_type) {
        return Ok(LayerScan::unread(Some(diff_id), GapReason::LayerEncrypted));
    }
    let Some(compression) = Compression::of_media_type(&layer.media_type) else {
        return Ok(LayerScan::not_scanned(Some(diff_id)));
    };
    let blob = match context.stores().open_blob(image.name(), &layer).await {
        Err(StoreError::NotFound { .. }) if is_foreign_layer(&layer.media_type) => {
            return Ok(LayerScan::unread(Some(diff_id), GapReason::LayerElsewhere));
        }
        opened => opened?,
    };
    let reader = ReadAhead::new(blob);
    let scan = tokio::task::spawn_blocking(move || {
        scan_layer(reader, compression, Some(&diff_id), &Limits::default())
    });
    scan.await?.with_context(|| format!("cannot scan layer {} of {image}", layer.digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_what_is_no_source() {
        assert!("dir:".parse::<Source>().is_err());
        assert!("file:".parse::<Source>().is_err());
    }

    #[test]
    fn a_platform_in_a_files_name_is_no_path() {
        let platform =
            Platform { os: "../linux".into(), architecture: "arm".into(), variant: Some("v7".into()) };
        assert_eq!(file_name(&platform), "..-linux-arm-v7");
    }
}
