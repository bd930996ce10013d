//! The `ImagePolicy` document as people write it. Nothing in it is checked beyond its shape; [`PolicyDocument::check`] does that.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::location::Located;
use crate::{DocumentError, Limits, yaml};

/// The version of the documents that this crate reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum ApiVersion {
    #[serde(rename = "touchmark.dev/v1alpha1")]
    V1Alpha1,
}

/// A policy as written.
#[derive(Debug, Clone)]
pub struct PolicyDocument {
    pub(crate) file: Arc<str>,
    pub(crate) written: Written,
}

impl PolicyDocument {
    /// Reads the one document of a file. `file` is what the file is called in errors.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn parse(text: &str, file: &str, limits: &Limits) -> Result<Self, DocumentError> {
        let file: Arc<str> = file.into();
        let written = yaml::parse_one(text, &file, limits)?;
        Ok(Self { file, written })
    }

    /// Reads all documents of a file. There is at least one.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn parse_all(text: &str, file: &str, limits: &Limits) -> Result<Vec<Self>, DocumentError> {
        let file: Arc<str> = file.into();
        let documents = yaml::parse_all(text, &file, limits)?;
        Ok(documents.into_iter().map(|written| Self { file: file.clone(), written }).collect())
    }

    /// What the policy is called.
    pub fn name(&self) -> &str {
        &self.written.metadata.name.value
    }

    /// The key files that the document names, as written: relative to the document.
    pub fn key_files(&self) -> impl Iterator<Item = &str> {
        let signers = self.written.spec.signers.iter();
        let keys = signers.flat_map(|signer| {
            signer.value.key.iter().chain(signer.value.keys.iter().flat_map(|keys| &keys.value))
        });
        keys.filter_map(|key| key.value.file.as_ref()).map(|file| file.value.as_str())
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Written {
    #[expect(dead_code, reason = "there is one version; reading it refuses all others")]
    api_version: ApiVersion,
    #[expect(dead_code, reason = "there is one kind; reading it refuses all others")]
    kind: Kind,
    pub(crate) metadata: Metadata,
    pub(crate) spec: Spec,
}

#[derive(Debug, Clone, Copy, Deserialize)]
enum Kind {
    ImagePolicy,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Metadata {
    pub(crate) name: Located<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Spec {
    #[serde(default)]
    pub(crate) mode: Mode,
    pub(crate) images: Located<Vec<ImagePattern>>,
    #[serde(default)]
    pub(crate) no_match: Option<Located<NoMatch>>,
    #[serde(default)]
    pub(crate) signers: Vec<Located<SignerSpec>>,
    #[serde(default)]
    pub(crate) witnesses: Vec<Located<String>>,
    #[serde(default)]
    pub(crate) proof: Option<ProofSpec>,
    pub(crate) require: Located<Vec<Located<RequirementSpec>>>,
}

/// What a policy does with an image that fails it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Mode {
    /// Denies it.
    #[default]
    Enforce,
    /// Lets it pass with a warning.
    Warn,
}

/// What an image gets that no policy of the set matches. Ordered from lenient to strict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoMatch {
    /// It passes.
    Allow,
    /// It passes with a warning.
    Warn,
    /// It is denied.
    #[default]
    Deny,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ImagePattern {
    pub(crate) glob: Located<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SignerSpec {
    pub(crate) name: Located<String>,
    #[serde(default)]
    pub(crate) key: Option<Located<KeySpec>>,
    #[serde(default)]
    pub(crate) keys: Option<Located<Vec<Located<KeySpec>>>>,
    #[serde(default)]
    pub(crate) identity: Option<Located<IdentitySpec>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct IdentitySpec {
    #[serde(default)]
    pub(crate) subject: Option<Located<String>>,
    #[serde(default)]
    pub(crate) subject_reg_exp: Option<Located<String>>,
    #[serde(default)]
    pub(crate) issuer: Option<Located<String>>,
    #[serde(default)]
    pub(crate) issuer_reg_exp: Option<Located<String>>,
    #[serde(default)]
    pub(crate) extensions: BTreeMap<String, Located<String>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ProofSpec {
    #[serde(default)]
    pub(crate) log: Option<u8>,
    #[serde(default)]
    pub(crate) promise: Option<u8>,
    #[serde(default)]
    pub(crate) timestamp: Option<u8>,
    #[serde(default)]
    pub(crate) sct: bool,
    #[serde(default)]
    pub(crate) witnesses: Option<Located<u8>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct KeySpec {
    #[serde(default)]
    pub(crate) file: Option<Located<String>>,
    #[serde(default)]
    pub(crate) data: Option<Located<String>>,
    #[serde(default)]
    pub(crate) valid_from: Option<Located<String>>,
    #[serde(default)]
    pub(crate) valid_until: Option<Located<String>>,
    #[serde(default)]
    pub(crate) undated: Option<Located<bool>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RequirementSpec {
    pub(crate) name: Located<String>,
    #[serde(default)]
    pub(crate) signature: Option<SignatureSpec>,
    #[serde(default)]
    pub(crate) attestation: Option<AttestationSpec>,
    #[serde(default)]
    pub(crate) provenance: Option<ProvenanceSpec>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SignatureSpec {
    pub(crate) by: Located<Vec<Located<String>>>,
    #[serde(default)]
    pub(crate) at_least: Option<Located<u32>>,
    #[serde(default)]
    pub(crate) annotations: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AttestationSpec {
    #[serde(rename = "type")]
    pub(crate) predicate_type: Located<String>,
    pub(crate) by: Located<Vec<Located<String>>>,
    #[serde(default)]
    pub(crate) at_least: Option<Located<u32>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ProvenanceSpec {
    pub(crate) by: Located<Vec<Located<String>>>,
    #[serde(default)]
    pub(crate) at_least: Option<Located<u32>>,
    pub(crate) builder: Located<BuilderSpec>,
    #[serde(default)]
    pub(crate) build_type: Option<Located<String>>,
    #[serde(default)]
    pub(crate) source: Option<Located<SourceSpec>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct BuilderSpec {
    #[serde(default)]
    pub(crate) id: Option<Located<String>>,
    #[serde(default)]
    pub(crate) id_glob: Option<Located<String>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SourceSpec {
    pub(crate) uri: Located<String>,
    #[serde(default, rename = "ref")]
    pub(crate) git_ref: Option<Located<String>>,
    #[serde(default)]
    pub(crate) ref_glob: Option<Located<String>>,
    #[serde(default)]
    pub(crate) commit: Option<Located<String>>,
}
