//! `Pipfile.lock` ([Pipenv, "Pipfile & Pipfile.lock"](https://pipenv.pypa.io/en/latest/pipfile.html)): JSON with groups of packages.

use serde_json::Value;

use super::{LockFile, Locked, Origin, json, list, member, only};
use crate::catalog::python::normalized;
use crate::{Ecosystem, path};

pub(in crate::catalog) const PIPFILE: LockFile = LockFile {
    ecosystem: Ecosystem::Pypi,
    format: "Pipfile.lock",
    is_one: |path| path::split(path).1 == "Pipfile.lock",
    parse,
};

/// Every member but `_meta` is a group: `default`, `develop`, or one of the user's.
fn parse(text: &str) -> Option<Vec<Locked>> {
    let document = json(text)?;
    let groups = document.as_object()?.iter().filter(|(name, _)| *name != "_meta");
    let packages = groups.filter_map(|(_, group)| group.as_object()).flatten();
    Some(packages.map(|(name, entry)| package(name, entry)).collect())
}

fn package(name: &str, entry: &Value) -> Locked {
    let version = member(entry, "version");
    let mut locked = Locked::new(&normalized(name), version.trim_start_matches('='));
    locked.checksums = only(list(entry, "hashes").iter().filter_map(Value::as_str));
    if entry.get("path").is_some() || entry.get("file").is_some() {
        locked.origin = Origin::Local;
    }
    let (git, reference) = (member(entry, "git"), member(entry, "ref"));
    if !git.is_empty() {
        locked.version = reference.to_owned();
        locked.add_repository(git, reference);
    }
    locked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_groups_are_read_and_their_pins_taken_off() {
        let text = r#"{"_meta":{"hash":{"sha256":"x"}},
            "default":{"Flask_x":{"version":"==3.1.0"},"here":{"path":".","version":"*"},
                "g":{"git":"https://example.org/g.git","ref":"abc"}},
            "develop":{"pytest":{"version":"==8.0"}}}"#;
        let found = parse(text).unwrap();
        let purls: Vec<_> = found.iter().filter_map(|locked| locked.purl("pypi")).collect();
        assert_eq!(
            purls,
            [
                "pkg:pypi/flask-x@3.1.0",
                "pkg:pypi/g@abc?vcs_url=git%2Bhttps://example.org/g.git%40abc",
                "pkg:pypi/pytest@8.0",
            ]
        );
        assert!(found.iter().any(|locked| locked.origin == Origin::Local));
    }
}
