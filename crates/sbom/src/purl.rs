//! Package URLs ([purl-spec](https://github.com/package-url/purl-spec)): canonical text by the `packageurl` crate.

use packageurl::PackageUrl;

/// The parts of a purl. A version is asked for: without one a purl would match every version of a package.
pub(crate) struct Purl<'a> {
    pub(crate) kind: &'static str,
    pub(crate) namespace: Option<&'a str>,
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    pub(crate) qualifiers: &'a [(&'static str, &'a str)],
    pub(crate) subpath: Option<&'a str>,
}

impl Purl<'_> {
    /// The canonical text; none when the parts do not make a purl of this type.
    pub(crate) fn to_text(&self) -> Option<String> {
        let mut purl = PackageUrl::new(self.kind, self.name).ok()?;
        if self.version.is_empty() {
            return None;
        }
        purl.with_version(self.version).ok()?;
        let namespace = self.namespace.unwrap_or_default().trim_matches('/');
        if !namespace.is_empty() {
            // Scopes are in lower case, as names are (purl-spec, `tests/types/npm-test.json`).
            let lower = || namespace.to_lowercase();
            purl.with_namespace(if self.kind == "npm" { lower() } else { namespace.to_owned() }).ok()?;
        }
        if let Some(subpath) = self.subpath {
            purl.with_subpath(subpath).ok()?;
        }
        for (key, value) in self.qualifiers {
            if !value.is_empty() {
                purl.add_qualifier(*key, *value).ok()?;
            }
        }
        purl.validate().ok()?;
        Some(canonical(&purl.to_string()))
    }
}

/// The text with slashes in qualifiers as they are: the crate writes `%2F`, and the canonical form of purl-spec's tests does not.
fn canonical(text: &str) -> String {
    let Some((before, rest)) = text.split_once('?') else { return text.to_owned() };
    let (qualifiers, subpath) = rest.split_at(rest.find('#').unwrap_or(rest.len()));
    format!("{before}?{}{subpath}", qualifiers.replace("%2F", "/"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::str::FromStr;

    use serde_json::Value;

    use super::*;
    use crate::Ecosystem;

    /// The cases of `testdata/purl`.
    fn suite() -> Vec<Value> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/purl/test-suite-data.json");
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    fn text<'a>(case: &'a Value, member: &str) -> &'a str {
        case[member].as_str().unwrap_or_default()
    }

    #[test]
    fn the_shared_suite_holds() {
        let cases = suite();
        assert_eq!(cases.len(), 32);
        for case in &cases {
            let found = PackageUrl::from_str(text(case, "purl")).and_then(|purl| {
                purl.validate()?;
                Ok(canonical(&purl.to_string()))
            });
            let expected = if case["is_invalid"] == true { None } else { Some(text(case, "canonical_purl")) };
            assert_eq!(found.ok().as_deref(), expected, "{case}");
        }
    }

    #[test]
    fn what_we_build_is_what_the_shared_suite_says() {
        const OURS: [Ecosystem; 9] = [
            Ecosystem::Maven,
            Ecosystem::Golang,
            Ecosystem::Deb,
            Ecosystem::Gem,
            Ecosystem::Npm,
            Ecosystem::Nuget,
            Ecosystem::Pypi,
            Ecosystem::Composer,
            Ecosystem::Rpm,
        ];
        let mut built = 0;
        for case in suite().iter().filter(|case| case["is_invalid"] == false && case["version"].is_string()) {
            let kind = text(case, "type").to_lowercase();
            let Some(kind) = OURS.iter().map(|ours| ours.name()).find(|name| *name == kind) else { continue };
            let qualifiers: Vec<(String, String)> = case["qualifiers"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
                .collect();
            let qualifiers: Vec<(&'static str, &str)> =
                qualifiers.iter().map(|(key, value)| (&*key.clone().leak(), value.as_str())).collect();
            let purl = Purl {
                kind,
                namespace: case["namespace"].as_str(),
                name: text(case, "name"),
                version: text(case, "version"),
                qualifiers: &qualifiers,
                subpath: case["subpath"].as_str(),
            };
            assert_eq!(purl.to_text().as_deref(), case["canonical_purl"].as_str(), "{case}");
            built += 1;
        }
        assert!(built >= 14, "{built}");
    }

    #[test]
    fn names_are_spelt_as_the_types_ask() {
        let purl = |kind, namespace, name| {
            Purl { kind, namespace, name, version: "1", qualifiers: &[], subpath: None }.to_text()
        };
        assert_eq!(purl("pypi", None, "Zope_Interface").as_deref(), Some("pkg:pypi/zope-interface@1"));
        assert_eq!(
            purl("npm", Some("@MyScope"), "MyPackage").as_deref(),
            Some("pkg:npm/%40myscope/mypackage@1")
        );
        assert_eq!(purl("maven", Some("Org.Acme"), "IO").as_deref(), Some("pkg:maven/Org.Acme/IO@1"));
        assert_eq!(purl("npm", None, ""), None);
    }

    #[test]
    fn qualifiers_have_slashes_as_they_are() {
        let qualifiers = [("vcs_url", "git://host.com/path/to/repo.git@4345abcd34343")];
        let purl = Purl {
            kind: "npm",
            namespace: None,
            name: "mypackage",
            version: "12.4.5",
            qualifiers: &qualifiers,
            subpath: None,
        };
        // purl-spec, `tests/types/npm-test.json`.
        let expected = "pkg:npm/mypackage@12.4.5?vcs_url=git://host.com/path/to/repo.git%404345abcd34343";
        assert_eq!(purl.to_text().as_deref(), Some(expected));
        assert_eq!(canonical("pkg:a/b?c=%252F%2F#d%2F"), "pkg:a/b?c=%252F/#d%2F");
    }

    #[test]
    fn without_a_version_there_is_no_purl() {
        let purl =
            Purl { kind: "npm", namespace: None, name: "a", version: "", qualifiers: &[], subpath: None };
        assert_eq!(purl.to_text(), None);
    }
}
