//! Sigstore bundles and blob signatures: read or refused, and whatever is read verifies with no key and stores as one layer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchmark_oci::{Descriptor, media_type};
use touchmark_sigstore::storage::store_bundle;
use touchmark_sigstore::{Artifact, BlobSignature, Bundle, Limits, Verifier};

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    if let Ok(bundle) = Bundle::parse(bytes, &limits) {
        let _ = (bundle.signer_hint(), bundle.log_entries(), bundle.timestamps());
        let subject = Descriptor::of(media_type::OCI_MANIFEST, b"{}");
        let stored = store_bundle(bytes.to_vec(), &subject, None, &limits).expect("it parsed before");
        assert_eq!(stored.blobs.len(), 2);
    }
    if let Ok(signature) = BlobSignature::parse(bytes, &limits) {
        let verifier = Verifier::new(Vec::new(), limits);
        assert!(verifier.verify_blob(Artifact::Bytes(b"blob"), &signature).is_err());
    }
});
