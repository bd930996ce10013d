//! Why a key elsewhere gave no public key or no signature.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use touchmark_sigstore::{KeyAlgorithm, KeyError};
use touchmark_transport::{StatusCode, TransportError};

use crate::{DecryptError, KeyFileError, SignError};

/// Who holds a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Service {
    /// An environment variable.
    Environment,
    /// AWS KMS, and AWS's services for credentials.
    Aws,
    /// Google Cloud KMS, and Google's services for tokens.
    Gcp,
    /// Azure Key Vault, and Azure's services for tokens.
    Azure,
    /// HashiCorp Vault or OpenBao.
    Vault,
    /// The Kubernetes API.
    Kubernetes,
    /// A hardware token.
    Pkcs11,
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Environment => "the environment",
            Self::Aws => "AWS",
            Self::Gcp => "Google Cloud",
            Self::Azure => "Azure",
            Self::Vault => "Vault",
            Self::Kubernetes => "Kubernetes",
            Self::Pkcs11 => "the PKCS#11 module",
        })
    }
}

/// Why a key elsewhere gave no public key or no signature.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KmsError {
    /// A file, which needs no service.
    #[error("{path:?} is a file, expected a reference to a key elsewhere")]
    NotRemote {
        /// The file.
        path: PathBuf,
    },
    /// A variable that is needed is not set.
    #[error("environment variable {name} is not set")]
    Variable {
        /// Its name.
        name: String,
    },
    /// A variable with a value that cannot be used. The value is not told: it may be secret.
    #[error("environment variable {name} has no usable value, expected {expected}")]
    VariableValue {
        /// Its name.
        name: &'static str,
        /// What it should hold.
        expected: &'static str,
    },
    /// None of the ways to get credentials led anywhere.
    #[error("no credentials for {service} found")]
    NoCredentials {
        /// The service.
        service: Service,
    },
    /// A file with a token or with credentials cannot be read.
    #[error("cannot read {path:?}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No answer, or one over the limit.
    #[error("{service} gave no answer that can be used")]
    Transport {
        /// The service.
        service: Service,
        /// Why.
        source: TransportError,
    },
    /// 401 or 403: the credentials are not accepted, or lack a permission.
    #[error("{service} denies the request with status {status}{}", shown(code.as_deref()))]
    Denied {
        /// The service.
        service: Service,
        /// The status.
        status: StatusCode,
        /// The service's name for the error.
        code: Option<String>,
    },
    /// 429 or 503, after as many attempts as the client makes.
    #[error("{service} asks to come back later with status {status}")]
    Busy {
        /// The service.
        service: Service,
        /// The status.
        status: StatusCode,
        /// How much later.
        retry_after: Option<Duration>,
    },
    /// Another status that is no success.
    #[error("{service} answers with status {status}{}, expected success", shown(code.as_deref()))]
    Status {
        /// The service.
        service: Service,
        /// The status.
        status: StatusCode,
        /// The service's name for the error.
        code: Option<String>,
    },
    /// Not the JSON that the interface describes.
    #[error("{service} gave an answer that is not what its interface describes")]
    Answer {
        /// The service.
        service: Service,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A field that is missing, or has a value that it cannot have.
    #[error("{service} gave an answer whose {field} cannot be used")]
    Field {
        /// The service.
        service: Service,
        /// The field.
        field: &'static str,
    },
    /// What came is not what was sent.
    #[error("{service} gave an answer whose {field} does not match: it was damaged on the way")]
    Checksum {
        /// The service.
        service: Service,
        /// The field with the checksum.
        field: &'static str,
    },
    /// The key is for something else.
    #[error(
        "key at {service} is for {found:?}, expected signing with ECDSA P-256 or P-384, Ed25519, or RSA PKCS#1 v1.5 and SHA-256"
    )]
    Use {
        /// The service.
        service: Service,
        /// What the service says about it.
        found: String,
    },
    /// The public key is not usable.
    #[error("public key from {service} cannot be used")]
    PublicKey {
        /// The service.
        service: Service,
        /// Why.
        source: KeyError,
    },
    /// Not the public key that goes with the private key.
    #[error("cosign.pub in the secret is not the public half of its cosign.key")]
    OtherPublicKey,
    /// A kind of key that cannot sign in that format.
    #[error(
        "{algorithm} cannot sign in that format, expected ECDSA P-256, Ed25519 or RSA, or the bundle format"
    )]
    Format {
        /// The kind of key.
        algorithm: KeyAlgorithm,
    },
    /// The signature does not verify with the public key.
    #[error("{service} gave a signature that does not verify with the key's public half")]
    BadSignature {
        /// The service.
        service: Service,
    },
    /// A private key that cannot be read.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// A private key that cannot be decrypted.
    #[error(transparent)]
    Decrypt(#[from] DecryptError),
    /// A private key that did not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The hardware token, or the module that speaks to it.
    #[error("PKCS#11 module {module:?} failed")]
    Token {
        /// The module.
        module: PathBuf,
        /// What it says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Not exactly one token or key goes with the URI.
    #[error("{found} PKCS#11 {what} match the URI, expected one")]
    Ambiguous {
        /// Tokens or keys.
        what: &'static str,
        /// How many were found.
        found: usize,
    },
}

fn shown(code: Option<&str>) -> String {
    code.map(|code| format!(" ({code})")).unwrap_or_default()
}
