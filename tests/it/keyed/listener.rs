//! Order by key for one listener.

use std::time::Duration;

use fanfare::layer::{Change, DeadLetter, DeadLetters, Dedup, Retry};
use fanfare::{Cause, Outcome, Rejection, Signal};
use futures::future::join_all;
use tokio::time::{Instant, sleep, timeout};

use super::{Booking, Ledger, a_thread_keeps_the_turn, account, booking};
use crate::support::{Log, MODES, poll_once, settle};

const STEP: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(100_000);

#[tokio::test(start_paused = true)]
async fn calls_of_a_key_come_one_after_another_and_other_listeners_go_on() {
    for mode in MODES {
        let signal = Signal::builder().dispatch(mode).build();
        let (ledger, others) = (Ledger::default(), Log::default());
        let (noted, counted) = (ledger.clone(), others.clone());
        signal
            .listen()
            .keyed_by(account)
            .on(async move |event| {
                let _entry = noted.begin(event);
                sleep(STEP).await;
            })
            .unwrap();
        signal.on(async move |event: Booking| counted.push(event.number));
        let began = Instant::now();
        let emits = (0..3).flat_map(|number| (0..2).map(move |key| booking(key, number)));
        let emits = join_all(emits.map(|event| signal.emit(event)));
        let seen = async {
            settle().await;
            others.len()
        };
        let (reports, seen) = tokio::join!(emits, seen);
        assert!(
            reports.iter().all(|report| report.delivered() == 2),
            "{mode}"
        );
        assert_eq!(began.elapsed(), 3 * STEP, "{mode}");
        assert_eq!((ledger.of(0), ledger.of(1)), (vec![0, 1, 2], vec![0, 1, 2]));
        let at_once = if mode == fanfare::Dispatch::Sequential {
            0
        } else {
            6
        };
        assert_eq!(seen, at_once, "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_is_held_through_all_attempts_and_no_other() {
    for background in [false, true] {
        let signal = Signal::new();
        let log = Log::default();
        let noted = log.clone();
        let retry = Retry::constant(10 * STEP).max_attempts(3);
        let retry = if background {
            retry.in_background()
        } else {
            retry
        };
        signal
            .listen()
            .keyed_by(account)
            .lanes(1)
            .retry(retry)
            .with_delivery()
            .on(async move |event: Booking, delivery| {
                noted.push((event.account, event.number, delivery.attempt()));
                let fails = event.account == 0 && event.number == 0 && delivery.attempt() < 3;
                if fails { Err("down") } else { Ok(()) }
            })
            .unwrap();
        let emits = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(key, n)| signal.emit(booking(key, n)));
        let reports = join_all(emits).await;
        let deferred = reports[0].count(Outcome::Deferred);
        assert_eq!(deferred, usize::from(background));
        assert!(signal.shutdown(LIMIT).await.is_clean());
        let calls = log.take();
        let of_key = |key| {
            calls
                .iter()
                .filter(move |call| call.0 == key)
                .collect::<Vec<_>>()
        };
        assert_eq!(of_key(0), [&(0, 0, 1), &(0, 0, 2), &(0, 0, 3), &(0, 1, 1)]);
        let place = |call| calls.iter().position(|other| *other == call).unwrap();
        assert!(place((1, 1, 1)) < place((0, 0, 2)), "{calls:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_keys_run_than_there_are_lanes() {
    for lanes in [1, 3] {
        let signal = Signal::new();
        let ledger = Ledger::default();
        let noted = ledger.clone();
        signal
            .listen()
            .keyed_by(account)
            .lanes(lanes)
            .on(async move |event| {
                let _entry = noted.begin(event);
                sleep(STEP).await;
            })
            .unwrap();
        let reports = join_all((0..12).map(|key| signal.emit(booking(key, 0)))).await;
        assert!(reports.iter().all(|report| report.delivered() == 1));
        assert_eq!(ledger.gauge().peak(), lanes);
    }
}

#[tokio::test(start_paused = true)]
async fn lanes_of_a_listener_change_while_it_works() {
    let changes = Log::default();
    let told = changes.clone();
    let signal = Signal::builder()
        .on_change(move |change| told.push(change.to_string()))
        .name("bookings")
        .build();
    let ledger = Ledger::default();
    let noted = ledger.clone();
    let sub = signal
        .listen()
        .key("ledger")
        .keyed_by(account)
        .lanes(1)
        .on(async move |event| {
            let _entry = noted.begin(event);
            sleep(STEP).await;
        })
        .unwrap();
    let emits = (0..6).flat_map(|number| (0..6).map(move |key| booking(key, number)));
    let emits = join_all(emits.map(|event| signal.emit(event)));
    let changing = async {
        // Between the ends of calls.
        sleep(STEP / 2).await;
        for (lanes, peak) in [(1, 1), (4, 4), (2, 4), (3, 3)] {
            sub.change(Change::new().lanes(lanes)).unwrap();
            ledger.gauge().reset_peak();
            sleep(2 * STEP + STEP / 10).await;
            assert_eq!((ledger.gauge().peak(), ledger.gauge().now()), (peak, lanes));
        }
    };
    let (reports, ()) = tokio::join!(emits, changing);
    assert!(reports.iter().all(|report| report.delivered() == 1));
    for key in 0..6 {
        assert_eq!(ledger.of(key), [0, 1, 2, 3, 4, 5]);
    }
    assert!(sub.metadata().layers()[0].contains("3 lanes"));
    assert!(sub.change(Change::new().lanes(0)).is_err());
    let plain = signal.listen().deadline(STEP).on(async |_| {}).unwrap();
    let refused = plain.change(Change::new().lanes(2)).unwrap_err();
    assert!(refused.to_string().contains("`keyed_by(..)`"), "{refused}");
    let told = [
        "1 lane -> 4 lanes",
        "4 lanes -> 2 lanes",
        "2 lanes -> 3 lanes",
    ];
    let told = told.map(|change| format!("`ledger` of `bookings`: lanes: {change}"));
    assert_eq!(changes.take(), told);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_in_line_leaves_it() {
    let signal = Signal::new();
    let ledger = Ledger::default();
    let noted = ledger.clone();
    signal
        .listen()
        .keyed_by(account)
        .on(async move |event| {
            let _entry = noted.begin(event);
            sleep(STEP).await;
        })
        .unwrap();
    let mut emits: Vec<_> = (0..4)
        .map(|number| Box::pin(signal.emit(booking(7, number))))
        .collect();
    for emit in &mut emits {
        assert!(poll_once(emit).is_none());
    }
    drop(emits.remove(2));
    drop(emits.remove(0));
    join_all(emits).await;
    assert_eq!(ledger.of(7), [0, 1, 3]);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_a_call_counts_while_it_is_in_line() {
    let signal = Signal::new();
    signal
        .listen()
        .keyed_by(account)
        .deadline(3 * STEP)
        .on(async |_: Booking| sleep(2 * STEP).await)
        .unwrap();
    let emits = (0..3).map(|number| signal.emit(booking(7, number)));
    let reports = join_all(emits).await;
    let outcomes: Vec<_> = reports.iter().map(|r| r.count(Outcome::TimedOut)).collect();
    assert_eq!(outcomes, [0, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_calls_itself_with_its_own_key_or_without_a_free_lane_is_refused() {
    for (lanes, other) in [(4, 0), (1, 1)] {
        let signal = Signal::new();
        let log = Log::default();
        let (noted, inner) = (log.clone(), signal.downgrade());
        signal
            .listen()
            .keyed_by(account)
            .lanes(lanes)
            .on(async move |event: Booking| {
                if event.number == 0 {
                    let signal = inner.upgrade().unwrap();
                    let report = signal.emit(booking(event.account + other, 1)).await;
                    noted.push(report.failures().next().unwrap().cause().clone());
                }
            })
            .unwrap();
        let report = timeout(LIMIT, signal.emit(booking(7, 0))).await.unwrap();
        assert_eq!(report.delivered(), 1);
        let cause = log.take().remove(0);
        assert!(
            matches!(cause, Cause::Rejected(Rejection::WouldDeadlock)),
            "{cause}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_thread_that_is_given_up_keeps_the_turn_until_it_returns() {
    let signal = Signal::new();
    let listen = signal.listen().keyed_by(account);
    // The thread of the first, and the call that is in line behind it.
    a_thread_keeps_the_turn(&signal, listen, 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_waits_for_what_comes_of_the_first_and_a_redrive_passes() {
    let signal = Signal::new();
    let letters = DeadLetters::new(10);
    let log = Log::default();
    let noted = log.clone();
    signal
        .listen()
        .keyed_by(account)
        .dedup(Dedup::by(|event: &Booking| event.number).capacity(100))
        .dead_letter(DeadLetter::keep(&letters))
        .with_delivery()
        .on(async move |event: Booking, delivery| {
            sleep(STEP).await;
            noted.push((event.number, delivery.redrives()));
            match (event.number, delivery.redrives()) {
                (1, 0) => Err("down"),
                _ => Ok(()),
            }
        })
        .unwrap();
    // The duplicate of 0 comes while the first runs, and is skipped when that has succeeded; that of 1 is called, since the first has failed.
    let emits = [0, 0, 1, 1].map(|number| signal.emit(booking(7, number)));
    let reports = join_all(emits).await;
    let outcomes: Vec<_> = reports
        .iter()
        .map(|r| (r.delivered(), r.skipped(), r.failed()))
        .collect();
    assert_eq!(outcomes, [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 1)]);
    assert_eq!(letters.len(), 2);
    let _ = letters.redrive().await;
    assert!(signal.shutdown(LIMIT).await.is_clean());
    assert_eq!(log.take(), [(0, 0), (1, 0), (1, 0), (1, 1)]);
}

#[test]
fn a_stack_says_where_the_order_of_keys_stands() {
    let signal = Signal::<Booking>::new();
    let sub = signal
        .listen()
        .keyed_by(account)
        .lanes(8)
        .deadline(STEP)
        .retry(Retry::constant(STEP))
        .on(async |_| {})
        .unwrap();
    let layers = sub.metadata().layers().join(" > ");
    assert!(
        layers.starts_with("deadline (1s) > keyed (8 lanes) > retry"),
        "{layers}"
    );
}
