//! Arrows between crates point down: a crate uses the rows under its own and nothing beside or above it.
//!
//! `crates/README.md` explains the rows. The rules themselves are plain functions over a [`Graph`], so that this file also
//! shows that each of them fails where it should.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod workspace;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// From the ground up. A crate may use crates of strictly lower rows.
const ROWS: [&[&str]; 9] = [
    &["touchmark-oci"],
    &["touchmark-attestation"],
    &["touchmark-provenance", "touchmark-sbom"],
    &["touchmark-sigstore"],
    &["touchmark-policy"],
    &["touchmark-transport", "touchmark-demo-sigstore"],
    &["touchmark-registry", "touchmark-tuf", "touchmark-sign"],
    &["touchmark-verify"],
    &["touchmark-cli", "touchmark-webhook"],
];

/// Everything up to this row decides or describes, and is a plain function of its arguments.
const LAST_PURE_ROW: usize = 4;

/// For tests only: any crate may have it as a dev-dependency, none as a dependency, and it may use any.
const TESTKIT: &str = "touchmark-testkit";

/// Async runtimes and what opens sockets.
const IMPURE: [&str; 12] = [
    "async-std",
    "async-io",
    "curl",
    "h2",
    "hyper",
    "hyper-util",
    "mio",
    "reqwest",
    "smol",
    "socket2",
    "tokio",
    "ureq",
];

#[test]
fn every_crate_has_a_row() {
    assert_eq!(crates_without_row(&own_crates()), Vec::<String>::new());
}

#[test]
fn arrows_point_down() {
    assert_eq!(upward_arrows(&own_crates()), Vec::<String>::new());
}

#[test]
fn pure_crates_reach_no_runtime_and_no_network() {
    assert_eq!(impure_reaches(&everything()), Vec::<String>::new());
}

#[test]
fn the_webhook_does_not_reach_signing() {
    let graph = everything();
    assert_eq!(graph.path("touchmark-webhook", "touchmark-sign"), None);
    assert!(graph.path("touchmark-cli", "touchmark-sign").is_some(), "the graph has no arrows at all");
}

#[test]
fn only_the_command_line_and_tests_reach_the_demonstration() {
    let reaching: Vec<String> = own_crates()
        .normal
        .iter()
        .filter(|(_, uses)| uses.contains("touchmark-demo-sigstore"))
        .map(|(user, _)| user.clone())
        .collect();
    assert_eq!(reaching, ["touchmark-cli", TESTKIT]);
}

/// Packages by name, with the names that each depends on.
#[derive(Default)]
struct Graph {
    normal: BTreeMap<String, BTreeSet<String>>,
    dev: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// The shortest way from one package to another along normal dependencies.
    fn path(&self, from: &str, to: &str) -> Option<Vec<String>> {
        let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
        let mut queue = std::collections::VecDeque::from([from]);
        while let Some(package) = queue.pop_front() {
            for next in self.normal.get(package).into_iter().flatten() {
                if next != from && !came_from.contains_key(next.as_str()) {
                    came_from.insert(next, package);
                    queue.push_back(next);
                }
            }
        }
        let mut path = vec![to.to_owned()];
        let mut at = to;
        while at != from {
            at = came_from.get(at)?;
            path.push(at.to_owned());
        }
        path.reverse();
        Some(path)
    }
}

fn row(package: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&package))
}

fn crates_without_row(graph: &Graph) -> Vec<String> {
    graph.normal.keys().filter(|name| *name != TESTKIT && row(name).is_none()).cloned().collect()
}

fn upward_arrows(graph: &Graph) -> Vec<String> {
    let points_down = |from: &str, to: &str| row(to) < row(from);
    let arrows = |map: &BTreeMap<String, BTreeSet<String>>, allowed: &dyn Fn(&str, &str) -> bool| {
        map.iter()
            .filter(|(from, _)| *from != TESTKIT)
            .flat_map(|(from, to)| to.iter().map(move |to| (from, to)))
            .filter(|(from, to)| to.starts_with("touchmark-") && !allowed(from, to))
            .map(|(from, to)| format!("{from} -> {to}"))
            .collect::<Vec<_>>()
    };
    let mut found = arrows(&graph.normal, &|from, to| to != TESTKIT && points_down(from, to));
    found.extend(arrows(&graph.dev, &|from, to| to == TESTKIT || points_down(from, to)));
    found
}

fn impure_reaches(graph: &Graph) -> Vec<String> {
    ROWS.iter()
        .take(LAST_PURE_ROW + 1)
        .flat_map(|row| row.iter())
        .flat_map(|pure| IMPURE.iter().filter_map(|impure| graph.path(pure, impure)))
        .map(|path| path.join(" -> "))
        .collect()
}

/// The workspace's crates and the dependencies that their manifests name. Build dependencies count as normal ones.
fn own_crates() -> Graph {
    let metadata = workspace::metadata("Cargo.toml", &["--no-deps"]);
    let mut graph = Graph::default();
    for package in metadata["packages"].as_array().unwrap() {
        let name = text(&package["name"]);
        graph.normal.entry(name.clone()).or_default();
        for dependency in package["dependencies"].as_array().unwrap() {
            let map = if dependency["kind"] == "dev" { &mut graph.dev } else { &mut graph.normal };
            map.entry(name.clone()).or_default().insert(text(&dependency["name"]));
        }
    }
    graph
}

/// Every package that the workspace resolves to on this machine's platform, with its normal dependencies.
fn everything() -> Graph {
    let metadata = workspace::metadata("Cargo.toml", &["--filter-platform", &host()]);
    let names: BTreeMap<String, String> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| (text(&package["id"]), text(&package["name"])))
        .collect();
    let mut graph = Graph::default();
    for node in metadata["resolve"]["nodes"].as_array().unwrap() {
        let name = &names[&text(&node["id"])];
        let normal = node["deps"].as_array().unwrap().iter().filter(|dep| {
            dep["dep_kinds"].as_array().unwrap().iter().any(|dep_kind| dep_kind["kind"].is_null())
        });
        graph
            .normal
            .entry(name.clone())
            .or_default()
            .extend(normal.map(|dep| names[&text(&dep["pkg"])].clone()));
    }
    graph
}

fn host() -> String {
    let output = Command::new(env!("CARGO")).arg("-vV").output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap();
    version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

mod rules {
    use super::*;

    fn graph(normal: &[(&str, &str)], dev: &[(&str, &str)]) -> Graph {
        let mut graph = Graph::default();
        for (map, arrows) in [(&mut graph.normal, normal), (&mut graph.dev, dev)] {
            for (from, to) in arrows {
                map.entry((*from).to_owned()).or_default().insert((*to).to_owned());
            }
        }
        graph
    }

    #[test]
    fn an_arrow_to_a_higher_row_is_found() {
        let found = upward_arrows(&graph(&[("touchmark-oci", "touchmark-policy")], &[]));
        assert_eq!(found, ["touchmark-oci -> touchmark-policy"]);
    }

    #[test]
    fn an_arrow_within_a_row_is_found() {
        let found = upward_arrows(&graph(&[("touchmark-webhook", "touchmark-cli")], &[]));
        assert_eq!(found, ["touchmark-webhook -> touchmark-cli"]);
    }

    #[test]
    fn an_arrow_to_a_lower_row_is_fine() {
        let graph = graph(&[("touchmark-verify", "touchmark-oci"), ("touchmark-oci", "serde")], &[]);
        assert!(upward_arrows(&graph).is_empty());
    }

    #[test]
    fn testkit_is_a_dev_dependency_only() {
        let dev = graph(&[], &[("touchmark-sigstore", TESTKIT)]);
        assert!(upward_arrows(&dev).is_empty());
        let normal = graph(&[("touchmark-cli", TESTKIT)], &[]);
        assert_eq!(upward_arrows(&normal), ["touchmark-cli -> touchmark-testkit"]);
    }

    #[test]
    fn a_dev_dependency_on_a_higher_row_is_found() {
        let found = upward_arrows(&graph(&[], &[("touchmark-sigstore", "touchmark-sign")]));
        assert_eq!(found, ["touchmark-sigstore -> touchmark-sign"]);
    }

    #[test]
    fn a_crate_that_no_row_names_is_found_and_may_use_nothing_of_ours() {
        let graph = graph(&[("touchmark-extra", "touchmark-oci")], &[]);
        assert_eq!(crates_without_row(&graph), ["touchmark-extra"]);
        assert_eq!(upward_arrows(&graph), ["touchmark-extra -> touchmark-oci"]);
    }

    #[test]
    fn a_runtime_deep_under_a_pure_crate_is_found_with_its_path() {
        let graph = graph(&[("touchmark-sbom", "deep"), ("deep", "deeper"), ("deeper", "tokio")], &[]);
        assert_eq!(impure_reaches(&graph), ["touchmark-sbom -> deep -> deeper -> tokio"]);
    }

    #[test]
    fn a_runtime_under_transport_or_a_dev_dependency_is_fine() {
        let graph = graph(&[("touchmark-transport", "tokio")], &[("touchmark-sigstore", "tokio")]);
        assert!(impure_reaches(&graph).is_empty());
    }

    #[test]
    fn signing_is_reached_through_another_crate() {
        let graph = graph(
            &[("touchmark-webhook", "touchmark-verify"), ("touchmark-verify", "touchmark-sign")],
            &[("touchmark-policy", "touchmark-sign")],
        );
        let path = graph.path("touchmark-webhook", "touchmark-sign").unwrap();
        assert_eq!(path, ["touchmark-webhook", "touchmark-verify", "touchmark-sign"]);
        assert_eq!(graph.path("touchmark-policy", "touchmark-sign"), None);
    }
}
