//! `touchmark trusted-root create`: whose certificates, logs and timestamps to trust, for `--trusted-root`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use touchmark_sigstore::{PublicKey, TrustRoot, TrustRootDocument, TrustedAuthority, TrustedLog};

use crate::context::Context;
use crate::files::{read_input, write_output};
use crate::keys::limits;
use crate::outcome::Outcome;
use crate::service_spec::{ServiceFlag, ServiceSpec};

/// Bytes of a certificate chain or a key. Chains have some thousands.
const MAX_MATERIAL_BYTES: u64 = 1 << 20;

/// What to do with a trust root.
#[derive(Debug, Subcommand)]
pub(crate) enum TrustedRootCommand {
    /// Write one from certificate chains and public keys
    Create(CreateArgs),
}

/// Arguments of `trusted-root create`.
#[derive(Debug, Args)]
#[command(after_help = "\
AUTHORITY is url=URL,certificate-chain=FILE[,start-time=TIME][,end-time=TIME], the file in PEM with the root last.
LOG is url=URL,public-key=FILE,start-time=TIME[,end-time=TIME][,origin=NAME], the file in PEM. The origin is the name on the log's
checkpoints; a log of Rekor version 2 needs it, since its id is bound to it. Times are such as 2026-01-01T00:00:00Z.

Example:
  touchmark trusted-root create --out trusted_root.json \\
    --fulcio url=https://fulcio.example,certificate-chain=fulcio.pem \\
    --rekor url=https://rekor.example,public-key=rekor.pub,start-time=2026-01-01T00:00:00Z,origin=rekor.example \\
    --ctfe url=https://ctfe.example,public-key=ctfe.pub,start-time=2026-01-01T00:00:00Z \\
    --tsa url=https://tsa.example/api/v1/timestamp,certificate-chain=tsa.pem")]
pub(crate) struct CreateArgs {
    /// A certificate authority; may be repeated, as all of these
    #[arg(long, value_name = "AUTHORITY", required_unless_present_any = ["rekor", "ctfe", "tsa"])]
    fulcio: Vec<String>,
    /// A transparency log
    #[arg(long, value_name = "LOG")]
    rekor: Vec<String>,
    /// A certificate transparency log
    #[arg(long, value_name = "LOG")]
    ctfe: Vec<String>,
    /// A timestamp authority
    #[arg(long, value_name = "AUTHORITY")]
    tsa: Vec<String>,
    /// Where to write it; - is standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    out: PathBuf,
}

/// Runs the command.
pub(crate) fn run(command: &TrustedRootCommand, context: &Context) -> anyhow::Result<Outcome> {
    let TrustedRootCommand::Create(args) = command;
    let document = TrustRootDocument::new(
        authorities("--fulcio", &args.fulcio)?,
        logs("--rekor", &args.rekor)?,
        logs("--ctfe", &args.ctfe)?,
        authorities("--tsa", &args.tsa)?,
    );
    let mut bytes = document.to_json()?;
    bytes.push(b'\n');
    // Whoever verifies with it would refuse it: better now.
    TrustRoot::parse(&bytes, &limits()).context("the trust root would not be usable")?;
    write_output(&args.out, &bytes)?;
    context.note(&format!("wrote the trust root {}", args.out.display()));
    Ok(Outcome::Done)
}

fn authorities(name: &'static str, texts: &[String]) -> anyhow::Result<Vec<TrustedAuthority>> {
    let flag = ServiceFlag {
        name,
        keys: &["url", "certificate-chain", "start-time", "end-time"],
        form: "url=URL,certificate-chain=FILE[,start-time=TIME][,end-time=TIME]",
    };
    texts.iter().map(|text| authority(&flag.read(text)?)).collect()
}

fn authority(spec: &ServiceSpec<'_>) -> anyhow::Result<TrustedAuthority> {
    let (_, window) = (spec.url()?, spec.window()?);
    let (url, chain) = (spec.required("url")?, text(spec, "certificate-chain")?);
    TrustedAuthority::parse_pem(url, &chain, window, &limits()).with_context(|| format!("cannot trust {url}"))
}

fn logs(name: &'static str, texts: &[String]) -> anyhow::Result<Vec<TrustedLog>> {
    let flag = ServiceFlag {
        name,
        keys: &["url", "public-key", "start-time", "end-time", "origin"],
        form: "url=URL,public-key=FILE,start-time=TIME[,end-time=TIME][,origin=NAME]",
    };
    texts.iter().map(|text| log(&flag.read(text)?)).collect()
}

fn log(spec: &ServiceSpec<'_>) -> anyhow::Result<TrustedLog> {
    // Verifiers ask for the start of a log's key (sigstore-go 1.1, pkg/root, `ParseTransparencyLogs`), and so does cosign.
    let (_, _, window) = (spec.url()?, spec.start()?, spec.window()?);
    let url = spec.required("url")?;
    let unusable = || format!("cannot trust {url}");
    let key = PublicKey::parse_pem(&text(spec, "public-key")?, &limits()).with_context(unusable)?;
    TrustedLog::new(url, &key, spec.optional("origin"), window).with_context(unusable)
}

/// The file that a key of the flag names, as text.
fn text(spec: &ServiceSpec<'_>, key: &str) -> anyhow::Result<String> {
    let path = spec.file(key)?;
    let bytes = read_input(path, MAX_MATERIAL_BYTES)?;
    String::from_utf8(bytes).with_context(|| format!("{} is not PEM", path.display()))
}
