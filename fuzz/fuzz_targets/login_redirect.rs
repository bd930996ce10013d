//! What a browser comes back with after a login: read or not, whatever it is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchmark_sign::keyless::Redirect;

fuzz_target!(|head: &[u8]| {
    if let Some(redirect) = Redirect::parse(head) {
        assert!(head.starts_with(b"GET /"), "{redirect:?}");
    }
});
