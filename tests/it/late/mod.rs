//! Listeners that come late, or before they are ready.

mod history;
mod ready;
mod replay;
mod threads;

use fanfare::{Signal, Subscription};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

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

/// So many cases, the same each time, or as many other ones as `FANFARE_CASES` says.
pub(crate) fn config(few: u32) -> ProptestConfig {
    let asked = std::env::var("FANFARE_CASES").ok();
    let (cases, rng_seed) = match asked {
        None => (few, RngSeed::Fixed(1)),
        Some(cases) => (cases.parse().expect("a number"), RngSeed::Random),
    };
    ProptestConfig {
        cases,
        rng_seed,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}
