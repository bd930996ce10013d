//! `touchmark attest-blob FILE`: a signed statement about a file.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use touchmark_attestation::{PredicateType, ResourceDescriptor};
use touchmark_oci::Digest;
use touchmark_sigstore::parse_statement;

use crate::commands::attest::state_about;
use crate::commands::sign_blob::MAX_BLOB_BYTES;
use crate::context::Context;
use crate::failure::Mistake;
use crate::files::{MAX_DOCUMENT_BYTES, is_dash, read_input, write_output};
use crate::keys::{limits, reads_stdin};
use crate::outcome::Outcome;
use crate::signing::SigningArgs;

/// Arguments of `attest-blob`.
#[derive(Debug, Args)]
#[command(after_help = "\
TYPE is a predicate type URI or one of cosign's names, as in attest.

Examples:
  touchmark attest-blob --key release.key --type slsaprovenance1 --predicate build.json --bundle app.sigstore.json app.tar.gz
  touchmark attest-blob --key release.key --statement statement.json --bundle app.sigstore.json app.tar.gz")]
pub(crate) struct AttestBlobArgs {
    /// The file that the statement is about; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    key: SigningArgs,
    /// The predicate's type
    #[arg(long = "type", value_name = "TYPE", required_unless_present = "statement")]
    predicate_type: Option<PredicateType>,
    /// The predicate, a JSON file; - is standard input
    #[arg(long, value_name = "FILE", required_unless_present = "statement")]
    predicate: Option<PathBuf>,
    /// A whole in-toto statement instead, which is signed as it is; the file must be among its subjects
    #[arg(long, value_name = "FILE", conflicts_with_all = ["predicate", "predicate_type"])]
    statement: Option<PathBuf>,
    /// Where to write the Sigstore bundle; - is standard output
    #[arg(long, value_name = "FILE")]
    bundle: PathBuf,
}

/// Signs the statement.
pub(crate) async fn run(args: &AttestBlobArgs, context: &Context) -> anyhow::Result<Outcome> {
    one_from_stdin(args)?;
    let digest = Digest::of(&read_input(&args.file, MAX_BLOB_BYTES)?);
    let payload = match (&args.statement, &args.predicate_type, &args.predicate) {
        (Some(statement), ..) => read_statement(statement, &args.file, &digest)?,
        (None, Some(predicate_type), Some(predicate)) => {
            let bytes = read_input(predicate, MAX_DOCUMENT_BYTES)?;
            state_about(subject(&args.file, &digest), predicate_type, bytes)
                .with_context(|| format!("cannot use the predicate {}", predicate.display()))?
                .to_json()?
        }
        // clap asks for one or the other.
        _ => return Err(Mistake::new("nothing to attest", "--type and --predicate, or --statement").into()),
    };
    let signing = args.key.load(context).await?;
    write_output(&args.bundle, &signing.payload(payload, &digest).await?)?;
    context.note(&format!("attested {} ({digest}) by {}", args.file.display(), signing.name()));
    Ok(Outcome::Done)
}

fn one_from_stdin(args: &AttestBlobArgs) -> Result<(), Mistake> {
    let documents = [Some(&args.file), args.predicate.as_ref(), args.statement.as_ref()];
    let dashes = documents.into_iter().flatten().filter(|path| is_dash(path)).count();
    if dashes + usize::from(args.key.key.as_ref().is_some_and(reads_stdin)) > 1 {
        return Err(Mistake::new("only one thing can be standard input", "the others in files"));
    }
    Ok(())
}

/// The file by its digest and, unless it is standard input, its base name.
fn subject(file: &Path, digest: &Digest) -> ResourceDescriptor {
    let subject = ResourceDescriptor::of(digest);
    match file.file_name().filter(|_| !is_dash(file)) {
        Some(name) => subject.named(name.to_string_lossy()),
        None => subject,
    }
}

/// The bytes of a statement about the file.
fn read_statement(path: &Path, file: &Path, digest: &Digest) -> anyhow::Result<Vec<u8>> {
    let bytes = read_input(path, MAX_DOCUMENT_BYTES)?;
    let statement = parse_statement(&bytes, &limits())
        .with_context(|| format!("cannot use the statement {}", path.display()))?;
    if !statement.is_about(digest) {
        return Err(Mistake::new(
            format!("the statement {} is not about {}", path.display(), file.display()),
            format!("one of its subjects must have the digest {digest}"),
        )
        .into());
    }
    Ok(bytes)
}
