//! `touchmark verify-blob FILE`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde_json::json;
use touchmark_oci::Digest;
use touchmark_sigstore::{Artifact, BlobSignature, Verified};

use crate::accept::{Refusal, accept, told};
use crate::arguments::ReportFormat;
use crate::commands::sign_blob::MAX_BLOB_BYTES;
use crate::context::Context;
use crate::failure::Mistake;
use crate::files::{MAX_DOCUMENT_BYTES, is_dash, read_input};
use crate::keys::{limits, reads_stdin};
use crate::outcome::Outcome;
use crate::render::{Tone, harmless, log_note, to_stdout};
use crate::signers::{SignerArgs, TrustArgs};

/// Arguments of `verify-blob`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  touchmark verify-blob --key release.pub --bundle app.sigstore.json app.tar.gz
  touchmark verify-blob --certificate-identity release@acme.example --certificate-oidc-issuer https://accounts.google.com \
    --bundle app.sigstore.json app.tar.gz
  touchmark verify-blob --key release.pub --signature app.sig app.tar.gz")]
pub(crate) struct VerifyBlobArgs {
    /// The file that was signed, or its digest (sha256:…); - is standard input
    #[arg(value_name = "FILE")]
    file: String,
    #[command(flatten)]
    signers: SignerArgs,
    #[command(flatten)]
    trust: TrustArgs,
    /// The signature as a Sigstore bundle, or as the older JSON of cosign 2
    #[arg(long, value_name = "FILE", required_unless_present = "signature", conflicts_with = "signature")]
    bundle: Option<PathBuf>,
    /// The signature alone, in base64
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    /// How to write the result
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: ReportFormat,
}

/// Verifies the signature over the file.
pub(crate) async fn run(args: &VerifyBlobArgs, context: &Context) -> anyhow::Result<Outcome> {
    refuse_stdin_twice(args)?;
    let signers = args.signers.require(context).await?;
    let signature = read_signature(args)?;
    let verifier = args.trust.verifier(&signers, context).await?;
    let verified = match args.file.parse::<Digest>() {
        Ok(digest) => verifier.verify_blob(Artifact::Digest(&digest), &signature),
        Err(_) => {
            let artifact = read_input(args.file.as_ref(), MAX_BLOB_BYTES)?;
            verifier.verify_blob(Artifact::Bytes(&artifact), &signature)
        }
    };
    let result = accept(verified, &signers, &args.trust.proof()?);
    let text = match args.output {
        ReportFormat::Json => to_json(&args.file, &result),
        ReportFormat::Text => to_text(&args.file, &result, context),
    };
    to_stdout(text.as_bytes())?;
    Ok(if result.is_ok() { Outcome::Done } else { Outcome::Denied })
}

/// Standard input is there once.
fn refuse_stdin_twice(args: &VerifyBlobArgs) -> Result<(), Mistake> {
    let files = [args.bundle.as_deref(), args.signature.as_deref()];
    let files = files.into_iter().flatten().chain([args.file.as_ref()]).filter(|path| is_dash(path));
    let keys = args.signers.keys.keys.iter().filter(|key| reads_stdin(key));
    match files.count() + keys.count() {
        0 | 1 => Ok(()),
        _ => Err(Mistake::new(
            "the key, the signature and the file cannot share standard input",
            "all but one of them in a file",
        )),
    }
}

fn read_signature(args: &VerifyBlobArgs) -> anyhow::Result<BlobSignature> {
    // clap asks for exactly one of them.
    let path = args.bundle.as_ref().or(args.signature.as_ref()).context("no signature given")?;
    let bytes = read_input(path, MAX_DOCUMENT_BYTES)?;
    BlobSignature::parse(&bytes, &limits())
        .with_context(|| format!("cannot use the signature {}", path.display()))
}

type BlobResult = Result<Vec<Verified<Digest>>, Refusal>;

fn to_text(file: &str, result: &BlobResult, context: &Context) -> String {
    let style = context.stdout_style();
    match result {
        Ok(signatures) => {
            let mut text = format!("{} {file}\n", style.paint(Tone::Good, "verified"));
            for signature in signatures {
                text.push_str(&format!(
                    "  signed by {}; {}\n",
                    signature.signer(),
                    log_note(&signature.proof().log)
                ));
            }
            text
        }
        Err(refusal) => {
            format!("{} {file}\n  {}\n", style.paint(Tone::Bad, "denied"), harmless(&told(refusal)))
        }
    }
}

fn to_json(file: &str, result: &BlobResult) -> String {
    let report = match result {
        Ok(signatures) => {
            let signers: Vec<_> = signatures.iter().map(|signature| signature.signer().to_string()).collect();
            json!({ "verdict": "allow", "signers": signers })
        }
        Err(refusal) => json!({ "verdict": "deny", "reason": told(refusal) }),
    };
    format!("{:#}\n", json!({ "schema": "touchmark.dev/blob/v1", "file": file, "result": report }))
}
