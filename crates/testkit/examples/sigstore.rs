//! A whole Sigstore on loopback, for programs that want one: `cargo run -p touchmark-testkit --example sigstore -- DIRECTORY`.
//!
//! Writes `trusted_root.json`, `signing_config.json` (with Rekor v2), `signing_config_rekor_v1.json`, `tuf_root.json`,
//! `token` and `token_ci` into the directory, says where it is ready, and runs by this machine's clock until its standard
//! input ends. Tokens are good for an hour.
#![expect(clippy::print_stdout, reason = "a program that says where it is")]

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use touchmark_testkit::{Clock, Identity, Options, Sigstore};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = PathBuf::from(std::env::args_os().nth(1).ok_or("usage: sigstore DIRECTORY")?);
    let sigstore = Sigstore::start(Options::at(Clock::system())).await;
    let files = [
        ("trusted_root.json", sigstore.trusted_root()),
        ("signing_config.json", sigstore.signing_config(2)),
        ("signing_config_rekor_v1.json", sigstore.signing_config(1)),
        ("tuf_root.json", sigstore.tuf_root()),
        ("token", sigstore.token(&Identity::email("someone@example.com"))),
        ("token_ci", sigstore.token(&ci())),
    ];
    fs::create_dir_all(&directory)?;
    for (name, content) in files {
        fs::write(directory.join(name), content)?;
    }
    println!("ready at {}", sigstore.url());
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await??;
    Ok(())
}

/// A run of GitHub's, as its tokens describe one.
fn ci() -> Identity {
    let workflow = "example/project/.github/workflows/release.yml@refs/tags/v1";
    Identity::uri("repo:example/project:ref:refs/tags/v1")
        .claim("job_workflow_ref", workflow)
        .claim("workflow_ref", workflow)
        .claim("workflow", "release")
        .claim("event_name", "push")
        .claim("repository", "example/project")
        .claim("repository_owner", "example")
        .claim("ref", "refs/tags/v1")
        .claim("sha", "0123456789abcdef0123456789abcdef01234567")
        .claim("runner_environment", "github-hosted")
        .claim("run_id", "1")
}
