//! Services as cosign's flags describe them: `key=value,key=value`. Every mistake is told with the flag and what it takes.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use touchmark_sigstore::ValidityWindow;
use touchmark_transport::Url;

use crate::failure::Mistake;

/// A flag that describes a service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServiceFlag {
    /// The flag, such as `--rekor`.
    pub(crate) name: &'static str,
    /// The keys that it takes.
    pub(crate) keys: &'static [&'static str],
    /// What it looks like.
    pub(crate) form: &'static str,
}

/// What a flag was given.
#[derive(Debug)]
pub(crate) struct ServiceSpec<'a> {
    flag: ServiceFlag,
    values: BTreeMap<&'a str, &'a str>,
}

impl ServiceFlag {
    /// Reads what the flag was given: keys that it takes, each once.
    pub(crate) fn read(self, text: &str) -> Result<ServiceSpec<'_>, Mistake> {
        let mut values = BTreeMap::new();
        for part in text.split(',') {
            let Some((key, value)) = part.split_once('=') else {
                return Err(self.mistake(&format!("found {part:?}, expected key=value")));
            };
            let (key, value) = (key.trim(), value.trim());
            if !self.keys.contains(&key) {
                return Err(self.mistake(&format!("the key {key:?} is not known")));
            }
            if value.is_empty() {
                return Err(self.mistake(&format!("{key} is empty")));
            }
            if values.insert(key, value).is_some() {
                return Err(self.mistake(&format!("{key} is there twice")));
            }
        }
        Ok(ServiceSpec { flag: self, values })
    }

    fn mistake(self, found: &str) -> Mistake {
        Mistake::new(format!("cannot use {}: {found}", self.name), format!("{} {}", self.name, self.form))
    }
}

impl<'a> ServiceSpec<'a> {
    /// A value that may be left out.
    pub(crate) fn optional(&self, key: &str) -> Option<&'a str> {
        self.values.get(key).copied()
    }

    /// A value that has to be there.
    pub(crate) fn required(&self, key: &str) -> Result<&'a str, Mistake> {
        self.optional(key).ok_or_else(|| self.flag.mistake(&format!("{key} is missing")))
    }

    /// The file that a key names.
    pub(crate) fn file(&self, key: &str) -> Result<&'a Path, Mistake> {
        Ok(Path::new(self.required(key)?))
    }

    /// `url`.
    pub(crate) fn url(&self) -> Result<Url, Mistake> {
        let text = self.required("url")?;
        let url = text.parse::<Url>().ok().filter(|url| matches!(url.scheme(), "https" | "http"));
        url.ok_or_else(|| {
            self.flag.mistake(&format!("url is {text:?}, expected such as https://fulcio.example"))
        })
    }

    /// A number from 1, or whatever else has no other way to be wrong.
    pub(crate) fn parsed<T: std::str::FromStr>(&self, key: &str, expected: &str) -> Result<T, Mistake> {
        let text = self.required(key)?;
        text.parse().map_err(|_| self.flag.mistake(&format!("{key} is {text:?}, expected {expected}")))
    }

    /// `start-time`, which has to be there.
    pub(crate) fn start(&self) -> Result<Timestamp, Mistake> {
        self.parsed("start-time", A_TIME)
    }

    /// `start-time` and `end-time`, the end after the start.
    pub(crate) fn window(&self) -> Result<ValidityWindow, Mistake> {
        let time = |key: &str| self.optional(key).map(|_| self.parsed::<Timestamp>(key, A_TIME)).transpose();
        let window = ValidityWindow { start: time("start-time")?, end: time("end-time")? };
        match (window.start, window.end) {
            (Some(start), Some(end)) if end <= start => {
                Err(self.flag.mistake(&format!("end-time {end} is not after start-time {start}")))
            }
            _ => Ok(window),
        }
    }
}

/// What a time looks like (RFC 3339 §5.6).
const A_TIME: &str = "a time such as 2026-01-01T00:00:00Z";

#[cfg(test)]
mod tests {
    use super::*;

    const FLAG: ServiceFlag =
        ServiceFlag { name: "--x", keys: &["url", "start-time", "end-time"], form: "url=…" };

    #[test]
    fn keys_are_known_and_there_once() {
        for text in ["", "url", "url=", "other=1", "url=https://a,url=https://b"] {
            assert!(FLAG.read(text).is_err(), "{text:?}");
        }
        let spec = FLAG.read("url=https://a.example/p?q=1, start-time=2026-01-01T00:00:00Z").unwrap();
        assert_eq!(spec.url().unwrap().as_str(), "https://a.example/p?q=1");
        assert!(spec.window().unwrap().end.is_none());
    }

    #[test]
    fn values_are_what_they_should_be() {
        for text in ["url=nothing", "url=file:///etc/passwd", "start-time=2026-01-01T00:00:00Z"] {
            assert!(FLAG.read(text).unwrap().url().is_err(), "{text:?}");
        }
        for text in [
            "url=https://a,start-time=yesterday",
            "url=https://a,start-time=2026-01-01T00:00:00Z,end-time=2025-01-01T00:00:00Z",
        ] {
            assert!(FLAG.read(text).unwrap().window().is_err(), "{text:?}");
        }
        assert!(FLAG.read("url=https://a").unwrap().start().is_err());
    }
}
