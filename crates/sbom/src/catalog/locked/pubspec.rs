//! `pubspec.lock` of Dart and Flutter ([dart.dev, "Package dependencies"](https://dart.dev/tools/pub/dependencies#lockfile)).

use serde_json::Value;

use super::{LockFile, Locked, Origin, member, table, yaml};
use crate::{Checksum, ChecksumAlgorithm, Ecosystem, path};

pub(in crate::catalog) const PUBSPEC: LockFile = LockFile {
    ecosystem: Ecosystem::Pub,
    format: "pubspec.lock",
    is_one: |path| path::split(path).1 == "pubspec.lock",
    parse,
};

fn parse(text: &str) -> Option<Vec<Locked>> {
    let document = yaml(text)?;
    document.as_object()?;
    Some(table(&document, "packages").map(|(name, entry)| package(name, entry)).collect())
}

/// `source` is `hosted`, `git`, `path` or `sdk`. What the SDK brings is not in the registry.
fn package(name: &str, entry: &Value) -> Locked {
    let described = entry.get("description").unwrap_or(&Value::Null);
    let mut locked = Locked::new(name, member(entry, "version"));
    locked.checksums.extend(Checksum::new(ChecksumAlgorithm::Sha256, member(described, "sha256")));
    match member(entry, "source") {
        "path" | "sdk" => locked.origin = Origin::Local,
        "git" => locked.add_repository(member(described, "url"), member(described, "resolved-ref")),
        _ => {
            let url = member(described, "url").trim_end_matches('/');
            let is_public = matches!(url, "" | "https://pub.dev" | "https://pub.dartlang.org");
            locked.qualifiers.extend((!is_public).then(|| ("repository_url", url.to_owned())));
        }
    }
    locked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_told_apart() {
        let text = "packages:\n  async:\n    dependency: transitive\n    description:\n      name: async\n      sha256: \
            bfe67ef28df125b7dddcea62755991f807aa39a2492a23e1550161692950bbe0\n      url: \"https://pub.dev\"\n    source: hosted\n    \
            version: \"2.10.0\"\n  flutter:\n    dependency: \"direct main\"\n    description: flutter\n    source: sdk\n    version: \
            \"0.0.0\"\n  g:\n    description:\n      url: \"https://example.org/g.git\"\n      resolved-ref: abc\n    source: git\n    \
            version: \"1.0.0\"\n";
        let found = parse(text).unwrap();
        assert_eq!(found[0].purl("pub").unwrap(), "pkg:pub/async@2.10.0");
        assert_eq!(found[0].checksums.len(), 1);
        assert_eq!(found[1].origin, Origin::Local);
        assert_eq!(
            found[2].purl("pub").unwrap(),
            "pkg:pub/g@1.0.0?vcs_url=git%2Bhttps://example.org/g.git%40abc"
        );
    }
}
