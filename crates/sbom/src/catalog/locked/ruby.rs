//! `Gemfile.lock` and `gems.locked` ([Bundler, "gemfile(5)"](https://bundler.io/man/gemfile.5.html); the format is that of Bundler's
//! `LockfileParser`): sections in capitals, gems at four spaces, what they need at six.

use super::{LockFile, Locked, Origin, prefixed_checksum};
use crate::{Checksum, ChecksumAlgorithm, Ecosystem, path};

pub(in crate::catalog) const GEMFILE: LockFile =
    LockFile { ecosystem: Ecosystem::Gem, format: "Gemfile.lock", is_one, parse };

fn is_one(path: &str) -> bool {
    let name = path::split(path).1;
    name == "gems.locked" || name.ends_with("Gemfile.lock")
}

fn parse(text: &str) -> Option<Vec<Locked>> {
    let mut section = Section::default();
    let mut gems: Vec<Locked> = Vec::new();
    let mut has_sections = false;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let depth = line.len() - line.trim_start_matches(' ').len();
        let entry = line.trim();
        match depth {
            0 => {
                section = Section::named(entry);
                has_sections = true;
            }
            2 if section.kind == Kind::Checksums => add_checksum(entry, &mut gems),
            2 => section.option(entry),
            4 if section.kind == Kind::Gems => gems.extend(gem(entry, &section)),
            6 if section.kind == Kind::Gems => {
                let need = entry.split([' ', '!']).next().unwrap_or_default().to_owned();
                gems.last_mut()?.needs.push(need);
            }
            _ => {}
        }
    }
    (has_sections || text.trim().is_empty()).then_some(gems)
}

#[derive(Default)]
struct Section {
    kind: Kind,
    is_local: bool,
    remote: Option<String>,
    revision: Option<String>,
    is_git: bool,
}

#[derive(Default, PartialEq, Eq, Clone, Copy)]
enum Kind {
    Gems,
    Checksums,
    #[default]
    Other,
}

impl Section {
    fn named(name: &str) -> Self {
        let kind = match name {
            "GEM" | "GIT" | "PATH" | "PLUGIN SOURCE" => Kind::Gems,
            "CHECKSUMS" => Kind::Checksums,
            _ => Kind::Other,
        };
        Self { kind, is_local: name == "PATH", is_git: name == "GIT", ..Self::default() }
    }

    fn option(&mut self, entry: &str) {
        match entry.split_once(": ") {
            Some(("remote", value)) => self.remote = Some(value.to_owned()),
            Some(("revision", value)) => self.revision = Some(value.to_owned()),
            _ => {}
        }
    }
}

/// `name (version)` or `name (version-platform)`.
fn gem(entry: &str, section: &Section) -> Option<Locked> {
    let (name, rest) = entry.split_once(" (")?;
    let (version, platform) = split_platform(rest.strip_suffix(')')?);
    let mut locked = Locked::new(name, version);
    locked.qualifiers.extend(platform.map(|platform| ("platform", platform.to_owned())));
    if section.is_local {
        locked.origin = Origin::Local;
    }
    if let (true, Some(remote)) = (section.is_git, &section.remote) {
        locked.add_repository(remote, section.revision.as_deref().unwrap_or_default());
    }
    Some(locked)
}

/// Versions of gems have no hyphen, so one starts the platform (`RubyGems`, `Gem::Version::VERSION_PATTERN`, writes pre-releases
/// with dots).
fn split_platform(text: &str) -> (&str, Option<&str>) {
    match text.split_once('-') {
        Some((version, platform)) => (version, Some(platform)),
        None => (text, None),
    }
}

/// `name (version) sha256=…`.
fn add_checksum(entry: &str, gems: &mut [Locked]) {
    let Some((name_and_version, checksum)) = entry.rsplit_once(") ") else { return };
    let Some((name, version)) = name_and_version.split_once(" (") else { return };
    let (version, platform) = split_platform(version);
    let is_it = |gem: &&mut Locked| {
        let own = gem.qualifiers.iter().find(|(key, _)| *key == "platform").map(|(_, value)| value.as_str());
        gem.name == name && gem.version == version && own == platform
    };
    if let Some(gem) = gems.iter_mut().find(is_it) {
        gem.checksums = checksum.split(',').filter_map(one_checksum).collect();
    }
}

fn one_checksum(text: &str) -> Option<Checksum> {
    match text.split_once('=')? {
        ("sha256", hex) => Checksum::new(ChecksumAlgorithm::Sha256, hex),
        (algorithm, hex) => prefixed_checksum(&format!("{algorithm}:{hex}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "GIT\n  remote: https://example.org/r.git\n  revision: abc\n  specs:\n    r (1.0)\n\n\
        PATH\n  remote: .\n  specs:\n    own (0.1)\n      rack (>= 1)\n\n\
        GEM\n  remote: https://rubygems.org/\n  specs:\n    nokogiri (1.18.0-x86_64-linux-gnu)\n      racc (~> 1.4)\n    \
        racc (1.8.1)\n    rack (3.1.8)\n\nPLATFORMS\n  ruby\n\nDEPENDENCIES\n  own!\n  rack\n\nCHECKSUMS\n  \
        racc (1.8.1) sha256=4a7f6929691dbec8b5209a0b373bc2614882b55fc5d2e447a21aaa691303d62f\n\nBUNDLED WITH\n   2.6.2\n";

    #[test]
    fn gems_say_where_they_come_from() {
        let found = parse(TEXT).unwrap();
        let purls: Vec<_> = found.iter().map(|locked| locked.purl("gem").unwrap_or_default()).collect();
        assert_eq!(
            purls,
            [
                "pkg:gem/r@1.0?vcs_url=git%2Bhttps://example.org/r.git%40abc",
                "",
                "pkg:gem/nokogiri@1.18.0?platform=x86_64-linux-gnu",
                "pkg:gem/racc@1.8.1",
                "pkg:gem/rack@3.1.8",
            ]
        );
        assert_eq!(found[1].needs, ["rack"]);
        assert_eq!(found[3].checksums.len(), 1);
    }

    #[test]
    fn something_indented_only_is_no_lock_file() {
        assert_eq!(parse("  x (1)\n"), None);
    }
}
