//! Key references: read or refused, and what was read is written so that it reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchmark_sign::KeyReference;

fuzz_target!(|text: &str| {
    let Ok(reference) = text.parse::<KeyReference>() else {
        return;
    };
    let written = reference.to_string();
    let again: KeyReference = written.parse().expect("what was written is a reference");
    assert_eq!(again.to_string(), written);
});
