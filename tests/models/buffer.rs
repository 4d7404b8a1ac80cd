//! The bounded buffer: nothing that was taken is lost, order is kept, nobody waits for ever.

use std::sync::{Arc, Mutex};

use fanfare::{Dispatch, EnqueueError, Pool, Signal};
use shuttle::future::yield_now;

use crate::support::{NEVER, beside, check, task};

type Seen = Arc<Mutex<Vec<u32>>>;

fn buffered(capacity: usize, drains: usize, pool: Option<&Pool>) -> (Signal<u32>, Seen) {
    let mut builder = Signal::<u32>::builder()
        .buffer(capacity)
        .enqueue_concurrency(drains)
        .dispatch(Dispatch::Concurrent);
    if let Some(pool) = pool {
        builder = builder.pool(pool.clone());
    }
    let (signal, seen) = (builder.build(), Seen::default());
    let list = Arc::clone(&seen);
    signal.on(async move |n| {
        list.lock().unwrap().push(n);
        yield_now().await;
    });
    (signal, seen)
}

/// Waits until that many have been delivered, with no call that would start a drain.
async fn delivered(signal: &Signal<u32>, seen: &Seen, events: usize) {
    for _ in 0..2_000 {
        if seen.lock().unwrap().len() >= events {
            break;
        }
        yield_now().await;
    }
    let delivered = seen.lock().unwrap().len();
    assert_eq!(delivered, events, "{} wait", signal.buffered().0);
}

fn sorted(seen: &Seen) -> Vec<u32> {
    let mut all = seen.lock().unwrap().clone();
    all.sort_unstable();
    all
}

#[test]
fn what_is_enqueued_is_delivered_in_order() {
    check(|| async {
        let (signal, seen) = buffered(1, 1, None);
        let producers = [10, 20].map(|first| {
            let signal = signal.clone();
            task(async move {
                for n in 0..3 {
                    signal.enqueue(first + n).await.unwrap();
                }
            })
        });
        beside(producers).await;
        delivered(&signal, &seen, 6).await;
        for first in [10, 20] {
            let own = seen.lock().unwrap().clone();
            let own: Vec<_> = own.into_iter().filter(|n| n / 10 == first / 10).collect();
            assert_eq!(own, [first, first + 1, first + 2]);
        }
        assert!(signal.shutdown(NEVER).await.is_clean());
    });
}

#[test]
fn no_event_is_left_without_a_drain() {
    check(|| async {
        let (signal, seen) = buffered(4, 1, None);
        // Each comes when the one before is being delivered, and so when its drain may be about to end.
        for n in 1..=4 {
            signal.try_enqueue(n).unwrap();
            delivered(&signal, &seen, n as usize).await;
        }
        assert!(signal.shutdown(NEVER).await.is_clean());
    });
}

#[test]
fn an_enqueue_that_waits_in_a_listener_holds_no_permit() {
    check(|| async {
        let pool = Pool::new(1);
        let (queue, seen) = buffered(1, 1, Some(&pool));
        let source = Signal::<u32>::builder().pool(pool).build();
        let target = queue.clone();
        source.try_on(async move |n| {
            target.enqueue(n).await?;
            target.enqueue(n + 1).await?;
            target.enqueue(n + 2).await?;
            Ok(())
        });
        let emitters = [10, 20].map(|n| {
            let source = source.clone();
            task(async move { assert!(source.emit(n).await.is_ok()) })
        });
        beside(emitters).await;
        assert!(queue.shutdown(NEVER).await.is_clean());
        assert_eq!(sorted(&seen), [10, 11, 12, 20, 21, 22]);
    });
}

#[test]
fn a_listener_never_waits_for_room_in_its_own_signal() {
    check(|| async {
        let signal = Signal::<u32>::builder().buffer(1).build();
        let refused = Seen::default();
        let (own, list) = (signal.downgrade(), Arc::clone(&refused));
        signal.on(async move |n: u32| {
            let Some(own) = own.upgrade() else { return };
            if n < 10 {
                if let Err(EnqueueError::WouldDeadlock(n)) = own.enqueue(n + 10).await {
                    list.lock().unwrap().push(n);
                }
            }
        });
        let producers = [1, 2, 3].map(|n| {
            let signal = signal.clone();
            task(async move { signal.enqueue(n).await.unwrap() })
        });
        beside(producers).await;
        assert!(signal.shutdown(NEVER).await.is_clean());
    });
}

#[test]
fn a_shutdown_delivers_what_was_taken_and_gives_back_the_rest() {
    check(|| async {
        let (signal, seen) = buffered(1, 1, None);
        let taken = Seen::default();
        let producers = [1, 2, 3].map(|n| {
            let (signal, taken) = (signal.clone(), Arc::clone(&taken));
            task(async move {
                match signal.enqueue(n).await {
                    Ok(()) => taken.lock().unwrap().push(n),
                    Err(refused) => {
                        assert!(signal.is_closed());
                        assert_eq!(refused.into_event(), n);
                    }
                }
            })
        });
        // From here on places come free, and those who wait take them.
        while seen.lock().unwrap().is_empty() {
            yield_now().await;
        }
        assert!(signal.shutdown(NEVER).await.is_clean());
        let at_end = seen.lock().unwrap().len();
        beside(producers).await;
        assert_eq!(sorted(&seen), sorted(&taken));
        assert_eq!(at_end, seen.lock().unwrap().len());
    });
}

/// Few steps, so that the scheduler often comes between two of them.
#[test]
fn who_has_got_room_as_the_signal_closes_is_waited_for_or_refused() {
    check(|| async {
        let signal = Signal::<u32>::builder().buffer(1).build();
        let seen = Seen::default();
        let list = Arc::clone(&seen);
        signal.on_sync(move |n| list.lock().unwrap().push(*n));
        signal.try_enqueue(1).unwrap();
        let other = signal.clone();
        let producer = task(async move {
            let closed = other.enqueue(2).await.is_err();
            assert!(!closed || other.is_closed());
        });
        yield_now().await;
        assert!(signal.shutdown(NEVER).await.is_clean());
        let at_end = seen.lock().unwrap().len();
        producer.await.unwrap();
        assert_eq!(signal.buffered().0, 0);
        assert_eq!(
            at_end,
            seen.lock().unwrap().len(),
            "delivered after the shutdown"
        );
    });
}
