//! Where the rollout stands among what else may keep a listener from being called.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fanfare::{Cause, Dispatch, Outcome, Pool, RegisterError, Rollout, Signal, Skip};
use tokio::sync::Notify;

use super::{both_sides, by_number, is_of_new_side, is_outside};
use crate::support::{poll_once, setups};

#[tokio::test]
async fn what_is_outside_is_skipped_in_every_mode_with_a_cause_of_its_own() {
    for setup in setups() {
        let signal = setup.builder::<u64>().build();
        let sub = signal
            .listen()
            .key("new")
            .rollout(&by_number(0.0))
            .on(async |_| {})
            .unwrap();
        let report = signal.emit(7).await;
        let entry = &report.entries()[0];
        assert_eq!(
            (entry.key(), entry.outcome()),
            (Some("new"), Outcome::Skipped)
        );
        assert!(is_outside(entry.cause()) && report.is_ok());
        assert_eq!(
            entry.cause().to_string(),
            "skipped: outside its fraction of the rollout"
        );
        assert_eq!(
            (
                sub.metadata().calls(),
                signal.stats().count(Outcome::Skipped)
            ),
            (0, 1)
        );
    }
}

#[tokio::test]
async fn the_filter_is_asked_first_and_what_it_refuses_does_not_count_as_a_delivery() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let signal = Signal::<u64>::new();
    let by_key = Rollout::by_key(0.5, move |n: &u64| {
        counter.fetch_add(1, Ordering::Relaxed);
        n.to_be_bytes()
    });
    signal
        .listen()
        .filter(|_| false)
        .rollout(&by_key)
        .on(async |_| {})
        .unwrap();
    let report = signal.emit(7).await;
    assert!(matches!(
        report.entries()[0].cause(),
        Cause::Skipped(Skip::Filtered)
    ));
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    signal.clear();

    let half = Rollout::of_deliveries(0.5);
    let even = signal.listen().filter(|n| n % 2 == 0).rollout(&half);
    let even = even.on(async |_| {}).unwrap();
    for n in 0..40 {
        let _ = signal.emit(n).await;
    }
    // Half of the 20 that it wants; without the filter first, it would be all of them or none.
    assert_eq!(even.metadata().calls(), 10);
}

#[tokio::test]
async fn the_key_is_asked_for_once_an_emission_and_not_at_0_or_1() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let rollout = Rollout::by_key(0.5, move |n: &u64| {
        counter.fetch_add(1, Ordering::Relaxed);
        n.to_be_bytes()
    });
    let signal = Signal::new();
    both_sides(&signal, &rollout);
    for (fraction, expected) in [(0.5, 1), (0.0, 1), (1.0, 1), (0.1, 2)] {
        rollout.set(fraction).unwrap();
        let _ = is_of_new_side(&signal.emit(7).await);
        assert_eq!(asked.load(Ordering::Relaxed), expected, "{fraction}");
    }
}

#[tokio::test]
async fn a_panic_of_the_keys_closure_is_that_listeners_and_a_roll_back_helps() {
    for setup in setups() {
        let rollout = Rollout::by_key(0.5, |n: &u64| -> [u8; 1] { panic!("no key for {n}") });
        let signal = setup.builder::<u64>().on_failure(|_| {}).build();
        both_sides(&signal, &rollout);
        signal.listen().key("plain").on(async |_| {}).unwrap();
        let report = signal.emit(7).await;
        assert_eq!(
            (report.delivered(), report.count(Outcome::Panicked)),
            (1, 2),
            "{setup:?}"
        );
        assert_eq!(report.entries()[0].key(), Some("new"));
        assert_eq!(
            report.entries()[1].cause().panic_message(),
            Some("no key for 7")
        );
        assert_eq!(signal.metadata("old").unwrap().panics(), 1);
        rollout.set(0.0).unwrap();
        let report = signal.emit(7).await;
        assert_eq!((report.delivered(), report.skipped()), (2, 1), "{setup:?}");
    }
}

#[tokio::test]
async fn what_is_outside_does_not_use_up_once() {
    for setup in setups() {
        let rollout = by_number(0.0);
        let signal = setup.builder::<u64>().build();
        let sub = signal
            .listen()
            .once()
            .rollout(&rollout)
            .on(async |_| {})
            .unwrap();
        for _ in 0..3 {
            assert!(is_outside(signal.emit(7).await.entries()[0].cause()));
        }
        assert!(!sub.is_removed());
        rollout.set(1.0).unwrap();
        assert_eq!(signal.emit(7).await.delivered(), 1);
        assert!(sub.is_removed() && signal.is_empty());
    }
}

#[tokio::test]
async fn what_is_outside_waits_for_no_permit() {
    for mode in [
        Dispatch::Concurrent,
        Dispatch::Parallel,
        Dispatch::Sequential,
    ] {
        let pool = Pool::new(1);
        let (busy, go) = (
            Signal::<u64>::builder().pool(pool.clone()).build(),
            Arc::new(Notify::new()),
        );
        let wait = Arc::clone(&go);
        busy.on(async move |_| wait.notified().await);
        let running = tokio::spawn(async move { busy.emit(1).await });
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;

        let signal = Signal::<u64>::builder().pool(pool).dispatch(mode).build();
        let rollout = by_number(0.0);
        signal.listen().rollout(&rollout).on(async |_| {}).unwrap();
        let report = poll_once(&mut Box::pin(signal.emit(7))).expect("it needs no permit");
        assert_eq!(report.skipped(), 1);
        rollout.set(1.0).unwrap();
        assert!(poll_once(&mut Box::pin(signal.emit(7))).is_none());
        go.notify_one();
        assert_eq!(running.await.unwrap().delivered(), 1);
    }
}

#[tokio::test]
async fn a_listener_that_is_switched_off_is_skipped_for_that() {
    let rollout = by_number(1.0);
    let signal = Signal::new();
    let [new, _old] = both_sides(&signal, &rollout);
    new.disable();
    let report = signal.emit(7).await;
    assert!(matches!(
        report.entries()[0].cause(),
        Cause::Skipped(Skip::Disabled)
    ));
    assert!(is_outside(report.entries()[1].cause()));
}

#[tokio::test]
async fn every_kind_of_listener_can_be_rolled_out() {
    let rollout = by_number(0.5);
    let signal = Signal::<u64>::new();
    let listen = || signal.listen().rollout(&rollout);
    listen().on(async |_| {}).unwrap();
    listen().try_on(async |_| Ok(())).unwrap();
    listen().on_sync(|_| ()).unwrap();
    listen().on_shared(async |_| {}).unwrap();
    listen().on_blocking(|_| ()).unwrap();
    listen().with_delivery().on(async |_, _| {}).unwrap();
    signal
        .listen()
        .with_delivery()
        .rollout(&rollout)
        .on_sync(|_, _| ())
        .unwrap();
    let (mut none, mut all) = (0, 0);
    for n in 0..50 {
        match signal.emit(n).await.delivered() {
            0 => none += 1,
            7 => all += 1,
            some => panic!("{some} of 7 were called"),
        }
    }
    assert!(none > 10 && all > 10);
}

#[tokio::test]
async fn the_last_rollout_that_is_given_counts_and_listeners_of_a_batch_can_have_one() {
    let signal = Signal::<u64>::new();
    let batch = signal.batch();
    let (none, all) = (by_number(0.0), by_number(1.0));
    batch
        .listen()
        .key("a")
        .rollout(&none)
        .rollout(&all)
        .on(async |_| {})
        .unwrap();
    batch
        .listen()
        .key("b")
        .rollout(&all)
        .rollout(&none)
        .on(async |_| {})
        .unwrap();
    batch.commit().unwrap();
    let report = signal.emit(7).await;
    assert_eq!(
        (report.delivered(), report.entries()[0].key()),
        (1, Some("b"))
    );
}

#[test]
fn what_is_no_fraction_is_refused_by_name_and_changes_nothing() {
    for nonsense in [
        -0.01,
        1.01,
        10.0,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
    ] {
        let rollout = by_number(0.25);
        let error = rollout.set(nonsense).unwrap_err();
        assert_eq!(
            (error.option(), error.value()),
            ("rollout", nonsense.to_string().as_str())
        );
        assert!(
            error
                .to_string()
                .ends_with("it takes a fraction from 0.0 to 1.0; 0.01 is 1%")
        );
        assert!((rollout.fraction() - 0.25).abs() < f64::EPSILON);

        for wrong in [
            by_number(nonsense),
            Rollout::of_deliveries(nonsense),
            by_number(nonsense).rest(),
        ] {
            let signal = Signal::<u64>::new();
            let refused = signal
                .listen()
                .rollout(&wrong)
                .on(async |_| {})
                .unwrap_err();
            assert!(matches!(refused, RegisterError::Option(error) if error.option() == "rollout"));
            assert!(signal.is_empty());
            wrong.set(0.5).unwrap();
            signal.listen().rollout(&wrong).on(async |_| {}).unwrap();
        }
    }
}

#[tokio::test]
async fn a_rollout_does_not_keep_its_listeners() {
    let rollout = by_number(0.5);
    let token = Arc::new(7);
    {
        let signal = Signal::<u64>::new();
        // A listener that turns its own rollout back.
        let (own, kept) = (rollout.clone(), Arc::clone(&token));
        let listener = async move |_| {
            assert_eq!(*kept, 7);
            own.set(0.0).unwrap();
        };
        signal.listen().rollout(&rollout).on(listener).unwrap();
        rollout.set(1.0).unwrap();
        assert_eq!(signal.emit(7).await.delivered(), 1);
        assert_eq!(signal.emit(7).await.skipped(), 1);
    }
    assert_eq!(Arc::strong_count(&token), 1);
    rollout.set(0.5).unwrap();
}
