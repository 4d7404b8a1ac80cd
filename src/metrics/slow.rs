//! The latest calls that took long.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Instant;
use crate::key::{Identity, Key};
use crate::sync::{AtomicU64, Mutex, Ordering};

/// So many are kept.
const KEPT: usize = 64;

/// A timed call that took as long as [`slow_after`](crate::BusBuilder::slow_after) or longer.
#[derive(Clone, Debug)]
pub struct SlowCall {
    pub(crate) listener: Arc<Identity>,
    pub(crate) ended: Instant,
    pub(crate) took: Duration,
    pub(crate) polled: Duration,
}

impl SlowCall {
    /// The name of the signal. See [`SlowCall`](crate::observe::SlowCall).
    pub fn signal(&self) -> &str {
        &self.listener.signal
    }

    /// The listener's key, if it has one. See [`SlowCall`](crate::observe::SlowCall).
    pub fn key(&self) -> Option<&str> {
        self.listener.key.as_ref().map(Key::as_str)
    }

    /// The listener's number. See [`SlowCall`](crate::observe::SlowCall).
    pub fn listener_id(&self) -> u64 {
        self.listener.id
    }

    /// How long the call took, from its start to its end. See [`SlowCall`](crate::observe::SlowCall).
    pub fn took(&self) -> Duration {
        self.took
    }

    /// How much of that it was polled: what its own code ran, or blocked its thread. See [`SlowCall`](crate::observe::SlowCall).
    pub fn polled(&self) -> Duration {
        self.polled
    }

    /// When it ended. See [`SlowCall`](crate::observe::SlowCall).
    pub fn ended(&self) -> Instant {
        self.ended
    }

    /// When it began. See [`SlowCall`](crate::observe::SlowCall).
    pub fn began(&self) -> Instant {
        self.ended.checked_sub(self.took).unwrap_or(self.ended)
    }
}

/// The latest of them.
pub(super) struct SlowCalls {
    /// In nanoseconds.
    after: AtomicU64,
    latest: Mutex<VecDeque<SlowCall>>,
}

impl SlowCalls {
    pub(super) fn new() -> Self {
        Self {
            after: AtomicU64::new(1_000_000_000),
            latest: Mutex::default(),
        }
    }

    pub(super) fn set_after(&self, after: Duration) {
        let nanos = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
        self.after.store(nanos, Ordering::Relaxed);
    }

    pub(super) fn after(&self) -> Duration {
        Duration::from_nanos(self.after.load(Ordering::Relaxed))
    }

    pub(super) fn note(&self, call: impl FnOnce() -> SlowCall, took: Duration) {
        if took < self.after() {
            return;
        }
        let call = call();
        let mut latest = self.latest.lock();
        let oldest = (latest.len() == KEPT).then(|| latest.pop_front());
        latest.push_back(call);
        drop(latest);
        drop(oldest);
    }

    pub(super) fn latest(&self) -> Vec<SlowCall> {
        self.latest.lock().iter().cloned().collect()
    }
}
