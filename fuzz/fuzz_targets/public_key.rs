//! Public keys: read or refused; what was read is written and read again as the same key.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchmark_sigstore::{Limits, PublicKey};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(key) = PublicKey::from_der(bytes) {
        assert_eq!(key.to_pem().parse::<PublicKey>().expect("what was written is a key"), key);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        for key in PublicKey::parse_pem_all(text, &Limits::default()).unwrap_or_default() {
            assert_eq!(PublicKey::from_der(key.der()).expect("it was one before").id(), key.id());
        }
    }
});
