//! `touchmark trust`: where trust roots come from, and whether they are fresh.

mod init;
mod report;

use clap::{Args, Subcommand};

use crate::arguments::ReportFormat;
use crate::context::Context;
use crate::outcome::Outcome;
use crate::render::to_stdout;
use crate::trust_source::{Trust, TrustSource, chosen};

use report::report;

/// What to do with trust roots.
#[derive(Debug, Subcommand)]
pub(crate) enum TrustCommand {
    /// Choose the TUF repository that the trust root comes from, and fetch it
    Init(init::InitArgs),
    /// Fetch what is newest from the repository that was chosen
    Update(UpdateArgs),
    /// Show what a trust root holds, where it is from, and until when it counts
    Show(ShowArgs),
}

/// Arguments of `trust update`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  touchmark trust update")]
pub(crate) struct UpdateArgs {
    /// How to write it
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: ReportFormat,
}

/// Arguments of `trust show`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  touchmark trust show
  touchmark trust show --trusted-root acme/trusted_root.json -o json

Nobody is asked: what is shown of a TUF repository is what is kept of it, verified.")]
pub(crate) struct ShowArgs {
    /// A trusted_root.json, tuf for what trust init chose, or public or staging for Sigstore's own as this version knows them; without
    /// it, what trust init chose, or else public
    #[arg(long, value_name = "FILE", env = "TOUCHMARK_TRUSTED_ROOT")]
    trusted_root: Option<TrustSource>,
    /// How to write it
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: ReportFormat,
}

/// Runs the command.
pub(crate) async fn run(command: TrustCommand, context: &Context) -> anyhow::Result<Outcome> {
    match command {
        TrustCommand::Init(args) => init::run(args, context).await,
        TrustCommand::Update(args) => update(&args, context).await,
        TrustCommand::Show(args) => show(&args, context).await,
    }
}

async fn update(args: &UpdateArgs, context: &Context) -> anyhow::Result<Outcome> {
    let trust = init::fetch(chosen(context)?, context).await?;
    to_stdout(report(&trust, true, args.output).as_bytes())?;
    Ok(Outcome::Done)
}

async fn show(args: &ShowArgs, context: &Context) -> anyhow::Result<Outcome> {
    let trust = Trust::as_kept(args.trusted_root.as_ref(), context).await?;
    to_stdout(report(&trust, false, args.output).as_bytes())?;
    Ok(Outcome::Done)
}
