//! A text that is a reference, a pinned reference or a digest is written as what reads back to the same value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchmark_oci::{Digest, ImageRef, PinnedRef};

fuzz_target!(|text: &str| {
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.to_string(), text);
    }
    if let Ok(pinned) = text.parse::<PinnedRef>() {
        assert_eq!(pinned.to_string().parse::<PinnedRef>().as_ref(), Ok(&pinned));
    }
    if let Ok(image) = text.parse::<ImageRef>() {
        assert_eq!(image.to_string().parse::<ImageRef>().as_ref(), Ok(&image));
        if let Some(pinned) = image.as_pinned() {
            assert_eq!(Some(pinned.digest()), image.digest());
            assert_eq!(pinned.name(), image.name());
        }
    }
});
