//! The bucket beside a slow, obvious twin: the list of the turns that it gave out.

use std::time::Duration;

use proptest::prelude::*;

use super::state::{Bucket, FullAt, Turn, interval};
use crate::clock::{self, Instant};

/// Every turn that was given out, in nanoseconds. A window that begins at one of them and is `t` long may have `burst + t / interval` of them.
struct Twin {
    interval: u64,
    burst: u64,
    turns: Vec<u64>,
}

impl Twin {
    /// The first moment, not before `now`, at which one more call exceeds no window.
    fn turn(&self, now: u64) -> u64 {
        let windows = self.turns.iter().enumerate().map(|(at, from)| {
            let with_this = (self.turns.len() - at + 1) as u64;
            from + (with_this.saturating_sub(self.burst)) * self.interval
        });
        windows.fold(now, u64::max)
    }

    fn take(&mut self, now: u64, longest: u64) -> Result<u64, u64> {
        let turn = self.turn(now);
        if turn - now > longest {
            return Err(turn - now);
        }
        self.turns.push(turn);
        Ok(turn)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Take {
        longest: u64,
    },
    Pass(u64),
    /// Drops one of those that wait.
    Drop(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let longest = prop_oneof![Just(0), 0..500_u64, Just(u64::MAX)];
    let step = prop_oneof![
        6 => longest.prop_map(|longest| Step::Take { longest }),
        3 => (0..300_u64).prop_map(Step::Pass),
        2 => any::<usize>().prop_map(Step::Drop),
    ];
    proptest::collection::vec(step, 1..120)
}

fn at(origin: Instant, nanos: u64) -> Instant {
    origin + Duration::from_nanos(nanos)
}

proptest! {
    #[test]
    fn the_bucket_lets_through_what_its_twin_does(
        calls in 1..20_u32,
        per in 1..2_000_u64,
        burst in 1..8_u32,
        steps in steps(),
    ) {
        let origin = clock::now();
        let step = interval(calls, Duration::from_nanos(per));
        let bucket = Bucket::new(origin, step, burst);
        let interval = u64::try_from(step.as_nanos()).unwrap();
        let mut twin = Twin { interval, burst: burst.into(), turns: Vec::new() };
        let (mut state, mut now) = (FullAt::default(), 0);
        let mut waiting: Vec<(u64, FullAt)> = Vec::new();
        for step in steps {
            match step {
                Step::Pass(nanos) => {
                    now += nanos;
                    waiting.retain(|(turn, _)| *turn > now);
                }
                Step::Take { longest } => {
                    let (after, turn) = bucket.take(state, at(origin, now), Duration::from_nanos(longest));
                    match (turn, twin.take(now, longest)) {
                        (Turn::Now, Ok(theirs)) => prop_assert_eq!(theirs, now),
                        (Turn::At(turn, reserved), Ok(theirs)) => {
                            prop_assert_eq!(turn, at(origin, theirs));
                            // First come, first served.
                            prop_assert!(waiting.iter().all(|(before, _)| *before <= theirs));
                            waiting.push((theirs, reserved));
                        }
                        (Turn::TooLate(wait), Err(theirs)) => {
                            prop_assert_eq!(wait, Duration::from_nanos(theirs));
                            prop_assert_eq!(after, state);
                        }
                        (ours, theirs) => prop_assert!(false, "{ours:?} and {theirs:?}"),
                    }
                    state = after;
                }
                Step::Drop(which) if !waiting.is_empty() => {
                    let (turn, reserved) = waiting.remove(which % waiting.len());
                    let last = waiting.iter().all(|(other, _)| *other < turn)
                        && twin.turns.last() == Some(&turn);
                    state = bucket.give_back(state, reserved);
                    if last {
                        twin.turns.pop();
                    }
                }
                Step::Drop(_) => {}
            }
            // The bucket is full when all that was taken has come back: then a whole burst would pass, and its state is as good as none.
            let full = twin.turns.iter().enumerate().all(|(at, from)| {
                from + (twin.turns.len() - at) as u64 * interval <= now
            });
            prop_assert_eq!(bucket.is_full(state, at(origin, now)), full);
        }
        // In any window, not only in those that end with a call.
        for (at, from) in twin.turns.iter().enumerate() {
            for (to_at, to) in twin.turns.iter().enumerate().skip(at) {
                let passed = (to_at - at + 1) as u64;
                prop_assert!(passed * interval <= u64::from(burst) * interval + (to - from));
                prop_assert!(to >= from);
            }
        }
    }

    #[test]
    fn a_change_gives_no_token_and_owes_none_but_what_calls_that_wait_owe(
        burst in 1..8_u32,
        interval in 1..100_u64,
        new_burst in 1..8_u32,
        new_interval in 1..100_u64,
        taken in 0..12_u32,
        passed in 0..300_u64,
    ) {
        let origin = clock::now();
        let of = Duration::from_nanos;
        let old = Bucket::new(origin, of(interval), burst);
        let new = old.with(of(new_interval), new_burst);
        let mut state = FullAt::default();
        let mut turns = Vec::new();
        for _ in 0..taken {
            let (after, turn) = old.take(state, origin, Duration::MAX);
            state = after;
            if let Turn::At(turn, _) = turn {
                turns.push(turn);
            }
        }
        let now = at(origin, passed);
        turns.retain(|turn| *turn > now);
        // Counted one by one: those that are there at once.
        let tokens = |bucket: Bucket, mut state: FullAt| {
            let taken = (0..20).take_while(|_| {
                let (after, turn) = bucket.take(state, now, Duration::ZERO);
                state = after;
                turn == Turn::Now
            });
            taken.count()
        };
        let carried = old.carried(state, new, now);
        let most = new_burst as usize;
        let expected = if old.is_full(state, now) { most } else { tokens(old, state).min(most) };
        prop_assert_eq!(tokens(new, carried), expected);
        // The turns of those that wait, and the next one, are a token's time apart, but for what is rounded.
        let moved = turns.iter().map(|turn| old.turn_carried(*turn, new, now));
        let mut moved: Vec<Instant> = moved.collect();
        prop_assert!(moved.iter().all(|turn| *turn > now));
        if !moved.is_empty() {
            let Turn::At(next, _) = new.take(carried, now, Duration::MAX).1 else {
                return Err(TestCaseError::fail("it comes after those that wait"));
            };
            moved.push(next);
        }
        for pair in moved.windows(2) {
            let step = pair[1] - pair[0];
            prop_assert!(step + of(1) >= of(new_interval) && step <= of(new_interval + 1), "{:?}", step);
        }
    }

    #[test]
    fn the_rate_is_never_above_what_was_asked_for(calls in 1..1_000_000_u32, seconds in 1..100_u64) {
        let per = Duration::from_secs(seconds);
        let interval = interval(calls, per);
        prop_assert!(interval.as_nanos() * u128::from(calls) >= per.as_nanos());
        prop_assert!((interval.as_nanos() - 1) * u128::from(calls) < per.as_nanos());
    }
}

#[test]
fn settings_that_make_no_sense_panic_nowhere() {
    let origin = clock::now();
    for (calls, per, burst) in [
        (0, Duration::ZERO, 0),
        (u32::MAX, Duration::ZERO, 1),
        (1, Duration::MAX, u32::MAX),
    ] {
        let bucket = Bucket::new(origin, interval(calls, per), burst);
        let mut state = FullAt::default();
        for _ in 0..10 {
            state = bucket.take(state, origin, Duration::ZERO).0;
        }
        bucket.give_back(state, state);
    }
}
