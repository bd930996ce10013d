//! Identity tokens: read or refused, and no more once expired.
#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use touchmark_sign::keyless::IdentityToken;

fuzz_target!(|text: &str| {
    if let Ok(token) = IdentityToken::parse(text, Timestamp::UNIX_EPOCH) {
        let _ = (token.identity(), token.issuer());
        assert!(IdentityToken::parse(text, Timestamp::MAX).is_err());
    }
});
