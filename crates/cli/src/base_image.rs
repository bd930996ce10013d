//! Which image another was built on: as the user says, as the manifest's annotations say, or by the marks in its history.

use anyhow::Context as _;
use touchmark_oci::{Digest, ImageConfig, ImageManifest, ImageRef, Limits, PinnedRef, Platform};
use touchmark_registry::ImageStore as _;
use touchmark_sbom::{BaseEvidence, BaseImage, ImageSubject};

use crate::context::Context;
use crate::failure::Mistake;
use crate::platform::find_manifest;

/// An image, with what says how it was built.
pub(crate) struct Built<'a> {
    pub(crate) image: &'a PinnedRef,
    pub(crate) manifest: &'a ImageManifest,
    pub(crate) config: &'a ImageConfig,
}

impl Built<'_> {
    /// The base that the user names, whose layers must be the lowest of this image.
    pub(crate) async fn on(&self, base: &ImageRef, context: &Context) -> anyhow::Result<BaseImage> {
        let unusable = || format!("cannot use the base image {base}");
        let pinned = context.stores().resolve(base).await.with_context(unusable)?;
        let layers = self.layers_of(&pinned, context).await.with_context(unusable)?;
        let found = BaseImage::below(&layers, &self.config.rootfs.diff_ids, BaseEvidence::Layers);
        let found = found.ok_or_else(|| {
            Mistake::new(
                format!("{base} is not the base of {}", self.image),
                "its layers must be the lowest ones; an image that was built on an older version of it needs that version",
            )
        })?;
        let name = ImageSubject::new(pinned.name(), pinned.digest().clone()).name;
        Ok(found.named(Some(name), Some(pinned.digest().clone())))
    }

    /// The base by annotations, and else by the history. A claim of who built the image, both of them.
    pub(crate) async fn guess(&self, context: &Context) -> Option<BaseImage> {
        let annotation = |name: &str| self.manifest.annotations.get(name).cloned();
        let name = annotation(BASE_NAME).filter(|name| !name.is_empty());
        let digest: Option<Digest> = annotation(BASE_DIGEST).and_then(|text| text.parse().ok());
        let by_history =
            || BaseImage::by_build_history(&self.config.history, self.config.rootfs.diff_ids.len());
        if name.is_none() && digest.is_none() {
            return by_history();
        }
        let by_annotations = match &digest {
            Some(digest) => self.annotated(name.as_deref(), digest, context).await,
            None => None,
        };
        let known = by_annotations.or_else(by_history);
        Some(match known {
            Some(base) => base.named(name, digest),
            None => BaseImage::named_only(name, digest),
        })
    }

    /// The annotated base, if it is where the image is: nobody else is asked for it.
    async fn annotated(&self, name: Option<&str>, digest: &Digest, context: &Context) -> Option<BaseImage> {
        let named = name.and_then(|name| name.parse::<ImageRef>().ok());
        let base = match (self.image.name().registry(), named) {
            (None, _) | (_, None) => self.image.name().pin(digest.clone()),
            (here, Some(named)) if named.name().registry() == here => named.name().pin(digest.clone()),
            _ => return None,
        };
        // A base that was removed or may not be read is no reason to fail.
        let layers = self.layers_of(&base, context).await.ok()?;
        BaseImage::below(&layers, &self.config.rootfs.diff_ids, BaseEvidence::Annotations)
    }

    async fn layers_of(&self, base: &PinnedRef, context: &Context) -> anyhow::Result<Vec<Digest>> {
        let platform = Platform {
            architecture: self.config.architecture.clone(),
            os: self.config.os.clone(),
            variant: None,
        };
        let (base, manifest) = find_manifest(base, Some(&platform), context).await?;
        Ok(fetch_config(&base, &manifest, context).await?.rootfs.diff_ids)
    }
}

/// An image's configuration.
pub(crate) async fn fetch_config(
    image: &PinnedRef,
    manifest: &ImageManifest,
    context: &Context,
) -> anyhow::Result<ImageConfig> {
    let limits = Limits::default();
    let config = context.stores().fetch_blob(image.name(), &manifest.config, limits.max_config_bytes).await?;
    ImageConfig::parse(config.bytes(), &limits)
        .with_context(|| format!("cannot read the configuration of {image}"))
}

/// [image-spec 1.1, annotations.md](https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md#pre-defined-annotation-keys).
const BASE_NAME: &str = "org.opencontainers.image.base.name";
const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";
