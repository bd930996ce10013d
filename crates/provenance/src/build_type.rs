//! The build types whose parameters Touchmark can read.

/// A recognised `buildType`: it says which parameter names the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildType {
    /// A GitHub Actions workflow
    /// ([actions/buildtypes, workflow/v1](https://actions.github.io/buildtypes/workflow/v1)).
    GitHubWorkflow,
    /// A GitLab CI job
    /// ([gitlab-runner, PROVENANCE.md](https://gitlab.com/gitlab-org/gitlab-runner/-/blob/main/PROVENANCE.md)).
    GitLabJob,
    /// The reusable workflows of slsa-github-generator 1 and 2
    /// ([slsa-github-generator, internal/builders](https://github.com/slsa-framework/slsa-github-generator/tree/v2.1.0/internal/builders)).
    SlsaGitHubGenerator,
    /// A BuildKit build
    /// ([slsa-definitions.md](https://github.com/moby/buildkit/blob/v0.25.0/docs/attestations/slsa-definitions.md)).
    BuildKit,
    /// A build that Touchmark described on somebody's machine; see [`crate::Platform::Local`].
    Local,
}

impl BuildType {
    /// The type that Touchmark writes for a GitHub Actions workflow, as actions/attest does.
    pub const GITHUB_WORKFLOW: &'static str = "https://actions.github.io/buildtypes/workflow/v1";
    /// The type that Touchmark writes for a build on somebody's machine.
    pub const LOCAL: &'static str = "https://touchmark.dev/buildtypes/local/v1";

    /// Recognises a build type. URIs are compared whole; only GitLab's has a part that varies, the runner's version.
    pub fn recognise(uri: &str) -> Option<Self> {
        match uri {
            // The second is what actions/attest wrote before 2024, the third what the type's own example says.
            Self::GITHUB_WORKFLOW
            | "https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1"
            | "https://github.com/actions/buildtypes/workflow/v1" => Some(Self::GitHubWorkflow),
            "https://github.com/slsa-framework/slsa-github-generator/generic@v1"
            | "https://github.com/slsa-framework/slsa-github-generator/go@v1"
            | "https://github.com/slsa-framework/slsa-github-generator/container@v1" => {
                Some(Self::SlsaGitHubGenerator)
            }
            "https://mobyproject.org/buildkit@v1"
            | "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md" => {
                Some(Self::BuildKit)
            }
            Self::LOCAL => Some(Self::Local),
            _ => is_gitlab(uri).then_some(Self::GitLabJob),
        }
    }

    /// The type that a GitLab runner writes: `version` is a tag such as `v17.5.0`, or the commit of a runner that has none.
    pub(crate) fn gitlab(version: &str) -> String {
        format!("{GITLAB_START}{version}{GITLAB_END}")
    }
}

const GITLAB_START: &str = "https://gitlab.com/gitlab-org/gitlab-runner/-/blob/";
const GITLAB_END: &str = "/PROVENANCE.md";

fn is_gitlab(uri: &str) -> bool {
    let version = uri.strip_prefix(GITLAB_START).and_then(|rest| rest.strip_suffix(GITLAB_END));
    version.is_some_and(|version| !version.is_empty() && !version.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognises_the_build_types_in_use() {
        for (uri, wanted) in [
            (BuildType::GITHUB_WORKFLOW, BuildType::GitHubWorkflow),
            (
                "https://github.com/slsa-framework/slsa-github-generator/generic@v1",
                BuildType::SlsaGitHubGenerator,
            ),
            (
                "https://gitlab.com/gitlab-org/gitlab-runner/-/blob/598a7c91/PROVENANCE.md",
                BuildType::GitLabJob,
            ),
            ("https://mobyproject.org/buildkit@v1", BuildType::BuildKit),
            (BuildType::LOCAL, BuildType::Local),
        ] {
            assert_eq!(BuildType::recognise(uri), Some(wanted), "{uri}");
        }
    }

    #[test]
    fn recognises_no_build_type_by_a_part_of_it() {
        for uri in [
            "",
            "https://actions.github.io/buildtypes/workflow/v1/",
            "https://evil.example/https://actions.github.io/buildtypes/workflow/v1",
            "https://gitlab.com/gitlab-org/gitlab-runner/-/blob//PROVENANCE.md",
            "https://gitlab.com/gitlab-org/gitlab-runner/-/blob/a/../../../../evil/PROVENANCE.md",
        ] {
            assert_eq!(BuildType::recognise(uri), None, "{uri}");
        }
    }
}
