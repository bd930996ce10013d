#![doc = include_str!("../README.md")]

mod document;
mod encrypted;
mod key_file;
mod key_reference;
pub mod keyless;
pub mod kms;
mod percent;
mod pkcs11_uri;
mod private_key;
mod signer;

pub use document::{
    UnsignedBlob, UnsignedSignature, UnsignedStatement, attest_legacy, image_statement, sign_blob,
    sign_image, sign_legacy, sign_statement,
};
pub use encrypted::{DecryptError, EncryptError, EncryptedKey};
pub use key_file::{KeyFile, KeyFileError};
pub use key_reference::{
    AwsKmsReference, AzureKmsReference, GcpKmsReference, KeyReference, KeyReferenceError,
    KubernetesSecretReference,
};
pub use pkcs11_uri::{Pkcs11Uri, Pkcs11UriError};
pub use private_key::{GenerateError, KeyKind, PrivateKey, SignError, SignatureFormat};
pub use signer::Signer;
