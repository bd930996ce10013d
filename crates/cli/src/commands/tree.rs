//! `touchmark tree IMAGE`: what is attached to an image, in both storage forms. Shows, and verifies nothing.

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;
use touchmark_attestation::{Envelope, Limits, Statement, predicate_types};
use touchmark_oci::{Content, ImageRef, PinnedRef};
use touchmark_registry::ImageStore as _;
use touchmark_sigstore::storage::legacy_tags;
use touchmark_sigstore::{BundleContent, Document, Evidence, EvidenceItem, Place};
use touchmark_verify::{GatherLimits, gather};

use crate::arguments::ReportFormat;
use crate::context::Context;
use crate::outcome::Outcome;
use crate::render::{Style, Tone, harmless, to_stdout};

/// Arguments of `tree`.
#[derive(Debug, Args)]
#[command(after_help = "Nothing that tree shows is verified; touchmark verify does that.")]
pub(crate) struct TreeArgs {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: ImageRef,
    /// How to write it
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: ReportFormat,
}

/// What is attached to an image.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Tree {
    schema: &'static str,
    image: String,
    media_type: String,
    attached: Vec<Attached>,
}

/// One manifest that is attached.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Attached {
    place: String,
    manifest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
    documents: Vec<Described>,
}

/// One document in it, by its own account.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    predicate_type: Option<String>,
    blob: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// Lists what is attached.
pub(crate) async fn run(args: TreeArgs, context: &Context) -> anyhow::Result<Outcome> {
    let image = context.stores().resolve(&args.image).await?;
    let tree = collect(&image, context).await?;
    let text = match args.output {
        ReportFormat::Json => format!("{}\n", serde_json::to_string_pretty(&tree)?),
        ReportFormat::Text => to_text(&tree, context.stdout_style()),
    };
    to_stdout(text.as_bytes())?;
    Ok(Outcome::Done)
}

async fn collect(image: &PinnedRef, context: &Context) -> anyhow::Result<Tree> {
    let stores = context.stores();
    let gathered = gather(stores, image, &GatherLimits::default()).await?;
    let mut attached = group(&gathered.evidence);
    for referrer in gathered.referrers {
        let digest = referrer.digest.to_string();
        match attached.iter_mut().find(|known| known.manifest == digest) {
            Some(known) => known.artifact_type = referrer.artifact_type,
            None => attached.push(Attached {
                place: Place::Referrers.to_string(),
                manifest: digest,
                artifact_type: referrer.artifact_type,
                documents: Vec::new(),
            }),
        }
    }
    let tag = legacy_tags(image.digest())?.sbom;
    if let Some(content) = stores.fetch_tag(image.name(), &tag).await? {
        attached.push(legacy_sbom(&Place::LegacyTag(tag), &content));
    }
    let media_type = gathered.subject.media_type().to_owned();
    Ok(Tree { schema: "touchmark.dev/tree/v1", image: image.to_string(), media_type, attached })
}

/// The evidence by the manifest that holds it, in the order in which it was found.
fn group(evidence: &Evidence) -> Vec<Attached> {
    let mut order: BTreeMap<String, usize> = BTreeMap::new();
    let mut attached: Vec<Attached> = Vec::new();
    for item in &evidence.items {
        let manifest = item.origin.manifest.to_string();
        let index = *order.entry(manifest.clone()).or_insert_with(|| {
            let place = item.origin.place.to_string();
            attached.push(Attached { place, manifest, artifact_type: None, documents: Vec::new() });
            attached.len() - 1
        });
        if let Some(group) = attached.get_mut(index) {
            group.documents.push(describe(item));
        }
    }
    attached
}

/// What cosign 1 attached with `attach sbom`: nobody signed it.
fn legacy_sbom(place: &Place, content: &Content) -> Attached {
    let described = Described {
        kind: "unsigned SBOM",
        predicate_type: None,
        blob: content.digest().to_string(),
        problem: None,
    };
    Attached {
        place: place.to_string(),
        manifest: content.digest().to_string(),
        artifact_type: None,
        documents: vec![described],
    }
}

fn describe(item: &EvidenceItem) -> Described {
    let blob = item.origin.blob.to_string();
    let described = |kind, predicate_type, problem| Described { kind, predicate_type, blob, problem };
    match &item.document {
        Document::Bundle(bundle) => match bundle.content() {
            BundleContent::Envelope(envelope) => describe_envelope(envelope, described),
            BundleContent::Message(_) => described("signature over a file", None, None),
        },
        Document::LegacySignature(_) => described("signature", None, None),
        Document::LegacyAttestation { envelope, .. } => describe_envelope(envelope, described),
        Document::Malformed(error) => described("unreadable", None, Some(error.to_string())),
    }
}

fn describe_envelope(
    envelope: &Envelope,
    described: impl FnOnce(&'static str, Option<String>, Option<String>) -> Described,
) -> Described {
    match Statement::parse(envelope.dangerous_payload(), &Limits::default()) {
        Ok(statement) if statement.predicate_type() == predicate_types::COSIGN_SIGN => {
            described("signature", None, None)
        }
        Ok(statement) => described("attestation", Some(statement.predicate_type().to_owned()), None),
        Err(error) => described("envelope", None, Some(error.to_string())),
    }
}

fn to_text(tree: &Tree, style: Style) -> String {
    let mut text = format!("{}\n", style.paint(Tone::Strong, &tree.image));
    for (index, attached) in tree.attached.iter().enumerate() {
        let last = index + 1 == tree.attached.len();
        let (branch, rail) = if last { ("└─", "  ") } else { ("├─", "│ ") };
        let artifact_type = attached.artifact_type.as_deref().unwrap_or_default();
        let line = format!(
            "{branch} {}  {}  {}",
            harmless(&attached.place),
            attached.manifest,
            harmless(artifact_type)
        );
        text.push_str(line.trim_end());
        text.push('\n');
        for document in &attached.documents {
            let what = document.predicate_type.as_deref().or(document.problem.as_deref()).unwrap_or_default();
            let line = format!("{rail}   {} {}", document.kind, style.paint(Tone::Faint, &harmless(what)));
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    if tree.attached.is_empty() {
        text.push_str("nothing is attached\n");
    }
    text
}
