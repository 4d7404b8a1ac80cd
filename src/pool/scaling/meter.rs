//! What a pool did since it was looked at last.

use std::time::Duration;

use super::numbers::{mean, share};
use super::stats::PoolStats;
use crate::clock::{self, Instant};
use crate::pool::Pool;
use crate::pool::load::TRIES;
use crate::pool::resize::duration;
use crate::sync::{Handle, thread_yield, worked};

/// The counters of a pool at one moment.
#[derive(Clone, Copy)]
pub(super) struct Meter {
    at: Instant,
    /// Permits held x time in nanoseconds, wrapping, and all permits x time.
    busy: u64,
    capacity: u128,
    in_use: usize,
    waiting: usize,
    /// How long those that wait have waited so far, and those have whose wait is over.
    waiting_time: Duration,
    waited: Duration,
    waits: u64,
    waits_ended: u64,
    taken: u32,
    rejections: u64,
    /// What the workers of the runtime have done, and how many they are.
    worked: Option<(Duration, usize)>,
    /// What was made of it, which stands where counters cannot be right.
    utilisation: f64,
    wait: Duration,
}

impl Meter {
    pub(super) fn new(pool: &Pool, runtime: &Handle) -> Self {
        let (load, waits) = (&pool.0.load, pool.waits());
        let (in_use, waiting) = (pool.in_use(), pool.waiting());
        Self {
            at: clock::now(),
            in_use,
            waiting,
            waiting_time: load.waiting_time(),
            busy: load.busy(),
            capacity: pool.0.limit.capacity(),
            waited: load.wait_time(),
            waits,
            waits_ended: waits.saturating_sub(waiting as u64),
            taken: load.taken(),
            rejections: load.rejections(),
            worked: worked(runtime),
            utilisation: pool.utilisation(),
            wait: Duration::ZERO,
        }
    }

    /// What has happened since the last reading. The bounds and `since_change` are left to the caller.
    pub(super) fn read(&mut self, pool: &Pool, runtime: &Handle) -> PoolStats {
        let before = *self;
        self.look(pool, runtime, &before);
        let tick = self.since(&before);
        let mut stats = PoolStats::new(pool.size());
        stats.tick = tick;
        stats.in_use = self.in_use;
        stats.waiting = self.waiting;
        stats.utilisation = self.utilisation;
        stats.wait = self.wait;
        stats.waits = self.waits.saturating_sub(before.waits);
        stats.taken = u64::from(self.taken.wrapping_sub(before.taken));
        stats.rejections = self.rejections.saturating_sub(before.rejections);
        stats.runtime_busy = before.worked.zip(self.worked).map(|(before, now)| {
            let workers = u32::try_from(now.1).unwrap_or(u32::MAX);
            share(now.0.saturating_sub(before.0), tick.saturating_mul(workers)).min(1.0)
        });
        stats
    }

    /// Takes a reading that can have come after the one before. If there is none, as somebody who takes or gives a permit is kept from going on, what was made of the one before stands.
    fn look(&mut self, pool: &Pool, runtime: &Handle, before: &Self) {
        *self = Self::new(pool, runtime);
        for _ in 0..TRIES {
            if self.held_since(before).is_some() && self.can_have_waited(before) {
                break;
            }
            thread_yield();
            *self = Self::new(pool, runtime);
        }
        self.utilisation = self
            .held_since(before)
            .map_or(before.utilisation, |held| share(held, self.had(before)));
        self.wait = before.wait;
        if self.can_have_waited(before) {
            let ended = self.waits_ended.saturating_sub(before.waits_ended);
            let waited = self.waited.saturating_sub(before.waited) + self.waiting_time;
            self.wait = mean(waited, ended + self.waiting as u64);
        }
    }

    fn since(&self, before: &Self) -> Duration {
        self.at.saturating_duration_since(before.at)
    }

    /// How long there were permits, added up.
    fn had(&self, before: &Self) -> Duration {
        duration(self.capacity.saturating_sub(before.capacity))
    }

    /// How long permits were held between two readings, added up. None if that is more than there can have been held: then one of the readings was between two writes.
    pub(super) fn held_since(&self, before: &Self) -> Option<Duration> {
        let held = Duration::from_nanos(self.busy.wrapping_sub(before.busy));
        let most = self
            .since(before)
            .saturating_mul(whole_u32(self.in_use.max(before.in_use)));
        (held <= with_slack(most.max(self.had(before)))).then_some(held)
    }

    /// Whether those that wait can have waited for so long: none of them since before the tick but those that did then.
    fn can_have_waited(&self, before: &Self) -> bool {
        let since = self.since(before).saturating_mul(whole_u32(self.waiting));
        self.waiting_time <= with_slack(before.waiting_time + since)
    }
}

/// The clock and the counters are not read at one moment.
fn with_slack(most: Duration) -> Duration {
    most + most / 4 + Duration::from_millis(1)
}

fn whole_u32(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "meter_tests.rs"]
mod tests;
