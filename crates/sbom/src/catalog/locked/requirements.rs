//! `requirements.txt` and its relatives
//! ([pip 25, "Requirements File Format"](https://pip.pypa.io/en/stable/reference/requirements-file-format/)).
//!
//! Only `name==version` and `name===version` pin a version. Other requirements are listed without one: they are asked for, and
//! which version will come is not known. What a file includes (`-r`, `-c`) is read where it lies, if its name is one of these.

use super::{LockFile, Locked, only};
use crate::catalog::python::normalized;
use crate::{Ecosystem, path};

pub(in crate::catalog) const REQUIREMENTS: LockFile =
    LockFile { ecosystem: Ecosystem::Pypi, format: "requirements file", is_one, parse };

/// `requirements.txt`, `requirements-dev.txt`, `dev-requirements.txt`, `requirements/prod.txt`.
fn is_one(path: &str) -> bool {
    let (directory, name) = path::split(path);
    name.ends_with(".txt") && (name.contains("requirements") || path::split(directory).1 == "requirements")
}

fn parse(text: &str) -> Option<Vec<Locked>> {
    Some(logical_lines(text).iter().filter_map(|line| package(line)).collect())
}

/// Lines with their continuations, without comments.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open = String::new();
    for line in text.lines() {
        let line = match line.find(" #").or_else(|| line.starts_with('#').then_some(0)) {
            Some(comment) => line.get(..comment).unwrap_or_default(),
            None => line,
        };
        match line.trim_end().strip_suffix('\\') {
            Some(start) => open.push_str(start),
            None => lines.push(std::mem::take(&mut open) + line),
        }
    }
    lines.push(open);
    lines
}

fn package(line: &str) -> Option<Locked> {
    let mut words = line.split(" --");
    let requirement = words.next().unwrap_or_default().trim();
    // Options, paths and addresses name no package of the registry.
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let end = requirement.find(|c| !is_name(c)).unwrap_or(requirement.len());
    let (name, rest) = requirement.split_at_checked(end)?;
    let rest = rest.split(';').next().unwrap_or_default().trim();
    let is_path = rest.starts_with(['/', '\\', ':']) || name.contains("..");
    if name.is_empty() || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || is_path {
        return None;
    }
    let rest = match rest.strip_prefix('[') {
        Some(extras) => extras.split_once(']')?.1.trim(),
        None => rest,
    };
    let mut locked = Locked::new(&normalized(name), pinned(rest).unwrap_or_default());
    locked.checksums = only(words.filter_map(|option| option.trim().strip_prefix("hash=")));
    if let Some(address) = rest.strip_prefix('@').map(str::trim).filter(|address| !address.is_empty()) {
        let key = if address.contains('+') { "vcs_url" } else { "download_url" };
        locked.qualifiers.push((key, address.to_owned()));
    }
    Some(locked)
}

/// The version of an exact pin: one clause, without a wildcard.
fn pinned(specifier: &str) -> Option<&str> {
    let version = specifier.strip_prefix("===").or_else(|| specifier.strip_prefix("=="))?.trim();
    (!version.contains([',', '*', ' ', '<', '>', '='])).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_pins_have_a_version() {
        let text = "# top\n-r other.txt\n--index-url https://example.org\nFlask_App[async] == 3.1.0 ; python_version > '3'\n\
            requests>=2\nfoo==1.*\nbar==1,>0\n./local\nhttps://example.org/x.whl\nurllib3===2.0.0 # why\n-e .\n";
        let found: Vec<_> = parse(text).unwrap().into_iter().map(|l| (l.name, l.version)).collect();
        let want = [("flask-app", "3.1.0"), ("requests", ""), ("foo", ""), ("bar", ""), ("urllib3", "2.0.0")];
        assert_eq!(found, want.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }

    #[test]
    fn continued_lines_carry_hashes() {
        let hash = "a".repeat(64);
        let found = parse(&format!("six==1.16.0 \\\n    --hash=sha256:{hash}\n")).unwrap();
        assert_eq!(found[0].checksums[0].hex, hash);
    }

    #[test]
    fn files_are_known_by_name_or_directory() {
        for path in ["requirements.txt", "a/requirements-dev.txt", "a/requirements/prod.txt"] {
            assert!(is_one(path), "{path}");
        }
        assert!(!is_one("a/notes.txt"));
        assert!(!is_one("requirements.in"));
    }
}
