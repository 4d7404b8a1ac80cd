//! The two sides of a rollout agree: each event is seen by just one of them, whatever is changed meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use fanfare::layer::Retry;
use fanfare::{Dispatch, Outcome, Pool, Rollout, Signal, SignalBuilder};
use tokio::sync::Notify;

use super::{both_sides, by_number, is_of_new_side, is_of_one_side, is_outside};
use crate::support::{MODES, poll_once, settle, setups, yield_once};

/// Which of two listeners has seen each event, as bits.
type Seen = Arc<Vec<AtomicU8>>;

/// Notes that a side has seen an event, after it has suspended where that is wanted.
async fn note(seen: Seen, bit: u8, n: u64, suspends: bool) {
    if suspends {
        tokio::task::yield_now().await;
    }
    let before = seen[usize::try_from(n).unwrap()].fetch_or(bit, Ordering::Relaxed);
    assert_eq!(before & bit, 0, "{n} was seen twice by one side");
}

async fn emit_while_it_is_set(builder: SignalBuilder<u64>, rollout: Rollout<u64>, suspends: bool) {
    const EACH: u64 = 1_500;
    let signal = builder.build();
    let seen: Seen = Arc::new((0..2 * EACH).map(|_| AtomicU8::new(0)).collect());
    let (of_new, of_old) = (Arc::clone(&seen), Arc::clone(&seen));
    let new = signal.listen().rollout(&rollout);
    let new = new.on(async move |n| note(of_new, 1, n, suspends).await);
    // Where listeners run one after another, others are between the two.
    signal.on(async |_| tokio::task::yield_now().await);
    let old = signal.listen().rollout(&rollout.rest());
    let old = old.on(async move |n| note(of_old, 2, n, suspends).await);
    let (new, old) = (new.unwrap(), old.unwrap());
    let stop = Arc::new(AtomicBool::new(false));
    let setter = std::thread::spawn({
        let (rollout, stop) = (rollout.clone(), Arc::clone(&stop));
        move || {
            let mut sets = 0;
            while !stop.load(Ordering::Relaxed) || sets < 2_000 {
                let fraction = [0.0, 1.0, 0.5, 0.2, 0.8][sets % 5];
                rollout.set(fraction).unwrap();
                sets += 1;
            }
        }
    });
    let emitters = [0, EACH].map(|from| {
        let signal = signal.clone();
        tokio::spawn(async move {
            for n in from..from + EACH {
                let report = signal.emit(n).await;
                assert_eq!((report.delivered(), report.skipped()), (2, 1), "{report}");
                assert!(is_outside(report.entries()[0].cause()));
            }
        })
    });
    for emitter in emitters {
        emitter.await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    setter.join().unwrap();
    for (n, sides) in seen.iter().enumerate() {
        let sides = sides.load(Ordering::Relaxed);
        assert!(sides == 1 || sides == 2, "{n} was seen by {sides:#b}");
    }
    let of_new = seen
        .iter()
        .filter(|sides| sides.load(Ordering::Relaxed) == 1);
    let of_new = of_new.count() as u64;
    let calls = (new.metadata().calls(), old.metadata().calls());
    assert_eq!(calls, (of_new, 2 * EACH - of_new));
    assert_eq!(signal.stats().emissions(), 2 * EACH);
    signal.clear();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_event_is_seen_by_just_one_side_while_the_fraction_is_set_thousands_of_times() {
    for mode in MODES {
        for suspends in [false, true] {
            let builder = || Signal::builder().dispatch(mode);
            emit_while_it_is_set(builder(), by_number(0.5), suspends).await;
            emit_while_it_is_set(builder(), Rollout::of_deliveries(0.5), suspends).await;
        }
    }
    let pool = || Signal::builder().pool(Pool::new(2));
    emit_while_it_is_set(pool(), by_number(0.5), true).await;
}

/// A signal whose emissions wait between the two sides until they are let go.
fn waiting_between(rollout: &Rollout<u64>) -> (Signal<u64>, Arc<Notify>) {
    let signal = Signal::builder().dispatch(Dispatch::Sequential).build();
    let go = Arc::new(Notify::new());
    let listen = |key, rollout| signal.listen().key(key).rollout(rollout);
    listen("new", rollout).on(async |_| {}).unwrap();
    let wait = Arc::clone(&go);
    signal
        .listen()
        .on(async move |_| wait.notified().await)
        .unwrap();
    listen("old", &rollout.rest()).on(async |_| {}).unwrap();
    (signal, go)
}

#[tokio::test]
async fn an_emission_between_the_two_sides_keeps_to_its_choice_however_often_it_is_set() {
    for (from, to) in [(0.0, 1.0), (1.0, 0.0)] {
        // Fewer changes than a signal remembers, and more.
        for changes in [1, 2_001, 2_002] {
            let rollout = by_number(from);
            let (signal, go) = waiting_between(&rollout);
            let mut emission = Box::pin(signal.emit(7));
            assert!(poll_once(&mut emission).is_none());
            for change in 0..changes {
                rollout
                    .set(if change % 2 == 0 { to } else { from })
                    .unwrap();
            }
            go.notify_one();
            let report = emission.await;
            assert_eq!((report.delivered(), report.skipped()), (2, 1));
            let expected = if from < 0.5 { "new" } else { "old" };
            assert_eq!(report.entries()[0].key(), Some(expected));
        }
    }
}

#[tokio::test]
async fn an_emission_goes_by_what_was_set_when_it_was_made() {
    for setup in setups() {
        let rollout = by_number(0.0);
        let signal = setup.builder::<u64>().build();
        both_sides(&signal, &rollout);
        let made_at_0 = signal.emit(7);
        rollout.set(1.0).unwrap();
        let made_at_1 = signal.emit(7);
        rollout.set(0.0).unwrap();
        // As soon as it is set again, one that is made goes by that.
        assert!(!is_of_new_side(&signal.emit(7).await), "{setup:?}");
        assert!(is_of_new_side(&made_at_1.await), "{setup:?}");
        assert!(!is_of_new_side(&made_at_0.await), "{setup:?}");
    }
}

#[tokio::test]
async fn an_emission_older_than_what_is_remembered_is_of_one_side_all_the_same() {
    let rollout = by_number(0.0);
    let signal = Signal::new();
    both_sides(&signal, &rollout);
    let made = signal.emit(7);
    for _ in 0..1_000 {
        rollout.set(1.0).unwrap();
        rollout.set(0.5).unwrap();
    }
    assert!(is_of_one_side(&made.await));
}

#[tokio::test]
async fn an_emission_from_before_the_new_side_was_registered_is_the_old_sides() {
    let signal = Signal::<u64>::new();
    signal.listen().key("old").on(async |_| {}).unwrap();
    let made_before = signal.emit(7);
    let rollout = by_number(0.0);
    let old = signal
        .listen()
        .key("old")
        .replace()
        .rollout(&rollout.rest());
    let old = old.on(async |_| {}).unwrap();
    let made_between = signal.emit(7);
    let new = signal.listen().rollout(&rollout).on(async |_| {}).unwrap();
    rollout.set(1.0).unwrap();
    assert_eq!(made_before.await.delivered(), 1);
    assert_eq!(made_between.await.delivered(), 1);
    assert_eq!((old.metadata().calls(), new.metadata().calls()), (2, 0));
    assert_eq!(signal.emit(7).await.delivered(), 1);
    assert_eq!((old.metadata().calls(), new.metadata().calls()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn just_one_side_is_called_in_every_mode_over_stages_and_behind_layers() {
    for setup in setups() {
        let rollout = by_number(0.5);
        let signal = setup.builder::<u64>().build();
        let new = signal.listen().key("new").stage(1).rollout(&rollout);
        let new = new
            .timeout(Duration::from_secs(1))
            .retry(Retry::exponential());
        // The first attempt of each call fails: what is tried again is not chosen again.
        let new = new
            .with_delivery()
            .on(async |_, delivery| match delivery.attempt() {
                1 => Err("not yet"),
                _ => Ok(()),
            });
        let (new, old) = (
            new.unwrap(),
            signal.listen().key("old").rollout(&rollout.rest()),
        );
        let old = old.on(async |_| yield_once().await).unwrap();
        for n in 0..100 {
            if n == 50 {
                rollout.set(0.1).unwrap();
            }
            assert!(is_of_one_side(&signal.emit(n).await), "{setup:?}, {n}");
        }
        let calls = (new.metadata().calls(), old.metadata().calls());
        assert_eq!(calls.0 + calls.1, 100, "{setup:?}");
        assert!((20..50).contains(&calls.0), "{setup:?}: {calls:?}");
        let stats = signal.stats();
        assert_eq!(
            (
                stats.emissions(),
                stats.count(Outcome::Done),
                stats.count(Outcome::Skipped)
            ),
            (100, 100, 100)
        );
    }
}

#[tokio::test]
async fn two_rollouts_in_one_signal_do_not_mix() {
    let signal = Signal::<u64>::new();
    let (all, none) = (by_number(1.0), by_number(0.0));
    for rollout in [&all, &none, &all.rest(), &none.rest()] {
        signal.listen().rollout(rollout).on(async |_| {}).unwrap();
    }
    let calls = || {
        signal
            .listeners()
            .iter()
            .map(fanfare::Metadata::calls)
            .collect::<Vec<_>>()
    };
    assert_eq!(signal.emit(7).await.delivered(), 2);
    assert_eq!(calls(), [1, 0, 0, 1]);
    none.set(1.0).unwrap();
    assert_eq!(signal.emit(7).await.delivered(), 2);
    assert_eq!(calls(), [2, 1, 0, 1]);
}

#[tokio::test]
async fn sides_that_take_the_place_of_others_during_an_emission_agree() {
    for fraction in [0.0, 0.5, 1.0] {
        let signal = Signal::builder().dispatch(Dispatch::Sequential).build();
        let go = Arc::new(Notify::new());
        for key in ["new", "old"] {
            let wait = Arc::clone(&go);
            signal.on(async move |_| wait.notified().await);
            signal.listen().key(key).on(async |_| {}).unwrap();
        }
        let mut emission = Box::pin(signal.emit(7));
        assert!(poll_once(&mut emission).is_none());
        let rollout = Rollout::of_deliveries(fraction);
        let listen = |key, rollout| signal.listen().key(key).replace().rollout(rollout);
        listen("new", &rollout).on(async |_| {}).unwrap();
        listen("old", &rollout.rest()).on(async |_| {}).unwrap();
        go.notify_one();
        assert!(poll_once(&mut emission).is_none());
        // It has chosen at the first by now.
        rollout.set(if fraction < 0.5 { 1.0 } else { 0.0 }).unwrap();
        go.notify_one();
        let report = emission.await;
        assert_eq!((report.delivered(), report.skipped()), (3, 1), "{report}");
        signal.clear();
    }
}

#[tokio::test]
async fn a_task_asks_the_rollout_of_the_listener_that_has_taken_its_place() {
    for (fraction, passed_over) in [(0.0, "new"), (1.0, "old")] {
        let signal = Signal::<u64>::builder().pool(Pool::new(1)).build();
        let go = Arc::new(Notify::new());
        let wait = Arc::clone(&go);
        signal
            .listen()
            .on(async move |_| wait.notified().await)
            .unwrap();
        let old = ["new", "old"].map(|key| signal.listen().key(key).on(async |_| {}).unwrap());
        let emission = tokio::spawn({
            let signal = signal.clone();
            async move { signal.emit(7).await }
        });
        // The first has the permit; the tasks of the others wait for it.
        settle().await;
        let rollout = by_number(fraction);
        let listen = |key, rollout| signal.listen().key(key).replace().rollout(rollout);
        let new = [
            listen("new", &rollout).on(async |_| {}).unwrap(),
            listen("old", &rollout.rest()).on(async |_| {}).unwrap(),
        ];
        go.notify_one();
        let report = emission.await.unwrap();
        assert_eq!((report.delivered(), report.skipped()), (2, 1));
        assert_eq!(report.entries()[0].key(), Some(passed_over));
        assert!(is_outside(report.entries()[0].cause()));
        let calls =
            |of: &[fanfare::Subscription; 2]| of.each_ref().map(|sub| sub.metadata().calls());
        assert_eq!(calls(&old), [0, 0]);
        assert_eq!(calls(&new).iter().sum::<u64>(), 1);
        signal.clear();
    }
}

#[tokio::test]
async fn a_listener_that_is_replaced_between_its_looks_asks_the_rollout_of_the_new_one() {
    let signal = Signal::<u64>::new();
    let rollout = by_number(0.0);
    let weak = signal.downgrade();
    let gate = rollout.clone();
    let swap_itself = move |_: &u64| {
        let signal = weak.upgrade().unwrap();
        let new = signal.listen().key("price").replace().rollout(&gate);
        new.on(async |_| {}).unwrap();
        true
    };
    let old = signal.listen().key("price").filter(swap_itself);
    old.on(async |_| panic!("it was replaced")).unwrap();
    // Off the pass over plain listeners, where the look and the call are one.
    signal
        .listen()
        .priority(1)
        .times(9)
        .on(async |_| {})
        .unwrap();
    let report = signal.emit(7).await;
    assert_eq!((report.delivered(), report.skipped()), (1, 1), "{report}");
    assert!(is_outside(report.entries()[0].cause()));
    assert_eq!(signal.metadata("price").unwrap().calls(), 0);
}
