//! What is answered to a review, before it is written down.

use touchmark_oci::PinnedRef;

use crate::images::{ObjectError, PinError};
use crate::review::{GroupVersionKind, Operation};

/// The answer to a review.
#[derive(Debug)]
#[must_use]
pub enum Ruling {
    /// There is nothing to decide.
    Exempt(Exemption),
    /// It was not looked at the images.
    Refused(Refusal),
    /// What was found for each distinct image.
    Images(Vec<ImageRuling>),
}

impl Ruling {
    /// Whether the object is admitted: there is nothing to decide, or there are images and each of them is allowed by name. A
    /// list without images admits nothing.
    pub fn is_allowed(&self) -> bool {
        match self {
            Self::Exempt(_) => true,
            Self::Refused(_) => false,
            Self::Images(images) => {
                !images.is_empty() && images.iter().all(|image| image.outcome.is_allowed())
            }
        }
    }

    /// A short name of the outcome, for logs and metrics: one of [`Ruling::OUTCOMES`].
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Exempt(_) => "exempt",
            Self::Refused(_) => "refused",
            Self::Images(images) => {
                let worst = images.iter().map(|image| image.outcome.rank()).max();
                worst.and_then(|rank| Self::OUTCOMES.get(rank)).copied().unwrap_or("refused")
            }
        }
    }

    /// From good to bad.
    pub const OUTCOMES: [&'static str; 6] = ["allowed", "warned", "denied", "undecided", "exempt", "refused"];
}

/// Why there is nothing to decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exemption {
    /// A deletion runs nothing.
    Deletion,
    /// An update that runs the same images as before. Those were decided on when they came, and pods are when they are made.
    SameImages,
}

/// Why the images were not looked at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A kind whose images are not known.
    #[error("{kind} is not a kind whose images can be found; send only workloads to this webhook")]
    UnknownKind {
        /// The kind.
        kind: GroupVersionKind,
    },
    /// An operation that admits no object.
    #[error("operation {} is not one that this webhook decides on", operation.name())]
    Operation {
        /// The operation.
        operation: Operation,
    },
    /// No object, where the operation has one.
    #[error("request to {} has no object", operation.name())]
    NoObject {
        /// The operation.
        operation: Operation,
    },
    /// An object whose images cannot be told.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// More images than are decided on at once.
    #[error("object has {count} distinct images, the limit is {limit}")]
    TooManyImages {
        /// Images found.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// Too many other reviews at the same time.
    #[error("{limit} reviews are being decided already; try again")]
    Overloaded {
        /// The limit.
        limit: usize,
    },
    /// Nothing to decide by yet.
    #[error("the webhook has no policy yet; try again")]
    NotReady,
    /// A fault of this program.
    #[error("the webhook failed internally; nothing was decided")]
    Internal,
}

/// What was found for one image.
#[derive(Debug)]
pub struct ImageRuling {
    /// The image as written.
    pub reference: String,
    /// Where it stands first.
    pub place: String,
    /// What was found.
    pub outcome: ImageOutcome,
}

/// What was found for one image.
#[derive(Debug)]
#[non_exhaustive]
pub enum ImageOutcome {
    /// A policy matches, and every one that does is satisfied.
    Allowed(PinnedRef),
    /// Only policies that warn are not satisfied.
    Warned(Vec<String>),
    /// A policy is not satisfied.
    Denied {
        /// Why.
        reasons: Vec<String>,
        /// The reasons' codes.
        codes: Vec<&'static str>,
    },
    /// It could not be decided on: it is not pinned, or no image at all.
    Unpinned(PinError),
    /// The evidence could not be had.
    Undecided(String),
    /// The evidence could not be had in time.
    Late,
    /// A fault of this program.
    Failed,
}

impl ImageOutcome {
    /// Whether the image may run.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_) | Self::Warned(_))
    }

    /// A short name, for logs and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Allowed(_) => "allowed",
            Self::Warned(_) => "warned",
            Self::Denied { .. } => "denied",
            Self::Unpinned(_) => "unpinned",
            Self::Undecided(_) => "undecided",
            Self::Late => "late",
            Self::Failed => "failed",
        }
    }

    /// The place among [`Ruling::OUTCOMES`].
    fn rank(&self) -> usize {
        match self {
            Self::Allowed(_) => 0,
            Self::Warned(_) => 1,
            Self::Denied { .. } | Self::Unpinned(_) => 2,
            Self::Undecided(_) | Self::Late | Self::Failed => 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ruling(outcomes: Vec<ImageOutcome>) -> Ruling {
        let rule = |outcome| ImageRuling { reference: "x".into(), place: "spec".into(), outcome };
        Ruling::Images(outcomes.into_iter().map(rule).collect())
    }

    fn allowed() -> ImageOutcome {
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        ImageOutcome::Allowed(format!("a/b@sha256:{hex}").parse().unwrap())
    }

    #[test]
    fn nothing_is_allowed_that_is_not_allowed_by_name() {
        assert!(ruling(vec![allowed(), ImageOutcome::Warned(vec![])]).is_allowed());
        for other in [
            ImageOutcome::Denied { reasons: vec![], codes: vec![] },
            ImageOutcome::Unpinned(PinError::Tag),
            ImageOutcome::Undecided(String::new()),
            ImageOutcome::Late,
            ImageOutcome::Failed,
        ] {
            assert!(!ruling(vec![allowed(), other, allowed()]).is_allowed());
        }
        assert!(!ruling(vec![]).is_allowed());
        assert!(!Ruling::Refused(Refusal::Internal).is_allowed());
    }

    #[test]
    fn the_worst_image_names_the_outcome() {
        assert_eq!(ruling(vec![allowed()]).outcome(), "allowed");
        assert_eq!(ruling(vec![ImageOutcome::Warned(vec![]), allowed()]).outcome(), "warned");
        assert_eq!(ruling(vec![ImageOutcome::Unpinned(PinError::Tag), allowed()]).outcome(), "denied");
        assert_eq!(
            ruling(vec![allowed(), ImageOutcome::Late, ImageOutcome::Unpinned(PinError::Tag)]).outcome(),
            "undecided"
        );
        assert_eq!(ruling(vec![]).outcome(), "refused");
    }
}
