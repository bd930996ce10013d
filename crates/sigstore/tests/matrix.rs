//! One valid document of each kind; one promise broken at a time; each has its own rejection.
#![expect(clippy::panic, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use touchmark_attestation::IN_TOTO_PAYLOAD;
use touchmark_oci::Digest;
use touchmark_sigstore::storage::LayerKind;
use touchmark_sigstore::{
    Alleged, Artifact, BlobSignature, BlobSignatureError, Bundle, BundleError, Claim, Document,
    DocumentError, JsonError, Limits, LogProof, PayloadError, Rejection, Signer, SimpleSigningError,
    Verifier,
};

mod support;
use support::*;

/// Cuts the error out of a rejection for malformed documents.
fn malformed(document: &Document) -> &DocumentError {
    match document {
        Document::Malformed(error) => error,
        other => panic!("well-formed: {other:?}"),
    }
}

fn bundle_error(bundle: &Value) -> BundleError {
    Bundle::parse(bundle.to_string().as_bytes(), &Limits::default()).unwrap_err()
}

#[test]
fn the_valid_documents_are_valid() {
    let key = TestKey::generate();
    for (document, is_signature) in [
        (read_bundle(&key.sign_bundle()), true),
        (read_bundle(&key.bundle(&envelope(&key, SBOM))), false),
        (simple_signing_layer(&key, &simple_signing(IMAGE)), true),
        (read_envelope(&envelope(&key, SBOM)), false),
        (read_envelope(&envelope(&key, SIGN)), true),
    ] {
        let findings = verify(vec![key.public()], image(), document);
        assert_eq!(matches!(*findings.claims()[0].claim, Claim::Signature { .. }), is_signature);
        assert!(findings.rejected().is_empty());
    }
}

fn envelope(key: &TestKey, predicate_type: &str) -> Value {
    key.envelope(IN_TOTO_PAYLOAD, statement(predicate_type, IMAGE).to_string().as_bytes())
}

fn simple_signing_layer(key: &TestKey, payload: &Value) -> Document {
    let payload = payload.to_string();
    let annotations = signature_annotation(&key.sign(payload.as_bytes()));
    Document::read(LayerKind::SimpleSigning, payload.as_bytes(), &annotations, &Limits::default())
}

#[test]
fn a_key_that_is_not_known_signs_nothing() {
    let (key, other) = (TestKey::generate(), TestKey::generate());
    let hint = key.public().id().hint();
    for (document, named) in [
        (read_bundle(&key.sign_bundle()), Some(hint)),
        (simple_signing_layer(&key, &simple_signing(IMAGE)), None),
        (read_envelope(&envelope(&key, SBOM)), None),
    ] {
        let rejection = rejection(vec![other.public()], document);
        assert!(matches!(rejection, Rejection::NoKeyMatches { hint, tried: 1 } if hint == named));
    }
    let rejection = rejection(vec![], read_bundle(&key.sign_bundle()));
    assert!(matches!(rejection, Rejection::NoKeyMatches { tried: 0, .. }));
}

#[test]
fn a_rejected_document_is_told_apart_by_what_it_says_it_is() {
    let (key, other) = (TestKey::generate(), TestKey::generate());
    let sbom = || Alleged::Attestation { predicate_type: SBOM.to_owned() };
    let raw = |payload_type: &str, payload: &str| {
        read_bundle(&key.bundle(&key.envelope(payload_type, payload.as_bytes())))
    };
    let long = format!(r#"{{"predicateType":"x:{}"}}"#, "x".repeat(2000));
    for (document, wanted) in [
        (read_bundle(&key.sign_bundle()), Alleged::Signature),
        (read_bundle(&key.bundle(&envelope(&key, SBOM))), sbom()),
        (read_envelope(&envelope(&key, SIGN)), Alleged::Signature),
        (read_envelope(&envelope(&key, SBOM)), sbom()),
        (simple_signing_layer(&key, &simple_signing(IMAGE)), Alleged::Signature),
        (read_bundle(&key.blob_bundle(b"blob")), Alleged::Signature),
        (read_bundle(&json!({})), Alleged::Unknown),
        (raw("application/json", r#"{"predicateType":"x:y"}"#), Alleged::Unknown),
        (raw(IN_TOTO_PAYLOAD, r#"{"predicateType":"x:y","predicateType":"x:z"}"#), Alleged::Unknown),
        (raw(IN_TOTO_PAYLOAD, &long), Alleged::Unknown),
    ] {
        let findings = verify(vec![other.public()], image(), document);
        assert!(findings.claims().is_empty());
        assert_eq!(findings.rejected()[0].alleged, wanted);
    }
}

#[test]
fn a_rejection_names_keys_by_id_and_quotes_little_of_what_a_stranger_wrote() {
    let (key, other) = (TestKey::generate(), TestKey::generate());
    let message = |hint: &str| {
        let mut bundle = key.sign_bundle();
        bundle["verificationMaterial"]["publicKey"] = json!({ "hint": hint });
        rejection(vec![other.public()], read_bundle(&bundle)).to_string()
    };
    let id = key.public().id().to_string();
    assert!(message(&key.public().id().hint()).ends_with(&format!("it names key {id}")));
    assert!(message("my\nkey").ends_with(r#"it names key "my\nkey""#));
    let long = message(&"é".repeat(100_000));
    assert!(long.contains(&"é".repeat(128)) && long.chars().count() < 300, "{long}");
}

#[test]
fn a_changed_payload_or_signature_is_invalid() {
    let key = TestKey::generate();
    let mut payload = key.sign_bundle();
    payload["dsseEnvelope"]["payload"] = envelope(&key, SBOM)["payload"].clone();
    let mut payload_type = key.sign_bundle();
    payload_type["dsseEnvelope"]["payloadType"] = json!("application/json");
    let mut signature = key.sign_bundle();
    signature["dsseEnvelope"]["signatures"][0]["sig"] = json!("AAAA");
    for bundle in [payload, payload_type, signature] {
        let rejection = rejection(vec![key.public()], read_bundle(&bundle));
        assert!(
            matches!(rejection, Rejection::SignatureInvalid { key: named, tried: 1, .. } if named == *key.public().id())
        );
    }
}

#[test]
fn a_wrong_hint_changes_nothing() {
    let (key, other) = (TestKey::generate(), TestKey::generate());
    for hint in [json!({}), json!({"hint": "x"}), json!({"hint": other.public().id().hint()})] {
        let mut bundle = key.sign_bundle();
        bundle["verificationMaterial"]["publicKey"] = hint;
        let findings = verify(vec![other.public(), key.public()], image(), read_bundle(&bundle));
        assert_eq!(findings.claims()[0].claim.signer().to_string(), format!("key {}", key.public().id()));
    }
}

#[test]
fn a_statement_about_another_image_is_the_wrong_subject() {
    let key = TestKey::generate();
    let bundled = key.envelope(IN_TOTO_PAYLOAD, statement(SIGN, OTHER).to_string().as_bytes());
    for document in [
        read_bundle(&key.bundle(&bundled)),
        read_envelope(&bundled),
        simple_signing_layer(&key, &simple_signing(OTHER)),
    ] {
        let rejection = rejection(vec![key.public()], document);
        assert!(matches!(
            rejection,
            Rejection::WrongSubject { found, wanted, .. }
                if found == [Digest::of(OTHER).to_string()] && wanted == Digest::of(IMAGE)
        ));
    }
}

#[test]
fn the_digest_under_another_algorithms_name_is_the_wrong_subject() {
    let key = TestKey::generate();
    let mut renamed = statement(SIGN, IMAGE);
    renamed["subject"][0]["digest"] = json!({"sha512": Digest::of(IMAGE).hex()});
    let bundle = key.bundle(&key.envelope(IN_TOTO_PAYLOAD, renamed.to_string().as_bytes()));
    assert!(matches!(rejection(vec![key.public()], read_bundle(&bundle)), Rejection::WrongSubject { .. }));
}

#[test]
fn the_name_of_a_subject_proves_nothing() {
    let key = TestKey::generate();
    let mut named = statement(SIGN, OTHER);
    named["subject"][0]["name"] = json!(image().to_string());
    let bundle = key.bundle(&key.envelope(IN_TOTO_PAYLOAD, named.to_string().as_bytes()));
    assert!(matches!(rejection(vec![key.public()], read_bundle(&bundle)), Rejection::WrongSubject { .. }));
}

#[test]
fn another_payload_type_is_not_read() {
    let key = TestKey::generate();
    let wrong = key.envelope("application/json", statement(SIGN, IMAGE).to_string().as_bytes());
    for document in [read_bundle(&key.bundle(&wrong)), read_envelope(&wrong)] {
        let rejection = rejection(vec![key.public()], document);
        assert!(
            matches!(rejection, Rejection::WrongPayloadType { found, .. } if found == "application/json")
        );
    }
}

#[test]
fn a_signed_payload_that_is_no_statement_or_two_at_once_is_malformed() {
    let key = TestKey::generate();
    let reject = |payload: &str| {
        let envelope = key.envelope(IN_TOTO_PAYLOAD, payload.as_bytes());
        match rejection(vec![key.public()], read_envelope(&envelope)) {
            Rejection::MalformedPayload { signer, source }
                if signer == Signer::Key(key.public().id().clone()) =>
            {
                source
            }
            other => panic!("{other:?}"),
        }
    };
    assert!(matches!(&*reject("{}"), PayloadError::Statement(_)));
    let twice =
        statement(SIGN, IMAGE).to_string().replacen(r#""predicate":"#, r#""predicate":1,"predicate":"#, 1);
    assert!(
        matches!(&*reject(&twice), PayloadError::Json(JsonError::DuplicateMember { name }) if name == "predicate")
    );
    let deep = statement(SBOM, IMAGE).to_string().replacen(
        r#""predicate":{}"#,
        &format!(r#""predicate":{}1{}"#, "[".repeat(110), "]".repeat(110)),
        1,
    );
    assert!(matches!(&*reject(&deep), PayloadError::Json(JsonError::TooDeep { limit: 100 })));
}

#[test]
fn a_second_signature_takes_nothing_from_the_first() {
    let key = TestKey::generate();
    let mut bundle = key.sign_bundle();
    let signature = bundle["dsseEnvelope"]["signatures"][0].clone();
    bundle["dsseEnvelope"]["signatures"] = json!([{"sig": "AAAA"}, signature, signature]);
    let findings = verify(vec![key.public()], image(), read_bundle(&bundle));
    assert_eq!((findings.claims().len(), findings.rejected().len()), (1, 0));
    bundle["dsseEnvelope"]["signatures"] = json!([{"sig": "AAAA"}, {"sig": "AAAB"}]);
    let rejection = rejection(vec![key.public()], read_bundle(&bundle));
    assert!(matches!(rejection, Rejection::SignatureInvalid { .. }));
}

#[test]
fn a_legacy_envelope_with_several_signatures_gives_a_claim_for_each_known_key() {
    let (one, two, stranger) = (TestKey::generate(), TestKey::generate(), TestKey::generate());
    let mut shared = envelope(&one, SBOM);
    let signatures = [&one, &two, &stranger, &one].map(|key| envelope(key, SBOM)["signatures"][0].clone());
    shared["signatures"] = json!(signatures);
    let keys = vec![one.public(), two.public(), one.public()];
    let findings = verify(keys, image(), read_envelope(&shared));
    let signers: Vec<String> =
        findings.claims().iter().map(|found| found.claim.signer().to_string()).collect();
    assert_eq!(signers, [one, two].map(|key| format!("key {}", key.public().id())));
}

#[test]
fn a_blobs_signature_says_nothing_about_an_image() {
    let key = TestKey::generate();
    let rejection = rejection(vec![key.public()], read_bundle(&key.blob_bundle(IMAGE)));
    assert!(matches!(rejection, Rejection::BlobSignature));
}

#[test]
fn a_certificate_is_keyless_even_beside_a_valid_signature() {
    let key = TestKey::generate();
    for material in [
        json!({"certificate": {"rawBytes": "AAAA"}}),
        json!({"x509CertificateChain": {"certificates": [{"rawBytes": "AAAA"}]}}),
    ] {
        let mut bundle = key.sign_bundle();
        bundle["verificationMaterial"] = material;
        let rejection = rejection(vec![key.public()], read_bundle(&bundle));
        assert!(matches!(rejection, Rejection::NoTrustRoot { identity: None }));
    }
}

#[test]
fn a_legacy_layer_with_a_certificate_and_no_known_key_is_keyless() {
    let (key, other) = (TestKey::generate(), TestKey::generate());
    let payload = simple_signing(IMAGE).to_string();
    let mut annotations = signature_annotation(&key.sign(payload.as_bytes()));
    annotations
        .insert("dev.sigstore.cosign/certificate".to_owned(), "-----BEGIN CERTIFICATE-----".to_owned());
    let read =
        || Document::read(LayerKind::SimpleSigning, payload.as_bytes(), &annotations, &Limits::default());
    assert!(matches!(rejection(vec![other.public()], read()), Rejection::NoTrustRoot { .. }));
    assert_eq!(verify(vec![key.public()], image(), read()).claims().len(), 1);
}

#[test]
fn log_entries_are_counted_and_not_believed() {
    let key = TestKey::generate();
    let mut bundle = key.sign_bundle();
    bundle["verificationMaterial"]["tlogEntries"] = json!([{
        "logIndex": "1", "logId": {"keyId": "AAAA"}, "kindVersion": {"kind": "dsse", "version": "0.0.1"},
        "integratedTime": "1700000000", "canonicalizedBody": "e30=",
    }]);
    let findings = verify(vec![key.public()], image(), read_bundle(&bundle));
    assert_eq!(findings.claims()[0].claim.proof().log, LogProof::NotVerified { entries: 1 });
    let payload = simple_signing(IMAGE).to_string();
    let mut annotations = signature_annotation(&key.sign(payload.as_bytes()));
    annotations.insert("dev.sigstore.cosign/bundle".to_owned(), "{}".to_owned());
    let layer =
        Document::read(LayerKind::SimpleSigning, payload.as_bytes(), &annotations, &Limits::default());
    let findings = verify(vec![key.public()], image(), layer);
    assert_eq!(findings.claims()[0].claim.proof().log, LogProof::NotVerified { entries: 1 });
}

#[test]
fn malformed_bundles_are_rejected_with_what_is_wrong() {
    let key = TestKey::generate();
    let valid = key.sign_bundle();
    let change = |edit: &dyn Fn(&mut Value)| {
        let mut bundle = valid.clone();
        edit(&mut bundle);
        bundle_error(&bundle)
    };
    let error = change(&|bundle| bundle["mediaType"] = json!("application/json"));
    assert!(matches!(error, BundleError::MediaType { found } if found == "application/json"));
    let error = change(&|bundle| drop(bundle.as_object_mut().unwrap().remove("mediaType")));
    assert!(matches!(error, BundleError::MediaType { found } if found.is_empty()));
    let error = change(&|bundle| bundle["verificationMaterial"] = json!({}));
    assert!(matches!(error, BundleError::Signers { count: 0 }));
    let error = change(&|bundle| bundle["verificationMaterial"]["certificate"] = json!({"rawBytes": "AAAA"}));
    assert!(matches!(error, BundleError::Signers { count: 2 }));
    let error = change(&|bundle| drop(bundle.as_object_mut().unwrap().remove("dsseEnvelope")));
    assert!(matches!(error, BundleError::NoContent));
    let error = change(&|bundle| bundle["messageSignature"] = json!({"signature": "AAAA"}));
    assert!(matches!(error, BundleError::TwoContents));
    let error = change(&|bundle| bundle["dsseEnvelope"]["signatures"] = json!([]));
    assert!(matches!(error, BundleError::Envelope(_)));
    let error = change(&|bundle| bundle["verificationMaterial"] = json!(1));
    assert!(matches!(error, BundleError::Members(_)));
}

#[test]
fn ambiguous_or_oversized_bundles_are_rejected() {
    let key = TestKey::generate();
    let text = key.sign_bundle().to_string();
    let twice = text.replacen(r#""mediaType":"#, r#""mediaType":"x","mediaType":"#, 1);
    let error = Bundle::parse(twice.as_bytes(), &Limits::default()).unwrap_err();
    assert!(matches!(error, BundleError::Json(JsonError::DuplicateMember { .. })));
    let mut limits = Limits::default();
    limits.max_bundle_bytes = text.len() - 1;
    assert!(matches!(Bundle::parse(text.as_bytes(), &limits), Err(BundleError::TooLarge { .. })));
    let mut limits = Limits::default();
    limits.max_log_entries = 0;
    let mut bundle = key.sign_bundle();
    bundle["verificationMaterial"]["timestampVerificationData"] =
        json!({"rfc3161Timestamps": [{"signedTimestamp": "AAAA"}]});
    let error = Bundle::parse(bundle.to_string().as_bytes(), &limits).unwrap_err();
    assert!(matches!(error, BundleError::TooManyLogEntries { count: 1, limit: 0 }));
}

#[test]
fn malformed_layers_are_rejected_with_what_is_wrong() {
    let key = TestKey::generate();
    let read = |payload: &str, signature: Option<&str>| {
        let annotations =
            signature.map(|text| ("dev.cosignproject.cosign/signature".to_owned(), text.to_owned()));
        let annotations = annotations.into_iter().collect();
        Document::read(LayerKind::SimpleSigning, payload.as_bytes(), &annotations, &Limits::default())
    };
    let valid = simple_signing(IMAGE).to_string();
    let cut = |document: Document| match malformed(&document) {
        DocumentError::SimpleSigning(error) => error.to_string(),
        other => panic!("{other}"),
    };
    assert_eq!(cut(read(&valid, None)), SimpleSigningError::NoSignature.to_string());
    assert!(cut(read(&valid, Some("*"))).contains("not base64"));
    assert!(cut(read("{}", Some(""))).contains("not valid"));
    assert!(
        cut(read(&valid.replace("cosign container", "atomic container"), Some("")))
            .contains("atomic container")
    );
    assert!(cut(read(&valid.replacen('{', r#"{"optional":null,"#, 1), Some(""))).contains("not readable"));
    let document = read(&"x".repeat((1 << 20) + 1), Some(""));
    assert!(matches!(
        malformed(&document),
        DocumentError::SimpleSigning(SimpleSigningError::TooLarge { .. })
    ));
    let rejection = rejection(vec![key.public()], document);
    assert!(matches!(rejection, Rejection::Malformed { .. }));
    let document = read_envelope(&json!({"payloadType": 1}));
    assert!(matches!(malformed(&document), DocumentError::Envelope(_)));
    let document = Document::read(LayerKind::Envelope, br#"{"a":1,"a":2}"#, &[].into(), &Limits::default());
    assert!(matches!(malformed(&document), DocumentError::Json(_)));
}

#[test]
fn a_blob_bundle_holds_for_its_blob_only() {
    let key = TestKey::generate();
    let verifier = Verifier::new(vec![key.public()], Limits::default());
    let check = |bundle: &Value, blob: &[u8]| {
        let signature = BlobSignature::parse(bundle.to_string().as_bytes(), &Limits::default()).unwrap();
        verifier.verify_blob(Artifact::Bytes(blob), &signature).map(|verified| (*verified[0]).clone())
    };
    let valid = key.blob_bundle(b"blob");
    assert_eq!(check(&valid, b"blob").unwrap(), Digest::of(b"blob"));
    assert!(matches!(check(&valid, b"other"), Err(Rejection::WrongArtifact { .. })));
    let mut no_digest = valid.clone();
    no_digest["messageSignature"].as_object_mut().unwrap().remove("messageDigest");
    assert!(check(&no_digest, b"blob").is_ok());
    assert!(matches!(check(&no_digest, b"other"), Err(Rejection::SignatureInvalid { .. })));
    let mut lying = valid.clone();
    lying["messageSignature"]["messageDigest"] =
        key.blob_bundle(b"other")["messageSignature"]["messageDigest"].clone();
    assert!(matches!(check(&lying, b"blob"), Err(Rejection::WrongArtifact { .. })));
    assert!(matches!(check(&lying, b"other"), Err(Rejection::SignatureInvalid { .. })));
    assert!(matches!(check(&key.sign_bundle(), b"blob"), Err(Rejection::NotABlobSignature)));
    let mut certified = valid;
    certified["verificationMaterial"] = json!({"certificate": {"rawBytes": "AAAA"}});
    assert!(matches!(check(&certified, b"blob"), Err(Rejection::NoTrustRoot { .. })));
}

#[test]
fn a_blob_attestation_holds_for_its_subject_only() {
    let key = TestKey::generate();
    let verifier = Verifier::new(vec![key.public()], Limits::default());
    let bundle = key.bundle(&envelope(&key, SBOM));
    let bundle = Bundle::parse(bundle.to_string().as_bytes(), &Limits::default()).unwrap();
    let verified = verifier.verify_blob_attestation(&Digest::of(IMAGE), &bundle).unwrap();
    assert_eq!(verified[0].predicate_type(), SBOM);
    let error = verifier.verify_blob_attestation(&Digest::of(OTHER), &bundle).unwrap_err();
    assert!(matches!(error, Rejection::WrongSubject { .. }));
}

#[test]
fn what_is_no_blob_signature_is_refused() {
    let parse = |text: &str| BlobSignature::parse(text.as_bytes(), &Limits::default());
    assert!(matches!(parse("not base64!"), Err(BlobSignatureError::Base64(_))));
    assert!(matches!(parse(r#"{"base64Signature":"*"}"#), Err(BlobSignatureError::Base64(_))));
    assert!(matches!(parse(r#"{"a":1,"a":1}"#), Err(BlobSignatureError::Json(_))));
    assert!(matches!(parse("{}"), Err(BlobSignatureError::Bundle(_))));
    let mut limits = Limits::default();
    limits.max_bundle_bytes = 1;
    assert!(matches!(
        BlobSignature::parse(b"AAAA", &limits),
        Err(BlobSignatureError::TooLarge { size: 4, limit: 1 })
    ));
}

#[test]
fn a_rejection_says_what_was_found_and_what_was_wanted() {
    let (key, other) = (TestKey::generate(), TestKey::generate());
    let text = rejection(vec![other.public()], read_bundle(&key.sign_bundle())).to_string();
    assert!(text.starts_with("none of 1 keys made the signature; it names key "), "{text}");
    let bundle = key.bundle(&key.envelope(IN_TOTO_PAYLOAD, statement(SIGN, OTHER).to_string().as_bytes()));
    let text = rejection(vec![key.public()], read_bundle(&bundle)).to_string();
    assert!(
        text.contains(&Digest::of(OTHER).to_string()) && text.contains(&Digest::of(IMAGE).to_string()),
        "{text}"
    );
}
