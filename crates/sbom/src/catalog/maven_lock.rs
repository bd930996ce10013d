//! What a Java source tree asks for: `gradle.lockfile`
//! ([Gradle 8, "Locking versions"](https://docs.gradle.org/8.10/userguide/dependency_locking.html)), and the direct dependencies of a `pom.xml` whose
//! version it says itself. What parents and imported lists would add is not known without a repository.

use crate::catalog::{Cataloger, Files, Findings, Finds, maven, text};
use crate::java::{Coordinates, Pom};
use crate::{Ecosystem, Evidence, GapReason, IdentifiedBy, Package, path};

pub(super) struct MavenLock;

impl Cataloger for MavenLock {
    fn wants(&self, path: &str) -> bool {
        let name = path::split(path).1;
        // In an archive that was unpacked, a POM is metadata of what is there.
        name == GRADLE || (name == POM && !path.contains("META-INF/maven/"))
    }

    fn finds(&self) -> Finds {
        Finds::Locked
    }

    fn catalog(&self, files: &Files<'_>, found: &mut Findings) {
        for (path, file, bytes) in files.wanted() {
            let evidence = file.evidence(path);
            match (path::split(path).1, Pom::parse(&text(bytes))) {
                (GRADLE, _) => gradle(&text(bytes), &evidence, found),
                (_, Some(pom)) => project(&pom, &evidence, found),
                (_, None) => found.gap(path, GapReason::Malformed { format: POM }),
            }
        }
    }
}

/// Lines of `group:artifact:version=configuration,…`; `empty=` lists configurations without any.
fn gradle(text: &str, evidence: &Evidence, found: &mut Findings) {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let lines: Vec<&str> = lines.filter(|line| !line.starts_with("empty=")).collect();
    for line in found.bounded(&evidence.path, lines) {
        let mut parts = line.split('=').next().unwrap_or(line).split(':');
        let coordinates = match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(group), Some(artifact), Some(version), None) => {
                Coordinates::new(group, artifact, Some(version))
                    .filter(|coordinates| coordinates.version.is_some())
            }
            _ => None,
        };
        match coordinates {
            Some(coordinates) => found.packages.push(locked(&coordinates, evidence)),
            None => return found.gap(&evidence.path, GapReason::Malformed { format: GRADLE }),
        }
    }
}

/// The project, which is not published yet, and what it needs.
fn project(pom: &Pom, evidence: &Evidence, found: &mut Findings) {
    let Some(own) = &pom.coordinates else {
        return found.gap(&evidence.path, GapReason::Incomplete { format: POM, member: "artifactId" });
    };
    let version = own.version.as_deref();
    let mut application = Package::new(Ecosystem::Maven, &own.name(), version, None, evidence.clone());
    application.is_application = true;
    let id = application.id.clone();
    found.packages.push(application);
    for need in found.bounded(&evidence.path, pom.dependencies.iter().collect()) {
        let is_exact = |version: &&str| !version.contains(['[', ']', '(', ')', ',']);
        let version = need.version.as_deref().filter(is_exact).map(str::to_owned);
        let package = locked(&Coordinates { version, ..need.clone() }, evidence);
        found.depends(&id, &package.id);
        found.packages.push(package);
    }
}

fn locked(coordinates: &Coordinates, evidence: &Evidence) -> Package {
    let mut package = maven::package(coordinates, evidence.clone());
    package.identified_by = IdentifiedBy::LockFile;
    package
}

const GRADLE: &str = "gradle.lockfile";
const POM: &str = "pom.xml";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::testing::catalog;

    #[test]
    fn a_gradle_lock_names_versions() {
        let text = b"# comment\norg.a:b:1.0=compileClasspath,runtimeClasspath\nempty=annotationProcessor\n";
        let found = catalog(&[("app/gradle.lockfile", text)]);
        assert_eq!(found.packages.len(), 1);
        assert_eq!(found.named("org.a:b").purl.as_deref(), Some("pkg:maven/org.a/b@1.0"));
        assert_eq!(found.named("org.a:b").identified_by, IdentifiedBy::LockFile);
    }

    #[test]
    fn a_pom_names_what_it_says_itself() {
        let need = |artifact: &str, version: &str| {
            format!(
                "<dependency><groupId>g</groupId><artifactId>{artifact}</artifactId>{version}</dependency>"
            )
        };
        let needs = [need("a", "<version>1</version>"), need("b", ""), need("c", "<version>[1,2)</version>")]
            .concat();
        let text = format!(
            "<project><groupId>g</groupId><artifactId>app</artifactId><version>3</version><dependencies>{needs}</dependencies></project>"
        );
        let found = catalog(&[("app/pom.xml", text.as_bytes())]);
        assert_eq!(found.named("g:app").purl, None);
        assert!(found.has_edge("g:app", "g:a") && found.has_edge("g:app", "g:b"));
        assert_eq!(found.named("g:a").purl.as_deref(), Some("pkg:maven/g/a@1"));
        assert_eq!((found.named("g:b").version.as_ref(), found.named("g:c").version.as_ref()), (None, None));
    }

    #[test]
    fn broken_files_are_gaps() {
        let gap = |path: &str, text: &str| catalog(&[(path, text.as_bytes())]).gaps.remove(0).reason;
        assert_eq!(gap(GRADLE, "a:b"), GapReason::Malformed { format: GRADLE });
        assert_eq!(gap(POM, "<project>"), GapReason::Malformed { format: POM });
        assert_eq!(gap(POM, "<project/>"), GapReason::Incomplete { format: POM, member: "artifactId" });
    }
}
