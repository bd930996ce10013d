//! No changed byte of a signed document changes what is claimed.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use touchmark_sigstore::storage::LayerKind;
use touchmark_sigstore::{Claim, Document, Limits};

mod support;
use support::*;

/// What a document proves: the claim, and nothing if it is rejected.
fn claim(kind: LayerKind, bytes: &[u8], annotations: &BTreeMap<String, String>) -> Option<Claim> {
    let document = Document::read(kind, bytes, annotations, &Limits::default());
    let findings = verify(vec![fixture_key("p256")], fixture_image(), document);
    findings.claims().first().map(|found| (*found.claim).clone())
}

/// Where in the text the value of an unsigned member is: a change there may go unnoticed, and says nothing else.
fn unsigned(text: &str, members: &[&str]) -> Vec<std::ops::Range<usize>> {
    let ranges = members.iter().map(|member| {
        let start = text.find(member).unwrap();
        start..start + member.len()
    });
    ranges.collect()
}

/// Flips each bit of each byte. A document that still verifies must claim the same, and the byte must be in an unsigned part.
fn flip_all(kind: LayerKind, bytes: &[u8], annotations: &BTreeMap<String, String>, members: &[&str]) {
    let original = claim(kind, bytes, annotations).unwrap();
    let free = unsigned(std::str::from_utf8(bytes).unwrap(), members);
    for position in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.to_vec();
            changed[position] ^= 1 << bit;
            let Some(found) = claim(kind, &changed, annotations) else {
                continue;
            };
            assert_eq!(found, original, "byte {position} bit {bit}");
            assert!(
                free.iter().any(|range| range.contains(&position)),
                "byte {position} bit {bit} is not signed"
            );
        }
    }
}

#[test]
fn no_flipped_bit_of_a_bundle_goes_unnoticed_but_in_its_hint() {
    let bytes = fixture("sign.p256.bundle.json");
    let text = String::from_utf8(bytes.clone()).unwrap();
    let hint = fixture_key("p256").id().hint();
    assert!(text.contains(&hint));
    flip_all(LayerKind::Bundle, &bytes, &BTreeMap::new(), &[r#""hint":""#, &hint]);
}

#[test]
fn no_flipped_bit_of_a_simple_signing_payload_goes_unnoticed() {
    let bytes = fixture("legacy.p256.sig.layer.json");
    let manifest: serde_json::Value =
        serde_json::from_slice(&fixture("legacy.p256.sig.manifest.json")).unwrap();
    let annotations = serde_json::from_value(manifest["layers"][0]["annotations"].clone()).unwrap();
    flip_all(LayerKind::SimpleSigning, &bytes, &annotations, &[]);
}

#[test]
fn no_flipped_bit_of_an_envelope_goes_unnoticed_but_in_its_key_id() {
    let bytes = fixture("legacy.p256.att.layer.json");
    flip_all(LayerKind::Envelope, &bytes, &BTreeMap::new(), &[r#""keyid":"","#]);
}

proptest! {
    #[test]
    fn a_spliced_bundle_claims_the_same_or_nothing(start in 0_usize..700, length in 0_usize..40, with in ".{0,20}") {
        let mut bytes = fixture("sign.p256.bundle.json");
        let original = claim(LayerKind::Bundle, &bytes, &BTreeMap::new());
        let start = start.min(bytes.len());
        let end = (start + length).min(bytes.len());
        bytes.splice(start..end, with.into_bytes());
        let found = claim(LayerKind::Bundle, &bytes, &BTreeMap::new());
        prop_assert!(found.is_none() || found == original);
    }

    #[test]
    fn no_bytes_make_a_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for kind in [LayerKind::Bundle, LayerKind::SimpleSigning, LayerKind::Envelope] {
            Document::read(kind, &bytes, &BTreeMap::new(), &Limits::default());
        }
        let _ = touchmark_sigstore::PublicKey::from_der(&bytes);
        let _ = touchmark_sigstore::BlobSignature::parse(&bytes, &Limits::default());
    }
}
