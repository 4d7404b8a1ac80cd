//! Keyed signals inside one another.

use std::time::Duration;

use fanfare::layer::Retry;
use fanfare::{Cause, Dispatch, Rejection, Signal};
use futures::future::join_all;
use tokio::time::{sleep, timeout};

use super::{Booking, Ledger, account, booking};
use crate::support::{Log, MODES};

const STEP: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(100_000);

/// A keyed signal whose listener emits another event of it for the number 0, and notes what came of that.
fn nesting(mode: Dispatch, lanes: usize, other: u32) -> (Signal<Booking>, Log<Option<Cause>>) {
    let signal = Signal::builder()
        .keyed_by(account)
        .dispatch(mode)
        .lanes(lanes)
        .build();
    let log = Log::default();
    let (noted, inner) = (log.clone(), signal.downgrade());
    signal.on(async move |event: Booking| {
        tokio::task::yield_now().await;
        if event.number == 0 {
            let signal = inner.upgrade().unwrap();
            let report = signal.emit(booking(event.account + other, 1)).await;
            let cause = report.failures().next().map(|f| f.cause().clone());
            noted.push(cause);
        }
    });
    (signal, log)
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_emits_its_own_key_and_waits_is_refused_and_not_stuck() {
    for mode in MODES {
        let (signal, log) = nesting(mode, 4, 0);
        let report = timeout(LIMIT, signal.emit(booking(7, 0))).await.unwrap();
        assert_eq!(report.delivered(), 1);
        let refused = log.take().remove(0).unwrap();
        assert!(
            matches!(refused, Cause::Rejected(Rejection::WouldDeadlock)),
            "{mode}: {refused}"
        );
        assert!(refused.to_string().contains("`enqueue` it instead"));
        assert_eq!(signal.active_keys(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_listener_may_emit_another_key_of_its_own_signal_on_a_single_lane() {
    for mode in MODES {
        let (signal, log) = nesting(mode, 1, 1);
        let emits = (0..5).map(|key| signal.emit(booking(10 * key, 0)));
        let reports = timeout(LIMIT, join_all(emits)).await.unwrap();
        assert!(
            reports.iter().all(|report| report.delivered() == 1),
            "{mode}"
        );
        assert!(log.take().iter().all(Option::is_none), "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_in_the_background_that_emits_its_own_key_is_refused_too() {
    let signal = Signal::builder().keyed_by(account).build();
    let log = Log::default();
    let (noted, inner) = (log.clone(), signal.downgrade());
    signal
        .listen()
        .retry(Retry::constant(STEP).max_attempts(2).in_background())
        .with_delivery()
        .on(async move |event: Booking, delivery| {
            if delivery.attempt() == 1 {
                return Err("down");
            }
            if event.number == 0 {
                let report = inner
                    .upgrade()
                    .unwrap()
                    .emit(booking(event.account, 1))
                    .await;
                noted.push(report.failures().next().unwrap().cause().to_string());
            }
            Ok(())
        })
        .unwrap();
    let _ = signal.emit(booking(7, 0)).await;
    sleep(10 * STEP).await;
    assert!(signal.shutdown(LIMIT).await.is_clean());
    let told = log.take();
    // Once for each attempt of the listener's that emits.
    assert!(
        !told.is_empty() && told.iter().all(|cause| cause.contains("own key")),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn two_keyed_signals_that_emit_into_each_other_with_different_keys_come_to_an_end() {
    let first = Signal::builder().keyed_by(account).lanes(1).build();
    let second = Signal::<(u32, u32)>::builder()
        .keyed_by(|event: &(u32, u32)| event.0)
        .lanes(1)
        .build();
    let ledger = Ledger::default();
    let (onward, noted) = (second.downgrade(), ledger.clone());
    first.on(async move |event: Booking| {
        let _entry = noted.begin(event);
        sleep(STEP).await;
        onward
            .upgrade()
            .unwrap()
            .emit((event.account, event.number))
            .await;
    });
    let back = first.downgrade();
    second.on(async move |(key, number): (u32, u32)| {
        sleep(STEP).await;
        if key < 10 {
            back.upgrade()
                .unwrap()
                .emit(booking(key + 100, number))
                .await;
        }
    });
    let emits = (0..10).flat_map(|number| (0..3).map(move |key| booking(key, number)));
    let emits = emits.map(|event| first.emit(event));
    let reports = timeout(LIMIT, join_all(emits)).await.unwrap();
    assert!(reports.iter().all(|report| report.delivered() == 1));
    for key in [0, 1, 2, 100, 101, 102] {
        assert_eq!(ledger.of(key), (0..10).collect::<Vec<_>>());
    }
}
