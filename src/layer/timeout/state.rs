//! The state, without a clock.

use std::time::Duration;

use crate::clock::Instant;

/// How long an attempt may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeLimit {
    given: Duration,
}

impl TimeLimit {
    pub(super) fn of(given: Duration) -> Self {
        Self { given }
    }

    pub(super) fn given(self) -> Duration {
        self.given
    }

    /// When the attempt ends that has suspended for the first time now. `None` if that is beyond the clock's range.
    pub(super) fn suspended(self, now: Instant) -> Option<Instant> {
        now.checked_add(self.given)
    }
}
