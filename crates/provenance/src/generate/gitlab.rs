//! GitLab CI, as the runner's own artifact metadata describes it
//! ([PROVENANCE.md](https://gitlab.com/gitlab-org/gitlab-runner/-/blob/main/PROVENANCE.md),
//! [provenance metadata format](https://docs.gitlab.com/ci/runners/configure_runners/#provenance-metadata-format)), from the
//! [predefined variables](https://docs.gitlab.com/ci/variables/predefined_variables/).
//!
//! Two differences, both towards what SLSA says: the commit is called `gitCommit` where the runner calls it `sha256`, and the
//! source is `git+URL@REF` so that the ref is stated. Of the job's variables only those named here are listed, with values.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Described, GenerateError, repository};
use crate::environment::Environment;
use crate::material::git_descriptor;
use crate::{BuildType, CommitId};

/// Variables of the job that a user can influence and that hold no secret.
const PARAMETERS: [&str; 5] = [
    "CI_COMMIT_REF_NAME",
    "CI_COMMIT_TAG",
    "CI_CONFIG_PATH",
    "CI_MERGE_REQUEST_REF_PATH",
    "CI_PIPELINE_SOURCE",
];

pub(super) fn describe(environment: &mut Environment<'_>) -> Result<Described, GenerateError> {
    let project = environment.required("CI_PROJECT_URL");
    let commit = environment.required("CI_COMMIT_SHA");
    let (job_name, job_id) = (environment.required("CI_JOB_NAME"), environment.required("CI_JOB_ID"));
    let runner = environment.required("CI_RUNNER_ID");
    let (version, revision) =
        (environment.required("CI_RUNNER_VERSION"), environment.required("CI_RUNNER_REVISION"));
    let architecture = environment.required("CI_RUNNER_EXECUTABLE_ARCH");
    environment.complete()?;

    let commit: CommitId =
        commit.parse().map_err(|source| GenerateError::Commit { variable: "CI_COMMIT_SHA", source })?;
    let source = repository("CI_PROJECT_URL", project)?;
    // As the runner does: a release is known by its tag, any other build by its commit.
    let version = if version.starts_with('v') { version } else { revision };
    let place =
        git_ref(environment).map_or_else(|| source.as_download_location(), |git_ref| source.at(&git_ref));
    let mut internal =
        Map::from_iter([("architecture".to_owned(), json!(architecture)), ("job".to_owned(), json!(job_id))]);
    if let Some(description) = environment.optional("CI_RUNNER_DESCRIPTION") {
        internal.insert("name".to_owned(), json!(description));
    }
    Ok(Described {
        build_type: BuildType::gitlab(version),
        external_parameters: external_parameters(environment, &source.to_string(), job_name),
        internal_parameters: internal,
        builder_id: format!("{source}/-/runners/{runner}"),
        builder_version: BTreeMap::from([("gitlab-runner".to_owned(), version.to_owned())]),
        invocation_id: Some(job_id.to_owned()),
        source: Some(git_descriptor(place, &commit)),
    })
}

fn external_parameters(environment: &Environment<'_>, source: &str, job_name: &str) -> Map<String, Value> {
    let listed =
        PARAMETERS.iter().filter_map(|name| Some(((*name).to_owned(), json!(environment.optional(name)?))));
    let mut parameters: Map<String, Value> = listed.collect();
    parameters.insert("source".to_owned(), json!(source));
    parameters.insert("entryPoint".to_owned(), json!(job_name));
    parameters
}

/// The full name of what is built. A merge request's pipeline has neither a branch nor a tag of its own.
fn git_ref(environment: &Environment<'_>) -> Option<String> {
    let tag = environment.optional("CI_COMMIT_TAG").map(|tag| format!("refs/tags/{tag}"));
    let branch = || environment.optional("CI_COMMIT_BRANCH").map(|branch| format!("refs/heads/{branch}"));
    let request = || environment.optional("CI_MERGE_REQUEST_REF_PATH").map(str::to_owned);
    tag.or_else(branch).or_else(request)
}
