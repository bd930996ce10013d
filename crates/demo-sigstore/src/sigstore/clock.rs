//! The time that a [`Sigstore`](super::Sigstore) goes by, which is an argument.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// A clock. Clones of it show the same time.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    Set(Arc<Mutex<Timestamp>>),
    System,
}

impl Clock {
    /// Stands still until it is set or moved on.
    pub fn at(time: Timestamp) -> Self {
        Self(Source::Set(Arc::new(Mutex::new(time))))
    }

    /// The time of this machine, for programs that run by it too.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::Set(time) => *time.lock().unwrap_or_else(PoisonError::into_inner),
            Source::System => Timestamp::now(),
        }
    }

    /// Sets the time; the machine's is not changed.
    pub fn set(&self, time: Timestamp) {
        if let Source::Set(shown) = &self.0 {
            *shown.lock().unwrap_or_else(PoisonError::into_inner) = time;
        }
    }

    /// Moves the time on, or back; the machine's is not changed.
    pub fn advance(&self, by: SignedDuration) {
        self.set(self.now().saturating_add(by).unwrap_or(Timestamp::MAX));
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Clock").field(&self.now()).finish()
    }
}
