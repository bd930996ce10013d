//! Key references: read or refused, and what was read is written so that it reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchmark_sign::{KeyReference, KeyReferenceError};

fuzz_target!(|text: &str| {
    let Ok(reference) = text.parse::<KeyReference>() else {
        return;
    };
    let written = reference.to_string();
    match written.parse::<KeyReference>() {
        Ok(again) => assert_eq!(again.to_string(), written),
        // What is percent-encoded may be three times as long.
        Err(KeyReferenceError::TooLong { .. }) => assert!(written.len() > text.len()),
        Err(error) => panic!("what was written is no reference: {error}"),
    }
});
