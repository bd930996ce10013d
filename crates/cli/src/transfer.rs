//! Moving an image with its evidence between two places, and saying what came of it: `copy`, `save` and `load`.

use clap::ValueEnum;
use serde::Serialize;
use touchmark_oci::{ImageName, PinnedRef, Tag};
use touchmark_verify::{Copied, CopyOptions, EvidenceKind, Left, copy_with_evidence};

use crate::arguments::ReportFormat;
use crate::context::Context;
use crate::failure::describe;
use crate::outcome::Outcome;
use crate::render::to_stdout;

/// Evidence to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Only {
    /// Signatures
    Signatures,
    /// Signed statements
    Attestations,
    /// Unsigned SBOMs under the tag .sbom
    Sboms,
}

/// What was moved: docs/schemas/copy.v1.json.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    schema: &'static str,
    source: String,
    destination: String,
    manifests: u64,
    blobs: u64,
    mounted: u64,
    referrers: u64,
    legacy_tags: Vec<String>,
    left: Vec<NotCopied>,
}

/// Something that is not at the destination.
#[derive(Debug, Serialize)]
struct NotCopied {
    what: String,
    error: String,
}

/// Copies `image` to `name`, and tells what was moved. What could not be moved makes it [`Outcome::Undecided`].
pub(crate) async fn transfer(
    context: &Context,
    image: &PinnedRef,
    name: &ImageName,
    tag: Option<&Tag>,
    only: &[Only],
    output: ReportFormat,
) -> anyhow::Result<Outcome> {
    let stores = context.stores();
    let only = only.iter().map(|only| only.kind()).collect();
    let options = CopyOptions { only, stores: stores.limits().clone(), ..CopyOptions::default() };
    let copied = {
        let _step = context.progress().step(format!("copying {image} to {name}"));
        Box::pin(copy_with_evidence(stores, image, stores, name, tag, &options)).await?
    };
    let destination = match tag {
        Some(tag) => name.tagged(tag.clone()).pin(image.digest().clone()),
        None => name.pin(image.digest().clone()),
    };
    let complete = copied.left.is_empty();
    let (left, report) = report(image, &destination, copied);
    let text = match output {
        ReportFormat::Json => format!("{}\n", serde_json::to_string_pretty(&report)?),
        ReportFormat::Text => to_text(&report),
    };
    to_stdout(text.as_bytes())?;
    for left in left {
        let error = anyhow::Error::new(left.error).context(format!("{} was not copied", left.what));
        context.fail(&describe(&error, context.stderr_style()));
    }
    Ok(if complete { Outcome::Done } else { Outcome::Undecided })
}

fn report(image: &PinnedRef, destination: &PinnedRef, copied: Copied) -> (Vec<Left>, Report) {
    let left = copied
        .left
        .iter()
        .map(|left| NotCopied { what: left.what.clone(), error: left.error.to_string() })
        .collect();
    let report = Report {
        schema: "touchmark.dev/copy/v1",
        source: image.to_string(),
        destination: destination.to_string(),
        manifests: copied.moved.manifests,
        blobs: copied.moved.blobs,
        mounted: copied.moved.mounted,
        referrers: copied.referrers,
        legacy_tags: copied.legacy_tags.iter().map(ToString::to_string).collect(),
        left,
    };
    (copied.left, report)
}

fn to_text(report: &Report) -> String {
    format!(
        "{}\n  {} manifests, {} blobs, {} blobs mounted\n  evidence: {} referrers, {} legacy tags\n",
        report.destination,
        report.manifests,
        report.blobs,
        report.mounted,
        report.referrers,
        report.legacy_tags.len(),
    )
}

impl Only {
    fn kind(self) -> EvidenceKind {
        match self {
            Self::Signatures => EvidenceKind::Signature,
            Self::Attestations => EvidenceKind::Attestation,
            Self::Sboms => EvidenceKind::Sbom,
        }
    }
}
