//! `composer.lock` ([Composer, "The lock file"](https://getcomposer.org/doc/01-basic-usage.md#commit-your-composer-lock-file-to-version-control);
//! packages have the fields of [composer.json](https://getcomposer.org/doc/04-schema.md)).

use serde_json::Value;

use super::{LockFile, Locked, Origin, json, list, member, table};
use crate::catalog::web_address;
use crate::license::{Combine, License};
use crate::{Checksum, ChecksumAlgorithm, Ecosystem, Party, path};

pub(in crate::catalog) const COMPOSER: LockFile = LockFile {
    ecosystem: Ecosystem::Composer,
    format: "composer.lock",
    is_one: |path| path::split(path).1 == "composer.lock",
    parse,
};

fn parse(text: &str) -> Option<Vec<Locked>> {
    let document = json(text)?;
    document.as_object()?;
    let packages = list(&document, "packages").iter().chain(list(&document, "packages-dev"));
    Some(packages.map(package).collect())
}

/// A package record, which `composer.lock` and `installed.json` write alike.
pub(in crate::catalog) fn package(entry: &Value) -> Locked {
    let name = member(entry, "name");
    let (namespace, last) = name.split_once('/').unwrap_or(("", name));
    let mut locked = Locked::new(last, member(entry, "version"));
    locked.namespace = namespace.to_owned();
    let dist = entry.get("dist").unwrap_or(&Value::Null);
    if member(dist, "type") == "path" {
        locked.origin = Origin::Local;
    }
    locked.checksums.extend(Checksum::new(ChecksumAlgorithm::Sha1, member(dist, "shasum")));
    locked.needs = table(entry, "require").map(|(name, _)| name.clone()).collect();
    let licenses = list(entry, "license").iter().filter_map(Value::as_str).filter_map(License::parse);
    locked.license = License::combine(licenses, Combine::Or);
    locked.supplier = list(entry, "authors").first().and_then(author);
    locked.homepage = web_address(member(entry, "homepage"));
    locked.description = Some(member(entry, "description").to_owned()).filter(|text| !text.is_empty());
    locked
}

fn author(author: &Value) -> Option<Party> {
    Party::parse(&format!("{} <{}>", member(author, "name"), member(author, "email")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locked_package_has_what_its_record_says() {
        let text = r#"{"packages":[{"name":"Monolog/monolog","version":"3.8.1","require":{"php":">=8.1","psr/log":"^2"},
            "license":["MIT"],"authors":[{"name":"Jordi Boggiano","email":"j.boggiano@seld.be"}],
            "dist":{"type":"zip","shasum":"aef6ee73a77a66e404dd6540934a9ef1b3c855b4"}},
            {"name":"psr/log","version":"2.0.0"}],
            "packages-dev":[{"name":"acme/own","version":"dev-main","dist":{"type":"path","url":"../own"}}]}"#;
        let found = parse(text).unwrap();
        assert_eq!(found[0].purl("composer").unwrap(), "pkg:composer/monolog/monolog@3.8.1");
        assert_eq!(found[0].needs, ["php", "psr/log"]);
        assert_eq!(found[0].checksums.len(), 1);
        assert_eq!(found[0].license.as_ref().unwrap().expression(), "MIT");
        assert_eq!(found[2].origin, Origin::Local);
    }
}
