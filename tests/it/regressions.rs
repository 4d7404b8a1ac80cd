//! Defects that were found, each with the behaviour that it broke.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use fanfare::{Dispatch, Outcome, Pool, Report, Signal, WhenFull};
use futures::FutureExt as _;
use tokio::runtime::{Builder, Runtime};

use crate::support::{Ledger, on_pool, poll_once};

const SECOND: Duration = Duration::from_secs(1);

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
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

#[tokio::test]
async fn a_listener_that_is_removed_before_its_task_begins_has_no_call_running() {
    let signal = Signal::<u32>::builder()
        .dispatch(Dispatch::Parallel)
        .build();
    let sub = signal.on(async |_| {});
    let mut emission = Box::pin(signal.emit(1));
    let spawned = futures::poll!(&mut emission);
    assert!(spawned.is_pending());
    sub.remove();
    assert_eq!(emission.await.skipped(), 1);
    assert_eq!(sub.metadata().running(), 0);
    assert!(sub.removed().now_or_never().is_some());
}

#[tokio::test(start_paused = true)]
async fn an_event_that_panics_in_its_drop_does_not_take_the_others_along() {
    #[derive(Clone)]
    struct Bomb(bool);
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(!self.0 || std::thread::panicking(), "in drop");
        }
    }
    let signal = Signal::<Bomb>::new();
    signal.on_sync(|_| {});
    for n in 0..10 {
        signal.try_enqueue(Bomb(n == 3)).unwrap();
    }
    assert!(signal.shutdown(60 * SECOND).await.is_clean());
    assert_eq!(signal.stats().count(Outcome::Done), 10);
}

#[test]
fn an_event_that_comes_after_its_runtime_ended_waits_for_the_next() {
    let signal = Signal::<u32>::new();
    signal.on(async |_| {});
    runtime().block_on(async {
        signal.try_enqueue(1).unwrap();
        while signal.stats().count(Outcome::Done) < 1 {
            tokio::task::yield_now().await;
        }
    });
    // The runtime that it had settled on is gone, and there is none here.
    signal.try_enqueue(2).unwrap();
    assert_eq!((signal.buffered().0, signal.stats().dropped()), (1, 0));
    runtime().block_on(async {
        assert!(signal.shutdown(60 * SECOND).await.is_clean());
    });
    assert_eq!(signal.stats().count(Outcome::Done), 2);
}

#[test]
fn a_detached_emission_that_loses_its_runtime_is_told() {
    let told = Ledger::default();
    let sink = told.clone();
    let signal = Signal::<u32>::builder()
        .on_failure(move |f| sink.note(f.to_string()))
        .build();
    signal
        .listen()
        .key("slow")
        .on(async |_| std::future::pending::<()>().await)
        .unwrap();
    let first = runtime();
    first.block_on(async {
        signal.emit_detached(1).unwrap();
        tokio::task::yield_now().await;
    });
    drop(first);
    assert_eq!(told.take(), ["`slow` cancelled: the runtime ended"]);
}

#[tokio::test(start_paused = true)]
async fn an_emission_by_way_of_a_signal_without_a_pool_finds_the_permit_of_the_listener_that_waits()
{
    let pool = Pool::builder(1).when_full(WhenFull::Reject).build();
    let outer = on_pool(Dispatch::Sequential, &pool);
    let between = Signal::<u8>::new();
    let inner = Signal::<u64>::builder().pool(pool.clone()).build();
    inner.on(async |_| {});
    let to = inner.clone();
    between.on(async move |_| {
        let report = to.emit(1).await;
        assert_eq!(report.delivered(), 1, "{report:?}");
    });
    outer.on(async move |_| {
        assert!(between.emit(1).await.is_ok());
    });
    assert!(outer.emit(1).await.is_ok());
    assert_eq!((pool.in_use(), pool.rejections()), (0, 0));
}

/// A sync listener cannot await. One that blocks its thread on a wait for the signal it is called by is in the middle of a poll, and the end of another's poll is all it waits for.
#[test]
fn who_blocks_on_removed_or_shutdown_inside_a_poll_sees_the_other_poll_end() {
    for (in_runtime, shut_down) in [(false, false), (true, false), (true, true)] {
        let signal = Signal::<u32>::new();
        let (own, victim) = (signal.downgrade(), signal.on(async |_| {}));
        let (starts, started) = mpsc::channel();
        let (go, gate) = mpsc::channel();
        let gate = Mutex::new(gate);
        signal.on_sync(move |n| {
            if *n == 1 {
                starts.send(()).unwrap();
                return gate.lock().unwrap().recv().unwrap();
            }
            let own = own.upgrade().unwrap();
            let mut wait = if shut_down {
                async { assert!(own.shutdown(60 * SECOND).await.is_clean()) }.boxed()
            } else {
                assert!(victim.remove());
                victim.removed().boxed()
            };
            assert!(poll_once(&mut wait).is_none());
            go.send(()).unwrap();
            futures::executor::block_on(wait);
        });
        let emits = signal.clone();
        let other = std::thread::spawn(move || emits.emit(1).now_or_never().unwrap());
        started.recv().unwrap();
        let (ends, ended) = mpsc::channel();
        let blocks = std::thread::spawn(move || {
            let report = if in_runtime {
                runtime().block_on(signal.emit(2))
            } else {
                signal.emit(2).now_or_never().unwrap()
            };
            ends.send(report.delivered()).unwrap();
        });
        // No test waits for this long: it makes a hang a failure.
        let delivered = ended.recv_timeout(60 * SECOND);
        assert_eq!(delivered, Ok(2), "{in_runtime}, {shut_down}");
        blocks.join().unwrap();
        assert_eq!(other.join().unwrap().delivered(), 2);
    }
}
