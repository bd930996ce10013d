//! `touchmark sbom SOURCE`: the packages of an image or a directory, in one or several formats from one scan.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context as _;
use clap::Args;
use touchmark_oci::Platform;
use touchmark_sbom::{DocumentOptions, Inventory, cyclonedx, json, spdx};

use crate::context::Context;
use crate::failure::Mistake;
use crate::files::write_output;
use crate::outcome::Outcome;
use crate::render::{harmless, stdout_width, table};
use crate::source::{Source, parse_platform, scan};

/// Arguments of `sbom`.
#[derive(Debug, Args)]
#[command(after_help = "\
SOURCE is an IMAGE or dir:PATH. FORMAT is table, cyclonedx-json (1.6), spdx-json (2.3) or json; -o may be given several times.
The same source gives the same bytes; SOURCE_DATE_EPOCH sets the documents' time.

Examples:
  touchmark sbom ghcr.io/acme/app:1.4
  touchmark sbom -o cyclonedx-json=app.cdx.json -o spdx-json=app.spdx.json oci:build:app
  touchmark sbom --strict dir:/srv/rootfs -o cyclonedx-json")]
pub(crate) struct SbomArgs {
    /// What to list the packages of
    #[arg(value_name = "SOURCE")]
    source: Source,
    /// A format, and the file to write it to instead of standard output
    #[arg(short, long, value_name = "FORMAT[=FILE]", default_value = "table")]
    output: Vec<Output>,
    /// The platform to take from an index, such as linux/arm64; this machine's unless given
    #[arg(long, value_name = "PLATFORM", value_parser = parse_platform)]
    platform: Option<Platform>,
    /// Exit with 2 when something could not be read
    #[arg(long)]
    strict: bool,
}

/// A format and where it goes.
#[derive(Debug, Clone)]
struct Output {
    format: Format,
    file: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Table,
    CycloneDx,
    Spdx,
    Json,
}

impl FromStr for Output {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, file) = text.split_once('=').unwrap_or((text, "-"));
        let format = match name {
            "table" => Format::Table,
            "cyclonedx-json" | "cyclonedx-json@1.6" => Format::CycloneDx,
            "spdx-json" | "spdx-json@2.3" => Format::Spdx,
            "json" => Format::Json,
            _ => {
                return Err(format!(
                    "{name:?} is not a format, expected table, cyclonedx-json[@1.6], spdx-json[@2.3] or json"
                ));
            }
        };
        Ok(Self { format, file: file.into() })
    }
}

/// Scans once and writes every format.
pub(crate) async fn run(args: SbomArgs, context: &Context) -> anyhow::Result<Outcome> {
    let inventory = {
        let _step = context.progress().step(format!("scanning {}", args.source));
        scan(&args.source, args.platform.as_ref(), context).await?
    };
    let options = document_options()?;
    for output in &args.output {
        write_output(&output.file, &render(&inventory, output.format, &options))?;
    }
    for gap in inventory.gaps() {
        context.warn(&format!("not read: {}", harmless(&gap.to_string())));
    }
    if args.strict && !inventory.is_complete() {
        return Err(Mistake::new(
            format!("{} things could not be read, and --strict was given", inventory.gaps().len()),
            "the warnings above name them; the documents that were written say so too",
        )
        .into());
    }
    Ok(Outcome::Done)
}

/// `SOURCE_DATE_EPOCH` is the user's to set, and wrong values are told: a silent fallback would not be reproducible.
pub(crate) fn document_options() -> anyhow::Result<DocumentOptions> {
    let mut options = DocumentOptions::default();
    if let Ok(text) = std::env::var("SOURCE_DATE_EPOCH") {
        let seconds = text
            .parse()
            .with_context(|| format!("SOURCE_DATE_EPOCH is {text:?}, expected seconds since 1970"))?;
        options.source_date_epoch = Some(seconds);
    }
    Ok(options)
}

fn render(inventory: &Inventory, format: Format, options: &DocumentOptions) -> Vec<u8> {
    match format {
        Format::Table => package_table(inventory).into_bytes(),
        Format::CycloneDx => cyclonedx::to_json(inventory, options),
        Format::Spdx => spdx::to_json(inventory, options),
        Format::Json => json::to_json(inventory, options),
    }
}

fn package_table(inventory: &Inventory) -> String {
    let mut rows: Vec<Vec<String>> = inventory
        .packages()
        .map(|package| {
            vec![
                harmless(&package.name),
                harmless(package.version.as_deref().unwrap_or("-")),
                package.ecosystem.name().to_owned(),
                package.layer().map(|layer| layer.to_string()).unwrap_or_default(),
                harmless(package.license.as_ref().map(touchmark_sbom::License::expression).unwrap_or("-")),
            ]
        })
        .collect();
    rows.sort();
    rows.dedup();
    table(&["NAME", "VERSION", "TYPE", "LAYER", "LICENCE"], &rows, stdout_width())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_name_a_format_and_perhaps_a_file() {
        let output: Output = "spdx-json@2.3=a=b.json".parse().unwrap();
        assert_eq!((output.format, output.file), (Format::Spdx, PathBuf::from("a=b.json")));
        assert_eq!("table".parse::<Output>().unwrap().file, PathBuf::from("-"));
        assert!("cyclonedx-json@1.2".parse::<Output>().is_err());
    }
}
