//! yarn's `yarn.lock`: the first version in a format of its own
//! ([yarn 1, "yarn.lock"](https://classic.yarnpkg.com/lang/en/docs/yarn-lock/)), later ones in YAML
//! ([yarn 4, `Project.ts`](https://github.com/yarnpkg/berry/blob/master/packages/yarnpkg-core/sources/Project.ts)). An entry stands under everything that was
//! asked for and led to it: `name@range`.
//!
//! The checksums of later versions are of archives that yarn packs itself, so they are not the delivered package's.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Entry, Lock, Origin, name_and_reference};

pub(super) fn read(text: &str) -> Option<Lock> {
    if text.lines().any(|line| line.starts_with("__metadata:")) { later(text) } else { first(text) }
}

/// Entries under one of their requests, each with what it asks for, and which entry each request leads to.
#[derive(Default)]
struct Requests {
    lock: Lock,
    asks: BTreeMap<String, Vec<(String, String)>>,
    leads_to: BTreeMap<String, String>,
}

impl Requests {
    fn resolved(mut self) -> Lock {
        for (key, asks) in &self.asks {
            let needs = asks.iter().filter_map(|(name, range)| {
                let plain = self.leads_to.get(&format!("{name}@{range}"));
                plain.or_else(|| self.leads_to.get(&format!("{name}@npm:{range}"))).cloned()
            });
            let needs = needs.collect();
            if let Some(entry) = self.lock.get_mut(key) {
                entry.needs = needs;
            }
        }
        self.lock
    }
}

/// Lines: requests without indentation, members with two spaces, what is asked for with four.
fn first(text: &str) -> Option<Lock> {
    let mut requests = Requests::default();
    let mut key = String::new();
    let mut in_dependencies = false;
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let content = line.trim_start();
        match line.len() - content.len() {
            0 => {
                let all: Vec<&str> =
                    content.strip_suffix(':')?.split(',').map(|part| part.trim().trim_matches('"')).collect();
                key = (*all.first()?).to_owned();
                requests.leads_to.extend(all.iter().map(|request| ((*request).to_owned(), key.clone())));
                let (name, range) = name_and_reference(&key)?;
                // `alias@npm:name@range` leads to another package.
                let aliased = range.strip_prefix("npm:").and_then(name_and_reference);
                let name = aliased.map_or(name, |(name, _)| name).to_owned();
                requests.lock.insert(key.clone(), Entry { name, ..Entry::default() });
            }
            2 => {
                in_dependencies = content.ends_with("ependencies:");
                let entry = requests.lock.get_mut(&key)?;
                if let Some((member, value)) = content.split_once(' ') {
                    entry.set(member, value.trim().trim_matches('"'));
                }
            }
            _ if in_dependencies => {
                let (name, range) = content.rsplit_once(" \"").or_else(|| content.split_once(' '))?;
                let ask = (name.trim_matches('"').to_owned(), range.trim_matches('"').to_owned());
                requests.asks.entry(key.clone()).or_default().push(ask);
            }
            _ => {}
        }
    }
    Some(requests.resolved())
}

impl Entry {
    fn set(&mut self, member: &str, value: &str) {
        match member {
            "version" => self.version = Some(value.to_owned()),
            "integrity" => self.integrity = Some(value.to_owned()),
            // A registry keeps its archives under `/-/`.
            "resolved" if !value.starts_with("http") || !value.contains("/-/") => {
                self.origin = Origin::Elsewhere;
            }
            _ => {}
        }
    }
}

#[derive(Deserialize)]
struct Later {
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    resolution: Option<String>,
    #[serde(default)]
    dependencies: BTreeMap<String, String>,
}

fn later(text: &str) -> Option<Lock> {
    let file: BTreeMap<String, Later> = super::yaml(text)?;
    let mut requests = Requests::default();
    for (key, entry) in file {
        // `__metadata` has none.
        let Some(resolution) = entry.resolution else { continue };
        let (name, reference) = name_and_reference(&resolution)?;
        let origin = match reference {
            "workspace:." => Origin::Root,
            _ if reference.starts_with("npm:") || reference.starts_with("patch:") => Origin::Registry,
            _ => Origin::of_reference(reference),
        };
        // Workspaces have a number that stands for none.
        let version = entry.version.filter(|_| !matches!(origin, Origin::Root | Origin::Tree));
        requests.leads_to.extend(key.split(", ").map(|request| (request.to_owned(), key.clone())));
        requests.asks.insert(key.clone(), entry.dependencies.into_iter().collect());
        requests.lock.insert(key, Entry { name: name.to_owned(), version, origin, ..Entry::default() });
    }
    Some(requests.resolved())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_version_is_read_line_by_line() {
        let text = "# yarn lockfile v1\n\n\"@s/a@^1.0.0\", \"@s/a@^1.1\":\n  version \"1.2.0\"\n  resolved \"https://r.org/@s/a/-/a-1.2.0.tgz#00\"\n  integrity sha512-x\n\
            \x20 dependencies:\n    \"@s/b\" \"^2 || ^3\"\n    c \"1\"\n\n\"@s/b@^2 || ^3\":\n  version \"2.0.0\"\n\n\"c@1\":\n  version \"1.0.0\"\n\
            \x20 resolved \"git+https://example.org/c.git#00\"\n";
        let lock = read(text).unwrap();
        let a = &lock["@s/a@^1.0.0"];
        assert_eq!(
            (a.name.as_str(), a.version.as_deref(), a.integrity.as_deref()),
            ("@s/a", Some("1.2.0"), Some("sha512-x"))
        );
        assert_eq!(a.needs, ["@s/b@^2 || ^3", "c@1"]);
        assert_eq!(lock["c@1"].origin, Origin::Elsewhere);
    }

    #[test]
    fn later_versions_are_yaml() {
        let text = "__metadata:\n  version: 8\n\n\"a@npm:^1.0.0, a@npm:^1.1\":\n  version: 1.2.0\n  resolution: \"a@npm:1.2.0\"\n  dependencies:\n    b: ^2\n\
            \n\"b@npm:^2\":\n  version: 2.0.0\n  resolution: \"b@npm:2.0.0\"\n\n\"shop@workspace:.\":\n  version: 0.0.0-use.local\n  resolution: \"shop@workspace:.\"\n\
            \x20 dependencies:\n    a: \"npm:^1.1\"\n";
        let lock = read(text).unwrap();
        assert_eq!(lock["shop@workspace:."].needs, ["a@npm:^1.0.0, a@npm:^1.1"]);
        assert_eq!(lock["a@npm:^1.0.0, a@npm:^1.1"].needs, ["b@npm:^2"]);
        assert_eq!(
            (lock["shop@workspace:."].origin, lock["shop@workspace:."].version.as_deref()),
            (Origin::Root, None)
        );
    }
}
