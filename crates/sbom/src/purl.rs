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
        if let Some(namespace) = self.namespace.filter(|namespace| !namespace.is_empty()) {
            purl.with_namespace(namespace).ok()?;
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
        Some(purl.to_string())
    }
}
