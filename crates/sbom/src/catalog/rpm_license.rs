//! Licence tags of rpm as Fedora wrote them until 2022, and as Red Hat Enterprise Linux up to 9 still has them: abbreviations of
//! Fedora's own, with `and` and `or` between them
//! ([Fedora, "Licensing", old abbreviations](https://fedoraproject.org/wiki/Licensing:Main), and
//! [Changes/SPDX_Licenses_Phase_1](https://fedoraproject.org/wiki/Changes/SPDX_Licenses_Phase_1)).
//!
//! Only abbreviations that stand for one licence are put into SPDX's words. `BSD` stands for several, and `LGPLv2+` for versions 2.0 and
//! 2.1 alike.

use crate::license::License;

/// The licence in a tag: SPDX's words as they are, Fedora's where they stand for one licence, and a reference for each other name.
pub(super) fn license(tag: &str) -> Option<License> {
    let whole = License::parse(tag)?;
    if whole.references().is_empty() {
        return Some(whole);
    }
    Some(translated(tag).and_then(|text| License::parse(&text)).unwrap_or(whole))
}

/// The tag with each name in SPDX's words; none when a name has several words that are not known, which only the tag as a whole can
/// tell then.
fn translated(tag: &str) -> Option<String> {
    let spaced = tag.replace('(', " ( ").replace(')', " ) ");
    let mut expression = Vec::new();
    let mut name: Vec<&str> = Vec::new();
    for word in spaced.split_whitespace() {
        let operator = match word.to_ascii_lowercase().as_str() {
            "and" => "AND",
            "or" => "OR",
            "(" => "(",
            ")" => ")",
            _ => {
                name.push(word);
                continue;
            }
        };
        expression.extend(taken(&mut name)?);
        expression.push(operator.to_owned());
    }
    expression.extend(taken(&mut name)?);
    Some(expression.join(" "))
}

/// The name that the words since the last operator make, in SPDX's words; an empty one for no words.
fn taken(words: &mut Vec<&str>) -> Option<Option<String>> {
    let name = std::mem::take(words).join(" ");
    if name.is_empty() {
        return Some(None);
    }
    if let Some((_, id)) = ABBREVIATIONS.iter().find(|(abbreviation, _)| *abbreviation == name) {
        return Some(Some((*id).to_owned()));
    }
    let license = License::parse(&name)?;
    (license.references().is_empty() || !name.contains(' ')).then(|| Some(license.expression().to_owned()))
}

const ABBREVIATIONS: [(&str, &str); 26] = [
    ("AGPLv3", "AGPL-3.0-only"),
    ("AGPLv3+", "AGPL-3.0-or-later"),
    ("ASL 1.0", "Apache-1.0"),
    ("ASL 1.1", "Apache-1.1"),
    ("ASL 2.0", "Apache-2.0"),
    ("Artistic 2.0", "Artistic-2.0"),
    ("Boost", "BSL-1.0"),
    ("CC0", "CC0-1.0"),
    ("EPL", "EPL-1.0"),
    ("GPL+", "GPL-1.0-or-later"),
    ("GPLv1", "GPL-1.0-only"),
    ("GPLv2", "GPL-2.0-only"),
    ("GPLv2+", "GPL-2.0-or-later"),
    ("GPLv3", "GPL-3.0-only"),
    ("GPLv3+", "GPL-3.0-or-later"),
    ("LGPLv3", "LGPL-3.0-only"),
    ("LGPLv3+", "LGPL-3.0-or-later"),
    ("MPLv1.0", "MPL-1.0"),
    ("MPLv1.1", "MPL-1.1"),
    ("MPLv2.0", "MPL-2.0"),
    ("OFL", "OFL-1.1"),
    ("OpenLDAP", "OLDAP-2.8"),
    ("QPL", "QPL-1.0"),
    ("Zend", "Zend-2.0"),
    ("ZPLv2.0", "ZPL-2.0"),
    ("ZPLv2.1", "ZPL-2.1"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn expression(tag: &str) -> String {
        license(tag).unwrap().expression().to_owned()
    }

    #[test]
    fn spdx_tags_stay() {
        assert_eq!(expression("GPL-2.0-or-later AND MIT"), "GPL-2.0-or-later AND MIT");
    }

    #[test]
    fn abbreviations_for_one_licence_are_put_into_spdx_words() {
        assert_eq!(expression("GPLv2+"), "GPL-2.0-or-later");
        assert_eq!(expression("GPLv3+ and (ASL 2.0 or MIT)"), "GPL-3.0-or-later AND (Apache-2.0 OR MIT)");
        assert_eq!(expression("GPL+ or Artistic 2.0"), "GPL-1.0-or-later OR Artistic-2.0");
    }

    #[test]
    fn names_for_several_licences_are_references_beside_the_others() {
        let license = license("BSD and GPLv2").unwrap();
        assert_eq!(license.expression(), "LicenseRef-BSD AND GPL-2.0-only");
        assert_eq!(license.references()[0].name, "BSD");
    }

    #[test]
    fn unknown_words_leave_the_tag_whole() {
        assert!(
            expression("GPLv2+ with exceptions and MIT")
                .starts_with("LicenseRef-GPLv2--with-exceptions-and-MIT-")
        );
        assert_eq!(license(""), None);
    }

    #[test]
    fn abbreviations_stand_for_listed_licences() {
        for (abbreviation, id) in ABBREVIATIONS {
            assert!(spdx::license_id(id).is_some_and(|license| !license.is_deprecated()), "{abbreviation}");
        }
    }
}
