//! What has come since an earlier check: counters of a few checks, and which of them a check is compared with.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::buffer::DropReason;
use crate::clock::Instant;
use crate::metrics::Distribution;
use crate::observe::{ListenerSnapshot, SignalSnapshot, Snapshot};

/// Checks are kept that are so much of the window apart, or more.
const STEPS: u32 = 4;

/// Why events are dropped that somebody was to have: not those that newer ones replace, and not those that nobody is there for any more.
const LOSSES: [DropReason; 4] = [
    DropReason::Oldest,
    DropReason::Newest,
    DropReason::RuntimeEnded,
    DropReason::Shutdown,
];

/// What a signal has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SignalCounts {
    pub(super) dead_letters: u64,
    pub(super) dropped: u64,
}

/// What a listener has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ListenerCounts {
    pub(super) calls: u64,
    /// Errors, panics and deadlines.
    pub(super) failed: u64,
    pub(super) timed: u64,
    /// How many of those were slow.
    pub(super) slow: u64,
}

/// The counters of one check.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// By name and event type.
    signals: HashMap<(String, &'static str), SignalCounts>,
    /// By number.
    listeners: HashMap<u64, ListenerCounts>,
}

impl Counts {
    pub(super) fn of(snapshot: &Snapshot, slow: Duration) -> Self {
        let mut counts = Self::default();
        for signal in &snapshot.signals {
            let key = (signal.name.clone(), signal.event);
            counts.signals.insert(key, signal_counts(signal));
            for listener in &signal.listeners {
                let now = listener_counts(listener, slow);
                counts.listeners.insert(listener.id, now);
            }
        }
        counts
    }

    fn signal(&self, signal: &SignalSnapshot) -> SignalCounts {
        let key = (signal.name.clone(), signal.event);
        self.signals.get(&key).copied().unwrap_or_default()
    }

    fn listener(&self, id: u64) -> ListenerCounts {
        self.listeners.get(&id).copied().unwrap_or_default()
    }

    /// What the signal has done since `earlier`.
    pub(super) fn signal_since(&self, earlier: &Self, signal: &SignalSnapshot) -> SignalCounts {
        let (now, before) = (self.signal(signal), earlier.signal(signal));
        SignalCounts {
            dead_letters: now.dead_letters.saturating_sub(before.dead_letters),
            dropped: now.dropped.saturating_sub(before.dropped),
        }
    }

    /// What the listener has done since `earlier`.
    pub(super) fn listener_since(&self, earlier: &Self, id: u64) -> ListenerCounts {
        let (now, before) = (self.listener(id), earlier.listener(id));
        ListenerCounts {
            calls: now.calls.saturating_sub(before.calls),
            failed: now.failed.saturating_sub(before.failed),
            timed: now.timed.saturating_sub(before.timed),
            slow: now.slow.saturating_sub(before.slow),
        }
    }
}

fn signal_counts(signal: &SignalSnapshot) -> SignalCounts {
    let stats = &signal.stats;
    SignalCounts {
        dead_letters: stats.dead_letters(),
        dropped: LOSSES.iter().map(|why| stats.dropped_by(*why)).sum(),
    }
}

fn listener_counts(listener: &ListenerSnapshot, slow: Duration) -> ListenerCounts {
    ListenerCounts {
        calls: listener.calls,
        failed: listener.errors + listener.panics + listener.timeouts,
        timed: listener.durations.count(),
        slow: longer_than(&listener.durations, slow),
    }
}

/// How many took longer, as far as the buckets tell.
fn longer_than(durations: &Distribution, limit: Duration) -> u64 {
    let longer = durations.buckets().filter(|bucket| bucket.upper > limit);
    longer.map(|bucket| bucket.count).sum()
}

/// A few earlier checks, the oldest first.
#[derive(Debug)]
pub(super) struct History {
    window: Duration,
    kept: VecDeque<(Instant, Arc<Counts>)>,
}

impl History {
    pub(super) fn new(window: Duration) -> Self {
        Self {
            window,
            kept: VecDeque::new(),
        }
    }

    /// Notes a check, and gives the one that it is to be compared with: the latest that is at least a window ago. `None` if there is none: the comparison is with nothing, and so over all time.
    ///
    /// However often and by how many callers it is checked, those kept are as far apart, and so nobody's window gets shorter by another's check.
    pub(super) fn check(
        &mut self,
        now: Instant,
        counts: &Arc<Counts>,
    ) -> Option<(Duration, Arc<Counts>)> {
        let ago = |at: &Instant| now.saturating_duration_since(*at);
        let old = |(at, _): &(Instant, _)| ago(at) >= self.window;
        let old = self.kept.iter().take_while(|kept| old(kept)).count();
        self.kept.drain(..old.saturating_sub(1));
        let earlier = self.kept.front().filter(|_| old > 0);
        let earlier = earlier.map(|(at, counts)| (ago(at), Arc::clone(counts)));
        let last = self.kept.back().map(|(at, _)| ago(at));
        if last.is_none_or(|last| last >= self.window / STEPS) {
            self.kept.push_back((now, Arc::clone(counts)));
        }
        earlier
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }
}
