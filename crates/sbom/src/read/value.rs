//! Short ways to look into JSON values.

use serde_json::Value;

use super::{Problem, ReadError};

/// The text of a member, without text that says nothing.
pub(super) fn text(value: &Value, member: &str) -> Option<String> {
    let text = value.get(member)?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

/// The items of a member that is a list.
pub(super) fn list<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value.get(member).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The text of a member that must be there.
pub(super) fn required(value: &Value, member: &'static str, path: &str) -> Result<String, ReadError> {
    match value.get(member) {
        None => Err(ReadError::invalid(path, Problem::Missing { name: member })),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => {
            Err(ReadError::invalid(format!("{path}/{member}"), Problem::WrongType { expected: "a text" }))
        }
    }
}
