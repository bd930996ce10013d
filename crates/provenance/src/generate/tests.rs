use super::*;
use crate::{BuildFacts, CommitId};

use touchmark_attestation::Limits;
use touchmark_oci::Digest;

const COMMIT: &str = "c27d339ee6075c1f744c5d4b200f7901aad2c369";

/// As a job of GitHub Actions has them, secrets included.
const GITHUB: &[(&str, &str)] = &[
    ("CI", "true"),
    ("GITHUB_ACTIONS", "true"),
    ("GITHUB_SERVER_URL", "https://github.com"),
    ("GITHUB_REPOSITORY", "octocat/hello-world"),
    ("GITHUB_WORKFLOW_REF", "octocat/hello-world/.github/workflows/release.yml@refs/tags/pkg@1.0"),
    ("GITHUB_REF", "refs/tags/pkg@1.0"),
    ("GITHUB_SHA", COMMIT),
    ("GITHUB_RUN_ID", "1536140711"),
    ("GITHUB_RUN_ATTEMPT", "2"),
    ("GITHUB_EVENT_NAME", "push"),
    ("GITHUB_REPOSITORY_ID", "1296269"),
    ("GITHUB_REPOSITORY_OWNER_ID", "583231"),
    ("RUNNER_ENVIRONMENT", "github-hosted"),
    ("GITHUB_TOKEN", "hunter2-token"),
    ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "hunter2-oidc"),
    ("COSIGN_PASSWORD", "hunter2-cosign"),
    ("AWS_SECRET_ACCESS_KEY", "hunter2-aws"),
];

/// As a job of GitLab CI has them, secrets included.
const GITLAB: &[(&str, &str)] = &[
    ("CI", "true"),
    ("GITLAB_CI", "true"),
    ("CI_PROJECT_URL", "https://gitlab.com/acme/app"),
    ("CI_COMMIT_SHA", COMMIT),
    ("CI_COMMIT_REF_NAME", "main"),
    ("CI_COMMIT_BRANCH", "main"),
    ("CI_CONFIG_PATH", ".gitlab-ci.yml"),
    ("CI_PIPELINE_SOURCE", "push"),
    ("CI_JOB_NAME", "build"),
    ("CI_JOB_ID", "4089072540"),
    ("CI_RUNNER_ID", "12270831"),
    ("CI_RUNNER_VERSION", "17.5.0"),
    ("CI_RUNNER_REVISION", "66a723c3"),
    ("CI_RUNNER_EXECUTABLE_ARCH", "linux/amd64"),
    ("CI_RUNNER_DESCRIPTION", "3-blue.saas-linux-small-amd64.runners-manager.gitlab.com/default"),
    ("CI_JOB_TOKEN", "hunter2-job"),
    ("CI_REPOSITORY_URL", "https://gitlab-ci-token:hunter2-url@gitlab.com/acme/app.git"),
    ("CI_REGISTRY_PASSWORD", "hunter2-registry"),
];

fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn inputs() -> BuildInputs {
    BuildInputs {
        subjects: vec![ResourceDescriptor::of(&Digest::of(b"image")).named("app")],
        ..BuildInputs::default()
    }
}

fn git() -> GitFacts {
    let remote = Some("https://user:hunter2@example.com/acme/app.git".to_owned());
    GitFacts {
        commit: COMMIT.parse().unwrap(),
        remote,
        git_ref: Some("refs/heads/main".to_owned()),
        dirty: true,
    }
}

fn json(platform: Platform, variables: &BTreeMap<String, String>, inputs: &BuildInputs) -> Value {
    let statement = generate(platform, variables, inputs).unwrap();
    serde_json::from_slice(&statement.to_json().unwrap()).unwrap()
}

#[test]
fn a_github_job_is_described_as_actions_attest_does() {
    let found = json(Platform::GitHub, &variables(GITHUB), &inputs());
    // The shape of crates/provenance/tests/data/github-actions-v1.json, which actions/attest wrote.
    let wanted = serde_json::json!({
        "buildDefinition": {
            "buildType": "https://actions.github.io/buildtypes/workflow/v1",
            "externalParameters": { "workflow": {
                "ref": "refs/tags/pkg@1.0",
                "repository": "https://github.com/octocat/hello-world",
                "path": ".github/workflows/release.yml",
            } },
            "internalParameters": { "github": {
                "event_name": "push",
                "repository_id": "1296269",
                "repository_owner_id": "583231",
                "runner_environment": "github-hosted",
            } },
            "resolvedDependencies": [{
                "uri": "git+https://github.com/octocat/hello-world@refs/tags/pkg@1.0",
                "digest": { "gitCommit": COMMIT },
            }],
        },
        "runDetails": {
            "builder": {
                "id": "https://github.com/octocat/hello-world/.github/workflows/release.yml@refs/tags/pkg@1.0",
            },
            "metadata": { "invocationId": "https://github.com/octocat/hello-world/actions/runs/1536140711/attempts/2" },
        },
    });
    assert_eq!(found["predicate"], wanted);
    assert_eq!(found["predicateType"], "https://slsa.dev/provenance/v1");
}

#[test]
fn a_gitlab_job_is_described_as_its_runner_does() {
    let found = json(Platform::GitLab, &variables(GITLAB), &inputs());
    let definition = &found["predicate"]["buildDefinition"];
    assert_eq!(
        definition["buildType"],
        "https://gitlab.com/gitlab-org/gitlab-runner/-/blob/66a723c3/PROVENANCE.md"
    );
    assert_eq!(definition["externalParameters"]["source"], "https://gitlab.com/acme/app");
    assert_eq!(definition["externalParameters"]["entryPoint"], "build");
    assert_eq!(definition["externalParameters"]["CI_PIPELINE_SOURCE"], "push");
    assert_eq!(
        definition["resolvedDependencies"][0]["uri"],
        "git+https://gitlab.com/acme/app@refs/heads/main"
    );
    let run = &found["predicate"]["runDetails"];
    assert_eq!(run["builder"]["id"], "https://gitlab.com/acme/app/-/runners/12270831");
    assert_eq!(run["metadata"]["invocationId"], "4089072540");
}

#[test]
fn the_ref_of_a_gitlab_job_is_its_tag_its_branch_or_its_merge_request() {
    let mut environment = variables(GITLAB);
    let place = |environment: &BTreeMap<String, String>| {
        json(Platform::GitLab, environment, &inputs())["predicate"]["buildDefinition"]["resolvedDependencies"]
            [0]["uri"]
            .clone()
    };
    environment.insert("CI_COMMIT_TAG".into(), "v1".into());
    assert_eq!(place(&environment), "git+https://gitlab.com/acme/app@refs/tags/v1");
    environment.remove("CI_COMMIT_TAG");
    environment.remove("CI_COMMIT_BRANCH");
    environment.insert("CI_MERGE_REQUEST_REF_PATH".into(), "refs/merge-requests/1/head".into());
    assert_eq!(place(&environment), "git+https://gitlab.com/acme/app@refs/merge-requests/1/head");
    environment.remove("CI_MERGE_REQUEST_REF_PATH");
    assert_eq!(place(&environment), "git+https://gitlab.com/acme/app");
    environment.insert("CI_RUNNER_VERSION".into(), "v17.5.0".into());
    let found = json(Platform::GitLab, &environment, &inputs());
    assert_eq!(found["predicate"]["runDetails"]["builder"]["version"]["gitlab-runner"], "v17.5.0");
}

#[test]
fn a_local_build_has_an_honest_builder() {
    let inputs = BuildInputs { git: Some(git()), ..inputs() };
    let found = json(Platform::Local, &variables(&[]), &inputs);
    assert_eq!(found["predicate"]["runDetails"]["builder"]["id"], Platform::LOCAL_BUILDER);
    let dependency = &found["predicate"]["buildDefinition"]["resolvedDependencies"][0];
    assert_eq!(dependency["uri"], "git+https://example.com/acme/app@refs/heads/main");
    assert_eq!(dependency["annotations"]["dirty"], true);
    assert!(Platform::Local.note().is_some() && Platform::GitHub.note().is_none());
}

#[test]
fn a_local_build_without_git_names_no_source() {
    let found = json(Platform::Local, &variables(&[]), &inputs());
    assert_eq!(found["predicate"]["buildDefinition"]["externalParameters"], serde_json::json!({}));
    assert_eq!(found["predicate"]["buildDefinition"].get("resolvedDependencies"), None);
}

#[test]
fn what_is_written_is_read_back() {
    for (platform, environment, uri, git_ref) in [
        (Platform::GitHub, variables(GITHUB), "https://github.com/octocat/hello-world", "refs/tags/pkg@1.0"),
        (Platform::GitLab, variables(GITLAB), "https://gitlab.com/acme/app", "refs/heads/main"),
        (Platform::Local, variables(&[]), "https://example.com/acme/app", "refs/heads/main"),
    ] {
        let git = (platform == Platform::Local).then(git);
        let bytes =
            generate(platform, &environment, &BuildInputs { git, ..inputs() }).unwrap().to_json().unwrap();
        let facts = BuildFacts::of(&Statement::parse(&bytes, &Limits::default()).unwrap()).unwrap();
        let source = facts.source.unwrap();
        assert_eq!(source.uri.to_string(), uri);
        assert_eq!(source.git_ref.as_deref(), Some(git_ref));
        assert_eq!(source.commit.as_ref().map(CommitId::as_str), Some(COMMIT), "{platform}");
    }
}

#[test]
fn no_secret_of_the_environment_reaches_a_statement() {
    let everything = variables(&[GITHUB, GITLAB].concat());
    let inputs = BuildInputs { git: Some(git()), ..inputs() };
    for platform in [Platform::GitHub, Platform::GitLab, Platform::Local] {
        let text = json(platform, &everything, &inputs).to_string();
        assert!(!text.contains("hunter2"), "{platform}: {text}");
    }
}

#[test]
fn credentials_in_a_url_are_never_written() {
    let mut environment = variables(GITLAB);
    environment.insert("CI_PROJECT_URL".into(), "https://user:hunter2@gitlab.com/acme/app".into());
    assert!(!json(Platform::GitLab, &environment, &inputs()).to_string().contains("hunter2"));
    let mut environment = variables(GITHUB);
    environment.insert("GITHUB_SERVER_URL".into(), "https://user:hunter2@github.com".into());
    assert!(!json(Platform::GitHub, &environment, &inputs()).to_string().contains("hunter2"));
}

#[test]
fn equal_inputs_give_equal_bytes_in_any_order_of_materials() {
    let a: Material =
        "b=sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".parse().unwrap();
    let b: Material = format!("git+https://example.com/lib@{COMMIT}").parse().unwrap();
    let time = Some("2026-11-21T08:00:00Z".parse().unwrap());
    let with = |materials| BuildInputs { materials, started_on: time, finished_on: time, ..inputs() };
    let bytes = |inputs: &BuildInputs| {
        generate(Platform::GitHub, &variables(GITHUB), inputs).unwrap().to_json().unwrap()
    };
    let wanted = bytes(&with(vec![a.clone(), b.clone()]));
    assert_eq!(bytes(&with(vec![b.clone(), a.clone(), b, a])), wanted);
    assert!(String::from_utf8(wanted).unwrap().contains(r#""startedOn":"2026-11-21T08:00:00Z""#));
}

#[test]
fn a_checkout_that_is_not_the_jobs_commit_is_noted() {
    let other = GitFacts { commit: "a".repeat(40).parse().unwrap(), ..git() };
    let inputs = BuildInputs { git: Some(other), ..inputs() };
    let found = json(Platform::GitHub, &variables(GITHUB), &inputs);
    let dependencies = found["predicate"]["buildDefinition"]["resolvedDependencies"].as_array().unwrap();
    assert_eq!(dependencies.len(), 2);
    assert_eq!(dependencies[1]["uri"], "git+https://example.com/acme/app@refs/heads/main");
}

#[test]
fn every_missing_variable_is_named() {
    let error = generate(Platform::GitHub, &variables(&[("GITHUB_SHA", "")]), &inputs()).unwrap_err();
    let GenerateError::MissingVariables { names } = &error else { panic!("{error:?}") };
    assert_eq!(names.len(), 11);
    assert!(names.contains(&"GITHUB_SHA") && names.contains(&"RUNNER_ENVIRONMENT"));
    let error = generate(Platform::GitLab, &variables(&GITLAB[..8]), &inputs()).unwrap_err();
    assert!(error.to_string().contains("CI_JOB_NAME, CI_JOB_ID, CI_RUNNER_ID"), "{error}");
}

#[test]
fn malformed_variables_are_refused() {
    let with = |platform, pairs: &[(&str, &str)], name: &str, value: &str| {
        let mut environment = variables(pairs);
        environment.insert(name.to_owned(), value.to_owned());
        generate(platform, &environment, &inputs()).unwrap_err()
    };
    let error = with(Platform::GitHub, GITHUB, "GITHUB_SHA", "main");
    assert!(matches!(error, GenerateError::Commit { variable: "GITHUB_SHA", .. }));
    let error = with(Platform::GitHub, GITHUB, "GITHUB_REPOSITORY", "../x");
    assert!(matches!(error, GenerateError::Repository { variable: "GITHUB_REPOSITORY", .. }));
    let error = with(Platform::GitHub, GITHUB, "GITHUB_WORKFLOW_REF", "octocat/hello-world/x.yml");
    assert!(matches!(error, GenerateError::Variable { variable: "GITHUB_WORKFLOW_REF", .. }));
    let error = with(Platform::GitLab, GITLAB, "CI_PROJECT_URL", "gitlab.com");
    assert!(matches!(error, GenerateError::Repository { variable: "CI_PROJECT_URL", .. }));
    let error = with(Platform::GitLab, GITLAB, "CI_COMMIT_SHA", "c27d339");
    assert!(matches!(error, GenerateError::Commit { variable: "CI_COMMIT_SHA", .. }));
    let remote = Some("https://example.com".to_owned());
    let inputs = BuildInputs { git: Some(GitFacts { remote, ..git() }), ..inputs() };
    assert!(matches!(generate(Platform::Local, &variables(&[]), &inputs), Err(GenerateError::Remote { .. })));
}

#[test]
fn provenance_of_nothing_is_refused() {
    let local = |inputs: &BuildInputs| generate(Platform::Local, &variables(&[]), inputs).unwrap_err();
    assert_eq!(local(&BuildInputs::default()), GenerateError::NoSubject);
    let unnamed = ResourceDescriptor::default().named("x");
    let error = local(&BuildInputs { subjects: vec![unnamed], ..BuildInputs::default() });
    assert_eq!(error, GenerateError::SubjectWithoutDigest { name: "x".into() });
}

#[test]
fn the_platform_is_detected_by_what_it_sets() {
    assert_eq!(Platform::detect(&variables(GITHUB)), Platform::GitHub);
    assert_eq!(Platform::detect(&variables(GITLAB)), Platform::GitLab);
    assert_eq!(Platform::detect(&variables(&[("CI", "true")])), Platform::Local);
    assert_eq!(Platform::detect(&variables(&[GITHUB, GITLAB].concat())), Platform::Local);
    for imitation in ["ACT", "GITEA_ACTIONS", "FORGEJO_ACTIONS"] {
        assert_eq!(Platform::detect(&variables(&[GITHUB, &[(imitation, "true")]].concat())), Platform::Local);
    }
}

#[test]
fn platforms_have_names() {
    for platform in [Platform::GitHub, Platform::GitLab, Platform::Local] {
        assert_eq!(platform.to_string().parse::<Platform>().unwrap(), platform);
    }
    assert!("jenkins".parse::<Platform>().is_err());
}

#[test]
fn a_remote_on_this_machine_is_left_out() {
    for remote in [None, Some("../elsewhere"), Some("/srv/app.git"), Some("file:///srv/app.git")] {
        let git = GitFacts { remote: remote.map(str::to_owned), ..git() };
        let found = json(Platform::Local, &variables(&[]), &BuildInputs { git: Some(git), ..inputs() });
        let dependency = &found["predicate"]["buildDefinition"]["resolvedDependencies"][0];
        assert_eq!(dependency.get("uri"), None, "{remote:?}");
        assert_eq!(dependency["digest"]["gitCommit"], COMMIT);
    }
}
