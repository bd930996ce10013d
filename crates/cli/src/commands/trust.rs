//! `touchmark trust show`: what a trust root holds.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::arguments::ReportFormat;
use crate::outcome::Outcome;
use crate::render::to_stdout;
use crate::signers::TrustRootRef;

/// What to do with a trust root.
#[derive(Debug, Subcommand)]
pub(crate) enum TrustCommand {
    /// Show what a trust root holds
    Show(ShowArgs),
}

/// Arguments of `trust show`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  touchmark trust show
  touchmark trust show --trusted-root acme/trusted_root.json -o json")]
pub(crate) struct ShowArgs {
    /// A trusted_root.json, or public or staging for Sigstore's own as this version knows them
    #[arg(long, value_name = "FILE", default_value = "public", env = "TOUCHMARK_TRUSTED_ROOT")]
    trusted_root: TrustRootRef,
    /// How to write it
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: ReportFormat,
}

/// Runs the command.
pub(crate) fn run(command: &TrustCommand) -> anyhow::Result<Outcome> {
    let TrustCommand::Show(args) = command;
    let root = args.trusted_root.load()?;
    let summary = root.summary();
    let kinds = [
        ("certificateAuthorities", "certificate authorities", summary.certificate_authorities),
        ("certificateLogs", "certificate transparency logs", summary.certificate_logs),
        ("transparencyLogs", "transparency logs", summary.transparency_logs),
        ("timestampAuthorities", "timestamp authorities", summary.timestamp_authorities),
    ];
    let text = match args.output {
        ReportFormat::Json => {
            let counts: serde_json::Map<_, _> =
                kinds.iter().map(|(name, _, count)| ((*name).to_owned(), json!(count))).collect();
            let report =
                json!({ "schema": "touchmark.dev/trust/v1", "id": root.id().to_string(), "holds": counts });
            format!("{report:#}\n")
        }
        ReportFormat::Text => {
            let lines = kinds.iter().map(|(_, name, count)| format!("  {count:>3} {name}\n"));
            format!("trust root {} ({})\n{}", args.trusted_root, root.id(), lines.collect::<String>())
        }
    };
    to_stdout(text.as_bytes())?;
    Ok(Outcome::Done)
}
