//! Listeners that are called with many events at once.

mod background;
mod dropped;
mod ending;
mod outcomes;
mod property;
mod together;

use std::time::Duration;

use fanfare::{Batches, Signal, Subscription};

use crate::support::Log;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A listener of batches, and the batches that it was called with.
fn listen(signal: &Signal<u32>, batches: Batches) -> (Log<Vec<u32>>, Subscription) {
    let log = Log::default();
    let seen = log.clone();
    let sub = signal.on_batch(batches, async move |events| seen.push(events));
    (log, sub)
}

/// Batches of so many events, or of what comes within a second.
fn of(events: usize) -> Batches {
    Batches::of(events).within(SECOND)
}
