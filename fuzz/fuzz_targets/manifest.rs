//! Manifests, indexes and image configurations: whatever a registry answers is read within the limits or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchmark_oci::{Content, ImageConfig, Limits, Manifest, media_type};

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    for media_type in [media_type::OCI_MANIFEST, media_type::OCI_INDEX, media_type::DOCKER_MANIFEST, ""] {
        let content = Content::new(media_type, bytes.to_vec());
        match Manifest::parse(&content, &limits) {
            // What was read can be written, and reads the same.
            Ok(Manifest::Image(image)) => {
                let again = Manifest::parse(&image.to_content(), &limits);
                assert!(matches!(again, Ok(Manifest::Image(same)) if same == image));
            }
            Ok(manifest) => drop(manifest.subject()),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
        assert_eq!(content.bytes(), bytes);
    }
    let _ = ImageConfig::parse(bytes, &limits);
});
