//! The buffer: nothing is lost without being counted, and memory is bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fanfare::{Bus, Dispatch, DropReason, EnqueueError, Outcome, Overflow, Pool, Signal};
use tokio::time::sleep;

use crate::support::Ledger;

const MILLI: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

/// An event that counts how many of it live.
struct Live(Arc<AtomicUsize>);

impl Live {
    fn new(live: &Arc<AtomicUsize>) -> Self {
        live.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(live))
    }
}

impl Clone for Live {
    fn clone(&self) -> Self {
        Self::new(&self.0)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_thousand_events_are_delivered_given_back_or_dropped_exactly() {
    for overflow in [
        Overflow::Wait,
        Overflow::Reject,
        Overflow::DropOldest,
        Overflow::DropNewest,
    ] {
        for waits in [true, false] {
            let (live, dropped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let sink = Arc::clone(&dropped);
            let signal = Signal::<Live>::builder()
                .pool(Pool::new(4))
                .buffer(1_000)
                .enqueue_concurrency(4)
                .overflow(overflow)
                .on_dropped(move |_, _| {
                    sink.fetch_add(1, Ordering::Relaxed);
                })
                .build();
            signal.on(async |_| sleep(MILLI * 20).await);
            let (mut given_back, mut most) = (0_u64, 0);
            // Waiting takes the paused clock through every delivery: fewer do.
            let events = if waits && overflow == Overflow::Wait {
                10_000_u64
            } else {
                100_000
            };
            for n in 0..events {
                let event = Live::new(&live);
                let taken = if waits {
                    signal.enqueue(event).await
                } else {
                    signal.try_enqueue(event)
                };
                given_back += u64::from(taken.is_err());
                most = most.max(live.load(Ordering::Relaxed));
                if n % 1_000 == 0 {
                    sleep(MILLI).await;
                }
            }
            assert!(most <= 1_000 + 4 + 1, "{overflow:?}: {most} live at once");
            assert!(signal.shutdown(HOUR).await.is_clean());
            let stats = signal.stats();
            let delivered = stats.count(Outcome::Done);
            assert_eq!(
                delivered + given_back + stats.dropped(),
                events,
                "{overflow:?}: {stats:?}"
            );
            assert_eq!(stats.refused(), given_back);
            assert_eq!(dropped.load(Ordering::Relaxed) as u64, stats.dropped());
            let drops = matches!(overflow, Overflow::DropOldest | Overflow::DropNewest);
            assert_eq!(
                (stats.dropped() > 0, given_back > 0),
                (drops, !(drops || waits && overflow == Overflow::Wait))
            );
            assert_eq!(live.load(Ordering::Relaxed), 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_million_events_into_a_slow_signal_leave_memory_flat() {
    let live = Arc::new(AtomicUsize::new(0));
    let signal = Signal::<Live>::builder().buffer(1_000).build();
    signal.on(async |_| sleep(HOUR).await);
    let (mut taken, mut given_back) = (0, 0);
    for _ in 0..1_000_000 {
        match signal.try_enqueue(Live::new(&live)) {
            Ok(()) => taken += 1,
            Err(refused) => {
                assert!(refused.is_full());
                given_back += 1;
            }
        }
        assert!(live.load(Ordering::Relaxed) <= 1_002);
    }
    assert_eq!((taken, given_back), (1_000, 999_000));
    let stats = signal.stats();
    assert_eq!((stats.enqueued(), stats.refused()), (1_000, 999_000));
}

#[tokio::test(start_paused = true)]
async fn overflow_drops_the_oldest_or_the_newest_and_shows_it() {
    for (overflow, delivered, dropped) in [
        (
            Overflow::DropOldest,
            "4 5 6",
            "1 Oldest, 2 Oldest, 3 Oldest",
        ),
        (
            Overflow::DropNewest,
            "1 2 3",
            "4 Newest, 5 Newest, 6 Newest",
        ),
    ] {
        let (got, lost) = (Ledger::default(), Ledger::default());
        let sink = lost.clone();
        let signal = Signal::<u32>::builder()
            .buffer(3)
            .overflow(overflow)
            .on_dropped(move |n, reason: DropReason| sink.note(format!("{n} {reason:?}")))
            .build();
        let notes = got.clone();
        signal.on(async move |n| notes.note(n.to_string()));
        for n in 1..=6 {
            signal.try_enqueue(n).unwrap();
        }
        assert_eq!(signal.buffered(), (3, 3));
        assert!(signal.shutdown(HOUR).await.is_clean());
        assert_eq!(
            (got.take().join(" "), lost.take().join(", ")),
            (delivered.to_owned(), dropped.to_owned())
        );
    }
}

#[tokio::test(start_paused = true)]
async fn buffered_events_keep_their_order() {
    for mode in [
        Dispatch::Concurrent,
        Dispatch::Parallel,
        Dispatch::Sequential,
    ] {
        let (signal, ledger) = (
            Signal::<u64>::builder().dispatch(mode).build(),
            Ledger::default(),
        );
        let notes = ledger.clone();
        signal.on(async move |n| {
            sleep(MILLI * u32::try_from(10 - n).unwrap()).await;
            notes.note(n.to_string());
        });
        for n in 0..10 {
            signal.enqueue(n).await.unwrap();
        }
        assert!(signal.shutdown(HOUR).await.is_clean());
        assert_eq!(ledger.take().concat(), "0123456789", "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_for_room_is_first_come_first_served_and_can_be_given_up() {
    let (signal, ledger) = (
        Signal::<u32>::builder().buffer(1).build(),
        Ledger::default(),
    );
    let notes = ledger.clone();
    signal.on(async move |n| {
        sleep(MILLI).await;
        notes.note(n.to_string());
    });
    signal.enqueue(0).await.unwrap();
    tokio::task::yield_now().await;
    signal.enqueue(1).await.unwrap();
    let given_up = tokio::time::timeout(MILLI / 2, signal.enqueue(9));
    let (a, b, c) = tokio::join!(given_up, signal.enqueue(2), signal.enqueue(3));
    assert!(a.is_err() && b.is_ok() && c.is_ok());
    assert!(signal.shutdown(HOUR).await.is_clean());
    assert_eq!(ledger.take().concat(), "0123");
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_would_wait_for_itself_is_refused() {
    for mode in [Dispatch::Concurrent, Dispatch::Parallel] {
        let signal = Signal::<u32>::builder().dispatch(mode).buffer(1).build();
        let (weak, ledger) = (signal.downgrade(), Ledger::default());
        let notes = ledger.clone();
        signal
            .listen()
            .once()
            .on(async move |_| {
                let signal = weak.upgrade().unwrap();
                signal.enqueue(1).await.unwrap();
                match signal.enqueue(2).await {
                    Err(EnqueueError::WouldDeadlock(event)) => notes.note(event.to_string()),
                    other => panic!("{other:?}"),
                }
            })
            .unwrap();
        signal.enqueue(0).await.unwrap();
        let mut refused = Vec::new();
        while refused.is_empty() {
            tokio::task::yield_now().await;
            refused = ledger.take();
        }
        assert_eq!(refused, ["2"], "{mode}");
    }
}

#[test]
fn outside_a_runtime_waiting_for_room_says_that_nobody_makes_room() {
    let signal = Signal::<u32>::builder().buffer(1).build();
    signal.try_enqueue(1).unwrap();
    let refused = futures::executor::block_on(signal.enqueue(2)).unwrap_err();
    assert!(matches!(refused, EnqueueError::NoRuntime(2)));
    assert!(matches!(
        signal.emit_detached(3),
        Err(EnqueueError::NoRuntime(3))
    ));
}

#[tokio::test(start_paused = true)]
async fn detached_emissions_are_bounded_and_drained() {
    let signal = Signal::<u32>::builder().max_detached(2).build();
    signal.on(async |_| sleep(MILLI).await);
    assert!(signal.emit_detached(1).is_ok() && signal.emit_detached(2).is_ok());
    assert!(matches!(
        signal.emit_detached(3),
        Err(EnqueueError::Full(3))
    ));
    sleep(MILLI * 2).await;
    assert!(signal.emit_detached(4).is_ok());
    assert!(signal.shutdown(HOUR).await.is_clean());
    assert_eq!(signal.stats().count(Outcome::Done), 3);
    assert!(matches!(
        signal.emit_detached(5),
        Err(EnqueueError::Closed(5))
    ));
}

#[tokio::test]
async fn a_signal_that_is_always_ready_leaves_room_for_other_tasks() {
    let bus = Bus::builder().buffer(100_000).build();
    let count = Arc::new(AtomicUsize::new(0));
    let calls = Arc::clone(&count);
    bus.on_sync(move |_: &u32| {
        calls.fetch_add(1, Ordering::Relaxed);
    });
    for n in 0..100_000_u32 {
        bus.try_enqueue(n).unwrap();
    }
    tokio::task::yield_now().await;
    assert!(
        count.load(Ordering::Relaxed) < 100_000,
        "the drain ran to its end in one poll"
    );
    assert!(bus.shutdown(HOUR).await.is_clean());
    assert_eq!(count.load(Ordering::Relaxed), 100_000);
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
    assert!(signal.shutdown(HOUR).await.is_clean());
    assert_eq!(signal.stats().count(Outcome::Done), 10);
}
