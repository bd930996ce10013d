//! A certificate transparency log that promises to keep what Fulcio issues (RFC 6962 §3).

use aws_lc_rs::digest::{SHA256, digest};
use der::{Encode, asn1::OctetString};
use jiff::Timestamp;
use x509_cert::certificate::TbsCertificate;
use x509_cert::ext::Extension;

use super::Refusal;
use super::certificates::{Certified, extension};
use super::keys::Key;

pub(super) struct CtLog {
    pub(super) key: Key,
    /// The key that is not in the trusted root.
    wrong_key: Key,
}

impl CtLog {
    pub(super) fn new() -> Result<Self, Refusal> {
        Ok(Self { key: Key::p256()?, wrong_key: Key::p256()? })
    }

    /// The extension that makes a certificate of what it was promised for: a list of one signed certificate timestamp
    /// over the certificate without that extension (RFC 6962 §3.2 and §3.3).
    pub(super) fn promise(
        &self,
        without: &TbsCertificate,
        issuer: &Certified,
        now: Timestamp,
        wrong_key: bool,
    ) -> Result<Extension, Refusal> {
        let issuer_key = issuer.key.public()?;
        let milliseconds = u64::try_from(now.as_millisecond()).unwrap_or_default().to_be_bytes();
        let tbs = without.to_der()?;

        let mut signed = vec![VERSION_1, CERTIFICATE_TIMESTAMP];
        signed.extend(milliseconds);
        signed.extend(PRECERT_ENTRY);
        signed.extend(digest(&SHA256, &issuer_key).as_ref());
        signed.extend(length::<3>(&tbs)?);
        signed.extend(&tbs);
        signed.extend(NO_EXTENSIONS);
        let key = if wrong_key { &self.wrong_key } else { &self.key };
        let signature = key.sign(&signed)?;

        let mut timestamp = vec![VERSION_1];
        timestamp.extend(digest(&SHA256, &self.key.public()?).as_ref());
        timestamp.extend(milliseconds);
        timestamp.extend(NO_EXTENSIONS);
        timestamp.extend(SHA256_WITH_ECDSA);
        timestamp.extend(length::<2>(&signature)?);
        timestamp.extend(signature);

        let mut list = length::<2>(&timestamp)?.to_vec();
        list.extend(timestamp);
        let mut value = length::<2>(&list)?.to_vec();
        value.extend(list);
        extension(&OctetString::new(value)?, TIMESTAMP_LIST, false)
    }
}

/// The length of bytes, in so many bytes, most significant first (RFC 5246 §4.3).
fn length<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Refusal> {
    let all = bytes.len().to_be_bytes();
    all.last_chunk::<N>()
        .copied()
        .ok_or_else(|| Refusal::internal("a length of more bytes than lengths have"))
}

const VERSION_1: u8 = 0;
const CERTIFICATE_TIMESTAMP: u8 = 0;
const PRECERT_ENTRY: [u8; 2] = [0, 1];
const NO_EXTENSIONS: [u8; 2] = [0, 0];
/// `HashAlgorithm.sha256` and `SignatureAlgorithm.ecdsa` (RFC 5246 §7.4.1.4.1).
const SHA256_WITH_ECDSA: [u8; 2] = [4, 3];
const TIMESTAMP_LIST: &str = "1.3.6.1.4.1.11129.2.4.2";
