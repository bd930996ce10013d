//! The image of the story: the one that is shipped, a copy of it, and a copy that somebody tampered with.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::Value;
use touchmark_oci::{Content, ImageName, ImageRef, Limits, Manifest, PinnedRef};
use touchmark_registry::{ImageStore as _, copy_image, push_artifact};
use touchmark_sigstore::storage::{find_layers, store_bundle};

use crate::context::Context;
use crate::failure::Mistake;
use crate::keys::limits;
use crate::platform::find_manifest;

/// Where the repository keeps the image.
const SHIPPED: &str = "testdata/images/quickstart";

/// The image that the repository ships: found from the working directory, or from where the program was built.
pub(super) fn shipped() -> anyhow::Result<ImageRef> {
    let program = std::env::current_exe().unwrap_or_default();
    let places = std::iter::once(Path::new("")).chain(program.ancestors().skip(1));
    let found: Option<PathBuf> =
        places.map(|place| place.join(SHIPPED)).find(|layout| layout.join("oci-layout").is_file());
    let layout = found.ok_or_else(|| {
        Mistake::new(
            format!("the image that touchmark ships is not here: {SHIPPED}"),
            "run it in a checkout of touchmark, or give --image IMAGE",
        )
    })?;
    let reference = format!("oci:{}:app", layout.display());
    reference.parse().with_context(|| format!("cannot use {reference}"))
}

/// Copies the image into a layout.
pub(super) async fn copy(
    source: &ImageRef,
    target: &ImageRef,
    context: &Context,
) -> anyhow::Result<PinnedRef> {
    let stores = context.stores();
    let pinned = stores.resolve(source).await?;
    copy_image(stores, &pinned, stores, target.name(), target.tag(), stores.limits()).await?;
    Ok(target.name().pin(pinned.digest().clone()))
}

/// Copies the image, changes the copy, and attaches the original's evidence to it: what somebody does who can push and
/// cannot sign.
pub(super) async fn tamper(
    image: &PinnedRef,
    target: &ImageRef,
    context: &Context,
) -> anyhow::Result<PinnedRef> {
    let stores = context.stores();
    copy_image(stores, image, stores, target.name(), None, stores.limits()).await?;
    let changed = change(image, target.name(), context).await?;
    stores.push_manifest(target.name(), &changed, target.tag()).await?;
    for referrer in stores.referrers(image).await?.manifests {
        attach_copy(&image.name().pin(referrer.digest), target.name(), &changed, context).await?;
    }
    Ok(target.name().pin(changed.digest().clone()))
}

/// A manifest like the image's, or like the one for this machine of an index, that runs as root.
async fn change(image: &PinnedRef, target: &ImageName, context: &Context) -> anyhow::Result<Content> {
    let (_, mut manifest) = find_manifest(image, None, context).await?;
    let limit = Limits::default().max_config_bytes;
    let config = context.stores().fetch_blob(image.name(), &manifest.config, limit).await?;
    let mut document: Value =
        serde_json::from_slice(config.bytes()).context("cannot read the image's configuration")?;
    let Some(members) = document.as_object_mut() else { bail!("the image's configuration is no object") };
    let run = members.entry("config").or_insert_with(|| Value::Object(serde_json::Map::new()));
    if let Some(run) = run.as_object_mut() {
        run.insert("User".to_owned(), Value::from("0:0"));
        run.insert("Env".to_owned(), Value::from(vec!["TAMPERED=yes"]));
    }
    let changed = Content::new(manifest.config.media_type.clone(), serde_json::to_vec(&document)?);
    context.stores().push_blob(target, &changed).await?;
    manifest.config = changed.descriptor().clone();
    Ok(manifest.to_content())
}

/// Attaches the bundles of a referrer to another manifest. Their bytes stay as they are.
async fn attach_copy(
    referrer: &PinnedRef,
    target: &ImageName,
    subject: &Content,
    context: &Context,
) -> anyhow::Result<()> {
    let stores = context.stores();
    let content = stores.fetch_manifest(referrer).await?;
    let Manifest::Image(manifest) = Manifest::parse(&content, &Limits::default())? else {
        return Ok(());
    };
    for layer in find_layers(&manifest, &limits()).layers {
        let bundle =
            stores.fetch_blob(referrer.name(), &layer.descriptor, limits().max_bundle_bytes as u64).await?;
        let stored = store_bundle(bundle.into_bytes(), subject.descriptor(), None, &limits())?;
        push_artifact(stores, target, &stored.manifest, &stored.blobs).await?;
    }
    Ok(())
}
