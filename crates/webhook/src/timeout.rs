//! How long a request may take: the API server says so in the query, `?timeout=10s`.

use std::time::Duration;

use crate::Limits;

/// What is left for deciding when the request's query is `query`.
pub(crate) fn budget(query: Option<&str>, limits: &Limits) -> Duration {
    let stated = query.and_then(timeout_in).unwrap_or(limits.default_timeout).min(limits.max_timeout);
    // Of a timeout so short that the margin would eat it, half is for the answer.
    stated.saturating_sub(limits.answer_margin).max(stated / 2)
}

fn timeout_in(query: &str) -> Option<Duration> {
    let parameters = query.split('&').filter_map(|parameter| parameter.split_once('='));
    let (_, value) = parameters.into_iter().find(|(name, _)| *name == "timeout")?;
    parse(value)
}

/// Go's duration format, as far as whole numbers go ([time.ParseDuration](https://pkg.go.dev/time#ParseDuration)): the API server
/// writes whole seconds.
fn parse(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at_checked(digits)?;
        let unit_end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(unit_end)?;
        let number: u32 = number.parse().ok()?;
        let unit = match unit {
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            _ => return None,
        };
        total = total.checked_add(unit.checked_mul(number)?)?;
        rest = tail;
    }
    (total > Duration::ZERO).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: &str) -> u128 {
        budget(Some(query), &Limits::default()).as_millis()
    }

    #[test]
    fn the_budget_is_the_timeout_without_the_answers_margin() {
        assert_eq!(of("timeout=10s"), 9_500);
        assert_eq!(of("a=b&timeout=3s"), 2_500);
        assert_eq!(of("timeout=1s500ms"), 1_000);
    }

    #[test]
    fn a_short_timeout_leaves_half_and_a_long_one_is_cut() {
        assert_eq!(of("timeout=600ms"), 300);
        assert_eq!(of("timeout=60m"), 29_500);
    }

    #[test]
    fn without_a_usable_timeout_it_is_the_default() {
        assert_eq!(budget(None, &Limits::default()).as_millis(), 9_500);
        for query in [
            "",
            "timeout=",
            "timeout=10",
            "timeout=s",
            "timeout=-1s",
            "timeout=0s",
            "timeout=9999999999999m",
            "t=1s",
        ] {
            assert_eq!(of(query), 9_500, "{query}");
        }
    }
}
