//! What a Go module's source asks for: `go.mod` ([Go Modules Reference, "go.mod files"](https://go.dev/ref/mod#go-mod-file)).
//!
//! Since Go 1.17 the file names every module that the build needs, with its version; older ones name those asked for directly.
//! `go.sum` is not read: it also has sums of versions that no build uses, and its sums are not of a file that is delivered.

use std::collections::BTreeMap;

use crate::catalog::{Cataloger, Files, Findings, Finds, go, text};
use crate::{Ecosystem, Evidence, GapReason, IdentifiedBy, Package, path};

pub(super) struct GoMod;

impl Cataloger for GoMod {
    fn wants(&self, path: &str) -> bool {
        path::split(path).1 == FORMAT && !path.split('/').any(|part| part == "testdata" || part == "vendor")
    }

    fn finds(&self) -> Finds {
        Finds::Locked
    }

    fn catalog(&self, files: &Files<'_>, found: &mut Findings) {
        for (path, file, bytes) in files.wanted() {
            match Module::parse(&text(bytes)) {
                Some(module) => add(module, &file.evidence(path), found),
                None => found.gap(path, GapReason::Malformed { format: FORMAT }),
            }
        }
    }
}

fn add(module: Module, evidence: &Evidence, found: &mut Findings) {
    let mut own = Package::new(Ecosystem::Golang, &module.name, None, None, evidence.clone());
    own.is_application = true;
    let id = own.id.clone();
    found.packages.push(own);
    for (name, version) in found.bounded(&evidence.path, module.required.into_iter().collect()) {
        let replaced = module.replaced.get(&(name.clone(), Some(version.clone())));
        let (name, version) = match replaced.or_else(|| module.replaced.get(&(name.clone(), None))) {
            // A directory has no version, and is no module's name.
            Some(Replacement::Directory) => (name, None),
            Some(Replacement::Module(name, version)) => (name.clone(), Some(version.clone())),
            None => (name, Some(version)),
        };
        let mut package = go::module(&name, version.as_deref(), evidence);
        package.identified_by = IdentifiedBy::LockFile;
        found.depends(&id, &package.id);
        found.packages.push(package);
    }
}

/// What a `go.mod` says.
#[derive(Default)]
struct Module {
    name: String,
    required: BTreeMap<String, String>,
    /// By name, and by version where only one is replaced.
    replaced: BTreeMap<(String, Option<String>), Replacement>,
}

enum Replacement {
    Directory,
    Module(String, String),
}

impl Module {
    fn parse(text: &str) -> Option<Self> {
        let mut module = Self::default();
        let mut block: Option<String> = None;
        for line in text.lines() {
            let line = line.split("//").next().unwrap_or(line).trim();
            let words: Vec<String> = line.split_whitespace().map(unquoted).collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            match (&block, words.as_slice()) {
                (_, []) => {}
                (Some(_), [")"]) => block = None,
                (Some(verb), words) => module.directive(&verb.clone(), words)?,
                (None, [verb, "("]) => block = Some((*verb).to_owned()),
                (None, [verb, words @ ..]) => module.directive(verb, words)?,
            }
        }
        (!module.name.is_empty() && block.is_none()).then_some(module)
    }

    fn directive(&mut self, verb: &str, words: &[&str]) -> Option<()> {
        match (verb, words) {
            ("module", [name]) => self.name = (*name).to_owned(),
            ("require", [name, version]) => {
                self.required.insert((*name).to_owned(), (*version).to_owned());
            }
            ("replace", [name, "=>", with @ ..]) => self.replace(name, None, with)?,
            ("replace", [name, version, "=>", with @ ..]) => self.replace(name, Some(version), with)?,
            ("module" | "require" | "replace", _) => return None,
            _ => {}
        }
        Some(())
    }

    fn replace(&mut self, name: &str, version: Option<&str>, with: &[&str]) -> Option<()> {
        let replacement = match with {
            [_] => Replacement::Directory,
            [name, version] => Replacement::Module((*name).to_owned(), (*version).to_owned()),
            _ => return None,
        };
        self.replaced.insert((name.to_owned(), version.map(str::to_owned)), replacement);
        Some(())
    }
}

fn unquoted(word: &str) -> String {
    word.trim_matches(['"', '`']).to_owned()
}

const FORMAT: &str = "go.mod";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::testing::catalog;

    #[test]
    fn required_modules_are_found_as_they_are_replaced() {
        let text = "module \"example.org/app\" // comment\n\ngo 1.22\n\nrequire a.org/x v1.0.0\nrequire (\n\tb.org/x v2.0.0 // indirect\n\
                    \tc.org/x v3.0.0\n\td.org/x v4.0.0\n)\nexclude a.org/x v0.9.0\nreplace b.org/x => ./b\n\
                    replace (\n\tc.org/x v3.0.0 => e.org/x v5.0.0\n\td.org/x v9.9.9 => f.org/x v1.0.0\n)\n";
        let found = catalog(&[("app/go.mod", text.as_bytes())]);
        let purl = |name: &str| found.named(name).purl.clone();
        assert_eq!(purl("a.org/x").as_deref(), Some("pkg:golang/a.org/x@v1.0.0"));
        assert_eq!(purl("b.org/x"), None);
        assert_eq!(purl("e.org/x").as_deref(), Some("pkg:golang/e.org/x@v5.0.0"));
        assert_eq!(
            purl("d.org/x").as_deref(),
            Some("pkg:golang/d.org/x@v4.0.0"),
            "another version is replaced"
        );
        assert!(found.has_edge("example.org/app", "e.org/x"));
        assert_eq!(found.packages.len(), 5);
    }

    #[test]
    fn a_broken_file_is_a_gap() {
        for text in ["", "module a\nrequire x\n", "module a\nreplace x => a b c\n", "module a\nrequire (\n"] {
            assert_eq!(
                catalog(&[("go.mod", text.as_bytes())]).gaps[0].reason,
                GapReason::Malformed { format: FORMAT }
            );
        }
    }
}
