//! The operating system of an image
//! ([os-release(5)](https://www.freedesktop.org/software/systemd/man/255/os-release.html)).

use serde::Serialize;

use crate::catalog;
use crate::rootfs::Rootfs;

/// What `os-release` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Distribution {
    /// `ID`, such as `debian` or `alpine`.
    pub id: String,
    /// `VERSION_ID`, such as `12`. Rolling releases have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `PRETTY_NAME`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Who makes it: `VENDOR_NAME`, or else `NAME`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// `ID_LIKE`, closest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub like: Vec<String>,
}

impl Distribution {
    /// Where the file may be; the first one wins.
    pub(crate) const PATHS: [&'static str; 2] = ["etc/os-release", "usr/lib/os-release"];

    /// The one of a merged view.
    pub(crate) fn of(root: &Rootfs) -> Option<Self> {
        let found = Self::PATHS.iter().find_map(|path| root.file(path).ok()?);
        found.and_then(|(_, file)| Self::parse(&catalog::text(file.bytes()?)))
    }

    /// Reads the file; none if it has no usable `ID`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let value = |name: &str| {
            let mut lines = text.lines().filter_map(|line| line.trim().split_once('='));
            lines.rfind(|(key, _)| *key == name).map(|(_, value)| unquote(value)).filter(|v| !v.is_empty())
        };
        let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
        let id = value("ID").filter(|id| id.chars().all(word))?;
        let like = value("ID_LIKE").unwrap_or_default().split_whitespace().map(str::to_owned).collect();
        Some(Self {
            id,
            version: value("VERSION_ID"),
            name: value("PRETTY_NAME"),
            vendor: value("VENDOR_NAME").or_else(|| value("NAME")),
            like,
        })
    }

    /// The value of a purl's `distro` qualifier: `debian-12`.
    pub(crate) fn qualifier(&self) -> String {
        match &self.version {
            Some(version) => format!("{}-{version}", self.id),
            None => self.id.clone(),
        }
    }
}

/// Shell quoting, as far as os-release(5) allows it.
fn unquote(value: &str) -> String {
    let value = value.trim();
    let quoted = |mark: char| value.strip_prefix(mark).and_then(|rest| rest.strip_suffix(mark));
    if let Some(inner) = quoted('\'') {
        return inner.to_owned();
    }
    let mut plain = String::with_capacity(value.len());
    let mut characters = quoted('"').unwrap_or(value).chars();
    while let Some(character) = characters.next() {
        plain.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_quoted_and_plain_values() {
        let text =
            "PRETTY_NAME=\"Debian \\\"x\\\" 12\"\nID=debian\nVERSION_ID='12'\nID_LIKE=\"a b\"\n# ID=no\n";
        let found = Distribution::parse(text).unwrap();
        assert_eq!(found.qualifier(), "debian-12");
        assert_eq!(found.name.as_deref(), Some("Debian \"x\" 12"));
        assert_eq!(found.like, ["a", "b"]);
    }

    #[test]
    fn a_file_without_a_usable_id_names_no_distribution() {
        assert_eq!(Distribution::parse("NAME=x\n"), None);
        assert_eq!(Distribution::parse("ID=\"a/b\"\n"), None);
    }

    #[test]
    fn a_rolling_release_has_no_version() {
        assert_eq!(Distribution::parse("ID=arch\n").unwrap().qualifier(), "arch");
    }
}
