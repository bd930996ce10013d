//! Who is behind a package, from what package managers write: `Name <address>`.

use crate::Party;

/// Words that only an organisation has in its name. Anybody else is taken for a person.
const ORGANIZATION_WORDS: [&str; 22] = [
    "team",
    "maintainers",
    "developers",
    "project",
    "foundation",
    "inc",
    "inc.",
    "ltd",
    "ltd.",
    "llc",
    "gmbh",
    "corporation",
    "corp",
    "corp.",
    "group",
    "authors",
    "contributors",
    "community",
    "packagers",
    "qa",
    "software",
    "company",
];

impl Party {
    /// Reads `Name <address>`, `Name (address)` or a bare name; none if there is no name or address in it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = one_line(text);
        let (name, address) = match text.split_once('<') {
            Some((name, rest)) => (name.trim(), rest.split('>').next().map(str::trim)),
            None => (text.as_str(), None),
        };
        let name = name.trim_matches(|c: char| c == '"' || c == ',' || c.is_whitespace());
        let address = address.filter(|address| !address.is_empty());
        let shown = match (name.is_empty(), address) {
            (true, None) => return None,
            (true, Some(address)) => address.to_owned(),
            (false, None) => name.to_owned(),
            (false, Some(address)) => format!("{name} ({address})"),
        };
        Some(if is_organization(name) { Self::Organization(shown) } else { Self::Person(shown) })
    }

    /// The name, with the address where one is given.
    pub fn name(&self) -> &str {
        match self {
            Self::Person(name) | Self::Organization(name) => name,
        }
    }
}

fn is_organization(name: &str) -> bool {
    name.to_lowercase().split_whitespace().any(|word| ORGANIZATION_WORDS.contains(&word))
}

/// Text without line breaks and control characters, which have no place in a document's one-line fields.
pub(crate) fn one_line(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_an_address_is_a_person() {
        assert_eq!(
            Party::parse("Ann Lee <ann@example.org>"),
            Some(Party::Person("Ann Lee (ann@example.org)".into()))
        );
    }

    #[test]
    fn teams_and_companies_are_organizations() {
        let found = Party::parse("GNU Libc Maintainers <debian-glibc@lists.debian.org>").unwrap();
        assert!(matches!(found, Party::Organization(_)));
        assert_eq!(Party::parse("Acme Inc."), Some(Party::Organization("Acme Inc.".into())));
    }

    #[test]
    fn nobody_is_made_up() {
        assert_eq!(Party::parse(" <> "), None);
        assert_eq!(Party::parse("\n"), None);
    }
}
