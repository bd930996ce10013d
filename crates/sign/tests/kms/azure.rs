//! Azure Key Vault.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use touchmark_sign::kms::KmsError;
use touchmark_sign::{KeyKind, PrivateKey};

use crate::service::{self, Service, key, open, status};
use crate::{input, signature, signs};

/// `r` and `s` of a DER signature, in `size` bytes each.
fn raw(der: &[u8], size: usize) -> Vec<u8> {
    let (mut at, mut out) = (2, Vec::new());
    for _ in 0..2 {
        let length = usize::from(der[at + 1]);
        let number = &der[at + 2..at + 2 + length];
        let number = number.strip_prefix(&[0]).unwrap_or(number);
        out.extend(vec![0; size - number.len()]);
        out.extend_from_slice(number);
        at += 2 + length;
    }
    out
}

async fn azure(
    key: Arc<PrivateKey>,
    size: usize,
    jwk: impl Fn(&[u8]) -> Value + Send + Sync + 'static,
) -> Service {
    Service::start(move |asked| {
        if asked.path.contains("/oauth2/") {
            return service::json(&json!({ "access_token": "t" }));
        }
        assert_eq!(asked.header("authorization"), "Bearer t");
        match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/keys/release/?api-version=7.4") => {
                service::json(&json!({ "key": jwk(key.public_key().der()) }))
            }
            ("POST", "/keys/release/v7/sign?api-version=7.4") => {
                let signature = signature(&key);
                let signature = if size == 0 { signature } else { raw(&signature, size) };
                service::json(&json!({ "kid": "x", "value": URL_SAFE_NO_PAD.encode(signature) }))
            }
            _ => status(404, ""),
        }
    })
    .await
}

pub(crate) fn curve_jwk(der: &[u8], curve: &str, size: usize) -> Value {
    let point = &der[der.len() - 2 * size..];
    let encode = |bytes| URL_SAFE_NO_PAD.encode(bytes);
    let (x, y) = point.split_at(size);
    json!({ "kid": "https://x/keys/release/v7", "kty": "EC-HSM", "crv": curve, "x": encode(x), "y": encode(y) })
}

#[tokio::test]
async fn azure_signs_with_the_version_that_was_read() {
    for (kind, curve, size, algorithm) in
        [(KeyKind::EcdsaP256, "P-256", 32, "ES256"), (KeyKind::EcdsaP384, "P-384", 48, "ES384")]
    {
        let key = key(kind);
        let service = azure(Arc::clone(&key), size, move |der| curve_jwk(der, curve, size)).await;
        let variables = [
            ("AZURE_TENANT_ID", "tenant"),
            ("AZURE_CLIENT_ID", "client"),
            ("AZURE_CLIENT_SECRET", "hidden"),
            ("AZURE_AUTHORITY_HOST", service.origin.as_str()),
        ];
        let reference = format!("azurekms://{}/release", service.host());
        signs(&open(&reference, &variables).await.unwrap(), &key).await;
        let asked = service.asked();
        assert_eq!(asked[0].path, "/tenant/oauth2/v2.0/token");
        assert!(
            asked[0].body.contains("client_secret=hidden&")
                || asked[0].body.ends_with("client_secret=hidden")
        );
        let sent = asked.last().unwrap().json();
        assert_eq!(sent, json!({ "alg": algorithm, "value": URL_SAFE_NO_PAD.encode(input(kind)) }));
    }
}

#[tokio::test]
async fn azure_takes_managed_and_workload_identities_and_rsa_keys() {
    let key = key(KeyKind::Rsa3072);
    let service = azure(Arc::clone(&key), 0, |der| {
        // The modulus of 3072 bits, and after it the exponent 65537 with its tag and length.
        let modulus = &der[der.len() - 5 - 384..der.len() - 5];
        json!({ "kid": "x/v7", "kty": "RSA", "n": URL_SAFE_NO_PAD.encode(modulus), "e": "AQAB" })
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "federated").unwrap();
    let reference = format!("azurekms://{}/release", service.host());
    let endpoint = format!("{}/oauth2/token", service.origin);
    for variables in [
        vec![("AZURE_POD_IDENTITY_AUTHORITY_HOST", service.origin.as_str())],
        vec![("IDENTITY_ENDPOINT", endpoint.as_str()), ("IDENTITY_HEADER", "h")],
        vec![
            ("AZURE_FEDERATED_TOKEN_FILE", file.to_str().unwrap()),
            ("AZURE_TENANT_ID", "t"),
            ("AZURE_CLIENT_ID", "c"),
            ("AZURE_AUTHORITY_HOST", service.origin.as_str()),
        ],
    ] {
        signs(&open(&reference, &variables).await.unwrap(), &key).await;
    }
    assert!(service.asked().iter().any(|asked| asked.body.contains("client_assertion=federated")));
    assert!(service.asked().iter().any(|asked| asked.header("x-identity-header") == "h"));
    assert!(service.asked().iter().any(|asked| asked.header("metadata") == "true"));
}

#[tokio::test]
async fn azure_keys_of_other_kinds_are_refused() {
    for (jwk, used) in [
        (json!({ "kid": "x/v7", "kty": "EC", "crv": "P-521", "x": "AA", "y": "AA" }), true),
        (json!({ "kid": "x/v7", "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA" }), false),
        (json!({ "kid": "x/../v", "kty": "oct" }), true),
        (json!({ "kid": "x/", "kty": "RSA" }), false),
    ] {
        let service = azure(key(KeyKind::EcdsaP256), 32, move |_| jwk.clone()).await;
        let reference = format!("azurekms://{}/release", service.host());
        let remote =
            open(&reference, &[("AZURE_POD_IDENTITY_AUTHORITY_HOST", &service.origin)]).await.unwrap();
        let error = remote.public_key().await.unwrap_err();
        assert_eq!(matches!(error, KmsError::Use { .. }), used, "{error:?}");
        assert_eq!(matches!(error, KmsError::Field { .. }), !used, "{error:?}");
    }
}
