//! A listener that waits for its own emission does not run, and holds no permit.

use std::time::Duration;

use fanfare::{Bus, Pool, without_permit};
use futures::future::join_all;
use tokio::time::{sleep, timeout};

use crate::support::{Gauge, MODES, on_pool, settle};

const LONG: Duration = Duration::from_secs(3_600);

#[derive(Clone)]
struct Nested(u32);

#[derive(Clone)]
struct ToA(u32);

#[derive(Clone)]
struct ToB(u32);

#[tokio::test(start_paused = true)]
async fn nesting_five_deep_in_a_pool_of_one_completes() {
    for mode in MODES {
        for others in 0..3 {
            let pool = Pool::new(1);
            let bus = Bus::builder().dispatch(mode).pool(pool.clone()).build();
            let (inner, gauge) = (bus.downgrade(), Gauge::default());
            let count = gauge.clone();
            bus.on(async move |Nested(depth)| {
                {
                    let _inside = count.enter();
                    tokio::task::yield_now().await;
                }
                if depth > 0 {
                    let inner = inner.upgrade().unwrap();
                    let report = inner.emit(Nested(depth - 1)).await;
                    assert!(report.is_ok(), "{report:?}");
                }
                let _inside = count.enter();
                tokio::task::yield_now().await;
            });
            // Listeners that finish in place take the permit that the one before lent out.
            for _ in 0..others {
                bus.on(async |_: Nested| {});
            }
            let report = timeout(LONG, bus.emit(Nested(5))).await;
            let report = report.unwrap_or_else(|_| panic!("{mode} with {others} others hangs"));
            assert_eq!(report.delivered(), 1 + others, "{mode}");
            assert_eq!((gauge.peak(), gauge.total()), (1, 12), "{mode}");
            assert_eq!(pool.in_use(), 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_pools_of_one_nested_crosswise_many_at_once_complete() {
    for mode in MODES {
        let (a, b) = (Pool::new(1), Pool::new(1));
        let (pool_a, pool_b) = (a.clone(), b.clone());
        let bus = Bus::builder()
            .dispatch(mode)
            .signal::<ToA>(move |signal| signal.pool(pool_a))
            .signal::<ToB>(move |signal| signal.pool(pool_b))
            .build();
        let (to_b, to_a) = (bus.downgrade(), bus.downgrade());
        let (in_a, in_b) = (Gauge::default(), Gauge::default());
        let (count_a, count_b) = (in_a.clone(), in_b.clone());
        bus.on(async move |ToA(depth)| {
            {
                let _inside = count_a.enter();
                sleep(Duration::from_millis(1)).await;
            }
            if depth > 0 {
                let to_b = to_b.upgrade().unwrap();
                assert_eq!(to_b.emit(ToB(depth - 1)).await.delivered(), 1);
            }
            let _inside = count_a.enter();
            sleep(Duration::from_millis(1)).await;
        });
        bus.on(async move |ToB(depth)| {
            {
                let _inside = count_b.enter();
                sleep(Duration::from_millis(1)).await;
            }
            if depth > 0 {
                let to_a = to_a.upgrade().unwrap();
                assert_eq!(to_a.emit(ToA(depth - 1)).await.delivered(), 1);
            }
            let _inside = count_b.enter();
            sleep(Duration::from_millis(1)).await;
        });
        let all = async {
            tokio::join!(
                join_all((0..20).map(|_| bus.emit(ToA(4)))),
                join_all((0..20).map(|_| bus.emit(ToB(4)))),
            )
        };
        let (of_a, of_b) = timeout(LONG, all).await.expect("no deadlock");
        assert!(
            of_a.iter()
                .chain(&of_b)
                .all(|report| report.delivered() == 1)
        );
        assert_eq!((in_a.peak(), in_b.peak()), (1, 1), "{mode}");
        assert_eq!(in_a.total() + in_b.total(), 2 * 40 * 5, "{mode}");
        assert_eq!((a.in_use(), b.in_use()), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn three_nested_emissions_joined_in_one_listener_keep_to_the_size_of_the_pool() {
    for mode in MODES {
        for size in [1, 2] {
            let bus = Bus::builder().dispatch(mode).pool(Pool::new(size)).build();
            let (inner, gauge) = (bus.downgrade(), Gauge::default());
            let (outer, nested) = (gauge.clone(), gauge.clone());
            bus.on(async move |n: u32| {
                {
                    let _inside = outer.enter();
                    tokio::task::yield_now().await;
                }
                let inner = inner.upgrade().unwrap();
                let (x, y, z) = tokio::join!(
                    inner.emit(Nested(n)),
                    inner.emit(Nested(n + 1)),
                    inner.emit(Nested(n + 2))
                );
                assert_eq!((x.delivered(), y.delivered(), z.delivered()), (3, 3, 3));
                let _inside = outer.enter();
                tokio::task::yield_now().await;
            });
            for _ in 0..3 {
                let nested = nested.clone();
                bus.on(async move |Nested(n)| {
                    let _inside = nested.enter();
                    sleep(Duration::from_millis(u64::from(n))).await;
                });
            }
            let all = join_all((0..4_u32).map(|n| bus.emit(n)));
            let reports = timeout(LONG, all).await.expect("no deadlock");
            assert!(reports.iter().all(|report| report.delivered() == 1));
            assert_eq!(gauge.peak(), size, "{mode}");
            assert_eq!(gauge.total(), 4 * (2 + 9), "{mode}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_nested_emission_that_is_dropped_mid_way_gives_the_permit_back_before_the_next_poll() {
    for mode in MODES {
        let pool = Pool::new(1);
        let bus = Bus::builder().dispatch(mode).pool(pool.clone()).build();
        let (inner, gauge) = (bus.downgrade(), Gauge::default());
        let (count, seen) = (gauge.clone(), pool.clone());
        bus.on(async |_: Nested| std::future::pending::<()>().await);
        bus.on(async move |_: u32| {
            let inner = inner.upgrade().unwrap();
            let nested = timeout(Duration::from_millis(5), inner.emit(Nested(0))).await;
            assert!(nested.is_err());
            // Somebody else may hold the permit now: from the next poll on it is this listener's.
            tokio::task::yield_now().await;
            let _inside = count.enter();
            assert_eq!(seen.in_use(), 1);
            sleep(Duration::from_millis(5)).await;
            assert_eq!(seen.in_use(), 1);
        });
        let all = join_all((0..4_u32).map(|n| bus.emit(n)));
        let reports = timeout(LONG, all).await.expect("no deadlock");
        assert!(
            reports.iter().all(|report| report.delivered() == 1),
            "{mode}: {reports:?}"
        );
        assert_eq!((gauge.peak(), gauge.total()), (1, 4), "{mode}");
        settle().await;
        assert_eq!((pool.in_use(), pool.waiting()), (0, 0), "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_permit_lets_others_run_meanwhile() {
    for mode in MODES {
        let pool = Pool::new(1);
        let signal = on_pool::<bool>(mode, &pool);
        let seen = pool.clone();
        signal.on(async move |waits| {
            assert_eq!(seen.in_use(), 1);
            if waits {
                without_permit(sleep(Duration::from_secs(1))).await;
                assert_eq!(seen.in_use(), 1);
            }
        });
        let started = tokio::time::Instant::now();
        let reports = join_all((0..50).map(|_| signal.emit(true))).await;
        assert!(
            reports.iter().all(|report| report.delivered() == 1),
            "{reports:?}"
        );
        // All fifty wait at once, though only one may run.
        assert_eq!(started.elapsed(), Duration::from_secs(1), "{mode}");
        assert_eq!(pool.in_use(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_enqueue_that_waits_inside_a_pooled_listener_does_not_deadlock() {
    for mode in MODES {
        let pool = Pool::new(1);
        let bus = Bus::builder()
            .dispatch(mode)
            .pool(pool.clone())
            .buffer(1)
            .build();
        let (inner, gauge) = (bus.downgrade(), Gauge::default());
        let count = gauge.clone();
        bus.on(async move |Nested(_)| {
            let _inside = count.enter();
            sleep(Duration::from_millis(1)).await;
        });
        bus.on(async move |n: u32| {
            let inner = inner.upgrade().unwrap();
            for _ in 0..5 {
                inner.enqueue(Nested(n)).await.unwrap();
            }
        });
        let report = timeout(LONG, bus.emit(1_u32)).await.expect("no deadlock");
        assert!(report.is_ok(), "{mode}: {report:?}");
        assert!(bus.shutdown(LONG).await.is_clean());
        assert_eq!((gauge.peak(), gauge.total()), (1, 5), "{mode}");
    }
}
