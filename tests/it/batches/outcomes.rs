//! What becomes of each event of a batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fanfare::layer::{DeadLetter, DeadLetters, Retry};
use fanfare::{BatchOutcome, BoxError, Cause, Outcome, Rejection, Report, Signal};
use futures::future::join_all;
use tokio::time::sleep;

use super::{SECOND, of};
use crate::support::Log;

fn cause(report: &Report) -> String {
    let entry = report.entries().first();
    entry.map_or_else(|| "done".to_owned(), |entry| entry.cause().to_string())
}

async fn causes(signal: &Signal<u32>, events: std::ops::Range<u32>) -> Vec<String> {
    let reports = join_all(events.map(|n| signal.emit(n))).await;
    reports.iter().map(cause).collect()
}

#[tokio::test(start_paused = true)]
async fn each_event_has_the_outcome_of_its_place() {
    let signal = Signal::<u32>::new();
    let odd = |n: u32| {
        if n % 2 == 0 {
            Ok(())
        } else {
            Err(format!("{n} is odd"))
        }
    };
    signal.on_batch(of(4), async move |events: Vec<u32>| {
        events.into_iter().map(odd).collect::<Vec<_>>()
    });
    let told = causes(&signal, 0..4).await;
    assert_eq!(
        told,
        ["done", "failed: 1 is odd", "done", "failed: 3 is odd"]
    );
    let stats = signal.stats();
    assert_eq!(
        (stats.count(Outcome::Done), stats.count(Outcome::Failed)),
        (2, 2)
    );
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_the_batch_is_that_of_each_of_its_events() {
    let signal = Signal::<u32>::new();
    signal.on_batch(of(3), async |events: Vec<u32>| -> Result<(), BoxError> {
        let _: u32 = format!("no {}", events.len()).parse()?;
        Ok(())
    });
    let reports = join_all((0..3).map(|n| signal.emit(n))).await;
    for report in &reports {
        let error = report.entries()[0].cause().error().unwrap();
        assert!(error.is::<std::num::ParseIntError>(), "the error itself");
    }
    let whole = Signal::<u32>::new();
    whole.on_batch(
        of(3),
        async |_| -> Result<Vec<Result<(), BoxError>>, BoxError> { Err("no connection".into()) },
    );
    assert_eq!(causes(&whole, 0..3).await, ["failed: no connection"; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_that_of_each_event_and_the_next_batch_goes_on() {
    for early in [true, false] {
        let signal = Signal::<u32>::new();
        signal.on_batch(of(2), move |events: Vec<u32>| {
            assert!(!early || events[0] != 0, "not zero");
            async move {
                sleep(SECOND).await;
                assert!(events[0] != 0, "not zero");
            }
        });
        let told = causes(&signal, 0..4).await;
        assert_eq!(
            told,
            ["panicked: not zero", "panicked: not zero", "done", "done"]
        );
    }
}

/// Panics as it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("boom");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_drop_of_what_the_listener_returned_is_a_panic_of_the_batch() {
    let signal = Signal::<u32>::new();
    signal.on_batch(of(2), |_: Vec<u32>| {
        let bomb = Bomb;
        std::future::poll_fn(move |_| {
            let _keeps = &bomb;
            std::task::Poll::Ready(())
        })
    });
    assert_eq!(causes(&signal, 0..2).await, ["panicked: boom"; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_number_of_outcomes_is_a_failure_of_all() {
    for returned in [0, 1, 3] {
        let signal = Signal::<u32>::new();
        let outcomes = move || (0..returned).map(|_| Ok::<(), BoxError>(()));
        let it = async move |_: Vec<u32>| BatchOutcome::each(outcomes());
        signal.on_batch(of(2), it);
        let expected = format!(
            "failed: the listener returned {returned} outcomes for the 2 events of a batch"
        );
        assert_eq!(causes(&signal, 0..2).await, [expected.clone(), expected]);
    }
}

impl std::fmt::Debug for Bomb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bomb")
    }
}

impl std::fmt::Display for Bomb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("bomb")
    }
}

impl std::error::Error for Bomb {}

#[tokio::test(start_paused = true)]
async fn errors_that_panic_as_they_are_dropped_leave_each_event_its_outcome() {
    let signal = Signal::<u32>::new();
    let too_many = || [Err(Bomb), Ok(()), Err(Bomb)];
    signal.on_batch(of(2), async move |_: Vec<u32>| {
        BatchOutcome::each(too_many())
    });
    let expected = "failed: the listener returned 3 outcomes for the 2 events of a batch";
    assert_eq!(causes(&signal, 0..2).await, [expected; 2]);
}

#[tokio::test(start_paused = true)]
async fn an_error_that_nobody_waits_for_and_panics_as_it_is_dropped_keeps_nobody_waiting() {
    let signal = Signal::<u32>::new();
    signal.on_batch(of(4), async |events: Vec<u32>| {
        sleep(SECOND).await;
        let outcome = |n: u32| if n < 2 { Err(Bomb) } else { Ok(()) };
        BatchOutcome::each(events.into_iter().map(outcome))
    });
    let call = |n: u32| {
        let signal = signal.clone();
        tokio::spawn(async move { cause(&signal.emit(n).await) })
    };
    let gone = [call(0), call(1)];
    let stay = [call(2), call(3)];
    sleep(SECOND / 2).await;
    gone.iter().for_each(tokio::task::JoinHandle::abort);
    for call in stay {
        let told = tokio::time::timeout(10 * SECOND, call).await;
        assert_eq!(told.unwrap().unwrap(), "done");
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_tried_again_is_in_a_later_batch() {
    let signal = Signal::<u32>::new();
    let (log, letters) = (Log::default(), DeadLetters::new(10));
    let (seen, calls) = (log.clone(), Arc::new(AtomicUsize::new(0)));
    let it = async move |events: Vec<u32>| {
        let call = calls.fetch_add(1, Ordering::Relaxed);
        let outcome = |n: &u32| match n {
            7 => Err("seven"),
            1 if call == 0 => Err("one, at first"),
            _ => Ok(()),
        };
        let outcomes: Vec<_> = events.iter().map(outcome).collect();
        let mut events = events;
        events.sort_unstable();
        seen.push(events);
        outcomes
    };
    let listen = signal
        .listen()
        .retry(Retry::constant(SECOND / 2).max_attempts(2));
    let listen = listen.dead_letter(DeadLetter::keep(&letters));
    listen.on_batch(of(3), it).unwrap();
    let reports = tokio::join!(signal.emit(0), signal.emit(1), signal.emit(7), async {
        sleep(SECOND).await;
        signal.emit(2).await
    });
    assert!(reports.0.is_ok() && reports.1.is_ok() && reports.3.is_ok());
    assert_eq!(reports.2.failed(), 1);
    assert_eq!(log.take(), [vec![0, 1, 7], vec![1, 2, 7]]);
    assert_eq!(letters.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_awaits_its_own_batches_is_refused() {
    let signal = Signal::<u32>::new();
    let own = signal.downgrade();
    let causes = Log::default();
    let seen = causes.clone();
    signal.on_batch(of(2), async move |_: Vec<u32>| {
        let signal = own.upgrade().unwrap();
        seen.push(signal.emit(9).await.entries()[0].cause().clone());
    });
    let (a, b) = tokio::join!(signal.emit(1), signal.emit(2));
    assert!(a.is_ok() && b.is_ok());
    let causes = causes.take();
    let refused = |cause: &Cause| matches!(cause, Cause::Rejected(Rejection::WouldDeadlock));
    assert!(causes.len() == 1 && refused(&causes[0]), "{causes:?}");
}
