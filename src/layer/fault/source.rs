//! The seed and the number of the next draw, shared by all that is layered from one config.

use std::hash::{BuildHasher as _, RandomState};

use super::injected::{Counts, Injected};
use super::state::{Decision, Odds};
use crate::sync::{AtomicBool, AtomicU64, Ordering};

#[derive(Debug)]
pub(super) struct Source {
    seed: u64,
    /// Nobody gave the seed, and nobody has been told yet which it is.
    untold: AtomicBool,
    draws: AtomicU64,
    counts: Counts,
}

impl Source {
    pub(super) fn seeded(seed: u64) -> Self {
        Self {
            seed,
            untold: AtomicBool::new(false),
            draws: AtomicU64::new(0),
            counts: Counts::default(),
        }
    }

    /// With a seed of the system's randomness.
    pub(super) fn random() -> Self {
        Self {
            untold: AtomicBool::new(true),
            ..Self::seeded(RandomState::new().hash_one(()))
        }
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    pub(super) fn injected(&self) -> Injected {
        self.counts.read()
    }

    /// Says which seed it is, once, if nobody gave it.
    pub(super) fn tell(&self) {
        if self.untold.swap(false, Ordering::Relaxed) {
            let seed = self.seed;
            tracing::info!(
                seed,
                "faults are injected: this seed gives the same ones again"
            );
        }
    }

    /// The next draw: its number and what it gives.
    pub(super) fn draw(&self, odds: &Odds) -> (u64, Decision) {
        let draw = self.draws.fetch_add(1, Ordering::Relaxed) + 1;
        let decision = odds.decide(self.seed, draw);
        self.counts.note(decision);
        (draw, decision)
    }
}
