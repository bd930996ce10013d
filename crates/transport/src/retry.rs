//! When and how long to wait before a request is repeated.

use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// How often and how long a request is repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, the first one included.
    pub max_attempts: u32,
    /// The wait before the second attempt; it doubles each time.
    pub base_delay: Duration,
    /// The longest wait of our own choosing. A server's `Retry-After` may ask for more.
    pub max_delay: Duration,
    /// From the first attempt until none is begun any more. A longer `Retry-After` ends the attempts at once.
    pub max_total: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 5,
            base_delay: Duration::from_millis(250),
            max_delay: Duration::from_secs(8),
            max_total: Duration::from_secs(60),
        }
    }
}

impl RetryPolicy {
    /// One attempt and no more.
    pub fn never() -> Self {
        Self { max_attempts: 1, ..Self::default() }
    }

    /// How long to wait after `attempt` (from 1) failed, or `None` to give up: the attempts or the time are used up.
    /// Without a wish of the server: doubling, with the upper half at random, so that clients that failed together do not
    /// come back together.
    pub(crate) fn delay(&self, attempt: u32, spent: Duration, asked: Option<Duration>) -> Option<Duration> {
        if attempt >= self.max_attempts {
            return None;
        }
        let factor = 1u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
        let own = self.base_delay.saturating_mul(factor).min(self.max_delay);
        let jittered = own.mul_f64(0.5 + fastrand::f64() / 2.0);
        let delay = asked.map_or(jittered, |asked| asked.max(jittered));
        (spent.saturating_add(delay) <= self.max_total).then_some(delay)
    }
}

/// Statuses by which a server says that it did not do what was asked and may do so later: 429 and 503.
pub(crate) fn asks_to_wait(status: StatusCode) -> bool {
    matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
}

/// Statuses after which a request that may be done twice is worth repeating.
pub(crate) fn may_pass(status: StatusCode) -> bool {
    asks_to_wait(status)
        || matches!(
            status,
            StatusCode::INTERNAL_SERVER_ERROR | StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT
        )
}

/// The wait that an answer asks for, in seconds or until a date
/// ([RFC 9110 §10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)). A date in the past is no wait.
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(value: &str, now: SystemTime) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, value.parse().unwrap());
        retry_after(&headers, now)
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_767);
        assert_eq!(asked("120", now), Some(Duration::from_secs(120)));
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::from_secs(10)));
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:00 GMT", now), Some(Duration::ZERO));
        for nonsense in ["", "-1", "soon", "1.5", "99999999999999999999999"] {
            assert_eq!(asked(nonsense, now), None, "{nonsense:?}");
        }
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let policy = RetryPolicy { max_attempts: 40, max_total: Duration::MAX, ..RetryPolicy::default() };
        for attempt in 1..40 {
            let delay = policy.delay(attempt, Duration::ZERO, None).unwrap();
            let full = policy.base_delay.saturating_mul(1 << (attempt - 1).min(20)).min(policy.max_delay);
            assert!(delay <= full && delay >= full / 2, "{attempt}: {delay:?}");
        }
    }

    #[test]
    fn gives_up_when_attempts_or_time_are_used_up() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.delay(policy.max_attempts, Duration::ZERO, None), None);
        assert_eq!(policy.delay(1, policy.max_total, None), None);
        assert_eq!(policy.delay(1, Duration::ZERO, Some(Duration::from_secs(3600))), None);
        assert_eq!(
            policy.delay(1, Duration::ZERO, Some(Duration::from_secs(7))),
            Some(Duration::from_secs(7))
        );
    }
}
