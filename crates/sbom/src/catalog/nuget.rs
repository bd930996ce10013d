//! .NET packages, as built into an application: `NAME.deps.json`, which the host reads to find assemblies
//! ([runtime configuration files, "deps.json"](https://github.com/dotnet/sdk/blob/main/documentation/specs/runtime-configuration-file.md)).
//! Shared frameworks have one too.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::catalog::{Cataloger, Files, Findings, integrity};
use crate::purl::Purl;
use crate::{Ecosystem, Evidence, GapReason, Package, PackageId, path};

pub(super) struct Nuget;

impl Cataloger for Nuget {
    fn wants(&self, path: &str) -> bool {
        path.ends_with(".deps.json")
    }

    fn catalog(&self, files: &Files<'_>, found: &mut Findings) {
        for (path, file, bytes) in files.wanted() {
            match serde_json::from_slice::<Graph>(crate::catalog::without_mark(bytes)) {
                Ok(graph) => application(&graph, &file.evidence(path), found),
                Err(_) => found.gap(path, GapReason::Malformed { format: "deps.json" }),
            }
        }
    }
}

/// The file, with what it needs for one framework and runtime in `targets`. `project.assets.json` has these members too.
#[derive(Deserialize)]
pub(super) struct Graph {
    #[serde(default, rename = "runtimeTarget")]
    runtime_target: Option<RuntimeTarget>,
    #[serde(default)]
    pub(super) targets: BTreeMap<String, BTreeMap<String, Target>>,
    #[serde(default)]
    pub(super) libraries: BTreeMap<String, Library>,
}

/// Old tools wrote the name alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum RuntimeTarget {
    Named { name: String },
    Name(String),
}

#[derive(Deserialize)]
pub(super) struct Target {
    #[serde(default)]
    dependencies: BTreeMap<String, String>,
    #[serde(default, rename = "compileOnly")]
    compile_only: bool,
}

#[derive(Deserialize)]
pub(super) struct Library {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    sha512: Option<String>,
}

fn application(graph: &Graph, evidence: &Evidence, found: &mut Findings) {
    let name = graph.runtime_target.as_ref().map(|target| match target {
        RuntimeTarget::Named { name } | RuntimeTarget::Name(name) => name,
    });
    // Beside the target that runs there is one to compile against.
    let target = name.and_then(|name| graph.targets.get(name)).or_else(|| graph.targets.values().next_back());
    let Some(target) = target else {
        return found.gap(&evidence.path, GapReason::Incomplete { format: "deps.json", member: "targets" });
    };
    let file = path::split(&evidence.path).1;
    let own = file.strip_suffix(".deps.json").unwrap_or(file);
    add(target, &graph.libraries, own, evidence, found);
}

/// Adds what one target lists, with its edges. `own` is the name of the project that the file is about.
pub(super) fn add(
    target: &BTreeMap<String, Target>,
    libraries: &BTreeMap<String, Library>,
    own: &str,
    evidence: &Evidence,
    found: &mut Findings,
) -> BTreeMap<String, PackageId> {
    let mut ids: BTreeMap<String, PackageId> = BTreeMap::new();
    let listed: Vec<_> = target.iter().filter(|(_, entry)| !entry.compile_only).collect();
    let listed = found.bounded(&evidence.path, listed);
    for (key, _) in &listed {
        let Some((name, version)) = key.split_once('/') else {
            found.gap(&evidence.path, GapReason::Incomplete { format: "deps.json", member: "version" });
            continue;
        };
        let library = libraries.get(*key);
        let is_project = library.is_some_and(|library| library.kind == "project");
        let mut package = if is_project {
            // It was built from its source: no registry has it under this name.
            Package::new(Ecosystem::Nuget, name, Some(version), None, evidence.clone())
        } else {
            package(name, version, evidence)
        };
        package.is_application = is_project && name.eq_ignore_ascii_case(own);
        let sum = library.and_then(|library| library.sha512.as_deref()).unwrap_or_default();
        package.checksums = integrity::checksums(&if sum.starts_with("sha512-") {
            sum.to_owned()
        } else {
            format!("sha512-{sum}")
        });
        ids.insert(name.to_ascii_lowercase(), package.id.clone());
        found.packages.push(package);
    }
    for (key, entry) in &listed {
        let from = key.split_once('/').and_then(|(name, _)| ids.get(&name.to_ascii_lowercase()));
        for to in entry.dependencies.keys().filter_map(|name| ids.get(&name.to_ascii_lowercase())) {
            if let Some(from) = from {
                found.depends(from, to);
            }
        }
    }
    ids
}

/// A package of nuget.org or another feed. A runtime that is delivered with an application is one too, under a prefix.
pub(super) fn package(name: &str, version: &str, evidence: &Evidence) -> Package {
    let name = name.strip_prefix("runtimepack.").unwrap_or(name);
    let purl = Purl { kind: "nuget", namespace: None, name, version, qualifiers: &[], subpath: None };
    Package::new(Ecosystem::Nuget, name, Some(version), purl.to_text(), evidence.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::testing::catalog;

    const PATH: &str = "app/Shop.deps.json";

    #[test]
    fn packages_and_edges_are_those_of_the_target_that_runs() {
        let text = br#"{"runtimeTarget":{"name":"net8/linux-x64"},"targets":{"net8":{"Other/1.0.0":{}},"net8/linux-x64":{
            "Shop/1.0.0":{"dependencies":{"a.b":"2.0.0","runtimepack.R":"8.0.1","None":"1"}},"A.B/2.0.0":{},
            "runtimepack.R/8.0.1":{},"Ref/1.0.0":{"compileOnly":true}}},"libraries":{"Shop/1.0.0":{"type":"project"},
            "A.B/2.0.0":{"type":"package","sha512":"sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg=="},
            "runtimepack.R/8.0.1":{"type":"runtimepack"}}}"#;
        let found = catalog(&[(PATH, text)]);
        assert_eq!(found.packages.len(), 3);
        assert!(found.has_edge("Shop", "A.B") && found.has_edge("Shop", "R"));
        assert_eq!(found.named("R").purl.as_deref(), Some("pkg:nuget/R@8.0.1"));
        assert!(found.named("A.B").checksums[0].hex.starts_with("cf83e1357eefb8bd"));
        let shop = found.named("Shop");
        assert_eq!((shop.purl.as_deref(), shop.is_application), (None, true));
    }

    #[test]
    fn files_that_make_no_sense_are_gaps() {
        let gap = |text: &str| catalog(&[(PATH, text.as_bytes())]).gaps.remove(0).reason;
        assert_eq!(gap("["), GapReason::Malformed { format: "deps.json" });
        assert_eq!(gap("{}"), GapReason::Incomplete { format: "deps.json", member: "targets" });
        assert_eq!(
            gap(r#"{"targets":{"x":{"A":{}}}}"#),
            GapReason::Incomplete { format: "deps.json", member: "version" }
        );
    }
}
