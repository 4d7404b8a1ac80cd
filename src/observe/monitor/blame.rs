//! What a slow call was slow for.

use std::fmt;
use std::time::Duration;

use super::Stall;
use crate::clock::Instant;
use crate::metrics::SlowCall;

/// What a slow call was slow for: what tells "the listener is slow" from "the runtime is stalled".
///
/// The rule, the first that holds:
///
/// 1. The listener's own polls took half of the time or more: it [`Blocks`](Self::Blocks) its thread.
/// 2. The runtime was stalled for half of the time or more, by something else then: it was [`Stalled`](Self::Stalled).
/// 3. Else the listener [`Waits`](Self::Waits): for a reply, a lock, a permit, a retry.
///
/// What blocks one worker of several stalls no runtime: calls whose task waits behind it seem to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Blame {
    /// Its own code ran or blocked its thread for so long. Give it `on_blocking`, or `Dispatch::Parallel`.
    Blocks {
        /// How long its polls took.
        #[cfg_attr(
            feature = "serde",
            serde(rename = "polled_seconds", with = "crate::observe::serde::seconds")
        )]
        polled: Duration,
    },
    /// The runtime polled nothing for so long. Look for what blocks its workers, elsewhere.
    Stalled {
        /// How much of the call's time the stalls took up.
        #[cfg_attr(
            feature = "serde",
            serde(rename = "stalled_seconds", with = "crate::observe::serde::seconds")
        )]
        stalled: Duration,
    },
    /// It waited for something for so long. Look at what it calls.
    Waits {
        /// What is left of the call's time.
        #[cfg_attr(
            feature = "serde",
            serde(rename = "waited_seconds", with = "crate::observe::serde::seconds")
        )]
        waited: Duration,
    },
}

impl Blame {
    /// Judges a call by the [stalls](crate::observe::RuntimeReading::stalls) of the runtime that it ran on. See [`Blame`](crate::observe::Blame).
    pub fn of(call: &SlowCall, stalls: &[Stall]) -> Self {
        judge(call.began(), call.ended(), call.polled(), stalls)
    }
}

fn judge(began: Instant, ended: Instant, polled: Duration, stalls: &[Stall]) -> Blame {
    let took = ended.saturating_duration_since(began);
    if polled >= took / 2 {
        return Blame::Blocks { polled };
    }
    let overlaps = stalls.iter().map(|stall| stall.overlap(began, ended));
    let stalled: Duration = overlaps.sum();
    if stalled >= took / 2 {
        return Blame::Stalled { stalled };
    }
    let waited = took.saturating_sub(polled).saturating_sub(stalled);
    Blame::Waits { waited }
}

impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blocks { polled } => write!(f, "its own polls took {polled:?}"),
            Self::Stalled { stalled } => write!(f, "the runtime was stalled for {stalled:?}"),
            Self::Waits { waited } => write!(f, "it waited for {waited:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use proptest::prelude::*;

    use super::*;
    use crate::clock;

    const MS: Duration = Duration::from_millis(1);

    fn stalls(origin: Instant, from_to: &[(u32, u32)]) -> Vec<Stall> {
        let stall = |&(from, to): &(u32, u32)| Stall {
            began: origin + MS * from,
            began_at: SystemTime::UNIX_EPOCH,
            lasted: MS * (to - from),
            over: true,
        };
        from_to.iter().map(stall).collect()
    }

    #[test]
    fn the_listeners_own_polls_come_first_then_the_stalls_then_it_waited() {
        let origin = clock::now();
        let of = |polled: u32, from_to: &[(u32, u32)]| {
            let (began, ended) = (origin + MS * 100, origin + MS * 200);
            judge(began, ended, MS * polled, &stalls(origin, from_to))
        };
        assert_eq!(of(50, &[(0, 300)]), Blame::Blocks { polled: MS * 50 });
        let stalled = |ms: u32| Blame::Stalled { stalled: MS * ms };
        assert_eq!(of(49, &[(0, 300)]), stalled(100));
        assert_eq!(of(49, &[(0, 120), (150, 160), (180, 400)]), stalled(50));
        let waited = |ms: u32| Blame::Waits { waited: MS * ms };
        assert_eq!(of(10, &[(0, 149)]), waited(41));
        assert_eq!(
            of(10, &[(0, 100), (200, 300)]),
            waited(90),
            "they only touch it"
        );
        assert_eq!(of(0, &[]), waited(100));
    }

    proptest! {
        /// Counted in milliseconds, one by one.
        #[test]
        fn an_overlap_is_what_counting_gives(from in 0_u32..50, lasted in 0_u32..50, began in 0_u32..50, took in 0_u32..50) {
            let origin = clock::now();
            let stall = stalls(origin, &[(from, from + lasted)])[0];
            let inside = |ms: &u32| (began..began + took).contains(ms);
            let counted = (from..from + lasted).filter(inside).count();
            let overlap = stall.overlap(origin + MS * began, origin + MS * (began + took));
            prop_assert_eq!(overlap.as_millis(), counted as u128);
        }
    }
}
