//! `-a NAME=VALUE`.

use std::collections::BTreeMap;
use std::str::FromStr;

/// One annotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Annotation {
    name: String,
    value: String,
}

impl FromStr for Annotation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                Ok(Self { name: name.to_owned(), value: value.to_owned() })
            }
            _ => Err(format!("{text:?} is not an annotation, expected NAME=VALUE")),
        }
    }
}

/// The annotations by name; of one given twice, the last.
pub(crate) fn to_map(annotations: &[Annotation]) -> BTreeMap<String, String> {
    annotations.iter().map(|annotation| (annotation.name.clone(), annotation.value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_may_hold_an_equals_sign_and_the_name_must_be_there() {
        let annotation: Annotation = "a=b=c".parse().unwrap();
        assert_eq!(to_map(&[annotation]), BTreeMap::from([("a".to_owned(), "b=c".to_owned())]));
        assert!("=x".parse::<Annotation>().is_err());
        assert!("x".parse::<Annotation>().is_err());
    }
}
