//! `touchmark sbom SOURCE`: the packages of an image, a directory or another SBOM, in one or several formats from one scan.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use touchmark_oci::Platform;
use touchmark_sbom::{DocumentOptions, Format, Inventory, Party, json};

use crate::commands::{sbom_convert, sbom_diff};
use crate::context::Context;
use crate::failure::Mistake;
use crate::files::write_output;
use crate::outcome::Outcome;
use crate::render::{harmless, stdout_width, table};
use crate::source::{Source, parse_platform, scan};

/// Arguments of `sbom`.
#[derive(Debug, Args)]
#[command(after_help = "\
SOURCE is an IMAGE, dir:PATH or sbom:FILE. FORMAT is table, cyclonedx-json[@1.5|@1.6|@1.7] (1.6), spdx-json[@2.3|@3.0.1] (2.3)
or json; -o may be given several times. The same source gives the same bytes; SOURCE_DATE_EPOCH sets the documents' time.

Examples:
  touchmark sbom ghcr.io/acme/app:1.4
  touchmark sbom -o cyclonedx-json=app.cdx.json -o spdx-json=app.spdx.json oci:build:app
  touchmark sbom --strict dir:/srv/rootfs -o cyclonedx-json
  touchmark sbom convert app.spdx -o cyclonedx-json@1.7=app.cdx.json
  touchmark sbom diff ghcr.io/acme/app:1.4 ghcr.io/acme/app:1.5")]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct SbomArgs {
    #[command(subcommand)]
    action: Option<SbomAction>,
    /// What to list the packages of
    #[arg(value_name = "SOURCE", required = true)]
    source: Option<Source>,
    /// A format, and the file to write it to instead of standard output
    #[arg(short, long, value_name = "FORMAT[=FILE]", default_value = "table")]
    output: Vec<Output>,
    /// The platform to take from an index, such as linux/arm64; this machine's unless given
    #[arg(long, value_name = "PLATFORM", value_parser = parse_platform)]
    platform: Option<Platform>,
    /// Who supplies what is scanned; of an image in a registry, the registry's namespace unless given
    #[arg(long, value_name = "ORGANIZATION")]
    supplier: Option<String>,
    /// Exit with 2 when something could not be read
    #[arg(long)]
    strict: bool,
}

/// What can be done with SBOMs that are there already.
#[derive(Debug, Subcommand)]
enum SbomAction {
    /// Write an SBOM in other formats
    Convert(sbom_convert::ConvertArgs),
    /// Show what is different between two SBOMs
    Diff(sbom_diff::DiffArgs),
}

/// A format and where it goes.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    pub(crate) form: Form,
    pub(crate) file: PathBuf,
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A table for people.
    Table,
    /// A document.
    Document(Format),
    /// The whole inventory.
    Json,
}

impl FromStr for Output {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, file) = text.split_once('=').unwrap_or((text, "-"));
        let form = match name {
            "table" => Form::Table,
            "json" => Form::Json,
            _ => Form::Document(name.parse().map_err(|error| format!("{error}, table or json"))?),
        };
        Ok(Self { form, file: file.into() })
    }
}

/// Scans once and writes every format.
pub(crate) async fn run(args: SbomArgs, context: &Context) -> anyhow::Result<Outcome> {
    let source = match (args.action, args.source) {
        (Some(SbomAction::Convert(args)), _) => return sbom_convert::run(&args, context),
        (Some(SbomAction::Diff(args)), _) => return sbom_diff::run(args, context).await,
        (None, Some(Source::Sbom(file))) => {
            return sbom_convert::write(&file, &args.output, args.strict, context);
        }
        (None, Some(source)) => source,
        (None, None) => anyhow::bail!("no SOURCE"),
    };
    let inventory = {
        let _step = context.progress().step(format!("scanning {source}"));
        scan(&source, args.platform.as_ref(), context).await?
    };
    let mut options = document_options()?;
    options.supplier = args.supplier.map(Party::Organization);
    for output in &args.output {
        write_output(&output.file, &render(&inventory, output.form, &options))?;
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

fn render(inventory: &Inventory, form: Form, options: &DocumentOptions) -> Vec<u8> {
    match form {
        Form::Table => package_table(inventory).into_bytes(),
        Form::Document(format) => format.write(inventory, options),
        Form::Json => json::to_json(inventory, options),
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
        assert_eq!((output.form, output.file), (Form::Document(Format::SPDX), PathBuf::from("a=b.json")));
        assert_eq!("table".parse::<Output>().unwrap().file, PathBuf::from("-"));
        assert!("cyclonedx-json@1.2".parse::<Output>().is_err());
    }
}
