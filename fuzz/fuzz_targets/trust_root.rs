//! Trust roots: read or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchmark_sigstore::{Limits, TrustRoot};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(root) = TrustRoot::parse(bytes, &Limits::default()) {
        let again = TrustRoot::parse(bytes, &Limits::default()).expect("it parsed before");
        assert_eq!((root.id(), root.summary()), (again.id(), again.summary()));
    }
});
