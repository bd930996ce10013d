//! Signing with whatever the command line names: a key in a file, a key elsewhere, or an identity.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use touchmark_attestation::Statement;
use touchmark_oci::{Digest, PinnedRef};
use touchmark_sign::keyless::{KeylessSigner, SigningServices};
use touchmark_sign::kms::{Environment, RemoteKey};
use touchmark_sign::{
    KeyReference, SignatureFormat, Signer, UnsignedBlob, UnsignedSignature, UnsignedStatement,
    image_statement,
};
use touchmark_sigstore::storage::LegacyLayer;
use touchmark_sigstore::{Artifact, BlobSignature, Bundle, PublicKey, Verifier};
use touchmark_transport::{Client, ClientOptions, Url};

use crate::context::Context;
use crate::failure::Mistake;
use crate::files::{MAX_DOCUMENT_BYTES, read_input};
use crate::identity::IdentityArgs;
use crate::keys::{KeyRef, limits};
use crate::signers::TrustRootRef;

/// The interface version of a log that `--rekor-url` names, unless `--rekor-version` says otherwise.
const DEFAULT_LOG_VERSION: u32 = 1;

/// `--key`, or what keyless signing takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct SigningArgs {
    /// The private key to sign with: a file, env://NAME, or a reference to a key elsewhere (docs/keys.md). Its password comes from
    /// COSIGN_PASSWORD, TOUCHMARK_PASSWORD or a prompt. Without it, signing is keyless
    #[arg(long, value_name = "KEY", env = "TOUCHMARK_KEY")]
    pub(crate) key: Option<KeyRef>,
    #[command(flatten)]
    pub(crate) identity: IdentityArgs,
    /// Keyless: the services to sign with, a signing_config.json; without it and without URLs, Sigstore's public ones
    #[arg(long, value_name = "FILE", env = "TOUCHMARK_SIGNING_CONFIG", conflicts_with_all = ["key", "fulcio_url"])]
    signing_config: Option<std::path::PathBuf>,
    /// Keyless: the certificate authority
    #[arg(long, value_name = "URL", env = "TOUCHMARK_FULCIO_URL", conflicts_with = "key")]
    fulcio_url: Option<Url>,
    /// Keyless: a transparency log; all that are named have to list the signature
    #[arg(long, value_name = "URL", env = "TOUCHMARK_REKOR_URL", requires = "fulcio_url")]
    rekor_url: Vec<Url>,
    /// Keyless: the version of the logs' interface, 1 or 2
    #[arg(long, value_name = "VERSION", requires = "rekor_url")]
    rekor_version: Option<u32>,
    /// Keyless: a timestamp authority; all that are named have to date the signature
    #[arg(long, value_name = "URL", env = "TOUCHMARK_TIMESTAMP_SERVER_URL", requires = "fulcio_url")]
    timestamp_server_url: Vec<Url>,
    /// Keyless: the trust root that what was signed is verified against before it is used, as --trusted-root of verify; with
    /// Sigstore's public services, theirs
    #[arg(long, value_name = "FILE", env = "TOUCHMARK_TRUSTED_ROOT", conflicts_with = "key")]
    trusted_root: Option<TrustRootRef>,
}

/// Something to sign with.
pub(crate) enum Signing {
    /// A key in memory.
    Key(Signer),
    /// A key elsewhere.
    Remote { key: Box<RemoteKey>, public: PublicKey },
    /// An identity.
    Keyless { signer: Box<KeylessSigner>, check: Option<Box<Verifier>> },
}

impl From<Signer> for Signing {
    fn from(signer: Signer) -> Self {
        Self::Key(signer)
    }
}

impl SigningArgs {
    /// Opens the key, or gets the identity's token.
    pub(crate) async fn load(&self, context: &Context) -> anyhow::Result<Signing> {
        match &self.key {
            Some(KeyRef::Elsewhere(reference)) => open(reference).await,
            Some(key) => Ok(Signing::Key(key.unlock()?.into())),
            None => self.keyless(context).await,
        }
    }

    async fn keyless(&self, context: &Context) -> anyhow::Result<Signing> {
        let client = Client::new(ClientOptions::default())?;
        let services = self.services(Timestamp::now())?;
        let token = self.identity.token(&client, &services, context).await?;
        context.note(&format!(
            "signing keyless as {} (issuer {}), which the certificate and every log make public",
            token.identity(),
            token.issuer()
        ));
        let check = self.check(context)?;
        Ok(Signing::Keyless { signer: Box::new(KeylessSigner::new(client, services, token)), check })
    }

    fn services(&self, now: Timestamp) -> anyhow::Result<SigningServices> {
        if let Some(authority) = &self.fulcio_url {
            let version = self.rekor_version.unwrap_or(DEFAULT_LOG_VERSION);
            let logs = self.rekor_url.iter().map(|url| (url.clone(), version)).collect();
            return Ok(SigningServices::new(authority.clone(), logs, self.timestamp_server_url.clone())?);
        }
        let Some(path) = &self.signing_config else {
            return Ok(SigningServices::public_good(now)?);
        };
        let bytes = read_input(path, MAX_DOCUMENT_BYTES)?;
        SigningServices::parse(&bytes, now)
            .with_context(|| format!("cannot use the signing configuration {}", path.display()))
    }

    /// What the result is verified with, so that a certificate that expired on the way or a service that erred is noticed now.
    fn check(&self, context: &Context) -> anyhow::Result<Option<Box<Verifier>>> {
        let public = self.fulcio_url.is_none() && self.signing_config.is_none();
        let Some(reference) = self.trusted_root.as_ref().or(public.then_some(&TrustRootRef::Public)) else {
            context
                .warn("without --trusted-root, what the services answer is not verified before it is used");
            return Ok(None);
        };
        let trust_root = Arc::new(reference.load()?);
        Ok(Some(Box::new(Verifier::new(Vec::new(), limits()).with_trust_root(trust_root))))
    }
}

async fn open(reference: &KeyReference) -> anyhow::Result<Signing> {
    let unusable = || format!("cannot use the key {reference}");
    let client = Client::new(ClientOptions::default())?;
    let environment = Environment::new(|name| std::env::var(name).ok());
    let key = RemoteKey::open(reference, client, environment).await.with_context(unusable)?;
    let public = key.public_key().await.with_context(unusable)?;
    Ok(Signing::Remote { key: Box::new(key), public })
}

impl Signing {
    /// An image's signature: a bundle.
    pub(crate) async fn image(
        &self,
        image: &PinnedRef,
        annotations: &BTreeMap<String, String>,
    ) -> anyhow::Result<Vec<u8>> {
        self.statement(&image_statement(image, annotations), image.digest()).await
    }

    /// A signed statement about `subject`: a bundle.
    pub(crate) async fn statement<P: Serialize>(
        &self,
        statement: &Statement<P>,
        subject: &Digest,
    ) -> anyhow::Result<Vec<u8>> {
        self.payload(statement.to_json()?, subject).await
    }

    /// The bytes of a statement about `subject`, signed as they are: a bundle.
    pub(crate) async fn payload(&self, payload: Vec<u8>, subject: &Digest) -> anyhow::Result<Vec<u8>> {
        let Self::Keyless { signer, check } = self else {
            let unsigned = UnsignedStatement::from_payload(payload)?;
            let signature = self.sign(unsigned.message(), SignatureFormat::Bundle).await?;
            return Ok(unsigned.into_bundle(self.public_key()?, signature)?);
        };
        let bundle = signer.sign_payload(payload).await?;
        if let Some(verifier) = check {
            let parsed = Bundle::parse(&bundle, &limits())?;
            verifier.verify_blob_attestation(subject, &parsed).context(UNVERIFIED)?;
        }
        Ok(bundle)
    }

    /// A file's signature: a bundle.
    pub(crate) async fn blob(&self, artifact: &[u8]) -> anyhow::Result<Vec<u8>> {
        let Self::Keyless { signer, check } = self else {
            let signature = self.sign(artifact, SignatureFormat::Bundle).await?;
            return Ok(UnsignedBlob::new(artifact).into_bundle(self.public_key()?, &signature)?);
        };
        let bundle = signer.sign_blob(artifact).await?;
        if let Some(verifier) = check {
            let parsed = BlobSignature::parse(&bundle, &limits())?;
            verifier.verify_blob(Artifact::Bytes(artifact), &parsed).context(UNVERIFIED)?;
        }
        Ok(bundle)
    }

    /// An image's signature as cosign 1 and 2 store it.
    pub(crate) async fn legacy_image(
        &self,
        image: &PinnedRef,
        annotations: &BTreeMap<String, String>,
    ) -> anyhow::Result<LegacyLayer> {
        let unsigned = UnsignedSignature::new(image, annotations);
        let signature = self.sign(unsigned.message(), SignatureFormat::Legacy).await?;
        Ok(unsigned.into_layer(&signature))
    }

    /// A signed statement as cosign 1 and 2 store it.
    pub(crate) async fn legacy_statement<P: Serialize>(
        &self,
        statement: &Statement<P>,
    ) -> anyhow::Result<LegacyLayer> {
        let unsigned = UnsignedStatement::new(statement)?;
        let signature = self.sign(unsigned.message(), SignatureFormat::Legacy).await?;
        Ok(unsigned.into_layer(signature))
    }

    /// The signature alone.
    pub(crate) async fn sign(&self, message: &[u8], format: SignatureFormat) -> anyhow::Result<Vec<u8>> {
        match self {
            Self::Key(signer) => Ok(signer.sign(message, format)?),
            Self::Remote { key, .. } => Ok(key.sign(message, format).await?),
            Self::Keyless { .. } => Err(only_bundles()),
        }
    }

    /// The key that verifies what is signed.
    pub(crate) fn public_key(&self) -> anyhow::Result<&PublicKey> {
        match self {
            Self::Key(signer) => Ok(signer.public_key()),
            Self::Remote { public, .. } => Ok(public),
            Self::Keyless { .. } => Err(only_bundles()),
        }
    }

    /// Who signs, for people.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Key(signer) => format!("key {}", signer.public_key().id()),
            Self::Remote { public, .. } => format!("key {}", public.id()),
            Self::Keyless { signer, .. } => signer.token().identity().to_owned(),
        }
    }
}

const UNVERIFIED: &str = "what the services answered does not verify, and is not used";

fn only_bundles() -> anyhow::Error {
    Mistake::new("a keyless signature is a bundle", "--format bundle, or a key for the older format").into()
}
