//! Signing configurations: read or refused, and what is read has something that proves when a signature was made.
#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use touchmark_sign::keyless::SigningServices;

fuzz_target!(|bytes: &[u8]| {
    // 2026-01-01T00:00:00Z: any time will do, as long as it is the same in every run.
    let now = Timestamp::from_second(1_767_225_600).expect("a time");
    if let Ok(services) = SigningServices::parse(bytes, now) {
        let dated = !services.timestamp_authorities().is_empty();
        assert!(dated || services.logs().iter().any(|log| log.version() == 1));
        assert!(services.logs().iter().all(|log| matches!(log.version(), 1 | 2)));
    }
});
