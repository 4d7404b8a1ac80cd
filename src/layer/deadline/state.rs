//! The state, without a clock.

use std::time::Duration;

use crate::clock::Instant;

/// How long a call may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeLimit {
    given: Duration,
    ends: Option<Instant>,
}

impl TimeLimit {
    /// For a call that begins now.
    pub(super) fn begun(now: Instant, given: Duration) -> Self {
        let ends = now.checked_add(given);
        Self { given, ends }
    }

    pub(super) fn given(self) -> Duration {
        self.given
    }

    /// When it is over. `None` if that is beyond the clock's range.
    pub(super) fn ends(self) -> Option<Instant> {
        self.ends
    }
}
