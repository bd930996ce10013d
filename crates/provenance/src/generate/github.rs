//! GitHub Actions, as actions/attest describes it
//! ([actions/toolkit, packages/attest/src/provenance.ts](https://github.com/actions/toolkit/blob/main/packages/attest/src/provenance.ts)):
//! build type, parameters, dependency, builder and invocation are the same for the same run.
//!
//! One difference: actions/attest takes its facts from the job's identity token, where `job_workflow_ref` is the reusable
//! workflow that the job is defined in. No variable holds that, so the builder here is the workflow that was started
//! (`GITHUB_WORKFLOW_REF`). For a job of a workflow that calls no other they are the same.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Described, GenerateError, repository};
use crate::environment::Environment;
use crate::material::git_descriptor;
use crate::{BuildType, CommitId};

pub(super) fn describe(environment: &mut Environment<'_>) -> Result<Described, GenerateError> {
    let server = environment.required("GITHUB_SERVER_URL").trim_end_matches('/');
    let name = environment.required("GITHUB_REPOSITORY");
    let workflow = environment.required("GITHUB_WORKFLOW_REF");
    let git_ref = environment.required("GITHUB_REF");
    let commit = environment.required("GITHUB_SHA");
    let (run, attempt) = (environment.required("GITHUB_RUN_ID"), environment.required("GITHUB_RUN_ATTEMPT"));
    let internal = json!({
        "event_name": environment.required("GITHUB_EVENT_NAME"),
        "repository_id": environment.required("GITHUB_REPOSITORY_ID"),
        "repository_owner_id": environment.required("GITHUB_REPOSITORY_OWNER_ID"),
        "runner_environment": environment.required("RUNNER_ENVIRONMENT"),
    });
    environment.complete()?;

    let commit: CommitId =
        commit.parse().map_err(|source| GenerateError::Commit { variable: "GITHUB_SHA", source })?;
    let repository = repository("GITHUB_REPOSITORY", &format!("{server}/{name}"))?.to_string();
    // The server once more, now without what might stand before its host.
    let server = repository
        .strip_suffix(name)
        .ok_or(GenerateError::Variable { variable: "GITHUB_REPOSITORY", wanted: "OWNER/REPO" })?;
    let source = format!("git+{repository}@{git_ref}");
    let (path, workflow_ref) = split_workflow(workflow, name)?;
    Ok(Described {
        build_type: BuildType::GITHUB_WORKFLOW.to_owned(),
        external_parameters: Map::from_iter([(
            "workflow".to_owned(),
            json!({ "ref": workflow_ref, "repository": repository, "path": path }),
        )]),
        internal_parameters: Map::<String, Value>::from_iter([("github".to_owned(), internal)]),
        builder_id: format!("{server}{workflow}"),
        builder_version: BTreeMap::new(),
        invocation_id: Some(format!("{repository}/actions/runs/{run}/attempts/{attempt}")),
        source: Some(git_descriptor(source, &commit)),
    })
}

/// `OWNER/REPO/PATH@REF` as path and ref. A ref may contain `@`; no workflow's path does.
fn split_workflow<'a>(workflow: &'a str, repository: &str) -> Result<(&'a str, &'a str), GenerateError> {
    let wanted = GenerateError::Variable { variable: "GITHUB_WORKFLOW_REF", wanted: "OWNER/REPO/PATH@REF" };
    let rest = workflow.strip_prefix(repository).and_then(|rest| rest.strip_prefix('/')).unwrap_or(workflow);
    match rest.split_once('@') {
        Some((path, git_ref)) if !path.is_empty() && !git_ref.is_empty() => Ok((path, git_ref)),
        _ => Err(wanted),
    }
}
