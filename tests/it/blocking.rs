//! Listeners that block: their thread, permit and in-flight mark, and what is told when nobody waits for them.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fanfare::{Outcome, Pool, Signal, SignalBuilder};
use tokio::runtime::{Builder, Runtime};

use crate::support::{Gauge, Log, MODES, poll_once};

/// A blocking listener that says when it has started and goes on when it is let.
struct Gated {
    signal: Signal<u32>,
    pool: Pool,
    started: mpsc::Receiver<()>,
    go_on: mpsc::Sender<Result<(), &'static str>>,
    told: Log<(String, Outcome)>,
}

fn gated(builder: SignalBuilder<u32>) -> Gated {
    let pool = Pool::new(2);
    let told = Log::default();
    let sink = told.clone();
    let signal = builder
        .pool(pool.clone())
        .on_failure(move |entry| sink.push((entry.cause().to_string(), entry.outcome())))
        .build();
    let (starts, started) = mpsc::channel();
    let (go_on, gate) = mpsc::channel();
    let gate = Arc::new(Mutex::new(gate));
    signal
        .listen()
        .key("disk")
        .on_blocking(move |_| {
            starts.send(()).unwrap();
            gate.lock().unwrap().recv().unwrap()
        })
        .unwrap();
    Gated {
        signal,
        pool,
        started,
        go_on,
        told,
    }
}

/// A runtime whose blocking pool has one thread, and time to drive it.
fn runtime() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder
        .enable_all()
        .max_blocking_threads(1)
        .build()
        .unwrap()
}

/// Yields until the condition holds: threads decide when.
async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_blocking_listener_runs_off_the_async_thread_in_every_mode() {
    for mode in MODES {
        let signal = Signal::<u32>::builder().dispatch(mode).build();
        let (threads, ran) = mpsc::channel();
        signal.on_blocking(move |n| {
            threads.send((n, std::thread::current().id())).unwrap();
        });
        let report = runtime().block_on(async { signal.emit(7).await });
        assert_eq!(report.delivered(), 1, "{mode}");
        let (n, thread) = ran.recv().unwrap();
        assert_eq!(n, 7);
        assert_ne!(thread, std::thread::current().id(), "{mode}");
    }
}

#[test]
fn errors_and_success_of_the_thread_are_in_the_report() {
    for mode in MODES {
        // Dropped after the gate, so that a failing test does not wait for the thread.
        let runtime = runtime();
        let gated = gated(Signal::builder().dispatch(mode));
        runtime.block_on(async {
            for (sent, outcome) in [(Ok(()), Outcome::Done), (Err("full"), Outcome::Failed)] {
                gated.go_on.send(sent).unwrap();
                let report = gated.signal.emit(1).await;
                assert_eq!(report.count(outcome), 1, "{mode}");
            }
        });
        assert_eq!(gated.signal.metadata("disk").unwrap().errors(), 1);
    }
}

#[test]
fn permit_and_mark_stay_until_the_thread_returns_when_the_emission_is_dropped() {
    for mode in MODES {
        // Dropped after the gate, so that a failing test does not wait for the thread.
        let runtime = runtime();
        let gated = gated(Signal::builder().dispatch(mode));
        let (signal, pool) = (&gated.signal, &gated.pool);
        runtime.block_on(async {
            let mut emission = Box::pin(signal.emit(1));
            assert!(poll_once(&mut emission).is_none());
            until(|| gated.started.try_recv().is_ok()).await;
            drop(emission);
            assert_eq!(
                gated.told.take(),
                [(
                    "cancelled: the emission was dropped".to_owned(),
                    Outcome::Cancelled
                )],
                "{mode}"
            );
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            assert_eq!(pool.in_use(), 1, "{mode}");
            assert_eq!(signal.metadata("disk").unwrap().running(), 1, "{mode}");
            // A late failure is told all the same.
            gated.go_on.send(Err("late")).unwrap();
            until(|| pool.in_use() == 0).await;
            assert_eq!(signal.metadata("disk").unwrap().running(), 0, "{mode}");
            let late = [("failed: late".to_owned(), Outcome::Failed)];
            assert_eq!(gated.told.take(), late, "{mode}");
            assert_eq!(signal.metadata("disk").unwrap().errors(), 1);
        });
    }
}

#[test]
fn a_blocking_listener_that_is_timed_out_is_reported_as_cancelled() {
    for mode in MODES {
        // Dropped after the gate, so that a failing test does not wait for the thread.
        let runtime = runtime();
        let gated = gated(Signal::builder().dispatch(mode));
        runtime.block_on(async {
            let emission = gated.signal.emit(1).timeout(Duration::from_millis(1));
            let report = emission.await;
            let entry = &report.entries()[0];
            assert_eq!(entry.outcome(), Outcome::Cancelled, "{mode}");
            let cause = entry.cause().to_string();
            assert_eq!(cause, "cancelled: the deadline of the emission passed");
            // Whether the thread had begun by then or not: nothing is held in the end.
            gated.go_on.send(Ok(())).unwrap();
            until(|| gated.pool.in_use() == 0).await;
        });
    }
}

#[test]
fn removed_waits_for_the_thread() {
    for mode in MODES {
        let runtime = runtime();
        let signal = Signal::<u32>::builder()
            .dispatch(mode)
            .on_failure(|_| {})
            .build();
        let (starts, started) = mpsc::channel();
        let (go_on, gate) = mpsc::channel::<()>();
        let gate = Mutex::new(gate);
        let sub = signal.on_blocking(move |_| {
            starts.send(()).unwrap();
            gate.lock().unwrap().recv().unwrap();
        });
        runtime.block_on(async {
            let mut emission = Box::pin(signal.emit(1));
            assert!(poll_once(&mut emission).is_none());
            until(|| started.try_recv().is_ok()).await;
            drop(emission);
            assert!(sub.remove());
            let mut removed = Box::pin(sub.removed());
            for _ in 0..100 {
                assert!(futures::poll!(&mut removed).is_pending(), "{mode}");
                tokio::task::yield_now().await;
            }
            go_on.send(()).unwrap();
            removed.await;
            assert_eq!(sub.metadata().running(), 0);
        });
    }
}

#[test]
fn a_call_that_is_still_queued_is_taken_back_and_does_not_use_up_a_once() {
    for mode in MODES {
        let runtime = runtime();
        let signal = Signal::<u32>::builder()
            .dispatch(mode)
            .pool(Pool::new(1))
            .on_failure(|_| {})
            .build();
        let gauge = Gauge::default();
        let count = gauge.clone();
        let once = signal
            .listen()
            .once()
            .on_blocking(move |_| drop(count.enter()))
            .unwrap();
        runtime.block_on(async {
            // The only thread is taken by something else.
            let (starts, started) = mpsc::channel();
            let (go_on, gate) = mpsc::channel::<()>();
            let other = tokio::task::spawn_blocking(move || {
                starts.send(()).unwrap();
                gate.recv().unwrap();
            });
            until(|| started.try_recv().is_ok()).await;
            let mut emission = Box::pin(signal.emit(1));
            assert!(poll_once(&mut emission).is_none());
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            drop(emission);
            // A task of `Parallel` ends at its next turn, and takes its call back then.
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            go_on.send(()).unwrap();
            other.await.unwrap();
            tokio::task::spawn_blocking(|| ()).await.unwrap();
            until(|| once.metadata().running() == 0).await;
            assert_eq!((gauge.total(), once.metadata().calls()), (0, 0), "{mode}");
            assert!(!once.is_removed(), "{mode}");

            assert_eq!(signal.emit(1).await.delivered(), 1, "{mode}");
            assert_eq!((gauge.total(), once.is_removed()), (1, true), "{mode}");
            assert!(signal.emit(1).await.is_empty());
        });
    }
}

#[test]
fn a_blocking_listener_without_a_runtime_is_rejected_and_its_once_is_kept() {
    let signal = Signal::<u32>::builder().on_failure(|_| {}).build();
    let once = signal.listen().once().on_blocking(|_| ()).unwrap();
    let report = futures::executor::block_on(signal.emit(1));
    assert_eq!(report.count(Outcome::Rejected), 1);
    assert!(!once.is_removed());
    assert_eq!(once.metadata().running(), 0);
}

#[tokio::test]
async fn a_recursion_from_thread_to_thread_ends_at_the_limit() {
    for mode in MODES {
        let signal = Signal::<u32>::builder()
            .dispatch(mode)
            .recursion_limit(3)
            .on_failure(|_| {})
            .build();
        let inner = signal.downgrade();
        let runtime = tokio::runtime::Handle::current();
        let reports = Log::default();
        let sink = reports.clone();
        signal.on_blocking(move |n| {
            // A listener that is not held to the limit ends all the same.
            if n < 10 {
                let signal = inner.upgrade().unwrap();
                let report = runtime.block_on(signal.emit(n + 1));
                sink.push((n, report.count(Outcome::Rejected)));
            }
        });
        assert!(signal.emit(1).await.is_ok(), "{mode}");
        assert_eq!(reports.take(), [(3, 1), (2, 0), (1, 0)], "{mode}");
    }
}
