//! Licences as SPDX licence expressions that are always valid
//! ([SPDX 2.3, Annex D](https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/)).
//!
//! What a package says is read as an expression, then as a well-known name, and else becomes a `LicenseRef-` that carries the
//! package's own words. Nothing is guessed from the text of a licence.

use std::collections::BTreeMap;

use serde::Serialize;
use spdx::Expression;
use spdx::identifiers::{EXCEPTIONS, LICENSES};
use touchmark_oci::Digest;

use crate::party::one_line;

/// A valid SPDX licence expression, with the names that the SPDX list does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct License {
    expression: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    references: Vec<LicenseRef>,
}

/// A licence that is not on the SPDX list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LicenseRef {
    /// `LicenseRef-…`, as it stands in the expression.
    pub id: String,
    /// What the package says.
    pub name: String,
}

/// How licences combine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Combine {
    And,
    Or,
}

impl License {
    /// Reads what a package says about its licence; none if it says nothing.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let line = one_line(text);
        if line.is_empty() || NOTHING.contains(&line.to_ascii_lowercase().as_str()) {
            return None;
        }
        Some(Self::from_expression(&line).unwrap_or_else(|| Self::named(&line, text)))
    }

    /// Reads an expression of a document, in which `words` has the text of each `LicenseRef-`. What is no expression becomes a
    /// `LicenseRef-` of its own.
    pub(crate) fn with_words(expression: &str, words: &BTreeMap<String, String>) -> Option<Self> {
        let mut license = Self::parse(expression)?;
        for reference in &mut license.references {
            if let Some(text) = words.get(&reference.id) {
                reference.name.clone_from(text);
            }
        }
        Some(license)
    }

    /// A licence that has a name and a text: the listed licence of that name, or a `LicenseRef-` with the text.
    pub(crate) fn of_words(name: &str, text: &str) -> Option<Self> {
        let mut license = Self::parse(name)?;
        if let [only] = license.references.as_mut_slice()
            && only.id == license.expression
        {
            license = Self::reference(&one_line(name), text);
        }
        Some(license)
    }

    /// An expression by the SPDX grammar, with small slips put right: the case of names and operators, `/` for `OR`, `GPL-2.0+`.
    fn from_expression(text: &str) -> Option<Self> {
        if text.len() > MAX_EXPRESSION_BYTES {
            return None;
        }
        let canonical = canonical(text)?;
        let expression = Expression::parse(&canonical).ok()?;
        let mut references = BTreeMap::new();
        for requirement in expression.requirements() {
            if let spdx::LicenseItem::Other(other) = &requirement.req.license {
                // A reference into another document cannot be followed.
                if other.doc_ref.is_some() {
                    return None;
                }
                references.insert(other.to_string(), other.lic_ref.clone());
            }
        }
        let references = references.into_iter().map(|(id, name)| LicenseRef { id, name }).collect();
        Some(Self { expression: canonical, references })
    }

    /// A well-known name, or else a reference to the package's own words.
    fn named(line: &str, text: &str) -> Self {
        let lower = line.to_ascii_lowercase();
        match WELL_KNOWN.iter().find(|(name, _)| *name == lower) {
            Some((_, id)) => Self { expression: (*id).to_owned(), references: Vec::new() },
            None => Self::reference(line, text),
        }
    }

    /// A `LicenseRef-` for words that are no expression.
    fn reference(line: &str, text: &str) -> Self {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        let mut slug: String = line.chars().map(|c| if allowed(c) { c } else { '-' }).take(48).collect();
        if slug != line {
            // Two names must not share an identifier.
            let digest = Digest::of(text.as_bytes());
            slug = format!("{}-{}", slug.trim_matches('-'), digest.hex().get(..8).unwrap_or_default());
        }
        let id = format!("LicenseRef-{}", slug.trim_matches('-'));
        let name =
            text.trim().chars().filter(|c| *c == '\n' || !c.is_control()).take(MAX_TEXT_CHARS).collect();
        Self { expression: id.clone(), references: vec![LicenseRef { id, name }] }
    }

    /// Several licences, each named once, in the order of their names.
    pub(crate) fn combine(licenses: impl IntoIterator<Item = Self>, how: Combine) -> Option<Self> {
        let mut parts = BTreeMap::new();
        let mut references = Vec::new();
        for license in licenses {
            if parts.insert(license.expression, ()).is_none() {
                references.extend(license.references);
            }
        }
        references.sort();
        references.dedup();
        let operator = if how == Combine::And { " AND " } else { " OR " };
        let alone = parts.len() == 1;
        let in_parentheses = |part: &String| match part.contains(' ') && !alone {
            true => format!("({part})"),
            false => part.clone(),
        };
        let expression = parts.keys().map(in_parentheses).collect::<Vec<_>>().join(operator);
        (!expression.is_empty()).then_some(Self { expression, references })
    }

    /// The expression.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// The licences in it that are not on the SPDX list.
    pub fn references(&self) -> &[LicenseRef] {
        &self.references
    }
}

/// The words of an expression in canonical spelling; none when one of them is not known. The `spdx` crate's own lenient mode is not
/// used: it takes "BSD" for one BSD licence and "GNU GPL v2" for version 3.
fn canonical(text: &str) -> Option<String> {
    let spaced = text.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Option<Vec<String>> = spaced.split_whitespace().map(canonical_word).collect();
    Some(words?.join(" ").replace("( ", "(").replace(" )", ")"))
}

fn canonical_word(word: &str) -> Option<String> {
    match word.to_ascii_uppercase().as_str() {
        operator @ ("AND" | "OR" | "WITH" | "(" | ")") => return Some(operator.to_owned()),
        _ if word.starts_with("LicenseRef-") => return Some(word.to_owned()),
        _ => {}
    }
    let (base, plus) = word.strip_suffix('+').map_or((word, false), |base| (base, true));
    let listed = |name: &str| {
        LICENSES.iter().find(|license| license.name.eq_ignore_ascii_case(name)).map(|license| license.name)
    };
    if let Some(name) = listed(base) {
        // The list has no plain `GPL-2.0` any more.
        let gnu = listed(&format!("{name}{}", if plus { "-or-later" } else { "-only" }));
        return Some(gnu.map_or_else(|| format!("{name}{}", if plus { "+" } else { "" }), str::to_owned));
    }
    EXCEPTIONS
        .iter()
        .find(|exception| exception.name.eq_ignore_ascii_case(word))
        .map(|exception| exception.name.to_owned())
}

/// An expression longer than this is a licence's text.
const MAX_EXPRESSION_BYTES: usize = 2048;
/// Characters kept of a licence's text.
const MAX_TEXT_CHARS: usize = 20_000;

/// Words that say that nothing is said.
const NOTHING: [&str; 6] = ["unknown", "none", "noassertion", "n/a", "null", "undefined"];

/// Names that packages use, in lower case, and what the SPDX list calls them. Only names that stand for one licence: "BSD", "GPL"
/// and "Artistic" do not.
const WELL_KNOWN: [(&str, &str); 36] = [
    ("apache 2", "Apache-2.0"),
    ("apache license", "Apache-2.0"),
    ("apache license 2.0", "Apache-2.0"),
    ("apache license v2", "Apache-2.0"),
    ("apache license version 2.0", "Apache-2.0"),
    ("apache license, version 2.0", "Apache-2.0"),
    ("apache software license 2.0", "Apache-2.0"),
    ("apache-2", "Apache-2.0"),
    ("apache 2.0 license", "Apache-2.0"),
    ("2-clause bsd", "BSD-2-Clause"),
    ("bsd 2-clause", "BSD-2-Clause"),
    ("bsd-2-clause license", "BSD-2-Clause"),
    ("simplified bsd", "BSD-2-Clause"),
    ("3-clause bsd", "BSD-3-Clause"),
    ("3-clause bsd license", "BSD-3-Clause"),
    ("bsd 3-clause", "BSD-3-Clause"),
    ("bsd 3-clause license", "BSD-3-Clause"),
    ("modified bsd", "BSD-3-Clause"),
    ("new bsd", "BSD-3-Clause"),
    ("new bsd license", "BSD-3-Clause"),
    ("expat", "MIT"),
    ("expat license", "MIT"),
    ("mit license", "MIT"),
    ("the mit license", "MIT"),
    ("the mit license (mit)", "MIT"),
    ("mit/x11", "MIT"),
    ("isc license", "ISC"),
    ("isc license (iscl)", "ISC"),
    ("mozilla public license 2.0", "MPL-2.0"),
    ("mozilla public license 2.0 (mpl 2.0)", "MPL-2.0"),
    ("mpl 2.0", "MPL-2.0"),
    ("python software foundation license", "PSF-2.0"),
    ("the unlicense (unlicense)", "Unlicense"),
    ("zlib license", "Zlib"),
    ("zope public license 2.1", "ZPL-2.1"),
    ("zpl 2.1", "ZPL-2.1"),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn expression(text: &str) -> String {
        License::parse(text).unwrap().expression
    }

    #[test]
    fn a_valid_expression_stays() {
        assert_eq!(expression("MIT"), "MIT");
        assert_eq!(expression("(MIT OR Apache-2.0) AND Zlib"), "(MIT OR Apache-2.0) AND Zlib");
        assert_eq!(
            expression("GPL-2.0-only WITH Linux-syscall-note"),
            "GPL-2.0-only WITH Linux-syscall-note"
        );
    }

    #[test]
    fn small_slips_are_put_right() {
        assert_eq!(expression("MIT/Apache-2.0"), "MIT OR Apache-2.0");
        assert_eq!(expression("GPL-2.0+"), "GPL-2.0-or-later");
        assert_eq!(expression("The MIT License"), "MIT");
        assert_eq!(
            expression("gpl-2.0 with classpath-exception-2.0"),
            "GPL-2.0-only WITH Classpath-exception-2.0"
        );
    }

    #[test]
    fn a_family_of_licences_is_not_a_licence() {
        assert_eq!(expression("BSD"), "LicenseRef-BSD");
        assert_eq!(expression("GPL"), "LicenseRef-GPL");
        assert!(expression("GNU GPL v2").starts_with("LicenseRef-"));
    }

    #[test]
    fn other_words_become_a_reference_that_carries_them() {
        let license = License::parse("Custom: see COPYING").unwrap();
        assert!(license.expression().starts_with("LicenseRef-Custom--see-COPYING-"));
        assert_eq!(license.references()[0].name, "Custom: see COPYING");
    }

    #[test]
    fn odd_texts_of_package_managers_are_read_or_kept_as_they_are() {
        for (text, expected) in [
            // dpkg
            ("Expat", "MIT"),
            ("GPL-2+", "LicenseRef-"),
            ("public-domain", "LicenseRef-public-domain"),
            ("GPL-2+ and LGPL-2.1+ or Artistic", "LicenseRef-"),
            // rpm
            ("GPLv2+ and LGPLv2+", "LicenseRef-"),
            ("MIT and (BSD or ASL 2.0)", "LicenseRef-"),
            (
                "GPL-2.0-or-later WITH GCC-exception-2.0 AND Zlib",
                "GPL-2.0-or-later WITH GCC-exception-2.0 AND Zlib",
            ),
            // PyPI
            ("License :: OSI Approved :: MIT License", "LicenseRef-"),
            ("BSD License", "LicenseRef-"),
            ("Apache-2.0 OR BSD-3-Clause", "Apache-2.0 OR BSD-3-Clause"),
            ("MIT License\n\nPermission is hereby granted", "LicenseRef-"),
            ("see LICENSE.txt", "LicenseRef-"),
            ("(MIT", "LicenseRef-"),
            ("MIT AND", "LicenseRef-"),
            ("WITH", "LicenseRef-"),
            ("DocumentRef-x:LicenseRef-y", "LicenseRef-"),
        ] {
            let license = License::parse(text).unwrap();
            assert!(Expression::parse(license.expression()).is_ok(), "{text}");
            match expected.strip_suffix('-') {
                Some(start) => {
                    assert!(license.expression().starts_with(start), "{text}: {}", license.expression());
                    assert_eq!(license.references().len(), 1, "{text}");
                }
                None => assert_eq!(license.expression(), expected, "{text}"),
            }
        }
    }

    #[test]
    fn words_of_a_document_stay_with_their_references() {
        let words = BTreeMap::from([("LicenseRef-x".to_owned(), "do good".to_owned())]);
        let license = License::with_words("MIT OR LicenseRef-x", &words).unwrap();
        assert_eq!(license.expression(), "MIT OR LicenseRef-x");
        assert_eq!(license.references()[0].name, "do good");
        assert_eq!(License::of_words("MIT", "the text").unwrap().expression(), "MIT");
        let named = License::of_words("Ours", "the text").unwrap();
        assert_eq!(
            (named.expression().starts_with("LicenseRef-Ours"), named.references()[0].name.as_str()),
            (true, "the text")
        );
    }

    #[test]
    fn two_names_never_share_a_reference() {
        assert_ne!(expression("My licence"), expression("My_licence"));
    }

    #[test]
    fn silence_is_not_a_licence() {
        assert_eq!(License::parse("  "), None);
        assert_eq!(License::parse("UNKNOWN"), None);
    }

    #[test]
    fn combining_sorts_and_keeps_precedence() {
        let parts = ["MIT OR Zlib", "ISC", "ISC"].map(|text| License::parse(text).unwrap());
        let all = License::combine(parts, Combine::And).unwrap();
        assert_eq!(all.expression(), "ISC AND (MIT OR Zlib)");
        assert_eq!(License::combine([], Combine::And), None);
    }

    #[test]
    fn well_known_names_stand_for_listed_licences() {
        for (name, id) in WELL_KNOWN {
            assert!(spdx::license_id(id).is_some_and(|license| !license.is_deprecated()), "{name}");
        }
    }

    proptest! {
        #[test]
        fn every_result_is_a_valid_expression(text in "\\PC{0,60}") {
            if let Some(license) = License::parse(&text) {
                prop_assert!(Expression::parse(license.expression()).is_ok(), "{}", license.expression());
            }
        }

        #[test]
        fn words_of_expressions_give_valid_expressions(text in "(GPL|MIT|AND|OR|WITH|/|\\+|-2\\.0|\\(|\\)| |LicenseRef-x){0,12}") {
            if let Some(license) = License::parse(&text) {
                prop_assert!(Expression::parse(license.expression()).is_ok(), "{}", license.expression());
            }
        }
    }
}
