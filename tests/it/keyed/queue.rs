//! `enqueue` on a signal whose events are keyed: bounded, in order, fair between keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fanfare::layer::Retry;
use fanfare::{DropReason, EnqueueError, Overflow, Signal};
use tokio::time::{Instant, sleep, timeout};

use super::{Booking, Ledger, account, booking};
use crate::support::{Log, poll_once, settle};

const STEP: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(100_000);

#[tokio::test(start_paused = true)]
async fn events_of_a_key_keep_their_order_and_keys_run_side_by_side() {
    let signal = Signal::builder().keyed_by(account).lanes(4).build();
    let ledger = Ledger::default();
    let noted = ledger.clone();
    signal.on(async move |event| {
        let _entry = noted.begin(event);
        sleep(STEP).await;
    });
    let began = Instant::now();
    for number in 0..5 {
        for key in 0..8 {
            signal.enqueue(booking(key, number)).await.unwrap();
        }
    }
    assert_eq!(signal.stats().enqueued(), 40);
    assert!(signal.shutdown(LIMIT).await.is_clean());
    // 40 events of a second each on 4 lanes.
    assert_eq!(began.elapsed(), 10 * STEP);
    for key in 0..8 {
        assert_eq!(ledger.of(key), [0, 1, 2, 3, 4]);
    }
    assert_eq!(ledger.gauge().peak(), 4);
    assert_eq!(signal.active_keys(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_key_with_a_million_events_delays_the_first_of_another_by_one_event() {
    for lanes in [1, 2] {
        let signal = Signal::builder()
            .keyed_by(account)
            .lanes(lanes)
            .buffer(4_000_000)
            .build();
        let log = Log::default();
        let noted = log.clone();
        signal.on(async move |event: Booking| {
            noted.push(event.account);
            sleep(STEP).await;
        });
        for number in 0..1_000_000 {
            signal.try_enqueue(booking(0, number)).unwrap();
        }
        settle().await;
        assert_eq!(log.take(), [0]);
        signal.try_enqueue(booking(1, 0)).unwrap();
        let began = Instant::now();
        while !log.take().contains(&1) {
            sleep(STEP / 4).await;
            assert!(began.elapsed() <= STEP + STEP / 4, "{lanes} lanes");
        }
        signal.clear();
        assert!(!signal.shutdown(Duration::ZERO).await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_waits_for_room_in_its_own_part_of_the_buffer() {
    let signal = Signal::builder()
        .keyed_by(account)
        .lanes(4)
        .buffer(8)
        .build();
    signal.on(async |_: Booking| sleep(STEP).await);
    // One key fills its part, which is two events, the one that runs included.
    signal.try_enqueue(booking(0, 0)).unwrap();
    signal.try_enqueue(booking(0, 1)).unwrap();
    let refused = signal.try_enqueue(booking(0, 2)).unwrap_err();
    assert_eq!(
        (refused.is_full(), refused.into_event()),
        (true, booking(0, 2))
    );
    // There is room for some other key.
    let others = (1..100).filter(|key| signal.try_enqueue(booking(*key, 0)).is_ok());
    assert_eq!(others.count(), 6);
    let mut waits = Box::pin(signal.enqueue(booking(0, 2)));
    assert!(poll_once(&mut waits).is_none());
    let began = Instant::now();
    waits.await.unwrap();
    assert_eq!(began.elapsed(), STEP);
    assert!(signal.shutdown(LIMIT).await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn an_event_keeps_its_place_in_the_buffer_until_it_is_done() {
    // A thousand keys that fail and sleep before their retry are bounded by the buffer.
    let signal = Signal::builder()
        .keyed_by(account)
        .lanes(2)
        .buffer(10)
        .build();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let retry = Retry::constant(100 * STEP).max_attempts(2);
    signal
        .listen()
        .retry(retry)
        .on(async move |_: Booking| {
            counted.fetch_add(1, Ordering::Relaxed);
            Err::<(), _>("down")
        })
        .unwrap();
    let mut refused = 0;
    for key in 0..1_000 {
        refused += usize::from(signal.try_enqueue(booking(key, 0)).is_err());
        settle().await;
    }
    assert_eq!((refused, calls.load(Ordering::Relaxed)), (990, 10));
    assert!(signal.shutdown(LIMIT).await.is_clean());
    assert_eq!(calls.load(Ordering::Relaxed), 20);
}

#[tokio::test(start_paused = true)]
async fn what_overflows_is_given_back_or_dropped_and_counted() {
    for overflow in [Overflow::Reject, Overflow::DropNewest] {
        let dropped = Log::default();
        let seen = dropped.clone();
        let signal = Signal::builder()
            .keyed_by(account)
            .lanes(1)
            .buffer(2)
            .overflow(overflow)
            .on_dropped(move |event: Booking, reason| seen.push((event.number, reason)))
            .build();
        signal.on(async |_: Booking| sleep(STEP).await);
        signal.enqueue(booking(0, 0)).await.unwrap();
        signal.enqueue(booking(1, 1)).await.unwrap();
        let third = signal.enqueue(booking(2, 2)).await;
        match overflow {
            Overflow::Reject => assert_eq!(third, Err(EnqueueError::Full(booking(2, 2)))),
            _ => assert_eq!(dropped.take(), [(2, DropReason::Newest)]),
        }
        assert!(signal.shutdown(LIMIT).await.is_clean());
        let stats = signal.stats();
        assert_eq!(stats.emissions(), 2);
        assert_eq!(stats.dropped() + stats.refused(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn emitted_and_enqueued_events_of_a_key_stand_in_one_line() {
    let signal = Signal::builder().keyed_by(account).lanes(2).build();
    let ledger = Ledger::default();
    let noted = ledger.clone();
    signal.on(async move |event| {
        let _entry = noted.begin(event);
        sleep(STEP).await;
    });
    let mut first = Box::pin(signal.emit(booking(7, 0)));
    assert!(poll_once(&mut first).is_none());
    signal.enqueue(booking(7, 1)).await.unwrap();
    let mut third = Box::pin(signal.emit(booking(7, 2)));
    assert!(poll_once(&mut third).is_none());
    signal.enqueue(booking(7, 3)).await.unwrap();
    let (first, third) = tokio::join!(first, third);
    assert_eq!((first.delivered(), third.delivered()), (1, 1));
    assert!(signal.shutdown(LIMIT).await.is_clean());
    assert_eq!(ledger.of(7), [0, 1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn emitters_and_the_buffer_share_the_lanes_in_turn() {
    let signal = Signal::builder().keyed_by(account).lanes(1).build();
    let log = Log::default();
    let noted = log.clone();
    signal.on(async move |event: Booking| {
        noted.push(event.account);
        sleep(STEP).await;
    });
    for key in 0..100 {
        signal.enqueue(booking(key, 0)).await.unwrap();
    }
    settle().await;
    let report = signal.emit(booking(1_000, 0)).timeout(5 * STEP).await;
    assert_eq!(
        report.delivered(),
        1,
        "an emitter starves: {:?}",
        log.take()
    );
    assert!(signal.shutdown(LIMIT).await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_at_its_limit_drops_what_waits_and_says_how_much() {
    let dropped = Log::default();
    let seen = dropped.clone();
    let signal = Signal::builder()
        .keyed_by(account)
        .lanes(2)
        .on_dropped(move |event: Booking, reason| seen.push((event, reason)))
        .build();
    signal.on(async |_: Booking| sleep(10 * STEP).await);
    for number in 0..10 {
        for key in 0..5 {
            signal.try_enqueue(booking(key, number)).unwrap();
        }
    }
    settle().await;
    let left = signal.shutdown(STEP).await;
    assert_eq!(left.undelivered()[0].events(), 48);
    assert_eq!(left.unfinished()[0].calls(), 2);
    assert_eq!(dropped.len(), 48);
    assert!(
        dropped
            .take()
            .iter()
            .all(|(_, reason)| *reason == DropReason::Shutdown)
    );
    assert_eq!(signal.buffered().0, 0);
    assert_eq!(signal.active_keys(), 0);
    assert!(signal.try_enqueue(booking(0, 99)).unwrap_err().is_closed());
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_room_is_refused_at_shutdown_with_the_event() {
    let signal = Signal::builder()
        .keyed_by(account)
        .lanes(1)
        .buffer(1)
        .build();
    signal.on(async |_: Booking| sleep(STEP).await);
    signal.try_enqueue(booking(0, 0)).unwrap();
    let mut waits = Box::pin(signal.enqueue(booking(0, 1)));
    assert!(poll_once(&mut waits).is_none());
    let (waited, left) = tokio::join!(waits, signal.shutdown(LIMIT));
    assert_eq!(waited, Err(EnqueueError::Closed(booking(0, 1))));
    assert!(left.is_clean());
}

#[test]
fn what_was_enqueued_outside_a_runtime_is_delivered_by_the_next_call_inside_one() {
    let signal = Signal::builder().keyed_by(account).lanes(2).build();
    let ledger = Ledger::default();
    let noted = ledger.clone();
    signal.on(async move |event| drop(noted.begin(event)));
    for number in 0..3 {
        signal.try_enqueue(booking(7, number)).unwrap();
    }
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    runtime().block_on(async {
        signal.enqueue(booking(7, 3)).await.unwrap();
        timeout(Duration::from_secs(5), async {
            while ledger.of(7).len() < 4 {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
    });
    assert_eq!(ledger.of(7), [0, 1, 2, 3]);
}

#[test]
fn what_a_runtime_leaves_at_its_end_is_dropped_and_told_and_the_next_call_starts_anew() {
    let dropped = Log::default();
    let seen = dropped.clone();
    let signal = Signal::builder()
        .keyed_by(account)
        .lanes(1)
        .on_dropped(move |event: Booking, reason| seen.push((event.number, reason)))
        .build();
    let ledger = Ledger::default();
    let noted = ledger.clone();
    signal.on(async move |event: Booking| {
        let _entry = noted.begin(event);
        if event.number == 0 {
            std::future::pending::<()>().await;
        }
    });
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    runtime().block_on(async {
        for number in 0..3 {
            signal.enqueue(booking(7, number)).await.unwrap();
        }
        settle().await;
    });
    assert_eq!(
        dropped.take(),
        [(1, DropReason::RuntimeEnded), (2, DropReason::RuntimeEnded)]
    );
    runtime().block_on(async {
        signal.enqueue(booking(7, 3)).await.unwrap();
        assert!(signal.shutdown(Duration::from_secs(5)).await.is_clean());
    });
    assert_eq!(ledger.of(7), [0, 3]);
    assert_eq!(signal.active_keys(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_waits_for_room_of_its_own_signal_is_refused() {
    let signal = Signal::builder()
        .keyed_by(account)
        .lanes(1)
        .buffer(1)
        .build();
    let log = Log::default();
    let (noted, inner) = (log.clone(), signal.downgrade());
    signal.on(async move |event: Booking| {
        if event.number == 0 {
            let signal = inner.upgrade().unwrap();
            noted.push(signal.enqueue(booking(event.account, 1)).await);
        }
    });
    signal.enqueue(booking(0, 0)).await.unwrap();
    settle().await;
    assert!(signal.shutdown(LIMIT).await.is_clean());
    assert_eq!(
        log.take(),
        [Err(EnqueueError::WouldDeadlock(booking(0, 1)))]
    );
}
