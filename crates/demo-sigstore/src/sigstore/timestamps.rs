//! A timestamp authority (RFC 3161; the signature is CMS's, RFC 5652).

use std::str::FromStr;

use cms::cert::{CertificateChoices, IssuerAndSerialNumber};
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{
    CertificateSet, EncapsulatedContentInfo, SignedData, SignerIdentifier, SignerInfo, SignerInfos,
};
use der::asn1::{Any, GeneralizedTime, Int, ObjectIdentifier, OctetString, SetOfVec, UtcTime};
use der::{Decode, Encode, Sequence, Tag};
use jiff::Timestamp;
use x509_cert::attr::{Attribute, Attributes};
use x509_cert::ext::Extensions;
use x509_cert::name::Name;
use x509_cert::spki::AlgorithmIdentifierOwned;
use x509_cert::time::{Time, Validity};

use super::Refusal;
use super::certificates::{
    Certified, Subject, TIME_STAMPING, certificate_pem, signer_extensions, since_epoch,
};
use super::keys::Key;
use super::merkle::sha256;

pub(super) struct TimestampAuthority {
    pub(super) root: Certified,
    pub(super) signer: Certified,
}

/// RFC 3161 §2.4.1.
#[derive(Sequence)]
struct TimeStampReq {
    version: u8,
    message_imprint: MessageImprint,
    #[asn1(optional = "true")]
    policy: Option<ObjectIdentifier>,
    #[asn1(optional = "true")]
    nonce: Option<Int>,
    #[asn1(default = "no")]
    certificate_requested: bool,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    extensions: Option<Extensions>,
}

/// RFC 3161 §2.4.1.
#[derive(Clone, Sequence)]
struct MessageImprint {
    hash_algorithm: AlgorithmIdentifierOwned,
    hashed_message: OctetString,
}

/// RFC 3161 §2.4.2, without what is optional and not used here.
#[derive(Sequence)]
struct TstInfo {
    version: u8,
    policy: ObjectIdentifier,
    message_imprint: MessageImprint,
    serial_number: Int,
    generated: GeneralizedTime,
    #[asn1(optional = "true")]
    nonce: Option<Int>,
}

/// RFC 3161 §2.4.2: granted.
#[derive(Sequence)]
struct TimeStampResp {
    status: PkiStatusInfo,
    token: ContentInfo,
}

/// RFC 3161 §2.4.2.
#[derive(Sequence)]
struct PkiStatusInfo {
    status: u8,
}

/// RFC 5035 §3, with the one certificate and SHA-256, which is the default.
#[derive(Sequence)]
struct SigningCertificateV2 {
    certificates: Vec<EssCertIdV2>,
}

/// RFC 5035 §4.
#[derive(Sequence)]
struct EssCertIdV2 {
    hash: OctetString,
}

fn no() -> bool {
    false
}

impl TimestampAuthority {
    pub(super) fn new(validity: Validity) -> Result<Self, Refusal> {
        let root = Certified::root("CN=tsa root,O=touchmark testkit", Key::p384()?, validity)?;
        let key = Key::p256()?;
        let name = Name::from_str("CN=tsa,O=touchmark testkit")?;
        let subject = Subject { name, key: key.public_info()?, validity };
        // RFC 3161 §2.3: the extended key usage is this one only, and critical.
        let tbs = root.to_be_signed(subject, signer_extensions(TIME_STAMPING, true)?)?;
        let signer = Certified { certificate: root.issue(tbs)?, key };
        Ok(Self { root, signer })
    }

    /// `POST /api/v1/timestamp`: a reply to a query, both in DER.
    pub(super) fn reply(&self, query: &[u8], now: Timestamp) -> Result<Vec<u8>, Refusal> {
        let query = TimeStampReq::from_der(query)?;
        if query.version != 1 {
            return Err(Refusal::bad_request("not a query of version 1"));
        }
        let mut serial = [1; 9];
        if let Some(random) = serial.last_chunk_mut::<8>() {
            aws_lc_rs::rand::fill(random)?;
        }
        let info = TstInfo {
            version: 1,
            policy: query.policy.unwrap_or(POLICY),
            message_imprint: query.message_imprint,
            serial_number: Int::new(&serial)?,
            generated: GeneralizedTime::from_unix_duration(since_epoch(now))?,
            nonce: query.nonce,
        };
        let token = self.token(&info.to_der()?, now, query.certificate_requested)?;
        Ok(TimeStampResp { status: PkiStatusInfo { status: 0 }, token }.to_der()?)
    }

    /// `GET /api/v1/timestamp/certchain`.
    pub(super) fn chain(&self) -> Result<String, Refusal> {
        Ok(certificate_pem(&self.signer.certificate)? + &certificate_pem(&self.root.certificate)?)
    }

    /// What was signed, and how: RFC 5652 §5.1, as RFC 3161 §2.4.2 narrows it.
    fn token(&self, info: &[u8], now: Timestamp, with_certificates: bool) -> Result<ContentInfo, Refusal> {
        let sha256 = AlgorithmIdentifierOwned { oid: SHA256, parameters: None };
        let certificates = if with_certificates {
            // Of the chain, the one that signed (RFC 3161 §2.4.1): cosign 2 takes the first of a sorted set for it.
            let signer = CertificateChoices::Certificate(self.signer.certificate.clone());
            Some(CertificateSet(SetOfVec::try_from(vec![signer])?))
        } else {
            None
        };
        let signed = SignedData {
            version: CmsVersion::V3,
            digest_algorithms: SetOfVec::try_from(vec![sha256.clone()])?,
            encap_content_info: EncapsulatedContentInfo {
                econtent_type: TST_INFO,
                econtent: Some(Any::new(Tag::OctetString, info)?),
            },
            certificates,
            crls: None,
            signer_infos: SignerInfos(SetOfVec::try_from(vec![self.signer_info(info, now, sha256)?])?),
        };
        Ok(ContentInfo { content_type: SIGNED_DATA, content: Any::encode_from(&signed)? })
    }

    /// RFC 5652 §5.3.
    fn signer_info(
        &self,
        info: &[u8],
        now: Timestamp,
        digest_alg: AlgorithmIdentifierOwned,
    ) -> Result<SignerInfo, Refusal> {
        let attributes = self.signed_attributes(info, now)?;
        // §5.4: signed as a `SET OF`, not under the tag that it has in the structure.
        let signature = self.signer.key.sign(&attributes.to_der()?)?;
        let certificate = &self.signer.certificate.tbs_certificate;
        Ok(SignerInfo {
            version: CmsVersion::V1,
            sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
                issuer: certificate.issuer.clone(),
                serial_number: certificate.serial_number.clone(),
            }),
            digest_alg,
            signed_attrs: Some(attributes),
            signature_algorithm: self.signer.key.signature_algorithm(),
            signature: OctetString::new(signature)?,
            unsigned_attrs: None,
        })
    }

    fn signed_attributes(&self, info: &[u8], now: Timestamp) -> Result<Attributes, Refusal> {
        let hash = |bytes: &[u8]| OctetString::new(sha256(&[bytes]));
        let time = Time::UtcTime(UtcTime::from_unix_duration(since_epoch(now))?);
        let certificates = vec![EssCertIdV2 { hash: hash(&self.signer.der()?)? }];
        let attributes = vec![
            attribute(CONTENT_TYPE, Any::encode_from(&TST_INFO)?)?,
            attribute(SIGNING_TIME, Any::encode_from(&time)?)?,
            attribute(MESSAGE_DIGEST, Any::encode_from(&hash(info)?)?)?,
            attribute(SIGNING_CERTIFICATE_V2, Any::encode_from(&SigningCertificateV2 { certificates })?)?,
        ];
        Ok(SetOfVec::try_from(attributes)?)
    }
}

fn attribute(oid: ObjectIdentifier, value: Any) -> Result<Attribute, Refusal> {
    Ok(Attribute { oid, values: SetOfVec::try_from(vec![value])? })
}

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_TIME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.5");
const SIGNING_CERTIFICATE_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
/// The policy that sigstore's authority has, for want of one of our own.
const POLICY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.2");
