//! Which certificates belong to a signer: by subject, issuer and what Fulcio copied from the CI job's token.
//!
//! Subject and issuer are both stated, always: a subject means nothing without the issuer that vouched for it. Regular expressions have to
//! match the whole text; unanchored ones let `https://github.com/acme` match `https://evil.example/?https://github.com/acme`.

use std::collections::BTreeMap;
use std::fmt;

use regex::{Regex, RegexBuilder};
use touchmark_sigstore::{Certificate, FulcioExtension};

/// Bytes of a compiled expression. Identities take a few thousand.
const MAX_COMPILED_BYTES: usize = 1 << 20;

/// A text, or a rule for one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum TextMatch {
    /// This text and no other.
    Exactly(String),
    /// Any text that the expression matches from beginning to end.
    Matching(Anchored),
}

/// A regular expression that matches whole texts only.
#[derive(Debug, Clone)]
pub struct Anchored {
    written: String,
    compiled: Regex,
}

impl TextMatch {
    /// The expression, anchored at both ends.
    ///
    /// # Errors
    /// [`ExpressionError`] when it is none, or too large.
    pub fn expression(written: &str) -> Result<Self, ExpressionError> {
        let invalid = |source| ExpressionError { source: Box::new(source) };
        // On its own first: `a)(b` would be valid inside the group.
        let build = |text: &str| RegexBuilder::new(text).size_limit(MAX_COMPILED_BYTES).build();
        build(written).map_err(invalid)?;
        let compiled = build(&format!("^(?:{written})$")).map_err(invalid)?;
        Ok(Self::Matching(Anchored { written: written.to_owned(), compiled }))
    }

    /// Whether `text` is meant.
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exactly(wanted) => wanted == text,
            Self::Matching(expression) => expression.compiled.is_match(text),
        }
    }
}

impl fmt::Display for TextMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(text) => f.write_str(text),
            Self::Matching(expression) => write!(f, "/{}/", expression.written),
        }
    }
}

/// Not a regular expression.
#[derive(Debug, thiserror::Error)]
#[error("not a regular expression")]
pub struct ExpressionError {
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// Whose certificates are meant.
#[derive(Debug, Clone)]
pub struct CertificateIdentity {
    subject: TextMatch,
    issuer: TextMatch,
    extensions: BTreeMap<FulcioExtension, String>,
}

impl CertificateIdentity {
    /// Certificates for `subject`, vouched for by `issuer`.
    pub fn new(subject: TextMatch, issuer: TextMatch) -> Self {
        Self { subject, issuer, extensions: BTreeMap::new() }
    }

    /// The same, with what the certificate has to say about the CI job; all of it.
    #[must_use]
    pub fn with_extensions(mut self, extensions: BTreeMap<FulcioExtension, String>) -> Self {
        self.extensions = extensions;
        self
    }

    /// Whether the verified `certificate` is one of them. One without subject or issuer never is.
    pub fn matches(&self, certificate: &Certificate) -> bool {
        let subject = certificate.subject().as_str();
        !subject.is_empty()
            && self.subject.matches(subject)
            && certificate.issuer().is_some_and(|issuer| self.issuer.matches(issuer))
            && self.extensions.iter().all(|(name, wanted)| certificate.extension(*name) == Some(wanted))
    }
}

impl fmt::Display for CertificateIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (issuer {}", self.subject, self.issuer)?;
        for (name, wanted) in &self.extensions {
            write!(f, ", {name} {wanted}")?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_match_whole_texts_only() {
        let expression = TextMatch::expression("https://github.com/acme/.*|release@acme.example").unwrap();
        assert!(expression.matches("https://github.com/acme/app"));
        assert!(expression.matches("release@acme.example"));
        assert!(!expression.matches("https://evil.example/?https://github.com/acme/app"));
        assert!(!expression.matches("release@acme.example.evil.example"));
        assert!(!expression.matches("release@acme.example\n"));
        assert!(!TextMatch::Exactly("a.c".to_owned()).matches("abc"));
    }

    #[test]
    fn refuses_what_is_no_expression_or_too_large() {
        for written in ["(", "a)(b", "((a{500}){500}){500}"] {
            assert!(TextMatch::expression(written).is_err(), "{written}");
        }
    }
}
