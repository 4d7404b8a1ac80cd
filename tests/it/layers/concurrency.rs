//! So many calls at once.

use std::time::Duration;

use fanfare::layer::{Concurrency, Timeout};
use fanfare::{Cause, OptionError, Outcome, Pool, Rejection, Report, ReportEntry, Signal};
use futures::future::join_all;
use tokio::time::{Instant, advance, sleep, timeout};
use tower::{Layer, ServiceBuilder};

use super::limited::{Logged, rejection};
use crate::support::{Gauge, MODES, on_pool, poll_once, settle, setups, yield_once};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn no_more_than_the_limit_run_and_the_others_wait_in_order() {
    for limit in [1, 2, 7] {
        let signal = Signal::<u32>::new();
        let listener = Logged::taking(10);
        let (calls, running) = (listener.calls(), listener.running());
        // The last of the three holds.
        let layer = Concurrency::new(limit).reject().wait_up_to(SECOND).wait();
        let handle = layer.handle();
        signal.service(layer.layer(listener));
        let reports = join_all((0..500).map(|n| signal.emit(n))).await;
        assert!(reports.iter().all(|report| report.delivered() == 1));
        let numbers = calls.take().into_iter().map(|(number, _)| number);
        assert!(numbers.eq(0..500), "first come, first served");
        assert_eq!((running.peak(), handle.peak()), (limit, limit));
        assert_eq!(
            (handle.running(), handle.waiting(), handle.rejections()),
            (0, 0, 0)
        );
        assert_eq!(handle.waits(), 500 - limit as u64);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_finds_no_place_is_rejected_at_once_if_it_is_not_to_wait() {
    let signal = Signal::<u32>::new();
    let layer = Concurrency::new(2).reject();
    let handle = layer.handle();
    signal.service(layer.layer(Logged::taking(1_000)));
    let full = async {
        settle().await;
        let start = Instant::now();
        let report = signal.emit(3).await;
        let waited = Duration::ZERO;
        assert_eq!(
            rejection(&report),
            Rejection::ConcurrencyFull { limit: 2, waited }
        );
        assert_eq!((start.elapsed(), handle.running()), (Duration::ZERO, 2));
    };
    tokio::join!(signal.emit(1), signal.emit(2), full);
    assert!(signal.emit(4).await.is_ok());
    assert_eq!((handle.rejections(), handle.waits()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_finds_no_place_in_time_is_rejected_and_leaves_the_queue() {
    let signal = Signal::<u32>::new();
    let layer = Concurrency::new(1).wait_up_to(SECOND);
    let handle = layer.handle();
    let listener = Logged::taking(1_500);
    let calls = listener.calls();
    signal.service(layer.layer(listener));
    let (early, late) = (signal.emit(2), async {
        sleep(SECOND + Duration::from_millis(100)).await;
        assert_eq!(handle.waiting(), 0);
        signal.emit(3).await
    });
    let (_, early, late) = tokio::join!(signal.emit(1), early, late);
    assert_eq!(
        rejection(&early),
        Rejection::ConcurrencyFull {
            limit: 1,
            waited: SECOND
        }
    );
    assert!(late.is_ok());
    assert_eq!(calls.take(), [(1, 0), (3, 1_500)]);
    assert_eq!((handle.rejections(), handle.waits()), (1, 2));
    assert_eq!(handle.wait_time(), Duration::from_millis(1_400));
}

#[tokio::test(start_paused = true)]
async fn each_listener_has_places_of_its_own_unless_they_are_shared() {
    let own = Concurrency::new(1);
    let shared = own.clone().shared();
    let other = shared.clone().wait_up_to(2 * SECOND);
    for (limit, peak) in [
        (&own, 3),
        (&shared, 1),
        (&shared.clone().shared(), 1),
        (&other, 1),
    ] {
        let (one, two) = (Signal::<u32>::new(), Signal::<u32>::new());
        let listener = Logged::taking(10);
        let running = listener.running();
        one.service(limit.layer(listener.clone()));
        one.service(limit.clone().layer(listener.clone()));
        two.service(limit.layer(listener));
        tokio::join!(one.emit(1), two.emit(2));
        assert_eq!((running.peak(), running.total()), (peak, 3));
    }
    // A clone with other options shares nothing with its original.
    let (one, two) = (Signal::<u32>::new(), Signal::<u32>::new());
    let listener = Logged::taking(10);
    let running = listener.running();
    one.service(shared.layer(listener.clone()));
    two.service(other.layer(listener));
    tokio::join!(one.emit(1), two.emit(2));
    assert_eq!(running.peak(), 2);
}

#[tokio::test(start_paused = true)]
async fn keys_are_limited_one_by_one_and_freed_at_once() {
    let limit = Concurrency::new(1)
        .per_key(|n: &u32| (n % 10).to_string())
        .shared();
    let handle = limit.handle();
    let (signal, words) = (Signal::<u32>::new(), Signal::<char>::new());
    let listener = Logged::taking(10);
    let calls = listener.calls();
    signal.service(limit.layer(listener.clone()));
    words.service(limit.layer(listener));
    let look = async {
        settle().await;
        assert_eq!(
            (handle.keys(), handle.running(), handle.waiting()),
            (2, 3, 3)
        );
        assert_eq!((handle.peak_of("1"), handle.peak_of("7")), (Some(1), None));
    };
    tokio::join!(
        join_all([1, 2, 11, 12].map(|n| signal.emit(n))),
        // Events of another type have their places together.
        join_all(['a', 'b'].map(|word| words.emit(word))),
        look,
    );
    let word = u32::MAX;
    let mut calls = calls.take();
    calls.sort_by_key(|(number, at)| (*at, *number));
    assert_eq!(
        calls,
        [(1, 0), (2, 0), (word, 0), (11, 10), (12, 10), (word, 10)]
    );
    assert_eq!(
        (handle.keys(), handle.peak_of("1"), handle.peak()),
        (0, None, 3)
    );
}

#[tokio::test(start_paused = true)]
async fn one_key_too_many_is_rejected_until_another_is_done() {
    let limit = Concurrency::new(1).per_key(|n: &u32| n % 10).max_keys(2);
    let handle = limit.handle();
    let signal = Signal::<u32>::new();
    signal.service(limit.layer(Logged::taking(10)));
    let third = async {
        settle().await;
        assert_eq!(
            rejection(&signal.emit(3).await),
            Rejection::TooManyKeys { limit: 2 }
        );
        // Those that are known may wait.
        assert!(signal.emit(12).await.is_ok());
    };
    tokio::join!(signal.emit(1), signal.emit(2), third);
    assert!(signal.emit(3).await.is_ok());
    assert_eq!((handle.keys(), handle.rejections()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_place_comes_back_on_every_exit() {
    for setup in setups() {
        for key in [false, true] {
            let mut limit = Concurrency::new(1).wait_up_to(SECOND);
            if key {
                limit = limit.per_key(|_: &u32| "one");
            }
            let handle = limit.handle();
            let signal = setup.builder::<u32>().on_failure(|_| {}).build();
            let listener = Logged::taking(100).ending(|how| match how {
                0 => Ok(()),
                1 => Err("failed".into()),
                _ => panic!("boom"),
            });
            let running = listener.running();
            let stack = ServiceBuilder::new()
                .layer(limit)
                .layer(Timeout::new(2 * SECOND))
                .service(listener);
            signal.service(stack);
            for _ in 0..3 {
                assert_eq!(signal.emit(0).await.count(Outcome::Done), 1, "{setup:?}");
                assert_eq!(signal.emit(1).await.count(Outcome::Failed), 1, "{setup:?}");
                assert_eq!(
                    signal.emit(2).await.count(Outcome::Panicked),
                    1,
                    "{setup:?}"
                );
                let short = signal.emit(0).timeout(Duration::from_millis(50)).await;
                assert_eq!(short.count(Outcome::TimedOut), 1, "{setup:?}");
                settle().await;
                let mut dropped = Box::pin(signal.emit(0));
                assert!(poll_once(&mut dropped).is_none());
                settle().await;
                assert_eq!(handle.running(), 1, "{setup:?}");
                drop(dropped);
                settle().await;
                assert_eq!((handle.running(), running.now()), (0, 0), "{setup:?}");
            }
            assert_eq!(
                (running.peak(), handle.peak(), handle.keys()),
                (1, 1, 0),
                "{setup:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_timeout_of_an_attempt_gives_the_place_back() {
    let limit = Concurrency::new(1).wait_up_to(2 * SECOND);
    let handle = limit.handle();
    let signal = Signal::<u32>::builder().on_failure(|_| {}).build();
    let stack = ServiceBuilder::new()
        .layer(limit)
        .layer(Timeout::new(SECOND))
        .service(Logged::taking(10_000));
    signal.service(stack);
    let reports = join_all((0..2).map(|n| signal.emit(n))).await;
    assert!(
        reports
            .iter()
            .all(|report| report.count(Outcome::TimedOut) == 1)
    );
    assert_eq!(handle.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_is_dropped_leaves_its_turn_to_the_next() {
    for key in [false, true] {
        for drops_after in [0, 100] {
            let mut limit = Concurrency::new(1);
            if key {
                limit = limit.per_key(|_: &u32| ());
            }
            let handle = limit.handle();
            let signal = Signal::<u32>::new();
            let listener = Logged::taking(100);
            let calls = listener.calls();
            signal.service(limit.layer(listener));
            let mut emissions: Vec<_> = (0..4).map(|n| Box::pin(signal.emit(n))).collect();
            for emission in &mut emissions {
                // The listener is made ready, and called.
                assert!(poll_once(emission).is_none());
                assert!(poll_once(emission).is_none());
            }
            assert_eq!((handle.running(), handle.waiting()), (1, 3));
            // The second of the four, before it has the place or when it has been given it and does not know yet.
            advance(Duration::from_millis(drops_after)).await;
            let first = emissions.remove(0);
            let second = emissions.remove(0);
            if drops_after > 0 {
                first.await;
                assert_eq!((handle.running(), handle.waiting()), (1, 2));
                drop(second);
            } else {
                drop(second);
                assert_eq!((handle.running(), handle.waiting()), (1, 2));
                first.await;
            }
            let reports = timeout(SECOND, join_all(emissions)).await.unwrap();
            assert!(reports.iter().all(|report| report.delivered() == 1));
            assert_eq!(calls.take(), [(0, 0), (2, 100), (3, 200)]);
            assert_eq!(
                (handle.running(), handle.waiting(), handle.keys()),
                (0, 0, 0)
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_holds_no_permit_of_the_pool() {
    for mode in MODES {
        // The place is held by a call that needs no permit.
        let pool = Pool::new(1);
        let (outside, limited) = (Signal::<u32>::new(), on_pool::<u32>(mode, &pool));
        let limit = Concurrency::new(1).shared();
        outside.service(limit.layer(Logged::taking(1_000)));
        limited.service(limit.layer(Logged::taking(0)));
        let free = on_pool::<u32>(mode, &pool);
        let listener = Logged::taking(100);
        let calls = listener.calls();
        free.service(listener);
        let others = async {
            settle().await;
            assert_eq!((limit.handle().waiting(), pool.in_use()), (1, 0), "{mode}");
            for n in 0..3 {
                assert!(free.emit(n).await.is_ok());
            }
        };
        let inside = async {
            settle().await;
            limited.emit(1).await
        };
        let (_, report, ()) = tokio::join!(outside.emit(0), inside, async {
            settle().await;
            others.await;
        });
        assert!(report.is_ok());
        assert_eq!(calls.take(), [(0, 0), (1, 100), (2, 200)], "{mode}");
        assert_eq!((pool.in_use(), pool.waiting()), (0, 0), "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_need_the_pool_inside_and_outside_the_limit_do_not_wait_for_each_other() {
    for mode in MODES {
        // Each call of the listener needs the pool a second time, for what it emits.
        let pool = Pool::new(1);
        let (limited, inner) = (on_pool::<u32>(mode, &pool), on_pool::<u32>(mode, &pool));
        let listener = Logged::taking(10);
        let running = listener.running();
        limited.service(Concurrency::new(1).layer(listener));
        inner.on(async |_| sleep(Duration::from_millis(10)).await);
        let (outer, nested) = (on_pool::<u32>(mode, &pool), limited.clone());
        outer.on(async move |n| {
            nested.emit(n).await;
            inner.emit(n).await;
        });
        let emissions = join_all((0..10).map(|n| outer.emit(n)));
        let direct = join_all((0..10).map(|n| limited.emit(n)));
        let (emissions, direct) = tokio::join!(emissions, direct);
        assert!(
            emissions
                .iter()
                .chain(&direct)
                .all(|report| report.delivered() == 1)
        );
        assert_eq!((running.peak(), running.total()), (1, 20), "{mode}");
        assert_eq!((pool.in_use(), pool.waiting()), (0, 0), "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn layered_by_hand_an_option_that_makes_no_sense_fails_every_call() {
    let signal = Signal::<u32>::new();
    signal.service(Concurrency::new(0).layer(Logged::taking(0)));
    let report = signal.emit(1).await;
    let cause = report.failures().next().map(ReportEntry::cause);
    let Some(Cause::Failed(error)) = cause else {
        panic!("{cause:?}")
    };
    let error = error.downcast_ref::<OptionError>().unwrap();
    assert_eq!((error.option(), error.value()), ("limit", "0"));
}

#[tokio::test(start_paused = true)]
async fn a_thousand_calls_at_once_are_each_made_of_a_service_that_is_ready() {
    for setup in setups() {
        let signal = setup.builder::<u32>().build();
        let limit = Concurrency::new(2).per_key(|n: &u32| n % 3);
        let handle = limit.handle();
        let listener = Logged::taking(1);
        let running = listener.running();
        signal.service(limit.layer(listener));
        let reports = join_all((0..1_000).map(|n| signal.emit(n))).await;
        assert!(
            reports.iter().all(|report| report.delivered() == 1),
            "{setup:?}"
        );
        assert_eq!((running.total(), running.now()), (1_000, 0), "{setup:?}");
        assert_eq!(
            (handle.running(), handle.waiting(), handle.keys()),
            (0, 0, 0)
        );
        assert!(running.peak() <= 6);
    }
}

/// Calls come, end, and are dropped at any moment, on several threads; afterwards as many places are there as before, and nobody is left waiting.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_place_and_no_wake_up_is_lost_between_threads() {
    let plain = Concurrency::new(3);
    for (limit, most) in [(plain.clone(), 3), (plain.per_key(|n: &u32| n % 2), 6)] {
        let handle = limit.handle();
        let signal = Signal::<u32>::new();
        let gauge = Gauge::default();
        let inside = gauge.clone();
        let listener = tower::service_fn(move |_| {
            let inside = inside.clone();
            async move {
                let _inside = inside.enter();
                yield_once().await;
                Ok::<_, fanfare::BoxError>(())
            }
        });
        signal.service(limit.layer(listener));
        let tasks = (0..8).map(|seed| {
            let signal = signal.clone();
            tokio::spawn(async move {
                let mut random = fastrand::Rng::with_seed(seed);
                for n in 0..500 {
                    let mut emission = Box::pin(signal.emit(n));
                    if random.bool() {
                        for _ in 0..random.u32(..4) {
                            if poll_once(&mut emission).is_some() {
                                break;
                            }
                            tokio::task::yield_now().await;
                        }
                    } else {
                        assert_eq!(emission.await.delivered(), 1);
                    }
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            // Real time, which only a lost wake-up takes.
            timeout(60 * SECOND, task).await.unwrap().unwrap();
        }
        assert_eq!(
            (handle.running(), handle.waiting(), handle.keys()),
            (0, 0, 0)
        );
        assert!(gauge.peak() <= most);
        assert!(
            join_all((0..50).map(|n| signal.emit(n)))
                .await
                .iter()
                .all(Report::is_ok)
        );
    }
}
