//! Actions and reusable workflows that GitHub workflows use
//! ([GitHub, "Workflow syntax", `jobs.<job_id>.steps[*].uses`](https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idstepsuses)),
//! in workflows and in composite actions.

use super::{LockFile, Locked, list, member, table, yaml};
use crate::{Ecosystem, path};

pub(in crate::catalog) const WORKFLOW: LockFile =
    LockFile { ecosystem: Ecosystem::Github, format: "GitHub workflow", is_one, parse };

fn is_one(path: &str) -> bool {
    let (directory, name) = path::split(path);
    let is_yaml = name.ends_with(".yml") || name.ends_with(".yaml");
    let is_workflow = is_yaml && (directory == WORKFLOWS || directory.ends_with(&format!("/{WORKFLOWS}")));
    is_workflow || matches!(name, "action.yml" | "action.yaml")
}

const WORKFLOWS: &str = ".github/workflows";

fn parse(text: &str) -> Option<Vec<Locked>> {
    let document = yaml(text)?;
    document.as_object()?;
    // A composite action has its steps under `runs`.
    let jobs = table(&document, "jobs").map(|(_, job)| job).chain(document.get("runs"));
    let uses = jobs.flat_map(|job| list(job, "steps").iter().chain([job])).map(|user| member(user, "uses"));
    let mut used: Vec<Locked> = uses.filter_map(action).collect();
    used.sort_by_key(|locked| (locked.key(), locked.version.clone(), locked.subpath.clone()));
    used.dedup();
    Some(used)
}

/// `owner/repository[/path]@ref`. Actions of the same repository (`./…`) and images (`docker://…`) are none of GitHub's packages.
fn action(uses: &str) -> Option<Locked> {
    let (path, reference) = uses.trim().split_once('@')?;
    if path.starts_with('.') || path.contains("://") || path.contains("${{") {
        return None;
    }
    let (owner, rest) = path.split_once('/')?;
    let (repository, subpath) = rest.split_once('/').map_or((rest, None), |(name, path)| (name, Some(path)));
    let mut locked = Locked::new(repository, reference);
    locked.namespace = owner.to_owned();
    locked.subpath = subpath.map(str::to_owned);
    Some(locked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_and_reusable_workflows_are_found_once() {
        let text = "on: push\njobs:\n  a:\n    steps:\n      - uses: actions/checkout@v4\n      - uses: ./.github/actions/own\n      \
            - uses: docker://alpine:3\n      - uses: github/codeql-action/init@v3\n      - run: make\n  b:\n    uses: \
            acme/flows/.github/workflows/ci.yml@0123456789\n  c:\n    steps:\n      - uses: actions/checkout@v4\n";
        let found: Vec<_> = parse(text).unwrap().iter().filter_map(|locked| locked.purl("github")).collect();
        assert_eq!(
            found,
            [
                "pkg:github/acme/flows@0123456789#.github/workflows/ci.yml",
                "pkg:github/actions/checkout@v4",
                "pkg:github/github/codeql-action@v3#init",
            ]
        );
    }

    #[test]
    fn only_workflows_and_actions_are_read() {
        assert!(is_one(".github/workflows/ci.yml"));
        assert!(is_one("own/action.yaml"));
        assert!(!is_one(".github/workflows/deep/ci.yml"));
        assert!(!is_one("ci.yml"));
    }
}
