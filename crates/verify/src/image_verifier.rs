//! The one door: an image reference in, a decision out.

use std::sync::Arc;

use jiff::Timestamp;
use touchmark_oci::{ImageRef, PinnedRef, ReferenceError};
use touchmark_policy::{Decision, PolicySet, Verdict};
use touchmark_registry::{ImageStore, StoreError};
use touchmark_sigstore::{Evidence, Findings, TrustRoot, Verifier};

use crate::evidence_cache::{EvidenceCache, Kept};
use crate::gather::gather;
use crate::search::Search;
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
    /// Evidence is looked for place by place, and no further once it allows the image: more evidence never turns an allowance into
    /// anything else ([`PolicySet::evaluate`]). A warning and a denial are only given when all places have been read.
    ///
    /// # Errors
    /// [`VerifyError`]: it could not be decided. Never an allowance.
    pub async fn decide(&self, image: &ImageRef) -> Result<Decision, VerifyError> {
        let pinned = self.store.resolve(image).await?;
        let Some(cache) = &self.cache else {
            return Ok(self.evaluate(&pinned, &self.find(&pinned).await?.findings));
        };
        let (decision, kept) = self.decide_from(cache, &pinned).await?;
        if !cache.is_stale_for(decision.verdict(), &kept) {
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

    /// Decides about a digest, and gives what the decision was made from: all that there is. Nothing is kept, and nothing kept is
    /// used.
    ///
    /// # Errors
    /// [`VerifyError`], as [`Self::decide`].
    pub async fn decide_with_findings(&self, image: &PinnedRef) -> Result<(Decision, Findings), VerifyError> {
        let findings = if self.is_about(image) {
            self.verifier.verify_all(gather(&self.store, image, &self.limits).await?.evidence)
        } else {
            self.verifier.verify_all(Evidence::none(image.clone()))
        };
        Ok((self.evaluate(image, &findings), findings))
    }

    async fn decide_from(
        &self,
        cache: &EvidenceCache,
        image: &PinnedRef,
    ) -> Result<(Decision, Kept), VerifyError> {
        let kept = cache.findings(image, self.find(image)).await?;
        Ok((self.evaluate(image, &kept.found.findings), kept))
    }

    /// Searches until the image is allowed, or to the end. Nobody is asked about an image that no policy is about: nothing that could
    /// be found would change the decision.
    async fn find(&self, image: &PinnedRef) -> Result<Found, VerifyError> {
        let mut findings = self.verifier.verify_all(Evidence::none(image.clone()));
        if !self.is_about(image) {
            return Ok(Found { findings, bytes: 0, complete: true });
        }
        let mut search = Search::new(&self.store, image, &self.limits)?;
        // On the heap: with a registry's requests in it the future is large, and it is held several layers up.
        while let Some(evidence) = Box::pin(search.next()).await? {
            self.verifier.verify_more(&mut findings, evidence);
            if self.evaluate(image, &findings).verdict() == Verdict::Allow {
                break;
            }
        }
        Ok(Found { findings, bytes: search.bytes_read(), complete: search.is_complete() })
    }

    /// Whether any policy is.
    fn is_about(&self, image: &PinnedRef) -> bool {
        self.policies.policies().iter().any(|policy| policy.applies_to(image.name()))
    }

    fn evaluate(&self, image: &PinnedRef, findings: &Findings) -> Decision {
        self.policies.evaluate(image, findings, Timestamp::now())
    }
}

/// What a search found.
#[derive(Debug)]
pub(crate) struct Found {
    /// What it proves.
    pub(crate) findings: Findings,
    /// Bytes of evidence that were read for it.
    pub(crate) bytes: u64,
    /// Whether all places were read.
    pub(crate) complete: bool,
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
