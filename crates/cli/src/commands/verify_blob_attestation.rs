//! `touchmark verify-blob-attestation FILE`: the statement about a file that holds.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde_json::json;
use touchmark_attestation::{PredicateType, Statement};
use touchmark_oci::Digest;
use touchmark_sigstore::{Bundle, Verified};

use crate::accept::{accept, told};
use crate::commands::sign_blob::MAX_BLOB_BYTES;
use crate::context::Context;
use crate::files::{MAX_DOCUMENT_BYTES, read_input};
use crate::keys::limits;
use crate::outcome::Outcome;
use crate::render::{Tone, harmless, log_note, to_stderr, to_stdout};
use crate::signers::{SignerArgs, TrustArgs};

/// Arguments of `verify-blob-attestation`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  touchmark verify-blob-attestation --key release.pub --bundle app.sigstore.json --type slsaprovenance1 app.tar.gz

The statement that holds is one line of JSON on standard output (docs/schemas/attestation.v1.json).")]
pub(crate) struct VerifyBlobAttestationArgs {
    /// The file that the attestation is about, or its digest (sha256:…)
    #[arg(value_name = "FILE")]
    file: String,
    #[command(flatten)]
    signers: SignerArgs,
    #[command(flatten)]
    trust: TrustArgs,
    /// The attestation, as a Sigstore bundle
    #[arg(long, value_name = "FILE")]
    bundle: PathBuf,
    /// The predicate's type: a URI or one of cosign's names
    #[arg(long = "type", value_name = "TYPE")]
    predicate_type: PredicateType,
}

/// Verifies the attestation, and prints its statement.
pub(crate) async fn run(args: &VerifyBlobAttestationArgs, context: &Context) -> anyhow::Result<Outcome> {
    let signers = args.signers.require(context).await?;
    let bytes = read_input(&args.bundle, MAX_DOCUMENT_BYTES)?;
    let bundle = Bundle::parse(&bytes, &limits())
        .with_context(|| format!("cannot use the bundle {}", args.bundle.display()))?;
    let digest = match args.file.parse::<Digest>() {
        Ok(digest) => digest,
        Err(_) => Digest::of(&read_input(args.file.as_ref(), MAX_BLOB_BYTES)?),
    };
    let verified = args.trust.verifier(&signers, context).await?.verify_blob_attestation(&digest, &bundle);
    let accepted = match accept(verified, &signers, &args.trust.proof()?) {
        Ok(accepted) => accepted,
        Err(refusal) => return Ok(deny(&args.file, &told(&refusal), context)),
    };
    let wanted = args.predicate_type.uri();
    let Some(found) = accepted.iter().find(|statement| statement.predicate_type() == wanted) else {
        let found = accepted.first().map(|statement| statement.predicate_type()).unwrap_or_default();
        let reason = format!("attestation has type {found}, expected {wanted}");
        return Ok(deny(&args.file, &reason, context));
    };
    to_stdout(line(found).as_bytes())?;
    Ok(Outcome::Done)
}

fn deny(file: &str, reason: &str, context: &Context) -> Outcome {
    let denied = context.stderr_style().paint(Tone::Bad, "denied");
    to_stderr(&format!("{denied} {}\n  {}", harmless(file), harmless(reason)));
    Outcome::Denied
}

fn line(verified: &Verified<Statement>) -> String {
    let line = json!({
        "schema": "touchmark.dev/attestation/v1",
        "statement": &**verified,
        "signer": verified.signer().to_string(),
        "log": log_note(&verified.proof().log),
    });
    format!("{line}\n")
}
