//! The bounded buffer: nothing that was taken is lost, order is kept, nobody waits for ever.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use fanfare::{Dispatch, DropReason, EnqueueError, Outcome, Overflow, Pool, Signal};
use shuttle::future::yield_now;
use shuttle::rand::{Rng as _, thread_rng};

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

/// What came of the events, as their producers know it.
#[derive(Default)]
struct Came {
    taken: AtomicU64,
    given_back: AtomicU64,
    /// What the buffer dropped, as the callback was told.
    dropped: AtomicU64,
}

impl Came {
    fn note(&self, result: Result<(), EnqueueError<u32>>, event: u32) {
        let count = match result {
            Ok(()) => &self.taken,
            Err(refused) => {
                assert_eq!(refused.into_event(), event);
                &self.given_back
            }
        };
        count.fetch_add(1, Ordering::SeqCst);
    }
}

fn one_of(choices: u32) -> u32 {
    thread_rng().gen_range(0..choices)
}

/// A signal with any policy, one lane or two, the latest by key or all, and a listener that suspends.
fn any_signal(came: &Arc<Came>) -> Signal<u32> {
    let overflow = [
        Overflow::Wait,
        Overflow::WaitUpTo(Duration::from_millis(1)),
        Overflow::Reject,
        Overflow::DropOldest,
        Overflow::DropNewest,
    ][one_of(5) as usize];
    let told = Arc::clone(came);
    let mut builder = Signal::<u32>::builder()
        .buffer(1 + one_of(2) as usize)
        .overflow(overflow)
        .dispatch(Dispatch::Concurrent)
        .on_dropped(move |_, _| {
            told.dropped.fetch_add(1, Ordering::SeqCst);
        });
    if one_of(2) == 0 {
        builder = builder.priorities(2, |n| (n % 2) as usize);
    }
    if one_of(2) == 0 {
        builder = builder.latest_by(|n| n % 3);
    }
    let signal = builder.build();
    signal.on(async move |_| yield_now().await);
    signal
}

/// Polls a future so many times at most, and drops it.
async fn polled<F: Future>(times: u32, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = times;
    std::future::poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => {
                // Whoever is to be dropped is not to wait for being woken.
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    })
    .await
}

/// Sends an event in one of the ways that there are, or gives up on the way.
async fn produce(signal: &Signal<u32>, came: &Came, event: u32) {
    let times = 1 + one_of(6);
    match one_of(4) {
        0 => came.note(signal.try_enqueue(event), event),
        1 => {
            if let Some(result) = polled(times, signal.enqueue(event)).await {
                came.note(result, event);
            }
        }
        2 => {
            if let Some(Ok(ready)) = polled(times, signal.ready()).await {
                yield_now().await;
                came.note(ready.enqueue(event), event);
            }
        }
        _ => drop(polled(times, signal.ready()).await),
    }
}

/// Taken is delivered, or dropped and told; given back is counted; and every place is free again.
fn account(signal: &Signal<u32>, came: &Came) {
    let count = |count: &AtomicU64| count.load(Ordering::SeqCst);
    let stats = signal.stats();
    assert_eq!(signal.buffered().0, 0);
    assert_eq!(stats.refused(), count(&came.given_back));
    assert_eq!(stats.dropped(), count(&came.dropped));
    assert_eq!(stats.count(Outcome::Done), stats.emissions());
    assert_eq!(
        count(&came.taken),
        stats.emissions() + stats.dropped(),
        "taken, and delivered or dropped"
    );
    let kept_newest = stats.dropped_by(DropReason::Newest);
    assert_eq!(stats.enqueued() + kept_newest, count(&came.taken));
}

#[test]
fn what_is_taken_is_delivered_or_dropped_whoever_gives_up_on_the_way() {
    check(|| async {
        let came = Arc::<Came>::default();
        let signal = any_signal(&came);
        let producers = [0, 10, 20].map(|first| {
            let (signal, came) = (signal.clone(), Arc::clone(&came));
            task(async move {
                for n in 0..2 {
                    produce(&signal, &came, first + n).await;
                }
            })
        });
        beside(producers).await;
        while signal.buffered().0 > 0 {
            yield_now().await;
        }
        // Every place of every lane, at once: more than pressure lets pass, since nothing waits.
        let mut kept = Vec::new();
        let lanes = if signal.describe().to_string().contains("priorities") {
            2
        } else {
            1
        };
        for _ in 0..signal.buffered().1 / lanes {
            let ready = polled(1, signal.ready()).await;
            kept.push(ready.expect("every place is free").unwrap());
        }
        drop(kept);
        assert!(signal.shutdown(NEVER).await.is_clean());
        account(&signal, &came);
    });
}

#[test]
fn a_shutdown_that_comes_between_loses_no_event_and_wakes_all_who_wait() {
    check(|| async {
        let came = Arc::<Came>::default();
        let signal = any_signal(&came);
        let producers = [0, 10, 20].map(|first| {
            let (signal, came) = (signal.clone(), Arc::clone(&came));
            task(async move {
                for n in 0..2 {
                    let event = first + n;
                    if one_of(2) == 0 {
                        came.note(signal.enqueue(event).await, event);
                    } else if let Ok(ready) = signal.ready().await {
                        came.note(ready.enqueue(event), event);
                    } else {
                        assert!(signal.is_closed());
                    }
                }
            })
        });
        yield_now().await;
        let limit = [NEVER, Duration::from_millis(1)][one_of(2) as usize];
        let _ = signal.shutdown(limit).await;
        beside(producers).await;
        let count = |count: &AtomicU64| count.load(Ordering::SeqCst);
        let known = || signal.stats().emissions() + signal.stats().dropped();
        // A drain may have taken one just before the limit, and have yet to find that it is cancelled.
        let _ = signal.shutdown(NEVER).await;
        assert_eq!(known(), count(&came.taken), "delivered or dropped, taken");
        assert_eq!(signal.stats().refused(), count(&came.given_back));
        assert_eq!(signal.stats().dropped(), count(&came.dropped));
    });
}

/// A listener that is far behind, and producers that only send when they are ready.
#[test]
fn those_who_wait_until_they_are_ready_lose_nothing() {
    check(|| async {
        let overflow = [Overflow::Reject, Overflow::DropOldest, Overflow::DropNewest];
        let signal = Signal::<u32>::builder()
            .buffer(3)
            .watermarks(1, 2)
            .overflow(overflow[one_of(3) as usize])
            .build();
        signal.on(async move |_| yield_now().await);
        let producers = [0, 10, 20].map(|first| {
            let signal = signal.clone();
            task(async move {
                for n in 0..3 {
                    let ready = signal.ready().await.unwrap();
                    yield_now().await;
                    ready.enqueue(first + n).unwrap();
                }
            })
        });
        beside(producers).await;
        assert!(signal.shutdown(NEVER).await.is_clean());
        let stats = signal.stats();
        assert_eq!(
            (stats.emissions(), stats.dropped(), stats.refused()),
            (9, 0, 0)
        );
    });
}

/// The first of those who wait goes away, perhaps just as the pressure ends, and the next is woken all the same.
#[test]
fn who_gives_up_waiting_for_the_low_mark_leaves_it_to_the_next() {
    check(|| async {
        let signal = Signal::<u32>::builder().buffer(2).watermarks(1, 2).build();
        signal.on(async move |_| yield_now().await);
        for n in 0..2 {
            signal.try_enqueue(n).unwrap();
        }
        let (first, second) = (signal.clone(), signal.clone());
        let leaves = task(async move { drop(polled(one_of(5), first.ready()).await) });
        let stays = task(async move { second.ready().await.unwrap().enqueue(9).unwrap() });
        beside([leaves, stays]).await;
        assert!(signal.shutdown(NEVER).await.is_clean());
        assert_eq!(signal.stats().emissions(), 3);
    });
}
