//! The command line as clap sees it: the commands, and the flags that all of them share.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands::{
    attest, attest_blob, clean, completions, conformance, copy, download, key, policy, provenance,
    quickstart, save, sbom, sign, sign_blob, signing_config, tree, trust, trusted_root, verify,
    verify_attestation, verify_blob, verify_blob_attestation, version,
};

/// Inventories, signs, attests and verifies container images.
#[derive(Debug, Parser)]
#[command(name = "touchmark", version, propagate_version = true, max_term_width = 110, after_help = OUTCOMES)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Flags of every command.
    #[command(flatten)]
    pub(crate) common: Common,
}

const OUTCOMES: &str = "\
Exit codes:
  0  done; allowed
  1  denied: the evidence was read and does not satisfy
  2  could not decide, or could not do it

IMAGE is [REGISTRY/]REPO[:TAG][@DIGEST], oci:DIR[:TAG][@DIGEST], oci-archive:FILE[:TAG] or docker-archive:FILE[:TAG].

Start here:
  touchmark quickstart";

/// One word per thing that a user does.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the whole story on this machine, with nothing else installed
    Quickstart(quickstart::QuickstartArgs),
    /// Make, import and inspect signing keys
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Sign images
    Sign(sign::SignArgs),
    /// Attach a signed statement to an image
    Attest(attest::AttestArgs),
    /// Sign a file
    SignBlob(sign_blob::SignBlobArgs),
    /// Sign a statement about a file
    AttestBlob(attest_blob::AttestBlobArgs),
    /// Verify the signature of a file
    VerifyBlob(verify_blob::VerifyBlobArgs),
    /// Verify an attestation about a file, and print it
    VerifyBlobAttestation(verify_blob_attestation::VerifyBlobAttestationArgs),
    /// Decide whether images satisfy a policy or carry the signature of a key or an identity
    Verify(verify::VerifyArgs),
    /// Verify an image's attestations of one type, and print them
    VerifyAttestation(verify_attestation::VerifyAttestationArgs),
    /// Write SLSA provenance from the facts that the CI gives
    Provenance(provenance::ProvenanceArgs),
    /// List the packages of an image or a directory
    Sbom(Box<sbom::SbomArgs>),
    /// Check and test policies
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Show what is attached to an image
    Tree(tree::TreeArgs),
    /// Show whose certificates, logs and timestamps are trusted
    #[command(subcommand)]
    Trust(trust::TrustCommand),
    /// Write a trust root from certificates and keys
    #[command(subcommand)]
    TrustedRoot(trusted_root::TrustedRootCommand),
    /// Write which services sign keyless
    #[command(subcommand)]
    SigningConfig(signing_config::SigningConfigCommand),
    /// Speak the Sigstore conformance suite's protocol
    #[command(subcommand, hide = true)]
    Conformance(conformance::ConformanceCommand),
    /// Print the evidence of an image as it is stored
    #[command(subcommand)]
    Download(download::DownloadCommand),
    /// Copy an image with its evidence
    Copy(copy::CopyArgs),
    /// Save an image with its evidence in an OCI layout
    Save(save::SaveArgs),
    /// Load what was saved
    Load(save::LoadArgs),
    /// Remove the evidence of an image
    Clean(clean::CleanArgs),
    /// Write a shell's completions
    Completions(completions::CompletionsArgs),
    /// Print the version
    Version(version::VersionArgs),
}

impl Command {
    /// Whether it works through files one after the other, so that more threads would only have to be started and stopped.
    pub(crate) fn needs_one_thread(&self) -> bool {
        matches!(
            self,
            Self::VerifyBlob(_)
                | Self::VerifyBlobAttestation(_)
                | Self::Policy(_)
                | Self::TrustedRoot(_)
                | Self::SigningConfig(_)
                | Self::Completions(_)
                | Self::Version(_)
        )
    }
}

/// Flags of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Common options")]
pub(crate) struct Common {
    /// Say less: no notes and no progress
    #[arg(short, long, global = true, env = "TOUCHMARK_QUIET")]
    pub(crate) quiet: bool,
    /// Say more: what is fetched from where
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", env = "TOUCHMARK_COLOR")]
    pub(crate) color: ColorChoice,
    /// No progress display, even on a terminal
    #[arg(long, global = true, env = "TOUCHMARK_NO_PROGRESS")]
    pub(crate) no_progress: bool,
    /// Trust the CA certificates in this PEM file for registries, beside the system's
    #[arg(long, global = true, value_name = "FILE", env = "TOUCHMARK_REGISTRY_CA")]
    pub(crate) registry_ca: Vec<PathBuf>,
    /// User name for the registry, instead of docker's credentials
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        requires = "registry_password",
        env = "TOUCHMARK_REGISTRY_USERNAME"
    )]
    pub(crate) registry_username: Option<String>,
    /// Password for the registry
    #[arg(
        long,
        global = true,
        value_name = "PASSWORD",
        requires = "registry_username",
        env = "TOUCHMARK_REGISTRY_PASSWORD",
        hide_env_values = true
    )]
    pub(crate) registry_password: Option<String>,
    /// Speak plain HTTP to registries that are not on this machine
    #[arg(long, global = true, env = "TOUCHMARK_ALLOW_HTTP")]
    pub(crate) allow_http: bool,
    /// Send nothing over the network: images come from oci:, oci-archive: and docker-archive:, the trust root from this machine
    #[arg(long, global = true, env = "TOUCHMARK_OFFLINE")]
    pub(crate) offline: bool,
    /// Where trust init keeps trust roots; without it, touchmark/tuf in $XDG_DATA_HOME or ~/.local/share
    #[arg(long, global = true, value_name = "DIRECTORY", env = "TOUCHMARK_TUF_ROOT")]
    pub(crate) tuf_root: Option<PathBuf>,
    /// Give up after this long, such as 30s or 5m
    #[arg(long, global = true, value_name = "TIME", default_value = "3m", value_parser = parse_duration, env = "TOUCHMARK_TIMEOUT")]
    pub(crate) timeout: Duration,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people
    Text,
    /// For programs: docs/schemas
    Json,
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.get(digits.len()..).unwrap_or_default();
    let number: u64 =
        digits.parse().map_err(|_| format!("{text:?} is not a time, expected such as 30s, 5m or 1h"))?;
    let seconds = match unit {
        "s" | "" => Some(number),
        "m" => number.checked_mul(60),
        "h" => number.checked_mul(3600),
        _ => None,
    };
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| format!("{text:?} is not a time, expected such as 30s, 5m or 1h"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("2m"), Ok(Duration::from_secs(120)));
        for text in ["", "m", "1d", "-1s", "99999999999999999999h"] {
            assert!(parse_duration(text).is_err(), "{text:?}");
        }
    }
}
