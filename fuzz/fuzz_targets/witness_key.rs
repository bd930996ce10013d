//! Keys of witnesses: read or refused; what was read is written and read again as the same key.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchmark_sigstore::WitnessKey;

fuzz_target!(|text: &str| {
    if let Ok(key) = text.parse::<WitnessKey>() {
        assert_eq!(key.to_string().parse::<WitnessKey>().expect("what was written is a key"), key);
    }
});
