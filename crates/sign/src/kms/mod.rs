//! Keys that stay where they are: key management services, hardware tokens, Kubernetes secrets, environment variables.
//!
//! A [`RemoteKey`] gives its public key and signs. What it gives back is checked: the public key is of an accepted kind, and every
//! signature verifies with it before anybody sees it, so that a service that signs with another key, digest or encoding is found
//! out here. Services are spoken to over their REST interfaces by [`touchmark_transport::Client`], with a limit on every answer;
//! variables come from an [`Environment`] that is passed in, so that the library looks at none by itself.

mod answer;
mod aws;
mod aws_credentials;
mod azure;
mod azure_token;
mod der;
mod environment;
mod error;
mod exchange;
mod gcp;
mod gcp_token;
mod kept_token;
mod kubernetes;
mod pkcs11;
mod sigv4;
mod vault;

pub use answer::public_key_in_answer;
pub use environment::Environment;
pub use error::{KmsError, Service};

use std::fmt;

use aws_lc_rs::digest;
use tokio::sync::OnceCell;
use touchmark_sigstore::{Artifact, BlobSignature, KeyAlgorithm, Limits, PublicKey, Verifier};
use touchmark_transport::Client;

use crate::{KeyFile, KeyReference, PrivateKey, SignatureFormat};

/// Limits on what services answer and files hold.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KmsLimits {
    /// Bytes of one answer. The largest sound one is a Vault key with many versions, at about 1 KiB each.
    pub max_answer_bytes: u64,
    /// Bytes of a file with a token or with credentials. They have 4 KiB at most.
    pub max_file_bytes: u64,
}

impl Default for KmsLimits {
    fn default() -> Self {
        Self { max_answer_bytes: 1 << 20, max_file_bytes: 64 << 10 }
    }
}

/// A key elsewhere. Its public half is fetched once and kept.
pub struct RemoteKey {
    service: Service,
    holder: Holder,
    public: OnceCell<PublicKey>,
}

enum Holder {
    Aws(aws::AwsKms),
    Gcp(gcp::GcpKms),
    Azure(azure::AzureKms),
    Vault(vault::Vault),
    Pkcs11(pkcs11::Token),
    /// What gives the private key itself, which is then held in memory.
    Local(Box<PrivateKey>),
}

/// What is to be signed, as the services want it.
#[derive(Clone, Copy)]
struct Order<'a> {
    algorithm: KeyAlgorithm,
    message: &'a [u8],
}

impl<'a> Order<'a> {
    /// The digest that goes with the key; `None` for Ed25519, which signs the message.
    fn digest(&self) -> Option<digest::Digest> {
        match self.algorithm {
            KeyAlgorithm::Ed25519 => None,
            KeyAlgorithm::EcdsaP384 => Some(digest::digest(&digest::SHA384, self.message)),
            _ => Some(digest::digest(&digest::SHA256, self.message)),
        }
    }

    /// By the algorithms of one service: P-256, P-384, Ed25519, RSA.
    fn choose<T>(&self, [p256, p384, ed25519, rsa]: [T; 4]) -> Result<T, KmsError> {
        match self.algorithm {
            KeyAlgorithm::EcdsaP256 => Ok(p256),
            KeyAlgorithm::EcdsaP384 => Ok(p384),
            KeyAlgorithm::Ed25519 => Ok(ed25519),
            KeyAlgorithm::Rsa { .. } => Ok(rsa),
            algorithm => Err(KmsError::Format { algorithm }),
        }
    }
}

impl RemoteKey {
    /// The key that `reference` names. Finds out what `environment` says about the service; of `env://` and `k8s://` it reads the
    /// private key, of the others nothing yet.
    ///
    /// # Errors
    /// [`KmsError::NotRemote`] for a file; [`KmsError::Variable`] when a variable is missing; for `env://` and `k8s://` also why
    /// there is no usable private key.
    pub async fn open(
        reference: &KeyReference,
        client: Client,
        environment: Environment,
    ) -> Result<Self, KmsError> {
        Self::open_with_limits(reference, client, environment, KmsLimits::default()).await
    }

    /// [`RemoteKey::open`] with other limits.
    ///
    /// # Errors
    /// As [`RemoteKey::open`].
    pub async fn open_with_limits(
        reference: &KeyReference,
        client: Client,
        environment: Environment,
        limits: KmsLimits,
    ) -> Result<Self, KmsError> {
        let exchange = |service| exchange::Exchange::new(service, client, limits);
        let (service, holder) = match reference {
            KeyReference::File(path) => return Err(KmsError::NotRemote { path: path.clone() }),
            KeyReference::Environment(name) => (Service::Environment, Holder::local(&environment, name)?),
            KeyReference::AwsKms(key) => {
                (Service::Aws, Holder::Aws(aws::AwsKms::new(key, exchange(Service::Aws)?, environment)?))
            }
            KeyReference::GcpKms(key) => {
                (Service::Gcp, Holder::Gcp(gcp::GcpKms::new(key, exchange(Service::Gcp)?, environment)?))
            }
            KeyReference::AzureKms(key) => (
                Service::Azure,
                Holder::Azure(azure::AzureKms::new(key, exchange(Service::Azure)?, environment)?),
            ),
            KeyReference::HashiVault(key) => (
                Service::Vault,
                Holder::Vault(vault::Vault::new(key, exchange(Service::Vault)?, &environment).await?),
            ),
            KeyReference::Pkcs11(uri) => {
                (Service::Pkcs11, Holder::Pkcs11(pkcs11::Token::new(uri, &environment)?))
            }
            KeyReference::Kubernetes(secret) => {
                let key = kubernetes::fetch(secret, exchange(Service::Kubernetes)?, &environment).await?;
                (Service::Kubernetes, Holder::Local(Box::new(key)))
            }
        };
        Ok(Self { service, holder, public: OnceCell::new() })
    }

    /// Who holds the key.
    pub fn service(&self) -> Service {
        self.service
    }

    /// The public half, fetched when it is first asked for.
    ///
    /// # Errors
    /// [`KmsError`]; [`KmsError::PublicKey`] when it is of a kind that is not accepted.
    pub async fn public_key(&self) -> Result<PublicKey, KmsError> {
        self.public.get_or_try_init(|| self.holder.public_key()).await.cloned()
    }

    /// Signs `message`: DER for ECDSA, PKCS#1 v1.5 with SHA-256 for RSA. The signature has been verified with
    /// [`RemoteKey::public_key`].
    ///
    /// # Errors
    /// [`KmsError::Format`] when no verifier of that format would accept a signature by this kind of key;
    /// [`KmsError::BadSignature`] when the service's signature does not verify; otherwise why there is none.
    pub async fn sign(&self, message: &[u8], format: SignatureFormat) -> Result<Vec<u8>, KmsError> {
        let key = self.public_key().await?;
        let algorithm = key.algorithm();
        if algorithm == KeyAlgorithm::EcdsaP384 && format == SignatureFormat::Legacy {
            return Err(KmsError::Format { algorithm });
        }
        let signature = match &self.holder {
            Holder::Local(key) => key.sign(message, format)?,
            remote => remote.sign(Order { algorithm, message }).await?,
        };
        let signature = BlobSignature::Bare(signature);
        let verifier = Verifier::new(vec![key], Limits::default());
        match (verifier.verify_blob(Artifact::Bytes(message), &signature), signature) {
            (Ok(verified), BlobSignature::Bare(signature)) if !verified.is_empty() => Ok(signature),
            _ => Err(KmsError::BadSignature { service: self.service }),
        }
    }
}

impl Holder {
    fn local(environment: &Environment, name: &str) -> Result<Self, KmsError> {
        let file = KeyFile::parse(&environment.require(name)?, &Limits::default())?;
        let password = environment.first(&["TOUCHMARK_PASSWORD", "COSIGN_PASSWORD"]).unwrap_or_default();
        Ok(Self::Local(Box::new(file.unlock(password.as_bytes())?)))
    }

    async fn public_key(&self) -> Result<PublicKey, KmsError> {
        match self {
            Self::Aws(key) => key.public_key().await,
            Self::Gcp(key) => key.public_key().await,
            Self::Azure(key) => key.public_key().await,
            Self::Vault(key) => key.public_key().await,
            Self::Pkcs11(key) => key.public_key().await,
            Self::Local(key) => Ok(key.public_key().clone()),
        }
    }

    async fn sign(&self, order: Order<'_>) -> Result<Vec<u8>, KmsError> {
        match self {
            Self::Aws(key) => key.sign(order).await,
            Self::Gcp(key) => key.sign(order).await,
            Self::Azure(key) => key.sign(order).await,
            Self::Vault(key) => key.sign(order).await,
            Self::Pkcs11(key) => key.sign(order).await,
            Self::Local(key) => Ok(key.sign(order.message, SignatureFormat::Bundle)?),
        }
    }
}

/// Without anything secret.
impl fmt::Debug for RemoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKey")
            .field("service", &self.service)
            .field("public", &self.public.get())
            .finish_non_exhaustive()
    }
}
