//! Shutdown against emissions.

use std::time::Duration;

use fanfare::{Dispatch, Outcome, Pool, Signal};
use shuttle::future::yield_now;

use crate::support::{Gauge, NEVER, beside, check, task};

async fn shutdown_waits(signal: Signal<u32>, detached: bool) {
    let gauge = Gauge::default();
    let seen = gauge.clone();
    signal.on(async move |_| seen.visit().await);
    let emitters = [1, 2].map(|n| {
        let signal = signal.clone();
        task(async move {
            if detached {
                let closed = signal.emit_detached(n).is_err();
                assert!(!closed || signal.is_closed());
            } else {
                let report = signal.emit(n).await;
                assert!(report.is_closed() || report.delivered() == 1);
                assert!(!report.is_closed() || report.is_empty());
            }
        })
    });
    yield_now().await;
    assert!(signal.shutdown(NEVER).await.is_clean());
    assert_eq!(gauge.now(), 0);
    let at_end = gauge.total();
    beside(emitters).await;
    assert_eq!(gauge.total(), at_end, "a call started after the shutdown");
    assert!(signal.emit(3).await.is_closed());
}

#[test]
fn a_shutdown_waits_for_every_emission_that_began() {
    check(|| shutdown_waits(Signal::new(), false));
}

/// Few steps, so that the scheduler often comes between two of them.
#[test]
fn a_shutdown_waits_for_the_only_emission() {
    check(|| async {
        let signal = Signal::<u32>::new();
        let gauge = Gauge::default();
        let seen = gauge.clone();
        signal.on_sync(move |_| drop(seen.enter()));
        let other = signal.clone();
        let emitter = task(async move {
            let report = other.emit(1).await;
            assert!(report.is_closed() || report.delivered() == 1);
        });
        yield_now().await;
        assert!(signal.shutdown(NEVER).await.is_clean());
        let at_end = gauge.total();
        emitter.await.unwrap();
        assert_eq!(gauge.total(), at_end, "a call started after the shutdown");
    });
}

/// As the model before, of an emission that is counted as inside: it is let in by a task that does not wait for it, or it suspends.
async fn shutdown_waits_for_one(detached: bool) {
    let signal = Signal::<u32>::new();
    let gauge = Gauge::default();
    let seen = gauge.clone();
    signal.on(async move |_| {
        let _inside = seen.enter();
        yield_now().await;
    });
    let other = signal.clone();
    let emitter = task(async move {
        if detached {
            let closed = other.emit_detached(1).is_err();
            assert!(!closed || other.is_closed());
        } else {
            let report = other.emit(1).await;
            assert!(report.is_closed() || report.delivered() == 1);
        }
    });
    yield_now().await;
    assert!(signal.shutdown(NEVER).await.is_clean());
    assert_eq!(gauge.now(), 0, "a call was running after the shutdown");
    let at_end = gauge.total();
    emitter.await.unwrap();
    for _ in 0..20 {
        yield_now().await;
    }
    assert_eq!(gauge.total(), at_end, "a call started after the shutdown");
}

/// Two tasks and few steps: the one leaves as the other begins to wait.
#[test]
fn the_last_to_leave_wakes_a_shutdown() {
    check(|| async {
        let signal = Signal::<u32>::new();
        signal.on_sync(|_| {});
        signal.emit_detached(1).unwrap();
        yield_now().await;
        assert!(signal.shutdown(NEVER).await.is_clean());
    });
}

#[test]
fn a_shutdown_waits_for_the_only_emission_that_suspends() {
    check(|| shutdown_waits_for_one(false));
}

#[test]
fn a_shutdown_waits_for_the_only_detached_emission() {
    check(|| shutdown_waits_for_one(true));
}

#[test]
fn a_shutdown_waits_for_detached_emissions() {
    check(|| shutdown_waits(Signal::new(), true));
}

#[test]
fn a_shutdown_waits_for_tasks_and_their_permits() {
    check(|| shutdown_waits(Signal::builder().pool(Pool::new(1)).build(), false));
}

#[test]
fn at_the_limit_listeners_are_cancelled_and_none_has_failed() {
    check(|| async {
        let signal = Signal::<u32>::builder()
            .dispatch(Dispatch::Parallel)
            .build();
        signal.on(async |_| {
            for _ in 0..5 {
                yield_now().await;
            }
        });
        let emitters = [1, 2].map(|n| {
            let signal = signal.clone();
            task(async move {
                let report = signal.emit(n).await;
                let ended = report.delivered() + report.count(Outcome::Cancelled);
                assert!(report.is_closed() || ended == 1, "{report:?}");
            })
        });
        yield_now().await;
        let _ = signal.shutdown(Duration::from_millis(1)).await;
        beside(emitters).await;
        assert!(signal.shutdown(NEVER).await.is_clean());
    });
}
