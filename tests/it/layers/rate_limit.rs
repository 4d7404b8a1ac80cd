//! So many calls in so much time.

use std::time::Duration;

use fanfare::layer::RateLimit;
use fanfare::{Cause, Dispatch, OptionError, Pool, Rejection, ReportEntry, Signal};
use futures::future::join_all;
use tokio::time::{Instant, advance, sleep};
use tower::Layer;

use super::limited::{Logged, rejection};
use crate::support::{MODES, on_pool, poll_once, settle};

const SECOND: Duration = Duration::from_secs(1);

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The times of so many emissions at once.
async fn times_of(limit: RateLimit, emissions: u32) -> Vec<u128> {
    let signal = Signal::<u32>::new();
    let listener = Logged::taking(0);
    let calls = listener.calls();
    signal.service(limit.layer(listener));
    join_all((0..emissions).map(|n| signal.emit(n))).await;
    let calls = calls.take();
    let numbers: Vec<_> = calls.iter().map(|(number, _)| *number).collect();
    let came: Vec<_> = (0..u32::try_from(numbers.len()).unwrap()).collect();
    assert_eq!(numbers, came, "first come, first served");
    calls.into_iter().map(|(_, at)| at).collect()
}

#[tokio::test(start_paused = true)]
async fn calls_pass_in_order_at_the_rate_after_a_burst() {
    assert_eq!(
        times_of(RateLimit::per_second(4), 7).await,
        [0, 0, 0, 0, 250, 500, 750]
    );
    assert_eq!(
        times_of(RateLimit::per_second(4).burst(1), 4).await,
        [0, 250, 500, 750]
    );
    assert_eq!(
        times_of(RateLimit::per_second(1).burst(3), 5).await,
        [0, 0, 0, 1_000, 2_000]
    );
    let limit = RateLimit::new(2, Duration::from_secs(60));
    assert_eq!(times_of(limit, 4).await, [0, 0, 30_000, 60_000]);
    // The last of these three holds.
    let limit = RateLimit::per_second(1)
        .reject()
        .wait_up_to(millis(1))
        .wait();
    assert_eq!(times_of(limit, 3).await, [0, 1_000, 2_000]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_rejected_says_when_to_come_again() {
    let signal = Signal::<u32>::new();
    let limit = RateLimit::per_second(2).reject();
    let handle = limit.handle();
    signal.service(limit.layer(Logged::taking(0)));
    assert!(signal.emit(1).await.is_ok());
    advance(millis(100)).await;
    assert!(signal.emit(2).await.is_ok());
    let start = Instant::now();
    let retry_after = millis(400);
    assert_eq!(
        rejection(&signal.emit(3).await),
        Rejection::RateLimited { retry_after }
    );
    assert_eq!(start.elapsed(), Duration::ZERO);
    advance(millis(399)).await;
    let retry_after = millis(1);
    assert_eq!(
        rejection(&signal.emit(4).await),
        Rejection::RateLimited { retry_after }
    );
    advance(retry_after).await;
    assert!(signal.emit(5).await.is_ok());
    assert_eq!(
        (handle.passed(), handle.rejections(), handle.waits()),
        (3, 2, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_would_wait_too_long_is_rejected_at_once_and_takes_no_turn() {
    let signal = Signal::<u32>::new();
    let limit = RateLimit::per_second(1).wait_up_to(2 * SECOND);
    let handle = limit.handle();
    let listener = Logged::taking(0);
    let calls = listener.calls();
    signal.service(limit.layer(listener));
    let start = Instant::now();
    let late = async {
        for n in 10..20 {
            let retry_after = 3 * SECOND;
            assert_eq!(
                rejection(&signal.emit(n).await),
                Rejection::RateLimited { retry_after }
            );
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        sleep(SECOND).await;
        assert!(signal.emit(20).await.is_ok());
    };
    tokio::join!(signal.emit(0), signal.emit(1), signal.emit(2), late);
    assert_eq!(calls.take(), [(0, 0), (1, 1_000), (2, 2_000), (20, 3_000)]);
    assert_eq!(
        (handle.passed(), handle.rejections(), handle.waits()),
        (4, 10, 3)
    );
    assert_eq!(handle.wait_time(), 5 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn each_listener_has_a_bucket_of_its_own_unless_it_is_shared() {
    let own = RateLimit::per_second(1);
    let shared = own.clone().shared();
    for (limit, last) in [(own, 0), (shared.clone(), 2_000), (shared.shared(), 3_000)] {
        let (one, other) = (Signal::<u32>::new(), Signal::<u32>::new());
        let listener = Logged::taking(0);
        let calls = listener.calls();
        one.service(limit.layer(listener.clone()));
        one.service(limit.clone().layer(listener.clone()));
        other.service(limit.layer(listener));
        tokio::join!(one.emit(1), other.emit(2));
        assert_eq!(calls.take().last().map(|(_, at)| *at), Some(last));
    }
}

#[tokio::test(start_paused = true)]
async fn a_clone_with_other_options_shares_nothing_with_its_original() {
    let limit = RateLimit::per_second(1).shared();
    let (one, other) = (Signal::<u32>::new(), Signal::<u32>::new());
    one.service(limit.layer(Logged::taking(0)));
    other.service(limit.burst(5).layer(Logged::taking(0)));
    let start = Instant::now();
    one.emit(1).await;
    join_all((0..5).map(|n| other.emit(n))).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn keys_are_limited_one_by_one() {
    let limit = RateLimit::per_second(1).per_key(|n: &u32| (n % 10).to_string());
    let handle = limit.handle();
    let signal = Signal::<u32>::new();
    let listener = Logged::taking(0);
    let calls = listener.calls();
    signal.service(limit.layer(listener));
    join_all([1, 2, 11, 3, 12, 21].map(|n| signal.emit(n))).await;
    let wanted = [
        (1, 0),
        (2, 0),
        (3, 0),
        (11, 1_000),
        (12, 1_000),
        (21, 2_000),
    ];
    assert_eq!(calls.take(), wanted);
    assert_eq!(handle.keys(), 3);
}

#[tokio::test(start_paused = true)]
async fn events_of_another_type_than_the_key_s_have_one_bucket_together() {
    let limit = RateLimit::per_second(1).per_key(|n: &u32| *n).shared();
    let (numbers, words) = (Signal::<u32>::new(), Signal::<char>::new());
    let listener = Logged::taking(0);
    let calls = listener.calls();
    numbers.service(limit.layer(listener.clone()));
    words.service(limit.layer(listener));
    tokio::join!(
        words.emit('a'),
        words.emit('b'),
        numbers.emit(1),
        numbers.emit(2)
    );
    let word = u32::MAX;
    let mut calls = calls.take();
    calls.sort_by_key(|(number, at)| (*at, *number));
    assert_eq!(calls, [(1, 0), (2, 0), (word, 0), (word, 1_000)]);
}

#[tokio::test(start_paused = true)]
async fn at_the_limit_of_keys_a_new_one_takes_the_place_of_an_idle_one_or_is_rejected() {
    for most in [1, 2, 20] {
        let limit = RateLimit::per_second(1)
            .per_key(|n: &u32| *n)
            .max_keys(most);
        let handle = limit.handle();
        let signal = Signal::<u32>::new();
        signal.service(limit.layer(Logged::taking(0)));
        let keys = u32::try_from(most).unwrap();
        for key in 0..keys {
            assert!(signal.emit(key).await.is_ok());
        }
        let too_many = Rejection::TooManyKeys { limit: most };
        assert_eq!(rejection(&signal.emit(100).await), too_many);
        // Those that are known are served.
        assert!(signal.emit(0).await.is_ok());
        advance(SECOND).await;
        assert_eq!(handle.keys(), most);
        for key in 100..100 + keys {
            assert!(signal.emit(key).await.is_ok());
        }
        assert_eq!(handle.keys(), most);
        assert_eq!(handle.rejections(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_thousand_keys_leave_as_they_fall_idle() {
    // Each is in use for a second, in which a thousand come.
    let limit = RateLimit::per_second(1).reject().per_key(|n: &u32| *n);
    let handle = limit.handle();
    let signal = Signal::<u32>::new();
    signal.service(limit.layer(Logged::taking(0)));
    let mut most = 0;
    for n in 0..100_000 {
        assert!(signal.emit(n).await.is_ok());
        advance(millis(1)).await;
        most = most.max(handle.keys());
    }
    assert!((1_000..=2_200).contains(&most), "{most}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_while_it_waits_gives_back_the_last_turn() {
    for key in [false, true] {
        let mut limit = RateLimit::per_second(1);
        if key {
            limit = limit.per_key(|n: &u32| n / 100);
        }
        let handle = limit.handle();
        let signal = Signal::<u32>::new();
        let listener = Logged::taking(0);
        let calls = listener.calls();
        signal.service(limit.layer(listener));
        let mut waiting: Vec<_> = (0..4).map(|n| Box::pin(signal.emit(n))).collect();
        for emission in &mut waiting {
            poll_once(emission);
        }
        assert_eq!((handle.waits(), handle.waiting()), (3, 3));
        // The last: its turn, at three seconds, is the next one's.
        drop(waiting.pop());
        let mut next = Box::pin(signal.emit(4));
        assert!(poll_once(&mut next).is_none());
        // One between: its turn, at one second, passes.
        drop(waiting.remove(1));
        tokio::join!(join_all(waiting), next);
        assert_eq!(calls.take(), [(0, 0), (2, 2_000), (4, 3_000)]);
        assert_eq!(
            (handle.passed(), handle.waits(), handle.waiting()),
            (3, 4, 0)
        );
        assert_eq!(handle.wait_time(), 5 * SECOND);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_holds_no_permit_of_the_pool() {
    for mode in MODES {
        let pool = Pool::new(1);
        let (limited, free) = (
            on_pool::<u32>(mode, &pool),
            on_pool::<u32>(Dispatch::Parallel, &pool),
        );
        limited.service(RateLimit::per_second(1).layer(Logged::taking(0)));
        let listener = Logged::taking(100);
        let calls = listener.calls();
        free.service(listener);
        limited.emit(0).await;
        let others = async {
            settle().await;
            assert_eq!(pool.in_use(), 0, "{mode}");
            for n in 0..3 {
                assert!(free.emit(n).await.is_ok());
            }
        };
        let (report, ()) = tokio::join!(limited.emit(1), others);
        assert!(report.is_ok());
        assert_eq!(calls.take(), [(0, 0), (1, 100), (2, 200)], "{mode}");
        assert_eq!((pool.in_use(), pool.waiting()), (0, 0), "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn layered_by_hand_an_option_that_makes_no_sense_fails_every_call() {
    let signal = Signal::<u32>::new();
    let listener = Logged::taking(0);
    let calls = listener.calls();
    signal.service(RateLimit::per_second(5).burst(0).layer(listener));
    let report = signal.emit(1).await;
    let cause = report.failures().next().map(ReportEntry::cause);
    let Some(Cause::Failed(error)) = cause else {
        panic!("{cause:?}")
    };
    let error = error.downcast_ref::<OptionError>().unwrap();
    assert_eq!((error.option(), error.value()), ("burst", "0"));
    assert_eq!(calls.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_calls_at_once_are_each_made_of_a_service_that_is_ready() {
    for mode in MODES {
        let signal = Signal::<u32>::builder().dispatch(mode).build();
        let limit = RateLimit::per_second(100).per_key(|n: &u32| n % 3);
        let handle = limit.handle();
        let listener = Logged::taking(1);
        let running = listener.running();
        signal.service(limit.layer(listener));
        let reports = join_all((0..1_000).map(|n| signal.emit(n))).await;
        assert!(
            reports.iter().all(|report| report.delivered() == 1),
            "{mode}"
        );
        assert_eq!((running.total(), running.now()), (1_000, 0), "{mode}");
        assert_eq!((handle.passed(), handle.waits()), (1_000, 700), "{mode}");
    }
}
