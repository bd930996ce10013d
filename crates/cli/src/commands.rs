//! The commands, one file each, and who runs when.

pub(crate) mod attest;
pub(crate) mod attest_blob;
pub(crate) mod clean;
pub(crate) mod completions;
pub(crate) mod conformance;
pub(crate) mod copy;
pub(crate) mod download;
pub(crate) mod key;
pub(crate) mod policy;
pub(crate) mod provenance;
pub(crate) mod quickstart;
pub(crate) mod save;
pub(crate) mod sbom;
pub(crate) mod sbom_convert;
pub(crate) mod sbom_diff;
pub(crate) mod sign;
pub(crate) mod sign_blob;
pub(crate) mod signing_config;
pub(crate) mod tree;
pub(crate) mod trust;
pub(crate) mod trusted_root;
pub(crate) mod verify;
pub(crate) mod verify_attestation;
pub(crate) mod verify_blob;
pub(crate) mod verify_blob_attestation;
pub(crate) mod version;

use crate::arguments::{Arguments, Command};
use crate::context::Context;
use crate::failure::TimedOut;
use crate::outcome::Outcome;

/// Runs the command within `--timeout`.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    let limit = arguments.common.timeout;
    let context = Context::new(arguments.common)?;
    tokio::time::timeout(limit, dispatch(arguments.command, &context))
        .await
        .map_err(|_| TimedOut { limit })?
}

async fn dispatch(command: Command, context: &Context) -> anyhow::Result<Outcome> {
    match command {
        Command::Quickstart(args) => quickstart::run(args, context).await,
        Command::Key(command) => key::run(command, context).await,
        Command::Sign(args) => sign::run(args, context).await,
        Command::Attest(args) => attest::run(args, context).await,
        Command::SignBlob(args) => sign_blob::run(&args, context).await,
        Command::AttestBlob(args) => attest_blob::run(&args, context).await,
        Command::VerifyBlob(args) => verify_blob::run(&args, context).await,
        Command::VerifyBlobAttestation(args) => verify_blob_attestation::run(&args, context).await,
        Command::Verify(args) => verify::run(args, context).await,
        Command::VerifyAttestation(args) => verify_attestation::run(args, context).await,
        Command::Provenance(args) => provenance::run(args, context).await,
        Command::Sbom(args) => sbom::run(*args, context).await,
        Command::Policy(command) => policy::run(command, context).await,
        Command::Trust(command) => trust::run(command, context).await,
        Command::TrustedRoot(command) => trusted_root::run(&command, context),
        Command::SigningConfig(command) => signing_config::run(&command, context),
        Command::Conformance(command) => conformance::run(&command, context).await,
        Command::Tree(args) => tree::run(args, context).await,
        Command::Download(command) => download::run(command, context).await,
        Command::Copy(args) => copy::run(args, context).await,
        Command::Save(args) => save::save(args, context).await,
        Command::Load(args) => save::load(args, context).await,
        Command::Clean(args) => clean::run(args, context).await,
        Command::Completions(args) => completions::run(&args),
        Command::Version(args) => version::run(&args),
    }
}
