//! A listener as its deliveries know it.

use std::sync::Arc;

use crate::key::Identity;
use crate::sync::{AtomicU64, Ordering};

/// A listener as its deliveries know it: who it is, and where what becomes of them is counted.
pub(crate) struct Addressee {
    pub(crate) identity: Arc<Identity>,
    own: Ledger,
    /// That of all listeners of the signal.
    signal: Arc<Ledger>,
}

/// What calls behind layers have come to, beyond their outcomes.
#[derive(Default)]
pub(crate) struct Ledger {
    retries: AtomicU64,
    dead_letters: AtomicU64,
}

impl Addressee {
    pub(crate) fn new(identity: Arc<Identity>, signal: &Arc<Ledger>) -> Self {
        Self {
            identity,
            own: Ledger::default(),
            signal: Arc::clone(signal),
        }
    }

    /// What the calls of this listener have come to.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.own
    }

    /// A further attempt of a call begins.
    pub(super) fn retried(&self) {
        for ledger in [&self.own, &*self.signal] {
            ledger.retries.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A call was given up, and somebody has taken its letter.
    pub(super) fn lettered(&self) {
        for ledger in [&self.own, &*self.signal] {
            ledger.dead_letters.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Ledger {
    pub(crate) fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    pub(crate) fn dead_letters(&self) -> u64 {
        self.dead_letters.load(Ordering::Relaxed)
    }
}
