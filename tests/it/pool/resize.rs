//! The bound holds while the size changes.

use std::time::Duration;

use fanfare::{Dispatch, Pool};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::support::{Gauge, Log, MODES, OVERLAPPING, on_pool, settle};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_a_thousand_waiters_the_bound_holds_across_resizes() {
    for mode in MODES {
        // No test waits for this long: it makes a hang a failure.
        let held = timeout(Duration::from_secs(60), hold_across_resizes(mode));
        held.await.expect("waiters are served");
    }
}

/// A signal whose listener is inside the gauge until the gate opens, and a thousand emissions that wait for the pool.
async fn hold_across_resizes(mode: Dispatch) {
    let pool = Pool::new(4);
    let gauge = Gauge::default();
    let (open, gate) = watch::channel(0_usize);
    let signal = on_pool::<usize>(mode, &pool);
    let inside = gauge.clone();
    signal.on(async move |_| {
        let inside = inside.enter();
        let turn = inside.number();
        let mut gate = gate.clone();
        gate.wait_for(|open| *open >= turn)
            .await
            .expect("the gate outlives them");
        tokio::task::yield_now().await;
    });
    let emissions: Vec<_> = (0..1_000)
        .map(|n| {
            let signal = signal.clone();
            tokio::spawn(async move { signal.emit(n).await.delivered() })
        })
        .collect();
    let passed = |n: usize| {
        let gauge = gauge.clone();
        async move {
            while gauge.total() < n {
                tokio::task::yield_now().await;
            }
        }
    };
    passed(4).await;
    let (mut old, mut done) = (4, 0);
    for new in [9, 2, 7, 1, 5, 3] {
        gauge.reset_peak();
        pool.resize(new).expect("a size");
        assert_eq!(pool.size(), new);
        // Those that are inside leave one by one; whoever was inside before the change has left after `old` more.
        for _ in 0..old + new {
            done += 1;
            open.send_replace(done);
            passed(done + 1).await;
            assert!(gauge.peak() <= old.max(new), "{mode}: {old} to {new}");
        }
        while gauge.now() != new {
            assert!(gauge.now() <= old.max(new), "{mode}: {old} to {new}");
            tokio::task::yield_now().await;
        }
        gauge.reset_peak();
        for _ in 0..20 {
            done += 1;
            open.send_replace(done);
            passed(done + new).await;
        }
        assert!(gauge.peak() <= new, "{mode}: {old} to {new}");
        old = new;
    }
    open.send_replace(usize::MAX);
    for emission in emissions {
        assert_eq!(emission.await.expect("no panic"), 1);
    }
    assert_eq!((gauge.total(), pool.in_use()), (1_000, 0), "{mode}");
    assert!(gauge.peak() <= 3, "{mode}");
}

#[tokio::test(start_paused = true)]
async fn shrinking_takes_no_permit_from_a_listener_that_runs() {
    for mode in OVERLAPPING {
        let pool = Pool::new(8);
        let signal = on_pool::<u32>(mode, &pool);
        for _ in 0..8 {
            signal.on(async |_| tokio::time::sleep(Duration::from_secs(1)).await);
        }
        let first = tokio::spawn({
            let signal = signal.clone();
            async move { signal.emit(1).await.delivered() }
        });
        settle().await;
        pool.resize(3).unwrap();
        assert_eq!((pool.size(), pool.in_use()), (3, 8), "{mode}");
        assert!(pool.utilisation() > 1.0);
        assert_eq!(first.await.unwrap(), 8);

        let second = tokio::spawn(async move { signal.emit(1).await.delivered() });
        settle().await;
        assert_eq!((pool.in_use(), pool.waiting() > 0), (3, true), "{mode}");
        pool.resize(6).unwrap();
        settle().await;
        assert_eq!(pool.in_use(), 6, "{mode}: growing wakes waiters at once");
        assert_eq!(second.await.unwrap(), 8);
    }
}

#[tokio::test(start_paused = true)]
async fn a_debt_is_forgiven_by_growing_again() {
    let pool = Pool::new(4);
    let signal = on_pool::<u32>(Dispatch::Concurrent, &pool);
    let gauge = Gauge::default();
    for _ in 0..12 {
        let gauge = gauge.clone();
        signal.on(async move |_| {
            let _inside = gauge.enter();
            tokio::time::sleep(Duration::from_secs(1)).await;
        });
    }
    let emission = tokio::spawn(async move { signal.emit(1).await.delivered() });
    settle().await;
    for size in [1, 3, 1, 4] {
        pool.resize(size).unwrap();
    }
    assert_eq!(emission.await.unwrap(), 12);
    assert_eq!((gauge.peak(), pool.in_use(), pool.size()), (4, 0, 4));
    assert_eq!(pool.resize(0).unwrap_err().option(), "pool");
    assert_eq!(pool.size(), 4);
}

#[tokio::test(start_paused = true)]
async fn growing_while_permits_are_owed_sends_nobody_to_the_end_of_the_queue() {
    let pool = Pool::new(4);
    let signal = on_pool::<u32>(Dispatch::Concurrent, &pool);
    let started = Log::default();
    let log = started.clone();
    signal.on(async move |n| {
        log.push(n);
        tokio::time::sleep(Duration::from_secs(n.into())).await;
    });
    let emissions: Vec<_> = (1..=6)
        .map(|n| {
            let signal = signal.clone();
            tokio::spawn(async move { signal.emit(n).await.delivered() })
        })
        .collect();
    settle().await;
    assert_eq!((pool.in_use(), pool.waiting()), (4, 2));
    for size in [2, 3] {
        pool.resize(size).unwrap();
        settle().await;
    }
    for emission in emissions {
        assert_eq!(emission.await.unwrap(), 1);
    }
    assert_eq!(started.take(), [1, 2, 3, 4, 5, 6]);
}
