//! `touchmark conformance`: the command line protocol of the Sigstore conformance suite
//! ([cli_protocol.md](https://github.com/sigstore/sigstore-conformance/blob/v0.0.22/docs/cli_protocol.md)), over the same functions as
//! `verify-blob` and `verify-blob-attestation`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use touchmark_oci::Digest;
use touchmark_policy::{CertificateIdentity, NamedSigner, ProofRequirement, TextMatch};
use touchmark_sigstore::{Artifact, BlobSignature, Bundle, BundleContent, PublicKey, Verifier};

use crate::accept::accept;
use crate::commands::sign_blob::MAX_BLOB_BYTES;
use crate::files::{MAX_DOCUMENT_BYTES, read_input};
use crate::keys::limits;
use crate::outcome::Outcome;
use crate::signers::TrustRootRef;

/// The suite's commands.
#[derive(Debug, Subcommand)]
pub(crate) enum ConformanceCommand {
    /// Verify a bundle as the conformance suite asks
    VerifyBundle(VerifyBundleArgs),
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
pub(crate) fn run(command: &ConformanceCommand) -> anyhow::Result<Outcome> {
    match command {
        ConformanceCommand::VerifyBundle(args) => verify(args),
    }
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
    let keys = signers.iter().filter_map(NamedSigner::key).cloned().collect();
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
