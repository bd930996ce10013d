//! A check that a JSON document means one thing only.
//!
//! A member that occurs twice is read as the first by some programs and as the last by others (RFC 8259 §4), so that what one of
//! them verifies is not what the other acts on. Documents with such members are refused before they are read.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// Checks that `bytes` are one JSON value in which no object has a member twice and nothing nests deeper than `max_depth`.
pub(crate) fn check(bytes: &[u8], max_depth: usize) -> Result<(), JsonError> {
    let mut objection = None;
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let walk = Walk { depth_left: max_depth, max_depth, objection: &mut objection };
    let result = walk.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    match (objection, result) {
        (Some(objection), _) => Err(objection),
        (None, result) => Ok(result?),
    }
}

/// Why bytes are not one unambiguous JSON value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// Not JSON.
    #[error("not valid JSON")]
    Syntax(#[from] serde_json::Error),
    /// A member that occurs twice in one object.
    #[error("JSON member {name:?} occurs twice in one object")]
    DuplicateMember {
        /// The member's name, shortened.
        name: String,
    },
    /// Nested deeper than the limit.
    #[error("JSON is nested deeper than {limit} levels")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
}

/// Visits every value; keeps only what it objects to.
struct Walk<'a> {
    depth_left: usize,
    max_depth: usize,
    objection: &'a mut Option<JsonError>,
}

impl Walk<'_> {
    fn deeper<E: serde::de::Error>(&mut self) -> Result<Walk<'_>, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => {
                Ok(Walk { depth_left, max_depth: self.max_depth, objection: &mut *self.objection })
            }
            None => Err(self.object(JsonError::TooDeep { limit: self.max_depth })),
        }
    }

    /// Notes the objection and makes the error that stops the reader.
    fn object<E: serde::de::Error>(&mut self, objection: JsonError) -> E {
        let error = E::custom(&objection);
        *self.objection = Some(objection);
        error
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self.deeper()?)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            members.next_value_seed(self.deeper()?)?;
            if let Some(name) = seen.replace(name) {
                let name = name.chars().take(100).collect();
                return Err(self.object(JsonError::DuplicateMember { name }));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_any_plain_value() {
        for text in ["null", "[1,-2,3.5,\"x\",true]", r#"{"a":{"b":1},"c":{"b":1}}"#] {
            check(text.as_bytes(), 8).unwrap();
        }
    }

    #[test]
    fn rejects_a_member_that_occurs_twice_at_any_depth() {
        for text in [r#"{"a":1,"a":2}"#, r#"[{"x":{"a":1,"\u0061":1}}]"#] {
            let error = check(text.as_bytes(), 8).unwrap_err();
            assert!(matches!(error, JsonError::DuplicateMember { name } if name == "a"), "{text}");
        }
    }

    #[test]
    fn rejects_what_is_too_deep_and_what_is_not_json() {
        assert!(matches!(check(b"[[[1]]]", 2), Err(JsonError::TooDeep { limit: 2 })));
        check(b"[[[1]]]", 3).unwrap();
        assert!(matches!(check(b"{} {}", 8), Err(JsonError::Syntax(_))));
        assert!(matches!(check(b"{", 8), Err(JsonError::Syntax(_))));
    }
}
