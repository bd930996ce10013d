//! Layers of legacy manifests: read or refused; a payload keeps its exact bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchmark_sigstore::{Limits, SIGNATURE_ANNOTATION, SimpleSigning};

fuzz_target!(|input: (Vec<u8>, String)| {
    let (payload, signature) = input;
    let annotations = [(SIGNATURE_ANNOTATION.to_owned(), signature)].into();
    if let Ok(layer) = SimpleSigning::parse(&payload, &annotations, &Limits::default()) {
        assert_eq!(layer.dangerous_payload(), payload);
    }
});
