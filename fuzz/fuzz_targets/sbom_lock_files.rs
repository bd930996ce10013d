//! Lock files and records of installed packages of any bytes. The first byte chooses the path.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchmark_fuzz::inventory;

const PATHS: [&str; 36] = [
    "Directory.Packages.props",
    "a/A.csproj",
    "a/A.deps.json",
    "a/META-INF/maven/g/a/pom.properties",
    "a/gradle.lockfile",
    "a/obj/project.assets.json",
    "a/packages.config",
    "a/packages.lock.json",
    "a/pom.xml",
    "usr/share/maven-repo/g/a/1/a-1.pom",
    "Cargo.lock",
    "Gemfile.lock",
    "Package.resolved",
    "Pipfile.lock",
    "Podfile.lock",
    "a/specifications/a-1.gemspec",
    ".github/workflows/a.yml",
    "bun.lock",
    "composer.lock",
    "conan.lock",
    "conanfile.txt",
    "go.mod",
    "mix.lock",
    "package-lock.json",
    "pdm.lock",
    "pnpm-lock.yaml",
    "poetry.lock",
    "pubspec.lock",
    "pylock.toml",
    "rebar.lock",
    "requirements.txt",
    "uv.lock",
    "vendor/composer/installed.json",
    "yarn.lock",
    "action.yml",
    "npm-shrinkwrap.json",
];

/// Asks for versions that stand elsewhere.
const PROJECT: &[u8] = b"<Project><ItemGroup><PackageReference Include='A'/></ItemGroup></Project>";

fuzz_target!(|data: &[u8]| {
    let Some((choice, bytes)) = data.split_first() else { return };
    let path = PATHS[usize::from(*choice) % PATHS.len()];
    inventory(&[("b/B.csproj", PROJECT), (path, bytes)]);
});
