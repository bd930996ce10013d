//! A pattern that is accepted matches in bounded time, and every image pattern matches some image.
//!
//! Input: a pattern and a name, separated by a line feed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchmark_oci::ImageRef;
use touchmark_policy::{Glob, ImageGlob};

fuzz_target!(|text: &str| {
    let (pattern, name) = text.split_once('\n').unwrap_or((text, ""));
    if let Ok(glob) = Glob::parse(pattern) {
        let _ = glob.matches(name);
        if !pattern.contains('*') {
            assert_eq!(glob.matches(name), pattern == name);
        }
    }
    let Ok(images) = ImageGlob::parse(pattern) else { return };
    if let Ok(image) = name.parse::<ImageRef>() {
        let _ = images.matches(image.name());
    }
    if !pattern.contains('*') {
        if let Ok(image) = pattern.parse::<ImageRef>() {
            assert!(images.matches(image.name()), "{pattern} does not match itself");
        }
    }
});
