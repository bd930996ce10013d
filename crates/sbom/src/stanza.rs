//! Fields with continuation lines, as Debian control files, Python metadata and mail headers have them.
//!
//! [Debian Policy 4.7, §5.1](https://www.debian.org/doc/debian-policy/ch-controlfields.html#syntax-of-control-files): `Name: value`,
//! lines that start with a space or tab continue the value, an empty line ends the stanza, `#` starts a comment line.

/// One stanza. Field names are found without regard to case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stanza<'a> {
    fields: Vec<(&'a str, String)>,
}

impl<'a> Stanza<'a> {
    /// The first value of a field, trimmed; none if it is empty.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut found = self.fields.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// All values of a field that may occur more than once.
    pub(crate) fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s str> {
        let found = self.fields.iter().filter(move |(field, _)| field.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The first line of a field.
    pub(crate) fn first_line(&self, name: &str) -> Option<&str> {
        self.field(name).and_then(|value| value.lines().next()).map(str::trim).filter(|line| !line.is_empty())
    }

    fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    fn line(&mut self, line: &'a str) {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = self.fields.last_mut() {
                value.push('\n');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            self.fields.push((name.trim(), value.trim().to_owned()));
        }
    }
}

/// The stanzas of a control file.
pub(crate) fn parse(text: &str) -> Vec<Stanza<'_>> {
    let mut stanzas = Vec::new();
    let mut current = Stanza::default();
    for line in text.lines() {
        if line.trim().is_empty() {
            if !current.is_empty() {
                stanzas.push(std::mem::take(&mut current));
            }
        } else if !line.starts_with('#') {
            current.line(line);
        }
    }
    if !current.is_empty() {
        stanzas.push(current);
    }
    stanzas
}

/// The first stanza alone: what stands before the body of a message.
pub(crate) fn head(text: &str) -> Stanza<'_> {
    let mut head = Stanza::default();
    for line in text.lines().take_while(|line| !line.is_empty()) {
        head.line(line);
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn continuation_lines_belong_to_the_field_before() {
        let text = "Package: a\nDescription: short\n long\n .\nVersion: 1\n\n\nPackage: b\n";
        let stanzas = parse(text);
        assert_eq!(stanzas.len(), 2);
        assert_eq!(stanzas[0].field("description"), Some("short\nlong\n."));
        assert_eq!(stanzas[0].first_line("Description"), Some("short"));
        assert_eq!(stanzas[1].field("Package"), Some("b"));
    }

    #[test]
    fn comments_and_lines_without_a_name_are_skipped() {
        let stanzas = parse("# c\n continued from nothing\nno colon\nA: 1\n");
        assert_eq!(stanzas.len(), 1);
        assert_eq!(stanzas[0].field("A"), Some("1"));
    }

    #[test]
    fn a_head_ends_at_the_first_empty_line() {
        let head = head("Name: x\nClassifier: a\nClassifier: b\n\nName: body\n");
        assert_eq!(head.all("Name").collect::<Vec<_>>(), ["x"]);
        assert_eq!(head.all("classifier").collect::<Vec<_>>(), ["a", "b"]);
    }
}
