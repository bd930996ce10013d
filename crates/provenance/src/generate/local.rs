//! Somebody's machine: the fallback. The builder's id says so, and promises nothing.

use std::collections::BTreeMap;

use serde_json::{Map, json};

use super::{Described, GenerateError, Platform, checkout};
use crate::{BuildType, GitFacts};

pub(super) fn describe(git: Option<&GitFacts>) -> Result<Described, GenerateError> {
    let source = git.map(checkout).transpose()?;
    let place = source.as_ref().and_then(|source| source.uri.clone());
    let parameters = place.map(|uri| ("source".to_owned(), json!(uri)));
    Ok(Described {
        build_type: BuildType::LOCAL.to_owned(),
        external_parameters: Map::from_iter(parameters),
        internal_parameters: Map::new(),
        builder_id: Platform::LOCAL_BUILDER.to_owned(),
        builder_version: BTreeMap::from([("touchmark".to_owned(), env!("CARGO_PKG_VERSION").to_owned())]),
        invocation_id: None,
        source,
    })
}
