//! Kubernetes secrets, variables, and files.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use touchmark_sign::kms::{KmsError, RemoteKey};
use touchmark_sign::{EncryptedKey, KeyKind};

use crate::service::{self, Service, key, open, status};
use crate::signs;

async fn kubernetes(data: Value) -> Result<RemoteKey, KmsError> {
    let service = Service::start(move |asked| match (asked.path.as_str(), asked.header("authorization")) {
        ("/api/v1/namespaces/build/secrets/release", "Bearer pod") => service::json(&json!({ "data": data })),
        _ => status(403, r#"{"reason":"Forbidden"}"#),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "pod").unwrap();
    let variables = [
        ("TOUCHMARK_KUBERNETES_SERVER", service.origin.as_str()),
        ("TOUCHMARK_KUBERNETES_DIR", folder.path().to_str().unwrap()),
    ];
    open("k8s://build/release", &variables).await
}

#[tokio::test]
async fn secrets_hold_a_key_its_password_and_its_public_half() {
    let (first, other) = (key(KeyKind::EcdsaP256), key(KeyKind::EcdsaP256));
    let pem = EncryptedKey::encrypt(&first, b"word").unwrap().to_pem();
    let secret = |public: &str, password: &str| {
        json!({
            "cosign.key": STANDARD.encode(pem.as_bytes()),
            "cosign.pub": STANDARD.encode(public),
            "cosign.password": STANDARD.encode(password),
        })
    };
    let public = first.public_key().to_pem();
    signs(&kubernetes(secret(&public, "word")).await.unwrap(), &first).await;
    let wrong = kubernetes(secret(&other.public_key().to_pem(), "word")).await;
    assert!(matches!(wrong, Err(KmsError::OtherPublicKey)));
    assert!(matches!(kubernetes(secret(&public, "guess")).await, Err(KmsError::Decrypt(_))));
    assert!(matches!(kubernetes(json!({})).await, Err(KmsError::Field { field: "cosign.key", .. })));
    let nonsense = json!({ "cosign.key": STANDARD.encode("nonsense") });
    assert!(matches!(kubernetes(nonsense).await, Err(KmsError::KeyFile(_))));
}

#[tokio::test]
async fn variables_hold_keys_and_files_are_not_remote() {
    let key = key(KeyKind::Ed25519);
    let pem = key.dangerous_to_plain_pem();
    signs(&open("env://KEY", &[("KEY", &pem)]).await.unwrap(), &key).await;
    assert!(matches!(open("env://KEY", &[]).await, Err(KmsError::Variable { .. })));
    assert!(matches!(open("release.key", &[]).await, Err(KmsError::NotRemote { .. })));
}
