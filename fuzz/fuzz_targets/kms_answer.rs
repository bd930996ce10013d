//! Answers of key management services: a public key that verifiers take, or refused. The first byte chooses the service.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchmark_sign::kms::{Service, public_key_in_answer};
use touchmark_sigstore::PublicKey;

fuzz_target!(|input: &[u8]| {
    let Some((choice, answer)) = input.split_first() else {
        return;
    };
    let service = match choice % 4 {
        0 => Service::Aws,
        1 => Service::Gcp,
        2 => Service::Azure,
        _ => Service::Vault,
    };
    if let Ok(key) = public_key_in_answer(service, answer) {
        let again = PublicKey::from_der(key.der()).expect("an accepted key is accepted again");
        assert_eq!(again, key);
    }
});
