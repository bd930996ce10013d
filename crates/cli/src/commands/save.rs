//! `touchmark save IMAGE --dir DIR` and `touchmark load IMAGE --dir DIR`: through an OCI layout, with the evidence inside.

use std::path::{Path, PathBuf};

use clap::Args;
use touchmark_oci::{ImageName, ImageRef, PinnedRef};
use touchmark_registry::{ImageStore as _, StoreError};

use crate::arguments::ReportFormat;
use crate::context::Context;
use crate::failure::Mistake;
use crate::outcome::Outcome;
use crate::transfer::{Only, transfer};

/// Arguments of `save`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  touchmark save ghcr.io/acme/app:1.4 --dir app
  touchmark save --only signatures,attestations ghcr.io/acme/app:1.4 --dir app
  touchmark verify --key release.pub oci:app

The directory is an OCI image layout: referrers with their subject, legacy tags under their names.")]
pub(crate) struct SaveArgs {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: ImageRef,
    /// The layout; made where there is none, added to where there is one
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Save only this evidence with the image, and what refers to that
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    only: Vec<Only>,
    /// How to write what was saved
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: ReportFormat,
}

/// Arguments of `load`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  touchmark load registry.example/prod/app:1.4 --dir app

Of a layout with several images, the one with IMAGE's digest or tag is loaded.")]
pub(crate) struct LoadArgs {
    /// Where to
    #[arg(value_name = "IMAGE")]
    image: ImageRef,
    /// The layout
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Load only this evidence with the image, and what refers to that
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    only: Vec<Only>,
    /// How to write what was loaded
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: ReportFormat,
}

/// Saves the image, by its tag if it has one.
pub(crate) async fn save(args: SaveArgs, context: &Context) -> anyhow::Result<Outcome> {
    let image = context.stores().resolve(&args.image).await?;
    let layout = layout(&args.dir)?;
    transfer(context, &image, &layout, args.image.tag(), &args.only, args.output).await
}

/// Loads the image, blobs before the manifests that name them.
pub(crate) async fn load(args: LoadArgs, context: &Context) -> anyhow::Result<Outcome> {
    let image = saved(&args, context).await?;
    transfer(context, &image, args.image.name(), args.image.tag(), &args.only, args.output).await
}

/// The image in the layout that is meant.
async fn saved(args: &LoadArgs, context: &Context) -> Result<PinnedRef, anyhow::Error> {
    let layout = layout(&args.dir)?;
    if let Some(digest) = args.image.digest() {
        return Ok(layout.pin(digest.clone()));
    }
    if let Some(tag) = args.image.tag() {
        match context.stores().resolve(&layout.tagged(tag.clone())).await {
            Err(StoreError::NotFound { .. }) => {}
            found => return Ok(found?),
        }
    }
    // Without a tag: the only image.
    let any: ImageRef = format!("oci:{}", args.dir.display()).parse()?;
    Ok(context.stores().resolve(&any).await?)
}

fn layout(dir: &Path) -> Result<ImageName, Mistake> {
    let path = dir.to_str().filter(|path| !path.contains([':', '@']));
    path.map(|path| ImageName::Layout(path.to_owned())).ok_or_else(|| {
        Mistake::new(
            format!("{} cannot be named as oci:DIR", dir.display()),
            "expected a path in UTF-8 without : and @",
        )
    })
}
