//! PHP packages that Composer installed: `vendor/composer/installed.json`, of Composer 2 and 1
//! ([Composer, "Installed versions"](https://getcomposer.org/doc/07-runtime.md#installed-versions)).

use serde_json::Value;

use super::locked::composer::package;
use crate::catalog::{Cataloger, Files, Findings, text};
use crate::{Ecosystem, GapReason, IdentifiedBy, path};

pub(super) struct Composer;

impl Cataloger for Composer {
    /// The directory is `vendor` unless its user chose another name.
    fn wants(&self, path: &str) -> bool {
        let (directory, name) = path::split(path);
        name == "installed.json" && path::split(directory).1 == "composer"
    }

    fn catalog(&self, files: &Files<'_>, found: &mut Findings) {
        for (path, file, bytes) in files.wanted() {
            let document = serde_json::from_str(&text(bytes)).unwrap_or(Value::Null);
            // Composer 1 wrote the list alone.
            match document.get("packages").unwrap_or(&document).as_array() {
                Some(entries) => {
                    let packages = entries.iter().map(package).collect();
                    let by = IdentifiedBy::Database;
                    super::locked::add(Ecosystem::Composer, by, packages, &file.evidence(path), found);
                }
                None => found.gap(path, GapReason::Malformed { format: FORMAT }),
            }
        }
    }
}

const FORMAT: &str = "Composer's installed.json";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::testing::catalog;

    const PACKAGES: &str = r#"[{"name":"monolog/monolog","version":"3.8.1","require":{"psr/log":"^2"}},
        {"name":"psr/log","version":"2.0.0"}]"#;

    #[test]
    fn installed_packages_of_both_forms_are_found() {
        for text in [PACKAGES.to_owned(), format!(r#"{{"packages":{PACKAGES},"dev":true}}"#)] {
            let found = catalog(&[("srv/vendor/composer/installed.json", text.as_bytes())]);
            assert_eq!(found.named("psr/log").purl.as_deref(), Some("pkg:composer/psr/log@2.0.0"));
            assert_eq!(found.named("psr/log").identified_by, IdentifiedBy::Database);
            assert!(found.has_edge("monolog/monolog", "psr/log"));
        }
    }

    #[test]
    fn a_file_without_a_list_is_a_gap() {
        let found = catalog(&[("vendor/composer/installed.json", b"{}")]);
        assert_eq!(found.gaps[0].reason, GapReason::Malformed { format: FORMAT });
    }
}
