//! What was signed is verified before it is used, as a verifier will do it: a certificate that expired on the way or a service that erred
//! is noticed now.

use std::sync::Arc;

use anyhow::Context as _;
use touchmark_oci::{Digest, PinnedRef};
use touchmark_sigstore::storage::{LayerKind, LegacyLayer};
use touchmark_sigstore::{
    Artifact, BlobSignature, Bundle, Document, Evidence, EvidenceItem, LogProof, Origin, Place, Proof,
    PublicKey, TrustRoot, Verified, Verifier,
};

use crate::accept::told;
use crate::failure::Mistake;
use crate::keys::limits;

/// Verifies what was signed.
pub(crate) struct Check {
    verifier: Verifier,
}

impl Check {
    /// With a trust root, and the key if it was one that signed.
    pub(crate) fn new(trust_root: Arc<TrustRoot>, key: Option<&PublicKey>) -> Self {
        let keys = key.into_iter().cloned().collect();
        Self { verifier: Verifier::new(keys, limits()).with_trust_root(trust_root) }
    }

    /// A bundle with a statement about `subject`.
    pub(crate) fn statement(&self, subject: &Digest, bundle: &[u8]) -> anyhow::Result<()> {
        let parsed = Bundle::parse(bundle, &limits())?;
        let verified = self.verifier.verify_blob_attestation(subject, &parsed).context(UNVERIFIED)?;
        proven(verified.iter().map(Verified::proof))
    }

    /// A bundle with a file's signature.
    pub(crate) fn blob(&self, artifact: &[u8], bundle: &[u8]) -> anyhow::Result<()> {
        let parsed = BlobSignature::parse(bundle, &limits())?;
        let verified = self.verifier.verify_blob(Artifact::Bytes(artifact), &parsed).context(UNVERIFIED)?;
        proven(verified.iter().map(Verified::proof))
    }

    /// A layer in the older format.
    pub(crate) fn layer(
        &self,
        image: &PinnedRef,
        kind: LayerKind,
        layer: &LegacyLayer,
    ) -> anyhow::Result<()> {
        let document = Document::read(kind, layer.blob().bytes(), layer.annotations(), &limits());
        let origin = Origin {
            place: Place::Referrers,
            manifest: image.digest().clone(),
            blob: layer.blob().descriptor().digest.clone(),
        };
        let items = vec![EvidenceItem { origin, document }];
        let evidence = Evidence { subject: image.clone(), items, searched: Vec::new(), omitted: Vec::new() };
        let findings = self.verifier.verify_all(evidence);
        if let Some(rejected) = findings.rejected().first() {
            return Err(anyhow::Error::msg(told(&rejected.rejection)).context(UNVERIFIED));
        }
        proven(findings.claims().iter().map(|finding| finding.claim.proof()))
    }
}

/// Of keys, the log entries of unknown logs break nothing when they are verified. Here they were asked for.
fn proven<'a>(proofs: impl Iterator<Item = &'a Proof>) -> anyhow::Result<()> {
    let known: Vec<bool> = proofs.map(|proof| !matches!(proof.log, LogProof::NotVerified { .. })).collect();
    if known.is_empty() || known.contains(&false) {
        return Err(Mistake::new(
            "the trust root knows no transparency log that listed the signature, which is not used",
            "--trusted-root FILE of the instance that --signing-config or --rekor-url is of",
        )
        .into());
    }
    Ok(())
}

const UNVERIFIED: &str = "what the services answered does not verify, and is not used";
