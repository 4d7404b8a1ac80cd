//! The policy that comes with the crate: it keeps the wait for a permit below a target.

use std::time::Duration;

use super::numbers::{ratio, whole};
use super::policy::{Proposal, ScalingPolicy};
use super::scaled::ScaleReason;
use super::stats::PoolStats;

/// A size that was too small for some load is tried again once the load is below this share of it.
const FORGOTTEN: f64 = 0.5;
/// The weights of the newest tick in the smoothed load, and in the smoothed wait and utilisation.
const SLOW: f64 = 0.1;
const FAST: f64 = 0.3;
/// A backlog that shrinks by this share in a tick needs no more permits to go away.
const CLEARING: f64 = 0.05;
/// Near the target it adds this part of a step at a time.
const NEAR: f64 = 0.125;
/// Rejected more often than once in so many permits taken, it is far from it.
const SELDOM: u64 = 10;

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

/// What it remembers from tick to tick. One tick is a matter of chance where few events come in it.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Permits in use, smoothed slowly.
    load: Option<f64>,
    /// Smoothed.
    wait: f64,
    utilisation: f64,
    /// Ticks in a row with few permits in use.
    idle: u32,
    waiting: usize,
    /// A size that had waits above the target, and the load then.
    tight: Option<(usize, f64)>,
    /// The size that it shrank from last: if it has to grow again, that was the right one.
    shrunk_from: Option<usize>,
}

impl Memory {
    /// Takes in one tick. Gives how many waited before it.
    fn note(&mut self, stats: &PoolStats) -> usize {
        let busy = stats.utilisation * ratio(stats.size);
        let load = self.load.unwrap_or(busy);
        self.load = Some(load + SLOW * (busy - load));
        self.wait += FAST * (stats.wait.as_secs_f64() - self.wait);
        self.utilisation += FAST * (stats.utilisation - self.utilisation);
        std::mem::replace(&mut self.waiting, stats.waiting)
    }

    fn load(&self) -> f64 {
        self.load.unwrap_or(0.0)
    }
}

/// How much it needs to grow.
#[derive(Clone, Copy)]
enum Need {
    /// A backlog of a round or more: a whole step.
    Backlog,
    /// The target is missed: a part of one.
    Near,
}

impl ScalingPolicy for TargetWait {
    fn decide(&mut self, stats: &PoolStats) -> Proposal {
        let before = self.memory.note(stats);
        if let Some((need, reason)) = self.need(stats) {
            self.memory.idle = 0;
            return self.grow(stats, need, reason, before);
        }
        let busy = self
            .memory
            .load()
            .max(stats.utilisation * ratio(stats.size));
        let idle = busy < self.hysteresis.0 * ratio(stats.size) && stats.wait <= self.target / 2;
        self.memory.idle = if idle { self.memory.idle + 1 } else { 0 };
        if self.memory.idle < self.patience {
            return stats.stay();
        }
        self.shrink(stats)
    }
}

impl TargetWait {
    fn need(&self, stats: &PoolStats) -> Option<(Need, ScaleReason)> {
        if stats.rejections > 0 {
            let seldom = stats.rejections * SELDOM < stats.taken;
            let need = if seldom { Need::Near } else { Need::Backlog };
            return Some((need, ScaleReason::Rejections));
        }
        let high = self.hysteresis.1;
        if stats.wait <= self.target || stats.utilisation < high {
            return None;
        }
        if stats.waiting >= stats.size {
            return Some((Need::Backlog, ScaleReason::Wait));
        }
        let lasting = self.memory.wait > self.target.as_secs_f64();
        (lasting && self.memory.utilisation >= high).then_some((Need::Near, ScaleReason::Wait))
    }

    fn grow(
        &mut self,
        stats: &PoolStats,
        need: Need,
        reason: ScaleReason,
        before: usize,
    ) -> Proposal {
        let clearing = ratio(stats.waiting) < ratio(before) * (1.0 - CLEARING);
        if self.lets_clear && clearing && reason == ScaleReason::Wait {
            return stats.stay();
        }
        let right = self.memory.shrunk_from.take().unwrap_or(0);
        let tight = stats.size.max(right.saturating_sub(1));
        self.memory.tight = Some((tight, self.memory.load()));
        let step = match need {
            Need::Backlog => self.steps.0,
            Need::Near => self.steps.0 * NEAR,
        };
        let step = whole((ratio(stats.size) * step).ceil());
        Proposal {
            to: stats.size + step,
            reason,
        }
    }

    fn shrink(&mut self, stats: &PoolStats) -> Proposal {
        let (low, high) = self.hysteresis;
        let load = self.memory.load();
        // In the middle of the band the next tick sees no reason to go back.
        let enough = whole((load / f64::midpoint(low, high)).ceil());
        let step = whole(ratio(stats.size) * self.steps.1).max(1);
        let mut to = stats.size.saturating_sub(step).max(enough).max(stats.min);
        match self.memory.tight {
            Some((tight, then)) if load >= then * FORGOTTEN => to = to.max(tight + 1),
            _ => self.memory.tight = None,
        }
        if to >= stats.size {
            return stats.stay();
        }
        self.memory.shrunk_from = Some(stats.size);
        Proposal {
            to,
            reason: ScaleReason::Idle,
        }
    }
}
