//! `WWW-Authenticate` and `Link`, as a registry may write them.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    for challenge in touchmark_registry::challenge::parse_challenges(text) {
        assert!(!challenge.scheme.is_empty());
        assert!(challenge.parameters.keys().all(|name| !name.is_empty()));
    }
    if let Some(target) = touchmark_registry::challenge::next_link(text) {
        assert!(text.contains(target));
    }
});
