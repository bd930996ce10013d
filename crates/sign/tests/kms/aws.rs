//! AWS KMS, and what all services have in common.

use std::sync::Arc;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use touchmark_sign::kms::{self, KmsError};
use touchmark_sign::{KeyKind, PrivateKey, SignatureFormat};
use touchmark_transport::TransportError;

use crate::service::{self, Service, key, open, status};
use crate::{MESSAGE, azure::curve_jwk, input, signature, signs};

const AWS_KEY: &str = "awskms:///alias/release";

async fn aws(kind: KeyKind) -> (Service, Arc<PrivateKey>) {
    let key = key(kind);
    let holder = Arc::clone(&key);
    let service = Service::start(move |asked| match asked.header("x-amz-target") {
        "TrentService.GetPublicKey" => service::json(
            &json!({ "PublicKey": STANDARD.encode(holder.public_key().der()), "KeyUsage": "SIGN_VERIFY" }),
        ),
        "TrentService.Sign" => service::json(&json!({ "Signature": STANDARD.encode(signature(&holder)) })),
        _ => status(400, ""),
    })
    .await;
    (service, key)
}

fn aws_variables(origin: &str) -> [(&'static str, &str); 4] {
    [
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ENDPOINT_URL_KMS", origin),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "hidden-secret"),
    ]
}

#[tokio::test]
async fn aws_signs_with_every_kind_of_key() {
    for (kind, algorithm, message_type) in [
        (KeyKind::EcdsaP256, "ECDSA_SHA_256", "DIGEST"),
        (KeyKind::EcdsaP384, "ECDSA_SHA_384", "DIGEST"),
        (KeyKind::Ed25519, "ED25519_SHA_512", "RAW"),
        (KeyKind::Rsa3072, "RSASSA_PKCS1_V1_5_SHA_256", "DIGEST"),
    ] {
        let (service, key) = aws(kind).await;
        signs(&open(AWS_KEY, &aws_variables(&service.origin)).await.unwrap(), &key).await;
        let asked = service.asked();
        assert_eq!(asked.len(), 2);
        let expected = json!({
            "KeyId": "alias/release",
            "Message": STANDARD.encode(input(kind)),
            "MessageType": message_type,
            "SigningAlgorithm": algorithm,
        });
        assert_eq!(asked[1].json(), expected);
        assert_eq!(asked[1].header("content-type"), "application/x-amz-json-1.1");
    }
}

/// Computes the signature again, step by step, from what arrived.
#[tokio::test]
async fn aws_requests_are_signed_as_they_arrive() {
    let (service, _) = aws(KeyKind::EcdsaP256).await;
    let remote = open(AWS_KEY, &aws_variables(&service.origin)).await.unwrap();
    remote.public_key().await.unwrap();
    let asked = &service.asked()[0];
    let time = asked.header("x-amz-date");
    let names = "content-type;host;x-amz-date;x-amz-target";
    let headers: String = names.split(';').map(|name| format!("{name}:{}\n", asked.header(name))).collect();
    let hex = |text: &[u8]| hex::encode(digest::digest(&digest::SHA256, text));
    let canonical = format!("POST\n/\n\n{headers}\n{names}\n{}", hex(asked.body.as_bytes()));
    let scope = format!("{}/eu-west-1/kms/aws4_request", &time[..8]);
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex(canonical.as_bytes()));
    let key = scope.split('/').fold(b"AWS4hidden-secret".to_vec(), |key, part| hmac(&key, part));
    let expected = format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope}, SignedHeaders={names}, Signature={}",
        hex::encode(hmac(&key, &text))
    );
    assert_eq!(asked.header("authorization"), expected);
    assert!(!format!("{remote:?}").contains("hidden"));
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    use aws_lc_rs::hmac;
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn temporary() -> Value {
    json!({ "AccessKeyId": "ASIA1", "SecretAccessKey": "s", "Token": "session" })
}

#[tokio::test]
async fn aws_credentials_come_from_web_identity_container_and_instance() {
    let key = key(KeyKind::EcdsaP256);
    let der = STANDARD.encode(key.public_key().der());
    let service = Service::start(move |asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("POST", "/") if asked.body.starts_with("Action=AssumeRoleWithWebIdentity") => {
            assert!(asked.body.contains("WebIdentityToken=web%2Btoken"), "{}", asked.body);
            let credentials =
                json!({ "AccessKeyId": "ASIA1", "SecretAccessKey": "s", "SessionToken": "session" });
            let result = json!({ "AssumeRoleWithWebIdentityResult": { "Credentials": credentials } });
            service::json(&json!({ "AssumeRoleWithWebIdentityResponse": result }))
        }
        ("POST", "/") => service::json(&json!({ "PublicKey": der })),
        ("GET", "/container") if asked.header("authorization") == "pod" => service::json(&temporary()),
        ("PUT", "/latest/api/token") => status(200, "imds"),
        ("GET", path) if asked.header("x-aws-ec2-metadata-token") == "imds" => {
            let role = path.strip_prefix("/latest/meta-data/iam/security-credentials/").unwrap();
            if role.is_empty() { status(200, "role\n") } else { service::json(&temporary()) }
        }
        _ => status(403, ""),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "web+token\n").unwrap();
    let container = format!("{}/container", service.origin);
    let common = [("AWS_REGION", "eu-west-1"), ("AWS_ENDPOINT_URL", &service.origin)];
    for own in [
        vec![
            ("AWS_WEB_IDENTITY_TOKEN_FILE", file.to_str().unwrap()),
            ("AWS_ROLE_ARN", "arn:aws:iam::1:role/r"),
        ],
        vec![
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &container),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "pod"),
        ],
        vec![("AWS_EC2_METADATA_SERVICE_ENDPOINT", service.origin.as_str())],
    ] {
        let remote = open(AWS_KEY, &[&common[..], &own].concat()).await.unwrap();
        assert_eq!(&remote.public_key().await.unwrap(), key.public_key());
        assert_eq!(service.asked().last().unwrap().header("x-amz-security-token"), "session");
    }
    let off = [&common[..], &[("AWS_EC2_METADATA_DISABLED", "true")]].concat();
    let error = open(AWS_KEY, &off).await.unwrap().public_key().await.unwrap_err();
    assert!(matches!(error, KmsError::NoCredentials { .. }));
    let far = [&common[..], &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://far.example/")]].concat();
    let error = open(AWS_KEY, &far).await.unwrap().public_key().await.unwrap_err();
    assert!(matches!(error, KmsError::VariableValue { .. }));
}

/// What AWS answers with that, whatever is asked.
async fn aws_error(code: u16, body: &str) -> KmsError {
    let body = body.to_owned();
    let service = Service::start(move |_| status(code, &body)).await;
    open(AWS_KEY, &aws_variables(&service.origin)).await.unwrap().public_key().await.unwrap_err()
}

#[tokio::test]
async fn each_refusal_has_its_error() {
    let denied = aws_error(403, r#"{"__type":"AccessDeniedException","Message":"secret prose"}"#).await;
    assert!(matches!(&denied, KmsError::Denied { code: Some(code), .. } if code == "AccessDeniedException"));
    assert!(!denied.to_string().contains("prose"));
    let wait = std::time::Duration::from_secs(7);
    assert!(matches!(aws_error(429, "").await, KmsError::Busy { retry_after: Some(w), .. } if w == wait));
    assert!(matches!(aws_error(500, "x").await, KmsError::Status { code: None, .. }));
    assert!(matches!(aws_error(400, r#"{"__type":"a#NotFoundException"}"#).await, KmsError::Status { .. }));
    assert!(matches!(aws_error(200, "garbage").await, KmsError::Answer { .. }));
    assert!(matches!(aws_error(200, "{}").await, KmsError::Answer { .. }));
    assert!(matches!(aws_error(200, r#"{"PublicKey":"!"}"#).await, KmsError::Field { .. }));
    assert!(matches!(aws_error(200, r#"{"PublicKey":"AAAA"}"#).await, KmsError::PublicKey { .. }));
    let other = r#"{"PublicKey":"AAAA","KeyUsage":"ENCRYPT_DECRYPT"}"#;
    assert!(matches!(aws_error(200, other).await, KmsError::Use { .. }));
    let large = aws_error(200, &"x".repeat((1 << 20) + 1)).await;
    assert!(matches!(large, KmsError::Transport { source: TransportError::TooLarge { .. }, .. }));
}

#[tokio::test]
async fn nothing_is_sent_where_a_service_redirects_to() {
    let elsewhere = Service::start(|_| status(200, "{}")).await;
    let target = elsewhere.origin.clone();
    let service = Service::start(move |_| {
        let mut answer = status(307, "");
        answer.headers_mut().insert("location", target.parse().unwrap());
        answer
    })
    .await;
    let remote = open(AWS_KEY, &aws_variables(&service.origin)).await.unwrap();
    let error = remote.public_key().await.unwrap_err();
    let KmsError::Transport { source, .. } = error else { panic!("{error:?}") };
    assert!(matches!(source, TransportError::TooManyRedirects { .. }));
    assert!(elsewhere.asked().is_empty());
}

#[test]
fn recorded_answers_are_read_as_answers() {
    let key = key(KeyKind::EcdsaP256);
    let der = key.public_key().der();
    for (service, answer) in [
        (kms::Service::Aws, json!({ "PublicKey": STANDARD.encode(der) })),
        (kms::Service::Azure, json!({ "key": curve_jwk(der, "P-256", 32) })),
        (kms::Service::Gcp, json!({ "pem": key.public_key().to_pem(), "algorithm": "EC_SIGN_P256_SHA256" })),
        (
            kms::Service::Vault,
            json!({ "data": { "type": "ecdsa-p256", "latest_version": 1, "keys": { "1": { "public_key": key.public_key().to_pem() } } } }),
        ),
    ] {
        let read = kms::public_key_in_answer(service, answer.to_string().as_bytes());
        assert_eq!(&read.unwrap(), key.public_key(), "{service}");
    }
    let none = kms::public_key_in_answer(kms::Service::Kubernetes, b"{}");
    assert!(matches!(none, Err(KmsError::Use { .. })));
}

#[tokio::test]
async fn a_signature_that_does_not_verify_is_not_given_out() {
    let (service, _) = aws(KeyKind::EcdsaP256).await;
    let remote = open(AWS_KEY, &aws_variables(&service.origin)).await.unwrap();
    let error = remote.sign(b"another message", SignatureFormat::Bundle).await.unwrap_err();
    assert!(matches!(error, KmsError::BadSignature { .. }));
}

#[tokio::test]
async fn p384_does_not_sign_in_the_legacy_format() {
    let (service, _) = aws(KeyKind::EcdsaP384).await;
    let remote = open(AWS_KEY, &aws_variables(&service.origin)).await.unwrap();
    let error = remote.sign(MESSAGE, SignatureFormat::Legacy).await.unwrap_err();
    assert!(matches!(error, KmsError::Format { .. }));
}
