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

/// Work of about a microsecond that no compiler shortens: each step waits for the one before.
pub(crate) fn work(tick: Tick) {
    const STEPS: u64 = 1_350;
    let mut number = tick.0;
    for _ in 0..STEPS {
        number = black_box(number.wrapping_mul(0x5851_F42D_4C95_7F2D));
    }
    black_box(number);
}
