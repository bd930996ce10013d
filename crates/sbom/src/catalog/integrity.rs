//! Checksums as package managers of the web and of .NET write them: `ALGORITHM-BASE64`
//! ([Subresource Integrity, §3.1](https://www.w3.org/TR/SRI/#integrity-metadata-description)), or the value alone.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::{Checksum, ChecksumAlgorithm};

/// All checksums that the text names, ordered. What is none is left out.
pub(super) fn checksums(text: &str) -> Vec<Checksum> {
    let one = |part: &str| {
        let (algorithm, value) = part.split_once('-')?;
        let algorithm = ChecksumAlgorithm::from_lock_file(algorithm)?;
        // Options may follow, after a question mark.
        base64(algorithm, value.split('?').next().unwrap_or(value))
    };
    let mut checksums: Vec<Checksum> = text.split_whitespace().filter_map(one).collect();
    checksums.sort();
    checksums.dedup();
    checksums
}

/// A checksum whose value is base64.
pub(super) fn base64(algorithm: ChecksumAlgorithm, value: &str) -> Option<Checksum> {
    let bytes = STANDARD.decode(value).ok()?;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Checksum::new(algorithm, &hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_algorithm_is_read_and_others_are_not() {
        let found = checksums(
            "sha512-AAAA sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=?x md5-AAAA sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
        );
        assert_eq!(found.len(), 1, "a sha512 of three bytes is none");
        assert_eq!(found[0].hex, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
        assert_eq!(checksums("nonsense"), []);
    }
}
