//! Defects that were found, each with the behaviour that it broke.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fanfare::{Dispatch, Outcome, Pool, Report, Signal};

const SECOND: Duration = Duration::from_secs(1);

fn on_pool(mode: Dispatch, pool: &Pool) -> Signal<u32> {
    Signal::builder().pool(pool.clone()).dispatch(mode).build()
}

/// The report, or `None` if the emission waits for ever.
async fn ends(emission: impl Future<Output = Report>) -> Option<Report> {
    tokio::time::timeout(1_000 * SECOND, emission).await.ok()
}

#[tokio::test(start_paused = true)]
async fn an_emission_that_waits_for_its_listeners_keeps_no_permit_between_two_of_them() {
    let pool = Pool::new(1);
    let inner = on_pool(Dispatch::Concurrent, &pool);
    inner.on(async |_| tokio::time::sleep(SECOND).await);
    let outer = on_pool(Dispatch::Concurrent, &pool);
    outer.on(async move |n| drop(inner.emit(n).await));
    // Its permit comes back when the emission has nothing left to start and still waits for the first.
    outer.on(async |_| {});
    let report = ends(outer.emit(1)).await.expect("no deadlock");
    assert_eq!((report.delivered(), pool.in_use()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn an_emission_gives_up_its_place_in_the_queue_when_the_listener_it_waits_for_is_removed() {
    let pool = Pool::new(1);
    let outer = on_pool(Dispatch::Concurrent, &pool);
    let inner = on_pool(Dispatch::Concurrent, &pool);
    let nested = inner.clone();
    outer.on(async move |n| drop(nested.emit(n).await));
    let waits = outer.on(async |_| {});
    inner.on(async move |_| {
        tokio::time::sleep(SECOND).await;
        waits.remove();
    });
    let report = ends(outer.emit(1)).await.expect("no deadlock");
    assert_eq!((report.delivered(), report.skipped()), (1, 1));
    assert_eq!((pool.in_use(), pool.waiting()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_emission_gives_up_its_place_in_the_queue_when_it_is_stopped() {
    let pool = Pool::new(1);
    let outer = on_pool(Dispatch::Concurrent, &pool);
    let slow = Signal::<u32>::new();
    slow.on(async |_| tokio::time::sleep(10 * SECOND).await);
    // Takes its permit again after ten seconds.
    outer.on(async move |n| drop(slow.emit(n).await));
    outer.on(async |_| {
        tokio::time::sleep(SECOND).await;
        std::ops::ControlFlow::Break(())
    });
    // Waits for the permit of the one before, and is stopped when it comes.
    outer.on(async |_| {});
    let report = ends(outer.emit(1)).await.expect("no deadlock");
    assert_eq!((report.delivered(), report.skipped()), (2, 1));
    assert_eq!((pool.in_use(), pool.waiting()), (0, 0));
}

/// A pool of one whose permit is held for a second.
async fn busy_pool() -> Pool {
    let pool = Pool::new(1);
    let holder = on_pool(Dispatch::Concurrent, &pool);
    holder.on(async |_| tokio::time::sleep(SECOND).await);
    holder.emit_detached(1).unwrap();
    tokio::task::yield_now().await;
    assert_eq!(pool.in_use(), 1);
    pool
}

#[tokio::test(start_paused = true)]
async fn every_filter_is_asked_although_the_listener_before_was_removed_while_it_waited_for_a_permit()
 {
    for mode in [Dispatch::Concurrent, Dispatch::Sequential] {
        let pool = busy_pool().await;
        let signal = on_pool(mode, &pool);
        let waits = signal.on(async |_| {});
        signal.listen().filter(|_| false).on(async |_| {}).unwrap();
        let (report, ()) = tokio::join!(signal.emit(1), async {
            tokio::task::yield_now().await;
            waits.remove();
        });
        assert_eq!((report.delivered(), report.skipped()), (0, 2), "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_takes_the_place_of_another_is_called_as_its_own_filter_says() {
    for mode in [
        Dispatch::Concurrent,
        Dispatch::Sequential,
        Dispatch::Parallel,
    ] {
        let pool = busy_pool().await;
        let signal = on_pool(mode, &pool);
        let called = Arc::new(AtomicUsize::new(0));
        signal.on(async |_| {});
        signal.listen().key("price").on(async |_| {}).unwrap();
        let seen = Arc::clone(&called);
        let (report, ()) = tokio::join!(signal.emit(1), async {
            tokio::task::yield_now().await;
            let replacement = signal.listen().key("price").replace();
            let listener = async move |_| _ = seen.fetch_add(1, Ordering::Relaxed);
            replacement.filter(|_| false).on(listener).unwrap();
        });
        assert_eq!((report.delivered(), report.skipped()), (1, 1), "{mode}");
        assert_eq!(called.load(Ordering::Relaxed), 0, "{mode}");
    }
}

struct Uncloneable;

impl Clone for Uncloneable {
    fn clone(&self) -> Self {
        panic!("scripted: in the clone");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_clone_of_the_event_is_the_listeners_that_it_was_cloned_for() {
    for mode in [
        Dispatch::Concurrent,
        Dispatch::Sequential,
        Dispatch::Parallel,
    ] {
        let signal = Signal::<Uncloneable>::builder().dispatch(mode).build();
        signal.on_blocking(|_| {});
        signal.on(async |_| {});
        signal.on(async |_| {});
        let report = signal.emit(Uncloneable).await;
        let panicked = report.count(Outcome::Panicked);
        assert_eq!((report.delivered(), panicked), (1, 2), "{mode}");
    }
}
