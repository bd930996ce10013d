//! What cosign 1 and 2 keep in a layer's annotations: whatever it is, without a valid signature it proves nothing.
#![no_main]

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use touchmark_oci::{Digest, PinnedRef};
use touchmark_sigstore::storage::LayerKind;
use touchmark_sigstore::{
    CERTIFICATE_ANNOTATION, Document, Evidence, EvidenceItem, LOG_ANNOTATION, Limits, Origin, Place,
    SIGNATURE_ANNOTATION, SimpleSigning, TIMESTAMP_ANNOTATION, TrustRoot, Verifier,
};

static TRUST_ROOT: LazyLock<Arc<TrustRoot>> =
    LazyLock::new(|| Arc::new(TrustRoot::public_good().expect("the shipped trust root")));

fuzz_target!(|annotations: (&str, Option<&str>, Option<&str>, Option<&str>)| {
    let (signature, certificate, log, timestamp) = annotations;
    let named = [
        (SIGNATURE_ANNOTATION, Some(signature)),
        (CERTIFICATE_ANNOTATION, certificate),
        (LOG_ANNOTATION, log),
        (TIMESTAMP_ANNOTATION, timestamp),
    ];
    let annotations: BTreeMap<String, String> =
        named.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.to_owned()))).collect();
    let digest = Digest::of(b"image");
    let payload = SimpleSigning::payload_for("registry.example/app", &digest, &BTreeMap::new());
    let limits = Limits::default();
    let document = Document::read(LayerKind::SimpleSigning, &payload, &annotations, &limits);
    let origin = Origin { place: Place::Referrers, manifest: Digest::of(b""), blob: Digest::of(&payload) };
    let subject: PinnedRef = format!("registry.example/app@{digest}").parse().expect("a reference");
    let items = vec![EvidenceItem { origin, document }];
    let evidence = Evidence { subject, items, searched: Vec::new(), omitted: Vec::new() };
    let verifier = Verifier::new(Vec::new(), limits).with_trust_root(Arc::clone(&TRUST_ROOT));
    assert!(verifier.verify_all(evidence).claims().is_empty());
});
