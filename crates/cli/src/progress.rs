//! What a terminal shows of long work: a line per blob on its way, and gone when it is there.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use touchmark_oci::Digest;
use touchmark_registry::{Direction, Transfer};

/// Blobs below this are there before a line could be read.
const SHOWN_BYTES: u64 = 1 << 20;

/// The display. Silent unless it is shown.
pub(crate) struct Progress {
    display: MultiProgress,
    transfers: Mutex<HashMap<Digest, ProgressBar>>,
}

impl Progress {
    pub(crate) fn new(shown: bool) -> Self {
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self { display: MultiProgress::with_draw_target(target), transfers: Mutex::default() }
    }

    /// A spinner that says what is being done, until it is dropped.
    pub(crate) fn step(&self, what: impl Into<String>) -> Step {
        let bar = self.display.add(ProgressBar::new_spinner().with_message(what.into()));
        bar.enable_steady_tick(Duration::from_millis(100));
        Step(bar)
    }

    /// Runs something that writes to the terminal while the display is out of the way.
    pub(crate) fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        self.display.suspend(write)
    }

    fn transfers(&self) -> MutexGuard<'_, HashMap<Digest, ProgressBar>> {
        self.transfers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bar(&self, transfer: &Transfer<'_>) -> ProgressBar {
        let what = match transfer.direction {
            Direction::Fetch => "fetching",
            Direction::Push => "pushing",
            Direction::Present => "present",
        };
        let short: String = transfer.digest.hex().chars().take(12).collect();
        let bar = ProgressBar::new(transfer.total).with_message(format!("{what} {short}"));
        self.display.add(bar.with_style(bar_style()))
    }
}

impl touchmark_registry::Progress for Progress {
    fn advanced(&self, transfer: &Transfer<'_>) {
        if transfer.total < SHOWN_BYTES || self.display.is_hidden() {
            return;
        }
        let mut transfers = self.transfers();
        if transfer.done >= transfer.total {
            if let Some(bar) = transfers.remove(transfer.digest) {
                bar.finish_and_clear();
            }
            return;
        }
        transfers
            .entry(transfer.digest.clone())
            .or_insert_with(|| self.bar(transfer))
            .set_position(transfer.done);
    }
}

/// Something being done.
pub(crate) struct Step(ProgressBar);

impl Drop for Step {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn bar_style() -> ProgressStyle {
    ProgressStyle::with_template("{msg:<22} [{bar:30}] {bytes:>10} of {total_bytes:<10} {bytes_per_sec}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}
