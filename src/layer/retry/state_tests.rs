//! Plain structs against slow, obvious ones.

use std::time::Duration;

use proptest::prelude::*;

use super::budget::Ledger;
use super::delays::Delays;
use super::state::{Attempts, Limits, Next, Wish};
use crate::clock::{self, Instant};

const SECOND: Duration = Duration::from_secs(1);

fn limits() -> Limits {
    Limits {
        max_attempts: 5,
        max_elapsed: None,
        max_snoozes: 2,
        jitter: 0.0,
    }
}

fn waits(delays: &Delays, count: usize) -> Vec<u64> {
    let waits = delays.begin().take(count);
    waits.map(|wait| wait.as_secs()).collect()
}

#[test]
fn delays_grow_as_their_name_says_and_stop_at_the_longest() {
    let (first, most) = (SECOND, 20 * SECOND);
    assert_eq!(waits(&Delays::Constant(SECOND), 3), [1, 1, 1]);
    let factor = 3.0;
    let exponential = Delays::Exponential {
        first,
        factor,
        most,
    };
    assert_eq!(waits(&exponential, 5), [1, 3, 9, 20, 20]);
    let fibonacci = Delays::Fibonacci { first, most };
    assert_eq!(waits(&fibonacci, 9), [1, 1, 2, 3, 5, 8, 13, 20, 20]);
}

#[test]
fn delays_that_outgrow_the_range_of_a_duration_stay_at_the_longest() {
    let most = Duration::MAX;
    let (first, factor) = (SECOND, 100.0);
    let exponential = Delays::Exponential {
        first,
        factor,
        most,
    };
    assert_eq!(exponential.begin().nth(20), Some(most));
    let first = Duration::MAX;
    assert_eq!(
        Delays::Fibonacci { first, most }.begin().nth(20),
        Some(most)
    );
}

#[test]
fn a_snooze_burns_no_attempt_and_is_bounded_by_itself() {
    let mut attempts = Attempts::new(limits(), Delays::Constant(SECOND).begin());
    let mut fail = |wish| attempts.failed(wish, Duration::ZERO, None, 0.0);
    let first = |wait| Next::Attempt { number: 1, wait };
    assert_eq!(fail(Wish::Snooze(9 * SECOND)), first(9 * SECOND));
    assert_eq!(fail(Wish::Snooze(9 * SECOND)), first(9 * SECOND));
    assert_eq!(fail(Wish::Snooze(9 * SECOND)), Next::GiveUp);
    let after = Wish::After(7 * SECOND);
    let (number, wait) = (2, 7 * SECOND);
    assert_eq!(fail(after), Next::Attempt { number, wait });
}

#[test]
fn a_change_goes_on_by_what_was_made() {
    let again = Wish::Again {
        at_least: Duration::ZERO,
    };
    let (first, factor, most) = (SECOND, 2.0, 100 * SECOND);
    let doubles = Delays::Exponential {
        first,
        factor,
        most,
    };
    let mut attempts = Attempts::new(limits(), Delays::Constant(SECOND).begin());
    let fail = |attempts: &mut Attempts| attempts.failed(again, Duration::ZERO, None, 0.0);
    for number in [2, 3] {
        let wait = SECOND;
        assert_eq!(fail(&mut attempts), Next::Attempt { number, wait });
    }
    attempts.change(limits(), doubles.begin());
    let (number, wait) = (4, 4 * SECOND); // the third delay
    assert_eq!(fail(&mut attempts), Next::Attempt { number, wait });
    let fewer = Limits {
        max_attempts: 4,
        ..limits()
    };
    attempts.change(fewer, doubles.begin());
    assert_eq!(fail(&mut attempts), Next::GiveUp);
}

/// What may happen after one attempt.
fn wish() -> impl Strategy<Value = Wish> {
    let seconds = (0_u64..20).prop_map(Duration::from_secs);
    prop_oneof![
        4 => seconds.clone().prop_map(|at_least| Wish::Again { at_least }),
        2 => seconds.clone().prop_map(Wish::After),
        1 => seconds.prop_map(Wish::Snooze),
        1 => Just(Wish::GiveUp),
    ]
}

/// The same decisions from the whole history, looked at anew each time.
fn slow(
    limits: Limits,
    waits: &[u64],
    history: &[Wish],
    elapsed: Duration,
    left: Option<Duration>,
) -> Next {
    let (last, before) = history.split_last().expect("something failed");
    let counted = |wish: &&Wish| matches!(wish, Wish::Again { .. } | Wish::After(_));
    let delayed = |wish: &&Wish| matches!(wish, Wish::Again { .. });
    let attempts = 1 + u32::try_from(before.iter().filter(counted).count()).expect("few");
    let snoozes = before.iter().filter(|wish| matches!(wish, Wish::Snooze(_)));
    let snoozes = u32::try_from(snoozes.count()).expect("few");
    let delay = waits.get(before.iter().filter(delayed).count());
    let wait = match last {
        Wish::GiveUp => None,
        Wish::Snooze(wait) => (snoozes < limits.max_snoozes).then_some(*wait),
        _ if attempts >= limits.max_attempts => None,
        Wish::After(wait) => Some(*wait),
        Wish::Again { at_least } => delay.map(|delay| Duration::from_secs(*delay).max(*at_least)),
    };
    let in_time = |wait: &Duration| {
        limits
            .max_elapsed
            .is_none_or(|most| elapsed + *wait <= most)
            && left.is_none_or(|left| *wait < left)
    };
    let number = if counted(&last) {
        attempts + 1
    } else {
        attempts
    };
    match wait.filter(in_time) {
        Some(wait) => Next::Attempt { number, wait },
        None => Next::GiveUp,
    }
}

proptest! {
    #[test]
    fn attempts_are_decided_as_the_whole_history_says(
        wishes in prop::collection::vec(wish(), 1..20),
        waits in prop::collection::vec(0_u64..10, 0..8),
        max_attempts in 1_u32..8,
        max_snoozes in 0_u32..4,
        max_elapsed in prop::option::of(0_u64..60),
        left in prop::option::of(0_u64..40),
    ) {
        let limits = Limits {
            max_attempts,
            max_snoozes,
            max_elapsed: max_elapsed.map(Duration::from_secs),
            jitter: 0.0,
        };
        let all: Vec<Duration> = waits.iter().copied().map(Duration::from_secs).collect();
        let make = move || -> super::delays::AnyDelays { Box::new(all.clone().into_iter()) };
        let delays = Delays::Any(std::sync::Arc::new(make));
        let mut attempts = Attempts::new(limits, delays.begin());
        let left = left.map(Duration::from_secs);
        let mut elapsed = Duration::ZERO;
        for nth in 0..wishes.len() {
            let next = attempts.failed(wishes[nth], elapsed, left, 0.5);
            prop_assert_eq!(next, slow(limits, &waits, &wishes[..=nth], elapsed, left));
            let Next::Attempt { wait, .. } = next else { break };
            elapsed += wait;
        }
    }

    #[test]
    fn jitter_only_lengthens_and_by_no_more_than_its_share(
        wait in 0_u64..10_000_000_000,
        jitter in 0.0_f64..10.0,
        dice in 0.0_f64..1.0,
    ) {
        let wait = Duration::from_nanos(wait);
        let limits = Limits { jitter, ..limits() };
        let mut attempts = Attempts::new(limits, Delays::Constant(wait).begin());
        let again = Wish::Again { at_least: Duration::ZERO };
        let Next::Attempt { wait: longer, .. } = attempts.failed(again, Duration::ZERO, None, dice) else {
            return Err(TestCaseError::fail("an attempt is left"));
        };
        prop_assert!(longer >= wait);
        prop_assert!(longer <= wait.mul_f64(1.0 + jitter) + Duration::from_nanos(1));
        // What the failure asked for is just as long.
        let Next::Attempt { wait: asked, .. } = attempts.failed(Wish::After(wait), Duration::ZERO, None, dice) else {
            return Err(TestCaseError::fail("an attempt is left"));
        };
        prop_assert_eq!(asked, wait);
    }

    #[test]
    fn a_budget_takes_over_what_another_has_counted(calls in 0_u64..50, ago in 0_u64..12, same in any::<bool>()) {
        let (window, start) = (Duration::from_secs(10), clock::now());
        let (mut old, mut new) = (Ledger::default(), Ledger::default());
        old.at(start, window).calls += calls;
        let now = start + Duration::from_secs(ago);
        new.go_on_from(old.counted(now, window), same, now);
        // A tenth of the calls that are in the window still.
        let counted = if ago < 10 { calls } else { 0 };
        let room = (0..50).take_while(|_| new.takes(now, window, 0.1, 0.0)).count() as u64;
        prop_assert_eq!(room, counted / 10);
    }

    #[test]
    fn a_budget_never_lets_more_through_than_its_share_of_the_window(
        steps in prop::collection::vec((0_u64..3_000, any::<bool>()), 1..200),
        ratio in 0.0_f64..1.0,
        per_second in 0.0_f64..3.0,
    ) {
        let window = Duration::from_secs(10);
        let less = window * 9 / 10;
        let start: Instant = clock::now();
        let (mut ledger, mut now) = (Ledger::default(), start);
        let (mut calls, mut retries): (Vec<Instant>, Vec<Instant>) = Default::default();
        for (millis, is_call) in steps {
            now += Duration::from_millis(millis);
            if is_call {
                ledger.at(now, window).calls += 1;
                calls.push(now);
                continue;
            }
            // A part is forgotten as a whole: what counts is between the window less a part, and the window.
            let within = |all: &[Instant], span: Duration| {
                all.iter().filter(|at| now.duration_since(**at) < span).count()
            };
            #[expect(clippy::cast_precision_loss, reason = "a share of counts")]
            let room = |calls: usize, retries: usize| {
                retries as f64 + 1.0 <= per_second * 10.0 + ratio * calls as f64 + 1e-9
            };
            let took = ledger.takes(now, window, ratio, per_second);
            if took {
                prop_assert!(room(within(&calls, window), within(&retries, less)));
                retries.push(now);
            } else {
                prop_assert!(!room(within(&calls, less), within(&retries, window)));
            }
        }
    }
}
