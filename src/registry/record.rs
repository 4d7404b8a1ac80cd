//! What the registry knows of one listener, whatever its event type.

use std::sync::{Arc, Weak};
use std::time::SystemTime;

use tokio::sync::Notify;

use super::Metadata;
use crate::clock::{Coarse, Instant};
use crate::key::Identity;
use crate::listener::Kind;
use crate::outcome::Cause;
use crate::sync::{AtomicBool, AtomicU64, AtomicUsize, Mutex, Ordering};

/// Takes a listener out of the signal that it is registered with.
pub(crate) trait Remove: Send + Sync {
    fn remove(&self, record: &Record) -> bool;
}

/// How often a listener may still be called.
pub(crate) enum Budget {
    Unlimited,
    Times { left: AtomicU64, of: u64 },
}

/// What the registry knows of one listener: who it is, how it is ordered, whether it is still wanted, and what it has done.
pub(crate) struct Record {
    pub(crate) identity: Arc<Identity>,
    pub(crate) priority: i32,
    pub(crate) stage: u32,
    pub(crate) kind: Kind,
    pub(crate) added: SystemTime,
    pub(crate) budget: Budget,
    /// Where it stands among those of equal stage and priority: its id, or the place of the listener that it replaced.
    pub(crate) sequence: AtomicU64,
    /// Woken when a call of a removed listener ends, and when a listener is removed. Shared by the signal.
    pub(crate) quiet: Arc<Notify>,
    pub(crate) home: Weak<dyn Remove>,
    pub(crate) counters: Counters,
    removed: AtomicBool,
    running: AtomicUsize,
}

/// What a listener has done.
#[derive(Default)]
pub(crate) struct Counters {
    calls: AtomicU64,
    errors: AtomicU64,
    panics: AtomicU64,
    last_called: AtomicU64,
    last_error: Mutex<Option<Cause>>,
}

impl Record {
    pub(crate) fn new(
        identity: Identity,
        kind: Kind,
        priority: i32,
        stage: u32,
        budget: Budget,
        quiet: Arc<Notify>,
        home: Weak<dyn Remove>,
    ) -> Self {
        Self {
            sequence: AtomicU64::new(identity.id),
            identity: Arc::new(identity),
            priority,
            stage,
            kind,
            added: SystemTime::now(),
            budget,
            quiet,
            home,
            counters: Counters::default(),
            removed: AtomicBool::new(false),
            running: AtomicUsize::new(0),
        }
    }

    /// Marks a call as running, unless the listener is removed.
    ///
    /// The mark is set before the removal is looked at, and `removed()` looks at the marks after it has set the removal; both sides are `SeqCst`,
    /// so at least one of them sees the other.
    pub(crate) fn enter(&self) -> bool {
        self.running.fetch_add(1, Ordering::SeqCst);
        if self.is_removed() {
            self.leave();
            return false;
        }
        true
    }

    /// Ends what [`enter`](Self::enter) began.
    pub(crate) fn leave(&self) {
        self.running.fetch_sub(1, Ordering::SeqCst);
        if self.is_removed() {
            self.quiet.notify_waiters();
        }
    }

    pub(crate) fn is_removed(&self) -> bool {
        self.removed.load(Ordering::SeqCst)
    }

    /// Says that it is removed. Whoever does so wakes `quiet` after, when no lock is held.
    pub(super) fn mark_removed(&self) {
        self.removed.store(true, Ordering::SeqCst);
    }

    /// Calls that are running now.
    pub(crate) fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    /// Takes one call from the budget; the last step before the call. False if none is left. The listener whose last call this is leaves the
    /// registry.
    pub(crate) fn claim(&self) -> bool {
        if let Budget::Times { left, .. } = &self.budget {
            // One atomic decides between all emissions; nothing else is published with it.
            let Ok(before) = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            }) else {
                return false;
            };
            if before == 1 {
                if let Some(home) = self.home.upgrade() {
                    home.remove(self);
                }
            }
        }
        true
    }

    pub(crate) fn is_spent(&self) -> bool {
        matches!(&self.budget, Budget::Times { left, .. } if left.load(Ordering::Relaxed) == 0)
    }

    pub(crate) fn metadata(&self) -> Metadata {
        let Counters {
            calls,
            errors,
            panics,
            last_called,
            last_error,
        } = &self.counters;
        Metadata {
            identity: Arc::clone(&self.identity),
            kind: self.kind,
            priority: self.priority,
            stage: self.stage,
            added: self.added,
            times: match self.budget {
                Budget::Unlimited => None,
                Budget::Times { of, .. } => Some(of),
            },
            calls: calls.load(Ordering::Relaxed),
            errors: errors.load(Ordering::Relaxed),
            panics: panics.load(Ordering::Relaxed),
            running: self.running(),
            last_called: Coarse(last_called.load(Ordering::Relaxed)).to_system_time(),
            last_error: last_error.lock().as_ref().map(ToString::to_string),
        }
    }
}

impl Counters {
    pub(crate) fn called(&self, now: Instant) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.last_called.store(Coarse::at(now).0, Ordering::Relaxed);
    }

    pub(crate) fn not_done(&self, cause: &Cause) {
        match cause {
            Cause::Failed(_) => self.errors.fetch_add(1, Ordering::Relaxed),
            Cause::Panicked(_) => self.panics.fetch_add(1, Ordering::Relaxed),
            _ => return,
        };
        // The old cause holds the user's error: it is dropped after the lock.
        let old = self.last_error.lock().replace(cause.clone());
        drop(old);
    }
}
