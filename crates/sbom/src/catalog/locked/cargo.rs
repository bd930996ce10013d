//! `Cargo.lock`, versions 1 to 4 ([The Cargo Book, "Cargo.toml vs Cargo.lock"](https://doc.rust-lang.org/cargo/guide/cargo-toml-vs-cargo-lock.html);
//! [`cargo::core::resolver::encode`](https://doc.rust-lang.org/nightly/nightly-rustc/cargo/core/resolver/encode/index.html)).

use serde_json::Value;

use super::{LockFile, Locked, Origin, list, member, table, toml};
use crate::{Checksum, ChecksumAlgorithm, Ecosystem, Party, path};

pub(in crate::catalog) const CARGO: LockFile = LockFile {
    ecosystem: Ecosystem::Cargo,
    format: "Cargo.lock",
    is_one: |path| path::split(path).1 == "Cargo.lock",
    parse,
};

fn parse(text: &str) -> Option<Vec<Locked>> {
    let document = toml(text)?;
    Some(list(&document, "package").iter().map(|entry| package(entry, &document)).collect())
}

/// A package without a source is one of the workspace.
fn package(entry: &Value, document: &Value) -> Locked {
    let mut locked = Locked::new(member(entry, "name"), member(entry, "version"));
    let source = member(entry, "source");
    match source.split_once('+') {
        None => locked.origin = Origin::Project,
        Some(("git", _)) => locked.qualifiers.extend(repository(source).map(|url| ("vcs_url", url))),
        Some((_, "https://github.com/rust-lang/crates.io-index" | "https://index.crates.io/")) => {
            locked.supplier = Some(Party::Organization("crates.io".to_owned()));
        }
        Some((_, index)) => locked.qualifiers.push(("repository_url", index.to_owned())),
    }
    locked.checksums = checksum(entry, document).into_iter().collect();
    let needs = list(entry, "dependencies").iter().filter_map(Value::as_str);
    locked.needs = needs.map(need).collect();
    locked
}

/// `git+https://…?branch=main#commit`.
fn repository(source: &str) -> Option<String> {
    let (place, commit) = source.split_once('#')?;
    Some(format!("{}@{commit}", place.split('?').next().unwrap_or(place)))
}

/// `checksum` of the package, or in version 1 an entry of `[metadata]`.
fn checksum(entry: &Value, document: &Value) -> Option<Checksum> {
    let own = member(entry, "checksum");
    let key = format!(
        "checksum {} {} ({})",
        member(entry, "name"),
        member(entry, "version"),
        member(entry, "source")
    );
    let listed =
        || table(document, "metadata").find(|(name, _)| **name == key).and_then(|(_, hex)| hex.as_str());
    let hex = if own.is_empty() { listed()? } else { own };
    Checksum::new(ChecksumAlgorithm::Sha256, hex)
}

/// `name`, or `name version [source]` where a name alone would not do.
fn need(text: &str) -> String {
    let mut words = text.split(' ');
    let name = words.next().unwrap_or_default();
    words.next().map_or_else(|| name.to_owned(), |version| format!("{name}@{version}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_told_apart() {
        let sum = "a".repeat(64);
        let text = format!(
            r#"version = 4
            [[package]]
            name = "app"
            version = "0.1.0"
            dependencies = ["libc", "g 1.0.0 (git+https://example.org/g)"]
            [[package]]
            name = "g"
            version = "1.0.0"
            source = "git+https://example.org/g?branch=main#feed"
            [[package]]
            name = "libc"
            version = "0.2.1"
            source = "registry+https://github.com/rust-lang/crates.io-index"
            checksum = "{sum}"
            [[package]]
            name = "own"
            version = "2.0.0"
            source = "sparse+https://crates.example.org/"
            [metadata]
            "checksum own 2.0.0 (sparse+https://crates.example.org/)" = "{sum}"
            "#
        );
        let found = parse(&text).unwrap();
        let purls: Vec<_> = found.iter().map(|locked| locked.purl("cargo").unwrap_or_default()).collect();
        assert_eq!(
            purls,
            [
                "",
                "pkg:cargo/g@1.0.0?vcs_url=git%2Bhttps://example.org/g%40feed",
                "pkg:cargo/libc@0.2.1",
                "pkg:cargo/own@2.0.0?repository_url=https://crates.example.org/",
            ]
        );
        assert_eq!(found[0].needs, ["libc", "g@1.0.0"]);
        assert_eq!((found[2].checksums.len(), found[3].checksums.len()), (1, 1));
    }
}
