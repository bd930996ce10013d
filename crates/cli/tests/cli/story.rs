//! `quickstart`, and that the commands it prints do what it did.

use crate::stage::{Stage, repository};

#[test]
fn the_story_allows_once_and_denies_twice() {
    let stage = Stage::empty();
    let image = format!("oci:{}:app", repository().join("testdata/images/quickstart").display());
    let run = stage.run(&["quickstart", "--image", &image, "--dir", "try"]).ok();
    let verdicts: Vec<&str> =
        run.stdout.lines().filter_map(|line| line.trim().split_once(" oci:").map(|(word, _)| word)).collect();
    assert_eq!(verdicts.iter().filter(|word| **word == "allowed").count(), 1, "{}", run.stdout);
    assert_eq!(verdicts.iter().filter(|word| **word == "denied").count(), 2, "{}", run.stdout);
    for code in ["signature-wrong-subject", "signature-wrong-key"] {
        assert!(run.stdout.contains(code), "{}", run.stdout);
    }
}

#[test]
fn the_printed_commands_do_what_the_story_did() {
    let stage = Stage::empty();
    let image = format!("oci:{}:app", repository().join("testdata/images/quickstart").display());
    let story = stage.run(&["quickstart", "--image", &image, "--dir", "try"]).ok();
    let program = env!("CARGO_BIN_EXE_touchmark");
    // Keys and documents are there already; the rest runs as printed.
    let commands = story.stdout.lines().filter_map(|line| line.trim().strip_prefix("$ "));
    let mut ran = 0;
    for command in commands.filter(|command| !command.starts_with("cd ") && !command.contains("key generate"))
    {
        let script = format!("cd try && {}", command.replace("touchmark ", &format!("{program} ")));
        let status = std::process::Command::new("sh")
            .args(["-c", &script])
            .current_dir(stage.path(""))
            .output()
            .unwrap();
        let denied = command.contains("tampered") || command.contains("other.pub");
        assert_eq!(status.status.code(), Some(i32::from(denied)), "{command}: {status:?}");
        ran += 1;
    }
    assert!(ran >= 8, "{ran} commands\n{}", story.stdout);
}

#[test]
fn the_keyless_story_allows_its_identity_and_nobody_and_nowhere_else() {
    let stage = Stage::empty();
    let image = format!("oci:{}:app", repository().join("testdata/images/quickstart").display());
    let run = stage.run(&["quickstart", "--keyless-demo", "--image", &image, "--dir", "try"]).ok();
    let verdicts: Vec<&str> =
        run.stdout.lines().filter_map(|line| line.trim().split_once(" oci:").map(|(word, _)| word)).collect();
    assert_eq!(verdicts.iter().filter(|word| **word == "allowed").count(), 2, "{}", run.stdout);
    assert_eq!(verdicts.iter().filter(|word| **word == "denied").count(), 3, "{}", run.stdout);
    for shown in [
        "identities prove nothing outside of it",
        "at http://127.0.0.1:",
        "identity https://github.com/example/app/",
        "certificate for https://github.com/example/app/",
        "1 log entry is proven to be included",
        "entry 1 of the transparency log ",
        "signature-wrong-subject",
        "signature-wrong-identity",
        "signature-not-proven",
        "prove nothing to anybody else",
    ] {
        assert!(run.stdout.contains(shown), "no {shown:?} in {}", run.stdout);
    }
    // Its keys are in memory: no file has one.
    let files = std::fs::read_dir(stage.path("try")).unwrap().map(|entry| entry.unwrap().path());
    for file in files.filter(|path| path.is_file()) {
        let text = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
        assert!(!text.contains("PRIVATE KEY"), "{}", file.display());
    }
}

#[test]
fn what_the_keyless_story_signed_verifies_when_its_sigstore_is_gone() {
    let stage = Stage::empty();
    let image = format!("oci:{}:app", repository().join("testdata/images/quickstart").display());
    let story = stage.run(&["quickstart", "--keyless-demo", "--image", &image, "--dir", "try"]).ok();
    let commands: Vec<&str> =
        story.stdout.lines().filter_map(|line| line.trim().strip_prefix("$ touchmark ")).collect();
    assert!(commands.len() >= 11, "{commands:#?}");
    for command in commands {
        let script = format!("cd try && {} {command}", env!("CARGO_BIN_EXE_touchmark"));
        let status = std::process::Command::new("sh")
            .args(["-c", &script])
            .current_dir(stage.path(""))
            .output()
            .unwrap();
        let foreign = command == "verify --policy policy.yaml oci:image:app";
        let denied = foreign || command.contains("tampered") || command.contains("somebody@");
        let expected = if command.contains("--identity-token") { 2 } else { i32::from(denied) };
        assert_eq!(status.status.code(), Some(expected), "{command}: {status:?}");
    }
}

#[test]
fn a_directory_with_something_in_it_is_left_alone() {
    let stage = Stage::empty();
    stage.write("mine", "text");
    let run = stage.run(&["quickstart", "--dir", "."]).undecided();
    assert!(run.stderr.contains("hint:"), "{}", run.stderr);
    assert_eq!(std::fs::read_dir(stage.path("")).unwrap().count(), 1);
}
