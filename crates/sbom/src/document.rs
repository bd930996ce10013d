//! What all documents have in common: who made them, when, and under which name.

use jiff::Timestamp;
use touchmark_oci::Digest;

use crate::purl::Purl;
use crate::{Inventory, Package, Party, Subject};

/// What goes into a document beside the inventory. Nothing is taken from the clock or the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DocumentOptions {
    /// Seconds since 1970, as in [`SOURCE_DATE_EPOCH`](https://reproducible-builds.org/specs/source-date-epoch/). It wins over the
    /// time in the image's configuration.
    pub source_date_epoch: Option<i64>,
    /// Who supplies the image or directory. Without it an image of a registry is supplied by the registry's namespace.
    pub supplier: Option<Party>,
    /// Version of the tool that is named as the author.
    pub tool_version: String,
}

impl Default for DocumentOptions {
    fn default() -> Self {
        Self { source_date_epoch: None, supplier: None, tool_version: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

/// The tool's name in documents.
pub(crate) const TOOL: &str = "touchmark";

/// When a document says it was made, in whole seconds: `SOURCE_DATE_EPOCH`, or else the time in the image's configuration.
pub(crate) fn created(inventory: &Inventory, options: &DocumentOptions) -> Option<String> {
    let from_image = || match inventory.subject() {
        Subject::Image(image) => image.created.as_deref().and_then(|text| text.parse::<Timestamp>().ok()),
        Subject::Directory { .. } | Subject::File { .. } => None,
    };
    epoch(options).or_else(|| from_image().map(in_seconds))
}

/// `SOURCE_DATE_EPOCH`, where it is given.
pub(crate) fn epoch(options: &DocumentOptions) -> Option<String> {
    options.source_date_epoch.and_then(|seconds| Timestamp::from_second(seconds).ok()).map(in_seconds)
}

/// Whole seconds of UTC.
pub(crate) fn in_seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// What the subject is called within documents.
pub(crate) fn subject_id(subject: &Subject) -> &'static str {
    match subject {
        Subject::Image(_) => "image",
        Subject::Directory { .. } => "directory",
        Subject::File { .. } => "file",
    }
}

/// What the operating system is called within documents.
pub(crate) const DISTRIBUTION_ID: &str = "operating-system";

/// The image's purl ([purl-spec, `oci`](https://github.com/package-url/purl-spec/blob/main/types/oci-definition.json)); a directory has none.
pub(crate) fn subject_purl(subject: &Subject) -> Option<String> {
    let Subject::Image(image) = subject else {
        return None;
    };
    let lower = image.name.to_lowercase();
    let name = lower.rsplit('/').next().unwrap_or(&lower);
    let digest = image.digest.to_string();
    let architecture =
        image.platform.as_deref().and_then(|platform| platform.split('/').nth(1)).unwrap_or_default();
    let repository = if image.in_registry { lower.as_str() } else { "" };
    let qualifiers = [("arch", architecture), ("repository_url", repository)];
    Purl { kind: "oci", namespace: None, name, version: &digest, qualifiers: &qualifiers, subpath: None }
        .to_text()
}

/// Who supplies the subject: "the actual distribution source"
/// ([SPDX 2.3, §7.5](https://spdx.github.io/spdx-spec/v2.3/package-information/#75-package-supplier-field)).
pub(crate) fn subject_supplier(subject: &Subject, options: &DocumentOptions) -> Option<Party> {
    let namespace = || match subject {
        Subject::Image(image) if image.in_registry => {
            let (namespace, _) = image.name.rsplit_once('/')?;
            Some(Party::Organization(namespace.to_owned()))
        }
        _ => None,
    };
    options.supplier.clone().or_else(namespace)
}

/// Who supplies a package: as declared, or as its catalog has it from the package's identity. A program for which neither says anything
/// is the subject's own, so who supplies the subject supplies it.
pub(crate) fn package_supplier(package: &Package, subject: Option<&Party>) -> Option<Party> {
    package.supplier.clone().or_else(|| subject.filter(|_| package.is_application).cloned())
}

/// A UUID made from a document's content
/// ([RFC 9562, §5.8](https://www.rfc-editor.org/rfc/rfc9562#section-5.8)): the same content has the same one.
pub(crate) fn content_uuid(content: &[u8]) -> String {
    let digest = Digest::of(content);
    let hex = digest.hex();
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default();
    // Version 8, variant 10xx: the first digit of the fourth group is one of 8, 9, a, b.
    let variant = match part(16..17) {
        "0" | "4" | "8" | "c" => '8',
        "1" | "5" | "9" | "d" => '9',
        "2" | "6" | "a" | "e" => 'a',
        _ => 'b',
    };
    format!("{}-{}-8{}-{variant}{}-{}", part(0..8), part(8..12), part(13..16), part(17..20), part(20..32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(created: Option<&str>) -> Inventory {
        let name = touchmark_oci::ImageName::Layout("x".into());
        let subject =
            crate::ImageSubject::new(&name, Digest::of(b"")).with_created(created.map(str::to_owned));
        Inventory::from_layers(Subject::Image(subject), Vec::new(), &crate::Limits::default())
    }

    #[test]
    fn source_date_epoch_wins_over_the_images_time() {
        let options = DocumentOptions { source_date_epoch: Some(86_400), ..DocumentOptions::default() };
        let inventory = image(Some("2024-01-02T03:04:05.678Z"));
        assert_eq!(created(&inventory, &options).as_deref(), Some("1970-01-02T00:00:00Z"));
        let image_time = created(&inventory, &DocumentOptions::default());
        assert_eq!(image_time.as_deref(), Some("2024-01-02T03:04:05Z"));
    }

    #[test]
    fn no_time_is_made_up() {
        assert_eq!(created(&image(None), &DocumentOptions::default()), None);
        assert_eq!(created(&image(Some("yesterday")), &DocumentOptions::default()), None);
    }

    #[test]
    fn a_uuid_has_version_8_and_the_rfc_variant() {
        for n in 0..64_u8 {
            let uuid = content_uuid(&[n]);
            assert_eq!(uuid.len(), 36);
            assert_eq!(&uuid[14..15], "8");
            assert!("89ab".contains(&uuid[19..20]), "{uuid}");
        }
    }
}
