//! Timestamps of a signature (RFC 3161).

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use sigstore_types::{Rfc3161Timestamp, SignatureBytes, TimestampToken};
use touchmark_transport::{Client, Url};

use super::call::Service;
use super::{KeylessError, SigningService, sha256};
use crate::GenerateError;
use crate::KeyKind;

/// `TimeStampReq` up to the digest: version 1, and a `MessageImprint` for SHA-256 (RFC 3161 §2.4.1; OID 2.16.840.1.101.3.4.2.1).
const HEAD: [u8; 24] = [
    0x30, 0x43, 0x02, 0x01, 0x01, 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03,
    0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20,
];
/// `certReq` TRUE: with the authority's certificate in the answer, other verifiers need no other source for it.
const TAIL: [u8; 3] = [0x01, 0x01, 0xff];

/// Has the authority at `url` date the signature.
pub(super) async fn timestamp(
    client: &Client,
    url: &Url,
    signature: &SignatureBytes,
) -> Result<Rfc3161Timestamp, KeylessError> {
    let authority = Service { kind: SigningService::TimestampAuthority, url };
    let mut nonce = [0; 8];
    SystemRandom::new().fill(&mut nonce).map_err(|_| GenerateError::of(KeyKind::EcdsaP256))?;
    let body = request(&sha256(signature.as_bytes()), nonce);
    let answer = authority.post(client, url.clone(), "application/timestamp-query", body).await?;
    read(authority, &authority.success(answer)?.body)
}

/// The timestamp in an answer: a sequence in DER, at least.
pub(super) fn read(authority: Service<'_>, body: &[u8]) -> Result<Rfc3161Timestamp, KeylessError> {
    if body.first() != Some(&0x30) {
        return Err(authority.unusable("not a timestamp in DER"));
    }
    Ok(Rfc3161Timestamp::new(TimestampToken::new(body.to_vec())))
}

/// The request in DER. The nonce is made positive and of full length, so that all lengths are known.
fn request(digest: &[u8; 32], nonce: [u8; 8]) -> Vec<u8> {
    let [first, rest @ ..] = nonce;
    let nonce = [&[0x02, 0x08, (first & 0x7f) | 0x40], rest.as_slice()].concat();
    [HEAD.as_slice(), digest, &nonce, &TAIL].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_is_as_long_as_it_says() {
        let request = request(&[7; 32], [0xff; 8]);
        assert_eq!(request.len(), 2 + usize::from(request[1]));
        assert_eq!(request[56..67], [0x02, 0x08, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
    }
}
