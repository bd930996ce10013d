//! Keys at emulated services. Each emulator checks what the service would check, and signs with a real key; as the key signs messages and
//! services sign digests, the emulator knows the message and checks that the digest is its own.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod aws;
mod azure;
mod gcp;
mod kubernetes;
mod service;
mod vault;

use aws_lc_rs::digest;
use touchmark_sign::kms::RemoteKey;
use touchmark_sign::{KeyKind, PrivateKey, SignatureFormat};

const MESSAGE: &[u8] = b"what is signed";

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
