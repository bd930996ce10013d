//! Policies and test tables that are wrong.

use crate::images::{Layout, Shelf};
use crate::stage::{Stage, key_pair};

/// A policy that is valid, with its key beside it.
const POLICY: &str = "apiVersion: touchmark.dev/v1alpha1
kind: ImagePolicy
metadata:
  name: p
spec:
  images:
    - glob: ghcr.io/acme/**
  signers:
    - name: a
      key: {file: a.pub}
  require:
    - name: signed
      signature: {by: [a]}
";

fn stage() -> Stage {
    let stage = Stage::new();
    stage.write("a.pub", std::fs::read(key_pair().1).unwrap());
    stage.write("p.yaml", POLICY);
    Layout::new(&stage, "image").image(&[]);
    stage
}

/// The commands that read policies.
const COMMANDS: [&str; 2] = ["policy check p.yaml", "verify --policy p.yaml oci:image:app"];

#[test]
fn the_policy_is_valid_until_it_is_spoiled() {
    stage().run("policy check p.yaml").done();
}

#[test]
fn a_mistake_is_told_with_file_line_and_column() {
    for (right, wrong, place, said) in [
        ("  name: p", "  name: p\n  nmae: q", "p.yaml:5:3", "nmae"),
        ("spec:", "spec:\n  mod: warn", "p.yaml:6:3", "mod"),
        ("    - name: signed", "    - nam: signed", "p.yaml:12:7", "nam"),
        ("      signature: {by: [a]}", "      signature: {by: [b]}", "p.yaml:13:24", "b"),
        ("kind: ImagePolicy", "kind: ImagePolcy", "p.yaml:2:", "ImagePolcy"),
        ("touchmark.dev/v1alpha1", "touchmark.dev/v9", "p.yaml:1:", "v9"),
        ("    - name: a\n", "    - name: a\n      name: a\n", "p.yaml:10:", "name"),
        ("ghcr.io/acme/**", "ghcr.io/{acme/**", "p.yaml:7:13", "{acme"),
        ("{file: a.pub}", "{file: none.pub}", "p.yaml:10:", "none.pub"),
        ("spec:", "spec:\n\t mode: warn", "p.yaml:6:", ""),
        ("spec:", "spec: !!python/object:os.system x\nx:", "p.yaml:5:", ""),
    ] {
        let stage = stage();
        let spoiled = POLICY.replace(right, wrong);
        assert_ne!(spoiled, POLICY);
        stage.write("p.yaml", spoiled);
        for command in COMMANDS {
            let run = stage.run(command).failed(&[place, said]);
            assert!(run.stdout.is_empty(), "{run:#?}");
        }
    }
}

#[test]
fn aliases_without_end_are_refused() {
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..40 {
        let below = vec![format!("*a{}", level - 1); 9].join(", ");
        laughs.push_str(&format!("a{level}: &a{level} [{below}]\n"));
    }
    for text in [
        laughs,
        "a: &a [*a]\n".to_owned(),
        "a: &a {b: *a}\n<<: *a\n".to_owned(),
        format!("{}{POLICY}", "a: &x y\n"),
        format!("a: &x y\nb: [{}]\n", vec!["*x"; 100_000].join(", ")),
    ] {
        let stage = stage();
        stage.write("p.yaml", text);
        for command in COMMANDS {
            stage.run(command).failed(&["p.yaml"]);
        }
    }
}

#[test]
fn files_that_are_no_policy_are_refused() {
    let stage = stage();
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    for text in [
        b"".to_vec(),
        b"\xff\xfe".to_vec(),
        b"\0".to_vec(),
        b"- a\n- b\n".to_vec(),
        b"---\n---\n".to_vec(),
        b"{".to_vec(),
        deep.into_bytes(),
        vec![b'#'; (1 << 20) + 1],
        "---\na: b\n".repeat(100_000).into_bytes(),
    ] {
        stage.write("p.yaml", text);
        for command in COMMANDS {
            stage.run(command).failed(&["p.yaml"]);
        }
    }
    for command in ["policy check none.yaml", "policy check image/blobs", "policy test none.yaml"] {
        stage.run(command).failed(&[command.rsplit(' ').next().unwrap()]);
    }
}

#[test]
fn a_policy_is_no_test_table_and_a_table_no_policy() {
    let stage = stage();
    stage.run("policy test p.yaml").failed(&["p.yaml:2:", "ImagePolicy"]);
    stage.write(
        "t.yaml",
        "apiVersion: touchmark.dev/v1alpha1\nkind: ImagePolicyTest\nmetadata: {name: t}\nspec:\n  policies: [p.yaml]\n  cases:\n  \
         - {name: c, image: 'ghcr.io/acme/a:1', evidence: 'oci:image:app', expect: maybe}\n",
    );
    stage.run("policy test t.yaml").failed(&["t.yaml:7:", "maybe"]);
    stage.run("policy check t.yaml").failed(&["t.yaml:2:"]);
}
