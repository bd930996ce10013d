//! Python's lock files in TOML: `poetry.lock` (Poetry 1 and 2), `uv.lock` (version 1), `pdm.lock` (4.x), and `pylock.toml`
//! ([PyPA specifications, "pylock.toml"](https://packaging.python.org/en/latest/specifications/pylock-toml/)).

use serde_json::Value;

use super::{LockFile, Locked, Origin, list, member, only, table, toml};
use crate::catalog::python::{normalized, requirement};
use crate::{Ecosystem, path};

pub(in crate::catalog) const PYTHON: LockFile =
    LockFile { ecosystem: Ecosystem::Pypi, format: "Python lock file", is_one, parse };

fn is_one(path: &str) -> bool {
    let name = path::split(path).1;
    matches!(name, "poetry.lock" | "uv.lock" | "pdm.lock" | "pylock.toml")
        || (name.starts_with("pylock.") && name.ends_with(".toml"))
}

fn parse(text: &str) -> Option<Vec<Locked>> {
    let document = toml(text)?;
    // An empty project locks nothing, and its file has no list.
    let packages = list(&document, "package").iter().chain(list(&document, "packages"));
    Some(packages.map(package).collect())
}

fn package(entry: &Value) -> Locked {
    let mut locked = Locked::new(&normalized(member(entry, "name")), member(entry, "version"));
    locked.description = Some(member(entry, "description").to_owned()).filter(|text| !text.is_empty());
    locked.origin = origin(entry);
    let (url, revision) = repository(entry);
    locked.add_repository(url, revision);
    locked.checksums = checksums(entry);
    locked.needs = needs(entry);
    locked
}

/// `source` of Poetry and uv, and the members that PDM and `pylock.toml` have in its place.
fn origin(entry: &Value) -> Origin {
    let source = entry.get("source").unwrap_or(&Value::Null);
    let has = |name: &str| source.get(name).is_some();
    let directory = entry.get("directory").unwrap_or(&Value::Null);
    let is_editable = directory.get("editable").and_then(Value::as_bool).unwrap_or(false);
    match member(source, "type") {
        _ if is_editable => Origin::Project,
        _ if has("virtual") || has("editable") => Origin::Project,
        "directory" | "file" => Origin::Local,
        _ if has("directory") || has("path") => Origin::Local,
        _ if entry.get("directory").is_some() || entry.get("path").is_some() => Origin::Local,
        _ => Origin::Registry,
    }
}

/// The repository and revision of a package that comes from one.
fn repository(entry: &Value) -> (&str, &str) {
    let source = entry.get("source").unwrap_or(&Value::Null);
    if member(source, "type") == "git" {
        return (member(source, "url"), member(source, "resolved_reference"));
    }
    if let Some((url, revision)) = member(source, "git").split_once('#') {
        // uv: `https://…?rev=main#commit`.
        return (url.split('?').next().unwrap_or(url), revision);
    }
    if let Some(vcs) = entry.get("vcs").filter(|vcs| member(vcs, "type") == "git") {
        return (member(vcs, "url"), member(vcs, "commit-id"));
    }
    (member(entry, "git"), member(entry, "revision"))
}

fn checksums(entry: &Value) -> Vec<crate::Checksum> {
    let files = list(entry, "files").iter().chain(list(entry, "wheels")).chain(entry.get("sdist"));
    let hash = |file: &Value| match file.get("hashes") {
        Some(hashes) => format!("sha256:{}", member(hashes, "sha256")),
        None => member(file, "hash").to_owned(),
    };
    let hashes: Vec<String> = files.map(hash).collect();
    only(hashes.iter().map(String::as_str))
}

/// Poetry has a table of names, PDM a list of requirements, uv and `pylock.toml` a list of tables.
fn needs(entry: &Value) -> Vec<String> {
    let names = table(entry, "dependencies").map(|(name, _)| normalized(name));
    let listed = list(entry, "dependencies").iter().filter_map(need);
    let extras = table(entry, "optional-dependencies").flat_map(|(_, group)| group.as_array());
    let groups = table(entry, "dev-dependencies").flat_map(|(_, group)| group.as_array());
    names.chain(listed).chain(extras.chain(groups).flatten().filter_map(need)).collect()
}

fn need(dependency: &Value) -> Option<String> {
    if let Some(text) = dependency.as_str() {
        return requirement(text);
    }
    let name = normalized(member(dependency, "name"));
    let version = member(dependency, "version");
    Some(if version.is_empty() { name } else { format!("{name}@{version}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_from_git_say_so_and_local_ones_have_no_purl() {
        let text = r#"
            [[package]]
            name = "A_b"
            version = "1.0"
            [package.source]
            type = "git"
            url = "https://example.org/a.git"
            resolved_reference = "0123abc"
            [[package]]
            name = "local"
            version = "0.1"
            source = { directory = "../local" }
            [[package]]
            name = "app"
            version = "0.1"
            source = { editable = "." }
            dependencies = [{ name = "a-b", version = "1.0" }, { name = "local" }]
            [[package]]
            name = "uv-git"
            version = "2"
            source = { git = "https://example.org/u?rev=main#feed" }
        "#;
        let found = parse(text).unwrap();
        assert_eq!(
            found[0].purl("pypi").unwrap(),
            "pkg:pypi/a-b@1.0?vcs_url=git%2Bhttps://example.org/a.git%400123abc"
        );
        assert_eq!((found[1].origin, found[2].origin), (Origin::Local, Origin::Project));
        assert_eq!(found[2].needs, ["a-b@1.0", "local"]);
        assert_eq!(found[3].qualifiers[0].1, "git+https://example.org/u@feed");
    }

    #[test]
    fn pdm_and_pylock_forms_are_read() {
        let text = r#"
            [[packages]]
            name = "attrs"
            version = "25.1.0"
            dependencies = [{ name = "cattrs" }]
            wheels = [{ name = "attrs.whl", hashes = { sha256 = "c75a69e28a550a7e93789579c22aa26b0f5b83b75dc4e08fe092980051e1090a" } }]
            [[package]]
            name = "cattrs"
            version = "24.1.2"
            dependencies = ["attrs>=23.1.0", "exceptiongroup>=1.1.1; python_version < '3.11'"]
            [[packages]]
            name = "v"
            version = "1"
            vcs = { type = "git", url = "https://example.org/v", commit-id = "beef" }
        "#;
        let found = parse(text).unwrap();
        let by_name = |name: &str| found.iter().find(|locked| locked.name == name).unwrap();
        assert_eq!(by_name("attrs").checksums.len(), 1);
        assert_eq!(by_name("attrs").needs, ["cattrs"]);
        assert_eq!(by_name("cattrs").needs, ["attrs", "exceptiongroup"]);
        assert_eq!(by_name("v").qualifiers[0].1, "git+https://example.org/v@beef");
    }
}
