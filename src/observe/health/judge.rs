//! What follows from what is seen: a pure function of counters and thresholds.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use super::counts::Counts;
use super::listeners;
use super::policy::Policy;
use super::{Health, Reason};
use crate::buffer::Overflow;
use crate::clock::Instant;
use crate::metrics::SlowCall;
use crate::observe::{PoolSnapshot, RuntimeReading, SignalSnapshot, Snapshot};

/// All that a check sees.
pub(super) struct Sight<'a> {
    pub(super) policy: &'a Policy,
    pub(super) taken_at: SystemTime,
    pub(super) snapshot: &'a Snapshot,
    pub(super) now: Instant,
    pub(super) window: Option<Duration>,
    pub(super) counts: &'a Counts,
    pub(super) earlier: &'a Counts,
    /// For how long no check has seen a permit taken, by the name of the pool.
    pub(super) stuck: &'a HashMap<String, Duration>,
    pub(super) runtime: Option<&'a RuntimeReading>,
    pub(super) slow_calls: &'a [SlowCall],
    pub(super) alive_tasks: Option<usize>,
    pub(super) resident: Option<u64>,
}

/// Gathers the reasons.
pub(super) struct Judge<'a> {
    sight: &'a Sight<'a>,
    reasons: Vec<Reason>,
}

impl<'a> Judge<'a> {
    pub(super) fn of(sight: &'a Sight<'a>) -> Self {
        Self {
            sight,
            reasons: Vec::new(),
        }
    }

    pub(super) fn health(mut self) -> Health {
        let sight = self.sight;
        self.runtime();
        if sight.snapshot.closed {
            self.reasons.push(Reason::Closed);
        }
        self.resources();
        sight.snapshot.pools.iter().for_each(|pool| self.pool(pool));
        for signal in &sight.snapshot.signals {
            self.signal(signal);
            let reasons = listeners::reasons(sight, signal);
            self.reasons.extend(reasons);
        }
        // The worst first; those that are as bad stay in their order.
        self.reasons
            .sort_by_key(|reason| std::cmp::Reverse(reason.severity()));
        Health {
            bus: sight.snapshot.bus.clone(),
            taken_at: sight.taken_at,
            window: sight.window,
            reasons: self.reasons,
            worst: listeners::worst(sight),
            alive_tasks: sight.alive_tasks,
            resident: sight.resident,
        }
    }

    fn runtime(&mut self) {
        let (policy, Some(runtime)) = (self.sight.policy, self.sight.runtime) else {
            return;
        };
        if runtime.ended {
            self.reasons.push(Reason::RuntimeEnded);
        }
        let stalled = runtime.stalled_for();
        let stalled = stalled.filter(|stalled| *stalled >= policy.stalled_after);
        self.reasons
            .extend(stalled.map(|stalled| Reason::RuntimeStalled { stalled }));
        if runtime.blocked_for >= policy.blocked_after {
            self.reasons.push(Reason::WorkersBlocked {
                blocked: runtime.blocked_workers,
                workers: runtime.workers,
                longest: runtime.blocked_for,
            });
        }
    }

    fn resources(&mut self) {
        let Sight {
            policy,
            alive_tasks,
            resident,
            ..
        } = *self.sight;
        let most = policy.max_tasks;
        let many = alive_tasks.filter(|alive| *alive > most);
        self.reasons
            .extend(many.map(|alive| Reason::ManyTasks { alive, most }));
        if let (Some(resident), Some(most)) = (resident, policy.max_memory) {
            if resident > most {
                self.reasons.push(Reason::MuchMemory { resident, most });
            }
        }
    }

    fn pool(&mut self, pool: &PoolSnapshot) {
        let waiting = u32::try_from(pool.waiting).unwrap_or(u32::MAX);
        let Some(waited) = pool.waiting_time.checked_div(waiting) else {
            return;
        };
        let long = self.sight.policy.pool_wait;
        if waited < long {
            return;
        }
        let stuck = self.sight.stuck.get(&pool.name);
        let (name, size, waiting) = (pool.name.clone(), pool.size, pool.waiting);
        self.reasons
            .push(if stuck.is_some_and(|stuck| *stuck >= long) {
                Reason::PoolSaturated {
                    pool: name,
                    size,
                    waiting,
                    waited,
                }
            } else {
                Reason::PoolWait {
                    pool: name,
                    size,
                    waiting,
                    waited,
                }
            });
    }

    fn signal(&mut self, signal: &SignalSnapshot) {
        let Sight {
            policy,
            counts,
            earlier,
            ..
        } = *self.sight;
        let name = || signal.name.clone();
        self.reasons.extend(buffer(policy, signal));
        let (background, most) = (signal.background, signal.max_background);
        if is_above(background, most, policy.background_share) {
            self.reasons.push(Reason::BackgroundFull {
                signal: name(),
                background,
                most,
            });
        }
        let since = counts.signal_since(earlier, signal);
        let letters = since.dead_letters;
        if letters > policy.max_dead_letters {
            let signal = name();
            self.reasons.push(Reason::DeadLetters { signal, letters });
        }
        let events = since.dropped;
        if events > policy.max_dropped {
            let signal = name();
            self.reasons.push(Reason::Dropped { signal, events });
        }
    }
}

/// What is to be said of a buffer, by its fullest lane.
fn buffer(policy: &Policy, signal: &SignalSnapshot) -> Option<Reason> {
    let name = || signal.name.clone();
    let (buffered, capacity) = (signal.fullest_lane, signal.lane_capacity);
    let is_full = buffered >= capacity && capacity > 0;
    let drops = matches!(signal.overflow, Overflow::DropOldest | Overflow::DropNewest);
    if is_full && !drops {
        let signal = name();
        return Some(Reason::BufferFull { signal, capacity });
    }
    // One that drops and has a single place is full whenever it is used.
    let by_marks = signal.own_marks && signal.under_pressure;
    let too_full = is_above(buffered, capacity, policy.buffer_share) && !(drops && capacity == 1);
    (by_marks || too_full).then(|| Reason::BufferPressure {
        signal: name(),
        buffered,
        capacity,
    })
}

/// Whether it is more than this share of all; of nothing, nothing is.
fn is_above(part: usize, all: usize, share: f64) -> bool {
    is_above_share(part as u64, all as u64, share)
}

#[expect(clippy::cast_precision_loss, reason = "a share")]
pub(super) fn is_above_share(part: u64, all: u64, share: f64) -> bool {
    // Divided: the quotient is the number that was written, and a product may be off.
    part > 0 && part as f64 / all as f64 > share
}
