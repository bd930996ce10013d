//! `touchmark signing-config create`: which services sign keyless, for `--signing-config`.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use touchmark_sign::keyless::{Selection, Service, SigningConfigDocument};

use crate::context::Context;
use crate::failure::Mistake;
use crate::files::write_output;
use crate::outcome::Outcome;
use crate::service_spec::ServiceFlag;

/// What to do with a signing configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum SigningConfigCommand {
    /// Write one from services
    Create(CreateArgs),
}

/// Arguments of `signing-config create`.
#[derive(Debug, Args)]
#[command(after_help = "\
SERVICE is url=URL,api-version=N,start-time=TIME,operator=NAME and, if it ends, end-time=TIME; times are such as 2026-01-01T00:00:00Z.
SELECTION is how many of the services, each of another operator, take part in a signature: ANY, ALL or EXACT:N.

Example:
  touchmark signing-config create --out signing_config.json \\
    --fulcio url=https://fulcio.example,api-version=1,start-time=2026-01-01T00:00:00Z,operator=example \\
    --rekor url=https://rekor.example,api-version=2,start-time=2026-01-01T00:00:00Z,operator=example --rekor-config ANY \\
    --tsa url=https://tsa.example/api/v1/timestamp,api-version=1,start-time=2026-01-01T00:00:00Z,operator=example --tsa-config ANY")]
pub(crate) struct CreateArgs {
    /// A certificate authority; may be repeated, as all that describe services
    #[arg(long, value_name = "SERVICE", required = true)]
    fulcio: Vec<String>,
    /// A transparency log
    #[arg(long, value_name = "SERVICE", requires = "rekor_config")]
    rekor: Vec<String>,
    /// How many of the logs list a signature
    #[arg(long, value_name = "SELECTION", requires = "rekor")]
    rekor_config: Option<String>,
    /// A timestamp authority; its URL is where it answers
    #[arg(long, value_name = "SERVICE", requires = "tsa_config")]
    tsa: Vec<String>,
    /// How many of the timestamp authorities date a signature
    #[arg(long, value_name = "SELECTION", requires = "tsa")]
    tsa_config: Option<String>,
    /// An OpenID Connect provider
    #[arg(long, value_name = "SERVICE")]
    oidc_provider: Vec<String>,
    /// Where to write it; - is standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    out: PathBuf,
}

/// Runs the command.
pub(crate) fn run(command: &SigningConfigCommand, context: &Context) -> anyhow::Result<Outcome> {
    let SigningConfigCommand::Create(args) = command;
    let mut document = SigningConfigDocument::new(
        services("--fulcio", &args.fulcio)?,
        services("--oidc-provider", &args.oidc_provider)?,
    );
    if let Some(config) = &args.rekor_config {
        document =
            document.with_logs(services("--rekor", &args.rekor)?, selection("--rekor-config", config)?);
    }
    if let Some(config) = &args.tsa_config {
        let authorities = services("--tsa", &args.tsa)?;
        document = document.with_timestamp_authorities(authorities, selection("--tsa-config", config)?);
    }
    let mut bytes = document.to_json()?;
    bytes.push(b'\n');
    write_output(&args.out, &bytes)?;
    context.note(&format!("wrote the signing configuration {}", args.out.display()));
    Ok(Outcome::Done)
}

fn services(name: &'static str, texts: &[String]) -> Result<Vec<Service>, Mistake> {
    let flag = ServiceFlag {
        name,
        keys: &["url", "api-version", "start-time", "end-time", "operator"],
        form: "url=URL,api-version=N,start-time=TIME[,end-time=TIME],operator=NAME",
    };
    texts.iter().map(|text| service(flag, text)).collect()
}

fn service(flag: ServiceFlag, text: &str) -> Result<Service, Mistake> {
    let spec = flag.read(text)?;
    let version: NonZeroU32 = spec.parsed("api-version", "a number from 1")?;
    let (start, end) = (spec.start()?, spec.window()?.end);
    Ok(Service::new(&spec.url()?, version, start, end, spec.required("operator")?))
}

fn selection(flag: &str, text: &str) -> Result<Selection, Mistake> {
    text.parse().map_err(|error| {
        Mistake::from_error(error, format!("cannot use {flag}"), format!("{flag} ANY, ALL or EXACT:N"))
    })
}
