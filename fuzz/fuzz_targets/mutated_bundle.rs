//! A changed bundle claims what the original claims, or nothing: the input says which bytes of a bundle by cosign to change.
#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use touchmark_oci::{Digest, PinnedRef};
use touchmark_sigstore::storage::LayerKind;
use touchmark_sigstore::{Claim, Document, Evidence, EvidenceItem, Limits, Origin, Place, Verifier};

const BUNDLE: &[u8] = include_bytes!("../../testdata/cosign/sign.p256.bundle.json");
const KEY: &str = include_str!("../../testdata/cosign/p256.pub");
const IMAGE: &[u8] = include_bytes!("../../testdata/cosign/image.manifest.json");

static ORIGINAL: LazyLock<Option<Claim>> = LazyLock::new(|| claim(BUNDLE));

fuzz_target!(|changes: Vec<(u16, u8)>| {
    let mut bytes = BUNDLE.to_vec();
    for (position, value) in changes {
        let position = usize::from(position) % bytes.len();
        bytes[position] = value;
    }
    let found = claim(&bytes);
    assert!(ORIGINAL.is_some());
    assert!(found.is_none() || found == *ORIGINAL);
});

fn claim(bytes: &[u8]) -> Option<Claim> {
    let subject: PinnedRef =
        format!("registry.example/app@{}", Digest::of(IMAGE)).parse().expect("a reference");
    let limits = Limits::default();
    let document = Document::read(LayerKind::Bundle, bytes, &BTreeMap::new(), &limits);
    let origin = Origin { place: Place::Referrers, manifest: Digest::of(b""), blob: Digest::of(bytes) };
    let items = vec![EvidenceItem { origin, document }];
    let evidence = Evidence { subject, items, searched: Vec::new(), omitted: Vec::new() };
    let findings = Verifier::new(vec![KEY.parse().expect("a key")], limits).verify_all(evidence);
    findings.claims().first().map(|found| (*found.claim).clone())
}
