//! Answers of SPIFFE's agent: a token, or none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchmark_sign::keyless::svid_in_answer;

fuzz_target!(|body: &[u8]| {
    if let Some(token) = svid_in_answer(body) {
        assert!(!token.is_empty() && token.len() < body.len());
    }
});
