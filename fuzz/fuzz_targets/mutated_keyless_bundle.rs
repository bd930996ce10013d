//! A changed keyless bundle verifies for the identity that signed the original, or not at all: the input says which bytes of a bundle of
//! the conformance suite to change.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use touchmark_sigstore::{Artifact, BlobSignature, Limits, Signer, TrustRoot, Verifier};

const BUNDLE: &[u8] =
    include_bytes!("../../testdata/conformance/sigstore/bundle-verify/happy-path-v0.3/bundle.sigstore.json");
const ARTIFACT: &[u8] = include_bytes!("../../testdata/conformance/sigstore/bundle-verify/a.txt");

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    let root = TrustRoot::public_good().expect("the shipped trust root");
    Verifier::new(Vec::new(), Limits::default()).with_trust_root(Arc::new(root))
});
static ORIGINAL: LazyLock<Vec<Signer>> = LazyLock::new(|| signers(BUNDLE));

fuzz_target!(|changes: Vec<(u16, u8)>| {
    let mut bytes = BUNDLE.to_vec();
    for (position, value) in changes {
        let position = usize::from(position) % bytes.len();
        bytes[position] = value;
    }
    assert!(!ORIGINAL.is_empty());
    assert!(signers(&bytes).iter().all(|signer| ORIGINAL.contains(signer)));
});

fn signers(bytes: &[u8]) -> Vec<Signer> {
    let Ok(signature) = BlobSignature::parse(bytes, &Limits::default()) else { return Vec::new() };
    let verified = VERIFIER.verify_blob(Artifact::Bytes(ARTIFACT), &signature).unwrap_or_default();
    verified.iter().map(|found| found.signer().clone()).collect()
}
