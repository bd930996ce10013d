//! Google Cloud KMS.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use touchmark_sign::kms::{KmsError, RemoteKey};
use touchmark_sign::{KeyKind, PrivateKey, SignatureFormat};

use crate::service::{self, Asked, Service, key, open};
use crate::{MESSAGE, signature, signs};

const GCP_KEY: &str = "projects/p/locations/l/keyRings/r/cryptoKeys/k";

fn crc32c(bytes: &[u8]) -> String {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    (!crc).to_string()
}

/// Google, with changes to what it answers.
async fn gcp(key: Arc<PrivateKey>, algorithm: &'static str, changes: Value) -> Service {
    Service::start(move |asked| {
        let mut answer = gcp_answer(&key, algorithm, asked);
        for (name, value) in changes.as_object().unwrap() {
            if answer.get(name).is_some() {
                answer[name] = value.clone();
            }
        }
        service::json(&answer)
    })
    .await
}

fn gcp_answer(key: &PrivateKey, algorithm: &str, asked: &Asked) -> Value {
    if asked.path.contains("/token") {
        return json!({ "access_token": "t", "expires_in": 3600 });
    }
    assert_eq!(asked.header("authorization"), "Bearer t");
    if asked.path.contains("pageSize") {
        let name = |version: u8| json!({ "name": format!("{GCP_KEY}/cryptoKeyVersions/{version}") });
        return json!({ "cryptoKeyVersions": [name(9), name(10)] });
    }
    let version = format!("/v1/{GCP_KEY}/cryptoKeyVersions/10");
    if asked.path == format!("{version}/publicKey") {
        let pem = key.public_key().to_pem();
        return json!({ "pem": pem, "algorithm": algorithm, "pemCrc32c": crc32c(pem.as_bytes()) });
    }
    assert_eq!(asked.path, format!("{version}:asymmetricSign"));
    let body = asked.json();
    let (name, sum) = if algorithm == "EC_SIGN_ED25519" {
        ("/data", "dataCrc32c")
    } else {
        ("/digest/sha256", "digestCrc32c")
    };
    let sent = STANDARD.decode(body.pointer(name).unwrap().as_str().unwrap()).unwrap();
    assert_eq!(body[sum], crc32c(&sent));
    let signature = signature(key);
    json!({
        "signature": STANDARD.encode(&signature),
        "signatureCrc32c": crc32c(&signature),
        "verifiedDigestCrc32c": name != "/data",
        "verifiedDataCrc32c": name == "/data",
    })
}

async fn gcp_key(service: &Service) -> RemoteKey {
    let reference = format!("gcpkms://{GCP_KEY}");
    let variables = [
        ("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS", service.origin.as_str()),
        ("GCE_METADATA_HOST", service.host()),
    ];
    open(&reference, &variables).await.unwrap()
}

#[tokio::test]
async fn google_signs_with_the_newest_version() {
    for (kind, algorithm) in [
        (KeyKind::EcdsaP256, "EC_SIGN_P256_SHA256"),
        (KeyKind::Ed25519, "EC_SIGN_ED25519"),
        (KeyKind::Rsa3072, "RSA_SIGN_PKCS1_3072_SHA256"),
    ] {
        let key = key(kind);
        let service = gcp(Arc::clone(&key), algorithm, json!({})).await;
        signs(&gcp_key(&service).await, &key).await;
        assert_eq!(service.asked()[0].header("metadata-flavor"), "Google");
    }
}

#[tokio::test]
async fn google_answers_that_were_damaged_are_found() {
    for (changes, field) in [
        (json!({ "pemCrc32c": "1" }), "pemCrc32c"),
        (json!({ "signatureCrc32c": "1" }), "signatureCrc32c"),
        (json!({ "verifiedDigestCrc32c": false }), "verifiedDigestCrc32c"),
    ] {
        let service = gcp(key(KeyKind::EcdsaP256), "EC_SIGN_P256_SHA256", changes).await;
        let error = gcp_key(&service).await.sign(MESSAGE, SignatureFormat::Bundle).await.unwrap_err();
        assert!(matches!(error, KmsError::Checksum { field: found, .. } if found == field), "{field}");
    }
    let service = gcp(key(KeyKind::Ed25519), "EC_SIGN_ED25519", json!({ "verifiedDataCrc32c": false })).await;
    let error = gcp_key(&service).await.sign(MESSAGE, SignatureFormat::Bundle).await.unwrap_err();
    assert!(matches!(error, KmsError::Checksum { .. }));
    let service = gcp(key(KeyKind::Rsa3072), "RSA_SIGN_PSS_3072_SHA256", json!({})).await;
    let error = gcp_key(&service).await.public_key().await.unwrap_err();
    assert!(matches!(error, KmsError::Use { .. }));
}

#[tokio::test]
async fn google_service_accounts_sign_their_assertion() {
    let (key, account) = (key(KeyKind::EcdsaP256), key(KeyKind::Rsa3072));
    let service = gcp(Arc::clone(&key), "EC_SIGN_P256_SHA256", json!({})).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("account.json");
    let contents = json!({
        "type": "service_account",
        "client_email": "a@p.iam.gserviceaccount.com",
        "private_key_id": "id",
        "private_key": account.dangerous_to_plain_pem().as_str(),
        "token_uri": format!("{}/token", service.origin),
    });
    std::fs::write(&file, contents.to_string()).unwrap();
    let variables = |file| {
        [
            ("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS", service.origin.as_str()),
            ("GOOGLE_APPLICATION_CREDENTIALS", file),
        ]
    };
    let reference = format!("gcpkms://{GCP_KEY}/cryptoKeyVersions/10");
    signs(&open(&reference, &variables(file.to_str().unwrap())).await.unwrap(), &key).await;
    let body = service.asked()[0].body.clone();
    let assertion = body.split_once("&assertion=").unwrap().1;
    let (signed, found) = assertion.rsplit_once('.').unwrap();
    // PKCS#1 v1.5 signatures of the same text are the same.
    let expected = account.sign(signed.as_bytes(), SignatureFormat::Bundle).unwrap();
    assert_eq!(URL_SAFE_NO_PAD.decode(found).unwrap(), expected);
    let missing = open(&reference, &variables("missing.json")).await.unwrap();
    assert!(matches!(missing.public_key().await.unwrap_err(), KmsError::File { .. }));
    std::fs::write(&file, r#"{"type":"external_account"}"#).unwrap();
    let other = open(&reference, &variables(file.to_str().unwrap())).await.unwrap();
    assert!(matches!(other.public_key().await.unwrap_err(), KmsError::VariableValue { .. }));
}
