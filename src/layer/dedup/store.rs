//! The state behind its lock, and the guard of a key that runs.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::InFlight;
use super::counts::Counts;
use super::state::{Ended, Known, Seen};
use crate::clock;
use crate::outcome::Outcome;
use crate::sync::{Mutex, Ordering};

/// The keys of one listener, or of all that share them. A waiter waits for the token of the delivery before it, which is made when the first one waits.
pub(super) struct Store {
    seen: Mutex<Seen<CancellationToken>>,
    counts: Arc<Counts>,
    in_flight: InFlight,
    keep_failed: bool,
}

/// What a delivery is to do.
pub(super) enum Entry {
    /// Run. The guard says how it ended.
    Run(Held),
    /// Nothing: it is a duplicate.
    Skip,
    /// Wait for this, and ask again.
    Wait(CancellationToken),
}

impl Store {
    pub(super) fn new(
        seen: Seen<CancellationToken>,
        counts: Arc<Counts>,
        in_flight: InFlight,
        keep_failed: bool,
    ) -> Self {
        Self {
            seen: Mutex::new(seen),
            counts,
            in_flight,
            keep_failed,
        }
    }

    pub(super) fn enter(self: &Arc<Self>, key: u128) -> Entry {
        let now = clock::now();
        let entry = self.change(|seen| match seen.arrived(key, now) {
            Known::New => Entry::Run(Held {
                store: Arc::clone(self),
                key,
                remember: self.keep_failed,
            }),
            Known::Running(waiters) if self.in_flight == InFlight::Wait => {
                Entry::Wait(waiters.get_or_insert_default().clone())
            }
            Known::Running(_) | Known::Done => Entry::Skip,
        });
        match &entry {
            Entry::Run(_) => self.counts.passed.fetch_add(1, Ordering::Relaxed),
            Entry::Skip => self.counts.duplicates.fetch_add(1, Ordering::Relaxed),
            Entry::Wait(_) => 0,
        };
        entry
    }

    fn change<R>(&self, change: impl FnOnce(&mut Seen<CancellationToken>) -> R) -> R {
        let mut seen = self.seen.lock();
        let before = seen.len();
        let result = change(&mut seen);
        self.counts.keys_changed(before, seen.len());
        result
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // Nobody else has the lock: this is the last of the state.
        self.counts.keys_changed(self.seen.lock().len(), 0);
    }
}

/// A key that runs. Its delivery has ended when this is dropped.
pub(super) struct Held {
    store: Arc<Store>,
    key: u128,
    remember: bool,
}

impl Held {
    /// The delivery has ended like this. Without a word it was dropped, which counts as a failure.
    pub(super) fn ended(mut self, outcome: Outcome) {
        self.remember = match outcome {
            Outcome::Done | Outcome::Deferred => true,
            // It never came to the listener, so nothing of it can be done twice.
            Outcome::Rejected | Outcome::Skipped => false,
            _ => self.remember,
        };
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let now = clock::now();
        let Ended { waiters, evicted } = self
            .store
            .change(|seen| seen.ended(self.key, self.remember, now));
        self.store
            .counts
            .evicted
            .fetch_add(evicted, Ordering::Relaxed);
        if let Some(waiters) = waiters {
            waiters.cancel();
        }
    }
}
