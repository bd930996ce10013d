//! `touchmark sign IMAGE…`.

use std::collections::BTreeMap;

use clap::Args;
use touchmark_oci::{ImageRef, Limits, PinnedRef};
use touchmark_registry::ImageStore as _;
use touchmark_verify::descend;

use crate::annotations::{Annotation, to_map};
use crate::attach::{self, StorageFormat, report_attached};
use crate::context::Context;
use crate::outcome::Outcome;
use crate::signing::SigningArgs;

/// Arguments of `sign`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  touchmark sign --key release.key ghcr.io/acme/app@sha256:…
  touchmark sign --key release.key -a env=prod --recursive ghcr.io/acme/app:1.4
  touchmark sign --key awskms:///alias/release ghcr.io/acme/app:1.4
  touchmark sign --identity-token token.jwt ghcr.io/acme/app:1.4
  touchmark sign --key env://SIGNING_KEY --format both oci:build:app")]
pub(crate) struct SignArgs {
    /// The images to sign; a tag is resolved once and the digest is what is signed
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<ImageRef>,
    #[command(flatten)]
    key: SigningArgs,
    /// How to store the signature
    #[arg(long, value_name = "FORMAT", default_value = "bundle", env = "TOUCHMARK_FORMAT")]
    format: StorageFormat,
    /// Something to sign along with the image
    #[arg(short, long = "annotation", value_name = "NAME=VALUE")]
    annotations: Vec<Annotation>,
    /// Sign every manifest of an index too
    #[arg(short, long)]
    recursive: bool,
}

/// Signs the images in order; the first failure ends it.
pub(crate) async fn run(args: SignArgs, context: &Context) -> anyhow::Result<Outcome> {
    let signer = args.key.load(context).await?;
    let annotations: BTreeMap<String, String> = to_map(&args.annotations);
    for image in &args.images {
        let pinned = context.stores().resolve(image).await?;
        warn_about_tag(context, image, &pinned);
        let targets = if args.recursive {
            descend(context.stores(), &pinned, &Limits::default()).await?
        } else {
            vec![pinned]
        };
        for target in targets {
            let _step = context.progress().step(format!("signing {target}"));
            let attached = attach::sign(context, &signer, &target, &annotations, args.format).await?;
            report_attached(context, &target, &attached);
        }
    }
    Ok(Outcome::Done)
}

/// A tag can be moved between the build and here.
pub(crate) fn warn_about_tag(context: &Context, image: &ImageRef, pinned: &PinnedRef) {
    if image.digest().is_none() && image.name().registry().is_some() {
        context.warn(&format!("{image} is a tag; what it points at now is signed: {}", pinned.digest()));
    }
}
