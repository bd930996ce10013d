//! The three outcomes of a command and their exit codes.

use std::process::ExitCode;

/// How a command ended. Ordered: of several images, the worst outcome is the command's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// Done, or allowed.
    Done,
    /// The evidence was read and does not satisfy.
    Denied,
    /// It could not be decided, or not be done.
    Undecided,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::from(0),
            Outcome::Denied => Self::from(1),
            Outcome::Undecided => Self::from(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_outcome_wins() {
        assert_eq!(Outcome::Denied.max(Outcome::Undecided), Outcome::Undecided);
        assert_eq!(Outcome::Done.max(Outcome::Denied), Outcome::Denied);
    }
}
