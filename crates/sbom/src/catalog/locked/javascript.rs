//! What the lock files of npm, pnpm, Yarn and Bun have in common: names with scopes, and addresses in place of versions.

use super::{Locked, Origin};

/// A package by its full name: `name` or `@scope/name`.
pub(super) fn package(full_name: &str, version: &str) -> Locked {
    let (scope, name) = match full_name.split_once('/') {
        Some((scope, name)) if scope.starts_with('@') => (scope, name),
        _ => ("", full_name),
    };
    Locked { namespace: scope.to_owned(), ..Locked::new(name, version) }
}

/// `name@rest`, where a scope's own `@` does not count.
pub(super) fn split_at(text: &str) -> Option<(&str, &str)> {
    let start = usize::from(text.starts_with('@'));
    let at = start + text.get(start..)?.find('@')?;
    let (name, rest) = text.split_at_checked(at)?;
    Some((name, rest.get(1..)?))
}

/// Where a package comes from, by the address or path that stands for its version.
pub(super) fn from_address(mut locked: Locked, address: &str) -> Locked {
    const LOCAL: [&str; 5] = ["link:", "file:", "workspace:", "portal:", "root:"];
    if LOCAL.iter().any(|prefix| address.starts_with(prefix)) {
        locked.origin = Origin::Local;
    } else if let Some(url) = repository(address) {
        locked.qualifiers.push(("vcs_url", url));
    } else if address.starts_with("https://") || address.starts_with("http://") {
        locked.qualifiers.push(("download_url", address.to_owned()));
    }
    locked
}

/// `git+ssh://git@host/owner/name.git#commit`, `https://…​.git#commit=…`, `github:owner/name#commit`.
fn repository(address: &str) -> Option<String> {
    let (place, fragment) = address.split_once('#')?;
    let commit = fragment.rsplit_once("commit=").map_or(fragment, |(_, commit)| commit);
    let place = match place.split_once(':')? {
        ("github", path) => format!("git+https://github.com/{path}"),
        (scheme, _) if scheme.starts_with("git+") => place.to_owned(),
        ("git", _) => format!("git+{place}"),
        ("https" | "http" | "ssh", _) if place.ends_with(".git") => format!("git+{place}"),
        _ => return None,
    };
    Some(format!("{place}@{commit}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_part_of_names() {
        assert_eq!(split_at("@types/node@20.11.0"), Some(("@types/node", "20.11.0")));
        assert_eq!(split_at("a@npm:b@1"), Some(("a", "npm:b@1")));
        assert_eq!(split_at("@types/node"), None);
        assert_eq!(package("@types/node", "1").purl("npm").unwrap(), "pkg:npm/%40types/node@1");
    }

    #[test]
    fn addresses_say_where_a_package_comes_from() {
        let at = |address: &str| from_address(package("a", "1"), address);
        assert_eq!(at("link:../a").origin, Origin::Local);
        assert_eq!(
            at("git+ssh://git@example.org/a.git#feed").qualifiers[0].1,
            "git+ssh://git@example.org/a.git@feed"
        );
        assert_eq!(at("github:acme/a#feed").qualifiers[0].1, "git+https://github.com/acme/a@feed");
        assert_eq!(
            at("https://example.org/a.git#commit=feed").qualifiers[0].1,
            "git+https://example.org/a.git@feed"
        );
        assert_eq!(at("https://example.org/a.tgz").qualifiers[0].0, "download_url");
        assert_eq!(at("1.0.0").qualifiers, []);
    }
}
