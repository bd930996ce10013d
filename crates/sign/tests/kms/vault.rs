//! HashiCorp Vault and OpenBao.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use touchmark_sign::kms::KmsError;
use touchmark_sign::{KeyKind, PrivateKey};

use crate::service::{self, Service, key, open, status};
use crate::{input, signature, signs};

async fn vault(key: Arc<PrivateKey>, kind: &'static str) -> Service {
    Service::start(move |asked| {
        if asked.header("authorization") != "Bearer t" || asked.header("x-vault-namespace") != "team" {
            return status(403, r#"{"errors":["permission denied"]}"#);
        }
        let public = key.public_key();
        let public = match kind {
            "ed25519" => STANDARD.encode(&public.der()[public.der().len() - 32..]),
            _ => public.to_pem(),
        };
        let data = match asked.path.as_str() {
            "/v1/build/transit/keys/release" => {
                json!({ "type": kind, "latest_version": 2, "keys": { "1": {}, "2": { "public_key": public } } })
            }
            "/v1/build/transit/sign/release" => {
                json!({ "signature": format!("vault:v2:{}", STANDARD.encode(signature(&key))) })
            }
            _ => return status(404, ""),
        };
        service::json(&json!({ "data": data }))
    })
    .await
}

#[tokio::test]
async fn vault_signs_with_every_kind_of_key() {
    for (kind, name, hash) in [
        (KeyKind::EcdsaP256, "ecdsa-p256", Some("sha2-256")),
        (KeyKind::EcdsaP384, "ecdsa-p384", Some("sha2-384")),
        (KeyKind::Ed25519, "ed25519", None),
        (KeyKind::Rsa3072, "rsa-3072", Some("sha2-256")),
    ] {
        let key = key(kind);
        let service = vault(Arc::clone(&key), name).await;
        let variables = [
            ("VAULT_ADDR", service.origin.as_str()),
            ("VAULT_TOKEN", "t"),
            ("VAULT_NAMESPACE", "team"),
            ("TRANSIT_SECRET_ENGINE_PATH", "/build/transit/"),
        ];
        signs(&open("hashivault://release", &variables).await.unwrap(), &key).await;
        let sent = service.asked()[1].json();
        assert_eq!(sent["input"], STANDARD.encode(input(kind)));
        assert_eq!(sent.get("hash_algorithm").and_then(Value::as_str), hash);
        assert_eq!(sent["key_version"], 2);
        assert_eq!(sent["prehashed"], hash.is_some());
    }
}

#[tokio::test]
async fn vault_tokens_may_be_in_the_home_and_may_be_refused() {
    let key = key(KeyKind::EcdsaP256);
    let service = vault(Arc::clone(&key), "ecdsa-p256").await;
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join(".vault-token"), "t\n").unwrap();
    let variables = [
        ("BAO_ADDR", service.origin.as_str()),
        ("HOME", home.path().to_str().unwrap()),
        ("VAULT_NAMESPACE", "team"),
        ("TRANSIT_SECRET_ENGINE_PATH", "build/transit"),
    ];
    signs(&open("hashivault://release", &variables).await.unwrap(), &key).await;
    let refused = open("hashivault://release", &variables[..2]).await.unwrap().public_key().await;
    assert!(matches!(refused, Err(KmsError::Denied { .. })));
    let nowhere = open("hashivault://release", &[]).await;
    assert!(matches!(nowhere, Err(KmsError::Variable { name }) if name == "VAULT_ADDR"));
    let service = vault(key, "aes256-gcm96").await;
    let variables = [("BAO_ADDR", service.origin.as_str()), variables[1], variables[2], variables[3]];
    let other = open("hashivault://release", &variables).await.unwrap().public_key().await;
    assert!(matches!(other, Err(KmsError::Use { .. })));
}
