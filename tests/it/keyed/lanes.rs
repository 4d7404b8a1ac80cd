//! Lanes: how many keys run at once, what gives a lane back, and what a change of their number does.

use std::time::Duration;

use fanfare::layer::Retry;
use fanfare::{Pool, Setting, Signal, without_permit};
use futures::future::join_all;
use tokio::time::{Instant, sleep};

use super::{Booking, Ledger, account, booking};
use crate::support::{Log, settle};

const STEP: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(100_000);

#[tokio::test(start_paused = true)]
async fn a_retry_that_sleeps_keeps_its_key_and_no_lane() {
    for background in [false, true] {
        let signal = Signal::builder().keyed_by(account).lanes(1).build();
        let log = Log::default();
        let noted = log.clone();
        let retry = Retry::constant(10 * STEP).max_attempts(2);
        let retry = if background {
            retry.in_background()
        } else {
            retry
        };
        signal
            .listen()
            .retry(retry)
            .with_delivery()
            .on(async move |event: Booking, delivery| {
                noted.push((event.account, event.number, delivery.attempt()));
                match (event.account, delivery.attempt()) {
                    (0, 1) => Err("down"),
                    _ => Ok(()),
                }
            })
            .unwrap();
        for (key, number) in [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)] {
            signal.enqueue(booking(key, number)).await.unwrap();
        }
        settle().await;
        let first = [(0, 0, 1), (1, 0, 1), (2, 0, 1), (1, 1, 1)];
        let mut ran = log.take();
        ran.sort_unstable();
        let mut expected = first;
        expected.sort_unstable();
        assert_eq!(ran, expected, "background: {background}");
        assert!(signal.shutdown(LIMIT).await.is_clean());
        assert_eq!(log.take(), [(0, 0, 2), (0, 1, 1), (0, 1, 2)]);
        assert_eq!(signal.active_keys(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn more_retries_sleep_than_there_are_lanes_and_the_lanes_still_work() {
    let signal = Signal::builder().keyed_by(account).lanes(2).build();
    let ledger = Ledger::default();
    let noted = ledger.clone();
    signal
        .listen()
        .retry(Retry::constant(1_000 * STEP).max_attempts(2))
        .on(async move |event: Booking| {
            if event.account < 100 {
                return Err("down");
            }
            let _entry = noted.begin(event);
            sleep(STEP).await;
            Ok(())
        })
        .unwrap();
    for key in 0..110 {
        signal.enqueue(booking(key, 0)).await.unwrap();
    }
    let began = Instant::now();
    while (100..110).any(|key| ledger.of(key).is_empty()) {
        sleep(STEP).await;
        assert!(began.elapsed() <= 10 * STEP);
    }
    assert_eq!(ledger.gauge().peak(), 2);
    assert!(signal.shutdown(LIMIT).await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_waits_without_its_permit_gives_its_lane_back() {
    let signal = Signal::builder().keyed_by(account).lanes(1).build();
    signal.on(async |_: Booking| without_permit(sleep(10 * STEP)).await);
    let began = Instant::now();
    join_all((0..5).map(|key| signal.emit(booking(key, 0)))).await;
    assert_eq!(began.elapsed(), 10 * STEP);
}

#[tokio::test(start_paused = true)]
async fn lanes_change_while_events_run_and_no_key_loses_its_order() {
    let changes = Log::default();
    let seen = changes.clone();
    let signal = Signal::builder()
        .name("bookings")
        .keyed_by(account)
        .lanes(2)
        .on_change(move |change| seen.push((change.setting(), change.to_string())))
        .build();
    let ledger = Ledger::default();
    let noted = ledger.clone();
    signal.on(async move |event| {
        let _entry = noted.begin(event);
        sleep(STEP).await;
    });
    for number in 0..20 {
        for key in 0..20 {
            signal.enqueue(booking(key, number)).await.unwrap();
        }
    }
    for (lanes, peak) in [(2, 2), (10, 10), (1, 10), (5, 5)] {
        signal.resize_lanes(lanes).unwrap();
        ledger.gauge().reset_peak();
        sleep(3 * STEP + STEP / 2).await;
        assert_eq!(ledger.gauge().peak(), peak);
        assert_eq!(ledger.gauge().now(), lanes);
    }
    assert!(signal.shutdown(LIMIT).await.is_clean());
    for key in 0..20 {
        assert_eq!(ledger.of(key), (0..20).collect::<Vec<_>>());
    }
    assert!(signal.resize_lanes(0).is_err());
    let told = ["2 -> 10", "10 -> 1", "1 -> 5"];
    let told = told.map(|change| (Setting::Lanes, format!("`bookings`: lanes: {change}")));
    let mut seen = changes.take();
    seen.retain(|(setting, _)| *setting != Setting::Shutdown);
    assert_eq!(seen, told);
}

#[tokio::test(start_paused = true)]
async fn the_permits_of_a_shared_pool_are_the_lanes_of_all_its_signals() {
    let pool = Pool::new(3);
    let ledger = Ledger::default();
    let signals: Vec<Signal<Booking>> = (0..3_u32)
        .map(|of| {
            let noted = ledger.clone();
            let signal = Signal::builder()
                .keyed_by(account)
                .pool(pool.clone())
                .build();
            signal.on(async move |event: Booking| {
                let _entry = noted.begin(booking(of * 100 + event.account, event.number));
                sleep(STEP).await;
            });
            signal
        })
        .collect();
    for number in 0..4 {
        for signal in &signals {
            for key in 0..4 {
                signal.enqueue(booking(key, number)).await.unwrap();
            }
        }
    }
    for signal in &signals {
        assert!(signal.shutdown(LIMIT).await.is_clean());
    }
    assert_eq!(ledger.gauge().peak(), 3);
    for key in 0..12 {
        assert_eq!(ledger.of(key / 4 * 100 + key % 4), [0, 1, 2, 3]);
    }
    assert_eq!(pool.in_use(), 0);
}
