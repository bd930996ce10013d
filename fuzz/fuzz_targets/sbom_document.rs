//! SBOMs of any bytes, in every format that is read. What is read can be written in every format, and is read again from there.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchmark_sbom::{Format, ReadLimits, SbomDiff, SbomDocument};

fuzz_target!(|data: &[u8]| {
    let limits = ReadLimits::default();
    let Ok(document) = SbomDocument::read(data, &limits) else { return };
    assert!(SbomDiff::between(&document, &document).is_empty());
    for format in Format::WRITTEN {
        let converted = document.convert(format);
        assert_eq!(converted, document.convert(format));
        serde_json::from_slice::<serde_json::Value>(&converted.bytes).unwrap();
    }
});
