//! What has failed for good, and its way back.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use fanfare::layer::{
    DeadLetter, DeadLetterError, DeadLetters, Decision, Dedup, FailurePolicy, Letter,
    RedeliverError, Redriven, Retry,
};
use fanfare::{BoxError, Bus, CallError, Cancellation, Cause, Delivery, Outcome, Pool, Signal};
use tokio::time::Instant;

use crate::support::{Log, setups};

const SECOND: Duration = Duration::from_secs(1);

/// A signal whose one listener fails while it is down, with a store of so many letters.
fn sender(
    capacity: usize,
) -> (
    Signal<u32>,
    DeadLetters,
    Arc<AtomicBool>,
    fanfare::Subscription,
) {
    let letters = DeadLetters::new(capacity);
    let signal = Signal::<u32>::new();
    let down = Arc::new(AtomicBool::new(true));
    let is_down = Arc::clone(&down);
    let sends = async move |_| {
        if is_down.load(Ordering::Relaxed) {
            Err("down")
        } else {
            Ok(())
        }
    };
    let listen = signal.listen().key("sender").retry(Retry::constant(SECOND));
    let sub = listen
        .dead_letter(DeadLetter::keep(&letters))
        .on(sends)
        .unwrap();
    (signal, letters, down, sub)
}

#[tokio::test(start_paused = true)]
async fn a_letter_has_event_error_attempts_and_times() {
    let (signal, letters, ..) = sender(10);
    let before = SystemTime::now();
    let report = signal.emit(7).header("tenant", "acme").await;
    assert_eq!(report.entries()[0].to_string(), "`sender` failed: down");
    let all = letters.letters();
    let letter = &all[0];
    assert_eq!(
        (letter.event::<u32>(), letter.event::<u8>()),
        (Some(&7), None)
    );
    assert_eq!((letter.attempts(), letter.redrives()), (3, 0));
    assert_eq!(letter.cause().error().unwrap().to_string(), "down");
    let delivery = letter.delivery();
    assert_eq!(
        (delivery.listener_key(), delivery.header("tenant")),
        (Some("sender"), Some("acme"))
    );
    assert!(letter.failed_at() >= before);
    let took = letter
        .failed_at()
        .duration_since(letter.emitted_at().unwrap())
        .unwrap();
    assert_eq!(took, 2 * SECOND);
    assert!(format!("{letter:?}").contains("attempts: 3"));
}

#[tokio::test(start_paused = true)]
async fn a_letter_is_written_for_each_kind_of_failure_and_for_nothing_else() {
    for setup in setups() {
        let letters = DeadLetters::new(100);
        let signal: Signal<u32> = setup
            .builder()
            .dead_letter(DeadLetter::keep(&letters))
            .build();
        signal.on(async |_| {});
        signal.on(async |_| Err::<(), _>("down"));
        signal.on(async |_| panic!("on purpose"));
        signal
            .listen()
            .timeout(SECOND)
            .on(async |_| std::future::pending::<()>().await)
            .unwrap();
        signal.listen().filter(|_| false).on(async |_| {}).unwrap();
        let rejected = tower::service_fn(async |_: Delivery| {
            let cause = Cause::Rejected(fanfare::Rejection::Overloaded);
            Err::<(), _>(CallError::new(cause))
        });
        signal.service(rejected);
        let skipped = tower::service_fn(async |_: Delivery| {
            let cause = Cause::Skipped(fanfare::Skip::Duplicate);
            Err::<(), _>(CallError::new(cause))
        });
        signal.service(skipped);
        let report = signal.emit(1).await;
        assert_eq!(
            (report.delivered(), report.failed(), report.skipped()),
            (1, 4, 2),
            "{setup:?}"
        );
        let mut outcomes: Vec<_> = letters
            .letters()
            .iter()
            .map(|l| l.cause().outcome().to_string())
            .collect();
        outcomes.sort();
        assert_eq!(
            outcomes,
            ["failed", "panicked", "rejected", "timed out"],
            "{setup:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_cancelled_makes_no_letter() {
    let letters = DeadLetters::new(10);
    let signal = Signal::<u32>::new();
    let hang = async |_| std::future::pending::<()>().await;
    signal
        .listen()
        .dead_letter(DeadLetter::keep(&letters))
        .on(hang)
        .unwrap();
    let report = signal.emit(1).timeout(SECOND).await;
    assert_eq!(report.count(Outcome::TimedOut), 1);
    assert!(letters.is_empty());
}

#[tokio::test(start_paused = true)]
async fn only_those_are_taken_that_are_wanted() {
    let log = Log::default();
    let l = log.clone();
    let dead_letter =
        DeadLetter::to(async move |letter: Letter| l.push(*letter.event::<u32>().unwrap()))
            .when(|cause| cause.outcome() == Outcome::Panicked);
    let signal = Signal::<u32>::builder().dead_letter(dead_letter).build();
    signal.on(async |n| {
        if n == 1 {
            panic!("on purpose")
        } else {
            Err::<(), _>("down")
        }
    });
    for n in 0..3 {
        assert_eq!(signal.emit(n).await.failed(), 1);
    }
    assert_eq!(log.take(), [1]);
}

#[tokio::test(start_paused = true)]
async fn whoever_takes_the_letter_and_fails_is_reported_beside_the_call() {
    let told = Log::default();
    let t = told.clone();
    let signal = Signal::<u32>::builder()
        .on_failure(move |f| t.push(f.to_string()))
        .build();
    let fails = async |_| Err::<(), _>("down");
    let full = DeadLetters::new(1);
    let gone = {
        let signal = Signal::new();
        DeadLetter::to_signal(&signal)
    };
    let panics = DeadLetter::to(async |_: Letter| panic!("on purpose"));
    let in_its_closure =
        DeadLetter::to(|_: Letter| -> std::future::Ready<()> { panic!("at once") });
    for (dead_letter, why) in [
        (DeadLetter::to(async |_| Err::<(), _>("no disk")), "no disk"),
        (panics, "panicked: on purpose"),
        (in_its_closure, "panicked: at once"),
        (DeadLetter::keep(&full), ""),
        (
            DeadLetter::keep(&full),
            "the dead letters are full: they take 1",
        ),
        (gone, "the signal of dead letters is gone"),
    ] {
        let sub = signal
            .listen()
            .key("db")
            .dead_letter(dead_letter)
            .on(fails)
            .unwrap();
        let report = signal.emit(1).await;
        let text = report.entries()[0].to_string();
        if why.is_empty() {
            assert_eq!(text, "`db` failed: down");
        } else {
            assert_eq!(
                text,
                format!("`db` failed: down; and its dead letter was not taken: {why}")
            );
        }
        assert_eq!(told.take(), [text]);
        sub.remove();
    }
}

#[tokio::test(start_paused = true)]
async fn letters_are_events_of_a_signal_and_one_that_nobody_takes_is_said() {
    let bus = Bus::new();
    let letters = bus.signal::<Letter>();
    bus.listen::<u32>()
        .key("db")
        .dead_letter(DeadLetter::to_signal(&letters))
        .on(async |_| Err::<(), _>("down"))
        .unwrap();
    let report = bus.emit(1_u32).await;
    let text = report.entries()[0].to_string();
    assert!(
        text.ends_with("nobody listens to the signal of dead letters"),
        "{text}"
    );
    let log = Log::default();
    let l = log.clone();
    let takes = async move |letter: Letter, d: Delivery| {
        let cause = letter.delivery().emission_id().to_string();
        assert_eq!(d.causation_id(), Some(&*cause));
        l.push(*letter.event::<u32>().unwrap());
    };
    let sub = letters.listen().with_delivery().on(takes).unwrap();
    assert_eq!(
        bus.emit(7_u32).await.entries()[0].to_string(),
        "`db` failed: down"
    );
    assert_eq!(log.take(), [7]);
    sub.remove();
    letters
        .listen()
        .key("archive")
        .on(async |_| Err::<(), _>("no disk"))
        .unwrap();
    let text = bus.emit(7_u32).await.entries()[0].to_string();
    assert!(text.contains("`archive` failed: no disk"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn letters_are_redriven_at_a_rate_those_that_are_picked_and_no_more() {
    let (signal, letters, down, _) = sender(100);
    for n in 0..20 {
        let _ = signal.emit(n).await;
    }
    assert_eq!(letters.len(), 20);
    down.store(false, Ordering::Relaxed);
    let even = |letter: &Letter| letter.event::<u32>().is_some_and(|n| n % 2 == 0);
    let begun = Instant::now();
    let redriven = letters.redrive().filter(even).rate(2).limit(8).await;
    assert_eq!(
        (redriven.delivered(), redriven.failed(), redriven.left()),
        (8, 0, 0)
    );
    // The first at once, then one each half second.
    assert_eq!(begun.elapsed(), 7 * SECOND / 2);
    let left: Vec<_> = letters
        .letters()
        .iter()
        .map(|l| *l.event::<u32>().unwrap())
        .collect();
    assert_eq!(left, [1, 3, 5, 7, 9, 11, 13, 15, 16, 17, 18, 19]);
    let begun = Instant::now();
    assert_eq!(letters.redrive().await.delivered(), 12);
    assert_eq!((begun.elapsed(), letters.len()), (Duration::ZERO, 0));
    assert_eq!(signal.stats().emissions(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_letter_that_fails_again_is_a_new_letter_that_says_how_often() {
    let (signal, letters, ..) = sender(10);
    let _ = signal.emit(7).await;
    for times in 1..4 {
        let redriven = letters.redrive().await;
        assert_eq!((redriven.failed(), letters.len()), (1, 1));
        assert_eq!(
            (
                letters.letters()[0].redrives(),
                letters.letters()[0].attempts()
            ),
            (times, 3)
        );
    }
    assert_eq!(
        letters
            .redrive()
            .filter(|letter| letter.redrives() < 3)
            .await,
        Redriven::default()
    );
    assert_eq!(letters.take(|letter| letter.redrives() == 3).len(), 1);
    assert!(letters.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_letter_whose_listener_is_gone_or_cannot_be_called_stays() {
    let (signal, letters, down, sub) = sender(10);
    let _ = signal.emit(7).await;
    down.store(false, Ordering::Relaxed);
    sub.remove();
    let redriven = letters.redrive().await;
    assert_eq!((redriven.left(), letters.len()), (1, 1));
    let error = letters.letters()[0].redeliver().await.unwrap_err();
    assert!(matches!(error, RedeliverError::ListenerGone));
    drop(signal);
    assert_eq!(letters.redrive().await.left(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_redrive_runs_on_a_permit_of_the_pool_and_in_the_room_of_the_background() {
    let (letters, pool) = (DeadLetters::new(10), Pool::new(1));
    let signal = Signal::<u32>::builder()
        .pool(pool.clone())
        .max_background(1)
        .build();
    let down = Arc::new(AtomicBool::new(true));
    let is_down = Arc::clone(&down);
    let watched = pool.clone();
    let sends = async move |_| {
        assert_eq!(watched.in_use(), 1);
        tokio::time::sleep(SECOND).await;
        if is_down.load(Ordering::Relaxed) {
            Err("down")
        } else {
            Ok(())
        }
    };
    signal
        .listen()
        .dead_letter(DeadLetter::keep(&letters))
        .on(sends)
        .unwrap();
    let _ = (signal.emit(1).await, signal.emit(2).await);
    down.store(false, Ordering::Relaxed);
    let all = letters.letters();
    let (one, other) = tokio::join!(all[0].redeliver(), all[1].redeliver());
    assert!(one.is_ok());
    assert!(matches!(other, Err(RedeliverError::NoRoom)));
    assert_eq!(pool.in_use(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_redrive_that_shutdown_cuts_off_puts_its_letter_back() {
    let letters = DeadLetters::new(10);
    let signal = Signal::<u32>::new();
    let hangs = async |_, d: Delivery| match d.redrives() {
        0 => Err::<(), _>("down"),
        _ => std::future::pending().await,
    };
    signal
        .listen()
        .dead_letter(DeadLetter::keep(&letters))
        .with_delivery()
        .on(hangs)
        .unwrap();
    let _ = signal.emit(1).await;
    let redrive = tokio::spawn(letters.redrive().into_future());
    tokio::time::sleep(SECOND).await;
    assert!(!signal.shutdown(SECOND).await.is_clean());
    assert_eq!(redrive.await.unwrap().left(), 1);
    assert_eq!(letters.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_letter_whose_call_is_skipped_when_it_is_given_back_stays() {
    let letters = DeadLetters::new(10);
    let signal = Signal::<u32>::new();
    let dedup = Dedup::by(|n: &u32| *n).capacity(10).keep_failed();
    let listen = signal.listen().dead_letter(DeadLetter::keep(&letters));
    listen
        .dedup(dedup)
        .on(async |_| Err::<(), _>("down"))
        .unwrap();
    let _ = signal.emit(1).await;
    let redriven = letters.redrive().await;
    assert_eq!(
        (redriven.failed(), redriven.left(), letters.len()),
        (0, 1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_letter_stays_whose_next_failure_makes_none() {
    let letters = DeadLetters::new(10);
    let signal = Signal::<u32>::new();
    let asks_once = async |_, d: Delivery| {
        Err::<(), BoxError>(match d.redrives() {
            0 => Decision::DeadLetter.with("asked").into(),
            _ => "another failure".into(),
        })
    };
    let only_asked = DeadLetter::keep(&letters).only_asked();
    let listen = signal.listen().dead_letter(only_asked).with_delivery();
    listen.on(asks_once).unwrap();
    let _ = signal.emit(1).await;
    assert_eq!(letters.redrive().await.left(), 1);
    assert_eq!(letters.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_is_switched_off_is_given_no_letter_back() {
    let (signal, letters, _, sub) = sender(10);
    let _ = signal.emit(7).await;
    sub.disable();
    assert_eq!(letters.redrive().await.left(), 1);
    let error = letters.letters()[0].redeliver().await.unwrap_err();
    assert_eq!(error.to_string(), "the listener is disabled");
    sub.enable();
    assert_eq!(letters.redrive().await.failed(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_decision_makes_a_letter_whatever_is_wanted_and_so_does_a_predicate_that_panics() {
    let letters = DeadLetters::new(10);
    let keep = || DeadLetter::keep(&letters);
    let signal = Signal::<u32>::new();
    let asks = async |_| Err::<(), _>(Decision::DeadLetter.with("so it says"));
    let listen = signal.listen().dead_letter(keep().when(|_| false));
    listen.on(asks).unwrap();
    let listen = signal
        .listen()
        .dead_letter(keep().when(|_| panic!("on purpose")));
    listen.on(async |_| Err::<(), _>("down")).unwrap();
    assert_eq!(signal.emit(1).await.count(Outcome::Failed), 2);
    let all = letters.letters();
    let mut causes: Vec<_> = all.iter().map(|l| l.cause().to_string()).collect();
    causes.sort();
    assert_eq!(causes, ["failed: down", "failed: so it says (dead-letter)"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_says_that_it_was_cancelled_makes_no_letter() {
    let letters = DeadLetters::new(10);
    let signal = Signal::<u32>::builder()
        .dead_letter(DeadLetter::keep(&letters))
        .build();
    signal.service(tower::service_fn(async |_: Delivery| {
        let cause = Cause::Cancelled(Cancellation::Token);
        Err::<(), _>(CallError::new(cause))
    }));
    assert_eq!(signal.emit(1).await.count(Outcome::Cancelled), 1);
    assert!(letters.is_empty());
}

/// An error that came from another.
#[derive(Debug)]
struct NoConnection(fmt::Error);

impl fmt::Display for NoConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no connection")
    }
}

impl std::error::Error for NoConnection {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[tokio::test(start_paused = true)]
async fn the_error_of_a_letter_that_was_not_taken_has_both_errors_and_the_source_of_the_first() {
    let signal = Signal::<u32>::new();
    let dead_letter = DeadLetter::to(async |_| Err::<(), _>("no disk")).only_asked();
    let policy = FailurePolicy::new().on::<fmt::Error>(Decision::DeadLetter);
    let listen = signal
        .listen()
        .dead_letter(dead_letter)
        .failure_policy(policy);
    let fails = async |_| Err::<(), _>(NoConnection(fmt::Error));
    let sub = listen.on(fails).unwrap();
    let layers = sub.metadata().layers().to_vec();
    assert_eq!(layers[0], "dead letter (to a listener, if asked)");
    let report = signal.emit(1).await;
    let error = report.entries()[0].cause().error().unwrap();
    let error: &DeadLetterError = error.downcast_ref().unwrap();
    assert_eq!(error.letter().to_string(), "no disk");
    assert_eq!(error.call().to_string(), "no connection");
    let source = std::error::Error::source(error);
    assert_eq!(
        source.map(ToString::to_string),
        Some(fmt::Error.to_string())
    );
}

#[tokio::test]
async fn a_letter_for_a_signal_that_is_shut_down_says_so() {
    let letters = Signal::<Letter>::new();
    let signal = Signal::<u32>::new();
    let listen = signal.listen().dead_letter(DeadLetter::to_signal(&letters));
    listen.on(async |_| Err::<(), _>("down")).unwrap();
    let _ = letters.shutdown(SECOND).await;
    let text = signal.emit(1).await.entries()[0].to_string();
    assert!(
        text.ends_with("was not taken: the signal is closed: nobody was called"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_redrive_does_not_make_up_for_a_slow_call_by_a_burst() {
    let (letters, log) = (DeadLetters::new(20), Log::default());
    let signal = Signal::<u32>::new();
    let l = log.clone();
    let slow_once = async move |n, d: Delivery| {
        if d.redrives() == 0 {
            return Err("down");
        }
        l.push(Instant::now());
        if n == 0 {
            tokio::time::sleep(5 * SECOND).await;
        }
        Ok(())
    };
    let listen = signal.listen().dead_letter(DeadLetter::keep(&letters));
    listen.with_delivery().on(slow_once).unwrap();
    for n in 0..10 {
        let _ = signal.emit(n).await;
    }
    assert_eq!(letters.redrive().rate(1).await.delivered(), 10);
    let begun = log.take();
    let gaps = begun.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(gaps.into_iter().all(|gap| gap >= SECOND));
}
