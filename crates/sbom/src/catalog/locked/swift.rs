//! `Package.resolved` of the Swift package manager, versions 1 to 3 of its format
//! ([Swift Package Manager, `PinsStore`](https://github.com/swiftlang/swift-package-manager/blob/main/Sources/PackageGraph/ResolvedPackagesStore.swift)).

use serde_json::Value;

use super::{LockFile, Locked, Origin, json, list, member};
use crate::{Ecosystem, path};

pub(in crate::catalog) const SWIFT: LockFile = LockFile {
    ecosystem: Ecosystem::Swift,
    format: "Package.resolved",
    is_one: |path| path::split(path).1 == "Package.resolved",
    parse,
};

fn parse(text: &str) -> Option<Vec<Locked>> {
    let document = json(text)?;
    document.as_object()?;
    let pins = list(&document, "pins").iter();
    let old = document.get("object").map(|object| list(object, "pins")).unwrap_or_default();
    Some(pins.chain(old).filter_map(package).collect())
}

/// The purl's namespace is host and owner of the repository
/// ([purl types, "swift"](https://github.com/package-url/purl-spec/blob/main/types-doc/swift-definition.md)). A pin to a branch has a
/// revision only.
fn package(pin: &Value) -> Option<Locked> {
    let state = pin.get("state").unwrap_or(&Value::Null);
    let version =
        [member(state, "version"), member(state, "revision")].into_iter().find(|text| !text.is_empty());
    let location =
        [member(pin, "location"), member(pin, "repositoryURL")].into_iter().find(|text| !text.is_empty());
    let version = version.unwrap_or_default();
    let identity =
        [member(pin, "identity"), member(pin, "package")].into_iter().find(|text| !text.is_empty())?;
    let local = member(pin, "kind").starts_with("local");
    match location.and_then(repository).filter(|_| !local) {
        Some((namespace, name)) => Some(Locked { namespace, ..Locked::new(&name, version) }),
        None => Some(Locked { origin: Origin::Local, ..Locked::new(identity, version) }),
    }
}

/// Host with owner, and name, of `https://host/owner/name.git` or `git@host:owner/name.git`.
fn repository(location: &str) -> Option<(String, String)> {
    let rest = match location.split_once("://") {
        Some((_, rest)) => rest.to_owned(),
        None => location.replacen(':', "/", 1),
    };
    let rest = rest.rsplit_once('@').map_or(rest.as_str(), |(_, rest)| rest);
    let (namespace, name) = rest.trim_end_matches('/').rsplit_once('/')?;
    let name = name.strip_suffix(".git").unwrap_or(name);
    (!namespace.is_empty() && !name.is_empty()).then(|| (namespace.to_owned(), name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purls(text: &str) -> Vec<String> {
        parse(text).unwrap().iter().filter_map(|locked| locked.purl("swift")).collect()
    }

    #[test]
    fn pins_of_all_versions_are_read() {
        let new = r#"{"pins":[{"identity":"alamofire","kind":"remoteSourceControl",
            "location":"https://github.com/Alamofire/Alamofire.git","state":{"revision":"f82c","version":"5.4.3"}},
            {"identity":"swift-nio","location":"git@github.com:apple/swift-nio.git","state":{"branch":"main","revision":"b1d0"}},
            {"identity":"own","kind":"localSourceControl","location":"/home/ann/own","state":{"version":"1.0.0"}}],"version":3}"#;
        assert_eq!(
            purls(new),
            ["pkg:swift/github.com/Alamofire/Alamofire@5.4.3", "pkg:swift/github.com/apple/swift-nio@b1d0",]
        );
        let old = r#"{"object":{"pins":[{"package":"Yams","repositoryURL":"https://github.com/jpsim/Yams",
            "state":{"branch":null,"revision":"9ff1","version":"4.0.6"}}]},"version":1}"#;
        assert_eq!(purls(old), ["pkg:swift/github.com/jpsim/Yams@4.0.6"]);
    }
}
