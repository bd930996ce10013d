//! `touchmark`: arguments in, results to stdout, everything else to stderr, and one of three exit codes.
//!
//! Nothing here decides anything about an image. Commands read files and flags, call the crates below and render what they say.

mod accept;
mod annotations;
mod arguments;
mod attach;
mod base_image;
mod browser;
mod check;
mod checkout;
mod commands;
mod context;
mod decision;
mod failure;
mod files;
mod identity;
mod keys;
mod outcome;
mod platform;
mod progress;
mod read_ahead;
mod render;
mod service_spec;
mod signed_by;
mod signers;
mod signing;
mod signing_key;
mod source;
mod transfer;
mod trust_source;
mod walk;

use std::process::ExitCode;

use clap::Parser as _;

use crate::arguments::Arguments;
use crate::outcome::Outcome;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let style = render::Style::for_stderr(arguments.common.color);
    match run(arguments) {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            failure::report(&error, style);
            Outcome::Undecided.into()
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    let mut runtime = match arguments.command.needs_one_thread() {
        true => tokio::runtime::Builder::new_current_thread(),
        false => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = runtime.enable_all().build()?;
    let outcome = runtime.block_on(commands::run(arguments));
    // A credential helper or a DNS query that hangs must not keep the process once there is an answer.
    runtime.shutdown_background();
    outcome
}
