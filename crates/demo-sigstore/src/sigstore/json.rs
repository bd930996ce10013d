//! JSON as it comes in and as it is signed.

use serde_json::Value;

use super::Refusal;

pub(super) fn parse(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::bad_request(format!("not JSON: {error}")))
}

/// The string at a JSON pointer.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> Result<&'a str, Refusal> {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .ok_or_else(|| Refusal::bad_request(format!("no text at {pointer}")))
}

/// JSON as it is signed: no white space, names in order. What is written here are short ASCII names, whole numbers and
/// text without control characters, for which RFC 8785 and TUF's canonical JSON ask no more than that.
pub(super) fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by_key(|(name, _)| name.as_str());
            let written = sorted
                .iter()
                .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), canonical(value)));
            format!("{{{}}}", written.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}
