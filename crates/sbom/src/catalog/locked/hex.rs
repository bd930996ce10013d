//! Erlang's and Elixir's lock files: `rebar.lock` ([rebar3, "Dependencies"](https://rebar3.org/docs/configuration/dependencies/)) and
//! `mix.lock` ([Mix, `Mix.Dep.Lock`](https://hexdocs.pm/mix/Mix.Tasks.Deps.html)).
//!
//! Both are terms of the language. They are read as tokens only: strings, atoms and brackets, never evaluated.

use super::{LockFile, Locked};
use crate::{Checksum, ChecksumAlgorithm, Ecosystem, path};

pub(in crate::catalog) const MIX: LockFile = LockFile {
    ecosystem: Ecosystem::Hex,
    format: "mix.lock",
    is_one: |path| path::split(path).1 == "mix.lock",
    parse: parse_mix,
};

pub(in crate::catalog) const REBAR: LockFile = LockFile {
    ecosystem: Ecosystem::Hex,
    format: "rebar.lock",
    is_one: |path| path::split(path).1 == "rebar.lock",
    parse: parse_rebar,
};

/// A term: text, or a bracketed list of terms. Map arrows and commas only separate.
#[derive(Debug, PartialEq)]
enum Term {
    Text(String),
    List(Vec<Term>),
}

impl Term {
    fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::List(_) => "",
        }
    }

    fn items(&self) -> &[Term] {
        match self {
            Self::Text(_) => &[],
            Self::List(items) => items,
        }
    }

    fn at(&self, index: usize) -> &str {
        self.items().get(index).map(Self::text).unwrap_or_default()
    }
}

/// `%{"name": {:hex, :name, "version", "inner checksum", [:mix], [{:dep, "~> 1.0", […]}], "hexpm", "outer checksum"}, …}`.
fn parse_mix(text: &str) -> Option<Vec<Locked>> {
    let top = terms(text.trim().strip_prefix('%')?)?;
    let entries = top.first()?.items();
    let pairs = entries.iter().zip(entries.iter().skip(1)).step_by(2);
    Some(pairs.map(|(name, entry)| mix_package(name.text(), entry)).collect())
}

fn mix_package(name: &str, entry: &Term) -> Locked {
    if entry.at(0) == ":git" {
        return from_git(name, entry.at(1), entry.at(2));
    }
    let package = entry.at(1).trim_start_matches(':');
    let mut locked = Locked::new(package, entry.at(2));
    let needs = entry.items().get(5).map(Term::items).unwrap_or_default();
    locked.needs = needs.iter().map(|need| need.at(0).trim_start_matches(':').to_owned()).collect();
    // The outer checksum is that of the file as it is delivered.
    locked.checksums.extend(Checksum::new(ChecksumAlgorithm::Sha256, entry.at(7)));
    // `hexpm:acme` is the organisation acme's repository.
    if let Some((_, organisation)) = entry.at(6).split_once(':') {
        locked.namespace = organisation.to_owned();
    }
    locked
}

/// `{"1.2.0", [{<<"name">>, {pkg, <<"package">>, <<"version">>}, level}, …]}.`, in older files the list alone.
fn parse_rebar(text: &str) -> Option<Vec<Locked>> {
    let top = terms(text)?;
    let first = top.first()?.items();
    let versioned = first.first().is_some_and(|term| !term.text().is_empty());
    let entries = if versioned { first.get(1)?.items() } else { first };
    let mut locked: Vec<Locked> = entries.iter().filter_map(rebar_package).collect();
    for hashes in checksums(&top) {
        let (name, hex) = (hashes.at(0), hashes.at(1));
        if let Some(package) = locked.iter_mut().find(|package| package.name == name) {
            package.checksums = Checksum::new(ChecksumAlgorithm::Sha256, hex).into_iter().collect();
        }
    }
    Some(locked)
}

fn rebar_package(entry: &Term) -> Option<Locked> {
    let source = entry.items().get(1)?;
    match source.at(0) {
        "pkg" => Some(Locked::new(source.at(1), source.at(2))),
        "git" => {
            let revision = source.items().get(2).map(|reference| reference.at(1)).unwrap_or_default();
            Some(from_git(entry.at(0), source.at(1), revision))
        }
        _ => None,
    }
}

/// `[{pkg_hash, […]}, {pkg_hash_ext, [{<<"name">>, <<"SHA-256">>}]}].`: the latter are those of the files as delivered.
fn checksums(top: &[Term]) -> &[Term] {
    let lists = top.iter().flat_map(Term::items);
    let mut found = lists.filter(|list| list.at(0) == "pkg_hash_ext");
    found.next().and_then(|list| list.items().get(1)).map(Term::items).unwrap_or_default()
}

fn from_git(name: &str, url: &str, revision: &str) -> Locked {
    let mut locked = Locked::new(name, revision);
    locked.add_repository(url, revision);
    locked
}

/// All terms of a text. None when brackets do not match or nest deeper than any lock file does.
fn terms(text: &str) -> Option<Vec<Term>> {
    const MAX_DEPTH: usize = 32;
    let mut open: Vec<Vec<Term>> = vec![Vec::new()];
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (_, after) = rest.split_at_checked(first.len_utf8())?;
        rest = after;
        match first {
            '{' | '[' if open.len() > MAX_DEPTH => return None,
            '{' | '[' => open.push(Vec::new()),
            '}' | ']' => {
                let closed = Term::List(open.pop()?);
                open.last_mut()?.push(closed);
            }
            '"' => {
                let (text, after) = rest.split_once('"')?;
                rest = after;
                open.last_mut()?.push(Term::Text(text.to_owned()));
            }
            c if is_word(c) => {
                let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                let (tail, after) = rest.split_at_checked(end)?;
                rest = after;
                let word = format!("{c}{tail}");
                // A key ends in a colon; after a quoted key it stands alone.
                let word = word.trim_end_matches(':');
                if !word.is_empty() {
                    open.last_mut()?.push(Term::Text(word.to_owned()));
                }
            }
            _ => {}
        }
    }
    (open.len() == 1).then(|| open.pop())?
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '@' | '?' | '!')
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: &str = "705DF827345DDB3A3B8C8CA1FA5BF6DB8BEA3A4F3B8E16C0F3E6B7C2F9B0A1D2";

    #[test]
    fn mix_packages_have_edges_and_the_outer_checksum() {
        let text = format!(
            r#"%{{
  "decimal": {{:hex, :decimal, "2.0.0", "aaaa", [:mix], [], "hexpm", "{SUM}"}},
  "jason": {{:hex, :jason, "1.4.0", "bbbb", [:mix], [{{:decimal, "~> 1.0 or ~> 2.0", [hex: :decimal, repo: "hexpm", optional: true]}}], "hexpm:acme", ""}},
  "g": {{:git, "https://example.org/g.git", "feed", [branch: "main"]}},
}}"#
        );
        let found = parse_mix(&text).unwrap();
        assert_eq!(found[0].checksums[0].hex, SUM.to_ascii_lowercase());
        assert_eq!(found[1].needs, ["decimal"]);
        assert_eq!(found[1].purl("hex").unwrap(), "pkg:hex/acme/jason@1.4.0");
        assert_eq!(
            found[2].purl("hex").unwrap(),
            "pkg:hex/g@feed?vcs_url=git%2Bhttps://example.org/g.git%40feed"
        );
    }

    #[test]
    fn rebar_packages_are_read_in_both_forms() {
        let text = format!(
            r#"{{"1.2.0",[{{<<"cowlib">>,{{pkg,<<"cowlib">>,<<"2.11.0">>}},0}},
              {{<<"g">>,{{git,"https://example.org/g",{{ref,"feed"}}}},1}}]}}.
            [{{pkg_hash,[{{<<"cowlib">>, <<"00">>}}]}},{{pkg_hash_ext,[{{<<"cowlib">>, <<"{SUM}">>}}]}}]."#
        );
        let found = parse_rebar(&text).unwrap();
        assert_eq!(found[0].purl("hex").unwrap(), "pkg:hex/cowlib@2.11.0");
        assert_eq!(found[0].checksums.len(), 1);
        assert_eq!(found[1].version, "feed");
        let old = parse_rebar(r#"[{<<"ranch">>,{pkg,<<"ranch">>,<<"1.8.0">>},0}]."#).unwrap();
        assert_eq!(old[0].name, "ranch");
    }

    #[test]
    fn brackets_must_match_and_nest_no_deeper_than_files_do() {
        assert_eq!(terms("{[}"), None);
        assert_eq!(terms("}"), None);
        assert_eq!(terms("\"open"), None);
        assert_eq!(terms(&"[".repeat(100)), None);
    }
}
