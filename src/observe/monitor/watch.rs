//! What follows from what is seen of a runtime: a plain value that knows neither clock nor thread.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use super::workers::{Told, Workers};
use super::{RuntimeReading, Stall};
use crate::clock::Instant;
use crate::metrics::Distribution;

/// So many stalls are kept.
pub(super) const STALLS: usize = 64;
/// So many delays are given one by one.
pub(super) const RECENT: usize = 16;
/// So many are gathered before they go into the histogram.
const GATHERED: usize = 64;

/// What is seen at one look.
pub(super) struct Sample {
    pub(super) at: Instant,
    pub(super) time: SystemTime,
    pub(super) workers: Vec<Told>,
    pub(super) alive_tasks: usize,
    pub(super) queue_depth: usize,
    pub(super) probe: Probed,
}

/// What has become of the probe.
#[derive(Clone, Copy, Debug)]
pub(super) enum Probed {
    /// There was none before.
    First,
    Waiting {
        since: Instant,
    },
    Polled {
        since: Instant,
        delay: Duration,
    },
    /// The runtime has dropped it.
    Gone,
}

/// What was seen so far.
pub(super) struct Watch {
    stall_after: Duration,
    looks: u64,
    taken_at: SystemTime,
    workers: Workers,
    alive_tasks: usize,
    queue_depth: usize,
    delays: Distribution,
    gathered: Vec<Duration>,
    recent: VecDeque<Duration>,
    stalls: VecDeque<Stall>,
    going_on: Option<Stall>,
    /// Those that are over.
    stall_count: u64,
    stalled_time: Duration,
    ended: bool,
}

impl Watch {
    pub(super) fn new(stall_after: Duration, time: SystemTime) -> Self {
        Self {
            stall_after,
            looks: 0,
            taken_at: time,
            workers: Workers::default(),
            alive_tasks: 0,
            queue_depth: 0,
            delays: Distribution::default(),
            gathered: Vec::new(),
            recent: VecDeque::new(),
            stalls: VecDeque::new(),
            going_on: None,
            stall_count: 0,
            stalled_time: Duration::ZERO,
            ended: false,
        }
    }

    pub(super) fn look(&mut self, sample: &Sample) {
        self.looks += 1;
        self.taken_at = sample.time;
        self.workers.look(sample.at, &sample.workers);
        self.queue_depth = sample.queue_depth;
        let waits = matches!(sample.probe, Probed::Waiting { .. });
        self.alive_tasks = sample.alive_tasks.saturating_sub(usize::from(waits));
        let stall = |since: Instant, lasted: Duration, over| Stall {
            began: since,
            began_at: sample.time - sample.at.saturating_duration_since(since),
            lasted,
            over,
        };
        match sample.probe {
            Probed::First => {}
            Probed::Waiting { since } => {
                let waited = sample.at.saturating_duration_since(since);
                self.going_on = (waited >= self.stall_after).then(|| stall(since, waited, false));
            }
            Probed::Polled { since, delay } => {
                self.delayed(delay);
                self.going_on = None;
                if delay >= self.stall_after {
                    self.over(stall(since, delay, true));
                }
            }
            Probed::Gone => {
                self.ended = true;
                if let Some(stall) = self.going_on.take() {
                    self.over(Stall {
                        over: true,
                        ..stall
                    });
                }
            }
        }
    }

    fn delayed(&mut self, delay: Duration) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(delay);
        self.gathered.push(delay);
        if self.gathered.len() == GATHERED {
            self.gather();
        }
    }

    fn gather(&mut self) {
        if !self.gathered.is_empty() {
            self.delays.merge(&self.gathered.drain(..).collect());
        }
    }

    fn over(&mut self, stall: Stall) {
        if self.stalls.len() == STALLS {
            self.stalls.pop_front();
        }
        self.stalls.push_back(stall);
        self.stall_count += 1;
        self.stalled_time += stall.lasted;
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    pub(super) fn stalls(&self) -> Vec<Stall> {
        let all = self.stalls.iter().copied().chain(self.going_on);
        let too_many = (self.stalls.len() + 1).saturating_sub(STALLS);
        let left_out = if self.going_on.is_some() { too_many } else { 0 };
        all.skip(left_out).collect()
    }

    /// But for the name, which is not seen.
    pub(super) fn reading(&mut self) -> RuntimeReading {
        self.gather();
        // Nothing is blocked in a runtime that is no more.
        let (blocked_workers, blocked_for) = if self.ended {
            (0, Duration::ZERO)
        } else {
            self.workers.blocked(self.stall_after)
        };
        let lasted = self.going_on.map_or(Duration::ZERO, |stall| stall.lasted);
        RuntimeReading {
            runtime: String::new(),
            taken_at: self.taken_at,
            looks: self.looks,
            workers: self.workers.len(),
            blocked_workers,
            blocked_for,
            busy: self.workers.busy(),
            busy_time: self.workers.busy_time(),
            alive_tasks: self.alive_tasks,
            queue_depth: self.queue_depth,
            delays: self.delays.clone(),
            recent_delays: self.recent.iter().copied().collect(),
            stalls: self.stalls(),
            stall_count: self.stall_count + u64::from(self.going_on.is_some()),
            stalled_time: self.stalled_time + lasted,
            ended: self.ended,
        }
    }
}
