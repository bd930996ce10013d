//! The official documents of CycloneDX 1.3 to 1.7 (`testdata/cyclonedx`): the valid ones are read and written again, the invalid ones
//! are refused.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use touchmark_sbom::{Format, ReadLimits, SbomDocument};

mod schemas;

fn official() -> BTreeMap<String, Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/cyclonedx/official.tar.zst");
    let file = std::fs::File::open(path).unwrap();
    let mut archive = tar::Archive::new(zstd::Decoder::new(file).unwrap());
    let mut documents = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        if entry.header().entry_type().is_file() {
            documents.insert(name, bytes);
        }
    }
    documents
}

/// The documents whose name starts so, by extension.
fn named(prefix: &str, extension: &str) -> Vec<(String, Vec<u8>)> {
    let is_it = |name: &str| {
        let file = name.rsplit('/').next().unwrap_or(name);
        file.starts_with(prefix) && file.ends_with(extension)
    };
    official().into_iter().filter(|(name, _)| is_it(name)).collect()
}

fn read(bytes: &[u8]) -> Result<SbomDocument, String> {
    SbomDocument::read(bytes, &ReadLimits::default()).map_err(|error| error.to_string())
}

#[test]
fn every_valid_document_is_read() {
    for (extension, count) in [(".json", 197), (".xml", 208)] {
        let documents = named("valid", extension);
        assert_eq!(documents.len(), count, "{extension}");
        let refused: Vec<_> =
            documents.iter().filter_map(|(name, bytes)| Some((name.clone(), read(bytes).err()?))).collect();
        assert_eq!(refused, [], "{extension}");
    }
}

#[test]
fn every_invalid_document_is_refused() {
    for (extension, count) in [(".json", 120), (".xml", 127)] {
        let documents = named("invalid", extension);
        assert_eq!(documents.len(), count, "{extension}");
        let accepted: Vec<_> =
            documents.iter().filter(|(_, bytes)| read(bytes).is_ok()).map(|(name, _)| name).collect();
        assert_eq!(accepted, Vec::<&String>::new(), "{extension}");
    }
}

#[test]
fn a_document_is_written_again_in_its_version_with_everything_that_it_had() {
    for (name, bytes) in named("valid", ".json") {
        let document = read(&bytes).unwrap();
        let Some(format) = document.read_from().filter(|format| Format::WRITTEN.contains(format)) else {
            continue;
        };
        let converted = document.convert(format);
        assert_eq!(converted.left_out, [], "{name}");
        let value = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
        assert_eq!(value(&converted.bytes), value(&bytes), "{name}");
    }
}

#[test]
fn every_document_that_is_read_can_be_written_in_every_format_and_read_again() {
    let documents = named("valid", ".json").into_iter().chain(named("valid", ".xml"));
    for (name, bytes) in documents {
        let document = read(&bytes).unwrap();
        for format in Format::WRITTEN {
            let converted = document.convert(format);
            let again = read(&converted.bytes).unwrap_or_else(|error| panic!("{name} as {format}: {error}"));
            assert_eq!(again.read_from(), Some(format), "{name}");
            let count = |document: &SbomDocument| {
                document.components().len() + usize::from(document.subject().is_some())
            };
            // SPDX has no document without a subject that has one component only.
            assert_eq!(count(&again), count(&document), "{name} as {format}");
            assert_eq!(converted, document.convert(format), "{name} as {format}");
        }
    }
}

#[test]
fn what_is_converted_to_another_version_is_valid_there() {
    for version in ["1.5", "1.6", "1.7"] {
        let validator = schemas::cyclonedx_validator(version);
        let format: Format = format!("cyclonedx-json@{version}").parse().unwrap();
        for (name, bytes) in named("valid", ".json").into_iter().chain(named("valid", ".xml")) {
            let converted = read(&bytes).unwrap().convert(format);
            let document: serde_json::Value = serde_json::from_slice(&converted.bytes).unwrap();
            let error = validator.iter_errors(&document).next().map(|error| error.to_string());
            assert_eq!(error, None, "{name} as {version}");
        }
    }
}

/// A small generator, so that every run makes the same documents (Knuth, MMIX).
fn next(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*state >> 33).unwrap_or_default()
}

#[test]
fn no_broken_document_stops_the_reader() {
    let mut state = 1;
    let mut read_anyway = 0;
    for (_, bytes) in official().into_iter().filter(|(_, bytes)| bytes.len() < 6_000) {
        for _ in 0..12 {
            let mut broken = bytes.clone();
            let (at, other) = (next(&mut state) % broken.len(), next(&mut state) % broken.len());
            match next(&mut state) % 4 {
                0 => broken.truncate(at),
                1 => broken.swap(at, other),
                2 => {
                    let piece = broken[at.min(other)..at.max(other)].to_vec();
                    broken.splice(at..at, piece);
                }
                _ => broken[at] = u8::try_from(next(&mut state) % 256).unwrap_or_default(),
            }
            if let Ok(document) = SbomDocument::read(&broken, &ReadLimits::default()) {
                read_anyway += 1;
                for format in Format::WRITTEN {
                    document.convert(format);
                }
            }
        }
    }
    assert!(read_anyway > 100, "{read_anyway}");
}
