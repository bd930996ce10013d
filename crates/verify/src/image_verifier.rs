//! The one door: an image reference in, a decision out.

use std::sync::Arc;

use jiff::Timestamp;
use touchmark_oci::{ImageRef, PinnedRef, ReferenceError};
use touchmark_policy::{Decision, PolicySet, Verdict};
use touchmark_registry::{ImageStore, StoreError};
use touchmark_sigstore::{Evidence, Findings, TrustRoot, Verifier};

use crate::evidence_cache::{EvidenceCache, Kept};
use crate::gather::gather;
use crate::{CacheLimits, GatherLimits};

/// Decides about images. Immutable: new policies or keys make a new one, which replaces the old one whole.
#[derive(Debug)]
pub struct ImageVerifier<S> {
    store: S,
    policies: PolicySet,
    verifier: Verifier,
    limits: GatherLimits,
    cache: Option<EvidenceCache>,
}

impl<S: ImageStore> ImageVerifier<S> {
    /// Verifies what `store` has with the keys that `policies` name. Keeps nothing between requests.
    pub fn new(store: S, policies: PolicySet, limits: GatherLimits) -> Self {
        let verifier = Verifier::new(policies.public_keys(), limits.documents.clone());
        let verifier = verifier.with_witnesses(policies.witnesses());
        Self { store, policies, verifier, limits, cache: None }
    }

    /// The same, trusting the authorities and logs of `trust_root`, if there is one.
    #[must_use]
    pub fn with_trust_root(mut self, trust_root: impl Into<Option<Arc<TrustRoot>>>) -> Self {
        self.verifier = self.verifier.with_trust_root(trust_root);
        self
    }

    /// The same, keeping verified evidence for a while. For a process that decides about the same images again and again.
    #[must_use]
    pub fn with_cache(mut self, limits: &CacheLimits) -> Self {
        self.cache = Some(EvidenceCache::new(limits));
        self
    }

    /// The policies that it decides by.
    pub fn policies(&self) -> &PolicySet {
        &self.policies
    }

    /// Resolves the reference once, and decides about the digest that it pointed at.
    ///
    /// # Errors
    /// [`VerifyError`]: it could not be decided. Never an allowance.
    pub async fn decide(&self, image: &ImageRef) -> Result<Decision, VerifyError> {
        let pinned = self.store.resolve(image).await?;
        let Some(cache) = &self.cache else {
            return Ok(self.decide_with_findings(&pinned).await?.0);
        };
        let (decision, kept) = self.decide_from(cache, &pinned).await?;
        if decision.verdict() != Verdict::Deny || !cache.is_stale_for_denial(&kept) {
            return Ok(decision);
        }
        cache.forget(&pinned).await;
        Ok(self.decide_from(cache, &pinned).await?.0)
    }

    /// Decides about an image as if it were called `name`, from the evidence where it is now. For trying policies out: an image
    /// is judged by where it is, and nothing that admits images calls this.
    ///
    /// # Errors
    /// [`VerifyError`], as [`Self::decide`].
    pub async fn decide_as(&self, name: &ImageRef, evidence: &ImageRef) -> Result<Decision, VerifyError> {
        let pinned = self.store.resolve(evidence).await?;
        let gathered = gather(&self.store, &pinned, &self.limits).await?;
        let findings = self.verifier.verify_all(gathered.evidence);
        Ok(self.evaluate(&name.pin(pinned.digest().clone()), &findings))
    }

    /// Decides about a digest, and gives what the decision was made from. Nothing is kept, and nothing kept is used.
    ///
    /// # Errors
    /// [`VerifyError`], as [`Self::decide`].
    pub async fn decide_with_findings(&self, image: &PinnedRef) -> Result<(Decision, Findings), VerifyError> {
        let (findings, _) = self.gather_and_verify(image).await?;
        Ok((self.evaluate(image, &findings), findings))
    }

    async fn decide_from(
        &self,
        cache: &EvidenceCache,
        image: &PinnedRef,
    ) -> Result<(Decision, Kept), VerifyError> {
        let kept = cache.findings(image, self.gather_and_verify(image)).await?;
        Ok((self.evaluate(image, &kept.findings), kept))
    }

    /// The findings, and how many bytes of evidence they come from. Nobody is asked about an image that no policy is about:
    /// nothing that could be found would change the decision.
    async fn gather_and_verify(&self, image: &PinnedRef) -> Result<(Findings, u64), VerifyError> {
        let mut policies = self.policies.policies().iter();
        if !policies.any(|policy| policy.applies_to(image.name())) {
            return Ok((self.verifier.verify_all(Evidence::none(image.clone())), 0));
        }
        // On the heap: with a registry's requests in it the future is large, and it is held several layers up.
        let gathered = Box::pin(gather(&self.store, image, &self.limits)).await?;
        Ok((self.verifier.verify_all(gathered.evidence), gathered.bytes))
    }

    fn evaluate(&self, image: &PinnedRef, findings: &Findings) -> Decision {
        self.policies.evaluate(image, findings, Timestamp::now())
    }
}

/// Why it could not be decided about an image. Never a denial, and never an allowance.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The store could not be asked, or gave other bytes than asked for.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The image's digest makes no legacy tag.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// Another request for the same image was asked on behalf of this one, and failed.
    #[error(transparent)]
    Shared(Arc<Self>),
}

impl VerifyError {
    /// What the user could do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Shared(error) => error.hint(),
            Self::Reference(_) => None,
        }
    }
}
