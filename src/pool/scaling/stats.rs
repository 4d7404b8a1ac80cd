//! What a policy goes by.

use std::time::Duration;

use super::policy::Proposal;
use super::scaled::ScaleReason;

/// What a pool did in one tick: all that a [`ScalingPolicy`](super::ScalingPolicy) goes by.
///
/// A plain value, so that a policy can be tested without a pool.
///
/// ```
/// use std::time::Duration;
/// use fanfare::scaling::PoolStats;
///
/// let mut stats = PoolStats::new(8);
/// stats.waiting = 3;
/// stats.wait = Duration::from_millis(40);
/// assert_eq!((stats.size, stats.utilisation), (8, 0.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct PoolStats {
    /// How long the tick was.
    pub tick: Duration,
    /// The number of permits.
    pub size: usize,
    /// The fewest that the pool may have.
    pub min: usize,
    /// The most that it may have.
    pub max: usize,
    /// How many permits are held at the end of the tick.
    pub in_use: usize,
    /// How many wait for a permit at the end of the tick.
    pub waiting: usize,
    /// The share of the permits that was held, over the whole tick. Just after a shrink it can be above 1.
    pub utilisation: f64,
    /// The mean wait for a permit: of those whose wait ended in the tick, and of those that wait, as long as they have so far.
    pub wait: Duration,
    /// How many began to wait in the tick.
    pub waits: u64,
    /// How many permits were taken in the tick.
    pub taken: u64,
    /// How many emissions were rejected in the tick, as the pool was full.
    pub rejections: u64,
    /// The share of the tick that the runtime's workers were busy, if the runtime says so.
    pub runtime_busy: Option<f64>,
    /// How many ticks ago the size was changed; the most there is if it never was.
    pub since_change: u32,
}

impl PoolStats {
    /// An idle pool of `size` permits, with a minimum of 1, a maximum of 16 x `size` and a tick of 100 ms. See [`PoolStats`](crate::scaling::PoolStats).
    pub fn new(size: usize) -> Self {
        Self {
            tick: Duration::from_millis(100),
            size,
            min: 1,
            max: size.saturating_mul(16),
            in_use: 0,
            waiting: 0,
            utilisation: 0.0,
            wait: Duration::ZERO,
            waits: 0,
            taken: 0,
            rejections: 0,
            runtime_busy: None,
            since_change: u32::MAX,
        }
    }

    /// The proposal to leave the size as it is. See [`ScalingPolicy`](crate::scaling::ScalingPolicy).
    pub fn stay(&self) -> Proposal {
        Proposal {
            to: self.size,
            reason: ScaleReason::Policy(""),
        }
    }

    /// The proposal to change the size, and why. See [`ScalingPolicy`](crate::scaling::ScalingPolicy).
    pub fn resize(&self, to: usize, why: &'static str) -> Proposal {
        Proposal {
            to,
            reason: ScaleReason::Policy(why),
        }
    }
}
