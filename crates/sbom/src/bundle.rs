//! Zip files from which packages are loaded without being unpacked: the cache of Yarn's Plug'n'Play
//! ([Yarn 4, "Plug'n'Play"](https://yarnpkg.com/features/pnp)), Python's zip applications
//! ([Python 3.13, zipapp](https://docs.python.org/3.13/library/zipapp.html), which pex and shiv make too) and eggs
//! ([setuptools, "The Internal Structure of Python Eggs"](https://setuptools.pypa.io/en/latest/deprecated/python_eggs.html)).
//!
//! The manifests in one are read as if the file were a directory, so catalogers need not know of them. Performs no I/O but reading the
//! stream.

use std::io::{self, Read};

use crate::zip::{Budget, Input, Watched, Zip};
use crate::{GapReason, Limits, catalog, path};

/// What was found in a bundle.
#[derive(Debug, Default)]
pub(crate) struct Bundle {
    /// The manifests in it, with their paths as if the bundle were a directory.
    pub(crate) manifests: Vec<(String, Vec<u8>)>,
    /// What could not be read, with its path.
    pub(crate) gaps: Vec<(String, GapReason)>,
}

/// Whether packages may be loaded from a file with this path.
pub(crate) fn is_bundle(path: &str) -> bool {
    let (directory, name) = path::split(path);
    match name.rsplit_once('.') {
        Some((_, "pex" | "pyz" | "egg")) => true,
        Some((_, "zip")) => {
            let in_cache =
                |cache: &str| directory.strip_suffix(cache).is_some_and(|r| r.is_empty() || r.ends_with('/'));
            in_cache(".yarn/cache") || in_cache(".yarn/berry/cache")
        }
        _ => false,
    }
}

/// Reads a bundle to its end. `max_bytes` is how much of it may be kept.
///
/// # Errors
/// The stream's own. What is wrong with the bundle is a gap in it.
pub(crate) fn read(
    content: impl Read,
    path: &str,
    size: u64,
    max_bytes: u64,
    limits: &Limits,
) -> io::Result<Bundle> {
    let mut source = Watched::new(content);
    let mut bundle = Bundle::default();
    let mut input = Input::new(&mut source);
    // Scenes of Panda3D end in `.egg` too, and are text.
    let is_zip = input.peek(2).is_ok_and(|head| head.starts_with(b"PK"));
    if is_zip || !path.ends_with(".egg") {
        let budget = Budget::new(size, limits);
        if let Err(reason) = bundle.entries(&mut input, &budget, path, max_bytes) {
            bundle.gaps.push((path.to_owned(), reason));
        }
    }
    source.finish().map(|()| bundle)
}

impl Bundle {
    fn entries(
        &mut self,
        input: &mut Input<'_>,
        budget: &Budget,
        path: &str,
        max_bytes: u64,
    ) -> Result<(), GapReason> {
        let limits = budget.limits();
        let mut left = max_bytes;
        let mut zip = Zip::open(input, budget)?;
        while let Some(entry) = zip.next_entry()? {
            let inner = path::join(path, entry.name.trim_start_matches('/'));
            let is_inside = inner.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
            if !is_inside || inner.len() > limits.max_path_bytes || !is_manifest(&inner) {
                zip.skip(&entry)?;
                continue;
            }
            match zip.read(&entry, limits.max_manifest_bytes)? {
                Ok(bytes) => {
                    let taken = (bytes.len() + inner.len()) as u64;
                    let Some(rest) = left.checked_sub(taken) else {
                        return Err(GapReason::KeptTooMuch { limit: limits.max_kept_bytes });
                    };
                    left = rest;
                    self.manifests.push((inner, bytes));
                }
                Err(reason) if self.gaps.len() < limits.max_packages_per_file => {
                    self.gaps.push((inner, reason));
                }
                Err(_) => {}
            }
        }
        Ok(())
    }
}

/// What says that a package is there; lock files and the like in a bundle are its packages' own.
fn is_manifest(path: &str) -> bool {
    matches!(path::split(path).1, "package.json" | "METADATA" | "PKG-INFO")
        && catalog::interest(path, false).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zip::testing::{self, DEFLATED, STORED, ZipWriter};

    const PATH: &str = "app/.yarn/cache/a-npm-1.0.0.zip";

    fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
        testing::zip(entries, DEFLATED)
    }

    fn bundle(bytes: &[u8], limits: &Limits) -> Bundle {
        read(bytes, PATH, bytes.len() as u64, limits.max_kept_bytes, limits).unwrap()
    }

    #[test]
    fn only_zips_that_packages_are_loaded_from_are_looked_into() {
        for yes in ["a.pex", "bin/a.pyz", "site-packages/a-1-py3.11.egg", PATH, ".yarn/berry/cache/a.zip"] {
            assert!(is_bundle(yes), "{yes}");
        }
        for no in ["a.zip", "cache/a.zip", "my.yarn/cache/a.zip", "pex", "a.whl"] {
            assert!(!is_bundle(no), "{no}");
        }
    }

    #[test]
    fn manifests_are_found_where_they_would_lie_unpacked() {
        let entries: [(&str, &[u8]); 3] = [
            ("node_modules/a/package.json", b"{}"),
            ("node_modules/a/lib/package.json", b"{}"),
            ("node_modules/a/index.js", b""),
        ];
        let found = bundle(&zip(&entries), &Limits::default());
        assert_eq!(found.manifests, [(format!("{PATH}/node_modules/a/package.json"), b"{}".to_vec())]);
        assert_eq!(found.gaps, []);
    }

    #[test]
    fn names_that_lead_out_of_the_bundle_are_passed_over() {
        let entries: [(&str, &[u8]); 2] = [
            ("../../../node_modules/evil/package.json", b"{}"),
            ("/../../node_modules/evil/package.json", b"{}"),
        ];
        assert_eq!(bundle(&zip(&entries), &Limits::default()).manifests, []);
    }

    #[test]
    fn a_bundle_that_is_no_zip_or_too_large_is_a_gap() {
        let found = bundle(b"#!/bin/sh\n", &Limits::default());
        assert!(matches!(found.gaps[..], [(_, GapReason::Malformed { .. })]));
        let scene = read(&b"<Vertex>"[..], "a.egg", 8, 100, &Limits::default()).unwrap();
        assert_eq!(scene.gaps, []);
        let bytes = zip(&[("node_modules/a/package.json", b"{\"name\": \"a\"}")]);
        let found = read(&bytes[..], PATH, bytes.len() as u64, 10, &Limits::default()).unwrap();
        assert!(matches!(found.gaps[..], [(_, GapReason::KeptTooMuch { .. })]));
        let limits = Limits { max_manifest_bytes: 3, ..Limits::default() };
        assert!(matches!(bundle(&bytes, &limits).gaps[..], [(_, GapReason::FileTooLarge { .. })]));
    }

    #[test]
    fn a_broken_entry_is_a_gap_and_the_rest_is_read() {
        let mut writer = ZipWriter::default();
        let broken = testing::Style { crc_error: 1, ..STORED };
        writer.add("node_modules/a/package.json", b"{}", broken);
        writer.add("node_modules/b/package.json", b"{}", STORED);
        let found = bundle(&writer.finish(), &Limits::default());
        assert_eq!(found.manifests.len(), 1);
        assert!(matches!(found.gaps[..], [(_, GapReason::Malformed { .. })]));
    }
}
