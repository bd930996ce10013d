//! Patterns over names: `*` is any text without `/`, `**` is any text, all else is itself.
//!
//! A pattern matches a whole name or does not match. Matching costs at most (pattern length × name length) steps, whatever the
//! pattern: it walks the set of pattern positions that are possible after each character and never goes back.

use std::fmt;

use touchmark_oci::ReferenceError;

/// Patterns longer than this are refused: a repository name has 255 characters at most, its registry 253.
const MAX_PATTERN_BYTES: usize = 512;

/// A pattern over text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    text: String,
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Character(char),
    /// `*`
    Segment,
    /// `**`
    Anything,
}

impl Glob {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`GlobError::TooLong`] and [`GlobError::ThreeStars`].
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        if text.len() > MAX_PATTERN_BYTES {
            return Err(GlobError::TooLong { found: text.len(), limit: MAX_PATTERN_BYTES });
        }
        if text.contains("***") {
            return Err(GlobError::ThreeStars);
        }
        let mut tokens = Vec::with_capacity(text.len());
        for character in text.chars() {
            match (character, tokens.last()) {
                ('*', Some(Token::Segment)) => {
                    tokens.pop();
                    tokens.push(Token::Anything);
                }
                ('*', _) => tokens.push(Token::Segment),
                (other, _) => tokens.push(Token::Character(other)),
            }
        }
        Ok(Self { text: text.to_owned(), tokens })
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether all of `name` fits.
    pub fn matches(&self, name: &str) -> bool {
        // reached[i]: the characters read so far can be what the first i tokens stand for.
        let mut reached = vec![false; self.tokens.len() + 1];
        if let Some(start) = reached.first_mut() {
            *start = true;
        }
        self.pass_over_stars(&mut reached);
        for character in name.chars() {
            reached = self.step(&reached, character);
        }
        reached.last().copied().unwrap_or(false)
    }

    fn step(&self, reached: &[bool], character: char) -> Vec<bool> {
        let mut next = vec![false; reached.len()];
        for (index, token) in self.tokens.iter().enumerate() {
            if !reached.get(index).copied().unwrap_or(false) {
                continue;
            }
            let target = match token {
                Token::Character(wanted) if *wanted == character => Some(index + 1),
                Token::Anything => Some(index),
                Token::Segment if character != '/' => Some(index),
                _ => None,
            };
            if let Some(slot) = target.and_then(|target| next.get_mut(target)) {
                *slot = true;
            }
        }
        self.pass_over_stars(&mut next);
        next
    }

    /// A star may stand for nothing.
    fn pass_over_stars(&self, reached: &mut [bool]) {
        for (index, token) in self.tokens.iter().enumerate() {
            let star = matches!(token, Token::Segment | Token::Anything);
            if star
                && reached.get(index).copied().unwrap_or(false)
                && let Some(slot) = reached.get_mut(index + 1)
            {
                *slot = true;
            }
        }
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a text is no pattern, or none that could ever match.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GlobError {
    /// Longer than any name.
    #[error("pattern has {found} bytes, the limit is {limit}")]
    TooLong {
        /// Bytes found.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// `***` means nothing.
    #[error("pattern has three stars in a row, expected '*' (any text without '/') or '**' (any text)")]
    ThreeStars,
    /// A tag in the pattern.
    #[error("pattern has a tag, expected a name without one: a policy covers every tag of a repository")]
    HasTag,
    /// A digest in the pattern.
    #[error("pattern has a digest, expected a name without one: a policy covers every image of a repository")]
    HasDigest,
    /// A registry or a transport alone.
    #[error("pattern names no repository and would match no image, expected such as ghcr.io/acme/** or **")]
    NoRepository,
    /// No name fits.
    #[error("pattern matches no image name: {witness:?}, which it should match, is not one")]
    NeverMatches {
        /// The pattern with its stars filled in.
        witness: String,
        /// What is wrong with that.
        source: ReferenceError,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_made_to_backtrack_costs_no_more_than_its_length_times_the_names() {
        let pattern = Glob::parse(&"*a".repeat(250)).unwrap();
        let name = "a".repeat(4000);
        assert!(pattern.matches(&name));
        assert!(!pattern.matches(&format!("{name}b")));
    }

    #[test]
    fn agrees_with_a_plain_backtracking_matcher() {
        fn slow(pattern: &[u8], text: &[u8]) -> bool {
            match pattern {
                [] => text.is_empty(),
                [b'*', b'*', rest @ ..] => (0..=text.len()).any(|n| slow(rest, &text[n..])),
                [b'*', rest @ ..] => {
                    let end = text.iter().position(|c| *c == b'/').unwrap_or(text.len());
                    (0..=end).any(|n| slow(rest, &text[n..]))
                }
                [c, rest @ ..] => text.first() == Some(c) && slow(rest, &text[1..]),
            }
        }
        proptest::proptest!(|(pattern in "[ab/*]{0,8}", text in "[ab/]{0,8}")| {
            if let Ok(glob) = Glob::parse(&pattern) {
                proptest::prop_assert_eq!(glob.matches(&text), slow(pattern.as_bytes(), text.as_bytes()));
            }
        });
    }
}
