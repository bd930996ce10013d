//! What is kept of a TUF repository, and a root that somebody names: no bytes make the reader panic, and none are trusted.

#![no_main]

use libfuzzer_sys::fuzz_target;
use touchmark_tuf::{Cache, Limits, Repository};

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    let Some(repository) = Repository::public_good(None) else { return };
    if let Ok(own) = Repository::new(repository.mirror(), bytes.to_vec(), &limits) {
        assert_eq!(own.root(), bytes);
    }
    if let Ok(cache) = Cache::parse(bytes, &limits) {
        // Nobody who fuzzes holds the keys of the public good instance.
        assert!(repository.verify(&cache).is_err());
    }
});
