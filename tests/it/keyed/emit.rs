//! `emit` on a signal whose events are keyed: it waits for its turn, and for its result.

use std::time::Duration;

use fanfare::layer::{DeadLetter, DeadLetters};
use fanfare::{Dispatch, Outcome, Pool, Signal};
use futures::future::join_all;
use tokio::time::{Instant, sleep};

use super::{Booking, Ledger, a_thread_keeps_the_turn, account, booking};
use crate::support::{MODES, poll_once, settle};

const STEP: Duration = Duration::from_secs(1);

/// A keyed signal for each mode, on lanes and on a pool.
fn signals() -> Vec<(String, Signal<Booking>)> {
    let keyed = |mode| Signal::builder().keyed_by(account).dispatch(mode);
    let mut all = Vec::new();
    for mode in MODES {
        all.push((format!("{mode}, lanes"), keyed(mode).lanes(8).build()));
        let pool = keyed(mode).pool(Pool::new(8)).build();
        all.push((format!("{mode}, pool"), pool));
    }
    all
}

#[tokio::test(start_paused = true)]
async fn events_of_a_key_come_one_after_another_and_keys_side_by_side_in_every_mode() {
    for (name, signal) in signals() {
        let ledger = Ledger::default();
        let noted = ledger.clone();
        signal.on(async move |event| {
            let _entry = noted.begin(event);
            sleep(STEP).await;
        });
        let began = Instant::now();
        let emits = (0..3).flat_map(|number| (0..4).map(move |key| booking(key, number)));
        let reports = join_all(emits.map(|event| signal.emit(event))).await;
        assert!(
            reports.iter().all(|report| report.delivered() == 1),
            "{name}"
        );
        assert_eq!(began.elapsed(), 3 * STEP, "{name}");
        for key in 0..4 {
            assert_eq!(ledger.of(key), [0, 1, 2], "{name}");
        }
        assert_eq!(ledger.gauge().peak(), 4, "{name}");
        assert_eq!(signal.active_keys(), 0, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_event_of_a_key_waits_for_all_listeners_of_the_one_before() {
    let signal = Signal::builder().keyed_by(account).build();
    let ledger = Ledger::default();
    for length in [1, 3] {
        let noted = ledger.clone();
        signal.on(async move |event: Booking| {
            let of_listener = Booking {
                account: length,
                ..event
            };
            let _entry = noted.begin(of_listener);
            sleep(length * STEP).await;
        });
    }
    let began = Instant::now();
    let (first, second) = tokio::join!(signal.emit(booking(7, 0)), signal.emit(booking(7, 1)));
    assert_eq!((first.delivered(), second.delivered()), (2, 2));
    assert_eq!(began.elapsed(), 6 * STEP);
}

#[tokio::test(start_paused = true)]
async fn an_emission_that_is_dropped_in_line_leaves_it_and_holds_nobody_up() {
    let signal = Signal::builder().keyed_by(account).build();
    let ledger = Ledger::default();
    let noted = ledger.clone();
    signal.on(async move |event| {
        let _entry = noted.begin(event);
        sleep(STEP).await;
    });
    let mut emits: Vec<_> = (0..5)
        .map(|number| Box::pin(signal.emit(booking(7, number))))
        .collect();
    for emit in &mut emits {
        assert!(poll_once(emit).is_none());
    }
    drop(emits.remove(3));
    drop(emits.remove(1));
    // Those that are dropped are told of as cancelled, and were not called.
    assert_eq!(signal.stats().count(Outcome::Cancelled), 2);
    // The one that has the turn is dropped too: the next has it.
    drop(emits.remove(0));
    join_all(emits).await;
    assert_eq!(ledger.of(7), [0, 2, 4]);
    assert_eq!(signal.active_keys(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_emission_whose_time_is_over_in_line_is_cancelled_and_never_called() {
    let signal = Signal::builder().keyed_by(account).build();
    let ledger = Ledger::default();
    let noted = ledger.clone();
    signal.on(async move |event| {
        let _entry = noted.begin(event);
        sleep(10 * STEP).await;
    });
    let first = signal.emit(booking(7, 0));
    let second = signal.emit(booking(7, 1)).timeout(STEP);
    let third = signal.emit(booking(7, 2));
    let (first, second, third) = tokio::join!(first, second, third);
    assert_eq!((first.delivered(), third.delivered()), (1, 1));
    assert_eq!(second.count(Outcome::Cancelled), 1);
    assert_eq!(ledger.of(7), [0, 2]);
}

#[tokio::test]
async fn a_key_that_cannot_be_found_is_told_of_each_listener_and_holds_nobody_up() {
    let signal = Signal::builder()
        .keyed_by(|event: &Booking| {
            assert_ne!(event.account, 0, "no such account");
            event.account
        })
        .build();
    signal.on(async |_| {});
    signal.on_sync(|_| {});
    let report = signal.emit(booking(0, 0)).await;
    assert_eq!(report.count(Outcome::Panicked), 2);
    assert!(
        report
            .into_result()
            .unwrap_err()
            .to_string()
            .contains("no such account")
    );
    assert_eq!(signal.emit(booking(1, 0)).await.delivered(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_fails_or_panics_ends_its_turn() {
    for mode in MODES {
        let signal = Signal::builder().keyed_by(account).dispatch(mode).build();
        signal.on(async |event: Booking| {
            sleep(STEP).await;
            match event.number {
                0 => Err("down"),
                1 => panic!("gone"),
                _ => Ok(()),
            }
        });
        let emits = (0..3).map(|number| signal.emit(booking(7, number)));
        let reports = join_all(emits).await;
        let outcomes = [Outcome::Failed, Outcome::Panicked, Outcome::Done];
        for (report, outcome) in reports.iter().zip(outcomes) {
            assert_eq!(report.count(outcome), 1, "{mode}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_thread_that_outlives_its_emission_keeps_the_turn_until_it_returns() {
    // A plain listener, and one behind layers.
    for layered in [false, true] {
        let signal = Signal::builder().keyed_by(account).build();
        let listen = signal.listen();
        let listen = if layered {
            listen.timeout(STEP)
        } else {
            listen
        };
        // The thread of the first, and none of the second.
        a_thread_keeps_the_turn(&signal, listen, 1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_letter_that_is_redriven_waits_for_its_turn() {
    let signal = Signal::builder().keyed_by(account).build();
    let (ledger, letters) = (Ledger::default(), DeadLetters::new(10));
    let noted = ledger.clone();
    signal
        .listen()
        .dead_letter(DeadLetter::keep(&letters))
        .with_delivery()
        .on(async move |event, delivery| {
            let _entry = noted.begin(event);
            sleep(STEP).await;
            if event.number == 0 && delivery.redrives() == 0 {
                return Err("down");
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(signal.emit(booking(7, 0)).await.failed(), 1);
    let mut second = Box::pin(signal.emit(booking(7, 1)));
    assert!(poll_once(&mut second).is_none());
    let mut redrive = Box::pin(letters.redrive().into_future());
    assert!(poll_once(&mut redrive).is_none());
    let mut third = Box::pin(signal.emit(booking(7, 2)));
    let (_, second, third) = tokio::join!(redrive, second, &mut third);
    assert_eq!((second.delivered(), third.delivered()), (1, 1));
    assert!(letters.is_empty());
    let mut calls = ledger.of(7);
    assert_eq!(calls.len(), 4);
    calls.sort_unstable();
    assert_eq!(calls, [0, 0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn shutdown_waits_for_those_in_line_and_cancels_them_at_its_limit() {
    let signal = Signal::builder().keyed_by(account).build();
    signal.on(async |_: Booking| sleep(10 * STEP).await);
    let emits = (0..4).map(|number| signal.emit(booking(7, number)));
    let emits = join_all(emits);
    let shutdown = async {
        settle().await;
        signal.shutdown(15 * STEP).await
    };
    let (reports, left) = tokio::join!(emits, shutdown);
    let done: Vec<_> = reports.iter().map(fanfare::Report::delivered).collect();
    assert_eq!(done, [1, 0, 0, 0]);
    assert!(
        reports[1..]
            .iter()
            .all(|report| report.count(Outcome::Cancelled) == 1)
    );
    assert!(!left.is_clean());
    assert_eq!(signal.active_keys(), 0);
}

#[tokio::test]
async fn an_emission_to_nobody_takes_no_turn() {
    let signal = Signal::<Booking>::builder().keyed_by(account).build();
    assert!(signal.emit(booking(7, 0)).await.is_empty());
    assert_eq!(signal.active_keys(), 0);
    assert_eq!(
        signal
            .describe()
            .to_string()
            .matches("keyed: each key in order, 64 permits")
            .count(),
        1
    );
    assert_eq!(Dispatch::Concurrent.to_string(), "concurrent");
}
