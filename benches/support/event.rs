//! The event and what every listener does with it.

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

/// What every listener does: no more than look at its event. A counter in memory would be a chain of loads that wait for stores, which made the
/// bare loop, and it alone, twice as slow in one build as in the next.
pub(crate) fn listen(tick: Tick) {
    black_box(tick);
}
