//! Dedup: what is skipped, what is remembered, and what is forgotten again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fanfare::layer::{DeadLetter, DeadLetters, Dedup, DedupHandle, Fault, InFlight, Place, Retry};
use fanfare::{
    BoxError, Bus, CallError, Cancellation, Cause, Delivery, Dispatch, Outcome, Pool,
    RegisterError, Rejection, Report, Signal, Skip,
};
use tower::{Layer as _, ServiceBuilder, service_fn};

use super::probe::{Probe, Seen, count, emit_each, spawn_emit};
use crate::support::{Log, OVERLAPPING, settle};

const SECOND: Duration = Duration::from_secs(1);

fn by_event() -> Dedup {
    Dedup::by(|event: &u32| *event)
}

fn listening(dedup: &Dedup, probe: Probe) -> (Signal<u32>, Seen) {
    let signal = Signal::new();
    let seen = probe.seen();
    let listen = signal.listen().dedup(dedup.clone());
    listen.service(probe).unwrap();
    (signal, seen)
}

fn is_duplicate(report: &Report) -> bool {
    matches!(report.entries(), [entry] if matches!(entry.cause(), Cause::Skipped(Skip::Duplicate)))
}

#[tokio::test]
async fn a_key_that_was_seen_is_skipped() {
    let dedup = Dedup::by(|event: &u32| event % 10).capacity(100);
    let (signal, seen) = listening(&dedup, Probe::default());
    assert_eq!(signal.emit(7).await.delivered(), 1);
    let report = signal.emit(17).await;
    assert!(is_duplicate(&report), "{report:?}");
    assert!(report.is_ok(), "a duplicate is no failure");
    assert_eq!(signal.emit(8).await.delivered(), 1);
    assert_eq!(seen.calls(), [(7, 1), (8, 1)]);
    let handle = dedup.handle();
    assert_eq!((handle.passed(), handle.duplicates()), (2, 1));
    assert_eq!((handle.evicted(), handle.keys()), (0, 2));
}

#[tokio::test]
async fn events_of_another_type_pass() {
    let dedup = Dedup::by(|name: &String| name.clone()).capacity(1);
    let (signal, seen) = listening(&dedup, Probe::default());
    for _ in 0..2 {
        assert_eq!(signal.emit(7).await.delivered(), 1);
    }
    assert_eq!(seen.calls(), [(7, 2)]);
    let handle = dedup.handle();
    assert_eq!(
        (handle.passed(), handle.duplicates(), handle.keys()),
        (0, 0, 0)
    );
}

#[tokio::test]
async fn the_oldest_key_is_forgotten_when_the_capacity_is_full() {
    let dedup = by_event().capacity(2);
    let (signal, seen) = listening(&dedup, Probe::default());
    for event in [1, 2, 3] {
        assert_eq!(signal.emit(event).await.delivered(), 1);
    }
    assert_eq!((dedup.handle().evicted(), dedup.handle().keys()), (1, 2));
    assert!(is_duplicate(&signal.emit(2).await));
    assert!(is_duplicate(&signal.emit(3).await));
    assert_eq!(signal.emit(1).await.delivered(), 1);
    // A duplicate does not make its key younger: 2 is the oldest still.
    assert_eq!(signal.emit(2).await.delivered(), 1);
    assert_eq!(seen.calls(), [(1, 2), (2, 2), (3, 1)]);
    assert_eq!(dedup.handle().evicted(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_key_is_forgotten_after_its_time_to_live_from_its_end() {
    let dedup = by_event().ttl(10 * SECOND);
    let (signal, seen) = listening(&dedup, Probe::taking(5 * SECOND));
    assert_eq!(signal.emit(1).await.delivered(), 1);
    tokio::time::advance(9 * SECOND).await;
    assert!(is_duplicate(&signal.emit(1).await));
    assert_eq!(dedup.handle().keys(), 1);
    tokio::time::advance(SECOND).await;
    assert_eq!(signal.emit(1).await.delivered(), 1);
    assert_eq!(seen.calls(), [(1, 2)]);
    assert_eq!(
        dedup.handle().evicted(),
        0,
        "a time that is up is no eviction"
    );
}

#[tokio::test(start_paused = true)]
async fn a_capacity_bounds_what_a_time_to_live_would_keep() {
    let dedup = by_event().ttl(SECOND).capacity(1);
    let (signal, _) = listening(&dedup, Probe::default());
    signal.emit(1).await;
    signal.emit(2).await;
    assert_eq!((dedup.handle().evicted(), dedup.handle().keys()), (1, 1));
    assert_eq!(signal.emit(1).await.delivered(), 1);
}

#[tokio::test]
async fn a_time_to_live_alone_has_a_capacity_too() {
    let dedup = by_event().ttl(1_000_000 * SECOND);
    let signal = Signal::<u32>::new();
    signal.service(dedup.layer(service_fn(async |_: Delivery| Ok::<_, BoxError>(()))));
    for event in 0..100_001 {
        signal.emit(event).await;
    }
    assert_eq!(
        (dedup.handle().keys(), dedup.handle().evicted()),
        (100_000, 1)
    );
}

#[tokio::test]
async fn a_dedup_without_a_bound_is_refused_at_registration() {
    let signal = Signal::<u32>::new();
    let refused = |dedup| match signal.listen().dedup(dedup).on(async |_| {}) {
        Err(RegisterError::Option(error)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    let unbounded = "option `dedup` cannot be unbounded: it takes a `capacity`, a `ttl` or both";
    assert_eq!(refused(by_event()), unbounded);
    assert_eq!(refused(by_event().keep_failed().shared()), unbounded);
    assert!(refused(by_event().capacity(0)).starts_with("option `capacity` cannot be 0"));
    assert!(refused(by_event().ttl(Duration::ZERO)).starts_with("option `ttl` cannot be 0ns"));
    let builder = Signal::<u32>::builder().dedup(by_event());
    assert_eq!(builder.try_build().unwrap_err().to_string(), unbounded);
    assert_eq!(
        Bus::builder()
            .dedup(by_event())
            .try_build()
            .unwrap_err()
            .to_string(),
        unbounded
    );
    assert!(signal.is_empty());
}

#[tokio::test(start_paused = true)]
async fn its_place_is_outside_the_retry_and_inside_the_dead_letter() {
    let letters = DeadLetters::new(10);
    let signal = Signal::<u32>::builder()
        .retry(Retry::constant(SECOND).max_attempts(2))
        .dedup(by_event().capacity(10).ttl(SECOND * 3600))
        .dead_letter(DeadLetter::keep(&letters))
        .build();
    let probe = Probe::default().failing(3);
    let seen = probe.seen();
    let subscription = signal.listen().key("probe").service(probe).unwrap();
    let stack = subscription.metadata().layers().join(" > ");
    let dedup = stack.find("dedup (10 keys for 3600s)").unwrap();
    assert!(stack.find("dead letter").unwrap() < dedup, "{stack}");
    assert!(dedup < stack.find("retry").unwrap(), "{stack}");
    // Two attempts are one delivery, whose key is forgotten: the letter may come back.
    assert_eq!(signal.emit(1).await.failed(), 1);
    assert_eq!((seen.calls_of(1), letters.len()), (2, 1));
    assert_eq!(letters.redrive().await.delivered(), 1);
    assert_eq!(seen.calls_of(1), 4);
    assert!(is_duplicate(&signal.emit(1).await));
    // `without` leaves out what is inherited.
    let twice = Probe::default();
    let in_twice = twice.seen();
    let listen = signal.listen().without(Place::Dedup);
    listen.service(twice).unwrap();
    signal.emit(1).await;
    signal.emit(1).await;
    assert_eq!((in_twice.calls_of(1), seen.calls_of(1)), (2, 4));
}

#[tokio::test]
async fn a_letter_that_is_a_duplicate_stays_where_it_is() {
    for (keeps, done, left) in [(false, 1, 0), (true, 0, 1)] {
        let letters = DeadLetters::new(10);
        let mut dedup = by_event().capacity(10);
        if keeps {
            dedup = dedup.keep_failed();
        }
        let signal = Signal::<u32>::new();
        let listen = signal.listen().dedup(dedup);
        let listen = listen.dead_letter(DeadLetter::keep(&letters));
        listen.service(Probe::default().failing(1)).unwrap();
        signal.emit(1).await;
        let redriven = letters.redrive().await;
        assert_eq!((redriven.delivered(), redriven.left()), (done, left));
        assert_eq!(letters.len(), left);
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_runs_until_its_retries_in_the_background_end() {
    let dedup = by_event().capacity(10).in_flight(InFlight::Wait);
    let signal = Signal::<u32>::builder()
        .retry(Retry::constant(SECOND).max_attempts(2).in_background())
        .dedup(dedup.clone())
        .build();
    let probe = Probe::default().failing(1);
    let seen = probe.seen();
    signal.service(probe);
    assert_eq!(signal.emit(1).await.count(Outcome::Deferred), 1);
    assert_eq!(dedup.handle().keys(), 1);
    assert!(
        is_duplicate(&signal.emit(1).await),
        "it waited for the background"
    );
    assert_eq!(seen.calls(), [(1, 2)]);
}

/// What the inner service ends with, and whether its key is forgotten: by default, and with `keep_failed`.
type Ending = (fn() -> Result<(), BoxError>, bool, bool);

fn ended(cause: Cause) -> Result<(), BoxError> {
    Err(CallError::new(cause).into())
}

#[tokio::test]
async fn a_key_is_forgotten_if_its_event_was_not_taken() {
    let endings: [Ending; 7] = [
        (|| Ok(()), false, false),
        (|| Err("failed".into()), true, false),
        (|| ended(Cause::TimedOut(SECOND)), true, false),
        (|| ended(Cause::Cancelled(Cancellation::Token)), true, false),
        (|| panic!("in the listener"), true, false),
        // It never came to the listener.
        (|| ended(Cause::Rejected(Rejection::NoRuntime)), true, true),
        (|| ended(Cause::Skipped(Skip::Paused)), true, true),
    ];
    for (case, (ending, forgotten, forgotten_if_kept)) in endings.into_iter().enumerate() {
        for (dedup, forgotten) in [
            (by_event(), forgotten),
            (by_event().keep_failed(), forgotten_if_kept),
        ] {
            let dedup = dedup.capacity(10);
            let service = service_fn(move |_: Delivery| async move { ending() });
            let signal = Signal::<u32>::new();
            signal.service(dedup.layer(service));
            signal.emit(1).await;
            let again = signal.emit(1).await;
            assert_eq!(is_duplicate(&again), !forgotten, "ending {case}: {again:?}");
            assert_eq!(
                dedup.handle().keys(),
                usize::from(!forgotten),
                "ending {case}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_is_forgotten_if_its_emission_is_dropped() {
    for keeps in [false, true] {
        let mut dedup = by_event().capacity(10);
        if keeps {
            dedup = dedup.keep_failed();
        }
        let (signal, _) = listening(&dedup, Probe::taking(SECOND));
        let report = signal.emit(1).timeout(SECOND / 2).await;
        assert_eq!(report.count(Outcome::TimedOut), 1);
        assert_eq!(is_duplicate(&signal.emit(1).await), keeps);
        assert!(is_duplicate(&signal.emit(1).await));
        // One that was never polled has not begun.
        drop(signal.emit(2));
        assert_eq!(signal.emit(2).await.delivered(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_of_one_that_runs_is_skipped() {
    let dedup = by_event().capacity(10);
    let (signal, seen) = listening(&dedup, Probe::taking(SECOND).failing(1));
    let (first, second) = tokio::join!(signal.emit(1), signal.emit(1));
    assert_eq!(first.count(Outcome::Failed), 1);
    assert!(
        is_duplicate(&second),
        "it is lost, as the docs say: {second:?}"
    );
    assert_eq!(signal.emit(1).await.delivered(), 1);
    assert_eq!(seen.calls(), [(1, 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_duplicate_runs_if_the_first_fails_and_is_skipped_if_not() {
    let dedup = by_event().capacity(10).in_flight(InFlight::Wait);
    let (signal, seen) = listening(&dedup, Probe::taking(SECOND).failing(2));
    let emissions = (0..5).map(|_| signal.emit(1));
    let reports = futures::future::join_all(emissions).await;
    assert_eq!(count(&reports, Outcome::Failed), 2);
    assert_eq!(count(&reports, Outcome::Done), 1);
    assert_eq!(
        reports.iter().filter(|report| is_duplicate(report)).count(),
        2
    );
    assert_eq!(seen.calls(), [(1, 3)]);
    assert_eq!(seen.gauge().peak(), 1, "one after another");
    let handle = dedup.handle();
    assert_eq!(
        (handle.passed(), handle.duplicates(), handle.keys()),
        (3, 2, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_waiting_duplicate_runs_if_the_first_is_dropped() {
    let dedup = by_event().capacity(10).in_flight(InFlight::Wait);
    let (signal, seen) = listening(&dedup, Probe::taking(SECOND));
    let (first, second) = tokio::join!(signal.emit(1).timeout(SECOND / 2), signal.emit(1));
    assert_eq!(first.count(Outcome::TimedOut), 1);
    assert_eq!(second.delivered(), 1);
    assert_eq!(seen.calls(), [(1, 2)]);
    // With `keep_failed` there is nothing to run for.
    let dedup = by_event()
        .capacity(10)
        .in_flight(InFlight::Wait)
        .keep_failed();
    let (signal, seen) = listening(&dedup, Probe::taking(SECOND));
    let (_, second) = tokio::join!(signal.emit(1).timeout(SECOND / 2), signal.emit(1));
    assert!(is_duplicate(&second));
    assert_eq!(seen.calls(), [(1, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_duplicate_that_is_dropped_leaves_the_others_waiting() {
    let dedup = by_event().capacity(10).in_flight(InFlight::Wait);
    let (signal, seen) = listening(&dedup, Probe::taking(SECOND).failing(1));
    let (first, second, third) = tokio::join!(
        signal.emit(1),
        signal.emit(1).timeout(SECOND / 2),
        signal.emit(1)
    );
    assert_eq!(first.failed(), 1);
    assert_eq!(second.count(Outcome::TimedOut), 1);
    assert_eq!(third.delivered(), 1);
    assert_eq!(seen.calls(), [(1, 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_duplicate_holds_no_permit() {
    for mode in OVERLAPPING {
        let pool = Pool::new(2);
        let signal = Signal::<u32>::builder()
            .dispatch(mode)
            .pool(pool.clone())
            .build();
        let probe = Probe::taking(SECOND);
        let seen = probe.seen();
        signal.service(
            by_event()
                .capacity(10)
                .in_flight(InFlight::Wait)
                .layer(probe),
        );
        let duplicates: Vec<_> = (0..2).map(|_| spawn_emit(&signal, 1)).collect();
        settle().await;
        assert_eq!(pool.in_use(), 1, "{mode}");
        let other = spawn_emit(&signal, 2);
        settle().await;
        assert_eq!(seen.gauge().now(), 2, "{mode}: another has room");
        for report in futures::future::join_all(duplicates).await {
            report.unwrap();
        }
        other.await.unwrap();
        assert_eq!((pool.in_use(), seen.gauge().peak()), (0, 2), "{mode}");
    }
}

/// Notes how many keys are known when it is dropped.
struct Last(DedupHandle, Log<usize>);

impl Drop for Last {
    fn drop(&mut self) {
        self.1.push(self.0.keys());
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_is_let_go_when_nothing_of_its_call_is_left() {
    for (takes, outcome) in [(SECOND, Outcome::Failed), (SECOND * 3, Outcome::TimedOut)] {
        let dedup = by_event().capacity(10);
        let (handle, log) = (dedup.handle(), Log::default());
        let noted = log.clone();
        let signal = Signal::<u32>::new();
        signal.service(dedup.layer(service_fn(move |_: Delivery| {
            // It lives as long as the future, which is longer than until its last await.
            let last = Last(handle.clone(), noted.clone());
            let mut slept = Box::pin(tokio::time::sleep(takes));
            std::future::poll_fn(move |cx| {
                let _last = &last;
                slept.as_mut().poll(cx).map(|()| Err::<(), _>("failed"))
            })
        })));
        let report = signal.emit(1).timeout(SECOND * 2).await;
        assert_eq!(report.count(outcome), 1);
        assert_eq!(log.take(), [1], "{outcome}");
        assert_eq!(dedup.handle().keys(), 0);
    }
}

#[tokio::test]
async fn each_listener_remembers_for_itself_unless_they_share() {
    for shared in [false, true] {
        let mut dedup = by_event().capacity(10);
        if shared {
            dedup = dedup.shared();
        }
        let (one, in_one) = listening(&dedup, Probe::default());
        let (other, in_other) = listening(&dedup.clone(), Probe::default());
        one.emit(1).await;
        assert_eq!(is_duplicate(&other.emit(1).await), shared);
        let calls = [in_one.calls_of(1), in_other.calls_of(1)];
        assert_eq!(calls, [1, usize::from(!shared)]);
        assert_eq!(dedup.handle().passed(), if shared { 1 } else { 2 });
        assert_eq!(dedup.handle().keys(), if shared { 1 } else { 2 });
        // A state that is gone knows nothing.
        drop((one, other));
        let handle = dedup.handle();
        drop(dedup);
        assert_eq!(handle.keys(), 0, "{handle:?}");
    }
}

#[tokio::test]
async fn listeners_of_one_bus_remember_for_themselves() {
    let bus = Bus::builder().dedup(by_event().capacity(10)).build();
    let probes = [Probe::default(), Probe::default()];
    let seen = probes.each_ref().map(Probe::seen);
    for probe in probes {
        bus.service::<u32, _>(probe);
    }
    bus.on(async |_: String| {});
    for _ in 0..2 {
        bus.emit(1_u32).await;
        assert_eq!(bus.emit("of another type".to_owned()).await.delivered(), 1);
    }
    assert_eq!(seen.map(|seen| seen.calls_of(1)), [1, 1]);
}

#[tokio::test]
async fn a_panic_of_the_key_is_the_listeners() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let dedup = Dedup::by(move |event: &u32| {
        assert!(counted.fetch_add(1, Ordering::Relaxed) > 0, "no key");
        *event
    });
    let (signal, _) = listening(&dedup.capacity(1), Probe::default());
    assert_eq!(signal.emit(1).await.count(Outcome::Panicked), 1);
    assert_eq!(signal.emit(1).await.delivered(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_deliveries_at_once_each_run_once() {
    for in_flight in [InFlight::Skip, InFlight::Wait] {
        for mode in [Dispatch::Concurrent, Dispatch::Parallel] {
            let dedup = by_event().capacity(1_000).in_flight(in_flight);
            let probe = Probe::taking(SECOND);
            let seen = probe.seen();
            let signal = Signal::<u32>::builder().dispatch(mode).build();
            signal.service(dedup.layer(probe));
            let (one, other) = tokio::join!(emit_each(&signal, 1_000), emit_each(&signal, 1_000));
            assert_eq!(
                count(&one, Outcome::Done) + count(&other, Outcome::Done),
                1_000
            );
            assert_eq!(
                count(&one, Outcome::Skipped) + count(&other, Outcome::Skipped),
                1_000
            );
            seen.assert_each(1_000, 1);
            assert_eq!(dedup.handle().keys(), 1_000);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn under_faults_no_event_is_lost_that_is_delivered_until_it_is_taken() {
    for in_flight in [InFlight::Skip, InFlight::Wait] {
        let fault = Fault::new()
            .fail(0.2)
            .panic(0.2)
            .hang(0.2)
            .delay(0.2, SECOND);
        let dedup = by_event().capacity(100).in_flight(in_flight);
        let probe = Probe::default();
        let seen = probe.seen();
        let signal = Signal::<u32>::new();
        let stack = ServiceBuilder::new()
            .layer(dedup.clone())
            .layer(fault.clone());
        signal.service(stack.service(probe));
        for event in 0..50 {
            let mut taken = false;
            for _ in 0..1_000 {
                let (one, other) = tokio::join!(
                    signal.emit(event).timeout(2 * SECOND),
                    signal.emit(event).timeout(3 * SECOND)
                );
                taken = one.delivered() + other.delivered() > 0;
                if taken {
                    break;
                }
            }
            assert!(taken, "{event}: {fault}");
            assert!(is_duplicate(&signal.emit(event).await), "{fault}");
        }
        seen.assert_each(50, 1);
        assert_eq!(dedup.handle().keys(), 50, "{fault}");
    }
}
