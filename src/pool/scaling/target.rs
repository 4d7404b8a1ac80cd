//! The policy that comes with the crate: it keeps the wait for a permit below a target.

use std::time::Duration;

use super::numbers::{ratio, whole};
use super::policy::{Proposal, ScalingPolicy};
use super::scaled::ScaleReason;
use super::stats::PoolStats;

/// How far above its target a wait is met with a whole step. Up to there one permit is added at a time.
const FAR: u32 = 4;
/// A size that was too small for some load is tried again once the load is below this share of it.
const FORGOTTEN: f64 = 0.7;
/// The weight of the newest tick in the smoothed numbers.
const NEWEST: f64 = 0.2;
/// A backlog that shrinks by this share in a tick needs no more permits to go away.
const CLEARING: f64 = 0.05;

/// Grows while the wait is above the target and most permits are in use; shrinks when few are, for several ticks.
#[derive(Debug)]
pub(super) struct TargetWait {
    pub(super) target: Duration,
    /// Below the first it may shrink, from the second on it may grow.
    pub(super) hysteresis: (f64, f64),
    /// How many ticks in a row must be below.
    pub(super) patience: u32,
    /// The shares of the size that it adds and takes.
    pub(super) steps: (f64, f64),
    /// Whether it lets a backlog that gets shorter go away by itself.
    pub(super) lets_clear: bool,
    pub(super) memory: Memory,
}

/// What it remembers from tick to tick.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Permits in use, smoothed.
    busy: Option<f64>,
    idle_ticks: u32,
    waiting: usize,
    /// A size that had waits above the target, and the permits that were in use then.
    tight: Option<(usize, f64)>,
}

impl ScalingPolicy for TargetWait {
    fn decide(&mut self, stats: &PoolStats) -> Proposal {
        let size = ratio(stats.size);
        let busy_now = stats.utilisation * size;
        let busy = self.memory.busy.map_or(busy_now, |busy| {
            busy + NEWEST * (busy_now - busy)
        });
        self.memory.busy = Some(busy);
        let before = std::mem::replace(&mut self.memory.waiting, stats.waiting);
        if let Some(proposal) = self.grow(stats, busy_now, before) {
            self.memory.idle_ticks = 0;
            return proposal;
        }
        let idle = busy.max(busy_now) < self.hysteresis.0 * size && stats.wait <= self.target / 2;
        self.memory.idle_ticks = if idle { self.memory.idle_ticks + 1 } else { 0 };
        if self.memory.idle_ticks < self.patience {
            return stats.stay();
        }
        self.shrink(stats, busy)
    }
}

impl TargetWait {
    fn grow(&mut self, stats: &PoolStats, busy: f64, before: usize) -> Option<Proposal> {
        let reason = if stats.rejections > 0 {
            ScaleReason::Rejections
        } else if stats.wait > self.target && stats.utilisation >= self.hysteresis.1 {
            ScaleReason::Wait
        } else {
            return None;
        };
        let clearing = ratio(stats.waiting) < ratio(before) * (1.0 - CLEARING);
        if self.lets_clear && clearing && stats.rejections == 0 && stats.waiting > 0 {
            return None;
        }
        self.memory.tight = Some((stats.size, busy));
        let far = stats.wait > self.target * FAR || stats.rejections > 0;
        let step = if far {
            whole((ratio(stats.size) * self.steps.0).ceil())
        } else {
            1
        };
        let to = stats.size + step;
        Some(Proposal { to, reason })
    }

    fn shrink(&mut self, stats: &PoolStats, busy: f64) -> Proposal {
        let (low, high) = self.hysteresis;
        // In the middle of the band the next tick sees no reason to go back.
        let enough = whole((busy / f64::midpoint(low, high)).ceil());
        let step = whole(ratio(stats.size) * self.steps.1).max(1);
        let mut to = stats.size.saturating_sub(step).max(enough).max(stats.min);
        match self.memory.tight {
            Some((tight, then)) if busy >= then * FORGOTTEN => to = to.max(tight + 1),
            _ => self.memory.tight = None,
        }
        if to >= stats.size {
            return stats.stay();
        }
        Proposal {
            to,
            reason: ScaleReason::Idle,
        }
    }
}
