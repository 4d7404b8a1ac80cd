//! What is around a listener.

use std::fmt;
use std::sync::Arc;

/// What is around a listener now, and what its calls have come to there.
#[derive(Clone, Debug)]
pub(crate) struct Stacked {
    /// Outermost first.
    pub(crate) words: Arc<[String]>,
    pub(crate) retries: u64,
    pub(crate) dead_letters: u64,
    pub(crate) breakers: Option<BreakerCounts>,
}

/// How many of the circuit breakers of one listener are in which state: one, or one for each key. [`Metadata::breakers`](crate::Metadata::breakers) has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BreakerCounts {
    /// Calls go through: by their own decision, or as they were told to.
    pub closed: usize,
    /// Calls are rejected: by their own decision, or as they were told to.
    pub open: usize,
    /// Some calls go through as probes: also where its time is over and no call has come since.
    pub half_open: usize,
}

impl fmt::Display for BreakerCounts {
    /// "2 closed, 1 open, 0 half-open"
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            closed,
            open,
            half_open,
        } = self;
        write!(f, "{closed} closed, {open} open, {half_open} half-open")
    }
}
