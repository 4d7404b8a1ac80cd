//! The pool: a strict bound, in every mode, across resizes and nested emissions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fanfare::{Bus, Dispatch, Outcome, Pool, Rejection, Signal, WhenFull, without_permit};
use tokio::time::sleep;

const SECOND: Duration = Duration::from_secs(1);
const MODES: [Dispatch; 3] = [
    Dispatch::Concurrent,
    Dispatch::Parallel,
    Dispatch::Sequential,
];

/// Counts how many run at once.
#[derive(Default)]
struct Gauge {
    now: AtomicUsize,
    peak: AtomicUsize,
}

impl Gauge {
    fn enter(&self) -> usize {
        let now = 1 + self.now.fetch_add(1, Ordering::SeqCst);
        self.peak.fetch_max(now, Ordering::SeqCst);
        now
    }

    fn leave(&self) {
        self.now.fetch_sub(1, Ordering::SeqCst);
    }

    fn peak(&self) -> usize {
        self.peak.load(Ordering::SeqCst)
    }
}

fn assert_idle(pool: &Pool) {
    assert_eq!((pool.in_use(), pool.waiting()), (0, 0), "{pool:?}");
}

#[tokio::test(start_paused = true)]
async fn the_peak_is_exactly_the_size() {
    for mode in MODES {
        let (pool, gauge) = (Pool::new(4), Arc::new(Gauge::default()));
        let signal = Signal::<u32>::builder()
            .dispatch(mode)
            .pool(pool.clone())
            .build();
        for _ in 0..12 {
            let gauge = Arc::clone(&gauge);
            signal.on(async move |_| {
                gauge.enter();
                sleep(SECOND).await;
                gauge.leave();
            });
        }
        let reports = futures::future::join_all((0..5).map(|n| signal.emit(n))).await;
        assert!(reports.iter().all(|report| report.delivered() == 12));
        assert_eq!(gauge.peak(), 4, "{mode}");
        assert_idle(&pool);
    }
}

#[tokio::test(start_paused = true)]
async fn a_permit_comes_back_on_every_way_out() {
    for mode in MODES {
        let pool = Pool::new(1);
        let signal = Signal::<u32>::builder()
            .dispatch(mode)
            .pool(pool.clone())
            .on_failure(|_| {})
            .build();
        signal.on(async |n| match n % 4 {
            0 => panic!("on purpose"),
            1 => Err("no"),
            2 => std::future::pending().await,
            _ => Ok(()),
        });
        for n in 0..50 {
            let report = signal.emit(n).timeout(SECOND).await;
            assert_eq!(report.listeners(), 1);
            drop(tokio::time::timeout(SECOND, signal.emit(2)).await);
        }
        tokio::task::yield_now().await;
        assert_idle(&pool);
    }
}

#[tokio::test(start_paused = true)]
async fn nested_emissions_in_a_pool_of_one_complete() {
    for mode in MODES {
        let pool = Pool::new(1);
        let (gauge, running) = (Arc::new(Gauge::default()), Arc::new(Gauge::default()));
        let signal = Signal::<u32>::builder()
            .dispatch(mode)
            .pool(pool.clone())
            .build();
        let weak = signal.downgrade();
        let (depth, at_once) = (Arc::clone(&gauge), Arc::clone(&running));
        signal.on(async move |n| {
            depth.enter();
            at_once.enter();
            tokio::task::yield_now().await;
            at_once.leave();
            if n > 0 {
                let report = weak.upgrade().unwrap().emit(n - 1).await;
                assert!(report.is_ok(), "{report}");
            }
            at_once.enter();
            tokio::task::yield_now().await;
            at_once.leave();
            depth.leave();
        });
        let (a, b) = tokio::join!(signal.emit(5), signal.emit(5));
        assert!(a.is_ok() && b.is_ok(), "{mode}");
        assert_eq!(running.peak(), 1, "{mode}");
        assert!(gauge.peak() > 5);
        assert_idle(&pool);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pools_nested_crosswise_complete() {
    for mode in MODES {
        let (a, b) = (Pool::new(1), Pool::new(1));
        let first = Signal::<u32>::builder()
            .dispatch(mode)
            .pool(a.clone())
            .build();
        let second = Signal::<u64>::builder()
            .dispatch(mode)
            .pool(b.clone())
            .build();
        let (to, back) = (second.downgrade(), first.downgrade());
        first.on(async move |n| {
            tokio::task::yield_now().await;
            if n > 0 {
                assert!(to.upgrade().unwrap().emit(u64::from(n - 1)).await.is_ok());
            }
        });
        second.on(async move |n| {
            tokio::task::yield_now().await;
            if n > 0 {
                let n = u32::try_from(n - 1).unwrap();
                assert!(back.upgrade().unwrap().emit(n).await.is_ok());
            }
        });
        let tasks: Vec<_> = (0..50)
            .map(|n| {
                let (first, second) = (first.clone(), second.clone());
                tokio::spawn(async move {
                    if n % 2 == 0 {
                        first.emit(4).await
                    } else {
                        second.emit(4).await
                    }
                })
            })
            .collect();
        for task in tasks {
            assert!(task.await.unwrap().is_ok(), "{mode}");
        }
        assert_idle(&a);
        assert_idle(&b);
    }
}

#[tokio::test(start_paused = true)]
async fn joined_nested_emissions_never_exceed_the_size() {
    for mode in MODES {
        for size in [1, 2] {
            let (pool, gauge) = (Pool::new(size), Arc::new(Gauge::default()));
            let bus = Bus::builder().dispatch(mode).pool(pool.clone()).build();
            let seen = Arc::clone(&gauge);
            bus.on(async move |_: u8| {
                seen.enter();
                sleep(SECOND).await;
                seen.leave();
            });
            let (weak, seen) = (bus.downgrade(), Arc::clone(&gauge));
            bus.on(async move |_: u32| {
                let bus = weak.upgrade().unwrap();
                seen.enter();
                seen.leave();
                let (a, b, c) = tokio::join!(bus.emit(1_u8), bus.emit(2_u8), bus.emit(3_u8));
                seen.enter();
                sleep(SECOND).await;
                seen.leave();
                assert_eq!(a.delivered() + b.delivered() + c.delivered(), 3);
            });
            let (a, b) = tokio::join!(bus.emit(1_u32), bus.emit(2_u32));
            assert!(a.is_ok() && b.is_ok(), "{mode} {size}: {a:?} {b:?}");
            assert_eq!(gauge.peak(), size, "{mode}");
            assert_idle(&pool);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_nested_emission_that_is_given_up_leaves_the_bound_whole() {
    for mode in MODES {
        let (pool, gauge) = (Pool::new(1), Arc::new(Gauge::default()));
        let bus = Bus::builder()
            .dispatch(mode)
            .pool(pool.clone())
            .on_failure(|_| {})
            .build();
        bus.on(async move |_: u8| sleep(SECOND * 10).await);
        let (weak, seen) = (bus.downgrade(), Arc::clone(&gauge));
        bus.on(async move |_: u32| {
            let bus = weak.upgrade().unwrap();
            assert!(tokio::time::timeout(SECOND, bus.emit(1_u8)).await.is_err());
            tokio::task::yield_now().await;
            seen.enter();
            sleep(SECOND).await;
            seen.leave();
        });
        let reports = futures::future::join_all((0..5).map(|n: u32| bus.emit(n))).await;
        assert!(
            reports.iter().all(fanfare::Report::is_ok),
            "{mode}: {reports:?}"
        );
        assert_eq!(gauge.peak(), 1, "{mode}");
        assert_idle(&pool);
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_listeners_on_three_permits_all_run() {
    for mode in MODES {
        let signal = Signal::<u32>::builder()
            .dispatch(mode)
            .pool(Pool::new(3))
            .build();
        for _ in 0..100 {
            signal.on(async |_| sleep(SECOND).await);
        }
        assert_eq!(signal.emit(1).await.delivered(), 100, "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bound_holds_across_a_resize_under_a_thousand_waiters() {
    let (pool, gauge) = (Pool::new(8), Arc::new(Gauge::default()));
    let signal = Signal::<u32>::builder().pool(pool.clone()).build();
    let (seen, size) = (Arc::clone(&gauge), pool.clone());
    signal.on(async move |_| {
        let running = seen.enter();
        assert!(running <= 8 && size.in_use() <= 8, "{running} of {size:?}");
        tokio::task::yield_now().await;
        seen.leave();
    });
    let emissions: Vec<_> = (0..1_000)
        .map(|n| {
            let signal = signal.clone();
            tokio::spawn(async move { signal.emit(n).await })
        })
        .collect();
    for round in 0..200 {
        let size = [2, 8, 1, 5][round % 4];
        pool.resize(size).unwrap();
        // Those who held a permit at the change give it back; then the new size holds.
        tokio::task::yield_now().await;
    }
    pool.resize(3).unwrap();
    let mut settled = false;
    for emission in emissions {
        assert!(emission.await.unwrap().is_ok());
        settled |= pool.in_use() <= 3;
        assert!(!settled || pool.in_use() <= 3);
    }
    assert_eq!((pool.size(), pool.in_use()), (3, 0));
    // All three permits are there, and no fourth.
    gauge.peak.store(0, Ordering::SeqCst);
    let signal = Signal::<u32>::builder().pool(pool.clone()).build();
    let seen = Arc::clone(&gauge);
    signal.on(async move |_| {
        seen.enter();
        sleep(Duration::from_millis(1)).await;
        seen.leave();
    });
    futures::future::join_all((0..20).map(|n| signal.emit(n))).await;
    assert_eq!(gauge.peak(), 3);
}

#[tokio::test(start_paused = true)]
async fn growing_wakes_waiters_and_shrinking_takes_nothing_from_those_who_run() {
    let (pool, gauge) = (Pool::new(1), Arc::new(Gauge::default()));
    let signal = Signal::<u32>::builder().pool(pool.clone()).build();
    let seen = Arc::clone(&gauge);
    signal.on(async move |_| {
        seen.enter();
        sleep(SECOND).await;
        seen.leave();
    });
    let all = futures::future::join_all((0..6).map(|n| signal.emit(n)));
    let change = async {
        sleep(SECOND / 2).await;
        pool.resize(3).unwrap();
        sleep(SECOND / 4).await;
        assert_eq!((pool.in_use(), pool.waiting()), (3, 3));
        pool.resize(1).unwrap();
        assert_eq!((pool.size(), pool.in_use()), (1, 3));
        sleep(SECOND).await;
        assert_eq!(pool.in_use(), 1);
    };
    let (reports, ()) = tokio::join!(all, change);
    assert!(reports.iter().all(fanfare::Report::is_ok));
    assert_eq!(gauge.peak(), 3);
    assert_idle(&pool);
}

#[tokio::test(start_paused = true)]
async fn a_full_pool_waits_waits_for_a_time_or_rejects_the_emission_whole() {
    for mode in MODES {
        for (policy, outcome, waited) in [
            (WhenFull::Wait, Outcome::Done, SECOND * 10),
            (WhenFull::WaitUpTo(SECOND * 20), Outcome::Done, SECOND * 10),
            (WhenFull::WaitUpTo(SECOND), Outcome::Rejected, SECOND),
            (WhenFull::Reject, Outcome::Rejected, Duration::ZERO),
        ] {
            let pool = Pool::builder(1).when_full(policy).build();
            let bus = Bus::builder()
                .dispatch(mode)
                .pool(pool.clone())
                .on_failure(|_| {})
                .build();
            bus.on(async |_: u8| sleep(SECOND * 10).await);
            bus.on(async |_: u32| {});
            bus.on(async |_: u32| {});
            let second = async {
                tokio::task::yield_now().await;
                let began = tokio::time::Instant::now();
                (bus.emit(1_u32).await, began.elapsed())
            };
            let (first, (second, took)) = tokio::join!(bus.emit(1_u8), second);
            assert_eq!(first.delivered(), 1);
            assert_eq!(
                (second.count(outcome), took),
                (2, waited),
                "{mode} {policy:?}"
            );
            if outcome == Outcome::Rejected {
                assert_eq!(pool.rejections(), 1);
                let cause = second.entries()[0].cause().clone();
                assert!(
                    matches!(cause, fanfare::Cause::Rejected(Rejection::PoolFull { size: 1, waited: w }) if w == waited),
                    "{cause}"
                );
            }
            assert_idle(&pool);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_pool_tells_what_it_does_and_has_done() {
    let pool = Pool::new(2);
    let signal = Signal::<u32>::builder().pool(pool.clone()).build();
    signal.on(async |_| sleep(SECOND * 2).await);
    let watch = async {
        sleep(SECOND).await;
        assert_eq!(
            (pool.size(), pool.in_use(), pool.waiting(), pool.waits()),
            (2, 2, 1, 1)
        );
        assert!((pool.utilisation() - 1.0).abs() < f64::EPSILON);
        assert_eq!(
            (pool.busy_time(), pool.idle_time()),
            (SECOND * 2, Duration::ZERO)
        );
    };
    tokio::join!(signal.emit(1), signal.emit(2), signal.emit(3), watch);
    assert_eq!(pool.busy_time(), SECOND * 6);
    assert_eq!(pool.idle_time(), SECOND * 2);
    assert_eq!(pool.wait_time(), SECOND * 2);
    assert!(pool.utilisation().abs() < f64::EPSILON);
}

#[tokio::test(start_paused = true)]
async fn one_pool_bounds_two_signals_and_a_wait_without_a_permit_lets_others_run() {
    for mode in MODES {
        let pool = Pool::new(1);
        let bus = Bus::builder().dispatch(mode).pool(pool.clone()).build();
        bus.on(async |_: u8| {
            without_permit(sleep(SECOND * 3600)).await;
        });
        bus.on(async |_: u16| {});
        let began = tokio::time::Instant::now();
        let quick = async {
            tokio::task::yield_now().await;
            assert!(bus.emit(1_u16).await.is_ok());
            began.elapsed()
        };
        let (slow, quick) = tokio::join!(bus.emit(1_u8), quick);
        assert!(slow.is_ok());
        assert_eq!(quick, Duration::ZERO, "{mode}");
        assert_idle(&pool);
    }
    assert_eq!(without_permit(async { 7 }).await, 7);
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_waits_for_room_in_a_buffer_holds_no_permit() {
    let pool = Pool::new(1);
    let bus = Bus::builder().pool(pool.clone()).buffer(1).build();
    bus.on(async |_: u8| sleep(SECOND).await);
    let weak = bus.downgrade();
    bus.on(async move |_: u32| {
        let bus = weak.upgrade().unwrap();
        for n in 0..5_u8 {
            bus.enqueue(n).await.unwrap();
        }
    });
    assert!(bus.emit(1_u32).await.is_ok());
    assert!(bus.shutdown(SECOND * 60).await.is_clean());
    assert_eq!(bus.signal::<u8>().stats().count(Outcome::Done), 5);
    assert_idle(&pool);
}
