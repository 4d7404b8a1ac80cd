//! Listeners that come late, or before they are ready.

mod history;
mod ready;
mod replay;
mod threads;

use fanfare::{Signal, Subscription};

use crate::support::Log;

/// A signal that keeps so many events.
fn keeping(events: usize) -> Signal<u32> {
    Signal::builder().replay(events).build()
}

/// A listener that is called with what is kept, then with what comes.
fn late(signal: &Signal<u32>) -> (Log<u32>, Subscription) {
    let log = Log::default();
    let seen = log.clone();
    let sub = signal.listen().replay().on_sync(move |n| seen.push(*n));
    (log, sub.unwrap())
}
