//! Ruby gems, as installed: `specifications/*.gemspec`, which `RubyGems` writes beside the gems
//! ([RubyGems, `Gem::Specification#to_ruby`](https://github.com/rubygems/rubygems/blob/master/lib/rubygems/specification.rb)).
//!
//! The files are Ruby programs, but `RubyGems` writes one assignment to a line in fixed forms; those are read and nothing is run.

use std::collections::BTreeMap;

use crate::catalog::{Cataloger, Files, Findings, text, web_address};
use crate::license::{Combine, License};
use crate::purl::Purl;
use crate::{Ecosystem, Evidence, GapReason, IdentifiedBy, Package, PackageId, Party, path};

pub(super) struct Gems;

impl Cataloger for Gems {
    /// Gems that come with Ruby itself are in `specifications/default`.
    fn wants(&self, path: &str) -> bool {
        let (directory, name) = path::split(path);
        let directory = directory.strip_suffix("/default").unwrap_or(directory);
        name.ends_with(".gemspec") && path::split(directory).1 == "specifications"
    }

    fn catalog(&self, files: &Files<'_>, found: &mut Findings) {
        let mut gems = Vec::new();
        for (path, file, bytes) in files.wanted() {
            match gem(&text(bytes), file.evidence(path)) {
                Some(gem) => gems.push(gem),
                None => found.gap(path, GapReason::Malformed { format: FORMAT }),
            }
        }
        connect(&gems, found);
        found.packages.extend(gems.into_iter().map(|gem| gem.package));
    }
}

struct Gem {
    package: Package,
    needs: Vec<String>,
}

fn gem(text: &str, evidence: Evidence) -> Option<Gem> {
    let stub = stub(text);
    let name = stub.map(|stub| stub.name.to_owned()).or_else(|| first(text, "name"))?;
    let version = stub.map(|stub| stub.version.to_owned()).or_else(|| first(text, "version"))?;
    let platform = stub.map(|stub| stub.platform).filter(|platform| *platform != "ruby").unwrap_or_default();
    let purl = Purl {
        kind: "gem",
        namespace: None,
        name: &name,
        version: &version,
        qualifiers: &[("platform", platform)],
        subpath: None,
    };
    let mut package = Package::new(Ecosystem::Gem, &name, Some(&version), purl.to_text(), evidence);
    package.identified_by = IdentifiedBy::Database;
    let licenses = strings(text, "licenses");
    package.license = License::combine(licenses.iter().filter_map(|name| License::parse(name)), Combine::Or);
    let (author, email) =
        (first(text, "authors").unwrap_or_default(), first(text, "email").unwrap_or_default());
    package.supplier = Party::parse(&format!("{author} <{email}>"));
    package.homepage = first(text, "homepage").as_deref().and_then(web_address);
    package.description = first(text, "summary");
    Some(Gem { package, needs: needs(text) })
}

#[derive(Clone, Copy)]
struct Stub<'a> {
    name: &'a str,
    version: &'a str,
    platform: &'a str,
}

/// `# stub: name version platform require-paths`, from which `RubyGems` itself knows a gem without running its file.
fn stub(text: &str) -> Option<Stub<'_>> {
    let line = text.lines().take(5).find_map(|line| line.strip_prefix("# stub: "))?;
    let mut words = line.split(' ');
    Some(Stub { name: words.next()?, version: words.next()?, platform: words.next()? })
}

/// The first string that is assigned to an attribute.
fn first(text: &str, attribute: &str) -> Option<String> {
    strings(text, attribute).into_iter().next()
}

/// The strings in `s.attribute = …`: one, or a list of them.
fn strings(text: &str, attribute: &str) -> Vec<String> {
    let assigned = |line: &'_ str| {
        let rest = line.trim_start().strip_prefix("s.")?.strip_prefix(attribute)?;
        rest.trim_start().strip_prefix('=').map(quoted)
    };
    text.lines().find_map(assigned).unwrap_or_default()
}

/// Double-quoted strings and `%q<…>`. Escapes stay in, but for those of quotes.
fn quoted(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some(start) = rest.find(['"', '%', '#']) {
        let (_, tail) = rest.split_at_checked(start).unwrap_or_default();
        if let Some(inner) = tail.strip_prefix('"') {
            let Some(end) = closing_quote(inner) else { break };
            let (string, after) = inner.split_at_checked(end).unwrap_or_default();
            found.push(string.replace("\\\"", "\""));
            rest = after.get(1..).unwrap_or_default();
        } else if let Some((string, after)) = tail.strip_prefix("%q<").and_then(|inner| inner.split_once('>'))
        {
            found.push(string.to_owned());
            rest = after;
        } else if tail.starts_with('#') {
            break;
        } else {
            rest = tail.get(1..).unwrap_or_default();
        }
    }
    found
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(index, c)| {
        let is_end = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        is_end.then_some(index)
    })
}

/// The gems that it needs to run. Files of older `RubyGems` list all with `add_dependency` again, for versions older still.
fn needs(text: &str) -> Vec<String> {
    let called = |method: &'static str| {
        let lines =
            text.lines().filter_map(move |line| line.trim_start().strip_prefix("s.")?.strip_prefix(method));
        lines.filter_map(|rest| quoted(rest.strip_prefix('(')?).into_iter().next()).collect::<Vec<_>>()
    };
    let runtime = called("add_runtime_dependency");
    let has_kinds = text.contains("add_development_dependency") || !runtime.is_empty();
    if has_kinds { runtime } else { called("add_dependency") }
}

/// A gem of the same Ruby installation, or else any of that name.
fn connect(gems: &[Gem], found: &mut Findings) {
    let mut by_name: BTreeMap<&str, Vec<(&str, &PackageId)>> = BTreeMap::new();
    let place = |gem: &Gem| {
        gem.package.evidence.first().map_or("", |evidence| path::parent(&evidence.path)).to_owned()
    };
    let places: Vec<String> = gems.iter().map(place).collect();
    for (gem, place) in gems.iter().zip(&places) {
        by_name.entry(&gem.package.name).or_default().push((place, &gem.package.id));
    }
    for (gem, place) in gems.iter().zip(&places) {
        for candidates in gem.needs.iter().filter_map(|name| by_name.get(name.as_str())) {
            let near = candidates.iter().find(|(other, _)| other == place).or(candidates.first());
            if let Some((_, id)) = near {
                found.depends(&gem.package.id, id);
            }
        }
    }
}

const FORMAT: &str = "gem specification";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::testing::catalog;

    const NOKOGIRI: &[u8] = br#"# -*- encoding: utf-8 -*-
# stub: nokogiri 1.18.1 x86_64-linux-gnu lib

Gem::Specification.new do |s|
  s.name = "nokogiri".freeze
  s.version = "1.18.1"
  s.platform = "x86_64-linux-gnu".freeze
  s.authors = ["Mike \"flavor\" Dalessio".freeze, "Aaron Patterson".freeze]
  s.licenses = ["MIT".freeze, "Apache-2.0".freeze]
  s.homepage = "https://nokogiri.org".freeze # "not this"
  s.add_runtime_dependency(%q<racc>.freeze, ["~> 1.4"])
  s.add_development_dependency(%q<rspec>.freeze, ["~> 3"])
end
"#;

    #[test]
    fn a_gem_has_what_its_specification_says() {
        let found = catalog(&[("usr/lib/ruby/gems/3.3.0/specifications/nokogiri-1.18.1.gemspec", NOKOGIRI)]);
        let gem = found.named("nokogiri");
        assert_eq!(gem.purl.as_deref(), Some("pkg:gem/nokogiri@1.18.1?platform=x86_64-linux-gnu"));
        assert_eq!(gem.license.as_ref().unwrap().expression(), "Apache-2.0 OR MIT");
        assert_eq!(gem.supplier, Some(Party::Person("Mike \"flavor\" Dalessio".into())));
        assert_eq!(gem.homepage.as_deref(), Some("https://nokogiri.org"));
    }

    #[test]
    fn only_what_is_needed_to_run_is_an_edge() {
        let racc = b"# stub: racc 1.8.1 ruby lib\n";
        let rspec = b"Gem::Specification.new do |s|\n  s.name = \"rspec\".freeze\n  s.version = \"3\"\n  s.add_dependency(\"racc\")\nend";
        let found = catalog(&[
            ("a/specifications/nokogiri.gemspec", NOKOGIRI),
            ("a/specifications/default/racc.gemspec", racc),
            ("a/specifications/rspec.gemspec", rspec),
        ]);
        assert!(found.has_edge("nokogiri", "racc"));
        assert!(!found.has_edge("nokogiri", "rspec"));
        assert!(found.has_edge("rspec", "racc"), "plain dependencies count where no kinds are told apart");
    }

    #[test]
    fn a_gemspec_that_computes_its_name_is_a_gap_and_one_elsewhere_is_source() {
        let found =
            catalog(&[("a/specifications/x.gemspec", b"Gem::Specification.new { |s| s.name = NAME }")]);
        assert_eq!(found.gaps[0].reason, GapReason::Malformed { format: FORMAT });
        assert!(!Gems.wants("a/gems/x-1/x.gemspec"));
    }
}
