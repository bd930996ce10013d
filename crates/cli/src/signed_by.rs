//! What keys signed about an image, and when that is proven to have been: what to look at before a key is retired.

use anyhow::Context as _;
use serde::Serialize;
use touchmark_oci::ImageRef;
use touchmark_registry::ImageStore as _;
use touchmark_sigstore::{Claim, Finding, ProvenTime, PublicKey, TimeSource, Verifier};
use touchmark_verify::{GatherLimits, gather};

use crate::context::Context;
use crate::keys::limits;
use crate::render::{harmless, log_note, short_digests, stdout_width, table};
use crate::trust_source::{Trust, TrustSource};

/// Something that a key signed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Signed {
    /// Who signed, as it is named everywhere.
    signer: String,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    predicate_type: Option<String>,
    /// Each proven time; none where nothing dates the signature.
    times: Vec<Time>,
    log: String,
    origin: String,
}

#[derive(Debug, Serialize)]
struct Time {
    time: String,
    source: &'static str,
}

/// Everything about the image that one of the keys signed, with what the logs and authorities of the trust root prove about it.
pub(crate) async fn signed_by(
    keys: &[PublicKey],
    image: &ImageRef,
    trust_root: Option<&TrustSource>,
    context: &Context,
) -> anyhow::Result<Vec<Signed>> {
    let trust_root = std::sync::Arc::new(Trust::load(trust_root, context).await?.root);
    let image = context.stores().resolve(image).await?;
    let gathered = Box::pin(gather(context.stores(), &image, &GatherLimits::default())).await;
    let evidence = gathered.with_context(|| format!("cannot read the evidence of {image}"))?.evidence;
    let verifier = Verifier::new(keys.to_vec(), limits()).with_trust_root(trust_root);
    let findings = verifier.verify_all(evidence);
    let keyed = |finding: &&Finding| matches!(finding.claim.signer(), touchmark_sigstore::Signer::Key(_));
    Ok(findings.claims().iter().filter(keyed).map(Signed::of).collect())
}

impl Signed {
    fn of(finding: &Finding) -> Self {
        let (kind, predicate_type) = match &*finding.claim {
            Claim::Signature { .. } => ("signature", None),
            Claim::Attestation(statement) => ("attestation", Some(statement.predicate_type().to_owned())),
        };
        let proof = finding.claim.proof();
        Self {
            signer: finding.claim.signer().to_string(),
            kind,
            predicate_type,
            times: proof.times.iter().map(Time::of).collect(),
            log: log_note(&proof.log),
            origin: finding.origin.to_string(),
        }
    }

    fn row(&self) -> Vec<String> {
        let what = self.predicate_type.as_deref().map(harmless);
        let times: Vec<_> =
            self.times.iter().map(|time| format!("{} ({})", time.time, time.source)).collect();
        let when = if times.is_empty() { "not proven".to_owned() } else { times.join(", ") };
        let what = what.map_or_else(|| self.kind.to_owned(), |what| format!("{} {what}", self.kind));
        vec![short_digests(&self.signer), what, when, short_digests(&harmless(&self.origin))]
    }
}

impl Time {
    fn of(proven: &ProvenTime) -> Self {
        let source = match proven.source {
            TimeSource::TransparencyLog => "transparency-log",
            TimeSource::TimestampAuthority { .. } => "timestamp-authority",
            _ => "unknown",
        };
        Self { time: proven.time.to_string(), source }
    }
}

/// As a table.
pub(crate) fn to_text(signed: &[Signed]) -> String {
    if signed.is_empty() {
        return "signed nothing that is attached to the image\n".to_owned();
    }
    let rows: Vec<_> = signed.iter().map(Signed::row).collect();
    table(&["SIGNED BY", "WHAT", "WHEN", "WHERE"], &rows, stdout_width())
}
