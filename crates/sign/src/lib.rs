#![doc = include_str!("../README.md")]

mod document;
mod encrypted;
mod key_file;
mod private_key;
mod signer;

pub use document::{attest_legacy, sign_blob, sign_image, sign_legacy, sign_statement};
pub use encrypted::{DecryptError, EncryptError, EncryptedKey};
pub use key_file::{KeyFile, KeyFileError};
pub use private_key::{GenerateError, KeyKind, PrivateKey, SignError, SignatureFormat};
pub use signer::Signer;
