//! `touchmark policy check | test`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use touchmark_policy::{Limits, PolicySet};
use touchmark_verify::{TestResult, load_policies, run_policy_tests};

use crate::context::Context;
use crate::outcome::Outcome;
use crate::render::{Tone, harmless, to_stdout};

/// What to do with policies.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Check that policies are valid, and can be in force together
    Check(CheckArgs),
    /// Run the test tables of policies
    Test(TestArgs),
}

/// Arguments of `policy check`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  touchmark policy check policies/")]
pub(crate) struct CheckArgs {
    /// Policy files, or directories of them
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

/// Arguments of `policy test`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  touchmark policy test policies/*.test.yaml")]
pub(crate) struct TestArgs {
    /// Test tables (kind ImagePolicyTest)
    #[arg(value_name = "FILE", required = true)]
    tables: Vec<PathBuf>,
}

/// Runs the command.
pub(crate) async fn run(command: PolicyCommand, context: &Context) -> anyhow::Result<Outcome> {
    match command {
        PolicyCommand::Check(args) => check(&args, context),
        PolicyCommand::Test(args) => test(args, context).await,
    }
}

fn check(args: &CheckArgs, context: &Context) -> anyhow::Result<Outcome> {
    let policies = PolicySet::new(load_policies(&args.files, &Limits::default())?)?;
    let style = context.stdout_style();
    let mut text = String::new();
    for policy in policies.policies() {
        policy.lints().iter().for_each(|lint| context.warn(&harmless(&lint.to_string())));
        let requirements: Vec<_> =
            policy.requirements().iter().map(touchmark_policy::Requirement::name).collect();
        text.push_str(&format!(
            "{} {}: requires {}\n",
            style.paint(Tone::Good, "valid"),
            harmless(policy.name()),
            harmless(&requirements.join(", "))
        ));
    }
    to_stdout(text.as_bytes())?;
    Ok(Outcome::Done)
}

async fn test(args: TestArgs, context: &Context) -> anyhow::Result<Outcome> {
    let style = context.stdout_style();
    let mut failed = 0;
    let mut total = 0;
    for table in &args.tables {
        let results = run_policy_tests(context.stores().clone(), table).await?;
        total += results.len();
        to_stdout(format!("{}\n", style.paint(Tone::Strong, &table.display().to_string())).as_bytes())?;
        for TestResult { name, outcome } in &results {
            let line = match outcome {
                Ok(()) => format!("  {} {}\n", style.paint(Tone::Good, "ok"), harmless(name)),
                Err(failure) => {
                    failed += 1;
                    format!(
                        "  {} {}\n       {}\n",
                        style.paint(Tone::Bad, "FAIL"),
                        harmless(name),
                        harmless(&failure.to_string())
                    )
                }
            };
            to_stdout(line.as_bytes())?;
        }
    }
    to_stdout(format!("{} of {total} cases passed\n", total - failed).as_bytes())?;
    Ok(if failed == 0 { Outcome::Done } else { Outcome::Denied })
}
