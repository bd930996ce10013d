//! Maven's project descriptor ([POM reference, model 4.0.0](https://maven.apache.org/pom.html)), as it stands in one file: what parents
//! and profiles would add is not known here.

use std::collections::BTreeMap;

use crate::elements::{self, Event};

/// What identifies an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Coordinates {
    pub(crate) group: String,
    pub(crate) artifact: String,
    /// None when nothing fills it in.
    pub(crate) version: Option<String>,
}

impl Coordinates {
    /// None when group or artifact is not a name (Maven allows `[A-Za-z0-9_.-]`).
    pub(crate) fn new(group: &str, artifact: &str, version: Option<&str>) -> Option<Self> {
        let is_name = |text: &str| {
            let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
            !text.is_empty() && text.len() <= MAX_NAME_BYTES && text.chars().all(is_allowed)
        };
        let is_version = |text: &&str| {
            let is_forbidden =
                |c: char| c.is_whitespace() || c.is_control() || matches!(c, '$' | '{' | '}' | '/' | '\\');
            !text.is_empty() && text.len() <= MAX_NAME_BYTES && !text.contains(is_forbidden)
        };
        let version = version.map(str::trim).filter(is_version).map(str::to_owned);
        let (group, artifact) = (group.trim(), artifact.trim());
        (is_name(group) && is_name(artifact)).then(|| Self {
            group: group.into(),
            artifact: artifact.into(),
            version,
        })
    }

    /// Group and artifact, as Maven writes them.
    pub(crate) fn name(&self) -> String {
        format!("{}:{}", self.group, self.artifact)
    }

    pub(super) fn bytes(&self) -> usize {
        self.group.len() + self.artifact.len() + self.version.as_ref().map_or(0, String::len)
    }
}

/// What is kept of a POM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Pom {
    /// Its own coordinates; what it leaves out it has from its parent.
    pub(crate) coordinates: Option<Coordinates>,
    /// `name`.
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) url: Option<String>,
    /// Names and addresses of licences. Whoever uses it may choose among several.
    pub(crate) licenses: Vec<(Option<String>, Option<String>)>,
    /// The organisation, or else the first developer.
    pub(crate) supplier: Option<String>,
    /// What it needs at run time and does not leave to whoever uses it.
    pub(crate) dependencies: Vec<Coordinates>,
}

impl Pom {
    /// None when the text is no POM.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut raw = Raw::default();
        elements::walk(text, |path, event| raw.event(path, event)).ok()?;
        raw.is_project.then(|| raw.resolved())
    }

    pub(super) fn bytes(&self) -> usize {
        let texts = [&self.title, &self.description, &self.url, &self.supplier];
        let licenses = self.licenses.iter().flat_map(|(name, url)| [name, url]);
        let coordinates = self.coordinates.iter().chain(&self.dependencies).map(|part| part.bytes() + 64);
        texts.into_iter().chain(licenses).flatten().map(String::len).sum::<usize>()
            + coordinates.sum::<usize>()
    }
}

/// A POM as written.
#[derive(Default)]
struct Raw {
    is_project: bool,
    properties: BTreeMap<String, String>,
    /// Group, artifact and version.
    own: [Option<String>; 3],
    parent: [Option<String>; 3],
    pom: Pom,
    developer: Option<String>,
    dependencies: Vec<Dependency>,
}

#[derive(Default)]
struct Dependency {
    names: [Option<String>; 3],
    scope: Option<String>,
    is_optional: bool,
}

impl Raw {
    fn event(&mut self, path: &[&str], event: Event<'_>) {
        let text = match (path, event) {
            (["project"], Event::Start(_)) => return self.is_project = true,
            (["project", "dependencies", "dependency"], Event::Start(_)) => {
                return self.dependencies.push(Dependency::default());
            }
            (["project", "licenses", "license"], Event::Start(_)) => {
                return self.pom.licenses.push((None, None));
            }
            (_, Event::Start(_)) => return,
            (_, Event::Text(text)) => || Some(text.to_owned()),
        };
        match path {
            ["project", "groupId"] => self.own[0] = text(),
            ["project", "artifactId"] => self.own[1] = text(),
            ["project", "version"] => self.own[2] = text(),
            ["project", "parent", "groupId"] => self.parent[0] = text(),
            ["project", "parent", "artifactId"] => self.parent[1] = text(),
            ["project", "parent", "version"] => self.parent[2] = text(),
            ["project", "properties", name] => {
                self.properties.insert((*name).to_owned(), text().unwrap_or_default());
            }
            ["project", "name"] => self.pom.title = text(),
            ["project", "description"] => self.pom.description = text(),
            ["project", "url"] => self.pom.url = text(),
            ["project", "organization", "name"] => self.pom.supplier = text(),
            ["project", "developers", "developer", "name"] => {
                self.developer = self.developer.take().or_else(text);
            }
            ["project", "licenses", "license", member] => self.license(member, text()),
            ["project", "dependencies", "dependency", member] => self.dependency(member, text()),
            _ => {}
        }
    }

    fn license(&mut self, member: &str, text: Option<String>) {
        match (member, self.pom.licenses.last_mut()) {
            ("name", Some((name, _))) => *name = text,
            ("url", Some((_, url))) => *url = text,
            _ => {}
        }
    }

    fn dependency(&mut self, member: &str, text: Option<String>) {
        let Some(dependency) = self.dependencies.last_mut() else { return };
        match member {
            "groupId" => dependency.names[0] = text,
            "artifactId" => dependency.names[1] = text,
            "version" => dependency.names[2] = text,
            "scope" => dependency.scope = text,
            "optional" => dependency.is_optional = text.as_deref() == Some("true"),
            _ => {}
        }
    }

    fn resolved(self) -> Pom {
        let own = [0, 1, 2].map(|index| {
            let inherited = (index != 1).then_some(()).and(self.parent.get(index)).and_then(Option::as_ref);
            let written = self.own.get(index).and_then(Option::as_ref);
            self.filled_in(written.or(inherited)?, &[])
        });
        let coordinates = named(&own);
        let is_needed = |dependency: &&Dependency| {
            let scope = dependency.scope.as_deref().unwrap_or("compile");
            !dependency.is_optional && matches!(scope, "compile" | "runtime")
        };
        let needed = |dependency: &Dependency| {
            named(&dependency.names.each_ref().map(|name| self.filled_in(name.as_ref()?, &own)))
        };
        let dependencies = self.dependencies.iter().filter(is_needed).filter_map(needed).collect();
        let known = |text: &Option<String>| text.as_ref().and_then(|text| self.filled_in(text, &own));
        Pom {
            title: known(&self.pom.title),
            description: known(&self.pom.description),
            url: known(&self.pom.url),
            licenses: self.pom.licenses.clone(),
            supplier: known(&self.pom.supplier).or_else(|| known(&self.developer)),
            coordinates,
            dependencies,
        }
    }

    /// The text with its `${…}` replaced by the POM's own properties and coordinates; none when one is not known here.
    fn filled_in(&self, text: &str, own: &[Option<String>]) -> Option<String> {
        let mut text = text.to_owned();
        for _ in 0..MAX_STEPS {
            let Some((before, after)) = text.split_once("${") else { return Some(text) };
            let (name, after) = after.split_once('}')?;
            let parent = |index: usize| self.parent.get(index).and_then(Option::as_deref);
            let of_project =
                |index: usize| own.get(index).and_then(Option::as_deref).or_else(|| parent(index));
            let value = match name.strip_prefix("pom.").or(name.strip_prefix("project.")).unwrap_or(name) {
                "groupId" => of_project(0),
                "artifactId" => own.get(1).and_then(Option::as_deref),
                "version" => of_project(2),
                "parent.groupId" => parent(0),
                "parent.version" => parent(2),
                _ => self.properties.get(name).map(String::as_str),
            };
            text = format!("{before}{}{after}", value?);
            if text.len() > MAX_TEXT_BYTES {
                return None;
            }
        }
        None
    }
}

fn named(names: &[Option<String>; 3]) -> Option<Coordinates> {
    let [group, artifact, version] = names;
    Coordinates::new(group.as_deref()?, artifact.as_deref()?, version.as_deref())
}

/// Properties replaced in one value: they may name each other, also in a circle.
const MAX_STEPS: usize = 32;
const MAX_TEXT_BYTES: usize = 64 << 10;
/// Longer names are not ones.
const MAX_NAME_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn pom(inside: &str) -> Pom {
        Pom::parse(&format!("<project xmlns='x'>{inside}</project>")).unwrap()
    }

    fn coordinates(group: &str, artifact: &str, version: Option<&str>) -> Coordinates {
        Coordinates::new(group, artifact, version).unwrap()
    }

    #[test]
    fn group_and_version_come_from_the_parent() {
        let found = pom(
            "<parent><groupId>g</groupId><artifactId>p</artifactId><version>2</version></parent><artifactId>a</artifactId>",
        );
        assert_eq!(found.coordinates, Some(coordinates("g", "a", Some("2"))));
        let found = pom("<parent><artifactId>p</artifactId></parent><groupId>g</groupId>");
        assert_eq!(found.coordinates, None, "the artifact is never the parent's");
    }

    #[test]
    fn properties_are_filled_in_as_far_as_the_file_says() {
        let found = pom(
            "<groupId>g</groupId><artifactId>a</artifactId><version>${v}</version><properties><v>${w}.1</v><w>3</w><x>${x}</x>\
             </properties><name>${x}</name><dependencies><dependency><groupId>${project.groupId}</groupId><artifactId>b</artifactId>\
             <version>${pom.version}</version></dependency><dependency><groupId>h</groupId><artifactId>c</artifactId>\
             <version>${parents}</version></dependency></dependencies>",
        );
        assert_eq!(found.coordinates, Some(coordinates("g", "a", Some("3.1"))));
        assert_eq!(found.title, None, "a circle");
        assert_eq!(found.dependencies, [coordinates("g", "b", Some("3.1")), coordinates("h", "c", None)]);
    }

    #[test]
    fn only_what_is_needed_at_run_time_is_a_dependency() {
        let of = |more: &str| {
            format!("<dependency><groupId>g</groupId><artifactId>x</artifactId>{more}</dependency>")
        };
        let count =
            |more: &str| pom(&format!("<dependencies>{}</dependencies>", of(more))).dependencies.len();
        assert_eq!(count("<scope>runtime</scope><optional>false</optional>"), 1);
        assert_eq!(count("<scope>test</scope>"), 0);
        assert_eq!(count("<scope>provided</scope>"), 0);
        assert_eq!(count("<optional>true</optional>"), 0);
        let managed =
            format!("<dependencyManagement><dependencies>{}</dependencies></dependencyManagement>", of(""));
        assert_eq!(pom(&managed).dependencies, []);
    }

    #[test]
    fn licences_and_supplier_are_as_declared() {
        let found = pom(
            "<licenses><license><name>A</name><url>u</url></license><license><name>B</name></license></licenses>\
             <developers><developer><name>Ann</name></developer><developer><name>Bob</name></developer></developers>",
        );
        assert_eq!(found.licenses, [(Some("A".into()), Some("u".into())), (Some("B".into()), None)]);
        assert_eq!(found.supplier.as_deref(), Some("Ann"));
        assert_eq!(pom("<organization><name>Org</name></organization>").supplier.as_deref(), Some("Org"));
    }

    #[test]
    fn other_documents_are_no_pom() {
        assert_eq!(Pom::parse("<html></html>"), None);
        assert_eq!(Pom::parse("<project>"), None);
    }
}
