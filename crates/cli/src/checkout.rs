//! What git says about the working directory: asked of the `git` program, which alone knows its own formats.

use std::path::Path;
use std::process::{Command, Stdio};

use touchmark_provenance::GitFacts;

/// The facts of the checkout that `directory` is in; `None` where there is no git, no checkout or no commit yet.
pub(crate) fn git_facts(directory: &Path) -> Option<GitFacts> {
    let commit = git(directory, &["rev-parse", "--verify", "HEAD"])?.parse().ok()?;
    let dirty = git(directory, &["status", "--porcelain", "--untracked-files=normal"])?;
    Some(GitFacts {
        commit,
        remote: git(directory, &["config", "--get", "remote.origin.url"]),
        git_ref: git(directory, &["symbolic-ref", "--quiet", "HEAD"]),
        dirty: !dirty.is_empty(),
    })
}

/// Runs git and returns its output without the last newline.
///
/// `core.fsmonitor` names a program that `git status` would start; a checkout of somebody else's must not choose one
/// (CVE-2022-24765 and its kin).
fn git(directory: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(directory)
        .args(["-c", "core.fsmonitor=false"])
        .args(arguments)
        .env("GIT_OPTIONAL_LOCKS", "0")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim_end().to_owned())
}
