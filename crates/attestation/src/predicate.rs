//! Predicate types: what kind of thing a statement says.

use std::fmt;
use std::str::FromStr;

use serde::de::DeserializeOwned;

/// A predicate with a type of its own. [`crate::Statement::narrow`] checks the type before it reads one.
pub trait Predicate: DeserializeOwned {
    /// The type URIs under which this predicate is found.
    const TYPES: &'static [&'static str];
}

/// Predicate type URIs that Touchmark and cosign write.
pub mod predicate_types {
    /// cosign's own signature, since version 3: an empty predicate. The only type that is a *signature* of an image.
    pub const COSIGN_SIGN: &str = "https://sigstore.dev/cosign/sign/v1";
    /// cosign's wrapper around anything.
    pub const COSIGN_CUSTOM: &str = "https://cosign.sigstore.dev/attestation/v1";
    /// cosign's wrapper around a vulnerability scan.
    pub const COSIGN_VULN: &str = "https://cosign.sigstore.dev/attestation/vuln/v1";
    /// SLSA provenance 0.2.
    pub const SLSA_PROVENANCE_V02: &str = "https://slsa.dev/provenance/v0.2";
    /// SLSA provenance 1.x.
    pub const SLSA_PROVENANCE_V1: &str = "https://slsa.dev/provenance/v1";
    /// SLSA verification summary 1.x.
    pub const SLSA_VSA_V1: &str = "https://slsa.dev/verification_summary/v1";
    /// An SPDX document.
    pub const SPDX: &str = "https://spdx.dev/Document";
    /// A CycloneDX document.
    pub const CYCLONEDX: &str = "https://cyclonedx.org/bom";
    /// An in-toto link.
    pub const LINK: &str = "https://in-toto.io/Link/v1";
    /// An OpenVEX document.
    pub const OPENVEX: &str = "https://openvex.dev/ns";
}

/// cosign's short names for `--type`, with what they stand for.
const ALIASES: [(&str, &str); 11] = [
    ("custom", predicate_types::COSIGN_CUSTOM),
    ("cyclonedx", predicate_types::CYCLONEDX),
    ("link", predicate_types::LINK),
    ("openvex", predicate_types::OPENVEX),
    ("slsaprovenance", predicate_types::SLSA_PROVENANCE_V02),
    ("slsaprovenance02", predicate_types::SLSA_PROVENANCE_V02),
    ("slsaprovenance1", predicate_types::SLSA_PROVENANCE_V1),
    ("spdx", predicate_types::SPDX),
    ("spdxjson", predicate_types::SPDX),
    ("vsa", predicate_types::SLSA_VSA_V1),
    ("vuln", predicate_types::COSIGN_VULN),
];

/// A predicate type URI, given in full or as one of cosign's aliases.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PredicateType(String);

impl PredicateType {
    /// The URI.
    pub fn uri(&self) -> &str {
        &self.0
    }

    /// cosign's shortest alias for a type URI, if it has one.
    pub fn alias(uri: &str) -> Option<&'static str> {
        ALIASES.iter().find(|(_, known)| *known == uri).map(|(alias, _)| *alias)
    }
}

impl FromStr for PredicateType {
    type Err = PredicateTypeError;

    fn from_str(text: &str) -> Result<Self, PredicateTypeError> {
        if let Some((_, uri)) = ALIASES.iter().find(|(alias, _)| *alias == text) {
            return Ok(Self((*uri).to_owned()));
        }
        let scheme = text.split_once(':').map(|(scheme, rest)| (scheme, rest.is_empty()));
        match scheme {
            Some((scheme, false)) if is_scheme(scheme) && !text.contains(char::is_whitespace) => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(PredicateTypeError { text: text.chars().take(100).collect() }),
        }
    }
}

impl fmt::Display for PredicateType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// RFC 3986 §3.1: a letter, then letters, digits, `+`, `-` and `.`.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

/// A predicate type that is neither an alias nor a URI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("predicate type {text:?} is neither a URI nor one of {}", ALIASES.map(|(alias, _)| alias).join(", "))]
pub struct PredicateTypeError {
    text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_cosigns() {
        // cosign 3.1, pkg/cosign/attestation and cmd/cosign/cli/options/predicate.go.
        for (alias, uri) in [
            ("slsaprovenance", "https://slsa.dev/provenance/v0.2"),
            ("slsaprovenance1", "https://slsa.dev/provenance/v1"),
            ("spdxjson", "https://spdx.dev/Document"),
            ("cyclonedx", "https://cyclonedx.org/bom"),
        ] {
            assert_eq!(alias.parse::<PredicateType>().unwrap().uri(), uri);
        }
    }

    #[test]
    fn any_uri_is_a_type() {
        for text in ["https://example.com/p/v1", "urn:example:p"] {
            assert_eq!(text.parse::<PredicateType>().unwrap().uri(), text);
        }
    }

    #[test]
    fn rejects_what_is_neither_alias_nor_uri() {
        for text in ["", "sbom", "1a:b", "a b:c", "https:"] {
            assert!(text.parse::<PredicateType>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_alias_is_found_for_its_uri() {
        assert_eq!(PredicateType::alias("https://slsa.dev/provenance/v1"), Some("slsaprovenance1"));
        assert_eq!(PredicateType::alias("https://example.com"), None);
    }
}
