//! Listeners that are paused and resumed while events are emitted.

use std::sync::{Arc, Mutex};

use fanfare::{Dispatch, Outcome, Pause, Signal};
use shuttle::future::yield_now;

use crate::support::{Gauge, NEVER, beside, check, task};

type Seen = Arc<Mutex<Vec<u32>>>;

/// A listener that notes its events, and what it noted.
fn listener(signal: &Signal<u32>, seen: &Seen, gauge: &Gauge) {
    let (seen, gauge) = (Arc::clone(seen), gauge.clone());
    // With a filter, each look at it is a close one.
    let listen = signal.listen().key("it").replace().filter(|_| true);
    let it = async move |n| {
        gauge.visit().await;
        seen.lock().unwrap().push(n);
    };
    listen.on(it).unwrap();
}

fn holding() -> Pause {
    Pause::until_resumed().buffer(10)
}

/// Emits one after another, and says how many were skipped.
async fn emitter(signal: Signal<u32>, events: u32) -> usize {
    let mut skipped = 0;
    for n in 0..events {
        let report = signal.emit(n).await;
        let accepted = report.delivered() + report.count(Outcome::Deferred);
        assert_eq!(accepted + report.skipped(), 1, "{report:?}");
        skipped += report.skipped();
    }
    skipped
}

/// What was seen, at the end of all.
async fn at_end(signal: &Signal<u32>, seen: &Seen) -> Vec<u32> {
    let left = signal.shutdown(NEVER).await;
    assert!(left.is_clean(), "{left} of {}", signal.describe());
    let seen = seen.lock().unwrap().clone();
    assert_eq!(signal.stats().count(Outcome::Done), seen.len() as u64);
    seen
}

#[test]
fn what_is_held_comes_once_and_in_its_order() {
    check(|| async {
        let signal = Signal::<u32>::new();
        let (seen, gauge) = (Seen::default(), Gauge::default());
        listener(&signal, &seen, &gauge);
        let emits = signal.clone();
        let emitter = task(async move { assert_eq!(emitter(emits, 3).await, 0) });
        let sub = signal.subscription("it").unwrap();
        for _ in 0..2 {
            sub.pause(holding()).unwrap();
            yield_now().await;
            sub.resume();
        }
        emitter.await.unwrap();
        assert_eq!(at_end(&signal, &seen).await, [0, 1, 2]);
        assert_eq!(gauge.peak(), 1, "one after another");
        assert_eq!(sub.metadata().calls(), 3);
    });
}

/// Two that resume: one of them begins the delivery.
#[test]
fn what_is_held_is_delivered_by_one() {
    check(|| async {
        let signal = Signal::<u32>::new();
        let (seen, gauge) = (Seen::default(), Gauge::default());
        listener(&signal, &seen, &gauge);
        signal.pause("it", holding()).unwrap();
        assert_eq!(emitter(signal.clone(), 2).await, 0);
        let resumes = [1, 2].map(|_| {
            let signal = signal.clone();
            task(async move { drop(signal.resume("it")) })
        });
        beside(resumes).await;
        assert_eq!(at_end(&signal, &seen).await, [0, 1]);
        assert_eq!(gauge.peak(), 1, "one after another");
    });
}

async fn removal(signal: Signal<u32>, paused_before: bool) {
    let (seen, gauge) = (Seen::default(), Gauge::default());
    listener(&signal, &seen, &gauge);
    let sub = signal.subscription("it").unwrap();
    if paused_before {
        sub.pause(holding()).unwrap();
    }
    let emits = signal.clone();
    let emitter = task(async move {
        let report = emits.emit(0).await;
        assert!(report.failed() == 0 && report.delivered() <= 1);
    });
    yield_now().await;
    assert!(sub.remove());
    if !paused_before {
        // Stale, and harmless.
        sub.pause(holding()).unwrap();
    }
    emitter.await.unwrap();
    sub.removed().await;
    assert_eq!(sub.metadata().held(), 0, "it is held for nobody");
    let stats = signal.stats();
    let [skipped, deferred] = [Outcome::Skipped, Outcome::Deferred].map(|o| stats.count(o));
    assert!(skipped >= deferred, "what was held is counted");
    assert!(!paused_before || at_end(&signal, &seen).await.is_empty());
}

#[test]
fn what_a_listener_held_that_is_removed_is_counted() {
    check(|| removal(Signal::new(), true));
}

#[test]
fn a_listener_that_is_paused_when_it_is_removed_holds_nothing() {
    // In a task the listener is looked at again before its call.
    let tasks = || Signal::builder().dispatch(Dispatch::Parallel);
    check(move || removal(tasks().build(), false));
}

#[test]
fn what_is_held_goes_to_the_listener_that_takes_the_place() {
    check(|| async {
        let signal = Signal::<u32>::new();
        let (seen, gauge) = (Seen::default(), Gauge::default());
        listener(&signal, &seen, &gauge);
        signal.pause("it", holding()).unwrap();
        let emits = signal.clone();
        let emitter = task(async move { assert_eq!(emitter(emits, 3).await, 0) });
        yield_now().await;
        listener(&signal, &seen, &gauge);
        signal.resume("it").unwrap();
        listener(&signal, &seen, &gauge);
        emitter.await.unwrap();
        assert_eq!(at_end(&signal, &seen).await, [0, 1, 2]);
        assert_eq!(gauge.peak(), 1, "one after another");
    });
}

#[test]
fn a_shutdown_delivers_or_counts_what_is_held() {
    check(|| async {
        let signal = Signal::<u32>::new();
        let (seen, gauge) = (Seen::default(), Gauge::default());
        listener(&signal, &seen, &gauge);
        signal.pause("it", holding()).unwrap();
        assert_eq!(emitter(signal.clone(), 2).await, 0);
        let resumes = signal.clone();
        let resumer = task(async move { drop(resumes.resume("it")) });
        let left = signal.shutdown(NEVER).await;
        let undelivered: usize = left.undelivered().iter().map(|left| left.events()).sum();
        let delivered = seen.lock().unwrap().len();
        assert_eq!((gauge.now(), delivered + undelivered), (0, 2));
        resumer.await.unwrap();
        assert_eq!(
            seen.lock().unwrap().len(),
            delivered,
            "a call started after the shutdown"
        );
        let cancelled = signal.stats().count(Outcome::Cancelled);
        assert_eq!(cancelled, undelivered as u64);
    });
}
