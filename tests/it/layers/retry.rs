//! Another attempt: when, how often, and on which permit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fanfare::layer::{Decision, FailurePolicy, Retry, RetryBudget};
use fanfare::{BoxError, CallError, Cause, Delivery, Dispatch, Outcome, Pool, Rejection, Signal};
use tokio::time::Instant;

use crate::support::{Log, MODES, on_pool};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// The times of all attempts of a call that always fails, in milliseconds from its begin, and what came of it.
async fn attempts(
    retry: Retry,
    fail: impl Fn() -> BoxError + Clone + Send + Sync + 'static,
) -> (Vec<u128>, Outcome) {
    let signal = Signal::<u32>::new();
    let log = Log::default();
    let (l, begun) = (log.clone(), Instant::now());
    let fails = async move |_| {
        l.push(begun.elapsed().as_millis());
        Err::<(), _>(fail())
    };
    signal.listen().retry(retry).on(fails).unwrap();
    let report = signal.emit(1).await;
    (log.take(), report.entries()[0].outcome())
}

fn down() -> BoxError {
    "down".into()
}

async fn times(retry: Retry) -> Vec<u128> {
    attempts(retry, down).await.0
}

#[tokio::test(start_paused = true)]
async fn attempts_come_after_the_delays_that_were_asked_for() {
    let constant = Retry::constant(SECOND);
    assert_eq!(times(constant.clone()).await, [0, 1_000, 2_000]);
    assert_eq!(times(constant.clone().max_attempts(1)).await, [0]);
    assert_eq!(
        times(constant.first(2 * SECOND).max_attempts(2)).await,
        [0, 2_000]
    );
    let exponential = Retry::exponential().jitter(0.0).max_attempts(4);
    assert_eq!(times(exponential.clone()).await, [0, 100, 300, 700]);
    let faster = exponential.first(SECOND).factor(3.0).most(2 * SECOND);
    assert_eq!(times(faster).await, [0, 1_000, 3_000, 5_000]);
    let fibonacci = Retry::fibonacci().jitter(0.0).max_attempts(6);
    assert_eq!(
        times(fibonacci.clone()).await,
        [0, 100, 200, 400, 700, 1_200]
    );
    let short = fibonacci.first(SECOND).most(2 * SECOND);
    assert_eq!(times(short).await, [0, 1_000, 2_000, 4_000, 6_000, 8_000]);
    let own = Retry::delays(|| [5, 1].into_iter().map(Duration::from_secs)).max_attempts(100);
    assert_eq!(times(own).await, [0, 5_000, 6_000]);
}

#[tokio::test(start_paused = true)]
async fn a_seed_makes_jitter_the_same_each_time_and_it_only_lengthens() {
    let retry = Retry::constant(SECOND).jitter(0.5).max_attempts(20);
    let (one, same) = (retry.clone().seed(7), retry.clone().seed(7));
    let (one, same, other) = (
        times(one).await,
        times(same).await,
        times(retry.seed(8)).await,
    );
    assert_eq!(one, same);
    assert_ne!(one, other);
    let waits: Vec<_> = one.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(
        waits.iter().all(|wait| (1_000..=1_501).contains(wait)),
        "{waits:?}"
    );
    assert!(waits.iter().any(|wait| *wait > 1_100), "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn no_attempt_is_made_after_the_time_that_all_may_take() {
    let retry = Retry::constant(SECOND).max_attempts(100);
    let limited = retry.clone().max_elapsed(3 * SECOND + SECOND / 2);
    assert_eq!(times(limited).await, [0, 1_000, 2_000, 3_000]);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_would_end_after_the_deadline_is_not_begun() {
    let signal = Signal::<u32>::new();
    let retry = Retry::constant(4 * SECOND).max_attempts(100);
    let listen = signal.listen().deadline(10 * SECOND).retry(retry);
    listen.on(async |_| Err::<(), _>("down")).unwrap();
    let begun = Instant::now();
    let report = signal.emit(1).await;
    // Its own error says more than that its time was up.
    assert_eq!(report.entries()[0].cause().to_string(), "failed: down");
    assert_eq!(begun.elapsed(), 8 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn panics_are_tried_again_only_if_it_says_so() {
    let panics = || -> BoxError { panic!("on purpose") };
    let retry = Retry::constant(SECOND);
    assert_eq!(
        attempts(retry.clone(), panics).await,
        (vec![0], Outcome::Panicked)
    );
    let (all, outcome) = attempts(retry.clone().retry_panics(), panics).await;
    assert_eq!((all.len(), outcome), (3, Outcome::Panicked));
    let policy = FailurePolicy::new().when(|f| f.outcome() == Outcome::Panicked, Decision::Retry);
    assert_eq!(attempts(retry.policy(policy), panics).await.0, [0, 0, 0]);
}

/// An error of a layer inside.
fn ends_with(cause: Cause) -> impl Fn() -> BoxError + Clone + Send + Sync + 'static {
    move || CallError::new(cause.clone()).into()
}

#[tokio::test(start_paused = true)]
async fn a_rejection_is_tried_again_after_the_time_it_names_unless_that_is_off() {
    let rejected = |retry_after| Cause::Rejected(Rejection::RateLimited { retry_after });
    let retry = Retry::constant(SECOND);
    let long = ends_with(rejected(5 * SECOND));
    assert_eq!(
        attempts(retry.clone(), long.clone()).await,
        (vec![0, 5_000, 10_000], Outcome::Rejected)
    );
    let short = ends_with(rejected(SECOND / 2));
    assert_eq!(attempts(retry.clone(), short).await.0, [0, 1_000, 2_000]);
    assert_eq!(
        attempts(retry.clone().give_up_on_rejections(), long)
            .await
            .0,
        [0]
    );
    let after = Some(7 * SECOND);
    let open = ends_with(Cause::Rejected(Rejection::CircuitOpen {
        retry_after: after,
    }));
    assert_eq!(attempts(retry, open).await.0, [0, 7_000, 14_000]);
}

#[tokio::test(start_paused = true)]
async fn what_is_cancelled_or_skipped_is_never_tried_again() {
    for cause in [
        Cause::Cancelled(fanfare::Cancellation::Token),
        Cause::Skipped(fanfare::Skip::Duplicate),
    ] {
        let outcome = cause.outcome();
        assert_eq!(
            attempts(Retry::constant(SECOND), ends_with(cause)).await,
            (vec![0], outcome)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_budget_keeps_retries_to_a_share_of_the_calls() {
    let budget = RetryBudget::new(0.5).per_second(0.0).window(60 * SECOND);
    let signal = Signal::<u32>::new();
    let calls = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&calls);
    let fails = async move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        Err::<(), _>("down")
    };
    let retry = Retry::constant(Duration::ZERO)
        .max_attempts(10)
        .budget(budget.clone());
    signal.listen().retry(retry).on(fails).unwrap();
    for _ in 0..100 {
        assert_eq!(signal.emit(1).await.failed(), 1);
    }
    assert_eq!(calls.load(Ordering::Relaxed), 150);
    assert!(budget.refused() >= 50);
    // What is past the window counts no more.
    tokio::time::advance(61 * SECOND).await;
    for _ in 0..2 {
        let _ = signal.emit(1).await;
    }
    assert_eq!(calls.load(Ordering::Relaxed), 153);
    // A few a second are let through besides.
    let few = RetryBudget::new(0.0).per_second(2.0).window(SECOND);
    let retry = Retry::constant(Duration::ZERO).max_attempts(10).budget(few);
    assert_eq!(times(retry).await.len(), 3);
    let nonsense = Retry::constant(SECOND).budget(RetryBudget::new(-1.0));
    assert!(signal.listen().retry(nonsense).on(async |_| {}).is_err());
}

#[tokio::test(start_paused = true)]
async fn with_a_pool_of_one_and_a_retry_of_an_hour_all_others_go_on() {
    for mode in MODES {
        let pool = Pool::new(1);
        let signal: Signal<u32> = on_pool(mode, &pool);
        let fails_first = async |_, d: Delivery| match d.attempt() {
            1 => Err("down".into()),
            _ => Ok(()),
        };
        let retry = Retry::constant(HOUR);
        signal
            .listen()
            .key("slow")
            .retry(retry)
            .filter(|n| *n == 0)
            .with_delivery()
            .try_on(fails_first)
            .unwrap();
        signal.on(async |_| tokio::time::sleep(SECOND).await);
        let begun = Instant::now();
        let waits = tokio::spawn({
            let signal = signal.clone();
            async move { signal.emit(0).await }
        });
        tokio::time::sleep(10 * SECOND).await;
        for _ in 0..50 {
            let report = signal.emit(1).await;
            assert_eq!(report.delivered(), 1, "{mode}: {report}");
        }
        assert!(begun.elapsed() < 70 * SECOND, "{mode}");
        assert_eq!((pool.in_use(), pool.waiting()), (0, 0), "{mode}");
        assert_eq!(waits.await.unwrap().delivered(), 2, "{mode}");
        assert!(begun.elapsed() >= HOUR, "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_run_on_a_permit_and_never_more_than_the_pool_allows() {
    for mode in [Dispatch::Concurrent, Dispatch::Parallel] {
        let pool = Pool::new(2);
        let signal: Signal<u32> = on_pool(mode, &pool);
        let gauge = crate::support::Gauge::default();
        for _ in 0..8 {
            let gauge = gauge.clone();
            let fails = async move |_| {
                let _inside = gauge.enter();
                tokio::time::sleep(SECOND).await;
                Err::<(), _>("down")
            };
            signal
                .listen()
                .retry(Retry::constant(SECOND))
                .on(fails)
                .unwrap();
        }
        let report = signal.emit(1).await;
        assert_eq!(
            (report.failed(), gauge.total(), gauge.peak()),
            (8, 24, 2),
            "{mode}"
        );
    }
}

#[tokio::test]
async fn a_retry_without_a_wait_lets_other_tasks_have_their_turn() {
    let signal = Signal::<u32>::new();
    let stop = Arc::new(AtomicU32::new(0));
    let stopped = Arc::clone(&stop);
    let retry = Retry::constant(Duration::ZERO).max_attempts(u32::MAX);
    let fails = async move |_| match stopped.load(Ordering::Relaxed) {
        0 => Err("down"),
        _ => Ok(()),
    };
    signal.listen().retry(retry).on(fails).unwrap();
    tokio::spawn(async move { stop.store(1, Ordering::Relaxed) });
    assert_eq!(signal.emit(1).await.delivered(), 1);
}

#[tokio::test]
async fn snoozes_of_no_time_let_other_tasks_have_their_turn() {
    let signal = Signal::<u32>::new();
    let snoozes = async |_| Err::<(), _>(Decision::Snooze(Duration::ZERO).with("not yet"));
    let retry = Retry::exponential().max_snoozes(1_000_000);
    signal.listen().retry(retry).on(snoozes).unwrap();
    let mut emission = Box::pin(signal.emit(1));
    assert!(crate::support::poll_once(&mut emission).is_none());
}

#[tokio::test(start_paused = true)]
async fn exponential_and_fibonacci_waits_have_a_jitter_of_a_half_if_nothing_is_said() {
    for (retry, exact) in [
        (Retry::exponential(), [100, 200, 400]),
        (Retry::fibonacci(), [100, 100, 200]),
    ] {
        let at = times(retry.seed(7).max_attempts(4)).await;
        let waits: Vec<_> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let pairs = || waits.iter().zip(exact);
        assert!(pairs().all(|(wait, exact)| (exact..=exact * 3 / 2 + 1).contains(wait)));
        assert!(
            pairs().any(|(wait, exact)| *wait > exact + exact / 10),
            "{waits:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_beyond_the_range_of_the_clock_is_for_ever() {
    let waits = times(Retry::constant(Duration::MAX));
    assert!(tokio::time::timeout(1_000 * HOUR, waits).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_call_is_snoozed_as_often_as_it_may_be() {
    let snooze = || Decision::Snooze(SECOND).with("not yet").into();
    for (most, calls) in [(0, 1), (3, 4)] {
        let retry = Retry::constant(SECOND).max_snoozes(most);
        assert_eq!(attempts(retry, snooze).await.0.len(), calls);
    }
}

#[tokio::test(start_paused = true)]
async fn the_rules_of_a_retry_come_before_those_of_its_listener() {
    let signal = Signal::<u32>::new();
    let own = FailurePolicy::new().when(|f| f.message() == "down", Decision::RetryAfter(HOUR));
    let listen = signal.listen().retry(Retry::constant(SECOND).policy(own));
    let listen = listen.failure_policy(FailurePolicy::new().otherwise(Decision::GiveUp));
    let log = Log::default();
    let l = log.clone();
    let fails = async move |_, d: Delivery| {
        l.push(d.attempt());
        Err::<(), _>(if d.attempt() == 1 { "down" } else { "gone" })
    };
    listen.with_delivery().on(fails).unwrap();
    let begun = Instant::now();
    let _ = signal.emit(1).await;
    assert_eq!((begun.elapsed(), log.take()), (HOUR, vec![1, 2]));
}

#[tokio::test(start_paused = true)]
async fn only_a_retry_that_is_to_be_made_draws_on_a_budget() {
    let one = RetryBudget::new(0.0).per_second(1.0).window(SECOND);
    let retry = Retry::constant(Duration::ZERO).budget(one.clone());
    assert_eq!(times(retry.clone().max_attempts(1)).await.len(), 1);
    let snooze = || Decision::Snooze(Duration::ZERO).with("not yet").into();
    let (snoozed, _) = attempts(retry.clone().max_snoozes(5), snooze).await;
    assert_eq!((snoozed.len(), one.refused()), (6, 0));
    assert_eq!(times(retry.max_attempts(10)).await.len(), 2);
    assert_eq!(one.refused(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_budget_lets_one_a_second_through_over_ten_seconds_if_nothing_is_said() {
    let budget = RetryBudget::new(0.0);
    let retry = Retry::constant(Duration::ZERO).max_attempts(100);
    let all = times(retry.budget(budget.clone())).await;
    assert_eq!((all.len(), budget.refused()), (11, 1));
    // An option makes a budget of its own.
    assert_eq!(budget.clone().per_second(1.0).refused(), 0);
    assert_eq!(budget.window(SECOND).refused(), 0);
}

#[tokio::test]
async fn what_no_retry_can_keep_to_is_refused_with_its_limits() {
    let budgeted = |budget| Retry::constant(SECOND).budget(budget);
    for (text, retry) in [
        (
            "`jitter` cannot be 11",
            Retry::constant(SECOND).jitter(11.0),
        ),
        (
            "`jitter` cannot be NaN",
            Retry::constant(SECOND).jitter(f64::NAN),
        ),
        ("`factor` cannot be 101", Retry::exponential().factor(101.0)),
        (
            "`first` cannot be 0ns",
            Retry::exponential().first(Duration::ZERO),
        ),
        (
            "`budget` cannot be a ratio of 11",
            budgeted(RetryBudget::new(11.0)),
        ),
        (
            "`budget` cannot be -1 retries a second",
            budgeted(RetryBudget::new(0.1).per_second(-1.0)),
        ),
        (
            "`budget` cannot be a window of 0ns",
            budgeted(RetryBudget::new(0.1).window(Duration::ZERO)),
        ),
    ] {
        let error = Signal::<u32>::builder()
            .retry(retry)
            .try_build()
            .unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
    }
}

#[tokio::test]
async fn the_stack_says_how_often_and_how_long_it_tries_again() {
    let signal = Signal::<u32>::new();
    let retry = Retry::constant(SECOND).max_elapsed(HOUR).retry_panics();
    let sub = signal
        .listen()
        .retry(retry.in_background())
        .on(async |_| {});
    assert_eq!(
        sub.unwrap().metadata().layers()[0],
        "retry (3 attempts, every 1s, within 3600s, panics too, in the background)"
    );
}
