//! What a pool did since it was looked at last.

use std::time::Duration;

use super::numbers::{mean, share};
use super::stats::PoolStats;
use crate::clock::{self, Instant};
use crate::pool::Pool;
use crate::pool::load::not_below_zero;
use crate::pool::resize::duration;
use crate::sync::{Handle, worked};

/// The counters of a pool at one moment.
#[derive(Clone, Copy)]
pub(super) struct Meter {
    at: Instant,
    /// Permits held x time in nanoseconds, wrapping, and all permits x time.
    busy: u64,
    capacity: u128,
    waited: Duration,
    waits: u64,
    waits_ended: u64,
    taken: u32,
    rejections: u64,
    /// What the workers of the runtime have done, and how many they are.
    worked: Option<(Duration, usize)>,
}

impl Meter {
    pub(super) fn new(pool: &Pool, runtime: &Handle) -> Self {
        let (load, waits) = (&pool.0.load, pool.waits());
        Self {
            at: clock::now(),
            busy: load.busy(),
            capacity: pool.0.limit.capacity(),
            waited: load.wait_time(),
            waits,
            waits_ended: waits.saturating_sub(pool.waiting() as u64),
            taken: load.taken(),
            rejections: load.rejections(),
            worked: worked(runtime),
        }
    }

    /// What has happened since the last reading. The bounds and `since_change` are left to the caller.
    pub(super) fn read(&mut self, pool: &Pool, runtime: &Handle) -> PoolStats {
        let before = std::mem::replace(self, Self::new(pool, runtime));
        let tick = self.at.saturating_duration_since(before.at);
        let capacity = duration(self.capacity.saturating_sub(before.capacity));
        let waiting = pool.waiting();
        let ended = self.waits_ended.saturating_sub(before.waits_ended);
        let waited = self.waited.saturating_sub(before.waited) + pool.0.load.waiting_time();
        let mut stats = PoolStats::new(pool.size());
        stats.tick = tick;
        stats.in_use = pool.in_use();
        stats.waiting = waiting;
        stats.utilisation = share(self.held_since(&before), capacity);
        stats.wait = mean(waited, ended + waiting as u64);
        stats.waits = self.waits.saturating_sub(before.waits);
        stats.taken = u64::from(self.taken.wrapping_sub(before.taken));
        stats.rejections = self.rejections.saturating_sub(before.rejections);
        stats.runtime_busy = before.worked.zip(self.worked).map(|(before, now)| {
            let workers = u32::try_from(now.1).unwrap_or(u32::MAX);
            share(now.0.saturating_sub(before.0), tick.saturating_mul(workers)).min(1.0)
        });
        stats
    }

    /// How long permits were held between two readings, added up.
    pub(super) fn held_since(&self, before: &Self) -> Duration {
        not_below_zero(self.busy.wrapping_sub(before.busy))
    }
}

#[cfg(test)]
#[path = "meter_tests.rs"]
mod tests;
