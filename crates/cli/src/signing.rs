//! Signing with whatever the command line names: a key in a file, a key elsewhere, or an identity.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use touchmark_attestation::Statement;
use touchmark_oci::{Digest, PinnedRef};
use touchmark_sign::keyless::{
    KeylessError, KeylessSigner, ProofServices, Prover, ServicesError, SigningServices,
};
use touchmark_sign::{
    SignatureFormat, Signer, UnsignedBlob, UnsignedSignature, UnsignedStatement, image_statement,
};
use touchmark_sigstore::TrustRoot;
use touchmark_sigstore::storage::{LayerKind, LegacyLayer};
use touchmark_transport::Url;

use crate::check::Check;
use crate::context::Context;
use crate::failure::Mistake;
use crate::files::{MAX_DOCUMENT_BYTES, read_input};
use crate::identity::IdentityArgs;
use crate::keys::KeyRef;
use crate::signers::TrustRootRef;
use crate::signing_key::SigningKey;
use crate::trust_source::{Trust, TrustSource};

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
    /// The services to sign with, a signing_config.json. Keyless, without it and without URLs, those of what trust init chose, or else
    /// Sigstore's public ones; with --key, those that list and date the signature, and none without it
    #[arg(long, value_name = "FILE", env = "TOUCHMARK_SIGNING_CONFIG", conflicts_with_all = SERVICE_URLS)]
    signing_config: Option<PathBuf>,
    /// Keyless: the certificate authority
    #[arg(long, value_name = "URL", env = "TOUCHMARK_FULCIO_URL", conflicts_with = "key")]
    fulcio_url: Option<Url>,
    /// A transparency log, with --key or --fulcio-url; all that are named have to list the signature
    #[arg(long, value_name = "URL", env = "TOUCHMARK_REKOR_URL")]
    rekor_url: Vec<Url>,
    /// The version of the logs' interface, 1 or 2
    #[arg(long, value_name = "VERSION", requires = "rekor_url")]
    rekor_version: Option<u32>,
    /// A timestamp authority, with --key or --fulcio-url; all that are named have to date the signature
    #[arg(long, value_name = "URL", env = "TOUCHMARK_TIMESTAMP_SERVER_URL")]
    timestamp_server_url: Vec<Url>,
    /// The trust root that what was signed is verified against before it is used, as --trusted-root of verify; keyless with
    /// Sigstore's public services, theirs
    #[arg(long, value_name = "FILE", env = "TOUCHMARK_TRUSTED_ROOT")]
    trusted_root: Option<TrustSource>,
}

/// What a signing configuration says instead.
const SERVICE_URLS: [&str; 3] = ["fulcio_url", "rekor_url", "timestamp_server_url"];

/// Something to sign with.
pub(crate) struct Signing {
    by: By,
    /// Verifies what was signed, where there is a trust root to do it with.
    check: Option<Check>,
}

enum By {
    /// A key, and what lists and dates its signatures.
    Key { key: Box<SigningKey>, prover: Option<Prover> },
    /// An identity.
    Identity(Box<KeylessSigner>),
}

impl From<Signer> for Signing {
    fn from(signer: Signer) -> Self {
        Self { by: By::Key { key: Box::new(SigningKey::Here(signer)), prover: None }, check: None }
    }
}

impl SigningArgs {
    /// Opens the key, or gets the identity's token.
    pub(crate) async fn load(&self, context: &Context) -> anyhow::Result<Signing> {
        match &self.key {
            Some(key) => self.keyed(key, context).await,
            None => self.keyless(context).await,
        }
    }

    async fn keyed(&self, key: &KeyRef, context: &Context) -> anyhow::Result<Signing> {
        let key = match key {
            KeyRef::Elsewhere(reference) => SigningKey::open(reference, context).await?,
            key => SigningKey::Here(key.unlock()?.into()),
        };
        let services = match &self.signing_config {
            Some(path) => Some(self.read_config(path, ProofServices::parse)?),
            None if self.rekor_url.is_empty() && self.timestamp_server_url.is_empty() => None,
            None => Some(ProofServices::new(self.logs(), self.timestamp_server_url.clone())?),
        };
        let Some(services) = services else {
            return Ok(Signing { by: By::Key { key: Box::new(key), prover: None }, check: None });
        };
        let trust_root = self.given_trust_root(context).await?;
        let check = trust_root.map(|trust_root| Check::new(Arc::new(trust_root), Some(key.public())));
        let prover = Some(Prover::new(context.client()?, services));
        Ok(Signing { by: By::Key { key: Box::new(key), prover }, check })
    }

    async fn keyless(&self, context: &Context) -> anyhow::Result<Signing> {
        let client = context.client()?;
        let kept = self.kept(context).await?;
        let services = self.services(kept.as_ref())?;
        let token = self.identity.token(&client, &services, context).await?;
        context.note(&format!(
            "signing keyless as {} (issuer {}), which the certificate and every log make public",
            token.identity(),
            token.issuer()
        ));
        let trust_root = match kept {
            Some(trust) => Some(trust.root),
            None if self.trusted_root.is_none() && !self.names_services() => {
                Some(TrustRootRef::Public.load()?)
            }
            None => self.given_trust_root(context).await?,
        };
        let signer = KeylessSigner::new(client, services, token);
        Ok(Signing::keyless(signer, trust_root.map(Arc::new)))
    }

    /// What `trust init` chose, where the services or the trust root come from there.
    async fn kept(&self, context: &Context) -> anyhow::Result<Option<Trust>> {
        match &self.trusted_root {
            Some(TrustSource::Given(_)) => Ok(None),
            None if self.names_services() => Ok(None),
            source => Ok(Some(Trust::load(source.as_ref(), context).await?).filter(Trust::is_kept)),
        }
    }

    fn names_services(&self) -> bool {
        self.fulcio_url.is_some() || self.signing_config.is_some()
    }

    fn services(&self, kept: Option<&Trust>) -> anyhow::Result<SigningServices> {
        if let Some(authority) = &self.fulcio_url {
            let times = self.timestamp_server_url.clone();
            return Ok(SigningServices::new(authority.clone(), self.logs(), times)?);
        }
        if !self.rekor_url.is_empty() || !self.timestamp_server_url.is_empty() {
            return Err(Mistake::new(
                "--rekor-url and --timestamp-server-url are given without --fulcio-url or --key",
                "keyless signing on services of your own takes --fulcio-url too, or a --signing-config",
            )
            .into());
        }
        match (&self.signing_config, kept) {
            (Some(path), _) => self.read_config(path, SigningServices::parse),
            (None, Some(trust)) => trust.services(Timestamp::now()),
            (None, None) => Ok(SigningServices::public_good(Timestamp::now())?),
        }
    }

    fn logs(&self) -> Vec<(Url, u32)> {
        let version = self.rekor_version.unwrap_or(DEFAULT_LOG_VERSION);
        self.rekor_url.iter().map(|url| (url.clone(), version)).collect()
    }

    fn read_config<T>(
        &self,
        path: &Path,
        parse: impl FnOnce(&[u8], Timestamp) -> Result<T, ServicesError>,
    ) -> anyhow::Result<T> {
        let bytes = read_input(path, MAX_DOCUMENT_BYTES)?;
        parse(&bytes, Timestamp::now())
            .with_context(|| format!("cannot use the signing configuration {}", path.display()))
    }

    /// The trust root that `--trusted-root` names, to verify with what services of the user's own answer.
    async fn given_trust_root(&self, context: &Context) -> anyhow::Result<Option<TrustRoot>> {
        let Some(source) = &self.trusted_root else {
            context
                .warn("without --trusted-root, what the services answer is not verified before it is used");
            return Ok(None);
        };
        Ok(Some(Trust::load(Some(source), context).await?.root))
    }
}

impl Signing {
    /// With an identity; what it signs is verified against `trust_root`.
    pub(crate) fn keyless(signer: KeylessSigner, trust_root: Option<Arc<TrustRoot>>) -> Self {
        let check = trust_root.map(|trust_root| Check::new(trust_root, None));
        Self { by: By::Identity(Box::new(signer)), check }
    }

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
        let bundle = match &self.by {
            By::Identity(signer) => signer.sign_payload(payload).await.map_err(told)?,
            By::Key { key, prover } => {
                let unsigned = UnsignedStatement::from_payload(payload)?;
                let signature = key.sign(unsigned.message(), SignatureFormat::Bundle).await?;
                match prover {
                    Some(prover) => {
                        prover.statement(unsigned, key.public(), signature).await.map_err(told)?
                    }
                    None => unsigned.into_bundle(key.public(), signature)?,
                }
            }
        };
        self.check.as_ref().map_or(Ok(()), |check| check.statement(subject, &bundle))?;
        Ok(bundle)
    }

    /// A file's signature: a bundle.
    pub(crate) async fn blob(&self, artifact: &[u8]) -> anyhow::Result<Vec<u8>> {
        let bundle = match &self.by {
            By::Identity(signer) => signer.sign_blob(artifact).await.map_err(told)?,
            By::Key { key, prover } => {
                let signature = key.sign(artifact, SignatureFormat::Bundle).await?;
                match prover {
                    Some(prover) => prover.blob(artifact, key.public(), signature).await.map_err(told)?,
                    None => UnsignedBlob::new(artifact).into_bundle(key.public(), &signature)?,
                }
            }
        };
        self.check.as_ref().map_or(Ok(()), |check| check.blob(artifact, &bundle))?;
        Ok(bundle)
    }

    /// An image's signature as cosign 1 and 2 store it.
    pub(crate) async fn legacy_image(
        &self,
        image: &PinnedRef,
        annotations: &BTreeMap<String, String>,
    ) -> anyhow::Result<LegacyLayer> {
        let unsigned = UnsignedSignature::new(image, annotations);
        let layer = match &self.by {
            By::Identity(signer) => signer.legacy_image(unsigned).await.map_err(told)?,
            By::Key { key, prover } => {
                let signature = key.sign(unsigned.message(), SignatureFormat::Legacy).await?;
                match prover {
                    Some(prover) => {
                        prover.legacy_image(unsigned, key.public(), signature).await.map_err(told)?
                    }
                    None => unsigned.into_layer(&signature),
                }
            }
        };
        self.check_layer(image, LayerKind::SimpleSigning, &layer)?;
        Ok(layer)
    }

    /// A signed statement as cosign 1 and 2 store it.
    pub(crate) async fn legacy_statement<P: Serialize>(
        &self,
        statement: &Statement<P>,
        image: &PinnedRef,
    ) -> anyhow::Result<LegacyLayer> {
        let unsigned = UnsignedStatement::new(statement)?;
        let layer = match &self.by {
            By::Identity(signer) => signer.legacy_statement(unsigned).await.map_err(told)?,
            By::Key { key, prover } => {
                let signature = key.sign(unsigned.message(), SignatureFormat::Legacy).await?;
                match prover {
                    Some(prover) => {
                        prover.legacy_statement(unsigned, key.public(), signature).await.map_err(told)?
                    }
                    None => unsigned.into_layer(signature),
                }
            }
        };
        self.check_layer(image, LayerKind::Envelope, &layer)?;
        Ok(layer)
    }

    /// The signature alone, which only a key makes: nobody could know the identity from it.
    pub(crate) async fn sign(&self, message: &[u8], format: SignatureFormat) -> anyhow::Result<Vec<u8>> {
        match &self.by {
            By::Key { key, .. } => key.sign(message, format).await,
            By::Identity(_) => Err(Mistake::new(
                "a keyless signature without its certificate is nobody's",
                "--bundle FILE keeps both",
            )
            .into()),
        }
    }

    /// Before anything is signed, logged or attached: the older format keeps a log's promise, if anything from a log.
    pub(crate) fn refuse_what_the_older_format_cannot_keep(&self) -> anyhow::Result<()> {
        let services = match &self.by {
            By::Key { prover: None, .. } => return Ok(()),
            By::Key { prover: Some(prover), .. } => prover.services(),
            By::Identity(signer) => signer.services().proof(),
        };
        if services.gives_promise() { Ok(()) } else { Err(told(KeylessError::NoPromise)) }
    }

    /// Who signs, for people.
    pub(crate) fn name(&self) -> String {
        match &self.by {
            By::Key { key, .. } => format!("key {}", key.public().id()),
            By::Identity(signer) => signer.token().identity().to_owned(),
        }
    }

    fn check_layer(&self, image: &PinnedRef, kind: LayerKind, layer: &LegacyLayer) -> anyhow::Result<()> {
        self.check.as_ref().map_or(Ok(()), |check| check.layer(image, kind, layer))
    }
}

/// With a way out, where there is one.
fn told(error: KeylessError) -> anyhow::Error {
    match error.hint() {
        Some(hint) => Mistake::from_error(error, "nothing was signed", hint).into(),
        None => error.into(),
    }
}
