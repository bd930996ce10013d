//! The little DER (X.690) that turns what services give into a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) or an ECDSA-Sig-Value
//! (RFC 3279 §2.2.3). What comes out is read again by `PublicKey`, which checks it. Performs no I/O.

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
/// `AlgorithmIdentifier`s: id-ecPublicKey with secp256r1 and secp384r1 (RFC 5480 §2.1.1), Ed25519 (RFC 8410 §3), rsaEncryption
/// (RFC 3279 §2.3.1).
const P256: &[u8] = &[
    0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07,
];
const P384: &[u8] = &[
    0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00,
    0x22,
];
const ED25519: &[u8] = &[0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70];
const RSA: &[u8] =
    &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

/// A curve that keys are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
    Ed25519,
}

/// The SubjectPublicKeyInfo of a point: uncompressed for ECDSA (SEC 1 §2.3.3), 32 bytes for Ed25519.
pub(super) fn curve_key(curve: Curve, point: &[u8]) -> Vec<u8> {
    key(
        match curve {
            Curve::P256 => P256,
            Curve::P384 => P384,
            Curve::Ed25519 => ED25519,
        },
        point,
    )
}

/// The SubjectPublicKeyInfo of an RSA key: modulus and exponent, big-endian.
pub(super) fn rsa_key(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    key(RSA, &element(SEQUENCE, &[integer(modulus), integer(exponent)].concat()))
}

/// An ECDSA signature from `r` and `s`, one after the other in the same number of bytes (IEEE P1363); `None` when they are not.
pub(super) fn ecdsa_signature(raw: &[u8]) -> Option<Vec<u8>> {
    if raw.is_empty() || !raw.len().is_multiple_of(2) {
        return None;
    }
    let (r, s) = raw.split_at_checked(raw.len() / 2)?;
    Some(element(SEQUENCE, &[integer(r), integer(s)].concat()))
}

fn key(algorithm: &[u8], bits: &[u8]) -> Vec<u8> {
    let bits = element(BIT_STRING, &[&[0], bits].concat());
    element(SEQUENCE, &[algorithm, &bits].concat())
}

/// A number that is not negative, as short as it can be (X.690 §8.3.2).
fn integer(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let significant = bytes.get(zeros..).unwrap_or_default();
    match significant.first() {
        Some(first) if first.leading_zeros() > 0 => element(INTEGER, significant),
        _ => element(INTEGER, &[&[0], significant].concat()),
    }
}

/// Tag, length (X.690 §8.1.3) and content.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let zeros = length.iter().take_while(|byte| **byte == 0).count();
    let significant = length.get(zeros..).unwrap_or_default();
    let mut out = vec![tag];
    match (significant, u8::try_from(significant.len())) {
        ([], _) => out.push(0),
        ([short @ 0..0x80], _) => out.push(*short),
        (_, count) => {
            // A length has at most the eight bytes of a `usize`.
            out.push(0x80 | count.unwrap_or(8));
            out.extend_from_slice(significant);
        }
    }
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests {
    use touchmark_sigstore::PublicKey;

    use super::*;
    use crate::{KeyKind, PrivateKey};

    #[test]
    fn numbers_are_short_and_not_negative() {
        assert_eq!(integer(&[0, 0, 1]), [2, 1, 1]);
        assert_eq!(integer(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(integer(&[0, 0]), [2, 1, 0]);
        assert_eq!(element(4, &[7; 200])[..3], [4, 0x81, 200]);
        assert_eq!(element(4, &[7; 300])[..4], [4, 0x82, 1, 44]);
    }

    #[test]
    fn keys_are_written_as_everybody_writes_them() {
        for (kind, curve, length) in [
            (KeyKind::EcdsaP256, Curve::P256, 65),
            (KeyKind::EcdsaP384, Curve::P384, 97),
            (KeyKind::Ed25519, Curve::Ed25519, 32),
        ] {
            let key = PrivateKey::generate(kind).unwrap();
            let der = key.public_key().der();
            assert_eq!(curve_key(curve, &der[der.len() - length..]), der);
        }
        let modulus = [vec![0x80], vec![1; 255]].concat();
        assert!(PublicKey::from_der(&rsa_key(&modulus, &[1, 0, 1])).is_ok());
    }

    #[test]
    fn signatures_of_odd_length_are_none() {
        assert_eq!(ecdsa_signature(&[1, 2]), Some(vec![0x30, 6, 2, 1, 1, 2, 1, 2]));
        assert_eq!(ecdsa_signature(&[1, 2, 3]), None);
        assert_eq!(ecdsa_signature(&[]), None);
    }
}
