//! The one door, as this server uses it.

use std::error::Error;
use std::pin::Pin;

use touchmark_oci::PinnedRef;
use touchmark_policy::{Decision, Reason, Verdict};
use touchmark_registry::ImageStore;
use touchmark_verify::ImageVerifier;

/// Decides about one image. [`ImageVerifier`] does; tests have others.
pub trait Decide: Send + Sync {
    /// The answer about `image`.
    fn decide<'a>(&'a self, image: &'a PinnedRef) -> DecideFuture<'a>;
}

/// What [`Decide::decide`] gives.
pub type DecideFuture<'a> = Pin<Box<dyn Future<Output = Result<ImageAnswer, Undecided>> + Send + 'a>>;

/// The answer about an image, without what nobody here asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageAnswer {
    /// Which.
    pub verdict: Verdict,
    /// Why, unless it is allowed.
    pub reasons: Vec<String>,
    /// The codes of the reasons, each once.
    pub codes: Vec<&'static str>,
}

impl From<&Decision> for ImageAnswer {
    fn from(decision: &Decision) -> Self {
        Self {
            verdict: decision.verdict(),
            reasons: decision.all_reasons().map(Reason::to_string).collect(),
            codes: decision.reason_codes().into_iter().collect(),
        }
    }
}

/// It could not be decided.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Undecided(#[from] pub Box<dyn Error + Send + Sync>);

impl Undecided {
    /// The whole chain of causes as one line.
    pub fn chain(&self) -> String {
        let mut text = self.0.to_string();
        let mut cause = self.0.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

impl<S: ImageStore> Decide for ImageVerifier<S> {
    fn decide<'a>(&'a self, image: &'a PinnedRef) -> DecideFuture<'a> {
        Box::pin(async move {
            let decision = ImageVerifier::decide(self, &image.to_image_ref()).await;
            decision.map(|decision| ImageAnswer::from(&decision)).map_err(|error| Undecided(Box::new(error)))
        })
    }
}
