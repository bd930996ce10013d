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
fn a_directory_with_something_in_it_is_left_alone() {
    let stage = Stage::empty();
    stage.write("mine", "text");
    let run = stage.run(&["quickstart", "--dir", "."]).undecided();
    assert!(run.stderr.contains("hint:"), "{}", run.stderr);
    assert_eq!(std::fs::read_dir(stage.path("")).unwrap().count(), 1);
}
