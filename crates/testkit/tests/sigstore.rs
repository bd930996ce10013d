//! Bundles made with the testkit's Sigstore, one request after the other, as another verifier sees them.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use der::asn1::{ObjectIdentifier, OctetString};
use der::{Encode, Sequence};
use serde_json::{Value, json};
use sigstore_verify::crypto::{KeyPair, sha256};
use sigstore_verify::trust_root::TrustedRoot;
use sigstore_verify::types::{Bundle, DerCertificate};
use sigstore_verify::{
    CertificateError, Error, TimestampError, TransparencyLogError, VerificationPolicy, VerificationResult,
};
use touchmark_testkit::{Authority, Clock, Fault, Identity, Misbehaviour, Options, Sigstore};

const ARTIFACT: &[u8] = b"what is signed\n";
const EMAIL: &str = "someone@example.com";

#[tokio::test]
async fn a_blob_in_rekor_v1_verifies() {
    let sigstore = start().await;
    let bundle = Signer::new(&sigstore).await.blob(Rekor::V1).await;
    let result = verify(&sigstore, &bundle).unwrap();
    assert!(result.sct_verified() && result.tlog_verified());
    assert_eq!(result.integrated_time(), Some(sigstore.clock().now()));
}

#[tokio::test]
async fn a_blob_in_rekor_v2_with_a_timestamp_verifies() {
    let sigstore = start().await;
    let bundle = Signer::new(&sigstore).await.blob(Rekor::V2).await;
    let result = verify(&sigstore, &bundle).unwrap();
    assert!(result.sct_verified() && result.tlog_verified());
    assert_eq!(result.verified_timestamps(), [sigstore.clock().now()]);
}

#[tokio::test]
async fn witnesses_sign_beside_the_log() {
    let options = Options { witnesses: 2, ..Options::at(start().await.clock().clone()) };
    let sigstore = Sigstore::start(options).await;
    let bundle = Signer::new(&sigstore).await.blob(Rekor::V2).await;
    verify(&sigstore, &bundle).unwrap();
    let proof = &bundle["verificationMaterial"]["tlogEntries"][0]["inclusionProof"];
    let checkpoint = proof["checkpoint"]["envelope"].as_str().unwrap();
    let names: Vec<&str> =
        checkpoint.lines().filter_map(|line| line.strip_prefix("\u{2014} ")?.split(' ').next()).collect();
    assert_eq!(names, ["127.0.0.1", "witness-1.example", "witness-2.example"]);
}

#[tokio::test]
async fn tokens_are_signed_with_the_key_that_discovery_leads_to() {
    let sigstore = start().await;
    let configuration: Value =
        get(&sigstore, "/.well-known/openid-configuration").await.json().await.unwrap();
    assert_eq!(configuration["issuer"], sigstore.url());
    let keys = reqwest::get(configuration["jwks_uri"].as_str().unwrap()).await.unwrap();
    let key = keys.json::<Value>().await.unwrap()["keys"][0].clone();
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    let part = |name: &str| decode(key[name].as_str().unwrap());
    let point = [vec![4], part("x"), part("y")].concat();
    let token = sigstore.token(&Identity::email(EMAIL));
    let (signed, signature) = token.rsplit_once('.').unwrap();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
        .verify(signed.as_bytes(), &decode(signature))
        .unwrap();
}

#[tokio::test]
async fn a_statement_verifies_in_both_logs() {
    let sigstore = start().await;
    let signer = Signer::new(&sigstore).await;
    verify(&sigstore, &signer.statement(Rekor::V1).await).unwrap();
    verify(&sigstore, &signer.statement(Rekor::V2).await).unwrap();
}

#[tokio::test]
async fn a_certificate_says_what_the_token_said() {
    let sigstore = start().await;
    let workflow = "example/project/.github/workflows/release.yml@refs/tags/v1";
    let identity = Identity::uri("repo:example/project:ref:refs/tags/v1")
        .claim("job_workflow_ref", workflow)
        .claim("repository", "example/project")
        .claim("runner_environment", "github-hosted");
    let bundle = Signer::with(&sigstore, &identity).await.blob(Rekor::V1).await;
    let identity = format!("https://github.com/{workflow}");
    let policy = VerificationPolicy::new(identity.as_str(), sigstore.url());
    let result = verify_with(&sigstore, &bundle, &policy).unwrap();
    let claims = format!("{:?}", result.certificate().unwrap());
    assert!(claims.contains("https://github.com/example/project"), "{claims}");
    assert!(claims.contains("github-hosted"), "{claims}");
}

#[tokio::test]
async fn a_token_of_another_time_or_issuer_gets_no_certificate() {
    let sigstore = start().await;
    let token = sigstore.token(&Identity::email(EMAIL));
    let key = KeyPair::generate_ecdsa_p256().unwrap();
    let other = start().await.token(&Identity::email(EMAIL));
    assert_eq!(certificate(&sigstore, &other, &key, EMAIL).await.unwrap_err(), 401);
    assert_eq!(certificate(&sigstore, &token, &key, "someone else").await.unwrap_err(), 400);
    sigstore.clock().advance(jiff::SignedDuration::from_hours(2));
    assert_eq!(certificate(&sigstore, &token, &key, EMAIL).await.unwrap_err(), 401);
}

#[tokio::test]
async fn a_signing_request_proves_possession_as_well() {
    let sigstore = start().await;
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let request = rcgen::CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
    let body = json!({
        "credentials": {"oidcIdentityToken": sigstore.token(&Identity::email(EMAIL))},
        "certificateSigningRequest": STANDARD.encode(request),
    });
    let answer = post(&sigstore, "/api/v2/signingCert", &body).await;
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
}

#[tokio::test]
async fn an_entry_is_in_rekor_v1_once() {
    let sigstore = start().await;
    let signer = Signer::new(&sigstore).await;
    let request = signer.hashedrekord(&signer.sign(ARTIFACT));
    let first = post(&sigstore, "/api/v1/log/entries", &request).await;
    let location = first.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(first.status(), 201);
    let second = post(&sigstore, "/api/v1/log/entries", &request).await;
    assert_eq!(second.status(), 409);
    assert_eq!(second.headers()["location"], location.as_str());
    let found: Value = get(&sigstore, &location).await.json().await.unwrap();
    let first: Value = first.json().await.unwrap();
    let body = |entries: &Value| entries.as_object().unwrap().values().next().unwrap()["body"].clone();
    assert_eq!(body(&found), body(&first));
}

#[tokio::test]
async fn rekor_v2_keeps_the_digest_and_the_signature_of_an_envelope() {
    let sigstore = start().await;
    let signer = Signer::new(&sigstore).await;
    let signature = STANDARD.encode(signer.sign(b"DSSEv1 10 text/plain 5 hello"));
    let payload = STANDARD.encode("hello");
    let signatures = json!([{"sig": signature}]);
    let envelope = json!({"payload": payload, "payloadType": "text/plain", "signatures": signatures});
    let request = json!({"dsseRequestV002": {"envelope": envelope, "verifiers": [signer.verifier()]}});
    let answer = post(&sigstore, "/api/v2/log/entries", &request).await;
    assert_eq!(answer.status(), 201);
    let entry: Value = answer.json().await.unwrap();
    assert_eq!(entry["kindVersion"], json!({"kind": "dsse", "version": "0.0.2"}));
    let body = STANDARD.decode(entry["canonicalizedBody"].as_str().unwrap()).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let kept = &body["spec"]["dsseV002"];
    assert_eq!(kept["payloadHash"]["digest"], STANDARD.encode(sha256(b"hello").as_bytes()));
    assert_eq!(kept["signatures"], json!([{"content": signature, "verifier": signer.verifier()}]));
}

#[tokio::test]
async fn a_log_takes_no_entry_whose_signature_is_wrong() {
    let sigstore = start().await;
    let signer = Signer::new(&sigstore).await;
    let request = signer.hashedrekord(&signer.sign(b"something else"));
    assert_eq!(post(&sigstore, "/api/v1/log/entries", &request).await.status(), 400);
    let signature =
        json!({"content": STANDARD.encode(signer.sign(b"something else")), "verifier": signer.verifier()});
    let digest = STANDARD.encode(sha256(ARTIFACT).as_bytes());
    let request = json!({"hashedRekordRequestV002": {"digest": digest, "signature": signature}});
    assert_eq!(post(&sigstore, "/api/v2/log/entries", &request).await.status(), 400);
}

#[tokio::test]
async fn a_wrong_root_hash_is_noticed() {
    let wrong = |bad: &mut Misbehaviour| bad.wrong_root_hash = true;
    for rekor in [Rekor::V1, Rekor::V2] {
        let error = refused(rekor, wrong).await;
        assert!(matches!(error, Error::TransparencyLog(TransparencyLogError::InclusionProof(_))), "{error}");
    }
}

#[tokio::test]
async fn a_stale_checkpoint_is_noticed() {
    for rekor in [Rekor::V1, Rekor::V2] {
        let error = refused(rekor, |bad| bad.stale_checkpoint = true).await;
        // The checkpoint and the proof are compared as the bundle is taken apart.
        assert!(matches!(error, Error::Bundle(_)), "{error}");
    }
}

#[tokio::test]
async fn a_wrong_log_key_is_noticed() {
    let wrong = |bad: &mut Misbehaviour| bad.wrong_log_key = true;
    let error = refused(Rekor::V1, wrong).await;
    assert!(matches!(error, Error::TransparencyLog(TransparencyLogError::InclusionPromise(_))), "{error}");
    let error = refused(Rekor::V2, wrong).await;
    assert!(matches!(error, Error::TransparencyLog(TransparencyLogError::Checkpoint(_))), "{error}");
}

#[tokio::test]
async fn a_missing_or_wrong_certificate_timestamp_is_noticed() {
    let error = refused(Rekor::V1, |bad| bad.missing_sct = true).await;
    assert!(matches!(error, Error::Certificate(CertificateError::Sct(_))), "{error}");
    let error = refused(Rekor::V1, |bad| bad.wrong_ct_log_key = true).await;
    assert!(matches!(error, Error::Certificate(CertificateError::Sct(_))), "{error}");
}

#[tokio::test]
async fn an_expired_authority_is_noticed() {
    let error = refused_by_root(Rekor::V1, Authority::Certificates).await;
    assert!(matches!(error, Error::Certificate(CertificateError::NoValidAuthority { .. })), "{error}");
    let error = refused_by_root(Rekor::V1, Authority::RekorV1).await;
    assert!(matches!(error, Error::TransparencyLog(_)), "{error}");
    let error = refused_by_root(Rekor::V1, Authority::CtLog).await;
    assert!(matches!(error, Error::Certificate(CertificateError::Sct(_))), "{error}");
    let error = refused_by_root(Rekor::V2, Authority::Timestamps).await;
    assert!(matches!(error, Error::Timestamp(TimestampError::OutsideAuthorityValidity { .. })), "{error:?}");
}

#[tokio::test]
async fn a_split_view_is_sound_in_itself_and_differs_from_the_public_one() {
    let sigstore = start().await;
    let signer = Signer::new(&sigstore).await;
    sigstore.set(|bad| bad.split_view = true);
    let bundle = signer.blob(Rekor::V1).await;
    verify(&sigstore, &bundle).unwrap();
    sigstore.set(|bad| bad.split_view = false);
    let public: Value = get(&sigstore, "/api/v1/log").await.json().await.unwrap();
    let proof = &bundle["verificationMaterial"]["tlogEntries"][0]["inclusionProof"];
    assert_eq!(proof["treeSize"], public["treeSize"].to_string());
    let shown = STANDARD.decode(proof["rootHash"].as_str().unwrap()).unwrap();
    assert_ne!(hex::encode(shown), public["rootHash"].as_str().unwrap());
}

#[tokio::test]
async fn a_log_may_ask_for_patience() {
    let sigstore = start().await;
    let fault = Fault::times("/api/v2/log/entries", 429, 2).header("retry-after", "1");
    sigstore.set(|bad| bad.faults.push(fault));
    for expected in [429, 429, 400] {
        let answer = post(&sigstore, "/api/v2/log/entries", &json!({})).await;
        assert_eq!(answer.status(), expected);
        assert_eq!(answer.headers().contains_key("retry-after"), expected == 429);
    }
}

#[tokio::test]
async fn an_answer_may_be_cut_off() {
    let sigstore = start().await;
    sigstore.set(|bad| {
        bad.cut_off.insert("/trustBundle".to_owned());
    });
    let answer = get(&sigstore, "/api/v2/trustBundle").await;
    assert_eq!(answer.status(), 200);
    let error = answer.bytes().await.unwrap_err();
    assert!(error.is_body() || error.is_decode(), "{error:?}");
}

#[tokio::test]
async fn an_answer_may_be_slow() {
    let sigstore = start().await;
    sigstore.set(|bad| bad.delay = std::time::Duration::from_secs(60));
    let client = reqwest::Client::builder().timeout(std::time::Duration::from_millis(50)).build().unwrap();
    let error = client.get(format!("{}/keys", sigstore.url())).send().await.unwrap_err();
    assert!(error.is_timeout());
}

#[tokio::test]
async fn the_tuf_repository_leads_from_its_timestamp_to_the_trusted_root() {
    let sigstore = start().await;
    let file = async |name: &str| get(&sigstore, &format!("/tuf/{name}")).await.text().await.unwrap();
    let meta = |text: &str| serde_json::from_str::<Value>(text).unwrap()["signed"].clone();
    let root = file("1.root.json").await;
    assert_eq!(root, sigstore.tuf_root());
    let (id, key) = meta(&root)["keys"]
        .as_object()
        .unwrap()
        .iter()
        .next()
        .map(|(id, key)| (id.clone(), key.clone()))
        .unwrap();
    let key = hex::decode(key["keyval"]["public"].as_str().unwrap()).unwrap();
    for name in ["1.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"] {
        // What is signed comes second in the file as written, after the signatures.
        let text = file(name).await;
        let (signatures, signed) = text.strip_suffix('}').unwrap().split_once(",\"signed\":").unwrap();
        let signatures: Value = serde_json::from_str(&format!("{signatures}}}")).unwrap();
        let signature = &signatures["signatures"][0];
        assert_eq!(signature["keyid"], id);
        let signature = hex::decode(signature["sig"].as_str().unwrap()).unwrap();
        UnparsedPublicKey::new(&ED25519, &key).verify(signed.as_bytes(), &signature).unwrap();
    }
    let described = |meta: &Value, text: &str| {
        assert_eq!(meta["hashes"]["sha256"], sha256(text.as_bytes()).to_hex());
        assert_eq!(meta["length"], text.len());
    };
    let snapshot = file("1.snapshot.json").await;
    described(&meta(&file("timestamp.json").await)["meta"]["snapshot.json"], &snapshot);
    let targets = file("1.targets.json").await;
    described(&meta(&snapshot)["meta"]["targets.json"], &targets);
    let root = sigstore.trusted_root();
    described(&meta(&targets)["targets"]["trusted_root.json"], &root);
    let name = format!("targets/{}.trusted_root.json", sha256(root.as_bytes()).to_hex());
    assert_eq!(file(&name).await, root);
}

#[tokio::test]
async fn the_tiles_of_rekor_v2_have_the_root_of_its_checkpoint() {
    let sigstore = start().await;
    Signer::new(&sigstore).await.blob(Rekor::V2).await;
    let checkpoint = get(&sigstore, "/api/v2/checkpoint").await.text().await.unwrap();
    let tile = get(&sigstore, "/api/v2/tile/0/000.p/2").await.bytes().await.unwrap();
    let root = sha256(&[&[1], tile.as_ref()].concat());
    let lines: Vec<&str> = checkpoint.lines().collect();
    assert_eq!(lines[..3], ["127.0.0.1", "2", STANDARD.encode(root.as_bytes()).as_str()]);
}

#[derive(Clone, Copy, PartialEq)]
enum Rekor {
    V1,
    V2,
}

/// Someone with a key and a certificate for it.
struct Signer<'a> {
    sigstore: &'a Sigstore,
    key: KeyPair,
    certificate: DerCertificate,
}

impl<'a> Signer<'a> {
    async fn new(sigstore: &'a Sigstore) -> Self {
        Self::with(sigstore, &Identity::email(EMAIL)).await
    }

    async fn with(sigstore: &'a Sigstore, identity: &Identity) -> Self {
        let key = KeyPair::generate_ecdsa_p256().unwrap();
        let token = sigstore.token(identity);
        let certificate = certificate(sigstore, &token, &key, &identity.subject).await.unwrap();
        Self { sigstore, key, certificate }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.key.sign(message).unwrap().as_bytes().to_vec()
    }

    fn pem(&self) -> String {
        STANDARD.encode(self.certificate.to_pem())
    }

    /// A verifier as Rekor v2 takes it.
    fn verifier(&self) -> Value {
        let raw = STANDARD.encode(self.certificate.as_bytes());
        json!({"keyDetails": "PKIX_ECDSA_P256_SHA_256", "x509Certificate": {"rawBytes": raw}})
    }

    fn hashedrekord(&self, signature: &[u8]) -> Value {
        json!({"kind": "hashedrekord", "apiVersion": "0.0.1", "spec": {
            "data": {"hash": {"algorithm": "sha256", "value": sha256(ARTIFACT).to_hex()}},
            "signature": {"content": STANDARD.encode(signature), "publicKey": {"content": self.pem()}},
        }})
    }

    async fn blob(&self, rekor: Rekor) -> Value {
        let signature = self.sign(ARTIFACT);
        let digest = STANDARD.encode(sha256(ARTIFACT).as_bytes());
        let entry = match rekor {
            Rekor::V1 => self.log_v1("hashedrekord", &self.hashedrekord(&signature)).await,
            Rekor::V2 => self.log_v2(&digest, &signature).await,
        };
        let content = json!({
            "messageDigest": {"algorithm": "SHA2_256", "digest": digest},
            "signature": STANDARD.encode(&signature),
        });
        self.bundle("messageSignature", &content, entry, &signature, rekor).await
    }

    async fn statement(&self, rekor: Rekor) -> Value {
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "artifact", "digest": {"sha256": sha256(ARTIFACT).to_hex()}}],
            "predicateType": "https://example.com/predicate",
            "predicate": {},
        });
        let (kind, payload) = ("application/vnd.in-toto+json", statement.to_string());
        let signed = format!("DSSEv1 {} {kind} {} {payload}", kind.len(), payload.len());
        let signature = self.sign(signed.as_bytes());
        let envelope = json!({
            "payload": STANDARD.encode(&payload),
            "payloadType": kind,
            "signatures": [{"sig": STANDARD.encode(&signature)}],
        });
        let entry = match rekor {
            Rekor::V1 => {
                let content = json!({"envelope": envelope.to_string(), "verifiers": [self.pem()]});
                let spec = json!({"proposedContent": content});
                self.log_v1("dsse", &json!({"kind": "dsse", "apiVersion": "0.0.1", "spec": spec})).await
            }
            Rekor::V2 => {
                let digest = STANDARD.encode(sha256(signed.as_bytes()).as_bytes());
                self.log_v2(&digest, &signature).await
            }
        };
        self.bundle("dsseEnvelope", &envelope, entry, &signature, rekor).await
    }

    async fn log_v1(&self, kind: &str, request: &Value) -> Value {
        let answer = post(self.sigstore, "/api/v1/log/entries", request).await;
        let answer: Value = answer.json().await.unwrap();
        let entry = answer.as_object().unwrap().values().next().unwrap().clone();
        let proof = &entry["verification"]["inclusionProof"];
        let base64 = |hash: &Value| STANDARD.encode(hex::decode(hash.as_str().unwrap()).unwrap());
        json!({
            "logIndex": entry["logIndex"].to_string(),
            "logId": {"keyId": base64(&entry["logID"])},
            "kindVersion": {"kind": kind, "version": "0.0.1"},
            "integratedTime": entry["integratedTime"].to_string(),
            "inclusionPromise": {"signedEntryTimestamp": entry["verification"]["signedEntryTimestamp"]},
            "inclusionProof": {
                "logIndex": proof["logIndex"].to_string(),
                "rootHash": base64(&proof["rootHash"]),
                "treeSize": proof["treeSize"].to_string(),
                "hashes": proof["hashes"].as_array().unwrap().iter().map(base64).collect::<Vec<_>>(),
                "checkpoint": {"envelope": proof["checkpoint"]},
            },
            "canonicalizedBody": entry["body"],
        })
    }

    async fn log_v2(&self, digest: &str, signature: &[u8]) -> Value {
        let signature = json!({"content": STANDARD.encode(signature), "verifier": self.verifier()});
        let request = json!({"hashedRekordRequestV002": {"digest": digest, "signature": signature}});
        let answer = post(self.sigstore, "/api/v2/log/entries", &request).await;
        assert_eq!(answer.status(), 201);
        answer.json().await.unwrap()
    }

    /// A bundle of version 0.3, with a timestamp where the log gives no time.
    async fn bundle(
        &self,
        kind: &str,
        content: &Value,
        entry: Value,
        signature: &[u8],
        rekor: Rekor,
    ) -> Value {
        let mut timestamps = Vec::new();
        if rekor == Rekor::V2 {
            let timestamp = timestamp(self.sigstore, signature).await;
            timestamps.push(json!({"signedTimestamp": STANDARD.encode(timestamp)}));
        }
        json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": {"rawBytes": STANDARD.encode(self.certificate.as_bytes())},
                "tlogEntries": [entry],
                "timestampVerificationData": {"rfc3161Timestamps": timestamps},
            },
            kind: content,
        })
    }
}

/// The status when there is no certificate.
async fn certificate(
    sigstore: &Sigstore,
    token: &str,
    key: &KeyPair,
    holder: &str,
) -> Result<DerCertificate, u16> {
    let proof = key.sign(holder.as_bytes()).unwrap();
    let body = json!({
        "credentials": {"oidcIdentityToken": token},
        "publicKeyRequest": {
            "publicKey": {"algorithm": "ECDSA", "content": key.public_key_der().unwrap().to_pem()},
            "proofOfPossession": STANDARD.encode(proof.as_bytes()),
        },
    });
    let answer = post(sigstore, "/api/v2/signingCert", &body).await;
    if answer.status() != 200 {
        return Err(answer.status().as_u16());
    }
    let answer: Value = answer.json().await.unwrap();
    let kinds = ["signedCertificateEmbeddedSct", "signedCertificateDetachedSct"];
    let chain = kinds.iter().find_map(|kind| answer.get(kind)).unwrap();
    let leaf = chain["chain"]["certificates"][0].as_str().unwrap();
    Ok(DerCertificate::from_pem(leaf).unwrap())
}

#[derive(Sequence)]
struct Query {
    version: u8,
    imprint: Imprint,
    certificate_requested: bool,
}

#[derive(Sequence)]
struct Imprint {
    algorithm: Algorithm,
    digest: OctetString,
}

#[derive(Sequence)]
struct Algorithm {
    oid: ObjectIdentifier,
}

async fn timestamp(sigstore: &Sigstore, signature: &[u8]) -> Vec<u8> {
    let algorithm = Algorithm { oid: ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1") };
    let digest = OctetString::new(sha256(signature).as_bytes().to_vec()).unwrap();
    let query = Query { version: 1, imprint: Imprint { algorithm, digest }, certificate_requested: true };
    let request = reqwest::Client::new()
        .post(sigstore.timestamp_url())
        .header("content-type", "application/timestamp-query")
        .body(query.to_der().unwrap());
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.bytes().await.unwrap().to_vec()
}

async fn start() -> Sigstore {
    Sigstore::start(Options::at(Clock::at("2026-02-03T04:05:06Z".parse().unwrap()))).await
}

async fn post(sigstore: &Sigstore, path: &str, body: &Value) -> reqwest::Response {
    reqwest::Client::new().post(format!("{}{path}", sigstore.url())).json(body).send().await.unwrap()
}

async fn get(sigstore: &Sigstore, path: &str) -> reqwest::Response {
    reqwest::get(format!("{}{path}", sigstore.url())).await.unwrap()
}

fn verify(sigstore: &Sigstore, bundle: &Value) -> Result<VerificationResult, Error> {
    verify_with(sigstore, bundle, &VerificationPolicy::new(EMAIL, sigstore.url()))
}

fn verify_with(
    sigstore: &Sigstore,
    bundle: &Value,
    policy: &VerificationPolicy,
) -> Result<VerificationResult, Error> {
    let root = TrustedRoot::from_json(&sigstore.trusted_root()).unwrap();
    let bundle = Bundle::from_json(&bundle.to_string()).unwrap();
    sigstore_verify::verify(ARTIFACT, &bundle, policy, &root)
}

/// Why a bundle is refused that was made while Sigstore misbehaved like this.
async fn refused(rekor: Rekor, change: impl FnOnce(&mut Misbehaviour)) -> Error {
    let sigstore = start().await;
    sigstore.set(change);
    let bundle = Signer::new(&sigstore).await.blob(rekor).await;
    verify(&sigstore, &bundle).unwrap_err()
}

/// Why a good bundle is refused by a trusted root in which this authority's time was over.
async fn refused_by_root(rekor: Rekor, authority: Authority) -> Error {
    let sigstore = start().await;
    let bundle = Signer::new(&sigstore).await.blob(rekor).await;
    verify(&sigstore, &bundle).unwrap();
    sigstore.set(|bad| {
        bad.expired.insert(authority);
    });
    verify(&sigstore, &bundle).unwrap_err()
}
