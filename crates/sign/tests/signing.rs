//! What is signed here verifies, and the key files are cosign's.
#![expect(clippy::panic, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use touchmark_attestation::{ResourceDescriptor, Statement};
use touchmark_oci::{Digest, PinnedRef};
use touchmark_sign::{
    DecryptError, EncryptedKey, KeyFile, KeyFileError, KeyKind, PrivateKey, SignError, SignatureFormat,
    Signer, attest_legacy, sign_blob, sign_image, sign_legacy, sign_statement,
};
use touchmark_sigstore::storage::{LayerKind, LegacyLayer};
use touchmark_sigstore::{
    Artifact, BlobSignature, Claim, Document, Evidence, EvidenceItem, KeyAlgorithm, Limits, Origin, Place,
    Verifier,
};

const KINDS: [KeyKind; 4] = [KeyKind::EcdsaP256, KeyKind::EcdsaP384, KeyKind::Ed25519, KeyKind::Rsa3072];

fn fixture(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/cosign").join(name))
        .unwrap()
}

fn parse(text: &str) -> Result<KeyFile, KeyFileError> {
    KeyFile::parse(text, &Limits::default())
}

fn image() -> PinnedRef {
    format!("registry.example/app@{}", Digest::of(b"image")).parse().unwrap()
}

fn annotations() -> BTreeMap<String, String> {
    BTreeMap::from([("env".to_owned(), "prod".to_owned())])
}

fn statement() -> Statement<Value> {
    let subject = ResourceDescriptor::of(image().digest()).named("app");
    Statement::new(vec![subject], "https://cyclonedx.org/bom", json!({"bomFormat": "CycloneDX"}))
}

fn claim(signer: &Signer, document: Document) -> Claim {
    let origin = Origin { place: Place::Referrers, manifest: Digest::of(b""), blob: Digest::of(b"") };
    let evidence = Evidence {
        subject: image(),
        items: vec![EvidenceItem { origin, document }],
        searched: Vec::new(),
        omitted: Vec::new(),
    };
    let findings = Verifier::new(vec![signer.public_key().clone()], Limits::default()).verify_all(evidence);
    assert!(findings.rejected().is_empty(), "{}", findings.rejected()[0].rejection);
    (*findings.claims()[0].claim).clone()
}

fn read_bundle(bytes: &[u8]) -> Document {
    Document::read(LayerKind::Bundle, bytes, &BTreeMap::new(), &Limits::default())
}

fn read_layer(kind: LayerKind, layer: &LegacyLayer) -> Document {
    Document::read(kind, layer.blob().bytes(), layer.annotations(), &Limits::default())
}

fn assert_signature(claim: Claim) {
    match claim {
        Claim::Signature { annotations } => {
            assert_eq!(annotations, BTreeMap::from([("env".to_owned(), json!("prod"))]));
        }
        Claim::Attestation(statement) => panic!("{statement:?}"),
    }
}

#[test]
fn bundles_by_every_kind_of_key_verify() {
    for kind in KINDS {
        let signer = Signer::from(PrivateKey::generate(kind).unwrap());
        assert_signature(claim(
            &signer,
            read_bundle(&sign_image(&signer, &image(), &annotations()).unwrap()),
        ));
        let attested = claim(&signer, read_bundle(&sign_statement(&signer, &statement()).unwrap()));
        assert_eq!(attested, Claim::Attestation(statement()));
        let blob = BlobSignature::parse(&sign_blob(&signer, b"blob").unwrap(), &Limits::default()).unwrap();
        let verifier = Verifier::new(vec![signer.public_key().clone()], Limits::default());
        assert_eq!(*verifier.verify_blob(Artifact::Bytes(b"blob"), &blob).unwrap()[0], Digest::of(b"blob"));
    }
}

#[test]
fn legacy_layers_verify_by_every_kind_of_key_but_p384_which_refuses() {
    for kind in KINDS {
        let signer = Signer::from(PrivateKey::generate(kind).unwrap());
        let signed = sign_legacy(&signer, &image(), &annotations());
        let attested = attest_legacy(&signer, &statement());
        if kind == KeyKind::EcdsaP384 {
            assert!(matches!(signed, Err(SignError::Format { algorithm: KeyAlgorithm::EcdsaP384 })));
            assert!(matches!(attested, Err(SignError::Format { .. })));
            continue;
        }
        assert_signature(claim(&signer, read_layer(LayerKind::SimpleSigning, &signed.unwrap())));
        let found = claim(&signer, read_layer(LayerKind::Envelope, &attested.unwrap()));
        assert_eq!(found, Claim::Attestation(statement()));
    }
}

#[test]
fn the_statement_of_a_signature_is_byte_for_byte_cosigns() {
    let payload = |bundle: &str| {
        let bundle: Value = serde_json::from_str(bundle).unwrap();
        STANDARD.decode(bundle["dsseEnvelope"]["payload"].as_str().unwrap()).unwrap()
    };
    let digest = Digest::of(fixture("image.manifest.json").as_bytes());
    let image: PinnedRef = format!("registry.example/app@{digest}").parse().unwrap();
    let signer = Signer::from(parse(&fixture("p256.key")).unwrap().unlock(b"touchmark").unwrap());
    let ours = String::from_utf8(sign_image(&signer, &image, &annotations()).unwrap()).unwrap();
    let theirs = fixture("sign.p256.bundle.json");
    assert_eq!(payload(&ours), payload(&theirs));
    let shape = |text: &str| {
        let mut value: Value = serde_json::from_str(text).unwrap();
        value["dsseEnvelope"]["signatures"] = Value::Null;
        value
    };
    assert_eq!(shape(&ours), shape(&theirs));
}

#[test]
fn a_legacy_signature_calls_docker_hub_what_cosign_calls_it_and_no_local_path() {
    let signer = Signer::from(PrivateKey::generate(KeyKind::Ed25519).unwrap());
    for (name, expected) in [("debian", "index.docker.io/library/debian"), ("oci:/home/me/image", "")] {
        let image: PinnedRef = format!("{name}@{}", Digest::of(b"image")).parse().unwrap();
        let layer = sign_legacy(&signer, &image, &BTreeMap::new()).unwrap();
        let payload: Value = serde_json::from_slice(layer.blob().bytes()).unwrap();
        assert_eq!(payload["critical"]["identity"]["docker-reference"], expected);
        assert_eq!(payload["optional"], Value::Null);
    }
}

#[test]
fn cosigns_key_files_decrypt_to_the_key_beside_them() {
    for name in ["p256", "cosign2", "p384", "ed25519", "rsa2048"] {
        let key = parse(&fixture(&format!("{name}.key"))).unwrap().unlock(b"touchmark").unwrap();
        assert_eq!(key.public_key().to_pem(), fixture(&format!("{name}.pub")), "{name}");
    }
}

#[test]
fn the_old_label_is_read_and_the_new_one_written() {
    let old = fixture("cosign2.key").replace("SIGSTORE", "COSIGN");
    let key = parse(&old).unwrap().unlock(b"touchmark").unwrap();
    assert_eq!(key.public_key().to_pem(), fixture("cosign2.pub"));
    let written = EncryptedKey::encrypt(&key, b"").unwrap().to_pem();
    assert!(written.starts_with("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n"));
    assert_eq!(parse(&written).unwrap().unlock(b"").unwrap().public_key(), key.public_key());
}

#[test]
fn a_wrong_password_and_a_changed_file_do_not_decrypt() {
    let unlock = |text: &str, password: &[u8]| parse(text).unwrap().unlock(password);
    assert!(matches!(unlock(&fixture("p256.key"), b"wrong"), Err(DecryptError::WrongPassword)));
    let changed = edit(&fixture("p256.key"), |key| {
        let mut bytes = STANDARD.decode(key["ciphertext"].as_str().unwrap()).unwrap();
        bytes[20] ^= 1;
        key["ciphertext"] = json!(STANDARD.encode(bytes));
    });
    assert!(matches!(unlock(&changed, b"touchmark"), Err(DecryptError::WrongPassword)));
}

/// Changes the JSON inside a key file.
fn edit(text: &str, change: impl Fn(&mut Value)) -> String {
    let block = pem::parse(text).unwrap();
    let mut value: Value = serde_json::from_slice(block.contents()).unwrap();
    change(&mut value);
    pem::encode(&pem::Pem::new(block.tag(), value.to_string().into_bytes()))
}

#[test]
fn only_cosigns_schemes_and_work_factors_are_read() {
    let broken = |change: &dyn Fn(&mut Value)| parse(&edit(&fixture("p256.key"), change)).unwrap_err();
    for (name, value) in
        [("N", json!(1 << 14)), ("N", json!(1 << 18)), ("N", json!(65535)), ("r", json!(9)), ("p", json!(2))]
    {
        let error = broken(&|key| key["kdf"]["params"][name] = value.clone());
        assert!(matches!(error, KeyFileError::WorkFactor { .. }), "{name}={value}");
    }
    let error = broken(&|key| key["kdf"]["name"] = json!("pbkdf2"));
    assert!(matches!(error, KeyFileError::Scheme { kdf, .. } if kdf == "pbkdf2"));
    assert!(matches!(broken(&|key| key["cipher"]["name"] = json!("x")), KeyFileError::Scheme { .. }));
    assert!(matches!(
        broken(&|key| key["cipher"]["nonce"] = json!("AAAA")),
        KeyFileError::Nonce { found: 3 }
    ));
    let error = broken(&|key| key["kdf"]["salt"] = json!("*"));
    assert!(matches!(error, KeyFileError::Base64 { member: "salt", .. }));
    assert!(matches!(broken(&|key| key["kdf"] = json!(1)), KeyFileError::Json(_)));
    for n in [1 << 15, 1 << 17] {
        assert!(parse(&edit(&fixture("p256.key"), |key| key["kdf"]["params"]["N"] = json!(n))).is_ok());
    }
}

#[test]
fn an_encrypted_file_may_hold_no_key() {
    // Encrypted by this crate's own writer would need a key; the box around "not a key" is made here.
    use crypto_secretbox::aead::Aead;
    use crypto_secretbox::{Key, KeyInit, Nonce, XSalsa20Poly1305};
    let mut derived = [0; 32];
    scrypt::scrypt(b"", &[0; 32], &scrypt::Params::new(15, 8, 1).unwrap(), &mut derived).unwrap();
    let boxed =
        XSalsa20Poly1305::new(Key::from_slice(&derived)).encrypt(&Nonce::default(), b"not a key".as_slice());
    let text = edit(&fixture("p256.key"), |key| {
        key["kdf"]["params"]["N"] = json!(1 << 15);
        key["kdf"]["salt"] = json!(STANDARD.encode([0; 32]));
        key["cipher"]["nonce"] = json!(STANDARD.encode([0; 24]));
        key["ciphertext"] = json!(STANDARD.encode(boxed.as_ref().unwrap()));
    });
    assert!(matches!(parse(&text).unwrap().unlock(b""), Err(DecryptError::NotAccepted)));
}

#[test]
fn plain_keys_of_every_kind_are_read_and_known_to_be_plain() {
    for kind in KINDS {
        let key = PrivateKey::generate(kind).unwrap();
        match parse(&key.dangerous_to_plain_pem()).unwrap() {
            KeyFile::Plain(read) => assert_eq!(read.public_key(), key.public_key()),
            KeyFile::Encrypted(_) => panic!("not encrypted"),
        }
    }
}

/// A P-256 key by `openssl ecparam -name prime256v1 -genkey`.
const SEC1: &str = "-----BEGIN EC PARAMETERS-----
BggqhkjOPQMBBw==
-----END EC PARAMETERS-----
-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIJ8xTrBcH14HdVn2Y5CGWv7RyFXW9akU9kZ9A+xBDTAqoAoGCCqGSM49
AwEHoUQDQgAE28flzGXRvrue7jRAGxxAeW/e9rLH6OkwyS9GzDwfWvsfULiSQ52S
txxH6cELY3iyAjMo3yU55r6LGu1FXCPm9Q==
-----END EC PRIVATE KEY-----
";

/// An RSA key by `openssl genrsa -traditional 2048`.
const PKCS1: &str = "-----BEGIN RSA PRIVATE KEY-----
MIIEogIBAAKCAQEAryyKr2fmS4OdFA/HPQLudlF9YgiiTmgAPEDsANKblxMxYYCw
G7x7N9pGr3c0DtzKIZTNwgu69HCGWAtqOwsrKGnAJAWJ4C+UZexFH9z+24zXyQ9d
i2I7WlCRCc/9yfYJNZHWETSG9vKirm3A8Qutls2882m6UVfiIPlBcZdZBRInit5t
r7XS1/71CFOm9lT8x0SoGAlUjGzp9r5CUgr0RsTe822i6fknNTmSwa7ZQnrxrMwJ
albgfscc3PXua95ZA6dqN4qaGU/OgU2pUmpfwKk8lPhb6eyfZFogXbMnqY1dnDoq
0AnmoiEt/xuenelWxYxFSEhhBCR0e/nDBc9LbwIDAQABAoIBAEMP0MolAx++s6hl
//cGA8etG8ynlIdivlBS5GbOOf2Evf9fVkxQBHYV7MCo6HeWJBXmEz1p4zlISM41
FIalGHEgxwujSSzX2j6IzM/NeY4Qpd2VsdC2GxXQyS3SAA1M0Sq+eY7dppusuQYB
A3/kYiDdA6zGOauBcxL/iYPUlqJfNjolNzxOV8fdvTgHC6+CU0IQy1csGXThCuwu
kFu1VYfNMKy8Hs1y0+JEvPfQwTaeAkwkxCNwhLvwjvuguWFH+Qyc1GJMQFS+vEWO
qnAnk0gIfH30ZDQDZqIxokIBW+czF7oqtUmnJOLIeVKURC0FakkSYTBqDU9jCOHW
pcy80A0CgYEA1Nz/vdnbd+UbqtB3FFuLqQWDyVS/+KA3Bm3QCtSpy172Xg5wvnHW
3GhYKXe0ZDtlfnvPbP4lBlWvtK/jkbReTDzILes02sBLosLnSFSlITE/jezRYL9Y
zIBoIpJcZU9Rg3nt2P/k4jOGVqs2FDpGpu6TwC9v0UZXTFN2uCxWmKMCgYEA0qxI
p/5n5Z3u/MF+WLb1RqGWH6mQcLPJCkpc7IwuzFFb/C2+7SglyeDjZgdGprmYquAP
+B/OCkFH56LMGdp4D/RQfS+UhzFlQblhZP98CkwC1LyfIrX56HRY4OrDr/Hfa2nY
dFu74BABOg5UFmX3T7PnpVOqn4grHi44bZb0MsUCgYBD2orfXwH5zxupsLg00hXL
9EkVNaHYRGIl931Y5n+Vp5jLVLkVzD4cllp8JX9ocBKjZh4x9TWiNlBDPcpCGQfy
L3H0SUTY8nFp2c1WHj1hPkyvFi2MNJK+5bPMSXGQjd9DFOv/v1qbzKbnG76qZgU9
k1Gf8r8nK9AKMZTnkqKsFwKBgGra+ctDzbz4e1R2bDhhLE1T/ko2/k0703fFuhY9
ECuQBMEHDvVJTMl1qMGCZUKBlr7tAQyQTTiEXg1OVIm0dvtYp06nyIU996b7eTv6
Hhc28KSou2qmtIhEIySJzxG58+GOgTybntKKK6UfyWTG+UbS8Ga55iwerAgV14c2
bswlAoGAHpzh3Ly3jwQXKXs4TbO2JgOnW0PGGtU3mYVRQ2I2qntRJgy/vVczj25M
6CKK8jp4BCyE8SoCFtGJdphmmbJHnhRppigwWV0p+SayTpIRpqTv3n3/ZC3VK9rt
OYbMg83iDbuJwnXfuVW4xW58r5niIN31Fvt8sYjzyjGonrW4rWE=
-----END RSA PRIVATE KEY-----
";

#[test]
fn sec1_and_pkcs1_are_read() {
    for (text, algorithm) in [(SEC1, KeyAlgorithm::EcdsaP256), (PKCS1, KeyAlgorithm::Rsa { bits: 2048 })] {
        let key = parse(text).unwrap().unlock(b"").unwrap();
        assert_eq!(key.public_key().algorithm(), algorithm);
    }
}

#[test]
fn refuses_what_is_no_private_key_and_says_what_it_is() {
    assert!(matches!(parse(""), Err(KeyFileError::Count { count: 0 })));
    assert!(matches!(parse(&format!("{PKCS1}{PKCS1}")), Err(KeyFileError::Count { count: 2 })));
    assert!(
        matches!(parse(&fixture("p256.pub")), Err(KeyFileError::Label { label }) if label == "PUBLIC KEY")
    );
    let relabelled = PKCS1.replace("RSA PRIVATE", "ENCRYPTED PRIVATE");
    assert!(matches!(parse(&relabelled), Err(KeyFileError::OpensslEncrypted { .. })));
    let headers = "RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n";
    let traditional = PKCS1.replacen("RSA PRIVATE KEY-----\n", headers, 1);
    assert!(matches!(parse(&traditional), Err(KeyFileError::OpensslEncrypted { .. })));
    let public = fixture("p256.pub").replace("PUBLIC", "PRIVATE");
    assert!(matches!(parse(&public), Err(KeyFileError::NotAccepted { .. })));
    assert!(matches!(parse(&PKCS1.replacen('M', "*", 1)), Err(KeyFileError::Pem { .. })));
    let mut limits = Limits::default();
    limits.max_key_text_bytes = 10;
    assert!(matches!(KeyFile::parse(PKCS1, &limits), Err(KeyFileError::TooLarge { limit: 10, .. })));
}

#[test]
fn nothing_printed_shows_a_secret() {
    let key = PrivateKey::generate(KeyKind::EcdsaP256).unwrap();
    let plain = key.dangerous_to_plain_pem();
    let secret = plain.lines().nth(1).unwrap().to_owned();
    let encrypted = EncryptedKey::encrypt(&key, b"password").unwrap();
    let shown = format!("{key:?} {encrypted:?} {:?}", parse(&encrypted.to_pem()).unwrap());
    let shown = format!("{shown} {:?}", Signer::from(key));
    assert!(!shown.contains(&secret) && !shown.contains("ciphertext"), "{shown}");
    assert!(shown.contains("sha256:"));
}

#[test]
fn a_statement_that_is_not_json_is_not_signed() {
    let signer = Signer::from(PrivateKey::generate(KeyKind::Ed25519).unwrap());
    let keyed_by_bytes = BTreeMap::from([(vec![0_u8], 1)]);
    let statement =
        Statement::new(vec![ResourceDescriptor::of(image().digest())], "https://example.com", keyed_by_bytes);
    assert!(matches!(sign_statement(&signer, &statement), Err(SignError::Statement(_))));
}

#[test]
fn a_statement_that_nobody_could_verify_is_not_signed() {
    let signer = Signer::from(PrivateKey::generate(KeyKind::EcdsaP256).unwrap());
    let about = || vec![ResourceDescriptor::of(image().digest())];
    let raw = |text: String| serde_json::value::RawValue::from_string(text).unwrap();
    let deep = format!("{}{}", "[".repeat(110), "]".repeat(110));
    for (subjects, predicate) in [
        (about(), raw(r#"{"a": 1, "a": 2}"#.to_owned())),
        (about(), raw(format!(r#"{{"a": {deep}}}"#))),
        (Vec::new(), raw("{}".to_owned())),
        (vec![ResourceDescriptor::default()], raw("{}".to_owned())),
    ] {
        let statement = Statement::new(subjects, "https://example.com", predicate);
        let bundle = sign_statement(&signer, &statement);
        assert!(matches!(bundle, Err(SignError::Unverifiable(_))));
        let layer = attest_legacy(&signer, &statement);
        assert!(matches!(layer, Err(SignError::Unverifiable(_))));
    }
}

#[test]
fn a_bare_signature_verifies() {
    let signer = Signer::from(PrivateKey::generate(KeyKind::EcdsaP256).unwrap());
    let bare = STANDARD.encode(signer.sign(b"blob", SignatureFormat::Legacy).unwrap());
    let bare = BlobSignature::parse(format!("{bare}\n").as_bytes(), &Limits::default()).unwrap();
    let verifier = Verifier::new(vec![signer.public_key().clone()], Limits::default());
    assert_eq!(verifier.verify_blob(Artifact::Bytes(b"blob"), &bare).unwrap().len(), 1);
}
