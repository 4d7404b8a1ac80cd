//! The buffer in front of a signal: policies, exact counts, bounded memory, and what is given back.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fanfare::{DropReason, EnqueueError, Outcome, Overflow, Pool, Signal, WeakSignal};
use futures::future::join_all;
use tokio::time::{sleep, timeout};

use crate::support::{Gauge, Log, MODES, poll_once, settle};

const LONG: Duration = Duration::from_secs(1_000_000);

/// An event that knows how many of its kind are alive.
struct Live {
    number: usize,
    alive: Gauge,
    _inside: crate::support::Inside,
}

impl Live {
    fn new(number: usize, alive: &Gauge) -> Self {
        Self {
            number,
            alive: alive.clone(),
            _inside: alive.enter(),
        }
    }
}

impl Clone for Live {
    fn clone(&self) -> Self {
        Self::new(self.number, &self.alive)
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_thousand_events_are_delivered_given_back_or_dropped_and_the_sum_is_exact() {
    for overflow in [
        Overflow::Wait,
        Overflow::Reject,
        Overflow::DropOldest,
        Overflow::DropNewest,
    ] {
        let (alive, delivered) = (Gauge::default(), Gauge::default());
        let dropped = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&dropped);
        let signal = Signal::<Live>::builder()
            .pool(Pool::new(4))
            .buffer(1_000)
            .enqueue_concurrency(8)
            .overflow(overflow)
            .on_dropped(move |_, reason| {
                let expected = match overflow {
                    Overflow::DropOldest => DropReason::Oldest,
                    _ => DropReason::Newest,
                };
                assert_eq!(reason, expected);
                seen.fetch_add(1, Ordering::Relaxed);
            })
            .build();
        let count = delivered.clone();
        signal.on(async move |_| {
            let _inside = count.enter();
            sleep(Duration::from_millis(20)).await;
        });
        let (mut given_back, mut taken) = (0, 0);
        for number in 0..100_000 {
            let event = Live::new(number, &alive);
            let result = if number % 7 > 0 {
                signal.try_enqueue(event)
            } else {
                signal.enqueue(event).await
            };
            match result {
                Ok(()) => taken += 1,
                Err(refused) => {
                    assert!(refused.is_full());
                    assert_eq!(refused.into_event().number, number);
                    given_back += 1;
                }
            }
            if number % 1_000 == 0 {
                sleep(Duration::from_millis(100)).await;
            }
        }
        assert!(signal.shutdown(LONG).await.is_clean());
        let (delivered, dropped) = (delivered.total(), dropped.load(Ordering::Relaxed));
        assert_eq!(
            delivered + given_back + dropped,
            100_000,
            "{overflow:?}: {delivered}, {given_back}, {dropped}"
        );
        let newest = if overflow == Overflow::DropNewest {
            dropped
        } else {
            0
        };
        let stats = signal.stats();
        assert_eq!(stats.enqueued(), (taken - newest) as u64, "{overflow:?}");
        assert_eq!(stats.refused(), given_back as u64, "{overflow:?}");
        assert_eq!(stats.dropped(), dropped as u64, "{overflow:?}");
        assert_eq!(stats.count(Outcome::Done), delivered as u64, "{overflow:?}");
        assert!(delivered > 1_000, "{overflow:?}");
        match overflow {
            Overflow::Wait => assert!(dropped == 0 && given_back > 0),
            Overflow::Reject => assert!(dropped == 0 && given_back > 50_000),
            _ => assert!(dropped > 50_000 && given_back == 0),
        }
        // The buffer, those that are being emitted, and the one on its way in.
        assert!(
            alive.peak() <= 1_000 + 2 * 8 + 2,
            "{overflow:?}: {}",
            alive.peak()
        );
        assert_eq!(alive.now(), 0, "{overflow:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_million_events_into_a_slow_signal_keep_memory_flat_and_counts_exact() {
    for overflow in [Overflow::Reject, Overflow::DropOldest, Overflow::DropNewest] {
        let (alive, delivered) = (Gauge::default(), Gauge::default());
        let signal = Signal::<Live>::builder()
            .buffer(100)
            .overflow(overflow)
            .build();
        let count = delivered.clone();
        signal.on(async move |_| {
            let _inside = count.enter();
            sleep(Duration::from_secs(1)).await;
        });
        let mut given_back = 0;
        for number in 0..1_000_000 {
            if signal.try_enqueue(Live::new(number, &alive)).is_err() {
                given_back += 1;
            }
            if number % 10_000 == 0 {
                sleep(Duration::from_millis(2_500)).await;
            }
        }
        assert!(signal.shutdown(LONG).await.is_clean());
        let stats = signal.stats();
        let sum = stats.count(Outcome::Done) + stats.refused() + stats.dropped();
        assert_eq!(sum, 1_000_000, "{overflow:?}");
        assert_eq!(stats.count(Outcome::Done), delivered.total() as u64);
        assert_eq!(stats.refused(), given_back);
        assert!(alive.peak() <= 103, "{overflow:?}: {}", alive.peak());
        assert_eq!(alive.now(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn each_policy_keeps_what_it_says() {
    for (overflow, delivered, dropped, refused) in [
        (Overflow::Wait, vec![0, 1, 2], vec![], vec![3, 4]),
        (Overflow::Reject, vec![0, 1, 2], vec![], vec![3, 4]),
        (Overflow::DropOldest, vec![2, 3, 4], vec![0, 1], vec![]),
        (Overflow::DropNewest, vec![0, 1, 2], vec![3, 4], vec![]),
    ] {
        let (seen, shown) = (Log::default(), Log::default());
        let (line, second) = (shown.clone(), Gauge::default());
        let count = second.clone();
        let signal = Signal::<u32>::builder()
            .buffer(3)
            .overflow(overflow)
            .on_dropped(move |_, _| drop(count.enter()))
            .on_dropped(move |event, _| line.push(event))
            .build();
        let line = seen.clone();
        signal.on_sync(move |event| line.push(*event));
        let mut given_back = Vec::new();
        for event in 0..5 {
            if let Err(error) = signal.try_enqueue(event) {
                given_back.push(error.into_event());
            }
        }
        assert_eq!(signal.buffered(), (3, 3), "{overflow:?}");
        assert!(signal.shutdown(LONG).await.is_clean());
        assert_eq!(seen.take(), delivered, "{overflow:?}");
        assert_eq!(second.total(), dropped.len(), "{overflow:?}");
        assert_eq!(shown.take(), dropped, "{overflow:?}");
        assert_eq!(given_back, refused, "{overflow:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_wait_waits_for_room_and_in_order() {
    let signal = Signal::<u32>::builder().buffer(2).build();
    let log = Log::default();
    let line = log.clone();
    signal.on(async move |event| {
        sleep(Duration::from_millis(10)).await;
        line.push(event);
    });
    let all = join_all((0..50).map(|event| signal.enqueue(event))).await;
    assert!(all.iter().all(Result::is_ok));
    assert!(signal.shutdown(LONG).await.is_clean());
    assert_eq!(log.take(), (0..50).collect::<Vec<_>>());

    for overflow in [Overflow::Reject, Overflow::DropOldest, Overflow::DropNewest] {
        let signal = Signal::<u32>::builder()
            .buffer(1)
            .overflow(overflow)
            .build();
        signal.on(async |_| std::future::pending::<()>().await);
        signal.enqueue(1).await.unwrap();
        let next = timeout(LONG, signal.enqueue(2)).await.expect("no wait");
        assert_eq!(next.is_err(), overflow == Overflow::Reject);
    }
}

#[tokio::test(start_paused = true)]
async fn an_enqueue_that_is_dropped_while_it_waits_takes_no_place() {
    let signal = Signal::<u32>::builder().buffer(1).build();
    let log = Log::default();
    let line = log.clone();
    signal.on(async move |event| {
        sleep(Duration::from_secs(10)).await;
        line.push(event);
    });
    signal.enqueue(1).await.unwrap();
    settle().await;
    signal.enqueue(2).await.unwrap();
    let waiting = timeout(Duration::from_secs(1), signal.enqueue(3)).await;
    assert!(waiting.is_err());
    signal.enqueue(4).await.unwrap();
    assert!(signal.shutdown(LONG).await.is_clean());
    assert_eq!(log.take(), [1, 2, 4]);
    assert_eq!(signal.stats().enqueued(), 3);
}

#[tokio::test(start_paused = true)]
async fn order_is_kept_one_at_a_time_and_more_at_once_overlap() {
    for mode in MODES {
        for at_once in [1, 4] {
            let signal = Signal::<u32>::builder()
                .dispatch(mode)
                .enqueue_concurrency(at_once)
                .build();
            let (gauge, log) = (Gauge::default(), Log::default());
            let (count, line) = (gauge.clone(), log.clone());
            signal.on(async move |n| {
                let _inside = count.enter();
                sleep(Duration::from_millis(u64::from(n * 7 % 5))).await;
                line.push(n);
            });
            for n in 0..40 {
                signal.try_enqueue(n).unwrap();
            }
            assert!(signal.shutdown(LONG).await.is_clean());
            assert_eq!(gauge.peak(), at_once, "{mode}");
            let finished = log.take();
            assert_eq!(finished.len(), 40);
            assert_eq!(finished.is_sorted(), at_once == 1, "{mode}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_would_wait_for_itself_is_refused() {
    for mode in MODES {
        let signal = Signal::<u32>::builder().dispatch(mode).buffer(1).build();
        let other = Signal::<u64>::builder().dispatch(mode).build();
        let refused = Log::default();
        let (line, inner) = (refused.clone(), signal.downgrade());
        // Through another signal's listener too: that one would wait for it as well.
        other.on(async move |n: u64| {
            let inner = inner.upgrade().unwrap();
            for _ in 0..3 {
                if let Err(error) = inner.enqueue(0).await {
                    assert!(matches!(error, EnqueueError::WouldDeadlock(0)));
                    line.push(n);
                }
            }
        });
        let other_signal = other.clone();
        signal.on(async move |n: u32| {
            if n > 0 {
                let report = other_signal.emit(u64::from(n)).await;
                assert!(report.is_ok(), "{report:?}");
            }
        });
        signal.enqueue(7).await.unwrap();
        let drained = timeout(LONG, async {
            settle().await;
            signal.shutdown(LONG).await
        });
        assert!(drained.await.expect("no deadlock").is_clean(), "{mode}");
        assert_eq!(refused.take(), [7, 7], "{mode}");
        assert_eq!(signal.stats().refused(), 2);
    }
}

#[test]
fn a_wait_for_room_without_a_runtime_is_refused_and_gives_the_event_back() {
    let signal = Signal::<u32>::builder().buffer(1).build();
    futures::executor::block_on(async {
        signal.enqueue(1).await.unwrap();
        let refused = signal.enqueue(2).await.unwrap_err();
        assert!(matches!(refused, EnqueueError::NoRuntime(2)));
        assert!(refused.to_string().contains("no tokio runtime"));
    });
    let refused = signal.emit_detached(3).unwrap_err();
    assert!(matches!(refused, EnqueueError::NoRuntime(3)));
    assert_eq!(signal.stats().refused(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_closed_signal_gives_every_event_back_to_those_who_wait_too() {
    let signal = Signal::<u32>::builder().buffer(1).build();
    signal.on(async |_| std::future::pending::<()>().await);
    signal.enqueue(0).await.unwrap();
    settle().await;
    signal.enqueue(1).await.unwrap();
    let waiters: Vec<_> = (10..15)
        .map(|n| {
            let signal = signal.clone();
            tokio::spawn(async move { signal.enqueue(n).await })
        })
        .collect();
    settle().await;
    let left = signal.shutdown(Duration::from_secs(1)).await;
    assert_eq!(left.undelivered()[0].events(), 1);
    for (n, waiter) in (10..15).zip(waiters) {
        let refused = waiter.await.unwrap().unwrap_err();
        assert!(matches!(refused, EnqueueError::Closed(back) if back == n));
    }
    let closed = [
        signal.enqueue(2).await,
        signal.try_enqueue(2),
        signal.emit_detached(2),
    ];
    for refused in closed {
        let refused = refused.unwrap_err();
        assert!(refused.is_closed(), "{refused}");
        assert_eq!(refused.into_event(), 2);
    }
    assert_eq!(signal.stats().refused(), 8);
}

#[tokio::test(start_paused = true)]
async fn detached_emissions_are_bounded_and_overlap() {
    let signal = Signal::<u32>::builder().max_detached(3).build();
    let gauge = Gauge::default();
    let count = gauge.clone();
    signal.on(async move |_| {
        let _inside = count.enter();
        sleep(Duration::from_secs(1)).await;
    });
    for n in 0..3 {
        signal.emit_detached(n).unwrap();
    }
    let refused = signal.emit_detached(3).unwrap_err();
    assert!(refused.is_full());
    assert_eq!(refused.into_event(), 3);
    sleep(Duration::from_secs(2)).await;
    signal.emit_detached(4).unwrap();
    assert!(signal.shutdown(LONG).await.is_clean());
    assert_eq!((gauge.peak(), gauge.total()), (3, 4));
}

#[tokio::test]
async fn a_listener_that_is_always_ready_does_not_starve_the_runtime() {
    let signal = Signal::<u32>::builder().buffer(100_000).build();
    let gauge = Gauge::default();
    let count = gauge.clone();
    signal.on_sync(move |_| drop(count.enter()));
    for n in 0..100_000 {
        signal.try_enqueue(n).unwrap();
    }
    tokio::task::yield_now().await;
    assert!((1..100_000).contains(&gauge.total()), "{}", gauge.total());
    assert!(signal.shutdown(LONG).await.is_clean());
    assert_eq!(gauge.total(), 100_000);
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_panics_loses_no_other_event() {
    let signal = Signal::<u32>::builder()
        .buffer(1)
        .overflow(Overflow::DropOldest)
        .on_dropped(|_, _| panic!("in the callback"))
        .build();
    let log = Log::default();
    let line = log.clone();
    signal.on_sync(move |n| line.push(*n));
    for n in 0..5 {
        signal.try_enqueue(n).unwrap();
    }
    assert!(signal.shutdown(LONG).await.is_clean());
    assert_eq!((log.take(), signal.stats().dropped()), (vec![4], 4));
}

#[tokio::test]
async fn a_failure_callback_that_waits_for_room_in_the_buffer_of_its_signal_is_refused() {
    let itself = Arc::new(OnceLock::<WeakSignal<u32>>::new());
    let (within, log) = (Arc::clone(&itself), Log::default());
    let line = log.clone();
    let signal = Signal::<u32>::builder()
        .buffer(1)
        .on_failure(move |_| {
            let signal = within.get().and_then(WeakSignal::upgrade).unwrap();
            let taken = signal.try_enqueue(2).is_ok();
            let waited = poll_once(&mut Box::pin(signal.enqueue(3)));
            line.push((taken, waited));
        })
        .build();
    assert!(itself.set(signal.downgrade()).is_ok());
    signal.on(async |n| if n == 1 { Err("refused") } else { Ok(()) });
    signal.enqueue(1).await.unwrap();
    settle().await;
    assert!(signal.shutdown(LONG).await.is_clean());
    let refused = Some(Err(EnqueueError::WouldDeadlock(3)));
    assert_eq!(log.take(), [(true, refused)]);
    assert_eq!(signal.stats().emissions(), 2);
}
