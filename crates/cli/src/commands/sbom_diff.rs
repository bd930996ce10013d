//! `touchmark sbom diff BEFORE AFTER`: packages that came, went and changed between two SBOMs, images or directories.

use std::path::Path;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use touchmark_oci::Platform;
use touchmark_sbom::{Change, Changed, Item, SbomDiff, SbomDocument};

use crate::arguments::ReportFormat;
use crate::commands::sbom::document_options;
use crate::commands::sbom_convert::{package_type, read};
use crate::context::Context;
use crate::outcome::Outcome;
use crate::platform::{Platforms, parse_platform};
use crate::render::{harmless, stdout_width, table, to_stdout};
use crate::source::{Source, scan};

/// Arguments of `sbom diff`.
#[derive(Debug, Args)]
#[command(after_help = "\
BEFORE and AFTER are each the file of an SBOM, or a SOURCE: an IMAGE, dir:PATH or sbom:FILE. Packages are the same when their package
URLs agree but for version and qualifiers.

Exit codes: 0, or with --exit-code 1 if there are differences; 2 if it could not be done.

Examples:
  touchmark sbom diff app-1.4.cdx.json app-1.5.spdx.json
  touchmark sbom diff --by-layer ghcr.io/acme/app:1.4 ghcr.io/acme/app:1.5")]
pub(crate) struct DiffArgs {
    /// The first
    #[arg(value_name = "BEFORE")]
    before: String,
    /// The second
    #[arg(value_name = "AFTER")]
    after: String,
    /// Put the packages of each layer together
    #[arg(long)]
    by_layer: bool,
    /// Exit with 1 if there are differences
    #[arg(long)]
    exit_code: bool,
    /// The platform to take from an index, such as linux/arm64; this machine's unless given
    #[arg(long, value_name = "PLATFORM", value_parser = parse_platform)]
    platform: Option<Platform>,
    /// How to write it
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: ReportFormat,
}

/// The differences for programs: docs/schemas/sbom-diff.v1.json.
#[derive(Debug, Serialize)]
struct Report<'a> {
    schema: &'static str,
    before: &'a str,
    after: &'a str,
    #[serde(flatten)]
    diff: &'a SbomDiff,
}

pub(crate) async fn run(args: DiffArgs, context: &Context) -> anyhow::Result<Outcome> {
    let before = load(&args.before, args.platform.as_ref(), context).await?;
    let after = load(&args.after, args.platform.as_ref(), context).await?;
    for gap in before.gaps().iter().chain(after.gaps()) {
        context.warn(&format!("not read: {}", harmless(gap)));
    }
    let diff = SbomDiff::between(&before, &after);
    let text = match args.output {
        ReportFormat::Text => to_text(&diff, args.by_layer),
        ReportFormat::Json => {
            let schema = "touchmark.dev/sbom-diff/v1";
            let report = Report { schema, before: &args.before, after: &args.after, diff: &diff };
            format!("{}\n", serde_json::to_string_pretty(&report)?)
        }
    };
    to_stdout(text.as_bytes())?;
    Ok(if args.exit_code && !diff.is_empty() { Outcome::Denied } else { Outcome::Done })
}

/// A document from a file, or from what is scanned.
async fn load(side: &str, platform: Option<&Platform>, context: &Context) -> anyhow::Result<SbomDocument> {
    if Path::new(side).is_file() {
        return read(Path::new(side));
    }
    match side.parse::<Source>().map_err(anyhow::Error::msg)? {
        Source::Sbom(file) => read(&file),
        source => {
            let _step = context.progress().step(format!("scanning {source}"));
            // The platform is for whichever side is an image.
            let platforms = match (&source, platform) {
                (Source::Image(_), Some(platform)) => Platforms::One(platform.clone()),
                _ => Platforms::Own,
            };
            let scanned = scan(&source, &platforms, None, context).await?;
            let one = scanned.first().with_context(|| format!("there is no image in {source}"))?;
            Ok(SbomDocument::of_inventory(&one.inventory, &document_options()?))
        }
    }
}

fn to_text(diff: &SbomDiff, by_layer: bool) -> String {
    let mut rows: Vec<(Option<usize>, Vec<String>)> = Vec::new();
    rows.extend(diff.removed.iter().map(|item| (item.layer, row("-", Some(item), None, String::new()))));
    rows.extend(diff.added.iter().map(|item| (item.layer, row("+", None, Some(item), String::new()))));
    rows.extend(diff.changed.iter().map(|changed| {
        (changed.after.layer, row("~", Some(&changed.before), Some(&changed.after), what(changed)))
    }));
    let mut headings = vec!["", "NAME", "TYPE", "BEFORE", "AFTER", "CHANGED"];
    if by_layer {
        rows.sort_by_key(|(layer, _)| *layer);
        headings.insert(0, "LAYER");
        for (layer, row) in &mut rows {
            row.insert(0, layer.map_or_else(|| "-".to_owned(), |layer| layer.to_string()));
        }
    }
    let rows: Vec<Vec<String>> = rows.into_iter().map(|(_, row)| row).collect();
    let list = if rows.is_empty() { String::new() } else { table(&headings, &rows, stdout_width()) };
    let (added, removed, changed) = (diff.added.len(), diff.removed.len(), diff.changed.len());
    format!("{list}{added} added, {removed} removed, {changed} changed, {} unchanged\n", diff.unchanged)
}

fn row(sign: &str, before: Option<&Item>, after: Option<&Item>, what: String) -> Vec<String> {
    let either = after.or(before);
    let version = |item: Option<&Item>| match item {
        None => String::new(),
        Some(item) => harmless(item.version.as_deref().unwrap_or("-")),
    };
    let kind = either.and_then(|item| package_type(item.purl.as_deref())).unwrap_or("-");
    let name = either.map(|item| harmless(&item.name)).unwrap_or_default();
    vec![sign.to_owned(), name, harmless(kind), version(before), version(after), what]
}

/// What is different, with the values that the table has no column for.
fn what(changed: &Changed) -> String {
    let words = changed.what.iter().map(|change| match change {
        Change::Version => "version".to_owned(),
        Change::License => {
            let license = |item: &Item| harmless(item.license.as_deref().unwrap_or("none"));
            format!("licence from {} to {}", license(&changed.before), license(&changed.after))
        }
        Change::Layer => {
            let layer = |item: &Item| item.layer.unwrap_or_default();
            format!("layer from {} to {}", layer(&changed.before), layer(&changed.after))
        }
        _ => "checksum".to_owned(),
    });
    words.collect::<Vec<_>>().join(", ")
}
