//! `touchmark completions SHELL`.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::outcome::Outcome;
use crate::render::to_stdout;

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  touchmark completions bash > /etc/bash_completion.d/touchmark")]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Writes the completions to stdout.
pub(crate) fn run(args: &CompletionsArgs) -> anyhow::Result<Outcome> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Arguments::command(), "touchmark", &mut text);
    to_stdout(&text)?;
    Ok(Outcome::Done)
}
