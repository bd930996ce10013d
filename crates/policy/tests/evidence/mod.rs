//! Keys and signed evidence for the tests of this crate, made in memory.

#![allow(dead_code, clippy::allow_attributes, reason = "each test file uses its own part")]

use std::collections::BTreeMap;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};
use touchmark_attestation::{ResourceDescriptor, Statement, pae, predicate_types};
use touchmark_oci::{Digest, PinnedRef, Tag};
use touchmark_policy::{Decision, Limits, Policy, PolicyDocument, PolicySet};
use touchmark_sigstore::storage::LayerKind;
use touchmark_sigstore::{
    Document, Evidence, EvidenceItem, Omission, Origin, Place, PublicKey, SIGNATURE_ANNOTATION,
    SimpleSigning, Verifier,
};

pub(crate) const IN_TOTO: &str = "application/vnd.in-toto+json";
pub(crate) const BUILDER: &str = "https://github.com/actions/runner/github-hosted";
pub(crate) const WORKFLOW: &str = "https://actions.github.io/buildtypes/workflow/v1";
pub(crate) const SOURCE: &str = "https://github.com/acme/app";
pub(crate) const COMMIT: &str = "c27d339ee6075c1f744c5d4b200f7901aad2c369";

/// A key pair.
pub(crate) struct Key {
    pair: Pair,
    pub(crate) public: PublicKey,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

impl Key {
    /// The Ed25519 key with this seed: always the same one.
    pub(crate) fn new(seed: u8) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        // SubjectPublicKeyInfo of an Ed25519 key, RFC 8410 §4.
        let mut der = vec![0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
        der.extend_from_slice(pair.public_key().as_ref());
        Self { public: PublicKey::from_der(&der).unwrap(), pair: Pair::Ed25519(pair) }
    }

    /// A P-256 key in PKCS#8 with its public half, both in PEM.
    pub(crate) fn from_pem(private: &str, public: &str) -> Self {
        let der = pem::parse(private).unwrap().into_contents();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der).unwrap();
        Self { public: public.parse().unwrap(), pair: Pair::P256(pair) }
    }

    pub(crate) fn pem(&self) -> String {
        self.public.to_pem()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.pair {
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::P256(pair) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
        }
    }
}

pub(crate) fn digest() -> Digest {
    Digest::of(b"the image")
}

pub(crate) fn image() -> PinnedRef {
    format!("ghcr.io/acme/app:1.0@{}", digest()).parse().unwrap()
}

/// Evidence about [`digest`], gathered piece by piece.
pub(crate) struct Gathered(pub(crate) Evidence);

impl Gathered {
    pub(crate) fn nothing() -> Self {
        let subject = format!("registry.example/copy@{}", digest()).parse().unwrap();
        Self(Evidence { subject, items: Vec::new(), searched: vec![Place::Referrers], omitted: Vec::new() })
    }

    pub(crate) fn item(mut self, place: Place, document: Document) -> Self {
        let number = self.0.items.len();
        let (manifest, blob) =
            (Digest::of(format!("m{number}").as_bytes()), Digest::of(format!("b{number}").as_bytes()));
        self.0.items.push(EvidenceItem { origin: Origin { place, manifest, blob }, document });
        self
    }

    pub(crate) fn bundle(self, key: &Key, statement: &Statement) -> Self {
        let payload = statement.to_json().unwrap();
        let signature = key.sign(&pae(IN_TOTO, &payload));
        self.raw_bundle(&key.public, IN_TOTO, &payload, &signature)
    }

    pub(crate) fn raw_bundle(
        self,
        hint: &PublicKey,
        payload_type: &str,
        payload: &[u8],
        signature: &[u8],
    ) -> Self {
        let bundle = json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": { "publicKey": { "hint": hint.id().hint() } },
            "dsseEnvelope": {
                "payload": STANDARD.encode(payload),
                "payloadType": payload_type,
                "signatures": [{ "sig": STANDARD.encode(signature) }],
            },
        });
        let bytes = serde_json::to_vec(&bundle).unwrap();
        let limits = touchmark_sigstore::Limits::default();
        self.item(Place::Referrers, Document::read(LayerKind::Bundle, &bytes, &BTreeMap::new(), &limits))
    }

    /// A signature in the bundle form.
    pub(crate) fn signature(self, key: &Key, annotations: &[(&str, Value)]) -> Self {
        self.bundle(key, &signature_of(&digest(), annotations))
    }

    /// A signature in the legacy form.
    pub(crate) fn legacy_signature(self, key: &Key, of: &Digest) -> Self {
        let payload = SimpleSigning::payload_for("ghcr.io/acme/app", of, &BTreeMap::new());
        let signature = STANDARD.encode(key.sign(&payload));
        let annotations = BTreeMap::from([(SIGNATURE_ANNOTATION.to_owned(), signature)]);
        let limits = touchmark_sigstore::Limits::default();
        let document = Document::read(LayerKind::SimpleSigning, &payload, &annotations, &limits);
        self.item(legacy(".sig"), document)
    }

    pub(crate) fn attestation(self, key: &Key, predicate_type: &str, predicate: Value) -> Self {
        self.bundle(key, &statement(&digest(), predicate_type, predicate))
    }

    pub(crate) fn sbom(self, key: &Key) -> Self {
        self.attestation(key, predicate_types::CYCLONEDX, json!({ "bomFormat": "CycloneDX" }))
    }

    pub(crate) fn provenance(self, key: &Key, predicate: Value) -> Self {
        self.attestation(key, predicate_types::SLSA_PROVENANCE_V1, predicate)
    }

    /// Something that should be a bundle and is not.
    pub(crate) fn garbage(self) -> Self {
        let limits = touchmark_sigstore::Limits::default();
        self.item(Place::Referrers, Document::read(LayerKind::Bundle, b"{}", &BTreeMap::new(), &limits))
    }

    pub(crate) fn omitted(mut self) -> Self {
        self.0.omitted.push(Omission { place: Place::Referrers, count: 7, limit: 100 });
        self
    }

    pub(crate) fn judged_by(self, policies: Vec<Policy>) -> Decision {
        self.judged_as(&image(), &PolicySet::new(policies).unwrap())
    }

    pub(crate) fn judged_as(self, image: &PinnedRef, set: &PolicySet) -> Decision {
        let verifier = Verifier::new(set.public_keys(), touchmark_sigstore::Limits::default());
        set.evaluate(image, &verifier.verify_all(self.0), now())
    }
}

pub(crate) fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

pub(crate) fn legacy(suffix: &str) -> Place {
    Place::LegacyTag(Tag::for_digest(&digest(), suffix).unwrap())
}

pub(crate) fn statement(about: &Digest, predicate_type: &str, predicate: Value) -> Statement {
    Statement::new(vec![ResourceDescriptor::of(about)], predicate_type, predicate)
}

pub(crate) fn signature_of(about: &Digest, annotations: &[(&str, Value)]) -> Statement {
    let mut subject = ResourceDescriptor::of(about);
    subject.annotations = annotations.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    Statement::new(vec![subject], predicate_types::COSIGN_SIGN, json!({}))
}

/// SLSA 1 provenance of a GitHub Actions workflow.
pub(crate) fn github_provenance(builder: &str, repository: &str, git_ref: &str) -> Value {
    json!({
        "buildDefinition": {
            "buildType": WORKFLOW,
            "externalParameters": {
                "workflow": { "ref": git_ref, "repository": repository, "path": ".github/workflows/release.yml" },
            },
            "resolvedDependencies": [
                { "uri": format!("git+{repository}@{git_ref}"), "digest": { "gitCommit": COMMIT } },
            ],
        },
        "runDetails": { "builder": { "id": builder } },
    })
}

/// Checks a policy document that names its key files `NAME.pub`.
pub(crate) fn policy(text: &str, keys: &[(&str, &Key)]) -> Policy {
    let document = PolicyDocument::parse(text, "policy.yaml", &Limits::default()).unwrap();
    let read = |file: &str| {
        let found = keys.iter().find(|(name, _)| file.strip_suffix(".pub") == Some(name));
        found.map(|(_, key)| key.pem()).ok_or_else(|| std::io::ErrorKind::NotFound.into())
    };
    document
        .check(&read, &Limits::default())
        .unwrap_or_else(|problems| panic!("{:?}", problems.iter().collect::<Vec<_>>()))
}
