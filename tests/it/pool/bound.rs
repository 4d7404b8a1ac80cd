//! At most as many listeners run as the pool has permits, and every permit comes back.

use std::time::Duration;

use fanfare::{Dispatch, Outcome, Pool, Signal};
use futures::future::join_all;
use tokio::time::sleep;

use crate::support::{Gauge, MODES, OVERLAPPING, on_pool, poll_once, settle};

#[derive(Clone, Copy)]
enum How {
    Succeed,
    Fail,
    Panic,
    Hang,
}

#[tokio::test(start_paused = true)]
async fn five_emissions_of_twelve_listeners_on_a_pool_of_four_peak_at_exactly_four() {
    for mode in MODES {
        let pool = Pool::new(4);
        let signal = on_pool::<u32>(mode, &pool);
        let gauge = Gauge::default();
        for _ in 0..12 {
            let (gauge, pool) = (gauge.clone(), pool.clone());
            signal.on(async move |_| {
                let _inside = gauge.enter();
                assert!(pool.in_use() <= 4);
                sleep(Duration::from_millis(5)).await;
            });
        }
        let reports = join_all((0..5).map(|n| signal.emit(n))).await;
        assert!(reports.iter().all(|report| report.delivered() == 12));
        assert_eq!((gauge.peak(), gauge.total()), (4, 60), "{mode}");
        assert_eq!((pool.in_use(), pool.waiting()), (0, 0), "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_listeners_all_run_on_a_pool_of_three() {
    for mode in MODES {
        let signal = Signal::<u32>::builder()
            .dispatch(mode)
            .pool(Pool::new(3))
            .build();
        let gauge = Gauge::default();
        for _ in 0..100 {
            let gauge = gauge.clone();
            signal.on(async move |_| {
                let _inside = gauge.enter();
                sleep(Duration::from_millis(1)).await;
            });
        }
        assert_eq!(signal.emit(1).await.delivered(), 100, "{mode}");
        let peak = if mode == Dispatch::Sequential { 1 } else { 3 };
        assert_eq!((gauge.peak(), gauge.total()), (peak, 100), "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panicking_listener_gives_the_only_permit_back_fifty_times() {
    for mode in MODES {
        for suspends in [false, true] {
            let pool = Pool::new(1);
            let signal = Signal::<u32>::builder()
                .dispatch(mode)
                .pool(pool.clone())
                .on_failure(|_| {})
                .build();
            signal.on(async move |_| {
                if suspends {
                    sleep(Duration::from_millis(1)).await;
                }
                panic!("boom");
            });
            for _ in 0..=50 {
                let report = signal.emit(1).await;
                assert_eq!(report.count(Outcome::Panicked), 1, "{mode}");
                assert_eq!(pool.in_use(), 0, "{mode}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn permits_come_back_on_success_error_panic_timeout_and_cancellation() {
    for mode in MODES {
        let pool = Pool::new(2);
        let signal = Signal::<How>::builder()
            .dispatch(mode)
            .pool(pool.clone())
            .on_failure(|_| {})
            .build();
        for _ in 0..3 {
            signal.on(async |how| match how {
                How::Succeed => Ok(()),
                How::Fail => Err("error"),
                How::Panic => panic!("panic"),
                How::Hang => std::future::pending().await,
            });
        }
        for (how, outcome) in [
            (How::Succeed, Outcome::Done),
            (How::Fail, Outcome::Failed),
            (How::Panic, Outcome::Panicked),
        ] {
            assert_eq!(signal.emit(how).await.count(outcome), 3, "{mode}");
            assert_eq!(pool.in_use(), 0, "{outcome}, {mode}");
        }
        let report = signal.emit(How::Hang).timeout(Duration::from_secs(1)).await;
        assert_eq!(report.failed(), 3);
        settle().await;
        assert_eq!((pool.in_use(), pool.waiting()), (0, 0), "timeout, {mode}");

        let mut emission = Box::pin(signal.emit(How::Hang));
        assert!(poll_once(&mut emission).is_none());
        settle().await;
        assert!(pool.in_use() > 0, "{mode}");
        drop(emission);
        settle().await;
        assert_eq!((pool.in_use(), pool.waiting()), (0, 0), "dropped, {mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_signals_share_the_bound_of_their_pool() {
    for mode in OVERLAPPING {
        let pool = Pool::new(3);
        let gauge = Gauge::default();
        let numbers = on_pool::<u32>(mode, &pool);
        let texts = on_pool::<String>(mode, &pool);
        for _ in 0..5 {
            let (one, other) = (gauge.clone(), gauge.clone());
            numbers.on(async move |_| {
                let _inside = one.enter();
                sleep(Duration::from_millis(2)).await;
            });
            texts.on(async move |_| {
                let _inside = other.enter();
                sleep(Duration::from_millis(3)).await;
            });
        }
        let (a, b) = tokio::join!(numbers.emit(1), texts.emit(String::new()));
        assert_eq!((a.delivered(), b.delivered()), (5, 5));
        assert_eq!((gauge.peak(), gauge.total()), (3, 10), "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_emission_that_waits_for_its_listeners_holds_no_idle_permit() {
    for mode in OVERLAPPING {
        let pool = Pool::new(2);
        let signal = on_pool::<u32>(mode, &pool);
        signal.on(async |_| sleep(Duration::from_secs(1)).await);
        signal.on(async |_| {});
        let mut emission = Box::pin(signal.emit(1));
        assert!(poll_once(&mut emission).is_none());
        settle().await;
        assert_eq!(pool.in_use(), 1, "{mode}");
        assert_eq!(emission.await.delivered(), 2);
    }
}
