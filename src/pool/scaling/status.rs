//! What a scaling pool has decided so far.

use std::fmt;

use super::scaled::HeldBack;

/// What a scaling pool has decided so far. [`Pool::scaling`](crate::Pool::scaling) gives it.
///
/// ```
/// use fanfare::{Pool, Scaling};
/// use fanfare::scaling::HeldBack;
///
/// let pool = Pool::builder(8).scaling(Scaling::aggressive().min(4).max(32)).build();
/// let status = pool.scaling().expect("it scales");
/// assert_eq!((status.min(), status.max(), status.ups(), status.held_back(HeldBack::AtMax)), (4, 32, 0, 0));
/// assert!(Pool::new(8).scaling().is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScalingStatus {
    pub(super) min: usize,
    pub(super) max: usize,
    pub(super) ticks: u64,
    pub(super) ups: u64,
    pub(super) downs: u64,
    pub(super) held_back: [u64; HeldBack::ALL.len()],
    pub(super) ticking: bool,
}

impl ScalingStatus {
    /// The fewest permits that the pool may have. See [`ScalingStatus`](crate::scaling::ScalingStatus).
    pub fn min(&self) -> usize {
        self.min
    }

    /// The most permits that the pool may have. See [`ScalingStatus`](crate::scaling::ScalingStatus).
    pub fn max(&self) -> usize {
        self.max
    }

    /// How many ticks there were. See [`ScalingStatus`](crate::scaling::ScalingStatus).
    pub fn ticks(&self) -> u64 {
        self.ticks
    }

    /// How often the policy made it larger. See [`ScalingStatus`](crate::scaling::ScalingStatus).
    pub fn ups(&self) -> u64 {
        self.ups
    }

    /// How often the policy made it smaller. See [`ScalingStatus`](crate::scaling::ScalingStatus).
    pub fn downs(&self) -> u64 {
        self.downs
    }

    /// In how many ticks a decision was held back for this reason. See [`ScalingStatus`](crate::scaling::ScalingStatus).
    pub fn held_back(&self, why: HeldBack) -> u64 {
        self.held_back[why.place()]
    }

    /// Whether it ticks now. An idle pool of the least size does not, until somebody has to wait. See [`ScalingStatus`](crate::scaling::ScalingStatus).
    pub fn is_ticking(&self) -> bool {
        self.ticking
    }
}

impl fmt::Display for ScalingStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            min,
            max,
            ups,
            downs,
            ..
        } = self;
        write!(f, "{min} to {max} permits, {ups} up, {downs} down")?;
        let held: Vec<HeldBack> = HeldBack::ALL.to_vec();
        for why in held.into_iter().filter(|why| self.held_back(*why) > 0) {
            write!(f, ", {} ticks held back: {why}", self.held_back(why))?;
        }
        Ok(())
    }
}
