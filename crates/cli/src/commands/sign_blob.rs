//! `touchmark sign-blob FILE`.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use touchmark_sign::SignatureFormat;

use crate::context::Context;
use crate::failure::Mistake;
use crate::files::{is_dash, read_input, write_output};
use crate::keys::reads_stdin;
use crate::outcome::Outcome;
use crate::signing::SigningArgs;

/// Bytes of a file to sign or verify: it is hashed in memory, since Ed25519 signs all of it at once.
pub(crate) const MAX_BLOB_BYTES: u64 = 4 << 30;

/// Arguments of `sign-blob`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  touchmark sign-blob --key release.key --bundle app.sigstore.json app.tar.gz
  touchmark sign-blob --key release.key --output-signature - app.tar.gz")]
pub(crate) struct SignBlobArgs {
    /// The file to sign; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    key: SigningArgs,
    /// Where to write the Sigstore bundle; - is standard output
    #[arg(long, value_name = "FILE", required_unless_present = "output_signature")]
    bundle: Option<PathBuf>,
    /// Where to write the signature alone, in base64, as cosign 2 does
    #[arg(long, value_name = "FILE")]
    output_signature: Option<PathBuf>,
}

/// Signs the file.
pub(crate) async fn run(args: &SignBlobArgs, context: &Context) -> anyhow::Result<Outcome> {
    if is_dash(&args.file) && args.key.key.as_ref().is_some_and(reads_stdin) {
        return Err(Mistake::new(
            "the key and the file cannot both be standard input",
            "one of them in a file",
        )
        .into());
    }
    let signer = args.key.load(context).await?;
    let artifact = read_input(&args.file, MAX_BLOB_BYTES)?;
    if let Some(path) = &args.output_signature {
        let signature = STANDARD.encode(signer.sign(&artifact, SignatureFormat::Legacy).await?);
        write_output(path, format!("{signature}\n").as_bytes())?;
    }
    if let Some(path) = &args.bundle {
        write_output(path, &signer.blob(&artifact).await?)?;
        context.note(&format!("signed {} by {}", args.file.display(), signer.name()));
    }
    Ok(Outcome::Done)
}
