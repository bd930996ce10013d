//! The conformance suite's protocol: its cases by way of the program, and what it signs.

use touchmark_testkit::{Clock, Identity, Options, Sigstore};

use crate::stage::{Stage, repository};

const IDENTITY: &str = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
const ISSUER: &str = "https://token.actions.githubusercontent.com";

#[test]
fn the_suites_verification_cases_by_file_and_by_digest() {
    let suite = repository().join("testdata/conformance/sigstore/bundle-verify");
    let stage = Stage::empty();
    let (mut run, mut wrong) = (0, Vec::new());
    for entry in std::fs::read_dir(&suite).unwrap() {
        let case = entry.unwrap().path();
        if !case.is_dir() {
            continue;
        }
        let file = |name: &str| Some(case.join(name)).filter(|path| path.exists());
        let text = |name: &str, otherwise: &str| {
            file(name).map_or_else(
                || otherwise.to_owned(),
                |path| std::fs::read_to_string(path).unwrap().trim().to_owned(),
            )
        };
        let shown = |path: std::path::PathBuf| path.display().to_string();
        let artifact = file("artifact").unwrap_or_else(|| suite.join("a.txt"));
        let digest = touchmark_oci::Digest::of(&std::fs::read(&artifact).unwrap()).to_string();
        let mut arguments: Vec<String> =
            ["conformance", "verify-bundle", "--bundle"].map(str::to_owned).to_vec();
        arguments.push(shown(case.join("bundle.sigstore.json")));
        match file("key.pub") {
            Some(key) => arguments.extend(["--key".to_owned(), shown(key)]),
            None => arguments.extend([
                "--certificate-identity".to_owned(),
                text("identity", IDENTITY),
                "--certificate-oidc-issuer".to_owned(),
                text("issuer", ISSUER),
            ]),
        }
        if let Some(root) = file("trusted_root.json") {
            arguments.extend(["--trusted-root".to_owned(), shown(root)]);
        }
        for about in [shown(artifact), digest] {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain([about.as_str()]).collect();
            let code = stage.run(&arguments).code;
            run += 1;
            let must_fail = case.to_string_lossy().ends_with("_fail");
            if (code != Some(0)) != must_fail || !matches!(code, Some(0..=2)) {
                wrong.push(format!("{} {about}: {code:?}", case.display()));
            }
        }
    }
    assert_eq!((run, wrong), (140, Vec::new()));
}

#[test]
fn what_it_signs_it_verifies_and_has_the_form_that_the_suite_asks_for() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sigstore = runtime.block_on(Sigstore::start(Options::at(Clock::system())));
    let stage = Stage::empty();
    stage.write("a.txt", "content");
    let statement = repository().join("testdata/conformance/sigstore/statement.json");
    stage.write("statement.json", &std::fs::read_to_string(statement).unwrap());
    stage.write("root.json", &sigstore.trusted_root());
    let token = sigstore.token(&Identity::email("a@b.example"));
    for version in [1, 2] {
        stage.write("config.json", &sigstore.signing_config(version));
        let common = [
            "--identity-token",
            &token,
            "--bundle",
            "b.json",
            "--trusted-root",
            "root.json",
            "--signing-config",
            "config.json",
        ];
        let sign = |before: &[&str], file: &str| {
            stage.run(&[&["conformance", "sign-bundle"], before, &common, &[file]].concat()).ok();
            serde_json::from_slice::<serde_json::Value>(&stage.read("b.json")).unwrap()
        };
        let bundle = sign(&[], "a.txt");
        assert_eq!(bundle["mediaType"], "application/vnd.dev.sigstore.bundle.v0.3+json");
        assert!(bundle["verificationMaterial"]["certificate"].is_object());
        assert!(bundle["messageSignature"].is_object());
        let kind = &bundle["verificationMaterial"]["tlogEntries"][0]["kindVersion"];
        assert_eq!(kind["version"], if version == 1 { "0.0.1" } else { "0.0.2" });
        let url = sigstore.url();
        let verify = [
            "conformance",
            "verify-bundle",
            "--bundle",
            "b.json",
            "--certificate-identity",
            "a@b.example",
            "--certificate-oidc-issuer",
            url.as_str(),
            "--trusted-root",
            "root.json",
            "a.txt",
        ];
        stage.run(&verify).ok();
        // The payload is the file, byte for byte.
        let bundle = sign(&["--in-toto"], "statement.json");
        use base64::Engine as _;
        let payload = bundle["dsseEnvelope"]["payload"].as_str().unwrap();
        let payload = base64::engine::general_purpose::STANDARD.decode(payload).unwrap();
        assert_eq!(payload, stage.read("statement.json"));
    }
}
