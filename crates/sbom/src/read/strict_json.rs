//! JSON that means one thing only: no member twice in one object, nothing nested without end.
//!
//! A member that occurs twice is read as the first by some programs and as the last by others (RFC 8259 §4).

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Reads one JSON value.
pub(crate) fn parse(bytes: &[u8], max_depth: usize) -> Result<Value, JsonError> {
    let mut objection = None;
    // serde_json has a limit of 128 levels of its own.
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let seed = Strict { depth_left: max_depth, max_depth, objection: &mut objection };
    let result = seed.deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
    match objection {
        Some(objection) => Err(objection),
        None => Ok(result?),
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

/// Makes a value; keeps what it objects to.
struct Strict<'a> {
    depth_left: usize,
    max_depth: usize,
    objection: &'a mut Option<JsonError>,
}

impl Strict<'_> {
    fn deeper<E: serde::de::Error>(&mut self) -> Result<Strict<'_>, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => {
                Ok(Strict { depth_left, max_depth: self.max_depth, objection: &mut *self.objection })
            }
            None => Err(self.object(JsonError::TooDeep { limit: self.max_depth })),
        }
    }

    fn object<E: serde::de::Error>(&mut self, objection: JsonError) -> E {
        let error = E::custom(&objection);
        *self.objection = Some(objection);
        error
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(self.deeper()?)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = object.next_key::<String>()? {
            if members.contains_key(&name) {
                let name = name.chars().take(64).collect();
                return Err(self.object(JsonError::DuplicateMember { name }));
            }
            let value = object.next_value_seed(self.deeper()?)?;
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_as_it_stands() {
        let text = r#"{"a":[1,-2,3.5,null,true,"x"],"b":{}}"#;
        assert_eq!(parse(text.as_bytes(), 8).unwrap().to_string(), text);
    }

    #[test]
    fn a_member_that_occurs_twice_is_refused() {
        let error = parse(br#"{"a":{"b":1,"b":2}}"#, 8).unwrap_err();
        assert!(matches!(error, JsonError::DuplicateMember { name } if name == "b"));
    }

    #[test]
    fn depth_is_limited() {
        assert!(parse(b"[[1]]", 2).is_ok());
        assert!(matches!(parse(b"[[[1]]]", 2), Err(JsonError::TooDeep { limit: 2 })));
    }

    #[test]
    fn what_is_not_json_is_refused() {
        assert!(matches!(parse(b"{", 8), Err(JsonError::Syntax(_))));
        assert!(matches!(parse(b"{} {}", 8), Err(JsonError::Syntax(_))));
    }
}
