//! `touchmark trust init`: pins a root, fetches what follows from it, and makes it the default.

use std::path::Path;

use anyhow::Context as _;
use clap::Args;
use touchmark_oci::Digest;
use touchmark_transport::{Method, Request, Url};
use touchmark_tuf::{Limits, Network, Note, Repository};

use super::report::report;
use crate::arguments::ReportFormat;
use crate::context::Context;
use crate::failure::Mistake;
use crate::files::read_input;
use crate::outcome::Outcome;
use crate::render::to_stdout;
use crate::trust_source::{Origin, Trust, state};

/// Arguments of `trust init`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  touchmark trust init
  touchmark trust init --mirror https://tuf.acme.example --root root.json
  touchmark trust init --mirror https://tuf.acme.example --root https://tuf.acme.example/1.root.json \\
    --root-checksum sha256:…

Everything that the mirror serves has to follow from the root by signatures, now and later. Without --root it is the root that Sigstore's
instance had when this version was made.")]
pub(crate) struct InitArgs {
    /// Where the TUF repository is; without it, where Sigstore publishes its own
    #[arg(long, value_name = "URL", env = "TOUCHMARK_MIRROR")]
    mirror: Option<Url>,
    /// The root.json to trust: a file, - for standard input, or a URL, which takes --root-checksum
    #[arg(long, value_name = "FILE", env = "TOUCHMARK_ROOT")]
    root: Option<String>,
    /// The digest that the root.json has to have
    #[arg(long, value_name = "SHA256", requires = "root", value_parser = parse_checksum)]
    root_checksum: Option<Digest>,
    /// Sigstore's staging instance instead of its public one
    #[arg(long, conflicts_with = "root")]
    staging: bool,
    /// How to write what was fetched
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: ReportFormat,
}

/// Chooses the repository. Nothing changes unless all of it is fetched, verified and kept.
pub(super) async fn run(args: InitArgs, context: &Context) -> anyhow::Result<Outcome> {
    let state = state(context).ok_or_else(|| {
        Mistake::new(
            "no place to keep a trust root",
            "--tuf-root DIRECTORY, or TOUCHMARK_TUF_ROOT, names one",
        )
    })?;
    let trust = fetch(repository(&args, context).await?, context).await?;
    if let Origin::Tuf(kept) = &trust.origin {
        state.choose(&kept.repository)?;
    }
    to_stdout(report(&trust, false, args.output).as_bytes())?;
    Ok(Outcome::Done)
}

/// Fetches what is newest. That it could not be fetched or kept is an error here, since nothing else was asked for.
pub(super) async fn fetch(repository: Repository, context: &Context) -> anyhow::Result<Trust> {
    let client = context.mirror_client()?;
    let mut trust = Trust::of(repository, Network::Always(&client), context).await?;
    if let Origin::Tuf(kept) = &mut trust.origin {
        let notes = std::mem::take(&mut kept.current.notes);
        for note in notes {
            match note {
                Note::NotRefreshed { .. } | Note::NotKept { .. } => return Err(note.into()),
                other => kept.current.notes.push(other),
            }
        }
    }
    trust.tell(context);
    Ok(trust)
}

async fn repository(args: &InitArgs, context: &Context) -> anyhow::Result<Repository> {
    let mirror = args.mirror.clone();
    let shipped = if args.staging { Repository::staging(mirror) } else { Repository::public_good(mirror) };
    let shipped = shipped.context("no mirror")?;
    let Some(named) = &args.root else { return Ok(shipped) };
    let root = root(named, args.root_checksum.as_ref(), context).await?;
    if let Some(wanted) = args.root_checksum.as_ref().filter(|wanted| !wanted.matches(&root)) {
        let found = Digest::of_with(wanted.algorithm(), &root);
        let hint = "whoever runs the repository says which digest its root.json has";
        return Err(Mistake::new(format!("{named} has the digest {found}, expected {wanted}"), hint).into());
    }
    Repository::new(shipped.mirror(), root, &Limits::default())
        .with_context(|| format!("cannot use the root {named}"))
}

/// The bytes of the root. What comes over the network is pinned by its digest or not at all.
async fn root(named: &str, checksum: Option<&Digest>, context: &Context) -> anyhow::Result<Vec<u8>> {
    let max_bytes = Limits::default().max_root_bytes;
    let Some(url) = named.parse::<Url>().ok().filter(|url| matches!(url.scheme(), "http" | "https")) else {
        return Ok(read_input(Path::new(named), max_bytes)?);
    };
    if checksum.is_none() {
        return Err(Mistake::new(
            "a root that is fetched is trusted by its digest, and none was given",
            "--root-checksum sha256:…, or --root FILE",
        )
        .into());
    }
    let answer = context.mirror_client()?.fetch(Request::new(Method::GET, url), max_bytes).await?;
    if !answer.status.is_success() {
        let hint = "check the address; --root FILE takes one that is here";
        return Err(Mistake::new(format!("{named} answers {}", answer.status), hint).into());
    }
    Ok(answer.body.into())
}

/// With or without the algorithm in front, as cosign takes it.
fn parse_checksum(text: &str) -> Result<Digest, String> {
    let full = if text.contains(':') { text.to_owned() } else { format!("sha256:{text}") };
    full.parse().map_err(|error| format!("{error}"))
}
