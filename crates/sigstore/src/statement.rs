//! The statements that are accepted: for those who verify them and for those who sign them.

use touchmark_attestation::{Statement, StatementError};

use crate::{JsonError, Limits, json};

/// Reads a statement by the rules of the verifier. Whoever signs one applies them too, since nobody could verify it otherwise.
/// Says nothing about who made it.
///
/// # Errors
/// [`PayloadError`]: JSON that means different things to different readers, or no statement.
pub fn parse_statement(bytes: &[u8], limits: &Limits) -> Result<Statement, PayloadError> {
    json::check(bytes, limits.max_json_depth)?;
    Ok(Statement::parse(bytes, &limits.attestation)?)
}

/// Why a payload is no statement.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// JSON that means different things to different readers.
    #[error("statement is not readable")]
    Json(#[from] JsonError),
    /// Not a statement.
    #[error(transparent)]
    Statement(#[from] StatementError),
}
