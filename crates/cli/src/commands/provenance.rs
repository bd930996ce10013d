//! `touchmark provenance IMAGE`: how the image was built, from what the CI says of the job.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use jiff::Timestamp;
use touchmark_attestation::Statement;
use touchmark_oci::{ImageRef, PinnedRef};
use touchmark_provenance::{BuildInputs, GenerateError, Material, Platform, Provenance, generate};
use touchmark_registry::ImageStore as _;

use crate::attach::{self, StorageFormat, report_attached};
use crate::checkout::git_facts;
use crate::context::Context;
use crate::failure::Mistake;
use crate::files::write_output;
use crate::outcome::Outcome;
use crate::signing::SigningArgs;

/// Arguments of `provenance`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  touchmark provenance ghcr.io/acme/app@sha256:… -o provenance.json
  touchmark provenance ghcr.io/acme/app@sha256:… --attest --key release.key
  touchmark provenance oci:build:app --materials docker.io/library/debian@sha256:… --predicate-only

In GitHub Actions and GitLab CI the facts are read from the job's own variables. Elsewhere the builder is
https://touchmark.dev/builders/local/v1: somebody's machine.")]
pub(crate) struct ProvenanceArgs {
    /// The image that was built; a tag is resolved once and the digest is what the statement names
    #[arg(value_name = "IMAGE")]
    image: ImageRef,
    /// Where the build runs: auto, github, gitlab or local
    #[arg(long, value_name = "PLATFORM", default_value = "auto", env = "TOUCHMARK_BUILDER")]
    builder: String,
    /// Something that went into the build: an image with its digest, FILE=sha256:…, or git+https://…@COMMIT
    #[arg(long = "materials", value_name = "MATERIAL")]
    materials: Vec<Material>,
    /// The checkout that was built from
    #[arg(long, value_name = "DIR", default_value = ".")]
    checkout: PathBuf,
    /// When the build began, RFC 3339
    #[arg(long, value_name = "TIME")]
    started_on: Option<Timestamp>,
    /// When the build ended, RFC 3339
    #[arg(long, value_name = "TIME")]
    finished_on: Option<Timestamp>,
    /// Write the predicate alone, as `attest --predicate` takes it
    #[arg(long, conflicts_with = "attest")]
    predicate_only: bool,
    /// Where to write the statement; - is standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// Sign the statement and attach it to the image, instead of writing it
    #[arg(long, requires = "key", conflicts_with = "output")]
    attest: bool,
    /// How to attach it
    #[arg(long, value_name = "FORMAT", default_value = "bundle", requires = "attest")]
    format: StorageFormat,
    #[command(flatten)]
    key: SigningArgs,
}

/// Writes or attaches the provenance.
pub(crate) async fn run(args: ProvenanceArgs, context: &Context) -> anyhow::Result<Outcome> {
    let image = context.stores().resolve(&args.image).await?;
    let statement = describe(&args, &image, context)?;
    if args.attest {
        let signer = args.key.load(context).await?;
        let attached = attach::attest(context, &signer, &image, &statement, args.format).await?;
        report_attached(context, &image, &attached);
        return Ok(Outcome::Done);
    }
    let mut text = match statement.predicate() {
        Some(predicate) if args.predicate_only => serde_json::to_vec_pretty(predicate)?,
        _ => serde_json::to_vec_pretty(&statement)?,
    };
    text.push(b'\n');
    write_output(&args.output, &text)?;
    Ok(Outcome::Done)
}

fn describe(
    args: &ProvenanceArgs,
    image: &PinnedRef,
    context: &Context,
) -> anyhow::Result<Statement<Provenance>> {
    // Variables that are not text are none of ours.
    let environment: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let platform = platform(&args.builder, &environment)?;
    if let Some(note) = platform.note() {
        context.warn(note);
    }
    let inputs = BuildInputs {
        subjects: vec![attach::subject(image)],
        materials: args.materials.clone(),
        git: git_facts(&args.checkout),
        started_on: args.started_on,
        finished_on: args.finished_on,
    };
    generate(platform, &environment, &inputs).map_err(|error| explain(error, platform))
}

fn platform(choice: &str, environment: &BTreeMap<String, String>) -> anyhow::Result<Platform> {
    match choice {
        "auto" => Ok(Platform::detect(environment)),
        named => named.parse().context("--builder"),
    }
}

fn explain(error: GenerateError, platform: Platform) -> anyhow::Error {
    const MESSAGE: &str = "cannot describe the build";
    if matches!(error, GenerateError::MissingVariables { .. }) {
        let hint = format!(
            "--builder {platform} needs a job of that platform; --builder local describes any machine"
        );
        return Mistake::from_error(error, MESSAGE, hint).into();
    }
    anyhow::Error::new(error).context(MESSAGE)
}
