//! Certificates, where `sigstore-verify` cannot be asked about them: when the only proof of the time is an entry of [`crate::log_record`].
//!
//! Path validation is rustls-webpki's (RFC 5280 §6), with the authorities of the trust root that were valid at the time; signed certificate
//! timestamps are RFC 6962 §3.2's.

use std::sync::Arc;

use jiff::Timestamp;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use sigstore_crypto::{CertificateInfo, SigningScheme, VerificationKey, WEBPKI_VERIFICATION_ALGS, sha256};
use sigstore_types::{DerCertificate, SignatureBytes, VerificationMaterialContent as MaterialContent};
use webpki::{EndEntityCert, KeyUsage};
use x509_cert::der::{Decode as _, Encode as _};
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer as _;

use crate::prove::Broken;
use crate::{Promise, TrustRoot};

/// `id-kp-codeSigning`, 1.3.6.1.5.5.7.3.3 (RFC 5280 §4.2.1.12), without tag and length.
const CODE_SIGNING: [u8; 8] = [0x2b, 6, 1, 5, 5, 7, 3, 3];
/// The extension with signed certificate timestamps (RFC 6962 §3.3).
const TIMESTAMP_LIST: &str = "1.3.6.1.4.1.11129.2.4.2";

/// A certificate that holds at some time, and the key of who issued it, as SubjectPublicKeyInfo in DER.
pub(crate) struct Issued {
    issuer: Vec<u8>,
}

impl TrustRoot {
    /// Verifies that the certificate chains to an authority that was valid at `time`, as it was itself, and is for signing code.
    pub(crate) fn check_chain(
        &self,
        material: &MaterialContent,
        info: &CertificateInfo,
        time: Timestamp,
    ) -> Result<Issued, Broken> {
        if !(info.not_before <= time && time <= info.not_after) {
            return Err(broken(Promise::CertificateValidity, ChainError::NotValidThen));
        }
        let anchors = self.anchors(time)?;
        let (leaf, intermediates) =
            leaf_and_rest(material).ok_or_else(|| Broken::structure("bundle has no certificate"))?;
        let leaf = CertificateDer::from(leaf);
        let form = |source| Broken { promise: Promise::CertificateForm, source: Arc::new(source) };
        let leaf = EndEntityCert::try_from(&leaf).map_err(form)?;
        // Times before 1970 are before every certificate.
        let seconds = u64::try_from(time.as_second()).unwrap_or_default();
        let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        let path = leaf
            .verify_for_usage(
                WEBPKI_VERIFICATION_ALGS,
                &anchors,
                &intermediates,
                time,
                KeyUsage::required(&CODE_SIGNING),
                None,
                None,
            )
            .map_err(|source| Broken { promise: Promise::CertificateChain, source: Arc::new(source) })?;
        let issuer = match path.intermediate_certificates().next() {
            Some(issuer) => issuer.subject_public_key_info().as_ref().to_vec(),
            None => sequence(path.anchor().subject_public_key_info.as_ref())?,
        };
        Ok(Issued { issuer })
    }

    fn anchors(&self, time: Timestamp) -> Result<Vec<TrustAnchor<'static>>, Broken> {
        let authorities = self.parsed.certificate_authorities.iter();
        let valid = authorities.filter(|authority| authority.valid_for.is_none_or(|w| w.contains(time)));
        let certificates = valid.flat_map(|authority| &authority.cert_chain.certificates);
        let anchors: Vec<_> = certificates
            .filter_map(|certificate| {
                let der = CertificateDer::from(certificate.raw_bytes.as_bytes());
                webpki::anchor_from_trusted_cert(&der).ok().map(|anchor| anchor.to_owned())
            })
            .collect();
        match anchors.is_empty() {
            true => Err(broken(Promise::CertificateAuthority, ChainError::NoAuthorityThen)),
            false => Ok(anchors),
        }
    }

    /// Verifies the one signed certificate timestamp in a certificate.
    pub(crate) fn check_certificate_timestamp(
        &self,
        leaf: &DerCertificate,
        issued: &Issued,
    ) -> Result<(), Broken> {
        let fail = |error| broken(Promise::CertificateLogged, error);
        let (_, parsed) = x509_parser::certificate::X509Certificate::from_der(leaf.as_bytes())
            .map_err(|source| Broken { promise: Promise::CertificateForm, source: Arc::new(source) })?;
        let lists = parsed.extensions().iter().filter_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SCT(list) => Some(list),
            _ => None,
        });
        let timestamps: Vec<_> = lists.flatten().collect();
        let [timestamp] = timestamps.as_slice() else {
            return Err(fail(ChainError::TimestampCount { count: timestamps.len() }));
        };
        // SignatureAndHashAlgorithm of RFC 5246 §7.4.1.4.1.
        let scheme = match (timestamp.signature.hash_alg_id, timestamp.signature.sign_alg_id) {
            (4, 3) => SigningScheme::EcdsaP256Sha256,
            (5, 3) => SigningScheme::EcdsaP384Sha384,
            (4, 1) => SigningScheme::RsaPkcs1Sha256,
            (5, 1) => SigningScheme::RsaPkcs1Sha384,
            (6, 1) => SigningScheme::RsaPkcs1Sha512,
            _ => return Err(fail(ChainError::TimestampAlgorithm)),
        };
        let milliseconds = i64::try_from(timestamp.timestamp).ok();
        let time = milliseconds.and_then(|time| Timestamp::from_millisecond(time).ok());
        let log = self.parsed.ctlogs.iter().find(|log| {
            let valid = |time| log.public_key.valid_for.is_none_or(|window| window.contains(time));
            log.log_id.key_id.as_bytes() == timestamp.id.key_id && time.is_some_and(valid)
        });
        let log = log.ok_or_else(|| fail(ChainError::UnknownCertificateLog))?;
        let precertificate = without_timestamps(leaf).ok_or_else(|| fail(ChainError::NoPrecertificate))?;
        let signed =
            signed_entry(timestamp.timestamp, &issued.issuer, &precertificate, timestamp.extensions.0)
                .ok_or_else(|| fail(ChainError::NoPrecertificate))?;
        let signature = SignatureBytes::new(timestamp.signature.data.to_vec());
        VerificationKey::from_der(&log.public_key.raw_bytes, scheme)
            .and_then(|key| key.verify(&signed, &signature))
            .map_err(|source| Broken { promise: Promise::CertificateLogged, source: Arc::new(source) })
    }
}

fn leaf_and_rest(material: &MaterialContent) -> Option<(&[u8], Vec<CertificateDer<'_>>)> {
    match material {
        MaterialContent::Certificate(certificate) => Some((certificate.raw_bytes.as_bytes(), Vec::new())),
        MaterialContent::X509CertificateChain { certificates } => {
            let (leaf, rest) = certificates.split_first()?;
            let rest = rest.iter().map(|one| CertificateDer::from(one.raw_bytes.as_bytes()));
            Some((leaf.raw_bytes.as_bytes(), rest.collect()))
        }
        _ => None,
    }
}

/// webpki keeps an anchor's key without the SEQUENCE around it.
fn sequence(content: &[u8]) -> Result<Vec<u8>, Broken> {
    let any = x509_cert::der::Any::new(x509_cert::der::Tag::Sequence, content);
    any.and_then(|any| any.to_der())
        .map_err(|source| Broken { promise: Promise::CertificateChain, source: Arc::new(source) })
}

/// The `TBSCertificate` as the log saw it: without the extension that its answer became (RFC 6962 §3.2).
fn without_timestamps(leaf: &DerCertificate) -> Option<Vec<u8>> {
    let mut tbs = x509_cert::Certificate::from_der(leaf.as_bytes()).ok()?.tbs_certificate;
    if let Some(extensions) = &mut tbs.extensions {
        extensions.retain(|extension| extension.extn_id.to_string() != TIMESTAMP_LIST);
    }
    tbs.to_der().ok()
}

/// The `digitally-signed` struct of RFC 6962 §3.2 for a `precert_entry`.
fn signed_entry(time: u64, issuer: &[u8], precertificate: &[u8], extensions: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(precertificate.len()).ok().filter(|length| *length < 1 << 24)?;
    // Version v1 and the signature type certificate_timestamp.
    let mut signed = vec![0, 0];
    signed.extend(time.to_be_bytes());
    // LogEntryType precert_entry.
    signed.extend([0, 1]);
    signed.extend(sha256(issuer).as_bytes());
    signed.extend(length.to_be_bytes().iter().skip(1));
    signed.extend(precertificate);
    signed.extend(u16::try_from(extensions.len()).ok()?.to_be_bytes());
    signed.extend(extensions);
    Some(signed)
}

fn broken(promise: Promise, error: ChainError) -> Broken {
    Broken { promise, source: Arc::new(error) }
}

/// What does not hold of a certificate.
#[derive(Debug, thiserror::Error)]
enum ChainError {
    #[error("certificate was not valid then")]
    NotValidThen,
    #[error("no authority of the trust root was valid then")]
    NoAuthorityThen,
    #[error("certificate has {count} signed certificate timestamps, expected one")]
    TimestampCount { count: usize },
    #[error("signed certificate timestamp has a signature of an unknown kind")]
    TimestampAlgorithm,
    #[error("no certificate log of the trust root with this id was valid then")]
    UnknownCertificateLog,
    #[error("certificate cannot be turned back into what the log saw")]
    NoPrecertificate,
}
