//! The variables of a CI job, read by name.
//!
//! A job's environment is full of secrets, so nothing is copied from it: each generator asks for the variables it knows, and
//! the names it asks for are `&'static str` in this crate. What is not asked for by name cannot reach a statement.

use std::collections::BTreeMap;

use crate::GenerateError;

/// Reads named variables and remembers which of the required ones are missing.
pub(crate) struct Environment<'a> {
    variables: &'a BTreeMap<String, String>,
    missing: Vec<&'static str>,
}

impl<'a> Environment<'a> {
    pub(crate) fn new(variables: &'a BTreeMap<String, String>) -> Self {
        Self { variables, missing: Vec::new() }
    }

    /// The value of a variable that may be absent. Empty is absent, as CI systems use it.
    pub(crate) fn optional(&self, name: &'static str) -> Option<&'a str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The value of a variable that must be there; an absent one is empty until [`Environment::complete`] says so.
    pub(crate) fn required(&mut self, name: &'static str) -> &'a str {
        self.optional(name).unwrap_or_else(|| {
            self.missing.push(name);
            ""
        })
    }

    /// Fails, naming each variable that was required and is missing.
    pub(crate) fn complete(&mut self) -> Result<(), GenerateError> {
        match std::mem::take(&mut self.missing) {
            names if names.is_empty() => Ok(()),
            names => Err(GenerateError::MissingVariables { names }),
        }
    }
}
