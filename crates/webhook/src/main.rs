//! The admission webhook.

use std::process::ExitCode;

use clap::Parser as _;
use touchmark_webhook::{Arguments, run};

fn main() -> ExitCode {
    run(&Arguments::parse())
}
