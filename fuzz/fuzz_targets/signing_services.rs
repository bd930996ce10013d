//! Answers of Fulcio, Rekor in both versions, and timestamp authorities: used or refused. The first byte chooses which.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchmark_sign::keyless::{KeylessError, ServiceAnswer};

fuzz_target!(|input: &[u8]| {
    let Some((choice, answer)) = input.split_first() else {
        return;
    };
    let kind = match choice % 4 {
        0 => ServiceAnswer::Certificate,
        1 => ServiceAnswer::EntryV1,
        2 => ServiceAnswer::EntryV2,
        _ => ServiceAnswer::Timestamp,
    };
    let checked = kind.check(&"https://service.example".parse().expect("a URL"), answer);
    if let Err(error) = checked {
        assert!(matches!(error, KeylessError::Answer { .. }), "{error}");
    }
});
