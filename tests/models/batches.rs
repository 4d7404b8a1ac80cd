//! Batches whose calls come, wait and go beside each other.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fanfare::{Batches, Signal};
use futures::future::{Either, select};
use shuttle::future::yield_now;

use crate::support::{NEVER, beside, check, task};

type Seen = Arc<Mutex<Vec<Vec<u32>>>>;

/// Which of the calls is dropped, if its emission has not ended after some steps.
async fn calls(signal: Signal<u32>, events: u32, dropped: u32) {
    let call = |n| {
        let signal = signal.clone();
        task(async move {
            let emit = pin!(signal.emit(n));
            if n != dropped {
                assert!(emit.await.is_ok());
                return;
            }
            let steps = pin!(async {
                for _ in 0..3 {
                    yield_now().await;
                }
            });
            if let Either::Left((report, _)) = select(emit, steps).await {
                assert!(report.is_ok());
            }
        })
    };
    // All of them, before any is waited for.
    let calls: Vec<_> = (0..events).map(call).collect();
    beside(calls).await;
}

async fn model(size: usize, events: u32, dropped: u32, steps: u32) {
    let signal = Signal::<u32>::new();
    let seen = Seen::default();
    let log = Arc::clone(&seen);
    let within = Duration::from_secs(1);
    signal.on_batch(Batches::of(size).within(within), async move |events| {
        for _ in 0..steps {
            yield_now().await;
        }
        log.lock().unwrap().push(events);
    });
    calls(signal.clone(), events, dropped).await;
    let left = signal.shutdown(NEVER).await;
    assert!(left.is_clean(), "{left}");
    let mut seen = seen.lock().unwrap().concat();
    seen.sort_unstable();
    let all = (0..events).filter(|n| *n != dropped || seen.contains(n));
    assert_eq!(seen, all.collect::<Vec<_>>(), "each once");
}

/// Longer than whoever gives up waits.
const LONG: u32 = 4;

/// The last batch is never full: its time is up, whenever the scheduler likes.
#[test]
fn every_call_has_its_outcome_though_one_is_dropped() {
    check(|| model(2, 3, 1, LONG));
}

/// Whoever makes a batch full leads it, and is dropped.
#[test]
fn a_batch_whose_leader_is_dropped_goes_on() {
    check(|| model(2, 2, 1, LONG));
}

/// Each batch waits for the one before it.
#[test]
fn batches_hand_their_turn_on() {
    check(|| model(1, 3, 0, LONG));
}

/// The second call may fill the batch and deliver it while the first learns that its time is up.
#[test]
fn a_batch_may_have_ended_as_its_time_is_up() {
    check(|| model(2, 2, u32::MAX, 0));
}

/// One has ended, and whoever leads the next has not come to it yet.
#[test]
fn batches_begin_one_after_another_in_their_order() {
    check(|| async {
        let signal = Signal::<u32>::new();
        let seen = Seen::default();
        let log = Arc::clone(&seen);
        signal.on_batch(Batches::of(1), async move |events| {
            log.lock().unwrap().push(events);
            yield_now().await;
        });
        for n in 0..3 {
            signal.try_enqueue(n).unwrap();
        }
        let left = signal.shutdown(NEVER).await;
        assert!(left.is_clean(), "{left}");
        assert_eq!(*seen.lock().unwrap(), [[0], [1], [2]]);
    });
}
