//! What a provenance statement says, whichever version of SLSA it is written in.
//!
//! A fact that a build type does not state is absent, with the reason: nothing is guessed from similar-looking members.
//! Facts are claims. Whoever signed the statement answers for them, and `builder_id` is worth what that signer is.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};
use touchmark_attestation::{ResourceDescriptor, Statement, StatementError, predicate_types};
use touchmark_oci::Digest;

use crate::{BuildType, CommitId, Provenance, ProvenanceV02, SourceLocation, SourceUri, SourceUriError};

/// The versions of the provenance predicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlsaVersion {
    /// `https://slsa.dev/provenance/v0.2`.
    V02,
    /// `https://slsa.dev/provenance/v1`.
    V1,
}

/// What a provenance statement says.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct BuildFacts {
    /// The version it was written in.
    pub version: SlsaVersion,
    /// Who says to have built it. Compare whole.
    pub builder_id: String,
    /// How to read the parameters. Compare whole.
    pub build_type: String,
    /// The repository that was built, or why that is not known.
    pub source: Result<Source, SourceGap>,
    /// The workflow file, job or build file that was run, where the build type names one.
    pub entry_point: Option<String>,
    /// What went into the build.
    pub materials: Vec<ResourceDescriptor>,
    /// What a user of the builder could choose (SLSA 1 only).
    pub external_parameters: Map<String, Value>,
    /// The builder's name for this run.
    pub invocation_id: Option<String>,
    /// When the build began.
    pub started_on: Option<Timestamp>,
    /// When the build ended.
    pub finished_on: Option<Timestamp>,
}

/// The repository that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Source {
    /// Which repository.
    pub uri: SourceUri,
    /// Which branch or tag, as the builder wrote it, such as `refs/heads/main`.
    pub git_ref: Option<String>,
    /// Which commit.
    pub commit: Option<CommitId>,
}

/// Why the source of a build is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceGap {
    /// Touchmark does not know which parameter of this build type is the source.
    #[error("build type {build_type:?} is not known, so its source cannot be read")]
    UnknownBuildType {
        /// The build type.
        build_type: String,
    },
    /// The build type has a member for the source, and it is not there.
    #[error("provenance has no {member}")]
    NotStated {
        /// The member.
        member: &'static str,
    },
    /// The source is there and names no repository.
    #[error("{member} of the provenance is not a repository")]
    Malformed {
        /// The member.
        member: &'static str,
        /// What is wrong with it.
        source: SourceUriError,
    },
}

impl BuildFacts {
    /// Reads the facts of a provenance statement of either version.
    ///
    /// # Errors
    /// [`StatementError::PredicateType`] when it is no provenance, [`StatementError::Predicate`] when it is malformed.
    pub fn of(statement: &Statement) -> Result<Self, StatementError> {
        if statement.predicate_type() == predicate_types::SLSA_PROVENANCE_V02 {
            let narrowed = statement.narrow::<ProvenanceV02>()?;
            return narrowed.predicate().map(Self::of_v02).ok_or_else(|| not_provenance(statement));
        }
        match statement.narrow::<Provenance>() {
            Ok(narrowed) => narrowed.predicate().map(Self::of_v1).ok_or_else(|| not_provenance(statement)),
            Err(StatementError::PredicateType { .. }) => Err(not_provenance(statement)),
            Err(error) => Err(error),
        }
    }

    /// Whether one of the materials has `digest`.
    pub fn has_material(&self, digest: &Digest) -> bool {
        self.materials.iter().any(|material| material.has_digest(digest))
    }

    /// The materials that come from `repository`, each with its commit where stated. Weaker than [`BuildFacts::source`]: it
    /// says that the repository was used, not that it is what was built.
    pub fn materials_from(&self, repository: &SourceUri) -> Vec<Source> {
        let locations = self.materials.iter().filter_map(|material| Some((material, location_of(material)?)));
        locations
            .filter(|(_, location)| location.uri == *repository)
            .map(|(material, location)| Source::at(location, commit_in(&material.digest)))
            .collect()
    }

    fn of_v1(provenance: &Provenance) -> Self {
        let definition = &provenance.build_definition;
        let metadata = provenance.run_details.metadata.clone().unwrap_or_default();
        let mut facts = Self {
            version: SlsaVersion::V1,
            builder_id: provenance.run_details.builder.id.clone(),
            build_type: definition.build_type.clone(),
            source: Err(SourceGap::UnknownBuildType { build_type: definition.build_type.clone() }),
            entry_point: None,
            materials: definition.resolved_dependencies.clone(),
            external_parameters: definition.external_parameters.clone(),
            invocation_id: metadata.invocation_id,
            started_on: metadata.started_on,
            finished_on: metadata.finished_on,
        };
        if let Some(build_type) = BuildType::recognise(&definition.build_type) {
            facts.entry_point = entry_point_v1(build_type, &definition.external_parameters);
            facts.source = facts.source_v1(build_type);
        }
        facts
    }

    fn source_v1(&self, build_type: BuildType) -> Result<Source, SourceGap> {
        let parameters = &self.external_parameters;
        let (member, uri, git_ref) = match build_type {
            BuildType::GitHubWorkflow => {
                let of_workflow = |name: &str| text_at(parameters, &["workflow", name]);
                ("externalParameters.workflow.repository", of_workflow("repository"), of_workflow("ref"))
            }
            BuildType::GitLabJob => ("externalParameters.source", text_at(parameters, &["source"]), None),
            BuildType::BuildKit => {
                ("externalParameters.configSource.uri", text_at(parameters, &["configSource", "uri"]), None)
            }
            BuildType::Local => ("externalParameters.source", text_at(parameters, &["source"]), None),
            BuildType::SlsaGitHubGenerator => ("externalParameters.source", None, None),
        };
        let mut location = parse_location(member, uri)?;
        if git_ref.is_some() {
            location.git_ref = git_ref.map(str::to_owned);
        }
        let stated = text_map_at(parameters, &["configSource", "digest"]);
        let commit = stated.as_ref().and_then(commit_in);
        Ok(self.completed(location, commit))
    }

    fn of_v02(provenance: &ProvenanceV02) -> Self {
        let config = provenance.invocation.as_ref().and_then(|invocation| invocation.config_source.as_ref());
        let metadata = provenance.metadata.as_ref();
        let mut facts = Self {
            version: SlsaVersion::V02,
            builder_id: provenance.builder.id.clone(),
            build_type: provenance.build_type.clone(),
            source: Err(SourceGap::UnknownBuildType { build_type: provenance.build_type.clone() }),
            entry_point: config.and_then(|config| config.entry_point.clone()),
            materials: provenance.materials.clone().unwrap_or_default(),
            external_parameters: Map::new(),
            invocation_id: metadata.and_then(|metadata| metadata.build_invocation_id.clone()),
            started_on: metadata.and_then(|metadata| metadata.build_started_on),
            finished_on: metadata.and_then(|metadata| metadata.build_finished_on),
        };
        // Elsewhere `configSource` is where the build's definition came from, which need not be what was built (Tekton).
        if BuildType::recognise(&provenance.build_type).is_some() {
            let uri = config.and_then(|config| config.uri.as_deref());
            let commit = config.and_then(|config| config.digest.as_ref()).and_then(commit_in);
            facts.source = parse_location("invocation.configSource.uri", uri)
                .map(|location| facts.completed(location, commit));
        }
        facts
    }

    /// The source with what only a material says: its commit, and for builders that put the ref there, its ref.
    fn completed(&self, location: SourceLocation, commit: Option<CommitId>) -> Source {
        let mut source = Source::at(location, commit);
        let same_place: Vec<Source> = self.materials_from(&source.uri);
        let same_ref = |material: &&Source| source.git_ref.is_none() || material.git_ref == source.git_ref;
        let mut candidates = same_place.iter().filter(same_ref);
        // Two materials from the repository that was built: the statement does not say which of them was.
        if let (Some(material), None) = (candidates.next(), candidates.next()) {
            let (git_ref, commit) = (material.git_ref.clone(), material.commit.clone());
            source.git_ref = source.git_ref.or(git_ref);
            source.commit = source.commit.or(commit);
        }
        source
    }
}

impl Source {
    fn at(location: SourceLocation, commit: Option<CommitId>) -> Self {
        Self { uri: location.uri, git_ref: location.git_ref, commit }
    }
}

fn not_provenance(statement: &Statement) -> StatementError {
    StatementError::PredicateType { found: statement.predicate_type().to_owned(), wanted: PROVENANCE_TYPES }
}

const PROVENANCE_TYPES: &[&str] =
    &[predicate_types::SLSA_PROVENANCE_V1, predicate_types::SLSA_PROVENANCE_V02];

fn entry_point_v1(build_type: BuildType, parameters: &Map<String, Value>) -> Option<String> {
    let path: &[&str] = match build_type {
        BuildType::GitHubWorkflow => &["workflow", "path"],
        BuildType::GitLabJob => &["entryPoint"],
        BuildType::BuildKit => &["configSource", "path"],
        BuildType::SlsaGitHubGenerator | BuildType::Local => return None,
    };
    text_at(parameters, path).map(str::to_owned)
}

fn parse_location(member: &'static str, text: Option<&str>) -> Result<SourceLocation, SourceGap> {
    let text = text.filter(|text| !text.is_empty()).ok_or(SourceGap::NotStated { member })?;
    text.parse().map_err(|source| SourceGap::Malformed { member, source })
}

fn location_of(material: &ResourceDescriptor) -> Option<SourceLocation> {
    material.uri.as_deref()?.parse().ok()
}

/// The commit of a git material. GitLab's runner writes its SHA-1 under the name `sha256`; the length tells
/// ([gitlab-runner, artifact_metadata.go](https://gitlab.com/gitlab-org/gitlab-runner/-/blob/v17.5.0/commands/helpers/artifact_metadata.go)).
fn commit_in(digest: &BTreeMap<String, String>) -> Option<CommitId> {
    let named = ["gitCommit", "sha1"].iter().find_map(|name| digest.get(*name));
    let misnamed = || digest.get("sha256").filter(|value| value.len() == 40);
    named.or_else(misnamed)?.parse().ok()
}

fn value_at<'a>(parameters: &'a Map<String, Value>, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(parameters.get(*first)?, |value, name| value.get(name))
}

fn text_at<'a>(parameters: &'a Map<String, Value>, path: &[&str]) -> Option<&'a str> {
    value_at(parameters, path)?.as_str()
}

fn text_map_at(parameters: &Map<String, Value>, path: &[&str]) -> Option<BTreeMap<String, String>> {
    let entries = value_at(parameters, path)?.as_object()?.iter();
    Some(entries.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect())
}
