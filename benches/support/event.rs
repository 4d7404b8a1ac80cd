//! The event and what every listener does with it.

use std::cell::Cell;
use std::hint::black_box;

/// The event of every case: one word, trivial to clone, so that what is measured is the dispatch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tick(pub(crate) u64);

impl Tick {
    /// One that the optimiser cannot see through.
    pub(crate) fn hidden() -> Self {
        black_box(Self(1))
    }
}

thread_local! {
    /// One for each thread: a shared counter would measure the cache line, not the dispatch.
    static SEEN: Cell<u64> = const { Cell::new(0) };
}

/// What every listener does: counts.
pub(crate) fn count(tick: Tick) {
    SEEN.set(SEEN.get().wrapping_add(tick.0));
}
