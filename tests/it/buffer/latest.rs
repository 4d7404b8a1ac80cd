//! The latest event of each key.

use std::sync::{Arc, OnceLock};

use fanfare::{DropReason, EnqueueError, Overflow, Signal, SignalBuilder, WeakSignal};

use super::Slow;
use crate::support::settle;

fn latest() -> SignalBuilder<(char, u32)> {
    Signal::builder().latest_by(|event: &(char, u32)| event.0)
}

fn superseded(events: &[(char, u32)]) -> Vec<((char, u32), DropReason)> {
    let reason = |event: &_| (*event, DropReason::Superseded);
    events.iter().map(reason).collect()
}

#[tokio::test(start_paused = true)]
async fn a_newer_event_takes_the_place_of_the_older_of_its_key() {
    let slow = Slow::new(latest().buffer(3));
    for event in [('a', 1), ('b', 1), ('c', 1), ('a', 2), ('c', 2), ('a', 3)] {
        slow.signal.try_enqueue(event).unwrap();
    }
    assert_eq!(slow.signal.buffered(), (3, 3));
    assert_eq!(
        slow.dropped.take(),
        superseded(&[('a', 1), ('c', 1), ('a', 2)])
    );
    let stats = slow.signal.stats();
    assert_eq!(
        (stats.enqueued(), stats.dropped(), stats.refused()),
        (6, 3, 0)
    );
    assert_eq!(stats.dropped_by(DropReason::Superseded), 3);
    assert_eq!(stats.dropped_by(DropReason::Oldest), 0);
    assert_eq!(slow.finish().await, [('a', 3), ('b', 1), ('c', 2)]);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_being_emitted_does_not_wait_any_more() {
    let slow = Slow::new(latest());
    slow.signal.try_enqueue(('a', 1)).unwrap();
    settle().await;
    slow.signal.try_enqueue(('a', 2)).unwrap();
    slow.signal.try_enqueue(('a', 3)).unwrap();
    assert_eq!(slow.dropped.take(), superseded(&[('a', 2)]));
    assert_eq!(slow.finish().await, [('a', 1), ('a', 3)]);
}

#[tokio::test(start_paused = true)]
async fn the_policy_concerns_the_keys_that_do_not_wait() {
    for (overflow, refused, dropped) in [
        (Overflow::Wait, true, None),
        (Overflow::Reject, true, None),
        (
            Overflow::DropOldest,
            false,
            Some((('a', 2), DropReason::Oldest)),
        ),
        (
            Overflow::DropNewest,
            false,
            Some((('c', 1), DropReason::Newest)),
        ),
    ] {
        let slow = Slow::new(latest().buffer(2).overflow(overflow));
        for event in [('a', 1), ('b', 1), ('a', 2)] {
            slow.signal.try_enqueue(event).unwrap();
        }
        slow.dropped.take();
        let taken = slow.signal.try_enqueue(('c', 1));
        assert_eq!(taken.is_err(), refused, "{overflow:?}");
        assert_eq!(slow.dropped.take(), Vec::from_iter(dropped), "{overflow:?}");
        // What left the buffer is not found there any more.
        let known = slow.signal.try_enqueue(('b', 2));
        assert!(known.is_ok(), "{overflow:?}");
        let left = slow.finish().await;
        let expected = match overflow {
            Overflow::DropOldest => [('b', 2), ('c', 1)],
            _ => [('a', 2), ('b', 2)],
        };
        assert_eq!(left, expected, "{overflow:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_room_takes_the_place_of_its_key_and_leaves_the_room_to_others() {
    let slow = Slow::new(latest().buffer(1));
    slow.signal.try_enqueue(('x', 0)).unwrap();
    settle().await;
    slow.signal.try_enqueue(('y', 0)).unwrap();
    let waiting: Vec<_> = [('a', 1), ('a', 2), ('b', 1)]
        .map(|event| {
            let signal = slow.signal.clone();
            tokio::spawn(async move { signal.enqueue(event).await })
        })
        .into();
    settle().await;
    // `y` is emitted, `a` gets its place; the second `a` has to wait for room all the same.
    slow.take(1).await;
    assert_eq!(slow.signal.buffered(), (1, 1));
    assert_eq!(slow.dropped.take(), []);
    slow.take(1).await;
    slow.take(1).await;
    for waiting in waiting {
        waiting.await.unwrap().unwrap();
    }
    let all = slow.finish().await;
    assert_eq!(all.last(), Some(&('b', 1)), "{all:?}");
    let stats = slow.signal.stats();
    assert_eq!(all.len() as u64 + stats.dropped(), 5);
}

#[tokio::test(start_paused = true)]
async fn room_that_is_not_needed_goes_to_the_next() {
    let slow = Slow::new(latest().buffer(2).overflow(Overflow::Reject));
    let first = slow.signal.ready().await.unwrap();
    let second = slow.signal.ready().await.unwrap();
    first.enqueue(('a', 1)).unwrap();
    second.enqueue(('a', 2)).unwrap();
    assert_eq!(slow.dropped.take(), superseded(&[('a', 1)]));
    slow.signal.try_enqueue(('b', 1)).unwrap();
    assert!(matches!(
        slow.signal.try_enqueue(('c', 1)),
        Err(EnqueueError::Full(('c', 1)))
    ));
    assert_eq!(slow.finish().await, [('a', 2), ('b', 1)]);
}

/// Under the lock, it would wait for itself.
#[test]
fn what_the_closures_ask_of_the_buffer_is_answered() {
    let itself = Arc::new(OnceLock::<WeakSignal<u32>>::new());
    let own = Arc::clone(&itself);
    let waiting = move || own.get().unwrap().upgrade().unwrap().buffered().0;
    let lane = waiting.clone();
    let signal = Signal::<u32>::builder()
        .latest_by(move |_| waiting())
        .priorities(2, move |_| lane())
        .build();
    itself.set(signal.downgrade()).unwrap();
    for n in 0..4 {
        signal.try_enqueue(n).unwrap();
    }
    assert_eq!(signal.buffered().0, 4);
}

#[tokio::test(start_paused = true)]
async fn what_a_shutdown_drops_is_told_once_each() {
    let slow = Slow::new(latest());
    for event in [('a', 1), ('a', 2), ('b', 1)] {
        slow.signal.try_enqueue(event).unwrap();
    }
    let left = slow
        .signal
        .shutdown(std::time::Duration::from_millis(1))
        .await;
    assert!(!left.is_clean());
    let stats = slow.signal.stats();
    assert_eq!(stats.dropped_by(DropReason::Superseded), 1);
    // `a` was being emitted when it was cancelled.
    assert_eq!(stats.dropped_by(DropReason::Shutdown), 1);
    assert_eq!(slow.dropped.len(), 2);
}
