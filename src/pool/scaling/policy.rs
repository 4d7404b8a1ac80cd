//! What decides.

use super::scaled::ScaleReason;
use super::stats::PoolStats;

/// Says on each tick which size a pool should have.
///
/// The pool keeps what it proposes within the `min` and `max`, the steps and the cool-down of its [`Scaling`](crate::Scaling), and lets nothing grow while the runtime is saturated: a policy cannot
/// break those. It runs in the task that ticks: it should be quick, and must not block. Where it panics, the size stays, and that is told.
///
/// # Examples
///
/// ```
/// use fanfare::{Pool, Scaling};
/// use fanfare::scaling::{PoolStats, Proposal, ScalingPolicy};
///
/// /// As many permits as have been in use, and a quarter more.
/// struct Headroom;
///
/// impl ScalingPolicy for Headroom {
///     fn decide(&mut self, stats: &PoolStats) -> Proposal {
///         let wanted = stats.in_use + stats.waiting;
///         stats.resize(wanted + wanted.div_ceil(4), "a quarter of headroom")
///     }
/// }
///
/// let pool = Pool::builder(8).scaling(Scaling::custom(Headroom).min(4).max(64)).build();
/// assert_eq!(pool.size(), 8);
/// ```
pub trait ScalingPolicy: Send + 'static {
    /// The size that the pool should have: [`PoolStats::resize`], or [`PoolStats::stay`].
    fn decide(&mut self, stats: &PoolStats) -> Proposal;
}

/// The size that a policy would have, and why. See [`ScalingPolicy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a policy returns it"]
pub struct Proposal {
    pub(super) to: usize,
    pub(super) reason: ScaleReason,
}

impl Proposal {
    /// The size. See [`ScalingPolicy`](crate::scaling::ScalingPolicy).
    pub fn to(&self) -> usize {
        self.to
    }

    /// Why. See [`ScalingPolicy`](crate::scaling::ScalingPolicy).
    pub fn reason(&self) -> ScaleReason {
        self.reason
    }
}
