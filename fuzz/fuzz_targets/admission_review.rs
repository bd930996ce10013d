//! Whatever is sent as a review: its images are found or refused without a panic, and only a registry's digest is ever decided on.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchmark_webhook::{Review, Workload};

fuzz_target!(|bytes: &[u8]| {
    let Ok(review) = Review::parse(bytes) else { return };
    let Some(workload) = Workload::of(&review.kind) else { return };
    let Some(Ok(images)) = review.object.map(|object| workload.images(object)) else { return };
    assert!(!images.is_empty());
    for image in images {
        if let Ok(pinned) = image.pinned() {
            assert!(pinned.name().registry().is_some());
            assert!(image.reference.contains(pinned.digest().hex()));
        }
    }
});
