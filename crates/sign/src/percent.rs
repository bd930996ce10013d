//! Percent-encoding ([RFC 3986 §2.1](https://www.rfc-editor.org/rfc/rfc3986#section-2.1)), for addresses, forms and `pkcs11:` URIs.
//!
//! Performs no I/O.

use std::fmt::Write as _;

/// `text` with every byte encoded that is not unreserved (RFC 3986 §2.3), so that it is one segment or one value wherever it stands.
pub(crate) fn encode(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// A form body: `application/x-www-form-urlencoded` accepts `%20` for a space.
pub(crate) fn form(pairs: &[(&str, &str)]) -> String {
    let encoded: Vec<_> =
        pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    encoded.join("&")
}

/// The bytes that `text` encodes; `None` when a `%` is not followed by two hexadecimal digits.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'%' {
            let (&[high, low], after) = after.split_first_chunk::<2>()?;
            out.push(digit(high)? << 4 | digit(low)?);
            rest = after;
        } else {
            out.push(byte);
            rest = after;
        }
    }
    Some(out)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_decodes_to_itself() {
        assert_eq!(encode("a b/ü~%"), "a%20b%2F%C3%BC~%25");
        assert_eq!(decode(&encode("a b/ü~%")).unwrap(), "a b/ü~%".as_bytes());
        assert_eq!(form(&[("a", "1 2"), ("b", "&")]), "a=1%202&b=%26");
    }

    #[test]
    fn half_an_escape_is_none() {
        for text in ["%", "%4", "%4g", "x%zz"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
