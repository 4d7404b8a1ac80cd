//! The event, and the listener of every case: it counts its calls, so that it can be asked whether all were made.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// The most listeners that a case has.
pub(crate) const MOST: usize = 100;

/// The event of every case. One crate puts it into bytes and takes it out of them for each listener, hence the derives.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Tick {
    /// Whether whoever sent it waits for the receivers before the next.
    pub(crate) last: bool,
}

impl Tick {
    /// One that the optimiser cannot see through.
    pub(crate) fn hidden() -> Self {
        black_box(Self { last: true })
    }
}

type Counts = [AtomicU64; MOST];

/// The counts of all threads, those of ended ones included.
static COUNTS: Mutex<Vec<&'static Counts>> = Mutex::new(Vec::new());

thread_local! {
    /// Only its own thread writes to it: a shared count would be a price of its own, the same for all, and hide what is compared.
    static OWN: &'static Counts = {
        let own: &'static Counts = Box::leak(Box::new([const { AtomicU64::new(0) }; MOST]));
        COUNTS.lock().unwrap_or_else(PoisonError::into_inner).push(own);
        own
    };
}

/// What every listener does.
pub(crate) fn count(listener: usize, tick: Tick) {
    black_box(tick);
    OWN.with(|own| {
        let count = &own[listener];
        count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    });
}

/// The listener of every case that takes an async one. Ready at its first poll.
pub(crate) async fn listen(listener: usize, tick: Tick) {
    count(listener, tick);
}

/// How often each listener was called so far, by whichever thread. Exact while no case runs.
pub(crate) fn calls() -> [u64; MOST] {
    let counts = COUNTS.lock().unwrap_or_else(PoisonError::into_inner);
    let sum = |listener: usize| {
        counts
            .iter()
            .map(|own| own[listener].load(Ordering::Relaxed))
            .sum()
    };
    std::array::from_fn(sum)
}
