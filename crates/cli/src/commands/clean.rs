//! `touchmark clean IMAGE`: removes evidence, in both storage forms.

use std::io::{IsTerminal as _, Write as _};

use clap::{Args, ValueEnum};
use serde::Serialize;
use touchmark_oci::{ImageRef, Limits};
use touchmark_registry::ImageStore as _;
use touchmark_verify::{EvidenceKind, Removable, descend, find_removable, remove};

use crate::arguments::ReportFormat;
use crate::context::Context;
use crate::failure::Mistake;
use crate::outcome::Outcome;
use crate::render::to_stdout;

/// Arguments of `clean`.
#[derive(Debug, Args)]
#[command(after_help = "\
The image stays, and so does what refers to it and is no evidence. Blobs are left to the registry's garbage collection.

Examples:
  touchmark clean ghcr.io/acme/app:1.4
  touchmark clean --type signature --force ghcr.io/acme/app@sha256:…")]
pub(crate) struct CleanArgs {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: ImageRef,
    /// What to remove
    #[arg(long = "type", value_name = "TYPE", default_value = "all")]
    kind: Kind,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// Clean every manifest of an index too
    #[arg(short, long)]
    recursive: bool,
    /// How to write what was removed
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: ReportFormat,
}

/// Evidence to remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Signatures
    Signature,
    /// Signed statements
    Attestation,
    /// Unsigned SBOMs under the tag .sbom
    Sbom,
    /// All of these
    All,
}

/// What was removed: docs/schemas/clean.v1.json.
#[derive(Debug, Serialize)]
struct Report {
    schema: &'static str,
    image: String,
    removed: Vec<Removed>,
}

/// A manifest that is gone.
#[derive(Debug, Serialize)]
struct Removed {
    subject: String,
    manifest: String,
    place: String,
}

/// Finds, asks, removes.
pub(crate) async fn run(args: CleanArgs, context: &Context) -> anyhow::Result<Outcome> {
    let image = context.stores().resolve(&args.image).await?;
    let targets = if args.recursive {
        descend(context.stores(), &image, &Limits::default()).await?
    } else {
        vec![image.clone()]
    };
    let (mut found, mut truncated) = (Vec::new(), false);
    for target in targets {
        let removables = find_removable(context.stores(), &target, args.kind.kinds()).await?;
        truncated |= removables.truncated;
        found.extend(removables.found);
    }
    if !found.is_empty() && !args.force && !confirmed(context, &found)? {
        context.note("nothing was removed");
        return Ok(Outcome::Done);
    }
    remove_all(context, &found).await?;
    let removed = found.iter().map(removed).collect();
    let report = Report { schema: "touchmark.dev/clean/v1", image: image.to_string(), removed };
    to_stdout(render(&report, args.output)?.as_bytes())?;
    if truncated {
        let message = format!("more is attached to {image} than is listed at once");
        return Err(Mistake::new(message, "clean again until nothing is left").into());
    }
    Ok(Outcome::Done)
}

/// Removes in order; the first failure ends it, and says what is left.
async fn remove_all(context: &Context, found: &[Removable]) -> anyhow::Result<()> {
    for (index, removable) in found.iter().enumerate() {
        let _step = context.progress().step(format!("removing {}", removable.manifest));
        if let Err(error) = remove(context.stores(), removable).await {
            let left: Vec<String> = found.iter().skip(index).map(line).collect();
            let hint = error.hint().unwrap_or_else(|| "clean again to remove the rest".to_owned());
            let message = format!("{} of {} remain: {}", left.len(), found.len(), left.join(", "));
            return Err(Mistake::from_error(error, message, hint).into());
        }
    }
    Ok(())
}

/// Asks on a terminal. Without one nobody can answer.
fn confirmed(context: &Context, found: &[Removable]) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(Mistake::new(
            format!("{} manifests would be removed, and there is no terminal to ask on", found.len()),
            "--force removes without asking",
        )
        .into());
    }
    let mut answer = String::new();
    context.progress().suspend(|| {
        let mut stderr = std::io::stderr();
        for removable in found {
            writeln!(stderr, "  {}", line(removable))?;
        }
        write!(stderr, "Remove {} manifests? [y/N] ", found.len())?;
        stderr.flush()?;
        std::io::stdin().read_line(&mut answer)
    })?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn line(removable: &Removable) -> String {
    format!("{} ({})", removable.manifest, removable.place)
}

fn removed(removable: &Removable) -> Removed {
    Removed {
        subject: removable.subject.to_string(),
        manifest: removable.manifest.to_string(),
        place: removable.place.to_string(),
    }
}

fn render(report: &Report, output: ReportFormat) -> anyhow::Result<String> {
    Ok(match output {
        ReportFormat::Json => format!("{}\n", serde_json::to_string_pretty(report)?),
        ReportFormat::Text if report.removed.is_empty() => "nothing to remove\n".to_owned(),
        ReportFormat::Text => {
            let line = |removed: &Removed| format!("removed {} ({})\n", removed.manifest, removed.place);
            report.removed.iter().map(line).collect()
        }
    })
}

impl Kind {
    fn kinds(self) -> &'static [EvidenceKind] {
        match self {
            Self::Signature => &[EvidenceKind::Signature],
            Self::Attestation => &[EvidenceKind::Attestation],
            Self::Sbom => &[EvidenceKind::Sbom],
            Self::All => &EvidenceKind::ALL,
        }
    }
}
