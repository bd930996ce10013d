//! Certificates: authorities, and what they issue (RFC 5280).

use std::str::FromStr;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use der::asn1::{BitString, GeneralizedTime, ObjectIdentifier, OctetString, UtcTime};
use der::{Decode, Encode};
use jiff::{SignedDuration, Timestamp};
use x509_cert::certificate::{Certificate, TbsCertificate, Version};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectKeyIdentifier,
};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::SubjectPublicKeyInfoOwned;
use x509_cert::time::{Time, Validity};

use super::Refusal;
use super::keys::Key;

pub(super) const CODE_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.3");
pub(super) const TIME_STAMPING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8");

/// A certificate and its key.
pub(super) struct Certified {
    pub(super) certificate: Certificate,
    pub(super) key: Key,
}

impl Certified {
    /// A root, signed by itself.
    pub(super) fn root(name: &str, key: Key, validity: Validity) -> Result<Self, Refusal> {
        let name = Name::from_str(name)?;
        let subject = Subject { name: name.clone(), key: key.public_info()?, validity };
        let extensions = authority_extensions(1)?;
        let tbs = tbs(subject, &name, &key, extensions)?;
        Ok(Self { certificate: signed(tbs, &key)?, key })
    }

    /// An authority under this one, which may use its certificates for that only.
    pub(super) fn intermediate(
        &self,
        name: &str,
        key: Key,
        validity: Validity,
        usage: ObjectIdentifier,
    ) -> Result<Self, Refusal> {
        let mut extensions = authority_extensions(0)?;
        extensions.push(extension(&ExtendedKeyUsage(vec![usage]), EXTENDED_KEY_USAGE, false)?);
        let subject = Subject { name: Name::from_str(name)?, key: key.public_info()?, validity };
        let certificate = signed(self.to_be_signed(subject, extensions)?, &self.key)?;
        Ok(Self { certificate, key })
    }

    /// What this authority signs to issue a certificate.
    pub(super) fn to_be_signed(
        &self,
        subject: Subject,
        mut extensions: Vec<Extension>,
    ) -> Result<TbsCertificate, Refusal> {
        let issuer = &self.certificate.tbs_certificate;
        let identifier = AuthorityKeyIdentifier {
            key_identifier: Some(key_identifier(&issuer.subject_public_key_info)?),
            authority_cert_issuer: None,
            authority_cert_serial_number: None,
        };
        extensions.push(extension(&identifier, AUTHORITY_KEY_IDENTIFIER, false)?);
        tbs(subject, &issuer.subject, &self.key, extensions)
    }

    pub(super) fn issue(&self, tbs: TbsCertificate) -> Result<Certificate, Refusal> {
        signed(tbs, &self.key)
    }

    pub(super) fn der(&self) -> Result<Vec<u8>, Refusal> {
        Ok(self.certificate.to_der()?)
    }
}

/// Whom a certificate is for and when.
pub(super) struct Subject {
    pub(super) name: Name,
    pub(super) key: SubjectPublicKeyInfoOwned,
    pub(super) validity: Validity,
}

fn tbs(
    subject: Subject,
    issuer: &Name,
    issuer_key: &Key,
    mut extensions: Vec<Extension>,
) -> Result<TbsCertificate, Refusal> {
    let identifier = SubjectKeyIdentifier(key_identifier(&subject.key)?);
    extensions.push(extension(&identifier, SUBJECT_KEY_IDENTIFIER, false)?);
    let mut serial = [0; 16];
    aws_lc_rs::rand::fill(&mut serial)?;
    // Positive, and never with a byte of zeros in front.
    serial[0] = serial[0] & 0x3f | 0x40;
    Ok(TbsCertificate {
        version: Version::V3,
        serial_number: SerialNumber::new(&serial)?,
        signature: issuer_key.signature_algorithm(),
        issuer: issuer.clone(),
        validity: subject.validity,
        subject: subject.name,
        subject_public_key_info: subject.key,
        issuer_unique_id: None,
        subject_unique_id: None,
        extensions: Some(extensions),
    })
}

fn signed(tbs: TbsCertificate, key: &Key) -> Result<Certificate, Refusal> {
    let signature = BitString::from_bytes(&key.sign(&tbs.to_der()?)?)?;
    Ok(Certificate { signature_algorithm: tbs.signature.clone(), tbs_certificate: tbs, signature })
}

fn authority_extensions(length: u8) -> Result<Vec<Extension>, Refusal> {
    let constraints = BasicConstraints { ca: true, path_len_constraint: Some(length) };
    let usage = KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign);
    Ok(vec![extension(&usage, KEY_USAGE, true)?, extension(&constraints, BASIC_CONSTRAINTS, true)?])
}

/// Key usage and extended key usage of a certificate that signs, for one purpose.
pub(super) fn signer_extensions(
    purpose: ObjectIdentifier,
    critical: bool,
) -> Result<Vec<Extension>, Refusal> {
    Ok(vec![
        extension(&KeyUsage(KeyUsages::DigitalSignature.into()), KEY_USAGE, true)?,
        extension(&ExtendedKeyUsage(vec![purpose]), EXTENDED_KEY_USAGE, critical)?,
    ])
}

pub(super) fn extension(value: &impl Encode, oid: &str, critical: bool) -> Result<Extension, Refusal> {
    raw_extension(&value.to_der()?, oid, critical)
}

pub(super) fn raw_extension(value: &[u8], oid: &str, critical: bool) -> Result<Extension, Refusal> {
    let extn_id = ObjectIdentifier::new(oid).map_err(der::Error::from)?;
    Ok(Extension { extn_id, critical, extn_value: OctetString::new(value)? })
}

/// RFC 5280 §4.2.1.2, the first method.
fn key_identifier(key: &SubjectPublicKeyInfoOwned) -> Result<OctetString, Refusal> {
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, key.subject_public_key.raw_bytes());
    Ok(OctetString::new(digest.as_ref())?)
}

/// From one time to another, both included.
pub(super) fn validity(from: Timestamp, lasting: SignedDuration) -> Result<Validity, Refusal> {
    let until = from.checked_add(lasting).map_err(|_| Refusal::internal("a time out of range"))?;
    Ok(Validity { not_before: time(from)?, not_after: time(until)? })
}

/// As RFC 5280 §4.1.2.5 wants it: `UTCTime` through 2049.
fn time(at: Timestamp) -> Result<Time, Refusal> {
    let since = since_epoch(at);
    Ok(match UtcTime::from_unix_duration(since) {
        Ok(time) => Time::UtcTime(time),
        Err(_) => Time::GeneralTime(GeneralizedTime::from_unix_duration(since)?),
    })
}

/// Whole seconds since 1970.
pub(super) fn since_epoch(at: Timestamp) -> std::time::Duration {
    std::time::Duration::from_secs(u64::try_from(at.as_second()).unwrap_or_default())
}

/// The key in a PEM block, of a certificate or by itself.
pub(super) fn key_in_pem(pem: &str) -> Result<SubjectPublicKeyInfoOwned, Refusal> {
    let (label, der) = der::pem::decode_vec(pem.trim().as_bytes())
        .map_err(|error| Refusal::bad_request(format!("not a PEM block: {error}")))?;
    match label {
        "CERTIFICATE" => key_in_certificate(&der),
        _ => Ok(SubjectPublicKeyInfoOwned::from_der(&der)?),
    }
}

pub(super) fn key_in_certificate(der: &[u8]) -> Result<SubjectPublicKeyInfoOwned, Refusal> {
    Ok(Certificate::from_der(der)?.tbs_certificate.subject_public_key_info)
}

pub(super) fn certificate_pem(certificate: &Certificate) -> Result<String, Refusal> {
    pem("CERTIFICATE", &certificate.to_der()?)
}

pub(super) fn pem(label: &str, der: &[u8]) -> Result<String, Refusal> {
    der::pem::encode_string(label, der::pem::LineEnding::LF, der)
        .map_err(|error| Refusal::internal(&error.to_string()))
}

const SUBJECT_KEY_IDENTIFIER: &str = "2.5.29.14";
const KEY_USAGE: &str = "2.5.29.15";
const BASIC_CONSTRAINTS: &str = "2.5.29.19";
const AUTHORITY_KEY_IDENTIFIER: &str = "2.5.29.35";
const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
