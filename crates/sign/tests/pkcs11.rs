//! Keys in SoftHSM 2, in a token of its own. The module reads the place of its tokens from its process's environment, so the outer test
//! makes a token and runs the inner one in a process with `SOFTHSM2_CONF`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use touchmark_sign::kms::{Environment, KmsError, RemoteKey};
use touchmark_sign::{KeyKind, PrivateKey, SignatureFormat};
use touchmark_sigstore::PublicKey;
use touchmark_transport::{Client, ClientOptions};

const MODULES: [&str; 3] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
];
const KINDS: [(&str, KeyKind); 4] = [
    ("p256", KeyKind::EcdsaP256),
    ("p384", KeyKind::EcdsaP384),
    ("rsa", KeyKind::Rsa3072),
    ("ed25519", KeyKind::Ed25519),
];
const FOLDER: &str = "TOUCHMARK_TEST_TOKEN";
const PIN: &str = "648219";

fn module() -> Option<PathBuf> {
    MODULES.iter().map(PathBuf::from).find(|path| path.exists())
}

fn softhsm(folder: &Path, arguments: &[&str]) {
    let output = Command::new("softhsm2-util")
        .env("SOFTHSM2_CONF", folder.join("softhsm2.conf"))
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_token_signs() {
    if module().is_none() {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "softhsm2 is not installed");
        println!("NOT TESTED: softhsm2 is not installed, so no key was used in a token");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let tokens = folder.join("tokens");
    std::fs::create_dir(&tokens).unwrap();
    let configuration = format!("directories.tokendir = {}\nobjectstore.backend = file\n", tokens.display());
    std::fs::write(folder.join("softhsm2.conf"), configuration).unwrap();
    softhsm(folder, &["--init-token", "--free", "--label", "test", "--pin", PIN, "--so-pin", PIN]);
    for (id, (label, kind)) in (10..).zip(KINDS) {
        let key = PrivateKey::generate(kind).unwrap();
        let file = folder.join(label);
        std::fs::write(&file, key.dangerous_to_plain_pem().as_bytes()).unwrap();
        std::fs::write(file.with_extension("pub"), key.public_key().to_pem()).unwrap();
        let (file, id) = (file.to_str().unwrap(), id.to_string());
        softhsm(folder, &["--import", file, "--token", "test", "--label", label, "--id", &id, "--pin", PIN]);
    }
    let inner = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "within_the_environment_of_a_token"])
        .env("SOFTHSM2_CONF", folder.join("softhsm2.conf"))
        .env(FOLDER, folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&inner.stdout);
    assert!(inner.status.success() && said.contains("1 passed"), "{said}");
}

async fn open(reference: &str, pin: &'static str) -> RemoteKey {
    let environment = Environment::new(move |name| match name {
        "COSIGN_PKCS11_PIN" => Some(pin.to_owned()),
        "COSIGN_PKCS11_MODULE_PATH" => module()?.to_str().map(str::to_owned),
        _ => None,
    });
    let client = Client::new(ClientOptions::default()).unwrap();
    RemoteKey::open(&reference.parse().unwrap(), client, environment).await.unwrap()
}

#[tokio::test]
#[ignore = "a_token_signs runs it with a token"]
async fn within_the_environment_of_a_token() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    for (label, _) in KINDS {
        let expected: PublicKey =
            std::fs::read_to_string(folder.join(label).with_extension("pub")).unwrap().parse().unwrap();
        let remote = open(&format!("pkcs11:token=test;object={label}"), PIN).await;
        assert_eq!(remote.public_key().await.unwrap(), expected, "{label}");
        remote.sign(b"message", SignatureFormat::Bundle).await.unwrap();
        // What is signed is verified before it is given out; two at once take turns.
        let again = open(&format!("pkcs11:object={label}?pin-value={PIN}"), "wrong").await;
        let both = tokio::join!(
            remote.sign(b"1", SignatureFormat::Bundle),
            again.sign(b"2", SignatureFormat::Bundle)
        );
        assert!(both.0.is_ok() && both.1.is_ok(), "{label}");
    }
    for (reference, pin) in [("pkcs11:object=none", PIN), ("pkcs11:token=other;object=p256", PIN)] {
        let error = open(reference, pin).await.public_key().await.unwrap_err();
        assert!(matches!(error, KmsError::Ambiguous { found: 0, .. }), "{error:?}");
    }
    let error = open("pkcs11:object=p256", "wrong").await.public_key().await.unwrap_err();
    assert!(matches!(error, KmsError::Token { .. }), "{error:?}");
}
