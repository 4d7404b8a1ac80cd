//! What happens when no permit is free.

use std::time::Duration;

/// What an emission does when no permit of its pool is free.
///
/// It concerns the first permit of an emission. Once it has that one the emission is admitted, and its further listeners wait for theirs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// Wait for as long as it takes; the emission's own deadline and cancellation still hold.
    #[default]
    Wait,
    /// Wait this long, then reject every listener of the emission. Needs tokio's timer.
    WaitUpTo(Duration),
    /// Reject every listener of the emission at once.
    Reject,
}

/// No permit came in time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Full {
    pub(crate) size: usize,
    pub(crate) waited: Duration,
}
