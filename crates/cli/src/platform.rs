//! Platforms: which manifests of an index are for which.

use anyhow::{Context as _, bail};
use touchmark_oci::{Descriptor, Digest, ImageManifest, Limits, Manifest, PinnedRef, Platform, media_type};
use touchmark_registry::ImageStore as _;

use crate::context::Context;
use crate::failure::Mistake;

/// Which manifests of an index are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Platforms {
    /// This machine's, or the only one.
    Own,
    /// That for one platform.
    One(Platform),
    /// Each that is an image.
    All,
}

impl Platforms {
    /// What one flag said.
    pub(crate) fn from_flag(flag: Option<&PlatformFlag>) -> Self {
        match flag {
            None => Self::Own,
            Some(PlatformFlag::One(platform)) => Self::One(platform.clone()),
            Some(PlatformFlag::All) => Self::All,
        }
    }
}

/// The value of `--platform`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PlatformFlag {
    One(Platform),
    All,
}

/// Reads `OS/ARCHITECTURE[/VARIANT]`, or `all`.
pub(crate) fn parse_platforms(text: &str) -> Result<PlatformFlag, String> {
    if text == "all" { Ok(PlatformFlag::All) } else { parse_platform(text).map(PlatformFlag::One) }
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

/// An image manifest, and the platform that the index says it is for.
pub(crate) struct Chosen {
    pub(crate) image: PinnedRef,
    pub(crate) manifest: ImageManifest,
    pub(crate) platform: Option<Platform>,
}

/// The manifests for these platforms, in the order of the index, each once.
pub(crate) async fn find_manifests(
    image: &PinnedRef,
    platforms: &Platforms,
    context: &Context,
) -> anyhow::Result<Vec<Chosen>> {
    let platform = match platforms {
        Platforms::Own => None,
        Platforms::One(platform) => Some(platform),
        Platforms::All => return all_manifests(image, context).await,
    };
    let (image, manifest) = find_manifest(image, platform, context).await?;
    Ok(vec![Chosen { image, manifest, platform: None }])
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
        match fetch(&image, context).await? {
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

/// Each image manifest under an index, to the depth that is read.
async fn all_manifests(image: &PinnedRef, context: &Context) -> anyhow::Result<Vec<Chosen>> {
    let limits = Limits::default();
    let mut found = Vec::new();
    let mut seen: Vec<Digest> = Vec::new();
    let mut open = vec![(image.clone(), None, 0)];
    while let Some((image, platform, depth)) = open.pop() {
        if seen.contains(image.digest()) {
            continue;
        }
        seen.push(image.digest().clone());
        match fetch(&image, context).await? {
            Manifest::Image(manifest) => found.push(Chosen { image, manifest, platform }),
            Manifest::Index(_) if depth == limits.max_index_depth => {
                bail!("indexes under {image} are nested deeper than {}", limits.max_index_depth)
            }
            Manifest::Index(index) => {
                let entries = index.manifests.into_iter().filter(is_runnable).rev();
                open.extend(entries.map(|entry| (image.name().pin(entry.digest), entry.platform, depth + 1)));
            }
        }
    }
    Ok(found)
}

async fn fetch(image: &PinnedRef, context: &Context) -> anyhow::Result<Manifest> {
    let content = context.stores().fetch_manifest(image).await?;
    Manifest::parse(&content, &Limits::default())
        .with_context(|| format!("cannot read the manifest of {image}"))
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
    fn rejects_what_is_no_platform() {
        assert!(parse_platform("linux").is_err());
        assert!(parse_platform("linux/arm/v7/x").is_err());
        assert!(parse_platforms("every").is_err());
        assert_eq!(parse_platforms("all"), Ok(PlatformFlag::All));
    }
}
