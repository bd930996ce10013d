//! Whatever a statement says, its facts are read without a panic, and a source that is read has one normal form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchmark_attestation::{Limits, Statement};
use touchmark_provenance::{BuildFacts, Material, SourceUri};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = text.parse::<Material>();
        if let Ok(uri) = text.parse::<SourceUri>() {
            assert_eq!(uri.to_string().parse::<SourceUri>().as_ref(), Ok(&uri));
        }
    }
    let Ok(statement) = Statement::parse(bytes, &Limits::default()) else { return };
    let Ok(facts) = BuildFacts::of(&statement) else { return };
    if let Ok(source) = facts.source {
        assert_eq!(source.uri.to_string().parse::<SourceUri>().as_ref(), Ok(&source.uri));
    }
});
