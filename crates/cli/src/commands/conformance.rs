//! `touchmark conformance`: the command line protocol of the Sigstore conformance suite
//! ([cli_protocol.md](https://github.com/sigstore/sigstore-conformance/blob/v0.0.22/docs/cli_protocol.md)), over the same functions as
//! `verify-blob` and `verify-blob-attestation`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use touchmark_oci::Digest;
use touchmark_policy::{CertificateIdentity, NamedSigner, ProofRequirement, TextMatch};
use touchmark_sign::keyless::{IdentityToken, KeylessSigner, SigningServices};
use touchmark_sigstore::{Artifact, BlobSignature, Bundle, BundleContent, PublicKey, Verifier};

use crate::accept::accept;
use crate::commands::sign_blob::MAX_BLOB_BYTES;
use crate::context::Context;
use crate::files::{MAX_DOCUMENT_BYTES, read_input, write_output};
use crate::keys::limits;
use crate::outcome::Outcome;
use crate::signers::TrustRootRef;

/// The suite's commands.
#[derive(Debug, Subcommand)]
pub(crate) enum ConformanceCommand {
    /// Verify a bundle as the conformance suite asks
    VerifyBundle(VerifyBundleArgs),
    /// Sign a file as the conformance suite asks
    SignBundle(SignBundleArgs),
}

/// Arguments of `conformance sign-bundle`.
#[derive(Debug, Args)]
pub(crate) struct SignBundleArgs {
    /// The staging instance's services; they need a signing configuration here
    #[arg(long, requires = "signing_config")]
    staging: bool,
    /// The file is an in-toto statement, to be signed as it is
    #[arg(long)]
    in_toto: bool,
    /// The identity token
    #[arg(long)]
    identity_token: String,
    /// Where to write the bundle
    #[arg(long)]
    bundle: PathBuf,
    /// The trust root, which the suite gives and signing has no use for
    #[arg(long)]
    trusted_root: Option<PathBuf>,
    /// The services
    #[arg(long)]
    signing_config: Option<PathBuf>,
    /// The file
    artifact: PathBuf,
}

/// Arguments of `conformance verify-bundle`.
#[derive(Debug, Args)]
pub(crate) struct VerifyBundleArgs {
    /// Trust the staging instance
    #[arg(long)]
    staging: bool,
    /// The bundle
    #[arg(long)]
    bundle: PathBuf,
    /// The certificate's subject
    #[arg(
        long,
        required_unless_present = "key",
        conflicts_with = "key",
        requires = "certificate_oidc_issuer"
    )]
    certificate_identity: Option<String>,
    /// The certificate's issuer
    #[arg(long, requires = "certificate_identity")]
    certificate_oidc_issuer: Option<String>,
    /// The public key
    #[arg(long)]
    key: Option<PathBuf>,
    /// The trust root
    #[arg(long)]
    trusted_root: Option<PathBuf>,
    /// The file, or its digest
    artifact: String,
}

/// Runs the suite's command.
pub(crate) async fn run(command: &ConformanceCommand, context: &Context) -> anyhow::Result<Outcome> {
    match command {
        ConformanceCommand::VerifyBundle(args) => verify(args),
        ConformanceCommand::SignBundle(args) => sign(args, context).await,
    }
}

/// Signs. The suite verifies what was signed by itself.
async fn sign(args: &SignBundleArgs, context: &Context) -> anyhow::Result<Outcome> {
    let now = Timestamp::now();
    let services = match &args.signing_config {
        Some(path) => SigningServices::parse(&read_input(path, MAX_DOCUMENT_BYTES)?, now)?,
        None => SigningServices::public_good(now)?,
    };
    let token = IdentityToken::parse(&args.identity_token, now)?;
    let signer = KeylessSigner::new(context.client()?, services, token);
    let artifact = read_input(&args.artifact, MAX_BLOB_BYTES)?;
    let bundle =
        if args.in_toto { signer.sign_payload(artifact).await? } else { signer.sign_blob(&artifact).await? };
    write_output(&args.bundle, &bundle)?;
    Ok(Outcome::Done)
}

/// The suite's cases with certificates all come from logs, so an entry is asked for; the promise of one is one (bundles of version 0.1).
fn verify(args: &VerifyBundleArgs) -> anyhow::Result<Outcome> {
    let (signer, proof) = signer(args)?;
    let signers = [signer];
    let reference = match (&args.trusted_root, args.staging) {
        (Some(path), _) => TrustRootRef::File(path.clone()),
        (None, true) => TrustRootRef::Staging,
        (None, false) => TrustRootRef::Public,
    };
    let keys = signers.iter().flat_map(NamedSigner::keys).map(|trusted| trusted.key().clone()).collect();
    let verifier = Verifier::new(keys, limits()).with_trust_root(Arc::new(reference.load()?));
    let signature = BlobSignature::parse(&read_input(&args.bundle, MAX_DOCUMENT_BYTES)?, &limits())?;
    let digest = args.artifact.parse::<Digest>().ok().filter(|_| !Path::new(&args.artifact).exists());
    let bytes = match &digest {
        Some(_) => Vec::new(),
        None => read_input(args.artifact.as_ref(), MAX_BLOB_BYTES)?,
    };
    let accepted = match attestation(&signature) {
        Some(bundle) => {
            let about = digest.unwrap_or_else(|| Digest::of(&bytes));
            accept(verifier.verify_blob_attestation(&about, bundle), &signers, &proof)
                .map(|found| found.len())
        }
        None => {
            let artifact = digest.as_ref().map_or(Artifact::Bytes(&bytes), Artifact::Digest);
            accept(verifier.verify_blob(artifact, &signature), &signers, &proof).map(|found| found.len())
        }
    };
    accepted?;
    Ok(Outcome::Done)
}

fn signer(args: &VerifyBundleArgs) -> anyhow::Result<(NamedSigner, ProofRequirement)> {
    if let Some(path) = &args.key {
        let text = String::from_utf8(read_input(path, limits().max_key_text_bytes as u64)?)?;
        return Ok((NamedSigner::of_key(text.parse::<PublicKey>()?), ProofRequirement::default()));
    }
    let exactly = |text: &Option<String>| TextMatch::Exactly(text.clone().unwrap_or_default());
    let identity =
        CertificateIdentity::new(exactly(&args.certificate_identity), exactly(&args.certificate_oidc_issuer));
    Ok((NamedSigner::of_certificate(identity), ProofRequirement::default().promise(1)))
}

fn attestation(signature: &BlobSignature) -> Option<&Bundle> {
    match signature {
        BlobSignature::Bundle(bundle) if matches!(bundle.content(), BundleContent::Envelope(_)) => {
            Some(bundle)
        }
        _ => None,
    }
}
