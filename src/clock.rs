//! The one clock. Everything that reads time reads it here, so that a paused tokio runtime pauses all of it.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

pub(crate) use tokio::time::{Instant, Sleep, sleep_until};

/// Now, on the clock that `tokio::time::pause` stops.
pub(crate) fn now() -> Instant {
    if cfg!(any(fanfare_loom, fanfare_shuttle)) {
        // A model is run again and again, and goes the same way whatever time that takes.
        return origin();
    }
    Instant::now()
}

/// How long ago that was.
#[inline]
pub(crate) fn since(then: Instant) -> Duration {
    now().saturating_duration_since(then)
}

/// The first instant that this process asked for: coarse times are counted from it.
fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(Instant::now)
}

/// A time of day in whole milliseconds, small enough for an atomic. Zero means never.
#[derive(Clone, Copy)]
pub(crate) struct Coarse(pub(crate) u64);

impl Coarse {
    pub(crate) fn at(instant: Instant) -> Self {
        let since = instant.saturating_duration_since(origin());
        Self(1 + u64::try_from(since.as_millis()).unwrap_or(u64::MAX - 1))
    }

    /// The instant that this was. Never is the first instant there was.
    pub(crate) fn to_instant(self) -> Instant {
        origin() + Duration::from_millis(self.0.saturating_sub(1))
    }

    /// In whole seconds, for where space is dear. Zero is never here too.
    pub(crate) fn to_seconds(self) -> u32 {
        self.0.checked_sub(1).map_or(0, |millis| {
            u32::try_from(millis / 1_000 + 1).unwrap_or(u32::MAX)
        })
    }

    pub(crate) fn of_seconds(seconds: u32) -> Self {
        let since = u64::from(seconds).checked_sub(1);
        Self(since.map_or(0, |seconds| seconds * 1_000 + 1))
    }

    /// The time of day that this was, or `None` for never.
    pub(crate) fn to_system_time(self) -> Option<SystemTime> {
        let since = Duration::from_millis(self.0.checked_sub(1)?);
        let ago = self::since(origin() + since);
        SystemTime::now().checked_sub(ago)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coarse_times_are_never_zero_and_come_back_as_a_time_of_day() {
        assert!(Coarse(0).to_system_time().is_none());
        let then = Coarse::at(now());
        assert_ne!(then.0, 0);
        let ago = SystemTime::now()
            .duration_since(then.to_system_time().unwrap())
            .unwrap_or_default();
        assert!(ago < Duration::from_secs(60));
        let second = Coarse(61_999);
        assert_eq!(Coarse::of_seconds(second.to_seconds()).0, 61_001);
        assert_eq!(Coarse::of_seconds(Coarse(0).to_seconds()).0, 0);
    }
}
