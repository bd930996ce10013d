//! Modules that are built into Go executables
//! ([Go 1.25, runtime/debug.BuildInfo](https://pkg.go.dev/runtime/debug@go1.25.0#BuildInfo)).
//!
//! The list is flat: it says which modules are in the program, not which needs which. A module without a version, such as a main
//! module that was built from a checkout, has no purl.

use crate::catalog::{Cataloger, Files, Findings};
use crate::executable::GoBuildInfo;
use crate::purl::Purl;
use crate::{Ecosystem, Evidence, GapReason, Package, Party, path};

pub(super) struct GoBinary;

impl Cataloger for GoBinary {
    fn wants(&self, _path: &str) -> bool {
        false
    }

    fn catalog(&self, files: &Files<'_>, found: &mut Findings) {
        for (path, file, executable) in files.executables() {
            if let Some(info) = &executable.go {
                add(info, &file.evidence(path), found);
            }
        }
    }
}

fn add(info: &GoBuildInfo, evidence: &Evidence, found: &mut Findings) {
    let build = Build::parse(&info.modules);
    let path = &evidence.path;
    let main = build.main.as_ref().map_or(build.path.unwrap_or(path::split(path).1), |module| module.name);
    let main_version = build.main.as_ref().and_then(|module| module.version);
    let mut program = module(main, main_version, evidence);
    program.is_application = true;
    let mut parts = Vec::new();
    match &info.version {
        Some(version) => parts.push(module(STANDARD_LIBRARY, toolchain_version(version), evidence)),
        None => found.gap(path, GapReason::GoVersion),
    }
    let modules = found.bounded(path, build.modules);
    parts.extend(modules.iter().map(|part| module(part.name, part.version, evidence)));
    for part in &parts {
        found.contains(&program.id, &part.id);
    }
    found.packages.push(program);
    found.packages.extend(parts);
}

/// `go1.22.1 X:nocoverageredesign` is 1.22.1. A development version has a commit in place of a number.
fn toolchain_version(text: &str) -> Option<&str> {
    text.split_whitespace().next().and_then(|word| word.strip_prefix("go"))
}

/// A module in a version.
pub(super) fn module(name: &str, version: Option<&str>, evidence: &Evidence) -> Package {
    let (namespace, last) =
        name.rsplit_once('/').map_or((None, name), |(namespace, last)| (Some(namespace), last));
    let purl = version.and_then(|version| {
        Purl { kind: "golang", namespace, name: last, version, qualifiers: &[], subpath: None }.to_text()
    });
    let mut package = Package::new(Ecosystem::Golang, name, version, purl, evidence.clone());
    package.supplier = supplier(name);
    package
}

/// A module's path starts with the place that it is fetched from
/// ([Go Modules Reference, "Module paths"](https://go.dev/ref/mod#module-path)): a host, and on hosts that many share, an owner.
fn supplier(module: &str) -> Option<Party> {
    const SHARED_HOSTS: [&str; 4] = ["github.com", "gitlab.com", "bitbucket.org", "codeberg.org"];
    if module == STANDARD_LIBRARY {
        return Some(Party::Organization("The Go Authors".to_owned()));
    }
    let mut parts = module.split('/');
    let host = parts.next().filter(|host| host.contains('.'))?;
    let owner = parts.next().filter(|_| SHARED_HOSTS.contains(&host));
    Some(Party::Organization(owner.map_or_else(|| host.to_owned(), |owner| format!("{host}/{owner}"))))
}

const STANDARD_LIBRARY: &str = "stdlib";

/// The lines of the build information.
#[derive(Default)]
struct Build<'a> {
    path: Option<&'a str>,
    main: Option<Module<'a>>,
    modules: Vec<Module<'a>>,
}

struct Module<'a> {
    name: &'a str,
    version: Option<&'a str>,
}

impl<'a> Build<'a> {
    fn parse(text: &'a str) -> Self {
        let mut build = Self::default();
        let mut last_is_main = false;
        for line in text.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            match fields.as_slice() {
                ["path", path, ..] => build.path = Some(path).copied().filter(|path| !path.is_empty()),
                ["mod", name, rest @ ..] => {
                    build.main = Some(Module::new(name, rest));
                    last_is_main = true;
                }
                ["dep", name, rest @ ..] => {
                    build.modules.push(Module::new(name, rest));
                    last_is_main = false;
                }
                ["=>", name, rest @ ..] => {
                    let replaced = if last_is_main { build.main.as_mut() } else { build.modules.last_mut() };
                    if let Some(module) = replaced {
                        module.replace_with(name, rest);
                    }
                }
                _ => {}
            }
        }
        build
    }
}

impl<'a> Module<'a> {
    fn new(name: &'a str, rest: &[&'a str]) -> Self {
        let version = rest.first().copied().filter(|version| !version.is_empty() && *version != "(devel)");
        Self { name, version }
    }

    /// What was built is the replacement. A directory has no version and is no module's name, so the name stays.
    fn replace_with(&mut self, name: &'a str, rest: &[&'a str]) {
        let replacement = Self::new(name, rest);
        let is_directory = name.starts_with(['.', '/']);
        *self = if is_directory { Self { name: self.name, version: None } } else { replacement };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(version: Option<&str>, modules: &str) -> Findings {
        let mut found = crate::catalog::testing::catalog(&[]);
        let info = GoBuildInfo { version: version.map(str::to_owned), modules: modules.to_owned() };
        add(&info, &Evidence { path: "usr/bin/tool".into(), layer: None }, &mut found);
        found
    }

    #[test]
    fn modules_and_the_standard_library_are_in_the_program() {
        let modules = "path\texample.org/tool/cmd\nmod\texample.org/tool\t(devel)\t\ndep\tgolang.org/x/sys\tv0.1.0\th1:x=\n";
        let found = found(Some("go1.22.1 X:y"), modules);
        assert!(found.has_edge("example.org/tool", "stdlib"));
        assert!(found.has_edge("example.org/tool", "golang.org/x/sys"));
        assert_eq!(found.named("example.org/tool").purl, None, "built from a checkout");
        assert_eq!(found.named("stdlib").purl.as_deref(), Some("pkg:golang/stdlib@1.22.1"));
        assert_eq!(
            found.named("golang.org/x/sys").purl.as_deref(),
            Some("pkg:golang/golang.org/x/sys@v0.1.0")
        );
    }

    #[test]
    fn a_replacement_is_what_was_built() {
        let modules = "mod\tm\tv1.0.0\t\ndep\ta.org/x\tv1.0.0\n=>\tb.org/x\tv2.0.0\th1:y=\ndep\tc.org/x\tv1.0.0\n=>\t./local\t(devel)\t\n";
        let found = found(Some("go1.20"), modules);
        assert_eq!(found.named("b.org/x").version.as_deref(), Some("v2.0.0"));
        assert_eq!(found.named("c.org/x").purl, None);
        assert!(found.packages.iter().all(|package| package.name != "a.org/x"));
    }

    #[test]
    fn a_program_without_modules_is_named_by_its_file() {
        let found = found(None, "");
        assert_eq!(found.packages.len(), 1);
        assert_eq!(found.named("tool").version, None);
        assert_eq!(found.gaps[0].reason, GapReason::GoVersion);
    }
}
