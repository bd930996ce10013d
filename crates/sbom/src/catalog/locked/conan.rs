//! `conan.lock` of Conan 2 and 1 ([Conan 2, "Lockfiles"](https://docs.conan.io/2/tutorial/versioning/lockfiles.html)), and the
//! references in a `conanfile.txt` that pin a version.

use serde_json::Value;

use super::{LockFile, Locked, json, list, member, table};
use crate::{Ecosystem, path};

pub(in crate::catalog) const CONAN: LockFile =
    LockFile { ecosystem: Ecosystem::Conan, format: "Conan lock file", is_one, parse };

fn is_one(path: &str) -> bool {
    matches!(path::split(path).1, "conan.lock" | "conanfile.txt")
}

fn parse(text: &str) -> Option<Vec<Locked>> {
    if text.trim_start().starts_with('{') {
        let document = json(text)?;
        let lists = ["requires", "build_requires", "python_requires"];
        let of_two = lists.iter().flat_map(|name| list(&document, name)).filter_map(Value::as_str);
        let locked = of_two.filter_map(reference).chain(nodes(&document));
        return Some(locked.collect());
    }
    is_conanfile(text).then(|| conanfile(text))
}

/// The graph of Conan 1: nodes by number, which name each other in `requires`.
fn nodes(document: &Value) -> Vec<Locked> {
    let Some(graph) = document.get("graph_lock") else { return Vec::new() };
    let key_of = |id: &Value| {
        let node = graph.get("nodes")?.get(id.as_str()?)?;
        reference(member(node, "ref")).map(|locked| format!("{}@{}", locked.name, locked.version))
    };
    let node = |(_, node): (&String, &Value)| {
        let needs = list(node, "requires").iter().filter_map(key_of).collect();
        reference(member(node, "ref")).map(|locked| Locked { needs, ..locked })
    };
    table(graph, "nodes").filter_map(node).collect()
}

/// `name/version[@user/channel][#revision][%timestamp]`.
fn reference(text: &str) -> Option<Locked> {
    let text = text.split(['%', ':']).next().unwrap_or(text);
    let (text, revision) = text.split_once('#').map_or((text, ""), |(text, revision)| (text, revision));
    let (package, owner) = text.split_once('@').unwrap_or((text, ""));
    let (name, version) = package.trim().split_once('/')?;
    let (user, channel) = owner.split_once('/').unwrap_or((owner, ""));
    // A range is not a version.
    let version = if version.starts_with('[') { "" } else { version };
    let mut locked = Locked::new(name, version);
    let qualifiers = [("user", user), ("channel", channel), ("rrev", revision)];
    let known = qualifiers.into_iter().filter(|(_, value)| !matches!(*value, "" | "_"));
    locked.qualifiers = known.map(|(key, value)| (key, value.to_owned())).collect();
    Some(locked)
}

fn is_conanfile(text: &str) -> bool {
    text.lines().any(|line| line.trim_start().starts_with('[')) || text.trim().is_empty()
}

fn conanfile(text: &str) -> Vec<Locked> {
    let mut in_requires = false;
    let mut locked = Vec::new();
    for line in text.lines().map(|line| line.split(" #").next().unwrap_or(line).trim()) {
        match line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(section) => in_requires = section.ends_with("requires"),
            None if in_requires && !line.starts_with('#') => locked.extend(reference(line)),
            None => {}
        }
    }
    locked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purls(text: &str) -> Vec<String> {
        parse(text).unwrap().iter().filter_map(|locked| locked.purl("conan")).collect()
    }

    #[test]
    fn references_of_both_versions_are_read() {
        let two = r#"{"version":"0.5","requires":["zlib/1.2.13#97d5@acme/stable","openssl/3.0.3%1675278904.0"],"build_requires":[]}"#;
        assert_eq!(purls(two).len(), 2);
        let one = r#"{"graph_lock":{"nodes":{"0":{"ref":"app/1.0","requires":["1"]},"1":{"ref":"zlib/1.2.13@acme/stable#97d5"}}},"version":"0.4"}"#;
        let found = parse(one).unwrap();
        assert_eq!(found[0].needs, ["zlib@1.2.13"]);
        assert_eq!(
            found[1].purl("conan").unwrap(),
            "pkg:conan/zlib@1.2.13?channel=stable&rrev=97d5&user=acme"
        );
    }

    #[test]
    fn a_range_in_a_conanfile_is_no_version() {
        let text = "[requires]\nfmt/10.2.1\npoco/[>1.0,<1.9]  # any\n[generators]\ncmake/1\n";
        assert_eq!(purls(text), ["pkg:conan/fmt@10.2.1"]);
        assert_eq!(parse(text).unwrap().len(), 2);
        assert_eq!(parse("fmt"), None);
    }
}
