//! Provenance from the facts of a CI job.
//!
//! A job describes itself here, so what is written is worth what the key that signs it is: whoever controls the job controls
//! the statement. That is SLSA Build L1, or L2 where the platform keeps the key from the job's own steps
//! ([SLSA 1.1, security levels](https://slsa.dev/spec/v1.1/levels)).

mod github;
mod gitlab;
mod local;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde_json::{Map, Value};
use touchmark_attestation::{ResourceDescriptor, Statement, predicate_types};

use crate::environment::Environment;
use crate::material::git_descriptor;
use crate::{
    BuildDefinition, BuildMetadata, Builder, CommitError, GitFacts, Material, Provenance, RunDetails,
    SourceLocation, SourceUri, SourceUriError,
};

/// Where a build runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Platform {
    /// A job of GitHub Actions.
    GitHub,
    /// A job of GitLab CI.
    GitLab,
    /// Somebody's machine, or a CI system that Touchmark does not know. Proves nothing about isolation.
    Local,
}

impl Platform {
    /// The builder of a [`Platform::Local`] build.
    pub const LOCAL_BUILDER: &'static str = "https://touchmark.dev/builders/local/v1";

    /// Recognises the platform by the variables that it sets. What imitates GitHub Actions (act, Gitea, Forgejo) is local:
    /// its jobs do not run where their variables say.
    pub fn detect(environment: &BTreeMap<String, String>) -> Self {
        let set = |name: &str| environment.get(name).is_some_and(|value| value == "true");
        let imitated = ["ACT", "GITEA_ACTIONS", "FORGEJO_ACTIONS"].into_iter().any(set);
        match (set("GITHUB_ACTIONS") && !imitated, set("GITLAB_CI")) {
            (true, false) => Self::GitHub,
            (false, true) => Self::GitLab,
            _ => Self::Local,
        }
    }

    /// What a user must know about provenance from this platform.
    pub fn note(self) -> Option<&'static str> {
        match self {
            Self::Local => Some(
                "no known CI platform: the provenance names a local builder, which is somebody's machine and proves \
                 nothing about isolation",
            ),
            Self::GitHub | Self::GitLab => None,
        }
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        match text {
            "github" => Ok(Self::GitHub),
            "gitlab" => Ok(Self::GitLab),
            "local" => Ok(Self::Local),
            other => Err(PlatformError { text: other.chars().take(100).collect() }),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
            Self::Local => "local",
        })
    }
}

/// A name that is no platform's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("build platform {text:?} is not known, expected github, gitlab or local")]
pub struct PlatformError {
    text: String,
}

/// What a caller knows about a build.
#[derive(Debug, Clone, Default)]
pub struct BuildInputs {
    /// What was built. At least one, each with a digest.
    pub subjects: Vec<ResourceDescriptor>,
    /// What went into it beside the source.
    pub materials: Vec<Material>,
    /// What git says about the directory that was built from.
    pub git: Option<GitFacts>,
    /// When the build began.
    pub started_on: Option<Timestamp>,
    /// When the build ended.
    pub finished_on: Option<Timestamp>,
}

/// Writes the provenance of a build: a statement that nobody has signed yet. Equal inputs give equal statements.
///
/// Only the variables that the platform's build type calls for are read from `environment`.
///
/// # Errors
/// [`GenerateError`]: no subject, variables that are missing or malformed, or a subject without a digest.
pub fn generate(
    platform: Platform,
    environment: &BTreeMap<String, String>,
    inputs: &BuildInputs,
) -> Result<Statement<Provenance>, GenerateError> {
    if inputs.subjects.is_empty() {
        return Err(GenerateError::NoSubject);
    }
    if let Some(subject) = inputs.subjects.iter().find(|subject| subject.digest.is_empty()) {
        return Err(GenerateError::SubjectWithoutDigest { name: subject.name.clone().unwrap_or_default() });
    }
    let mut environment = Environment::new(environment);
    let described = match platform {
        Platform::GitHub => github::describe(&mut environment)?,
        Platform::GitLab => gitlab::describe(&mut environment)?,
        Platform::Local => local::describe(inputs.git.as_ref())?,
    };
    let predicate = described.complete(inputs)?;
    Ok(Statement::new(inputs.subjects.clone(), predicate_types::SLSA_PROVENANCE_V1, predicate))
}

/// What a platform's variables say.
struct Described {
    build_type: String,
    external_parameters: Map<String, Value>,
    internal_parameters: Map<String, Value>,
    builder_id: String,
    builder_version: BTreeMap<String, String>,
    invocation_id: Option<String>,
    source: Option<ResourceDescriptor>,
}

impl Described {
    fn complete(self, inputs: &BuildInputs) -> Result<Provenance, GenerateError> {
        let metadata = BuildMetadata {
            invocation_id: self.invocation_id,
            started_on: inputs.started_on,
            finished_on: inputs.finished_on,
        };
        let builder =
            Builder { id: self.builder_id, version: self.builder_version, builder_dependencies: Vec::new() };
        Ok(Provenance {
            build_definition: BuildDefinition {
                build_type: self.build_type,
                external_parameters: self.external_parameters,
                internal_parameters: self.internal_parameters,
                resolved_dependencies: dependencies(self.source, inputs)?,
            },
            run_details: RunDetails {
                builder,
                metadata: (metadata != BuildMetadata::default()).then_some(metadata),
                byproducts: Vec::new(),
            },
        })
    }
}

/// The source first, then the checkout where it is another one, then the materials in order, each once.
fn dependencies(
    source: Option<ResourceDescriptor>,
    inputs: &BuildInputs,
) -> Result<Vec<ResourceDescriptor>, GenerateError> {
    let mut found: Vec<ResourceDescriptor> = source.into_iter().collect();
    if let Some(git) = &inputs.git {
        add_checkout(&mut found, git)?;
    }
    let mut materials: Vec<_> = inputs.materials.iter().map(Material::to_descriptor).collect();
    materials.sort_by(|a, b| (&a.uri, &a.name, &a.digest).cmp(&(&b.uri, &b.name, &b.digest)));
    materials.dedup();
    materials.retain(|material| !found.contains(material));
    found.extend(materials);
    Ok(found)
}

/// Notes what is checked out: a changed directory is marked on the commit that it differs from.
fn add_checkout(found: &mut Vec<ResourceDescriptor>, git: &GitFacts) -> Result<(), GenerateError> {
    let checkout = checkout(git)?;
    let same = |known: &&mut ResourceDescriptor| known.digest == checkout.digest;
    match found.iter_mut().find(same) {
        Some(known) => known.annotations.extend(checkout.annotations),
        None => found.push(checkout),
    }
    Ok(())
}

/// The commit that is checked out, as a statement has it.
fn checkout(git: &GitFacts) -> Result<ResourceDescriptor, GenerateError> {
    let uri = match git.remote.as_deref().map(str::parse::<SourceLocation>) {
        Some(Ok(location)) => Some(location.uri),
        // A path on this machine is no place for anybody else.
        None | Some(Err(SourceUriError::Scheme { .. })) => None,
        Some(Err(source)) => return Err(GenerateError::Remote { source }),
    };
    let place = match (&uri, &git.git_ref) {
        (Some(uri), Some(git_ref)) => Some(uri.at(git_ref)),
        (Some(uri), None) => Some(uri.as_download_location()),
        (None, _) => None,
    };
    let mut descriptor = git_descriptor(place.unwrap_or_default(), &git.commit);
    descriptor.uri = descriptor.uri.filter(|uri| !uri.is_empty());
    if git.dirty {
        descriptor.annotations.insert("dirty".to_owned(), Value::Bool(true));
    }
    Ok(descriptor)
}

/// A variable's value as a repository.
fn repository(variable: &'static str, url: &str) -> Result<SourceUri, GenerateError> {
    url.parse().map_err(|source| GenerateError::Repository { variable, source })
}

/// Why no provenance can be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// Nothing that it would be about.
    #[error("provenance needs at least one subject")]
    NoSubject,
    /// A subject that nothing can be compared with.
    #[error("subject {name:?} has no digest")]
    SubjectWithoutDigest {
        /// The subject's name.
        name: String,
    },
    /// Variables that the platform always sets, and that are not set or empty.
    #[error("environment lacks {}", names.join(", "))]
    MissingVariables {
        /// Their names.
        names: Vec<&'static str>,
    },
    /// A variable that should hold a commit id.
    #[error("variable {variable} is no commit")]
    Commit {
        /// Its name.
        variable: &'static str,
        /// What is wrong.
        source: CommitError,
    },
    /// A variable that should name a repository.
    #[error("variable {variable} is no repository")]
    Repository {
        /// Its name.
        variable: &'static str,
        /// What is wrong.
        source: SourceUriError,
    },
    /// A variable that has not the form that its platform documents. Its value is not shown: it may be anything.
    #[error("variable {variable} is not of the form {wanted}")]
    Variable {
        /// Its name.
        variable: &'static str,
        /// The form.
        wanted: &'static str,
    },
    /// The remote of the checkout has a URL that names no repository.
    #[error("remote of the git checkout is no repository")]
    Remote {
        /// What is wrong.
        source: SourceUriError,
    },
}

#[cfg(test)]
mod tests;
