//! `go.mod` ([Go Modules Reference, "go.mod files"](https://go.dev/ref/mod#go-mod-file)).
//!
//! From Go 1.17 on it names every module that the build needs. `go.sum` is not read: it also has modules that were only looked at
//! to choose versions, and its checksums are of a form of Go's own.

use super::{LockFile, Locked, Origin};
use crate::{Ecosystem, path};

pub(in crate::catalog) const GO: LockFile = LockFile {
    ecosystem: Ecosystem::Golang,
    format: "go.mod",
    is_one: |path| path::split(path).1 == "go.mod",
    parse,
};

fn parse(text: &str) -> Option<Vec<Locked>> {
    let lines = directives(text);
    let own = lines.iter().find(|(verb, _)| verb == "module").and_then(|(_, words)| words.first())?;
    let replaced: Vec<Replacement> = lines
        .iter()
        .filter(|(verb, _)| verb == "replace")
        .filter_map(|(_, words)| Replacement::of(words))
        .collect();
    let mut direct = Vec::new();
    let mut modules = Vec::new();
    for (_, words) in lines.iter().filter(|(verb, _)| verb == "require") {
        let [path, version, rest @ ..] = words.as_slice() else { continue };
        let module = replaced.iter().find_map(|replacement| replacement.apply(path, version));
        let module = module.unwrap_or_else(|| module_at(path, version));
        if rest.is_empty() {
            direct.push(format!("{}@{}", module.key(), module.version));
        }
        modules.push(module);
    }
    let main = Locked { origin: Origin::Project, needs: direct, ..module_at(own, "") };
    Some([main].into_iter().chain(modules).collect())
}

/// The last part of a module's path is the name, what comes before the namespace.
fn module_at(path: &str, version: &str) -> Locked {
    let (namespace, name) = path::split(path);
    Locked { namespace: namespace.to_owned(), ..Locked::new(name, version) }
}

/// Verbs with their words, with blocks written out. `// indirect` stays as a word; other comments go.
fn directives(text: &str) -> Vec<(String, Vec<String>)> {
    let mut block: Option<String> = None;
    let mut found = Vec::new();
    for line in text.lines() {
        let (code, comment) = line.split_once("//").unwrap_or((line, ""));
        let mut words: Vec<String> =
            code.split_ascii_whitespace().map(|word| word.trim_matches(['"', '`']).to_owned()).collect();
        let verb = match &block {
            Some(_) if words.first().is_some_and(|word| word == ")") => {
                block = None;
                continue;
            }
            Some(verb) => verb.clone(),
            None if words.is_empty() => continue,
            None => words.remove(0),
        };
        if words.first().is_some_and(|word| word == "(") {
            block = Some(verb);
            continue;
        }
        if comment.trim().starts_with("indirect") {
            words.push("indirect".to_owned());
        }
        if !words.is_empty() {
            found.push((verb, words));
        }
    }
    found
}

/// `old [version] => new [version]`; without a version, the new one is a directory.
struct Replacement {
    old: String,
    old_version: Option<String>,
    new: String,
    new_version: Option<String>,
}

impl Replacement {
    fn of(words: &[String]) -> Option<Self> {
        let arrow = words.iter().position(|word| word == "=>")?;
        let (old, new) = words.split_at_checked(arrow)?;
        Some(Self {
            old: old.first()?.clone(),
            old_version: old.get(1).cloned(),
            new: new.get(1)?.clone(),
            new_version: new.get(2).cloned(),
        })
    }

    fn apply(&self, path: &str, version: &str) -> Option<Locked> {
        let concerns = self.old == path && self.old_version.as_deref().is_none_or(|old| old == version);
        concerns.then(|| match &self.new_version {
            Some(new_version) => module_at(&self.new, new_version),
            None => Locked { origin: Origin::Local, ..module_at(path, version) },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn required_modules_are_found_with_their_replacements() {
        let text = "module example.org/app\n\ngo 1.22\n\nrequire golang.org/x/text v0.14.0\n\nrequire (\n\tgithub.com/a/b/v2 v2.1.0 // \
            indirect\n\tgithub.com/c/d v1.0.0 // used\n\texample.org/near v0.0.0\n)\n\nreplace github.com/c/d => github.com/fork/d v1.0.1\n\
            replace (\n\texample.org/near => ../near\n)\nexclude github.com/x/y v1.0.0\n";
        let found = parse(text).unwrap();
        let purls: Vec<_> = found.iter().map(|locked| locked.purl("golang").unwrap_or_default()).collect();
        assert_eq!(
            purls,
            [
                "",
                "pkg:golang/golang.org/x/text@v0.14.0",
                "pkg:golang/github.com/a/b/v2@v2.1.0",
                "pkg:golang/github.com/fork/d@v1.0.1",
                "",
            ]
        );
        assert_eq!(found[0].origin, Origin::Project);
        assert_eq!(
            found[0].needs,
            ["golang.org/x/text@v0.14.0", "github.com/fork/d@v1.0.1", "example.org/near@v0.0.0"]
        );
    }

    #[test]
    fn a_file_without_a_module_is_none() {
        assert_eq!(parse("go 1.22\n"), None);
    }
}
