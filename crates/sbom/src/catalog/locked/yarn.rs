//! `yarn.lock`: Yarn 1's own notation ([classic, "yarn.lock"](https://classic.yarnpkg.com/lang/en/docs/yarn-lock/)) and the YAML of
//! Yarn 2 and later ([Yarn 4, "Lexicon"](https://yarnpkg.com/advanced/lexicon#descriptor)).

use std::collections::BTreeMap;

use serde_json::Value;

use super::javascript::{from_address, package, split_at};
use super::{LockFile, Locked, Origin, member, table, yaml};
use crate::catalog::integrity;
use crate::{Ecosystem, path};

pub(in crate::catalog) const YARN: LockFile = LockFile {
    ecosystem: Ecosystem::Npm,
    format: "yarn.lock",
    is_one: |path| path::split(path).1 == "yarn.lock",
    parse,
};

fn parse(text: &str) -> Option<Vec<Locked>> {
    let entries = if text.contains("\n__metadata:") { berry(text)? } else { classic(text)? };
    let by_descriptor: BTreeMap<String, String> = entries.iter().flat_map(Entry::descriptors).collect();
    let lock = |entry: &Entry| {
        let needs = entry.needs.iter().filter_map(|descriptor| by_descriptor.get(descriptor)).cloned();
        Locked { needs: needs.collect(), ..entry.locked() }
    };
    Some(entries.iter().map(lock).collect())
}

/// One entry, in the words of either notation.
#[derive(Default)]
struct Entry {
    /// What other entries ask for and this answers: `name@range`, or with a protocol `name@npm:range`.
    asked: Vec<String>,
    name: String,
    version: String,
    /// The address or path that the package comes from; empty for the registry.
    address: String,
    integrity: String,
    needs: Vec<String>,
}

impl Entry {
    fn key(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    fn descriptors(&self) -> Vec<(String, String)> {
        self.asked.iter().map(|asked| (asked.clone(), self.key())).collect()
    }

    fn locked(&self) -> Locked {
        let mut locked = from_address(package(&self.name, &self.version), &self.address);
        if self.address.starts_with("workspace:") {
            locked.origin = Origin::Project;
        }
        locked.checksums = integrity::checksums(&self.integrity);
        locked
    }
}

/// Entries start at the margin and name what they answer; fields stand at two spaces, what is needed at four.
fn classic(text: &str) -> Option<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut in_needs = false;
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let depth = line.len() - line.trim_start_matches(' ').len();
        if depth == 0 {
            entries.push(head(line.strip_suffix(':')?)?);
            continue;
        }
        let entry = entries.last_mut()?;
        let (field, value) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        let (field, value) = (unquoted(field), unquoted(value));
        match (depth, field) {
            (2, "dependencies:" | "optionalDependencies:") => in_needs = true,
            (2, _) => {
                in_needs = false;
                entry.field(field, value);
            }
            (4, name) if in_needs => entry.needs.push(format!("{name}@{value}")),
            _ => {}
        }
    }
    Some(entries)
}

/// `"@s/a@^1", a@2`: the name is that of the first. `alias@npm:real@1` is an alias for `real`.
fn head(line: &str) -> Option<Entry> {
    let asked: Vec<String> = line.split(", ").map(|part| unquoted(part).to_owned()).collect();
    let (name, range) = split_at(asked.first()?)?;
    let real = range.strip_prefix("npm:").and_then(split_at);
    Some(Entry { name: real.map_or(name, |(real, _)| real).to_owned(), asked, ..Entry::default() })
}

impl Entry {
    fn field(&mut self, field: &str, value: &str) {
        match field {
            "version" => self.version = value.to_owned(),
            "integrity" => self.integrity = value.to_owned(),
            // The registry's own addresses end in the file's SHA-1.
            "resolved" if !value.contains(".tgz") => self.address = value.to_owned(),
            _ => {}
        }
    }
}

fn unquoted(text: &str) -> &str {
    text.trim_matches('"')
}

/// The checksums there are those of Yarn's own archives, not of the packages, and are left out.
fn berry(text: &str) -> Option<Vec<Entry>> {
    let document = yaml(text)?;
    let entries = document.as_object()?.iter().filter(|(head, _)| *head != "__metadata");
    entries.map(|(head, entry)| berry_entry(head, entry)).collect()
}

fn berry_entry(head: &str, entry: &Value) -> Option<Entry> {
    let (name, resolved) = split_at(member(entry, "resolution"))?;
    let address = if resolved.starts_with("npm:") || resolved.starts_with("patch:") { "" } else { resolved };
    let need = |(name, range): (&String, &Value)| {
        let range = range.as_str().unwrap_or_default();
        // Before version 8 of the format, ranges stood without their protocol.
        if range.contains(':') { format!("{name}@{range}") } else { format!("{name}@npm:{range}") }
    };
    Some(Entry {
        asked: head.split(", ").map(str::to_owned).collect(),
        name: name.to_owned(),
        version: version(entry),
        address: address.to_owned(),
        integrity: String::new(),
        needs: table(entry, "dependencies").map(need).collect(),
    })
}

/// A version such as `20.11` would be a number in YAML; Yarn writes those with quotes, others may not have.
fn version(entry: &Value) -> String {
    match entry.get("version") {
        Some(Value::Number(number)) => number.to_string(),
        _ => member(entry, "version").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classic_entries_answer_ranges() {
        let text = "# yarn lockfile v1\n\n\"@s/a@^1.0.0\", \"@s/a@^1.1.0\":\n  version \"1.2.0\"\n  resolved \
            \"https://registry.yarnpkg.com/@s/a/-/a-1.2.0.tgz#abc\"\n  dependencies:\n    b \"^2.0.0\"\n\nb@^2.0.0:\n  version \
            \"2.1.0\"\n  resolved \"git+https://example.org/b.git#feed\"\n\nalias@npm:real@3:\n  version \"3.0.0\"\n";
        let found = parse(text).unwrap();
        assert_eq!(found[0].purl("npm").unwrap(), "pkg:npm/%40s/a@1.2.0");
        assert_eq!(found[0].needs, ["b@2.1.0"]);
        assert_eq!(found[1].qualifiers[0].1, "git+https://example.org/b.git@feed");
        assert_eq!(found[2].name, "real");
    }

    #[test]
    fn berry_entries_answer_descriptors() {
        let text = "# generated\n\n__metadata:\n  version: 6\n\n\"a@npm:^1.0.0, a@npm:^1.1.0\":\n  version: 1.2.0\n  resolution: \
            \"a@npm:1.2.0\"\n  dependencies:\n    b: ^2.0.0\n\n\"b@npm:^2.0.0\":\n  version: 2.1.0\n  resolution: \"b@npm:2.1.0\"\n\n\
            \"shop@workspace:.\":\n  version: 0.0.0-use.local\n  resolution: \"shop@workspace:.\"\n  dependencies:\n    a: \
            \"npm:^1.1.0\"\n";
        let found = parse(text).unwrap();
        assert_eq!(found[0].needs, ["b@2.1.0"]);
        assert_eq!(found[2].needs, ["a@1.2.0"]);
        assert_eq!(found[2].origin, Origin::Project);
    }

    #[test]
    fn a_field_before_any_entry_is_no_lock_file() {
        assert_eq!(parse("  version \"1\"\n"), None);
    }
}
