//! The state, without a clock.

use std::time::Duration;

use crate::clock::Instant;

/// When a bucket is full again, in nanoseconds from the bucket's origin. All that is known of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FullAt(u64);

/// A state as it is kept, with which of two settings it goes by: the top bit. A change goes over all states before the next one, so there are never more than two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kept(u64);

impl Kept {
    const ODD: u64 = 1 << 63;

    pub(super) fn of(state: FullAt, odd: bool) -> Self {
        let bits = state.0.min(!Self::ODD);
        Self(if odd { bits | Self::ODD } else { bits })
    }

    pub(super) fn state(self) -> FullAt {
        FullAt(self.0 & !Self::ODD)
    }

    pub(super) fn is_odd(self) -> bool {
        self.0 & Self::ODD != 0
    }
}

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

    /// Another rate and burst, on the same clock.
    pub(super) fn with(self, interval: Duration, burst: u32) -> Self {
        Self::new(self.origin, interval, burst)
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

    /// The state of a bucket that goes by `new` from now on: the tokens that are there stay, as many as it takes. What calls that wait owe stays too.
    pub(super) fn carried(self, state: FullAt, new: Self, now: Instant) -> FullAt {
        let now_at = self.since_origin(now);
        let Some(missing) = state.0.checked_sub(now_at).filter(|missing| *missing > 0) else {
            return state;
        };
        // In the time that they take to come; below zero are those that are owed.
        let tokens = i128::from(self.tolerance) + i128::from(self.interval) - i128::from(missing);
        let tokens = (tokens * i128::from(new.interval)).div_euclid(i128::from(self.interval));
        let missing = i128::from(new.tolerance) + i128::from(new.interval) - tokens;
        FullAt(saturated(i128::from(now_at) + missing.max(0)))
    }

    /// When the turn of a call comes that waits, and goes by `new` from now on.
    pub(super) fn turn_carried(self, turn: Instant, new: Self, now: Instant) -> Instant {
        let left = i128::from(nanos(turn.saturating_duration_since(now)));
        let interval = i128::from(self.interval);
        let left = (left * i128::from(new.interval) + interval - 1).div_euclid(interval);
        let later = now.checked_add(Duration::from_nanos(saturated(left)));
        // As good as for ever.
        later.unwrap_or(turn)
    }

    fn since_origin(self, now: Instant) -> u64 {
        nanos(now.saturating_duration_since(self.origin))
    }
}

/// Within 63 bits, which are more than two centuries.
fn saturated(nanos: i128) -> u64 {
    u64::try_from(nanos).map_or(0, |nanos| nanos.min(u64::MAX >> 1))
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
