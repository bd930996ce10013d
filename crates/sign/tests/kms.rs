//! Keys at emulated services. Each emulator checks what the service would check, and signs with a real key; as the key signs messages and
//! services sign digests, the emulator knows the message and checks that the digest is its own.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod service;

use std::sync::Arc;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use service::{Asked, Service, key, open, status};
use touchmark_sign::kms::{self, KmsError, RemoteKey};
use touchmark_sign::{EncryptedKey, KeyKind, PrivateKey, SignatureFormat};
use touchmark_transport::TransportError;

const MESSAGE: &[u8] = b"what is signed";
const AWS_KEY: &str = "awskms:///alias/release";
const GCP_KEY: &str = "projects/p/locations/l/keyRings/r/cryptoKeys/k";

fn signature(key: &PrivateKey) -> Vec<u8> {
    key.sign(MESSAGE, SignatureFormat::Bundle).unwrap()
}

/// The digest that belongs to the kind of key; the message for Ed25519.
fn input(kind: KeyKind) -> Vec<u8> {
    match kind {
        KeyKind::Ed25519 => MESSAGE.to_vec(),
        KeyKind::EcdsaP384 => digest::digest(&digest::SHA384, MESSAGE).as_ref().to_vec(),
        _ => digest::digest(&digest::SHA256, MESSAGE).as_ref().to_vec(),
    }
}

async fn signs(remote: &RemoteKey, key: &PrivateKey) {
    assert_eq!(&remote.public_key().await.unwrap(), key.public_key());
    remote.sign(MESSAGE, SignatureFormat::Bundle).await.unwrap();
}

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

fn curve_jwk(der: &[u8], curve: &str, size: usize) -> Value {
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
