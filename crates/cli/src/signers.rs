//! Whose signatures are wanted, as the commands that verify name them: keys, or the identities in certificates, and how much has to be
//! proven about them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use touchmark_policy::{CertificateIdentity, NamedSigner, PolicySet, ProofRequirement, TextMatch};
use touchmark_sigstore::{FulcioExtension, TrustRoot, Verifier, WitnessKey};

use crate::context::Context;
use crate::failure::Mistake;
use crate::files::read_input;
use crate::keys::{VerificationKeyArgs, limits};
use crate::trust_source::{Trust, TrustSource};

/// `--key`, or `--certificate-identity` and `--certificate-oidc-issuer`.
#[derive(Debug, Clone, Args)]
pub(crate) struct SignerArgs {
    #[command(flatten)]
    pub(crate) keys: VerificationKeyArgs,
    /// The subject that the signing certificate has to be for: an email address or a URI. Of several, any one may have signed
    #[arg(long, value_name = "SUBJECT", env = "TOUCHMARK_CERTIFICATE_IDENTITY")]
    certificate_identity: Vec<String>,
    /// The same as a regular expression, which has to match the whole subject
    #[arg(long, value_name = "REGEXP", env = "TOUCHMARK_CERTIFICATE_IDENTITY_REGEXP")]
    certificate_identity_regexp: Vec<String>,
    /// The OpenID Connect issuer that vouched for the subject. Of several, any one may have
    #[arg(long, value_name = "URL", env = "TOUCHMARK_CERTIFICATE_OIDC_ISSUER")]
    certificate_oidc_issuer: Vec<String>,
    /// The same as a regular expression, which has to match the whole issuer
    #[arg(long, value_name = "REGEXP", env = "TOUCHMARK_CERTIFICATE_OIDC_ISSUER_REGEXP")]
    certificate_oidc_issuer_regexp: Vec<String>,
    /// What the certificate has to say about the CI job, such as runnerEnvironment=github-hosted; all of it
    #[arg(long, value_name = "NAME=VALUE", requires = "certificate_identities")]
    certificate_extension: Vec<Extension>,
    #[command(flatten)]
    group: CertificateIdentities,
}

/// So that clap knows whether any certificate identity is given.
#[derive(Debug, Clone, Args)]
#[group(id = "certificate_identities", multiple = true, args = ["certificate_identity", "certificate_identity_regexp"])]
struct CertificateIdentities {}

/// `NAME=VALUE` of `--certificate-extension`.
#[derive(Debug, Clone)]
struct Extension(FulcioExtension, String);

impl FromStr for Extension {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
        Ok(Self(name.parse().map_err(|error| format!("{error}"))?, value.to_owned()))
    }
}

impl SignerArgs {
    /// The signers, each named after its key or identity.
    pub(crate) async fn load(&self, context: &Context) -> anyhow::Result<Vec<NamedSigner>> {
        let keys = self.keys.load(context).await?.into_iter().map(NamedSigner::of_key);
        Ok(keys.chain(self.certificates()?.into_iter().map(NamedSigner::of_certificate)).collect())
    }

    /// The signers, of which there has to be one.
    pub(crate) async fn require(&self, context: &Context) -> anyhow::Result<Vec<NamedSigner>> {
        let signers = self.load(context).await?;
        if signers.is_empty() {
            return Err(Mistake::new(
                "nobody to verify by",
                "--key KEY names a key; --certificate-identity and --certificate-oidc-issuer name an identity",
            )
            .into());
        }
        Ok(signers)
    }

    /// Every subject with every issuer.
    fn certificates(&self) -> anyhow::Result<Vec<CertificateIdentity>> {
        let subjects = either(&self.certificate_identity, &self.certificate_identity_regexp)?;
        let issuers = either(&self.certificate_oidc_issuer, &self.certificate_oidc_issuer_regexp)?;
        if subjects.is_empty() != issuers.is_empty() {
            return Err(Mistake::new(
                "a certificate's subject and its issuer say who signed only together",
                "--certificate-identity[-regexp] and --certificate-oidc-issuer[-regexp], both",
            )
            .into());
        }
        let wanted: BTreeMap<_, _> =
            self.certificate_extension.iter().map(|Extension(name, value)| (*name, value.clone())).collect();
        let pairs = subjects.iter().flat_map(|subject| issuers.iter().map(move |issuer| (subject, issuer)));
        Ok(pairs
            .map(|(subject, issuer)| CertificateIdentity::new(subject.clone(), issuer.clone()))
            .map(|identity| identity.with_extensions(wanted.clone()))
            .collect())
    }
}

fn either(exact: &[String], expressions: &[String]) -> anyhow::Result<Vec<TextMatch>> {
    if exact.iter().chain(expressions).any(String::is_empty) {
        return Err(
            Mistake::new("an empty identity or issuer matches nobody", "name one, or leave it out").into()
        );
    }
    let compiled = expressions
        .iter()
        .map(|written| TextMatch::expression(written).with_context(|| format!("cannot use {written:?}")));
    exact.iter().cloned().map(|text| Ok(TextMatch::Exactly(text))).chain(compiled).collect()
}

/// `--trusted-root` and `--require`.
#[derive(Debug, Clone, Args)]
pub(crate) struct TrustArgs {
    /// Whose certificates, logs and timestamps to trust: a trusted_root.json, tuf for what trust init chose, or public or staging for
    /// Sigstore's own as this version knows them. Without it, what trust init chose, or else public
    #[arg(long, value_name = "FILE", env = "TOUCHMARK_TRUSTED_ROOT")]
    pub(crate) trusted_root: Option<TrustSource>,
    /// What has to be proven beyond the signature: log, timestamp, witness, sct, promise; with =N by so many different ones. Without logs or
    /// timestamps, certificates need an included log entry or a timestamp, and keys need nothing
    #[arg(long, value_name = "PROOF", env = "TOUCHMARK_REQUIRE")]
    pub(crate) require: Option<ProofRequirement>,
    /// The key of a witness whose cosignature of a log's checkpoint counts for --require witness: NAME+HASH+KEY
    #[arg(long, value_name = "KEY", env = "TOUCHMARK_WITNESS")]
    pub(crate) witness: Vec<WitnessKey>,
}

/// A trust root that is there, and that nobody refreshes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TrustRootRef {
    /// Sigstore's public good instance, as shipped.
    Public,
    /// Sigstore's staging instance, as shipped.
    Staging,
    /// In a file.
    File(PathBuf),
}

impl FromStr for TrustRootRef {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "public" => Self::Public,
            "staging" => Self::Staging,
            path => Self::File(path.into()),
        })
    }
}

impl fmt::Display for TrustRootRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public => f.write_str("public"),
            Self::Staging => f.write_str("staging"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

impl TrustRootRef {
    /// Reads it. Nothing is fetched.
    pub(crate) fn load(&self) -> anyhow::Result<TrustRoot> {
        let root = match self {
            Self::Public => TrustRoot::public_good(),
            Self::Staging => TrustRoot::staging(),
            Self::File(path) => {
                let bytes = read_input(path, limits().max_trust_root_bytes as u64)?;
                TrustRoot::parse(&bytes, &limits())
            }
        };
        root.with_context(|| format!("cannot use the trust root {self}"))
    }
}

impl TrustArgs {
    /// The proof that is asked for.
    pub(crate) fn proof(&self) -> anyhow::Result<ProofRequirement> {
        let proof = self.require.clone().unwrap_or_default().with_known_witnesses(self.witness.clone());
        match proof.unknown_witnesses() {
            0 => Ok(proof),
            missing => Err(Mistake::new(
                format!("--require asks for {missing} more witnesses than are known"),
                "--witness KEY names one, as NAME+HASH+KEY; each key counts once",
            )
            .into()),
        }
    }

    /// The trust root that is named, or else the default where one is needed. Where none is, nobody is asked for one.
    async fn load(&self, needed: bool, context: &Context) -> anyhow::Result<Option<Arc<TrustRoot>>> {
        if self.trusted_root.is_none() && !needed {
            return Ok(None);
        }
        let trust = Trust::load(self.trusted_root.as_ref(), context).await?;
        Ok(Some(Arc::new(trust.root)))
    }

    /// The trust root for these policies.
    pub(crate) async fn for_policies(
        &self,
        policies: &PolicySet,
        context: &Context,
    ) -> anyhow::Result<Option<Arc<TrustRoot>>> {
        self.load(policies.needs_trust_root(), context).await
    }

    /// A verifier of files that knows these signers.
    pub(crate) async fn verifier(
        &self,
        signers: &[NamedSigner],
        context: &Context,
    ) -> anyhow::Result<Verifier> {
        let keys = signers.iter().flat_map(NamedSigner::keys).map(|trusted| trusted.key().clone()).collect();
        let certified = signers.iter().any(NamedSigner::is_certified);
        let proof = self.proof()?;
        let trust_root = self.load(certified || proof.is_stated(), context).await?;
        let witnesses = proof.known_witnesses().cloned().collect();
        Ok(Verifier::new(keys, limits()).with_trust_root(trust_root).with_witnesses(witnesses))
    }
}
