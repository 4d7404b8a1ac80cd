//! Many events over many keys with failures and retries, on several threads: order a key is proven by a ledger.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use fanfare::layer::Retry;
use fanfare::{Dispatch, Signal};

use super::{Booking, account, booking};

const LIMIT: Duration = Duration::from_secs(600);

/// The number that each key expects next. Every attempt is looked at; a failed one leaves it as it is.
struct Ledger(Vec<AtomicU32>);

impl Ledger {
    fn new(keys: u32) -> Arc<Self> {
        Arc::new(Self((0..keys).map(|_| AtomicU32::new(0)).collect()))
    }

    fn attempt(&self, event: Booking, fails: bool) {
        let next = &self.0[event.account as usize];
        assert_eq!(
            next.load(Ordering::SeqCst),
            event.number,
            "of key {}",
            event.account
        );
        if !fails {
            next.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// `events` over `keys`, of which one attempt in `failing` fails.
async fn run(signal: Signal<Booking>, events: u32, keys: u32, failing: u64) {
    let ledger = Ledger::new(keys);
    let (noted, attempts) = (Arc::clone(&ledger), Arc::new(AtomicU64::new(0)));
    let counted = Arc::clone(&attempts);
    signal
        .listen()
        .retry(
            Retry::constant(Duration::from_micros(50))
                .max_attempts(50)
                .seed(7),
        )
        .try_on(async move |event| {
            // A splash of chance that is the same in every run: which attempts fail, and which yield.
            let dice = counted
                .fetch_add(1, Ordering::Relaxed)
                .wrapping_mul(0x9E37_79B9_7F4A_7C15)
                >> 33;
            if dice % 7 == 0 {
                tokio::task::yield_now().await;
            }
            let fails = dice % failing == 0;
            noted.attempt(event, fails);
            if fails { Err("down".into()) } else { Ok(()) }
        })
        .unwrap();
    for n in 0..events {
        signal.enqueue(booking(n % keys, n / keys)).await.unwrap();
    }
    assert!(signal.shutdown(LIMIT).await.is_clean());
    let total: u32 = ledger
        .0
        .iter()
        .map(|next| next.load(Ordering::SeqCst))
        .sum();
    assert_eq!(total, events);
    assert_eq!(
        signal.stats().count(fanfare::Outcome::Done),
        u64::from(events)
    );
    assert!(attempts.load(Ordering::Relaxed) > u64::from(events));
    assert_eq!(signal.active_keys(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn order_a_key_holds_with_failures_and_retries_on_several_threads() {
    for mode in [Dispatch::Concurrent, Dispatch::Parallel] {
        let signal = Signal::builder()
            .keyed_by(account)
            .dispatch(mode)
            .lanes(8)
            .build();
        run(signal, 20_000, 300, 5).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn order_a_key_holds_while_lanes_change_all_the_time() {
    let signal = Signal::builder().keyed_by(account).lanes(4).build();
    let changing = signal.clone();
    let changes = tokio::spawn(async move {
        for n in 0..2_000 {
            changing.resize_lanes(1 + n * 7 % 13).unwrap();
            tokio::task::yield_now().await;
        }
    });
    run(signal, 20_000, 100, 5).await;
    changes.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn order_a_key_holds_between_emitters_that_wait_and_the_buffer() {
    let signal = Signal::builder().keyed_by(account).lanes(3).build();
    let ledger = Ledger::new(8);
    let noted = Arc::clone(&ledger);
    signal.on(async move |event| {
        tokio::task::yield_now().await;
        noted.attempt(event, false);
    });
    // A task a key: every third event is emitted and awaited, the others are buffered.
    let tasks = (0..8).map(|key| {
        let signal = signal.clone();
        tokio::spawn(async move {
            for number in 0..1_000 {
                if number % 3 == 0 {
                    assert_eq!(signal.emit(booking(key, number)).await.delivered(), 1);
                } else {
                    signal.enqueue(booking(key, number)).await.unwrap();
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert!(signal.shutdown(LIMIT).await.is_clean());
    assert!(
        ledger
            .0
            .iter()
            .all(|next| next.load(Ordering::SeqCst) == 1_000)
    );
}
