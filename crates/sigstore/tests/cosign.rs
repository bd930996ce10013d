//! What cosign 2 and 3 signed (testdata/cosign) verifies, and only with the right key and for the right image.
#![expect(clippy::panic, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use touchmark_oci::{Content, ImageManifest, Manifest, media_type};
use touchmark_sigstore::storage::{DSSE_LAYER, LayerKind, Stored, find_layers, store_bundle};
use touchmark_sigstore::{
    Artifact, BlobSignature, Bundle, BundleContent, Claim, Document, KeyAlgorithm, Limits, LogProof,
    PublicKey, Rejection, SIMPLE_SIGNING, Signer, SimpleSigning, Verifier,
};

mod support;
use support::*;

const KEYS: [&str; 4] = ["p256", "p384", "ed25519", "rsa2048"];

fn manifest(bytes: Vec<u8>) -> ImageManifest {
    let content = Content::new(media_type::OCI_MANIFEST, bytes);
    match Manifest::parse(&content, &touchmark_oci::Limits::default()).unwrap() {
        Manifest::Image(image) => image,
        Manifest::Index(_) => panic!("an index"),
    }
}

/// Reads the single layer of a fixture's manifest, as it would be read from a registry.
fn document(name: &str, layer: &str) -> Document {
    let limits = Limits::default();
    let found = find_layers(&manifest(fixture(&format!("{name}.manifest.json"))), &limits);
    assert_eq!((found.layers.len(), found.omitted), (1, 0));
    let item = &found.layers[0];
    let bytes = fixture(layer);
    assert!(item.descriptor.digest.matches(&bytes));
    Document::read(item.kind, &bytes, &item.descriptor.annotations, &limits)
}

fn claim(key: &str, document: Document) -> Claim {
    let known = fixture_key(key);
    let id = known.id().clone();
    let findings = verify(vec![known], fixture_image(), document);
    assert!(findings.rejected().is_empty(), "{key}: {}", findings.rejected()[0].rejection);
    let claim = &findings.claims()[0].claim;
    assert_eq!(claim.signer(), &Signer::Key(id));
    assert_eq!(claim.proof().log, LogProof::NotShown);
    (**claim).clone()
}

fn assert_signed(claim: Claim) {
    match claim {
        Claim::Signature { annotations } => assert_eq!(annotations["env"], "prod"),
        Claim::Attestation(statement) => panic!("{statement:?}"),
    }
}

fn assert_attested(claim: Claim) {
    match claim {
        Claim::Attestation(statement) => assert_eq!(statement.predicate_type(), SBOM),
        Claim::Signature { .. } => panic!("an SBOM is no signature"),
    }
}

#[test]
fn bundles_of_cosign_3_verify() {
    for key in ["p256", "p384", "rsa2048"] {
        assert_signed(claim(key, document(&format!("sign.{key}"), &format!("sign.{key}.bundle.json"))));
        assert_attested(claim(key, document(&format!("attest.{key}"), &format!("attest.{key}.bundle.json"))));
    }
}

#[test]
fn layers_of_cosign_2_verify() {
    for key in KEYS {
        let (sig, att) = (format!("legacy.{key}.sig"), format!("legacy.{key}.att"));
        assert_signed(claim(key, document(&sig, &format!("{sig}.layer.json"))));
        assert_attested(claim(key, document(&att, &format!("{att}.layer.json"))));
    }
}

#[test]
fn ed25519ph_of_cosign_3_is_refused_and_says_why() {
    let document = document("sign.ed25519", "sign.ed25519.bundle.json");
    let findings = verify(vec![fixture_key("ed25519")], fixture_image(), document);
    let rejection = &findings.rejected()[0].rejection;
    assert!(matches!(rejection, Rejection::SignatureInvalid { algorithm: KeyAlgorithm::Ed25519, .. }));
    assert!(rejection.to_string().contains("Ed25519ph"));
}

#[test]
fn another_key_or_another_image_is_rejected() {
    for (name, layer) in [
        ("sign.p256", "sign.p256.bundle.json"),
        ("attest.p256", "attest.p256.bundle.json"),
        ("legacy.p256.sig", "legacy.p256.sig.layer.json"),
        ("legacy.p256.att", "legacy.p256.att.layer.json"),
    ] {
        let others = vec![fixture_key("p384"), fixture_key("cosign2")];
        let findings = verify(others, fixture_image(), document(name, layer));
        let rejection = &findings.rejected()[0].rejection;
        assert!(matches!(rejection, Rejection::NoKeyMatches { tried: 2, .. }), "{name}: {rejection}");
        let findings = verify(vec![fixture_key("p256")], image(), document(name, layer));
        let rejection = &findings.rejected()[0].rejection;
        assert!(matches!(rejection, Rejection::WrongSubject { .. }), "{name}: {rejection}");
    }
}

fn verify_blob(key: &str, signature: &str) -> Result<usize, Rejection> {
    let signature = BlobSignature::parse(&fixture(signature), &Limits::default()).unwrap();
    let verifier = Verifier::new(vec![fixture_key(key)], Limits::default());
    Ok(verifier.verify_blob(Artifact::Bytes(&fixture("blob.txt")), &signature)?.len())
}

#[test]
fn blob_signatures_of_both_verify() {
    for key in KEYS {
        assert_eq!(verify_blob(key, &format!("blob.{key}.bundle.json")).unwrap(), 1, "{key}");
        assert_eq!(verify_blob(key, &format!("blob.{key}.sig")).unwrap(), 1, "{key}");
    }
}

#[test]
fn the_older_blob_bundle_verifies_with_the_key_given_and_never_with_the_one_inside() {
    assert_eq!(verify_blob("p256", "blob.p256.old-bundle.json").unwrap(), 1);
    assert_eq!(verify_blob("cosign2", "blob.cosign2.old-bundle.json").unwrap(), 1);
    // GHSA-fx35-mq7g-6g98: the bundle carries the key that made it.
    let error = verify_blob("cosign2", "blob.p256.old-bundle.json").unwrap_err();
    assert!(matches!(error, Rejection::NoKeyMatches { tried: 1, .. }));
}

#[test]
fn a_digest_is_enough_where_the_signature_is_over_it() {
    let digest = touchmark_oci::Digest::of(&fixture("blob.txt"));
    for key in ["p256", "rsa2048"] {
        let signature =
            BlobSignature::parse(&fixture(&format!("blob.{key}.bundle.json")), &Limits::default());
        let verifier = Verifier::new(vec![fixture_key(key)], Limits::default());
        let verified = verifier.verify_blob(Artifact::Digest(&digest), &signature.unwrap()).unwrap();
        assert_eq!(*verified[0], digest);
    }
}

#[test]
fn keys_are_named_as_cosign_names_them() {
    for key in KEYS {
        let public = fixture_key(key);
        assert_eq!(public.to_pem().into_bytes(), fixture(&format!("{key}.pub")));
        let bundle: serde_json::Value =
            serde_json::from_slice(&fixture(&format!("sign.{key}.bundle.json"))).unwrap();
        assert_eq!(bundle["verificationMaterial"]["publicKey"]["hint"], public.id().hint());
    }
}

#[test]
fn weak_and_unknown_keys_are_refused() {
    use touchmark_sigstore::KeyError;
    let parse = |name| String::from_utf8(fixture(name)).unwrap().parse::<PublicKey>();
    assert!(matches!(parse("weak-rsa1024.pub"), Err(KeyError::WeakRsa { bits: 1024, minimum: 2048 })));
    assert!(matches!(parse("p521.pub"), Err(KeyError::Invalid { .. })));
}

#[test]
fn a_bundle_is_stored_as_cosign_stores_it() {
    for name in ["sign.p256", "attest.rsa2048"] {
        let theirs = manifest(fixture(&format!("{name}.manifest.json")));
        let created = &theirs.annotations["org.opencontainers.image.created"];
        let bytes = fixture(&format!("{name}.bundle.json"));
        let subject = theirs.subject.clone().unwrap();
        let Stored { manifest: ours, blobs } =
            store_bundle(bytes, &subject, Some(created), &Limits::default()).unwrap();
        let mut expected = theirs;
        // Not in the specification's descriptor of an empty configuration.
        expected.config.artifact_type = None;
        assert_eq!(manifest(ours.into_bytes()), expected);
        assert_eq!(blobs.len(), 2);
    }
}

#[test]
fn an_index_entry_may_lose_the_artifact_type_and_the_manifest_too() {
    let mut manifest = manifest(fixture("sign.p256.manifest.json"));
    manifest.artifact_type = None;
    assert_eq!(find_layers(&manifest, &Limits::default()).layers[0].kind, LayerKind::Bundle);
    manifest.layers[0].media_type = "application/octet-stream".to_owned();
    assert!(find_layers(&manifest, &Limits::default()).layers.is_empty());
    manifest.artifact_type = Some(touchmark_sigstore::BUNDLE_V03.to_owned());
    assert_eq!(find_layers(&manifest, &Limits::default()).layers[0].kind, LayerKind::Bundle);
}

#[test]
fn a_legacy_manifest_is_written_as_cosign_writes_it() {
    use touchmark_sigstore::storage::{LegacyLayer, append_layer};
    let limits = Limits::default();
    for kind in ["sig", "att"] {
        let theirs = manifest(fixture(&format!("legacy.p256.{kind}.manifest.json")));
        let bytes = fixture(&format!("legacy.p256.{kind}.layer.json"));
        let layer = match Document::read(
            if kind == "sig" { LayerKind::SimpleSigning } else { LayerKind::Envelope },
            &bytes,
            &theirs.layers[0].annotations,
            &limits,
        ) {
            Document::LegacySignature(layer) => LegacyLayer::signature(bytes, layer.signature()),
            Document::LegacyAttestation { envelope, .. } => LegacyLayer::attestation(&envelope, SBOM),
            other => panic!("{other:?}"),
        };
        let first = append_layer(None, &layer, &limits).unwrap();
        let ours = manifest(first.manifest.bytes().to_vec());
        if kind == "sig" {
            assert_eq!(first.blobs[0].bytes(), fixture("legacy.p256.sig.config.json"));
            assert_eq!(ours, theirs);
        } else {
            // cosign writes `"keyid":""` into the envelope; the layer differs by that.
            assert_eq!(ours.layers[0].annotations, theirs.layers[0].annotations);
            assert_eq!(ours.layers[0].media_type, DSSE_LAYER);
        }
    }
}

#[test]
fn our_simple_signing_payload_is_cosigns() {
    let theirs = fixture("legacy.p256.sig.layer.json");
    let parsed: serde_json::Value = serde_json::from_slice(&theirs).unwrap();
    let reference = parsed["critical"]["identity"]["docker-reference"].as_str().unwrap();
    let annotations = [("env".to_owned(), "prod".into())].into();
    assert_eq!(SimpleSigning::payload_for(reference, fixture_image().digest(), &annotations), theirs);
    assert_eq!(SIMPLE_SIGNING, "application/vnd.dev.cosign.simplesigning.v1+json");
}

#[test]
fn cosigns_empty_message_digest_for_ed25519_is_none() {
    let bundle = Bundle::parse(&fixture("blob.ed25519.bundle.json"), &Limits::default()).unwrap();
    assert!(matches!(bundle.content(), BundleContent::Message(message) if message.digest.is_none()));
}
