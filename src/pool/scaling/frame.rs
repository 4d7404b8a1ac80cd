//! What no policy can break: limits, steps, the cool-down, and a runtime that is saturated.

use std::cmp::Ordering::{Equal, Greater, Less};

use super::numbers::{ratio, whole};
use super::policy::Proposal;
use super::scaled::{HeldBack, ScaleReason};
use super::stats::PoolStats;

/// In so many ticks, the busiest says whether a runtime is saturated: a worker that does not rest says seldom for how long it was busy, and too little in the ticks between.
const BUSY_TICKS: usize = 3;

/// The bounds of a scaling pool.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) min: usize,
    pub(super) max: usize,
    /// The largest shares of the size that are added and taken in one tick.
    pub(super) steps: (f64, f64),
    /// Ticks after a change in which it does not shrink.
    pub(super) cool_down: u32,
    /// From this share of busy workers on it does not grow.
    pub(super) saturation: f64,
}

/// What is made of a policy's proposals.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) bounds: Bounds,
    /// Ticks since the last change.
    since_change: u32,
    /// How busy the runtime was in the last ticks; zero where it does not say.
    busy: [f64; BUSY_TICKS],
    /// By which reasons a decision was held back since it grew last.
    told: [bool; HeldBack::ALL.len()],
    pub(super) counts: Counts,
}

/// What a scaling pool has decided so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) ticks: u64,
    pub(super) ups: u64,
    pub(super) downs: u64,
    pub(super) held_back: [u64; HeldBack::ALL.len()],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Stay,
    Resize {
        to: usize,
        reason: ScaleReason,
    },
    HeldBack {
        why: HeldBack,
        reason: ScaleReason,
        /// Not told since it grew last.
        is_new: bool,
    },
}

impl Frame {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            since_change: u32::MAX,
            busy: [0.0; BUSY_TICKS],
            told: [false; HeldBack::ALL.len()],
            counts: Counts::default(),
        }
    }

    /// The ticks begin: how busy the runtime was before is long ago, or was another.
    pub(super) fn begin(&mut self) {
        self.busy = [0.0; BUSY_TICKS];
    }

    /// Begins a tick. Says how many there were since the last change.
    pub(super) fn tick(&mut self) -> u32 {
        self.counts.ticks += 1;
        self.since_change = self.since_change.saturating_add(1);
        self.since_change
    }

    /// What becomes of a proposal. None is that of a policy that panicked.
    pub(super) fn judge(&mut self, stats: &PoolStats, proposal: Option<Proposal>) -> Decision {
        self.busy.rotate_right(1);
        self.busy[0] = stats.runtime_busy.unwrap_or(0.0);
        let Some(Proposal { to, reason }) = proposal else {
            return self.hold(HeldBack::PolicyPanicked, ScaleReason::Policy(""));
        };
        let Bounds { min, max, .. } = self.bounds;
        let size = stats.size;
        let bounded = match to.cmp(&size) {
            Equal => return Decision::Stay,
            Greater if size >= max => return self.hold(HeldBack::AtMax, reason),
            Greater if self.is_saturated() => {
                return self.hold(HeldBack::RuntimeBusy, reason);
            }
            Greater => to.min(size + self.step_up(size)).min(max),
            Less if size <= min => return self.hold(HeldBack::AtMin, reason),
            Less if self.since_change <= self.bounds.cool_down => {
                return self.hold(HeldBack::CoolDown, reason);
            }
            Less => to.max(size - self.step_down(size)).max(min),
        };
        Decision::Resize {
            to: bounded,
            reason,
        }
    }

    /// Notes that the size was changed.
    pub(super) fn changed(&mut self, from: usize, to: usize) {
        if to > from {
            self.cool_down();
            self.counts.ups += 1;
        } else {
            // A long way down has many steps, and one thing to say of them.
            self.since_change = 0;
            self.counts.downs += 1;
        }
    }

    /// Somebody else has changed the size: it begins to cool down.
    pub(super) fn cool_down(&mut self) {
        self.since_change = 0;
        self.told = [false; HeldBack::ALL.len()];
    }

    fn is_saturated(&self) -> bool {
        let saturated = |busy: &f64| *busy >= self.bounds.saturation;
        self.busy.iter().any(saturated)
    }

    /// At least one permit, so that a small pool moves at all.
    fn step_up(&self, size: usize) -> usize {
        whole((ratio(size) * self.bounds.steps.0).ceil()).max(1)
    }

    fn step_down(&self, size: usize) -> usize {
        whole(ratio(size) * self.bounds.steps.1).max(1)
    }

    fn hold(&mut self, why: HeldBack, reason: ScaleReason) -> Decision {
        self.counts.held_back[why.place()] += 1;
        let told = &mut self.told[why.place()];
        Decision::HeldBack {
            why,
            reason,
            is_new: !std::mem::replace(told, true),
        }
    }
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
