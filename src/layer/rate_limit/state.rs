//! The state, without a clock.

use std::time::Duration;

use crate::clock::Instant;

/// When a bucket is full again, in nanoseconds from the bucket's origin. All that is known of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FullAt(u64);

/// The settings of a bucket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    origin: Instant,
    /// The time that one token takes to come, in whole nanoseconds.
    interval: u64,
    /// The time that all tokens but one take to come: so much earlier than when the bucket is full there is one.
    tolerance: u64,
}

/// What comes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Now,
    /// Its turn is in the future. The state that was left is what gives the turn back.
    At(Instant, FullAt),
    /// Its turn would be too far in the future: this far.
    TooLate(Duration),
}

/// The time that a token takes to come: rounded up, so that the rate is never above what was asked for.
pub(super) fn interval(calls: u32, per: Duration) -> Duration {
    let interval = per.as_nanos().div_ceil(u128::from(calls.max(1)));
    Duration::from_nanos(u64::try_from(interval).unwrap_or(u64::MAX).max(1))
}

impl Bucket {
    pub(super) fn new(origin: Instant, interval: Duration, burst: u32) -> Self {
        let interval = nanos(interval);
        Self {
            origin,
            interval,
            tolerance: interval.saturating_mul(u64::from(burst.saturating_sub(1))),
        }
    }

    /// One more call: its turn, and the state after it. It waits no longer than `longest`.
    pub(super) fn take(self, state: FullAt, now: Instant, longest: Duration) -> (FullAt, Turn) {
        let now_at = self.since_origin(now);
        let turn = state.0.saturating_sub(self.tolerance);
        let wait = Duration::from_nanos(turn.saturating_sub(now_at));
        if wait > longest {
            return (state, Turn::TooLate(wait));
        }
        let after = FullAt(state.0.max(now_at).saturating_add(self.interval));
        if wait.is_zero() {
            (after, Turn::Now)
        } else {
            (after, Turn::At(now + wait, after))
        }
    }

    /// A call that waits is dropped. If its turn is the last that was given out, it can be given out again.
    pub(super) fn give_back(self, state: FullAt, after: FullAt) -> FullAt {
        if state == after {
            FullAt(state.0.saturating_sub(self.interval))
        } else {
            state
        }
    }

    /// The bucket is full: this key is as one that was never seen.
    pub(super) fn is_full(self, state: FullAt, now: Instant) -> bool {
        state.0 <= self.since_origin(now)
    }

    fn since_origin(self, now: Instant) -> u64 {
        nanos(now.saturating_duration_since(self.origin))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
