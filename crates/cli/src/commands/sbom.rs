//! `touchmark sbom SOURCE`: the packages of an image, a directory, a file or another SBOM, in one or several formats from one
//! scan.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use touchmark_attestation::{PredicateType, predicate_types};
use touchmark_oci::ImageRef;
use touchmark_sbom::{DocumentOptions, Format, GapReason, Inventory, Package, Party, json};

use crate::attach::{self, StorageFormat, report_attached};
use crate::commands::attest::state;
use crate::commands::{sbom_convert, sbom_diff};
use crate::context::Context;
use crate::failure::Mistake;
use crate::files::{is_dash, write_output};
use crate::outcome::Outcome;
use crate::platform::{PlatformFlag, Platforms, parse_platforms};
use crate::render::{harmless, stdout_width, table};
use crate::signing::{Signing, SigningArgs};
use crate::source::{Scanned, Source, scan};

/// Arguments of `sbom`.
#[derive(Debug, Args)]
#[command(after_help = "\
SOURCE is an IMAGE, dir:PATH, file:PATH or sbom:FILE. FORMAT is table, cyclonedx-json[@1.5|@1.6|@1.7] (1.6),
spdx-json[@2.3|@3.0.1] (2.3) or json; -o may be given several times. The same source gives the same bytes; SOURCE_DATE_EPOCH sets the
documents' time.

Examples:
  touchmark sbom ghcr.io/acme/app:1.4
  touchmark sbom -o cyclonedx-json=app.cdx.json -o spdx-json=app.spdx.json oci:build:app
  touchmark sbom --strict dir:/srv/rootfs -o cyclonedx-json
  touchmark sbom --platform all -o spdx-json=app.{platform}.spdx.json ghcr.io/acme/app:1.4
  touchmark sbom --attest --key release.key ghcr.io/acme/app@sha256:…
  touchmark sbom convert app.spdx -o cyclonedx-json@1.7=app.cdx.json
  touchmark sbom diff ghcr.io/acme/app:1.4 ghcr.io/acme/app:1.5")]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct SbomArgs {
    #[command(subcommand)]
    action: Option<SbomAction>,
    #[command(flatten)]
    scan: ScanArgs,
}

/// What can be done with SBOMs that are there already.
#[derive(Debug, Subcommand)]
enum SbomAction {
    /// Write an SBOM in other formats
    Convert(sbom_convert::ConvertArgs),
    /// Show what is different between two SBOMs
    Diff(sbom_diff::DiffArgs),
}

/// What to scan, and what to do with it.
#[derive(Debug, Args)]
struct ScanArgs {
    /// What to list the packages of
    #[arg(value_name = "SOURCE", required = true)]
    source: Option<Source>,
    /// A format, and the file to write it to instead of standard output; table unless given. {platform} in FILE stands for the image's
    #[arg(short, long, value_name = "FORMAT[=FILE]")]
    output: Vec<Output>,
    /// The platform to take from an index, such as linux/arm64, or all; this machine's unless given
    #[arg(long, value_name = "PLATFORM", value_parser = parse_platforms)]
    platform: Option<PlatformFlag>,
    /// The image that this one was built on; without it, the one that annotations or the build's history suggest
    #[arg(long, value_name = "IMAGE")]
    base: Option<ImageRef>,
    /// In the table, list the packages that later layers removed instead
    #[arg(long)]
    removed: bool,
    /// Who supplies what is scanned; of an image in a registry, the registry's namespace unless given
    #[arg(long, value_name = "ORGANIZATION")]
    supplier: Option<String>,
    /// Exit with 2 when something could not be read
    #[arg(long)]
    strict: bool,
    /// Sign the document and attach it to the image; cyclonedx-json unless spdx-json is given
    #[arg(
        long,
        value_name = "FORMAT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "cyclonedx-json"
    )]
    attest: Option<Form>,
    /// How to attach it
    #[arg(long, value_name = "FORMAT", default_value = "bundle", requires = "attest")]
    format: StorageFormat,
    #[command(flatten)]
    key: SigningArgs,
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
        Ok(Self { form: name.parse()?, file: file.into() })
    }
}

impl FromStr for Form {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "table" => Ok(Self::Table),
            "json" => Ok(Self::Json),
            _ => Ok(Self::Document(name.parse().map_err(|error| format!("{error}, table or json"))?)),
        }
    }
}

impl Form {
    /// The predicate type of a document of this format, if it has one.
    fn predicate_type(self) -> Option<&'static str> {
        match self {
            Self::Document(Format::CycloneDx(_)) => Some(predicate_types::CYCLONEDX),
            Self::Document(Format::Spdx(_)) => Some(predicate_types::SPDX),
            _ => None,
        }
    }
}

impl Output {
    const PLATFORM: &str = "{platform}";

    /// The file for a platform.
    fn file_for(&self, platform: &str) -> PathBuf {
        match self.file.to_str() {
            Some(text) => text.replace(Self::PLATFORM, platform).into(),
            None => self.file.clone(),
        }
    }

    /// Whether each platform has a place of its own. Tables follow each other.
    fn tells_platforms_apart(&self) -> bool {
        let is_named = self.file.to_str().is_some_and(|text| text.contains(Self::PLATFORM));
        is_named || (self.form == Form::Table && is_dash(&self.file))
    }
}

/// Scans once and writes every format.
pub(crate) async fn run(args: SbomArgs, context: &Context) -> anyhow::Result<Outcome> {
    match (args.action, args.scan.source.clone()) {
        (Some(SbomAction::Convert(args)), _) => sbom_convert::run(&args, context),
        (Some(SbomAction::Diff(args)), _) => sbom_diff::run(args, context).await,
        (None, Some(source)) => run_scan(args.scan, &source, context).await,
        (None, None) => anyhow::bail!("no SOURCE"),
    }
}

async fn run_scan(mut args: ScanArgs, source: &Source, context: &Context) -> anyhow::Result<Outcome> {
    if args.output.is_empty() && args.attest.is_none() {
        args.output.push(Output { form: Form::Table, file: "-".into() });
    }
    let predicate_type = predicate_type(&args, source)?;
    if let Source::Sbom(file) = source {
        return sbom_convert::write(file, &args.output, args.strict, context);
    }
    // Before the work: a key that cannot be opened is told at once.
    let signer = match predicate_type {
        Some(_) => Some(args.key.load(context).await?),
        None => None,
    };
    let scanned = {
        let _step = context.progress().step(format!("scanning {source}"));
        let platforms = Platforms::from_flag(args.platform.as_ref());
        scan(source, &platforms, args.base.as_ref(), context).await?
    };
    if scanned.len() > 1 && !args.output.iter().all(Output::tells_platforms_apart) {
        return Err(Mistake::new(
            format!("{source} is for {} platforms, and an output has room for one", scanned.len()),
            "-o FORMAT=FILE with {platform} in FILE, such as cyclonedx-json=app.{platform}.cdx.json",
        )
        .into());
    }
    let mut options = document_options()?;
    options.supplier = args.supplier.clone().map(Party::Organization);
    for one in &scanned {
        write(&args, one, scanned.len() > 1, &options)?;
    }
    let gaps = tell_gaps(&scanned, context);
    if args.strict && gaps > 0 {
        return Err(Mistake::new(
            format!("{gaps} things could not be read, and --strict was given"),
            "the warnings above name them; the documents that were written say so too",
        )
        .into());
    }
    if let (Some(predicate_type), Some(signer)) = (predicate_type, signer) {
        for one in &scanned {
            attest(&args, one, &predicate_type, &signer, &options, context).await?;
        }
    }
    Ok(Outcome::Done)
}

fn predicate_type(args: &ScanArgs, source: &Source) -> anyhow::Result<Option<PredicateType>> {
    let Some(form) = args.attest else { return Ok(None) };
    let is_image = matches!(source, Source::Image(_));
    match form.predicate_type() {
        Some(uri) if is_image => Ok(Some(uri.parse()?)),
        Some(_) => Err(Mistake::new(
            format!("{source} has no place to attach evidence to"),
            "--attest is for images; attest-blob signs a statement about a file",
        )
        .into()),
        None => Err(Mistake::new(
            "the format has no predicate type",
            "--attest=cyclonedx-json or --attest=spdx-json",
        )
        .into()),
    }
}

fn write(args: &ScanArgs, one: &Scanned, is_many: bool, options: &DocumentOptions) -> anyhow::Result<()> {
    for output in &args.output {
        let file = output.file_for(&one.platform);
        let bytes = match output.form {
            Form::Table if args.removed => removed_table(&one.inventory).into_bytes(),
            form => render(&one.inventory, form, options),
        };
        if is_many && output.form == Form::Table && is_dash(&file) {
            write_output(&file, format!("{}:\n", one.platform).as_bytes())?;
        }
        write_output(&file, &bytes)?;
    }
    Ok(())
}

/// What could not be read, and in the end how much, so that a list with gaps never looks like a whole one.
fn tell_gaps(scanned: &[Scanned], context: &Context) -> usize {
    let gaps: Vec<_> = scanned.iter().flat_map(|one| one.inventory.gaps()).collect();
    for gap in &gaps {
        context.warn(&format!("not read: {}", harmless(&gap.to_string())));
    }
    let count = gaps.iter().map(|gap| match gap.reason {
        GapReason::More { count } => count,
        _ => 1,
    });
    let count = count.sum();
    if count > 0 {
        context.warn(&format!("incomplete: {count} things could not be read, and packages may be missing"));
    }
    count
}

async fn attest(
    args: &ScanArgs,
    one: &Scanned,
    predicate_type: &PredicateType,
    signer: &Signing,
    options: &DocumentOptions,
    context: &Context,
) -> anyhow::Result<()> {
    let (Some(form), Some(image)) = (args.attest, &one.image) else { return Ok(()) };
    let statement = state(image, predicate_type, render(&one.inventory, form, options))?;
    let attached = attach::attest(context, signer, image, &statement, args.format).await?;
    report_attached(context, image, &attached);
    Ok(())
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
                layer(package),
                harmless(package.license.as_ref().map(touchmark_sbom::License::expression).unwrap_or("-")),
            ]
        })
        .collect();
    rows.sort();
    rows.dedup();
    table(&["NAME", "VERSION", "TYPE", "LAYER", "LICENCE"], &rows, stdout_width())
}

/// The layer that brought a package, and whether it came with the base image or was changed since.
fn layer(package: &Package) -> String {
    let Some(layer) = package.layer() else { return String::new() };
    match &package.history {
        Some(history) if history.in_base => format!("{layer} base"),
        Some(history) => match history.changed.last() {
            Some(changed) => format!("{layer} changed {changed}"),
            None => layer.to_string(),
        },
        None => layer.to_string(),
    }
}

fn removed_table(inventory: &Inventory) -> String {
    let removed = inventory.removed().iter().map(|package| {
        vec![
            harmless(&package.name),
            harmless(package.version.as_deref().unwrap_or("-")),
            package.ecosystem.name().to_owned(),
            package.introduced.to_string(),
            package.removed.to_string(),
        ]
    });
    let mut rows: Vec<Vec<String>> = removed.collect();
    rows.sort();
    table(&["NAME", "VERSION", "TYPE", "LAYER", "REMOVED"], &rows, stdout_width())
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
