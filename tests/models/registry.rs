//! Listeners that come and go while events are emitted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use fanfare::{Dispatch, Pool, Signal};
use shuttle::future::yield_now;

use crate::support::{Gauge, beside, check, task};

fn signals() -> [Signal<u32>; 2] {
    let tasks = Signal::builder().pool(Pool::new(2)).build();
    [Signal::new(), tasks]
}

async fn removal(signal: Signal<u32>) {
    let gauge = Gauge::default();
    let seen = gauge.clone();
    let subscription = signal.on(async move |_| seen.visit().await);
    let emitters = [1, 2].map(|n| {
        let signal = signal.clone();
        task(async move {
            let report = signal.emit(n).await;
            assert!(report.failed() == 0 && report.delivered() + report.skipped() <= 1);
        })
    });
    yield_now().await;
    assert!(subscription.remove());
    subscription.removed().await;
    assert_eq!(gauge.now(), 0, "a call is running");
    let at_end = gauge.total();
    beside(emitters).await;
    assert_eq!(gauge.total(), at_end, "a call started after the removal");
}

#[test]
fn no_call_runs_after_removed() {
    check(|| removal(Signal::new()));
}

#[test]
fn no_task_runs_after_removed() {
    check(|| removal(signals()[1].clone()));
}

async fn replacement(signal: Signal<u32>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let add = |signal: &Signal<u32>| {
        let calls = Arc::clone(&calls);
        let listen = signal.listen().key("one").replace();
        listen.on(async move |_| {
            calls.fetch_add(1, Ordering::SeqCst);
            yield_now().await;
        })
    };
    let first = add(&signal).unwrap();
    let emitters = [1, 2].map(|n| {
        let signal = signal.clone();
        task(async move { assert_eq!(signal.emit(n).await.delivered(), 1) })
    });
    yield_now().await;
    let _second = add(&signal).unwrap();
    first.removed().await;
    beside(emitters).await;
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[test]
fn a_listener_that_is_replaced_or_its_successor_is_called_once() {
    check(|| replacement(Signal::new()));
}

/// Where the emission looks at the listener twice, and the replacement may come between.
#[test]
fn a_listener_that_is_replaced_or_its_successor_is_called_once_with_a_pool() {
    let concurrent = || Signal::builder().dispatch(Dispatch::Concurrent);
    check(move || replacement(concurrent().pool(Pool::new(2)).build()));
}

/// The listener that is removed comes second, in a poll after the first of its emission.
#[test]
fn no_call_in_a_later_poll_runs_after_removed() {
    check(|| async {
        let signal = Signal::<u32>::builder()
            .dispatch(Dispatch::Sequential)
            .build();
        signal.on(async |_| yield_now().await);
        let gauge = Gauge::default();
        let seen = gauge.clone();
        let subscription = signal.on(async move |_| seen.visit().await);
        let other = signal.clone();
        let emitter = task(async move {
            let report = other.emit(1).await;
            assert_eq!(report.failed(), 0);
        });
        yield_now().await;
        assert!(subscription.remove());
        subscription.removed().await;
        assert_eq!(gauge.now(), 0, "a call is running");
        let at_end = gauge.total();
        emitter.await.unwrap();
        assert_eq!(gauge.total(), at_end, "a call started after the removal");
    });
}

#[test]
fn an_emission_made_before_a_removal_reports_the_listener_once() {
    check(|| async {
        let signal = Signal::<u32>::new();
        let subscription = signal.on(async |_| {});
        let made = Arc::new(AtomicBool::new(false));
        let (other, begun) = (signal.clone(), Arc::clone(&made));
        let emitter = task(async move {
            let emission = other.emit(1);
            begun.store(true, Ordering::SeqCst);
            yield_now().await;
            let report = emission.await;
            assert_eq!(report.delivered() + report.skipped(), 1, "{report:?}");
        });
        while !made.load(Ordering::SeqCst) {
            yield_now().await;
        }
        assert!(subscription.remove());
        emitter.await.unwrap();
    });
}

async fn budget(signal: Signal<u32>, calls: u64, emitters: u32) {
    let gauge = Gauge::default();
    let seen = gauge.clone();
    let listen = signal.listen().times(calls);
    let subscription = listen.on(async move |_| seen.visit().await).unwrap();
    let delivered = Arc::new(AtomicUsize::new(0));
    let all = (0..emitters).map(|n| {
        let (signal, delivered) = (signal.clone(), Arc::clone(&delivered));
        task(async move {
            let report = signal.emit(n).await;
            delivered.fetch_add(report.delivered(), Ordering::SeqCst);
        })
    });
    beside(all.collect::<Vec<_>>()).await;
    let calls = usize::try_from(calls).unwrap();
    assert_eq!(gauge.total(), calls);
    assert_eq!(delivered.load(Ordering::SeqCst), calls);
    subscription.removed().await;
    assert!(signal.is_empty());
}

#[test]
fn once_is_called_once() {
    check(|| budget(Signal::new(), 1, 3));
}

#[test]
fn times_is_called_that_often_by_tasks() {
    check(|| budget(signals()[1].clone(), 2, 3));
}

#[test]
fn an_emission_sees_the_listeners_of_its_call() {
    check(|| async {
        let signal = Signal::<u32>::builder()
            .dispatch(Dispatch::Sequential)
            .build();
        signal.on(async |_| yield_now().await);
        let called = Arc::new(AtomicBool::new(false));
        let emission = signal.emit(1);
        let (other, after) = (signal.clone(), Arc::clone(&called));
        let adder = task(async move {
            other.on(async move |_| after.store(true, Ordering::SeqCst));
        });
        assert_eq!(emission.await.delivered(), 1);
        adder.await.unwrap();
        assert!(!called.load(Ordering::SeqCst));
        assert_eq!(signal.emit(2).await.delivered(), 2);
    });
}
