//! `touchmark copy SRC DST`: an image with all its evidence, from any place to any other.

use clap::Args;
use touchmark_oci::ImageRef;
use touchmark_registry::ImageStore as _;

use crate::arguments::ReportFormat;
use crate::context::Context;
use crate::failure::Mistake;
use crate::outcome::Outcome;
use crate::transfer::{Only, transfer};

/// Arguments of `copy`.
#[derive(Debug, Args)]
#[command(after_help = "\
All platforms are copied, with all that refers to them and to that, and the tags .sig, .att and .sbom. The digest stays the same.
Evidence that is at the destination already stays there. The image's tag moves last.

Examples:
  touchmark copy ghcr.io/acme/app:1.4 registry.example/prod/app:1.4
  touchmark copy --only signatures ghcr.io/acme/app@sha256:… registry.example/prod/app
  touchmark copy oci:build:app ghcr.io/acme/app:1.4

Nothing is verified; touchmark verify does that, before or after.")]
pub(crate) struct CopyArgs {
    /// The image
    #[arg(value_name = "SRC")]
    source: ImageRef,
    /// Where to; without a tag, it is there by its digest
    #[arg(value_name = "DST")]
    destination: ImageRef,
    /// Copy only this evidence with the image, and what refers to that
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    only: Vec<Only>,
    /// How to write what was copied
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: ReportFormat,
}

/// Copies. A destination with a digest must have the source's.
pub(crate) async fn run(args: CopyArgs, context: &Context) -> anyhow::Result<Outcome> {
    let image = context.stores().resolve(&args.source).await?;
    if let Some(wanted) = args.destination.digest().filter(|wanted| *wanted != image.digest()) {
        return Err(Mistake::new(
            format!("{} is {}, the destination names {wanted}", args.source, image.digest()),
            "a copy keeps its digest; leave it out of the destination",
        )
        .into());
    }
    let (name, tag) = (args.destination.name(), args.destination.tag());
    transfer(context, &image, name, tag, &args.only, args.output).await
}
