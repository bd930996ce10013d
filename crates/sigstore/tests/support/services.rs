//! Envelopes and files signed by an identity or a key, and logged with the testkit's Sigstore in one way or another.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sigstore_crypto::{KeyPair, sha256};
use sigstore_types::DerCertificate;
use touchmark_attestation::{IN_TOTO_PAYLOAD, pae};
use touchmark_testkit::{Clock, Identity, Options, Sigstore};

pub(crate) const ARTIFACT: &[u8] = b"what is signed\n";
pub(crate) const EMAIL: &str = "someone@example.com";

/// A Sigstore of the past, so that none of its times is in the future.
pub(crate) async fn start(witnesses: usize) -> Sigstore {
    let clock = Clock::at("2026-02-03T04:05:06Z".parse().unwrap());
    Sigstore::start(Options { witnesses, ..Options::at(clock) }).await
}

/// Someone with a key, and perhaps a certificate for it.
pub(crate) struct Holder<'a> {
    sigstore: &'a Sigstore,
    pub(crate) key: KeyPair,
    certificate: Option<DerCertificate>,
}

impl<'a> Holder<'a> {
    pub(crate) fn of_key(sigstore: &'a Sigstore) -> Self {
        Self { sigstore, key: KeyPair::generate_ecdsa_p256().unwrap(), certificate: None }
    }

    pub(crate) async fn certified(sigstore: &'a Sigstore) -> Self {
        let mut holder = Self::of_key(sigstore);
        let proof = holder.key.sign(EMAIL.as_bytes()).unwrap();
        let body = json!({
            "credentials": {"oidcIdentityToken": sigstore.token(&Identity::email(EMAIL))},
            "publicKeyRequest": {
                "publicKey": {"algorithm": "ECDSA", "content": holder.key.public_key_der().unwrap().to_pem()},
                "proofOfPossession": STANDARD.encode(proof.as_bytes()),
            },
        });
        let answer = holder.post("/api/v2/signingCert", &body).await;
        let chain = ["signedCertificateEmbeddedSct", "signedCertificateDetachedSct"];
        let chain = chain.iter().find_map(|kind| answer.get(kind)).unwrap();
        let leaf = chain["chain"]["certificates"][0].as_str().unwrap();
        holder.certificate = Some(DerCertificate::from_pem(leaf).unwrap());
        holder
    }

    /// The same holder, who uses the services of another Sigstore from now on.
    pub(crate) fn at(self, sigstore: &'a Sigstore) -> Self {
        Self { sigstore, ..self }
    }

    pub(crate) fn public(&self) -> touchmark_sigstore::PublicKey {
        touchmark_sigstore::PublicKey::from_der(self.key.public_key_der().unwrap().as_bytes()).unwrap()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.key.sign(message).unwrap().as_bytes().to_vec()
    }

    /// PEM of certificate or key, in base64 once more.
    pub(crate) fn pem(&self) -> String {
        STANDARD.encode(match &self.certificate {
            Some(certificate) => certificate.to_pem(),
            None => self.key.public_key_der().unwrap().to_pem(),
        })
    }

    /// A verifier as Rekor 2 takes it.
    fn verifier(&self) -> Value {
        let details = "PKIX_ECDSA_P256_SHA_256";
        match &self.certificate {
            Some(certificate) => {
                let raw = STANDARD.encode(certificate.as_bytes());
                json!({"keyDetails": details, "x509Certificate": {"rawBytes": raw}})
            }
            None => {
                let raw = STANDARD.encode(self.key.public_key_der().unwrap().as_bytes());
                json!({"keyDetails": details, "publicKey": {"rawBytes": raw}})
            }
        }
    }

    /// What says in a bundle who signed.
    fn material(&self) -> Value {
        match &self.certificate {
            Some(certificate) => {
                json!({"certificate": {"rawBytes": STANDARD.encode(certificate.as_bytes())}})
            }
            None => json!({"publicKey": {"hint": self.public().id().hint()}}),
        }
    }

    /// A bundle of version 0.3.
    pub(crate) fn bundle(&self, envelope: &Value, entries: &[Value], timestamps: &[Vec<u8>]) -> Value {
        let mut material = self.material();
        let tokens = timestamps.iter().map(|token| json!({"signedTimestamp": STANDARD.encode(token)}));
        material["tlogEntries"] = json!(entries);
        material["timestampVerificationData"] = json!({"rfc3161Timestamps": tokens.collect::<Vec<_>>()});
        json!({
            "mediaType": touchmark_sigstore::BUNDLE_V03,
            "verificationMaterial": material,
            "dsseEnvelope": envelope,
        })
    }

    pub(crate) async fn intoto_v001(&self, envelope: &Value) -> Value {
        let spec = json!({"content": {"envelope": go(envelope)}, "publicKey": self.pem()});
        self.log_v1(&json!({"kind": "intoto", "apiVersion": "0.0.1", "spec": spec})).await
    }

    pub(crate) async fn dsse_v001(&self, envelope: &Value, signers: &[&Self]) -> Value {
        let verifiers: Vec<_> = signers.iter().map(|signer| signer.pem()).collect();
        let spec = json!({"proposedContent": {"envelope": envelope.to_string(), "verifiers": verifiers}});
        self.log_v1(&json!({"kind": "dsse", "apiVersion": "0.0.1", "spec": spec})).await
    }

    pub(crate) async fn intoto_v002(&self, envelope: &Value, signers: &[&Self]) -> Value {
        let twice = |value: &Value| STANDARD.encode(value.as_str().unwrap());
        let signatures = envelope["signatures"].as_array().unwrap().iter().zip(signers);
        let signatures: Vec<_> = signatures
            .map(|(one, signer)| json!({"sig": twice(&one["sig"]), "publicKey": signer.pem()}))
            .collect();
        let envelope = json!({
            "payloadType": envelope["payloadType"], "payload": twice(&envelope["payload"]), "signatures": signatures,
        });
        let spec = json!({"content": {"envelope": envelope}});
        self.log_v1(&json!({"kind": "intoto", "apiVersion": "0.0.2", "spec": spec})).await
    }

    pub(crate) async fn dsse_v002(&self, envelope: &Value, signers: &[&Self]) -> Value {
        let verifiers: Vec<_> = signers.iter().map(|signer| signer.verifier()).collect();
        self.post(
            "/api/v2/log/entries",
            &json!({"dsseRequestV002": {"envelope": envelope, "verifiers": verifiers}}),
        )
        .await
    }

    pub(crate) async fn hashedrekord_v002(&self, digest: &[u8], signature: &[u8]) -> Value {
        let signature = json!({"content": STANDARD.encode(signature), "verifier": self.verifier()});
        let request = json!({"digest": STANDARD.encode(digest), "signature": signature});
        self.post("/api/v2/log/entries", &json!({"hashedRekordRequestV002": request})).await
    }

    pub(crate) async fn hashedrekord_v001(&self, artifact: &[u8], signature: &[u8]) -> Value {
        let request = json!({"kind": "hashedrekord", "apiVersion": "0.0.1", "spec": {
            "data": {"hash": {"algorithm": "sha256", "value": sha256(artifact).to_hex()}},
            "signature": {"content": STANDARD.encode(signature), "publicKey": {"content": self.pem()}},
        }});
        self.log_v1(&request).await
    }

    /// An entry of Rekor 1 as it stands in a bundle.
    async fn log_v1(&self, request: &Value) -> Value {
        let answer = self.post("/api/v1/log/entries", request).await;
        let entry = answer.as_object().unwrap().values().next().unwrap().clone();
        let proof = &entry["verification"]["inclusionProof"];
        let base64 = |hash: &Value| STANDARD.encode(hex::decode(hash.as_str().unwrap()).unwrap());
        json!({
            "logIndex": entry["logIndex"].to_string(),
            "logId": {"keyId": base64(&entry["logID"])},
            "kindVersion": {"kind": request["kind"], "version": request["apiVersion"]},
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

    /// A timestamp token over a signature (RFC 3161 §2.4.1: version, SHA-256 imprint, certificate wanted).
    pub(crate) async fn timestamp(&self, signature: &[u8]) -> Vec<u8> {
        let head = "30 36 02 01 01 30 2f 30 0b 06 09 60 86 48 01 65 03 04 02 01 04 20".replace(' ', "");
        let mut query = hex::decode(head).unwrap();
        query.extend(sha256(signature).as_bytes());
        query.extend([0x01, 0x01, 0xff]);
        query[1] = u8::try_from(query.len() - 2).unwrap();
        let request = reqwest::Client::new()
            .post(self.sigstore.timestamp_url())
            .header("content-type", "application/timestamp-query")
            .body(query);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.bytes().await.unwrap().to_vec()
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let request = reqwest::Client::new().post(format!("{}{path}", self.sigstore.url())).json(body);
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
        answer.json().await.unwrap()
    }
}

/// A statement about [`ARTIFACT`], with a signature of each.
pub(crate) fn envelope(signers: &[&Holder<'_>]) -> Value {
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "artifact", "digest": {"sha256": sha256(ARTIFACT).to_hex()}}],
        "predicateType": "https://example.com/predicate",
        "predicate": {},
    });
    signed(&statement.to_string(), signers)
}

pub(crate) fn signed(payload: &str, signers: &[&Holder<'_>]) -> Value {
    let message = pae(IN_TOTO_PAYLOAD, payload.as_bytes());
    let signatures = signers.iter().map(|signer| json!({"sig": STANDARD.encode(signer.sign(&message))}));
    json!({
        "payloadType": IN_TOTO_PAYLOAD,
        "payload": STANDARD.encode(payload),
        "signatures": signatures.collect::<Vec<_>>(),
    })
}

pub(crate) fn signature(envelope: &Value, place: usize) -> Vec<u8> {
    STANDARD.decode(envelope["signatures"][place]["sig"].as_str().unwrap()).unwrap()
}

/// As Go writes it: members in the order of the structure, a `keyid` always.
pub(crate) fn go(envelope: &Value) -> String {
    let signatures = envelope["signatures"].as_array().unwrap().iter();
    let signatures: Vec<_> =
        signatures.map(|one| format!(r#"{{"keyid":"","sig":{}}}"#, one["sig"])).collect();
    format!(
        r#"{{"payloadType":{},"payload":{},"signatures":[{}]}}"#,
        envelope["payloadType"],
        envelope["payload"],
        signatures.join(",")
    )
}
