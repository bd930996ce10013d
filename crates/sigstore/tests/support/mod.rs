//! A key to sign with, documents signed with it, and cosign's fixtures.
#![expect(dead_code, reason = "each test file uses a part of this")]

use std::collections::BTreeMap;
use std::path::Path;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use touchmark_attestation::{IN_TOTO_PAYLOAD, pae};
use touchmark_oci::{Digest, PinnedRef};
use touchmark_sigstore::storage::LayerKind;
use touchmark_sigstore::{
    Document, Evidence, EvidenceItem, Findings, Limits, Origin, Place, PublicKey, Rejection,
    SIGNATURE_ANNOTATION, Verifier,
};

pub(crate) const IMAGE: &[u8] = b"an image manifest";
pub(crate) const OTHER: &[u8] = b"another image manifest";

pub(crate) struct TestKey(EcdsaKeyPair);

impl TestKey {
    pub(crate) fn generate() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap())
    }

    pub(crate) fn public(&self) -> PublicKey {
        use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
        let der: PublicKeyX509Der<'_> = self.0.public_key().as_der().unwrap();
        PublicKey::from_der(der.as_ref()).unwrap()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }

    pub(crate) fn envelope(&self, payload_type: &str, payload: &[u8]) -> Value {
        let signature = self.sign(&pae(payload_type, payload));
        json!({
            "payloadType": payload_type,
            "payload": STANDARD.encode(payload),
            "signatures": [{"sig": STANDARD.encode(signature)}],
        })
    }

    pub(crate) fn bundle(&self, envelope: &Value) -> Value {
        json!({
            "mediaType": touchmark_sigstore::BUNDLE_V03,
            "verificationMaterial": {"publicKey": {"hint": self.public().id().hint()}},
            "dsseEnvelope": envelope,
        })
    }

    pub(crate) fn sign_bundle(&self) -> Value {
        self.bundle(&self.envelope(IN_TOTO_PAYLOAD, statement(SIGN, IMAGE).to_string().as_bytes()))
    }

    pub(crate) fn blob_bundle(&self, blob: &[u8]) -> Value {
        json!({
            "mediaType": touchmark_sigstore::BUNDLE_V03,
            "verificationMaterial": {"publicKey": {"hint": self.public().id().hint()}},
            "messageSignature": {
                "messageDigest": {
                    "algorithm": "SHA2_256",
                    "digest": STANDARD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, blob)),
                },
                "signature": STANDARD.encode(self.sign(blob)),
            },
        })
    }
}

pub(crate) const SIGN: &str = "https://sigstore.dev/cosign/sign/v1";
pub(crate) const SBOM: &str = "https://cyclonedx.org/bom";

pub(crate) fn statement(predicate_type: &str, image: &[u8]) -> Value {
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"sha256": Digest::of(image).hex()}, "annotations": {"env": "prod"}}],
        "predicateType": predicate_type,
        "predicate": {},
    })
}

pub(crate) fn simple_signing(image: &[u8]) -> Value {
    json!({
        "critical": {
            "identity": {"docker-reference": "registry.example/app"},
            "image": {"docker-manifest-digest": Digest::of(image).to_string()},
            "type": "cosign container image signature",
        },
        "optional": {"env": "prod"},
    })
}

pub(crate) fn image() -> PinnedRef {
    format!("registry.example/app@{}", Digest::of(IMAGE)).parse().unwrap()
}

pub(crate) fn signature_annotation(signature: &[u8]) -> BTreeMap<String, String> {
    BTreeMap::from([(SIGNATURE_ANNOTATION.to_owned(), STANDARD.encode(signature))])
}

pub(crate) fn read_bundle(bundle: &Value) -> Document {
    Document::read(LayerKind::Bundle, bundle.to_string().as_bytes(), &BTreeMap::new(), &Limits::default())
}

pub(crate) fn read_envelope(envelope: &Value) -> Document {
    Document::read(LayerKind::Envelope, envelope.to_string().as_bytes(), &BTreeMap::new(), &Limits::default())
}

pub(crate) fn verify(keys: Vec<PublicKey>, subject: PinnedRef, document: Document) -> Findings {
    let origin = Origin {
        place: Place::Referrers,
        manifest: Digest::of(b"the manifest that lists it"),
        blob: Digest::of(b"the document"),
    };
    let items = vec![EvidenceItem { origin, document }];
    let evidence = Evidence { subject, items, searched: vec![Place::Referrers], omitted: Vec::new() };
    Verifier::new(keys, Limits::default()).verify_all(evidence)
}

/// The one rejection of a document; fails the test when there is a claim.
pub(crate) fn rejection(keys: Vec<PublicKey>, document: Document) -> Rejection {
    let findings = verify(keys, image(), document);
    assert!(findings.claims().is_empty(), "{:?}", findings.claims());
    findings.rejected()[0].rejection.clone()
}

pub(crate) fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/cosign").join(name)).unwrap()
}

pub(crate) fn fixture_key(name: &str) -> PublicKey {
    String::from_utf8(fixture(&format!("{name}.pub"))).unwrap().parse().unwrap()
}

/// The image that cosign's fixtures are about.
pub(crate) fn fixture_image() -> PinnedRef {
    format!("registry.example/app@{}", Digest::of(&fixture("image.manifest.json"))).parse().unwrap()
}
