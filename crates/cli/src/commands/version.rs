//! `touchmark version`.

use clap::Args;

use crate::arguments::ReportFormat;
use crate::outcome::Outcome;
use crate::render::to_stdout;

/// Arguments of `version`.
#[derive(Debug, Args)]
pub(crate) struct VersionArgs {
    /// How to write it
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: ReportFormat,
}

/// Writes the version to stdout.
pub(crate) fn run(args: &VersionArgs) -> anyhow::Result<Outcome> {
    let version = env!("CARGO_PKG_VERSION");
    let text = match args.output {
        ReportFormat::Text => format!("touchmark {version}\n"),
        ReportFormat::Json => format!("{}\n", serde_json::json!({ "name": "touchmark", "version": version })),
    };
    to_stdout(text.as_bytes())?;
    Ok(Outcome::Done)
}
