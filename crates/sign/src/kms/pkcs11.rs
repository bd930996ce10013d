//! Hardware tokens by [PKCS#11 2.40](https://docs.oasis-open.org/pkcs11/pkcs11-base/v2.40/pkcs11-base-v2.40.html), through the module
//! that the URI or `COSIGN_PKCS11_MODULE_PATH` names. A module is foreign code that runs within this process: whoever chooses the
//! reference chooses it.
//!
//! A module is initialized once in a process, so one operation runs at a time, off the async threads, and leaves nothing open.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use touchmark_sigstore::{KeyAlgorithm, PublicKey};
use zeroize::Zeroizing;

use super::der::{Curve, curve_key, ecdsa_signature, rsa_key};
use super::{Environment, KmsError, Order, Service};
use crate::pkcs11_uri::Pkcs11Uri;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
/// `CKA_EC_PARAMS`: the names of the curves in DER, Ed25519 also as SoftHSM and older modules write it (PKCS#11 3.0 §2.3.10).
const CURVES: [(&[u8], Curve, usize); 4] = [
    (&[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07], Curve::P256, 65),
    (&[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22], Curve::P384, 97),
    (&[0x06, 0x03, 0x2b, 0x65, 0x70], Curve::Ed25519, 32),
    (b"\x13\x0cedwards25519", Curve::Ed25519, 32),
];

/// A key in a token.
pub(super) struct Token(Arc<Place>);

struct Place {
    uri: Pkcs11Uri,
    module: PathBuf,
    pin: Option<Zeroizing<String>>,
}

impl Token {
    pub(super) fn new(uri: &Pkcs11Uri, environment: &Environment) -> Result<Self, KmsError> {
        let module = match uri.module_path() {
            Some(path) => path.to_owned(),
            None => PathBuf::from(environment.require("COSIGN_PKCS11_MODULE_PATH")?.as_str()),
        };
        let pin = uri.pin.clone().or_else(|| environment.value("COSIGN_PKCS11_PIN"));
        Ok(Self(Arc::new(Place { uri: uri.clone(), module, pin })))
    }

    pub(super) async fn public_key(&self) -> Result<PublicKey, KmsError> {
        let der = self.with_session(Place::public_der).await?;
        PublicKey::from_der(&der).map_err(|source| KmsError::PublicKey { service: Service::Pkcs11, source })
    }

    pub(super) async fn sign(&self, order: Order<'_>) -> Result<Vec<u8>, KmsError> {
        let algorithm = order.algorithm;
        let input = match (algorithm, order.digest()) {
            (KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384, Some(digest)) => digest.as_ref().to_vec(),
            _ => order.message.to_vec(),
        };
        self.with_session(move |place, session| place.sign(session, algorithm, &input)).await
    }

    async fn with_session<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Place, &Session) -> Result<T, KmsError> + Send + 'static,
    ) -> Result<T, KmsError> {
        let place = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || {
            // What a poisoned lock protects is nothing.
            let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
            let session = place.open()?;
            work(&place, &session)
        });
        match done.await {
            Ok(result) => result,
            Err(source) => Err(KmsError::Token { module: self.0.module.clone(), source: source.into() }),
        }
    }
}

impl Place {
    fn failed(&self, source: cryptoki::error::Error) -> KmsError {
        KmsError::Token { module: self.module.clone(), source: source.into() }
    }

    fn open(&self) -> Result<Session, KmsError> {
        let failed = |source| self.failed(source);
        let module = Pkcs11::new(&self.module).map_err(failed)?;
        module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).map_err(failed)?;
        let session = module.open_ro_session(self.slot(&module)?).map_err(failed)?;
        if let Some(pin) = &self.pin {
            session.login(UserType::User, Some(&AuthPin::from(pin.to_string()))).map_err(failed)?;
        }
        Ok(session)
    }

    /// The one token that has all that the URI says.
    fn slot(&self, module: &Pkcs11) -> Result<Slot, KmsError> {
        let failed = |source| self.failed(source);
        let mut matching = Vec::new();
        for slot in module.get_slots_with_initialized_token().map_err(failed)? {
            let token = module.get_token_info(slot).map_err(failed)?;
            let is = |wanted: &Option<String>, found: &str| {
                wanted.as_deref().is_none_or(|wanted| wanted == found.trim_end())
            };
            let fits = self.uri.slot_id.is_none_or(|id| id == slot.id())
                && is(&self.uri.token, token.label())
                && is(&self.uri.serial, token.serial_number())
                && is(&self.uri.manufacturer, token.manufacturer_id())
                && is(&self.uri.model, token.model());
            matching.extend(fits.then_some(slot));
        }
        one(&matching, "tokens")
    }

    fn object(
        &self,
        session: &Session,
        class: ObjectClass,
        what: &'static str,
    ) -> Result<ObjectHandle, KmsError> {
        let mut template = vec![Attribute::Class(class)];
        template.extend(self.uri.object.as_ref().map(|label| Attribute::Label(label.as_bytes().to_vec())));
        template.extend(self.uri.id.as_ref().map(|id| Attribute::Id(id.clone())));
        one(&session.find_objects(&template).map_err(|source| self.failed(source))?, what)
    }

    fn public_der(&self, session: &Session) -> Result<Vec<u8>, KmsError> {
        let key = self.object(session, ObjectClass::PUBLIC_KEY, "public keys")?;
        let wanted = [
            AttributeType::EcParams,
            AttributeType::EcPoint,
            AttributeType::Modulus,
            AttributeType::PublicExponent,
        ];
        let (mut params, mut point, mut modulus, mut exponent) = (None, None, None, None);
        for attribute in session.get_attributes(key, &wanted).map_err(|source| self.failed(source))? {
            match attribute {
                Attribute::EcParams(value) => params = Some(value),
                Attribute::EcPoint(value) => point = Some(value),
                Attribute::Modulus(value) => modulus = Some(value),
                Attribute::PublicExponent(value) => exponent = Some(value),
                _ => {}
            }
        }
        let unusable = KmsError::Field { service: Service::Pkcs11, field: "public key" };
        match (params, point, modulus, exponent) {
            (Some(params), Some(point), _, _) => curve_der(&params, &point).ok_or(unusable),
            (_, _, Some(modulus), Some(exponent)) => Ok(rsa_key(&modulus, &exponent)),
            _ => Err(unusable),
        }
    }

    fn sign(&self, session: &Session, algorithm: KeyAlgorithm, input: &[u8]) -> Result<Vec<u8>, KmsError> {
        let mechanism = match algorithm {
            KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 => Mechanism::Ecdsa,
            KeyAlgorithm::Ed25519 => Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Ed25519)),
            KeyAlgorithm::Rsa { .. } => Mechanism::Sha256RsaPkcs,
            algorithm => return Err(KmsError::Format { algorithm }),
        };
        let key = self.object(session, ObjectClass::PRIVATE_KEY, "private keys")?;
        let signature = session.sign(&mechanism, key, input).map_err(|source| self.failed(source))?;
        match mechanism {
            Mechanism::Ecdsa => ecdsa_signature(&signature)
                .ok_or(KmsError::Field { service: Service::Pkcs11, field: "signature" }),
            _ => Ok(signature),
        }
    }
}

fn one<T: Copy>(found: &[T], what: &'static str) -> Result<T, KmsError> {
    match found {
        [only] => Ok(*only),
        others => Err(KmsError::Ambiguous { what, found: others.len() }),
    }
}

/// The point is the content of an OCTET STRING; some modules give the content alone.
fn curve_der(params: &[u8], point: &[u8]) -> Option<Vec<u8>> {
    let (_, curve, length) = CURVES.into_iter().find(|(name, _, _)| *name == params)?;
    let content = match point {
        [0x04, size, content @ ..] if usize::from(*size) == content.len() => content,
        content => content,
    };
    (content.len() == length).then(|| curve_key(curve, content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_come_wrapped_and_bare() {
        let (params, _, _) = CURVES[0];
        let bare = [4_u8; 65];
        let wrapped = [&[4, 65], &bare[..]].concat();
        assert_eq!(curve_der(params, &bare), curve_der(params, &wrapped));
        assert!(curve_der(params, &bare).is_some());
        assert_eq!(curve_der(params, &bare[1..]), None);
        assert_eq!(curve_der(b"another", &bare), None);
    }

    #[test]
    fn one_is_neither_none_nor_several() {
        assert_eq!(one(&[7], "x").unwrap(), 7);
        for found in [&[][..], &[1, 2]] {
            assert!(matches!(one(found, "x"), Err(KmsError::Ambiguous { .. })));
        }
    }
}
