//! From a review to a ruling: find the images, decide on each distinct one once, all at the same time, before the deadline.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use touchmark_oci::PinnedRef;
use touchmark_policy::Verdict;

use crate::answer::{Exemption, ImageOutcome, ImageRuling, Refusal, Ruling};
use crate::decide::Decide;
use crate::images::{FoundImage, Workload, same_images};
use crate::review::{Operation, Review};
use crate::{ImageAnswer, Limits, Undecided};

/// Rules on reviews, by what one decider says. The decider may be another one for the next review.
#[derive(Clone)]
pub struct Judge {
    decider: Arc<dyn Decide>,
    slots: Arc<Semaphore>,
    limits: Arc<Limits>,
}

impl Judge {
    /// A judge who asks `decider`, and takes a slot for each image that he asks about.
    pub fn new(decider: Arc<dyn Decide>, slots: Arc<Semaphore>, limits: Arc<Limits>) -> Self {
        Self { decider, slots, limits }
    }

    /// Rules on a review before `deadline`. Always answers: what is not known by then is not allowed.
    pub async fn rule(&self, review: &Review<'_>, deadline: Instant) -> Ruling {
        match self.images(review) {
            Ok(Found::Exempt(exemption)) => Ruling::Exempt(exemption),
            Ok(Found::Images(images)) => Ruling::Images(self.rule_on(images, deadline).await),
            Err(refusal) => Ruling::Refused(refusal),
        }
    }

    /// The distinct images to decide on.
    fn images(&self, review: &Review<'_>) -> Result<Found, Refusal> {
        match review.operation {
            Operation::Create | Operation::Update => {}
            Operation::Delete => return Ok(Found::Exempt(Exemption::Deletion)),
            Operation::Connect => {
                return Err(Refusal::Operation { operation: review.operation });
            }
        }
        let unknown = || Refusal::UnknownKind { kind: review.kind.clone() };
        let workload = Workload::of(&review.kind).ok_or_else(unknown)?;
        let object = review.object.ok_or(Refusal::NoObject { operation: review.operation })?;
        let images = workload.images(object)?;
        if review.operation == Operation::Update {
            // An old object that cannot be read is none to compare with.
            let old = review.old_object.and_then(|object| workload.images(object).ok());
            if old.is_some_and(|old| same_images(&old, &images)) {
                return Ok(Found::Exempt(Exemption::SameImages));
            }
        }
        let mut distinct = BTreeMap::new();
        for image in images {
            distinct.entry(image.reference).or_insert(image.place);
        }
        let (count, limit) = (distinct.len(), self.limits.max_images);
        if count > limit {
            return Err(Refusal::TooManyImages { count, limit });
        }
        Ok(Found::Images(
            distinct.into_iter().map(|(reference, place)| FoundImage { reference, place }).collect(),
        ))
    }

    async fn rule_on(&self, images: Vec<FoundImage>, deadline: Instant) -> Vec<ImageRuling> {
        // All are started before the first is waited for.
        let started: Vec<_> = images.into_iter().map(|image| (self.start(&image, deadline), image)).collect();
        let mut rulings = Vec::new();
        for (task, FoundImage { reference, place }) in started {
            let outcome = match task {
                Ok(task) => finish(task, deadline).await,
                Err(outcome) => outcome,
            };
            rulings.push(ImageRuling { reference, place, outcome });
        }
        rulings
    }

    /// Starts deciding on an image, unless it is clear at once that it cannot be allowed. A task that is not waited for to its
    /// end goes on for a while: then the next try, which a controller makes soon, finds the evidence gathered.
    fn start(&self, image: &FoundImage, deadline: Instant) -> Result<JoinHandle<Outcome>, ImageOutcome> {
        let image = image.pinned().map_err(ImageOutcome::Unpinned)?;
        let judge = self.clone();
        Ok(tokio::spawn(async move { judge.decide(image, deadline).await }))
    }

    async fn decide(&self, image: PinnedRef, deadline: Instant) -> Outcome {
        let Ok(Ok(_slot)) = timeout_at(deadline, self.slots.acquire()).await else {
            return Outcome::Late;
        };
        match timeout(self.limits.background_timeout, self.decider.decide(&image)).await {
            Ok(Ok(answer)) => Outcome::Answered(image, answer),
            Ok(Err(error)) => Outcome::Undecided(error),
            Err(_) => Outcome::Late,
        }
    }
}

enum Found {
    Exempt(Exemption),
    Images(Vec<FoundImage>),
}

enum Outcome {
    Answered(PinnedRef, ImageAnswer),
    Undecided(Undecided),
    Late,
}

/// The outcome of a task, if there is one before the deadline. A task that panicked has none.
async fn finish(task: JoinHandle<Outcome>, deadline: Instant) -> ImageOutcome {
    match timeout_at(deadline, task).await {
        Ok(Ok(Outcome::Answered(image, answer))) => match answer.verdict {
            Verdict::Allow => ImageOutcome::Allowed(image),
            Verdict::Warn => ImageOutcome::Warned(answer.reasons),
            Verdict::Deny => ImageOutcome::Denied { reasons: answer.reasons, codes: answer.codes },
        },
        Ok(Ok(Outcome::Undecided(error))) => ImageOutcome::Undecided(error.chain()),
        Ok(Ok(Outcome::Late)) | Err(_) => ImageOutcome::Late,
        Ok(Err(_)) => ImageOutcome::Failed,
    }
}
