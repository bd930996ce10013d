//! Private key files: read or refused, without deriving anything from a password.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchmark_sign::KeyFile;
use touchmark_sigstore::Limits;

fuzz_target!(|text: &str| {
    let limits = Limits::default();
    if let Ok(KeyFile::Encrypted(key)) = KeyFile::parse(text, &limits) {
        let again = KeyFile::parse(&key.to_pem(), &limits).expect("what was written is a key file");
        assert!(matches!(again, KeyFile::Encrypted(again) if again == key));
    }
});
