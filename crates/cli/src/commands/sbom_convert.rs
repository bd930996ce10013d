//! `touchmark sbom convert FILE`: an SBOM in other formats. What a format has no place for is told, and left out.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use touchmark_sbom::{Component, License, ReadLimits, SbomDocument};

use crate::commands::sbom::{Form, Output, document_options};
use crate::context::Context;
use crate::failure::Mistake;
use crate::files::{MAX_DOCUMENT_BYTES, read_input, write_output};
use crate::outcome::Outcome;
use crate::render::{harmless, stdout_width, table};

/// Arguments of `sbom convert`.
#[derive(Debug, Args)]
#[command(after_help = "\
FILE is CycloneDX 1.3 to 1.7 in JSON or XML, SPDX 2.2 or 2.3 in JSON or as tags and values, or SPDX 3.0.1 in JSON; - is standard input.
Within one family everything is kept that the version has; between families, what both have. What is left out is told.

Examples:
  touchmark sbom convert app.cdx.xml -o cyclonedx-json@1.6
  touchmark sbom convert app.cdx.json -o spdx-json=app.spdx.json -o spdx-json@3.0.1=app.spdx3.json")]
pub(crate) struct ConvertArgs {
    /// The SBOM
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A format, and the file to write it to instead of standard output
    #[arg(short, long, value_name = "FORMAT[=FILE]", required = true)]
    output: Vec<Output>,
    /// Exit with 2 when something had to be left out
    #[arg(long)]
    strict: bool,
}

pub(crate) fn run(args: &ConvertArgs, context: &Context) -> anyhow::Result<Outcome> {
    write(&args.file, &args.output, args.strict, context)
}

/// Reads a document.
pub(crate) fn read(file: &Path) -> anyhow::Result<SbomDocument> {
    let bytes = read_input(file, MAX_DOCUMENT_BYTES)?;
    SbomDocument::read(&bytes, &ReadLimits::default())
        .with_context(|| format!("cannot read the SBOM {}", file.display()))
}

/// Reads a document and writes it in every format.
pub(crate) fn write(
    file: &Path,
    outputs: &[Output],
    strict: bool,
    context: &Context,
) -> anyhow::Result<Outcome> {
    let document = read(file)?.dated(&document_options()?);
    let mut left_out = 0;
    for output in outputs {
        let bytes = match output.form {
            Form::Table => component_table(&document).into_bytes(),
            Form::Json => return Err(no_inventory(file).into()),
            Form::Document(format) => {
                let converted = document.convert(format);
                for place in &converted.left_out {
                    context.warn(&format!("{format} has no place for {}", harmless(&place.to_string())));
                }
                left_out += converted.left_out.len();
                converted.bytes
            }
        };
        write_output(&output.file, &bytes)?;
    }
    for gap in document.gaps() {
        context.warn(&format!("the SBOM is incomplete: {}", harmless(gap)));
    }
    if strict && left_out + document.gaps().len() > 0 {
        return Err(Mistake::new(
            "the SBOM is incomplete, or something had to be left out, and --strict was given",
            "the warnings above name it; the documents were written",
        )
        .into());
    }
    Ok(Outcome::Done)
}

fn no_inventory(file: &Path) -> Mistake {
    Mistake::new(
        format!("{} holds no inventory to write as json", file.display()),
        "-o cyclonedx-json or -o spdx-json writes a document",
    )
}

fn component_table(document: &SbomDocument) -> String {
    let mut rows: Vec<Vec<String>> = document.components().iter().map(row).collect();
    rows.sort();
    rows.dedup();
    table(&["NAME", "VERSION", "TYPE", "LICENCE"], &rows, stdout_width())
}

fn row(component: &Component) -> Vec<String> {
    let license = component.declared.as_ref().or(component.concluded.as_ref());
    vec![
        harmless(&component.full_name()),
        harmless(component.version.as_deref().unwrap_or("-")),
        harmless(package_type(component.purl.as_deref()).unwrap_or(component.kind.cyclonedx())),
        harmless(license.map_or("-", License::expression)),
    ]
}

/// The type that a package URL names.
pub(crate) fn package_type(purl: Option<&str>) -> Option<&str> {
    purl?.strip_prefix("pkg:")?.split('/').next()
}
