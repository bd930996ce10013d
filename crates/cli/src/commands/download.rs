//! `touchmark download signature|attestation|sbom IMAGE`: evidence as it is stored, unverified.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use touchmark_attestation::PredicateType;
use touchmark_oci::{Descriptor, ImageRef, Limits, Manifest, PinnedRef, Platform};
use touchmark_registry::ImageStore as _;
use touchmark_sigstore::storage::{LayerKind, legacy_tags};
use touchmark_sigstore::{Document, SIGNATURE_ANNOTATION};
use touchmark_verify::{EvidenceKind, GatherLimits, StoredDocument, gather_documents, predicate_type};

use crate::context::Context;
use crate::failure::Mistake;
use crate::files::{MAX_DOCUMENT_BYTES, write_output};
use crate::outcome::Outcome;
use crate::platform::{find_manifest, parse_platform};

/// What to download.
#[derive(Debug, Subcommand)]
pub(crate) enum DownloadCommand {
    /// Signatures: bundles, and what cosign 1 and 2 made, one line of JSON each
    Signature(DownloadArgs),
    /// Attestations: bundles, and DSSE envelopes, one line of JSON each
    Attestation(AttestationArgs),
    /// The unsigned SBOM that cosign 1 attached, as it is
    Sbom(DownloadArgs),
}

/// Arguments of all of them.
#[derive(Debug, Args)]
#[command(after_help = "Nothing that is downloaded is verified; touchmark verify does that.

Example:
  touchmark download signature ghcr.io/acme/app:1.4 -o signatures.jsonl")]
pub(crate) struct DownloadArgs {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: ImageRef,
    /// Of an index, the image for this platform
    #[arg(long, value_name = "OS/ARCHITECTURE", value_parser = parse_platform)]
    platform: Option<Platform>,
    /// The file to write; - is standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
}

/// Arguments of `download attestation`.
#[derive(Debug, Args)]
pub(crate) struct AttestationArgs {
    #[command(flatten)]
    common: DownloadArgs,
    /// Only statements of this type: a URI or one of cosign's names
    #[arg(long = "predicate-type", visible_alias = "type", value_name = "TYPE")]
    predicate_type: Option<PredicateType>,
}

/// Downloads.
pub(crate) async fn run(command: DownloadCommand, context: &Context) -> anyhow::Result<Outcome> {
    let (args, kind, wanted) = match command {
        DownloadCommand::Signature(args) => (args, EvidenceKind::Signature, None),
        DownloadCommand::Attestation(args) => (args.common, EvidenceKind::Attestation, args.predicate_type),
        DownloadCommand::Sbom(args) => (args, EvidenceKind::Sbom, None),
    };
    let mut image = context.stores().resolve(&args.image).await?;
    if args.platform.is_some() {
        (image, _) = find_manifest(&image, args.platform.as_ref(), context).await?;
    }
    let found = match kind {
        EvidenceKind::Sbom => sbom(&image, context).await?,
        kind => lines(&image, kind, wanted.as_ref(), context).await?,
    };
    let Some(found) = found else {
        context.warn(&format!("{image} has no {}", name(kind)));
        return Ok(Outcome::Denied);
    };
    write_output(&args.output, &found)?;
    context.note("nothing of this was verified");
    Ok(Outcome::Done)
}

fn name(kind: EvidenceKind) -> &'static str {
    match kind {
        EvidenceKind::Signature => "signature",
        EvidenceKind::Attestation => "attestation of that type",
        EvidenceKind::Sbom => "unsigned SBOM under its tag .sbom",
    }
}

/// Documents of one kind, a line each. What cannot be read is left out with a warning: it must not hide the rest.
async fn lines(
    image: &PinnedRef,
    kind: EvidenceKind,
    wanted: Option<&PredicateType>,
    context: &Context,
) -> anyhow::Result<Option<Vec<u8>>> {
    let limits = GatherLimits::default();
    let found = gather_documents(context.stores(), image, &limits).await?;
    if !found.omitted.is_empty() {
        let message = format!("more is attached to {image} than is read at once");
        return Err(Mistake::new(message, "touchmark clean removes what is not wanted").into());
    }
    let mut text = Vec::new();
    for StoredDocument { item, stored } in found.documents {
        if let Document::Malformed(error) = &item.document {
            context.warn(&format!("left out: {}: {error}", item.origin));
        }
        let fits = |wanted: &PredicateType| {
            predicate_type(&item.document, &limits.documents).is_some_and(|found| found == wanted.uri())
        };
        let is_wanted = EvidenceKind::of(&item.document, &limits.documents) == Some(kind);
        if let Some((layer, content)) = stored.filter(|_| is_wanted && wanted.is_none_or(fits)) {
            text.extend(line(layer.kind, content.bytes(), &layer.descriptor.annotations)?);
            text.push(b'\n');
        }
    }
    Ok((!text.is_empty()).then_some(text))
}

async fn blob(manifest: &PinnedRef, blob: &Descriptor, context: &Context) -> anyhow::Result<Vec<u8>> {
    Ok(context.stores().fetch_blob(manifest.name(), blob, MAX_DOCUMENT_BYTES).await?.into_bytes())
}

/// A document as a line: bundles and envelopes as they are, in one line; a legacy signature with its members as cosign names them.
fn line(
    kind: LayerKind,
    bytes: &[u8],
    annotations: &BTreeMap<String, String>,
) -> Result<Vec<u8>, serde_json::Error> {
    if kind != LayerKind::SimpleSigning {
        // Line breaks in JSON are white space between tokens, for in strings they are escaped (RFC 8259 §7).
        return Ok(bytes.iter().copied().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect());
    }
    let text = |name: &str| annotations.get(&format!("dev.sigstore.cosign/{name}")).cloned();
    let object = |name: &str| text(name).and_then(|text| serde_json::from_str::<Value>(&text).ok());
    serde_json::to_vec(&json!({
        "Base64Signature": annotations.get(SIGNATURE_ANNOTATION),
        "Payload": STANDARD.encode(bytes),
        "Cert": text("certificate"),
        "Chain": text("chain"),
        "Bundle": object("bundle"),
        "RFC3161Timestamp": object("rfc3161timestamp"),
    }))
}

/// The layers under `.sbom`, one after the other.
async fn sbom(image: &PinnedRef, context: &Context) -> anyhow::Result<Option<Vec<u8>>> {
    let tag = legacy_tags(image.digest())?.sbom;
    let Some(content) = context.stores().fetch_tag(image.name(), &tag).await? else {
        return Ok(None);
    };
    let manifest = image.name().pin(content.digest().clone());
    let parsed = Manifest::parse(&content, &Limits::default())
        .with_context(|| format!("cannot read the manifest {manifest}"))?;
    let mut bytes = Vec::new();
    if let Manifest::Image(parsed) = parsed {
        for layer in &parsed.layers {
            bytes.extend(blob(&manifest, layer, context).await?);
        }
    }
    Ok(Some(bytes))
}
