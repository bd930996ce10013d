//! `WWW-Authenticate`, as [RFC 9110 §11.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1) writes it.

use std::collections::BTreeMap;

/// One challenge: a scheme and its parameters. Their names are in lower case, as is the scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Such as `bearer`.
    pub scheme: String,
    /// Such as `realm`. Of parameters given twice the first counts.
    pub parameters: BTreeMap<String, String>,
}

impl Challenge {
    /// A parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }
}

/// The challenges of one header value. Whatever does not fit the grammar ends the list; nothing is guessed.
pub fn parse_challenges(header: &str) -> Vec<Challenge> {
    let mut challenges: Vec<Challenge> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let Some((word, after)) = take_token(rest) else {
            return challenges;
        };
        let after_space = after.trim_start_matches([' ', '\t']);
        match after_space.strip_prefix('=').map(|value| value.trim_start_matches([' ', '\t'])) {
            Some(value) => {
                let Some((value, after)) = take_value(value) else {
                    return challenges;
                };
                let Some(current) = challenges.last_mut() else {
                    return challenges;
                };
                current.parameters.entry(word.to_ascii_lowercase()).or_insert(value);
                rest = after;
            }
            None => {
                challenges.push(Challenge { scheme: word.to_ascii_lowercase(), parameters: BTreeMap::new() });
                rest = after;
            }
        }
    }
}

fn take_token(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !is_token_char(c)).unwrap_or(text.len());
    if end == 0 { None } else { text.split_at_checked(end) }
}

/// [RFC 9110 §5.6.2](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2).
fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

fn take_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        // Some registries leave the quotes off values that need them, such as URLs.
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return text.split_at_checked(end).map(|(value, rest)| (value.to_owned(), rest));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return quoted.get(at + 1..).map(|rest| (value, rest)),
            '\\' => value.push(characters.next()?.1),
            _ => value.push(c),
        }
    }
    None
}

/// The target of the link whose relation is `next`
/// ([RFC 8288 §3](https://www.rfc-editor.org/rfc/rfc8288#section-3)).
pub fn next_link(header: &str) -> Option<&str> {
    let mut rest = header;
    loop {
        let (_, after) = rest.split_once('<')?;
        let (target, after) = after.split_once('>')?;
        let (parameters, following) = split_unquoted(after);
        if parameters.split(';').any(is_next) {
            return Some(target);
        }
        rest = following;
    }
}

fn is_next(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else {
        return false;
    };
    name.trim().eq_ignore_ascii_case("rel")
        && value.trim().trim_matches('"').split_ascii_whitespace().any(|rel| rel.eq_ignore_ascii_case("next"))
}

/// Up to the next comma outside quotes, and what comes after it.
fn split_unquoted(text: &str) -> (&str, &str) {
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => {
                return (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default());
            }
            _ => {}
        }
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_registrys_bearer_challenge() {
        let found = parse_challenges(
            r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#,
        );
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].scheme, "bearer");
        assert_eq!(found[0].parameter("realm"), Some("https://auth.docker.io/token"));
        assert_eq!(found[0].parameter("scope"), Some("repository:a/b:pull,push"));
    }

    #[test]
    fn reads_several_challenges_escapes_and_bare_values() {
        let found =
            parse_challenges(r#"Basic realm="a \"b\", c" , BEARER Realm=https://x/token, service = "y""#);
        assert_eq!(found[0].parameter("realm"), Some(r#"a "b", c"#));
        assert_eq!(found[1].scheme, "bearer");
        assert_eq!(found[1].parameter("realm"), Some("https://x/token"));
        assert_eq!(found[1].parameter("service"), Some("y"));
    }

    #[test]
    fn a_repeated_parameter_does_not_replace_the_first() {
        let found = parse_challenges(r#"Bearer realm="https://a", realm="https://b""#);
        assert_eq!(found[0].parameter("realm"), Some("https://a"));
    }

    #[test]
    fn nonsense_is_no_challenge() {
        for text in ["", ",,,", "=x", "\"", "realm=\"x\"", "é"] {
            assert_eq!(parse_challenges(text), [], "{text:?}");
        }
        assert_eq!(parse_challenges("Bearer realm=\"unclosed").first().unwrap().parameters.len(), 0);
    }

    #[test]
    fn finds_the_next_page_among_links() {
        assert_eq!(next_link(r#"</v2/a/referrers/x?last=1>; rel="next""#), Some("/v2/a/referrers/x?last=1"));
        assert_eq!(next_link(r#"<a>; rel=prev; title="x, y", <b>; REL=Next"#), Some("b"));
        for text in ["", "<a>", "<a>; rel=prev", "<a; rel=next", "a>; rel=next"] {
            assert_eq!(next_link(text), None, "{text:?}");
        }
    }
}
