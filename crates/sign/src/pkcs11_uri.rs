//! `pkcs11:` URIs ([RFC 7512 §2.3](https://www.rfc-editor.org/rfc/rfc7512#section-2.3)), as far as they name a key to sign with.
//!
//! Attributes that are not known are refused, where the RFC lets a reader choose: a key that was not meant must not sign. The PIN is
//! never shown. It performs no I/O.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use zeroize::Zeroizing;

use crate::percent;

/// A key in a hardware token.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Pkcs11Uri {
    pub(crate) token: Option<String>,
    pub(crate) serial: Option<String>,
    pub(crate) manufacturer: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) slot_id: Option<u64>,
    pub(crate) object: Option<String>,
    pub(crate) id: Option<Vec<u8>>,
    pub(crate) module_path: Option<PathBuf>,
    pub(crate) pin: Option<Zeroizing<String>>,
}

impl Pkcs11Uri {
    /// The module that the URI names.
    pub fn module_path(&self) -> Option<&Path> {
        self.module_path.as_deref()
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Pkcs11UriError> {
        let invalid = || Pkcs11UriError::Value { attribute: name.to_owned() };
        let bytes = percent::decode(value).filter(|bytes| !bytes.is_empty()).ok_or_else(invalid)?;
        let text = || String::from_utf8(bytes.clone()).map_err(|_| invalid());
        let repeated = match name {
            "token" => self.token.replace(text()?).is_some(),
            "serial" => self.serial.replace(text()?).is_some(),
            "manufacturer" => self.manufacturer.replace(text()?).is_some(),
            "model" => self.model.replace(text()?).is_some(),
            "slot-id" => self.slot_id.replace(text()?.parse().map_err(|_| invalid())?).is_some(),
            "object" => self.object.replace(text()?).is_some(),
            "id" => self.id.replace(bytes).is_some(),
            "module-path" => self.module_path.replace(PathBuf::from(text()?)).is_some(),
            "pin-value" => self.pin.replace(Zeroizing::new(text()?)).is_some(),
            "type" => text()? != "private",
            _ => return Err(Pkcs11UriError::Attribute { attribute: name.to_owned() }),
        };
        if repeated { Err(invalid()) } else { Ok(()) }
    }
}

impl FromStr for Pkcs11Uri {
    type Err = Pkcs11UriError;

    fn from_str(text: &str) -> Result<Self, Pkcs11UriError> {
        let rest = text.strip_prefix("pkcs11:").ok_or(Pkcs11UriError::Scheme)?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut uri = Self::default();
        let path = path.split(';').map(|pair| (pair, false));
        let query = query.split('&').map(|pair| (pair, true));
        for (pair, in_query) in path.chain(query).filter(|(pair, _)| !pair.is_empty()) {
            let (name, value) = pair
                .split_once('=')
                // Not the text: it may be a PIN.
                .ok_or(Pkcs11UriError::NoValue)?;
            if in_query != matches!(name, "module-path" | "pin-value") {
                return Err(Pkcs11UriError::Attribute { attribute: name.to_owned() });
            }
            uri.set(name, value)?;
        }
        if uri.object.is_none() && uri.id.is_none() {
            return Err(Pkcs11UriError::NoObject);
        }
        Ok(uri)
    }
}

/// Without the PIN.
impl fmt::Display for Pkcs11Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slot = self.slot_id.map(|slot| slot.to_string());
        let text = [
            ("token", &self.token),
            ("serial", &self.serial),
            ("manufacturer", &self.manufacturer),
            ("model", &self.model),
            ("slot-id", &slot),
            ("object", &self.object),
        ];
        let mut parts: Vec<String> = text
            .into_iter()
            .filter_map(|(name, value)| {
                value.as_ref().map(|value| format!("{name}={}", percent::encode(value)))
            })
            .collect();
        if let Some(id) = &self.id {
            let id: String = id.iter().map(|byte| format!("%{byte:02X}")).collect();
            parts.push(format!("id={id}"));
        }
        write!(f, "pkcs11:{}", parts.join(";"))?;
        if let Some(module) = self.module_path.as_deref().and_then(Path::to_str) {
            write!(f, "?module-path={}", percent::encode(module))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Pkcs11Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is no `pkcs11:` URI that names a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Pkcs11UriError {
    /// Another scheme.
    #[error("no pkcs11: at the beginning")]
    Scheme,
    /// A part without `=`.
    #[error("an attribute has no value, expected NAME=VALUE")]
    NoValue,
    /// An attribute that is not known, or not in that place.
    #[error("attribute {attribute:?} is not known in that place")]
    Attribute {
        /// Its name.
        attribute: String,
    },
    /// A value that the attribute cannot have, or a second one.
    #[error("value of {attribute:?} is not valid or not the only one")]
    Value {
        /// Its name.
        attribute: String,
    },
    /// Neither `object` nor `id`.
    #[error("no key is named, expected object=LABEL or id=%01%02")]
    NoObject,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pin_is_read_and_never_shown() {
        let text =
            "pkcs11:token=my%20token;slot-id=7;object=k;id=%01%AB?module-path=%2Flib.so&pin-value=12%3634";
        let uri: Pkcs11Uri = text.parse().unwrap();
        assert_eq!(uri.pin.as_ref().unwrap().as_str(), "12634");
        assert_eq!(uri.token.as_deref(), Some("my token"));
        assert_eq!(uri.id.as_deref(), Some(&[1, 0xab][..]));
        assert_eq!(
            uri.to_string(),
            "pkcs11:token=my%20token;slot-id=7;object=k;id=%01%AB?module-path=%2Flib.so"
        );
        assert!(!format!("{uri:?}").contains("12634"));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let parse = |text: &str| text.parse::<Pkcs11Uri>().unwrap_err();
        assert_eq!(parse("x:object=a"), Pkcs11UriError::Scheme);
        assert_eq!(parse("pkcs11:token=a"), Pkcs11UriError::NoObject);
        assert_eq!(parse("pkcs11:object"), Pkcs11UriError::NoValue);
        for text in ["pkcs11:object=a;colour=b", "pkcs11:object=a;pin-value=1", "pkcs11:object=a?token=x"] {
            assert!(matches!(parse(text), Pkcs11UriError::Attribute { .. }), "{text}");
        }
        for text in [
            "pkcs11:object=a;object=b",
            "pkcs11:object=%",
            "pkcs11:object=",
            "pkcs11:object=a;slot-id=x",
            "pkcs11:object=a;type=cert",
        ] {
            assert!(matches!(parse(text), Pkcs11UriError::Value { .. }), "{text}");
        }
    }
}
