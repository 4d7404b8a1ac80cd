//! What was injected, counted.

use crate::sync::{AtomicU64, Ordering};

use super::state::Decision;

/// Pure counters.
#[derive(Debug, Default)]
pub(super) struct Counts {
    passed: AtomicU64,
    failures: AtomicU64,
    panics: AtomicU64,
    delays: AtomicU64,
    hangs: AtomicU64,
}

impl Counts {
    pub(super) fn note(&self, decision: Decision) {
        let count = match decision {
            Decision::Pass => &self.passed,
            Decision::Fail => &self.failures,
            Decision::Panic => &self.panics,
            Decision::Delay(_) => &self.delays,
            Decision::Hang => &self.hangs,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Injected {
        Injected {
            passed: self.passed.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            panics: self.panics.load(Ordering::Relaxed),
            delays: self.delays.load(Ordering::Relaxed),
            hangs: self.hangs.load(Ordering::Relaxed),
        }
    }
}

/// How many of each fault a [`Fault`](crate::layer::Fault) and its clones have injected so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Injected {
    passed: u64,
    failures: u64,
    panics: u64,
    delays: u64,
    hangs: u64,
}

impl Injected {
    /// Draws that injected nothing. Deliveries that `only` said no to are not in it. See [`Injected`](crate::layer::Injected).
    pub fn passed(&self) -> u64 {
        self.passed
    }

    /// Failures. See [`Injected`](crate::layer::Injected).
    pub fn failures(&self) -> u64 {
        self.failures
    }

    /// Panics. See [`Injected`](crate::layer::Injected).
    pub fn panics(&self) -> u64 {
        self.panics
    }

    /// Delays. See [`Injected`](crate::layer::Injected).
    pub fn delays(&self) -> u64 {
        self.delays
    }

    /// Hangs. See [`Injected`](crate::layer::Injected).
    pub fn hangs(&self) -> u64 {
        self.hangs
    }

    /// All faults together. See [`Injected`](crate::layer::Injected).
    pub fn total(&self) -> u64 {
        self.failures + self.panics + self.delays + self.hangs
    }

    /// How many draws there were, faults or not. See [`Injected`](crate::layer::Injected).
    pub fn draws(&self) -> u64 {
        self.passed + self.total()
    }
}
