//! Signing an image and leaving the result beside it, in either of cosign's storage forms.

use std::collections::BTreeMap;

use anyhow::Context as _;
use clap::ValueEnum;
use serde::Serialize;
use touchmark_attestation::{ResourceDescriptor, Statement};
use touchmark_oci::{Content, Digest, PinnedRef, Tag};
use touchmark_registry::{ImageStore as _, StoreError, TagChange, push_artifact};
use touchmark_sigstore::storage::{LegacyLayer, append_layer, legacy_tags, store_bundle};

use crate::context::Context;
use crate::keys::limits;
use crate::signing::Signing;

/// How evidence is stored beside an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StorageFormat {
    /// A Sigstore bundle as an OCI referrer, as cosign 3 writes it
    Bundle,
    /// A layer under a tag named after the digest, as cosign 1 and 2 write it
    Legacy,
    /// Both, for a registry that old and new clients read
    Both,
}

impl StorageFormat {
    fn bundle(self) -> bool {
        matches!(self, Self::Bundle | Self::Both)
    }

    fn legacy(self) -> bool {
        matches!(self, Self::Legacy | Self::Both)
    }
}

/// Something that now is beside an image.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Attached {
    /// `referrer`, or the legacy tag.
    pub(crate) place: String,
    /// The manifest.
    pub(crate) manifest: Digest,
}

/// Signs `image` and attaches the signature.
pub(crate) async fn sign(
    context: &Context,
    signer: &Signing,
    image: &PinnedRef,
    annotations: &BTreeMap<String, String>,
    format: StorageFormat,
) -> anyhow::Result<Vec<Attached>> {
    if format.legacy() {
        signer.refuse_what_the_older_format_cannot_keep()?;
    }
    let subject = context.stores().fetch_manifest(image).await?;
    let mut attached = Vec::new();
    if format.bundle() {
        let bundle = signer.image(image, annotations).await?;
        attached.push(attach_bundle(context, image, &subject, bundle).await?);
    }
    if format.legacy() {
        let layer = signer.legacy_image(image, annotations).await?;
        let tag = legacy_tags(image.digest())?.signatures;
        attached.push(append(context, image, &tag, &layer).await?);
    }
    Ok(attached)
}

/// Signs `statement` and attaches it to `image`.
pub(crate) async fn attest<P: Serialize>(
    context: &Context,
    signer: &Signing,
    image: &PinnedRef,
    statement: &Statement<P>,
    format: StorageFormat,
) -> anyhow::Result<Vec<Attached>> {
    if format.legacy() {
        signer.refuse_what_the_older_format_cannot_keep()?;
    }
    let subject = context.stores().fetch_manifest(image).await?;
    let mut attached = Vec::new();
    if format.bundle() {
        let bundle = signer.statement(statement, image.digest()).await?;
        attached.push(attach_bundle(context, image, &subject, bundle).await?);
    }
    if format.legacy() {
        let layer = signer.legacy_statement(statement, image).await?;
        let tag = legacy_tags(image.digest())?.attestations;
        attached.push(append(context, image, &tag, &layer).await?);
    }
    Ok(attached)
}

/// The image as a statement's subject. Its repository is its name; a path on this machine is nobody else's business.
pub(crate) fn subject(image: &PinnedRef) -> ResourceDescriptor {
    let subject = ResourceDescriptor::of(image.digest());
    match image.name().registry() {
        Some(_) => subject.named(image.name().to_string()),
        None => subject,
    }
}

/// Tells the user where the evidence is now.
pub(crate) fn report_attached(context: &Context, image: &PinnedRef, attached: &[Attached]) {
    for place in attached {
        context.note(&format!("attached to {image}: {} ({})", place.manifest, place.place));
    }
}

async fn attach_bundle(
    context: &Context,
    image: &PinnedRef,
    subject: &Content,
    bundle: Vec<u8>,
) -> anyhow::Result<Attached> {
    let stored = store_bundle(bundle, subject.descriptor(), None, &limits())?;
    let pushed = push_artifact(context.stores(), image.name(), &stored.manifest, &stored.blobs).await?;
    Ok(Attached { place: "referrer".to_owned(), manifest: pushed.digest().clone() })
}

async fn append(
    context: &Context,
    image: &PinnedRef,
    tag: &Tag,
    layer: &LegacyLayer,
) -> anyhow::Result<Attached> {
    let change = |existing: Option<&Content>| {
        let stored = append_layer(existing, layer, &limits())
            .map_err(|source| StoreError::change(image.name(), source))?;
        Ok(TagChange { manifest: stored.manifest, blobs: stored.blobs })
    };
    let manifest = context
        .stores()
        .update_tag(image.name(), tag, &change)
        .await
        .with_context(|| format!("cannot add to {}", image.name().tagged(tag.clone())))?;
    Ok(Attached { place: tag.to_string(), manifest: manifest.digest().clone() })
}
