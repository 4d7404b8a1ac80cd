//! What is done instead, once a listener has failed for good.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use fanfare::layer::{
    CircuitBreaker, Concurrency, DeadLetter, DeadLetters, Decision, Dedup, FailurePolicy, Fallback,
    FallbackError, Place, Retry,
};
use fanfare::{
    BoxError, Bus, Cause, Delivery, Dispatch, One, Outcome, Pool, RegisterError, Rejection, Signal,
    without_permit,
};
use tokio::time::{Instant, sleep};
use tower::util::MapResultLayer;

use crate::support::{Captured, Gauge, Log, MODES, on_pool, settle};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

#[derive(Clone)]
struct Refund(u32, String);

async fn fails(_: u32) -> Result<(), BoxError> {
    Err("down".into())
}

/// A fallback to a listener that notes the event and why.
fn noting() -> (Fallback, Log<(u32, String)>) {
    let log = Log::default();
    let l = log.clone();
    let fallback = Fallback::listener(async move |n: u32, cause: Cause| {
        tokio::task::yield_now().await;
        l.push((n, cause.to_string()));
    });
    (fallback, log)
}

#[tokio::test(start_paused = true)]
async fn another_listener_is_called_once_after_the_last_attempt_and_saves_the_call() {
    let (fallback, log) = noting();
    let signal = Signal::<u32>::new();
    let attempts = Arc::new(AtomicU32::new(0));
    let a = Arc::clone(&attempts);
    let listen = signal.listen().fallback(fallback.clone());
    let listener = async move |_| {
        a.fetch_add(1, Ordering::Relaxed);
        Err::<(), _>("down")
    };
    let retry = Retry::constant(SECOND).max_attempts(3);
    listen.retry(retry).on(listener).unwrap();
    let begun = Instant::now();
    let report = signal.emit(7).await;
    assert_eq!((report.delivered(), report.is_ok()), (1, true));
    assert_eq!(begun.elapsed(), 2 * SECOND);
    assert_eq!(attempts.load(Ordering::Relaxed), 3);
    assert_eq!(log.take(), [(7, "failed: down".to_owned())]);
    assert_eq!(fallback.used(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_succeeds_uses_none() {
    let (fallback, log) = noting();
    let signal = Signal::<u32>::new();
    let listen = signal.listen().fallback(fallback.clone());
    let listen = listen.retry(Retry::constant(SECOND)).with_delivery();
    let listener = async |_, d: Delivery| {
        if d.attempt() == 1 {
            Err("once")
        } else {
            Ok(())
        }
    };
    listen.on(listener).unwrap();
    assert!(signal.emit(7).await.is_ok());
    assert_eq!((log.len(), fallback.used()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_value_is_taken_for_what_the_listener_has_returned() {
    let signal = Signal::<u32>::builder()
        .dispatch(Dispatch::Sequential)
        .build();
    let listen = signal
        .listen()
        .fallback(Fallback::value(ControlFlow::Break(())));
    let first = listen.try_on(fails).unwrap();
    signal.on(async |_| {});
    let report = signal.emit(7).await;
    assert_eq!((report.delivered(), report.skipped()), (1, 1));
    first.remove();
    let listen = signal.listen().fallback(Fallback::value(()));
    listen.try_on(fails).unwrap();
    assert_eq!(signal.emit(7).await.delivered(), 2);
    let listen = signal.listen().key("both");
    let listen = listen.fallback(Fallback::value(Err::<(), _>("no value")));
    listen.try_on(fails).unwrap();
    let report = signal.emit(7).await;
    let text = report.entries()[0].to_string();
    assert_eq!(
        text,
        "`both` failed: down; and its fallback failed: no value"
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_is_emitted_with_the_ids_of_the_call_and_what_the_attempts_returned_is_not() {
    let bus = Bus::new();
    let seen = Log::default();
    let s = seen.clone();
    let listen = bus.listen::<Refund>().with_delivery();
    let notes = async move |Refund(n, why), d: Delivery| {
        s.push((n, why, d.correlation_id().unwrap().to_owned()));
    };
    listen.on(notes).unwrap();
    let strings = Log::default();
    let s = strings.clone();
    bus.on(async move |text: String| s.push(text));
    let refund = |n: &u32, cause: &Cause| One(Refund(*n, cause.to_string()));
    let refund = Fallback::event(refund);
    // The attempt succeeds, and a layer makes a failure of that.
    let refusing = MapResultLayer::new(|_: Result<(), BoxError>| -> Result<(), BoxError> {
        Err("refused by a layer".into())
    });
    let listen = bus.listen::<u32>().fallback(refund.clone());
    let listen = listen.layer_at(Place::Timeout, refusing);
    listen.follow(async |n: u32| One(n.to_string())).unwrap();
    assert!(bus.emit(7_u32).correlation_id("order-7").await.is_ok());
    let why = "failed: refused by a layer".to_owned();
    assert_eq!(seen.take(), [(7, why, "order-7".to_owned())]);
    assert_eq!((strings.len(), refund.used()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_plain_listener_may_have_an_event_for_a_fallback_and_a_signal_of_no_bus_may_not() {
    let refund = Fallback::event(|n: &u32, _: &Cause| Some(Refund(*n, String::new())));
    let bus = Bus::builder().build();
    let listen = bus.listen::<u32>().fallback(refund.clone());
    listen.try_on(fails).unwrap();
    assert!(bus.emit(7_u32).await.is_ok());
    assert_eq!(bus.unknown_events(), 1);
    let signal = Signal::<u32>::builder()
        .name("numbers")
        .fallback(refund)
        .build();
    let error = signal.listen().try_on(fails).unwrap_err();
    assert!(matches!(error, RegisterError::NoBus { signal } if signal == "numbers"));
}

#[tokio::test(start_paused = true)]
async fn timeouts_deadlines_panics_and_rejections_are_failures() {
    let (fallback, log) = noting();
    let bus = Bus::builder()
        .signal::<u32>(|s| s.fallback(fallback))
        .build();
    let hangs = async |_: u32| std::future::pending::<()>().await;
    let once = |n: u32| {
        let (bus, log) = (bus.clone(), log.clone());
        async move {
            assert!(bus.emit(n).await.is_ok());
            bus.clear();
            let (event, why) = log.take().remove(0);
            assert_eq!(event, n);
            why
        }
    };
    bus.listen::<u32>().timeout(SECOND).on(hangs).unwrap();
    assert_eq!(once(1).await, "timed out after 1s");
    bus.listen::<u32>().deadline(MINUTE).on(hangs).unwrap();
    assert_eq!(once(2).await, "timed out after 60s");
    bus.on(async |_: u32| panic!("on purpose"));
    assert_eq!(once(3).await, "panicked: on purpose");
    let listen = bus
        .listen::<u32>()
        .concurrency(Concurrency::new(1).reject());
    let first = Arc::new(AtomicU32::new(0));
    let listener = async move |_| {
        if first.fetch_add(1, Ordering::Relaxed) == 0 {
            sleep(MINUTE).await;
        }
    };
    listen.on(listener).unwrap();
    let (held, why) = futures::join!(bus.emit(4_u32), once(5));
    assert!(why.starts_with("rejected: 1 calls run"), "{why}");
    drop(held);
    let breaker = CircuitBreaker::new().window_calls(1).min_calls(1);
    let listen = bus.listen::<u32>().circuit_breaker(breaker);
    listen.try_on(fails).unwrap();
    assert!(bus.emit(6_u32).await.is_ok());
    log.take();
    let why = once(7).await;
    assert!(
        why.starts_with("rejected: the circuit breaker is open"),
        "{why}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_skipped_or_ended_from_outside_has_not_failed() {
    let (fallback, log) = noting();
    for mode in MODES {
        let signal = Signal::<u32>::builder()
            .dispatch(mode)
            .fallback(fallback.clone())
            .build();
        let dedup = Dedup::by(|n: &u32| *n).capacity(10);
        signal.listen().dedup(dedup).on(async |_| {}).unwrap();
        assert_eq!(signal.emit(1).await.delivered(), 1);
        assert_eq!(signal.emit(1).await.skipped(), 1);
        signal.clear();
        signal.on(async |_| std::future::pending::<()>().await);
        let report = signal.emit(1).timeout(SECOND).await;
        assert_eq!(report.count(Outcome::TimedOut), 1);
        signal.emit_detached(1).unwrap();
        settle().await;
        assert!(!signal.shutdown(SECOND).await.is_clean());
    }
    let cancelled = MapResultLayer::new(|_: Result<(), BoxError>| -> Result<(), BoxError> {
        let cause = Cause::Cancelled(fanfare::Cancellation::Token);
        Err(fanfare::CallError::new(cause).into())
    });
    let signal = Signal::<u32>::new();
    let listen = signal.listen().layer_at(Place::Timeout, cancelled);
    listen.fallback(fallback.clone()).on(async |_| {}).unwrap();
    assert_eq!(signal.emit(1).await.count(Outcome::Cancelled), 1);
    assert_eq!((log.len(), fallback.used()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn only_what_is_wanted_is_saved() {
    let (fallback, log) = noting();
    let open = |cause: &Cause| match cause {
        Cause::Failed(error) if error.to_string() == "odd" => panic!("a condition that panics"),
        cause => matches!(cause, Cause::Rejected(Rejection::CircuitOpen { .. })),
    };
    let fallback = fallback.when(open);
    let signal = Signal::<u32>::new();
    let breaker = CircuitBreaker::new().window_calls(1).min_calls(1);
    let listen = signal.listen().fallback(fallback.clone());
    listen.circuit_breaker(breaker).try_on(fails).unwrap();
    assert_eq!(signal.emit(1).await.failed(), 1);
    assert_eq!(signal.emit(2).await.delivered(), 1);
    assert_eq!(log.take()[0].0, 2);
    signal.clear();
    let listen = signal.listen().fallback(fallback.clone());
    listen.on(async |_| Err::<(), _>("odd")).unwrap();
    assert_eq!(signal.emit(3).await.failed(), 1);
    assert_eq!(fallback.used(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_fallback_that_fails_or_panics_fails_the_call_with_both_errors_and_makes_a_letter() {
    for mode in MODES {
        let told = Log::default();
        let t = told.clone();
        let signal = Signal::<u32>::builder()
            .dispatch(mode)
            .on_failure(move |failure| t.push(failure.to_string()))
            .build();
        let letters = DeadLetters::new(10);
        let fallback = Fallback::listener(async |n: u32, _| match n {
            1 => Err("no stamp"),
            2 => panic!("on purpose"),
            _ => Ok(()),
        });
        let listen = signal.listen().key("mail").fallback(fallback.clone());
        let listen = listen.dead_letter(DeadLetter::keep(&letters));
        let listen = listen.timeout(SECOND).with_delivery();
        let listener = async |n, _| match n {
            1 => Err::<(), _>("down"),
            _ => std::future::pending().await,
        };
        listen.on(listener).unwrap();
        for n in 1..=3 {
            let report = signal.emit(n).await;
            assert_eq!(report.failed(), usize::from(n < 3), "{mode}");
        }
        let expected = [
            "`mail` failed: down; and its fallback failed: no stamp",
            "`mail` failed: timed out after 1s; and its fallback failed: panicked: on purpose",
        ];
        assert_eq!(told.take(), expected, "{mode}");
        assert_eq!((letters.len(), fallback.used()), (2, 3));
        let letters = letters.letters();
        let error = letters[0].cause().error().unwrap();
        let both = error.downcast_ref::<FallbackError>().unwrap();
        assert_eq!(
            (both.call().to_string(), both.fallback().to_string()),
            ("down".to_owned(), "no stamp".to_owned())
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_cannot_be_made_is_a_fallback_that_fails() {
    let bus = Bus::new();
    let panics = |_: &u32, _: &Cause| -> One<Refund> { panic!("on purpose") };
    let listen = bus.listen::<u32>().fallback(Fallback::event(panics));
    listen.try_on(fails).unwrap();
    let report = bus.emit(7_u32).await;
    let text = report.entries()[0].cause().to_string();
    assert_eq!(
        text,
        "failed: down; and its fallback failed: panicked: on purpose"
    );
    // As a layer of one's own it has no way to the bus.
    bus.clear();
    let fallback = Fallback::event(|n: &u32, _: &Cause| One(Refund(*n, String::new())));
    let listen = bus.listen::<u32>().layer_at(Place::Fallback, fallback);
    listen.try_on(fails).unwrap();
    let report = bus.emit(7_u32).await;
    let text = report.entries()[0].cause().to_string();
    assert!(text.contains("give it by `fallback(..)`"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_asks_for_the_dead_letter_goes_there() {
    let (fallback, log) = noting();
    let letters = DeadLetters::new(10);
    let signal = Signal::<u32>::builder()
        .fallback(fallback)
        .dead_letter(DeadLetter::keep(&letters).only_asked())
        .build();
    let listener = async |n| match n {
        1 => Err::<(), BoxError>(Decision::DeadLetter.with("a bad address").into()),
        _ => Err("down".into()),
    };
    let sub = signal.on(listener);
    assert_eq!(signal.emit(1).await.failed(), 1);
    assert_eq!((letters.len(), log.len()), (1, 0));
    assert_eq!(signal.emit(2).await.delivered(), 1);
    assert_eq!((letters.len(), log.take().len()), (1, 1));
    sub.remove();
    // A rule says so too.
    let rule = FailurePolicy::new().otherwise(Decision::DeadLetter);
    signal.listen().failure_policy(rule).on(listener).unwrap();
    assert_eq!(signal.emit(2).await.failed(), 1);
    assert_eq!((letters.len(), log.len()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_listener_is_disabled_or_paused_also_if_its_fallback_saves_the_call() {
    let (fallback, log) = noting();
    let signal = Signal::<u32>::builder().fallback(fallback).build();
    let listener = async |_| Err::<(), _>(Decision::Disable.with("gone"));
    let disabled = signal.on(listener);
    let rule = FailurePolicy::new().otherwise(Decision::Pause(MINUTE));
    let listen = signal.listen().failure_policy(rule);
    let paused = listen.try_on(fails).unwrap();
    assert_eq!(signal.emit(1).await.delivered(), 2);
    assert_eq!(log.take().len(), 2);
    assert!(!disabled.is_enabled() && !paused.is_enabled());
    assert_eq!(signal.emit(1).await.skipped(), 2);
    sleep(MINUTE + SECOND).await;
    assert!(paused.is_enabled() && !disabled.is_enabled());
}

#[tokio::test(start_paused = true)]
async fn it_stands_inside_the_dead_letter_and_outside_the_deadline_and_a_listeners_takes_the_place()
{
    let (ours, log) = noting();
    let theirs = Fallback::value(());
    let bus = Bus::builder().fallback(theirs.clone()).build();
    let listen = bus.listen::<u32>().deadline(MINUTE).fallback(ours);
    let listen = listen.dead_letter(DeadLetter::to(async |_| {}));
    let sub = listen.try_on(fails).unwrap();
    let metadata = sub.metadata();
    let expected = [
        "dead letter (to a listener)",
        "fallback (to a listener)",
        "deadline (60s)",
    ];
    assert_eq!(metadata.layers()[..3], expected);
    assert!(bus.emit(7_u32).await.is_ok());
    assert_eq!((log.take().len(), theirs.used()), (1, 0));
    let listen = bus.listen::<u32>().without(Place::Fallback);
    listen.key("without").try_on(fails).unwrap();
    assert_eq!(bus.emit(7_u32).await.failed(), 1);
    let plain = bus.on(async |_: String| {});
    assert_eq!(plain.metadata().layers()[0], "fallback (a value)");
}

#[tokio::test(start_paused = true)]
async fn one_for_events_of_another_type_is_refused() {
    let (fallback, _) = noting();
    let bus = Bus::builder().fallback(fallback).build();
    bus.on(async |_: u32| {});
    let error = bus.listen::<String>().on(async |_| {}).unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("option `fallback` cannot be one for events of type `u32`: "),
        "{text}"
    );
    let listen = bus.listen::<String>().without(Place::Fallback);
    listen.on(async |_| {}).unwrap();
}

#[tokio::test(start_paused = true)]
async fn each_use_is_logged() {
    let (captured, _guard) = Captured::start();
    let signal = Signal::<u32>::builder().on_failure(|_| {}).build();
    let listen = signal.listen().key("hook").fallback(Fallback::value(()));
    listen.try_on(fails).unwrap();
    assert!(signal.emit(7).await.is_ok());
    let lines = captured.lines();
    let used = lines
        .iter()
        .find(|line| line.contains("its fallback was used"))
        .unwrap();
    assert!(
        used.starts_with("WARN") && used.contains("cause=failed: down"),
        "{used}"
    );
}

#[tokio::test(start_paused = true)]
async fn it_is_used_in_the_background_and_for_a_redrive() {
    let (fallback, log) = noting();
    let signal = Signal::<u32>::new();
    let retry = Retry::constant(MINUTE).max_attempts(2).in_background();
    let listen = signal.listen().fallback(fallback.clone()).retry(retry);
    listen.try_on(fails).unwrap();
    assert_eq!(signal.emit(7).await.count(Outcome::Deferred), 1);
    assert_eq!(log.len(), 0);
    sleep(2 * MINUTE).await;
    assert_eq!(log.take().len(), 1);
    assert_eq!(signal.stats().count(Outcome::Failed), 0);

    signal.clear();
    let letters = DeadLetters::new(10);
    let only_later = Arc::new(AtomicU32::new(0));
    let later = Arc::clone(&only_later);
    let fallback = fallback.when(move |_| later.fetch_add(1, Ordering::Relaxed) > 0);
    let listen = signal.listen().fallback(fallback);
    let listen = listen.dead_letter(DeadLetter::keep(&letters));
    listen.try_on(fails).unwrap();
    assert_eq!(signal.emit(8).await.failed(), 1);
    assert_eq!(letters.redrive().await.delivered(), 1);
    assert_eq!(log.take()[0].0, 8);
}

#[tokio::test(start_paused = true)]
async fn it_runs_on_the_permit_of_the_listener() {
    for mode in MODES {
        let pool = Pool::new(1);
        let signal = Signal::<u32>::builder()
            .dispatch(mode)
            .pool(pool.clone())
            .build();
        let seen = Log::default();
        let (s, p) = (seen.clone(), pool.clone());
        let fallback = Fallback::listener(async move |_: u32, _| {
            s.push(p.in_use());
            without_permit(sleep(SECOND)).await;
            s.push(p.in_use());
        });
        let listen = signal.listen().fallback(fallback);
        listen
            .timeout(SECOND)
            .on(async |_| sleep(MINUTE).await)
            .unwrap();
        let emissions = (0..3).map(|n| signal.emit(n));
        let reports = futures::future::join_all(emissions).await;
        assert!(reports.iter().all(fanfare::Report::is_ok), "{mode}");
        assert_eq!(seen.take(), [1; 6], "{mode}");
        assert_eq!(pool.in_use(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_the_permit_that_a_thread_has_kept() {
    let pool = Pool::new(1);
    let signal: Signal<u32> = on_pool(Dispatch::Concurrent, &pool);
    let gauge = Gauge::default();
    let (go, wait) = mpsc::channel::<()>();
    let (wait, g) = (Arc::new(Mutex::new(wait)), gauge.clone());
    let blocks = move |_| {
        let _inside = g.enter();
        let _ = wait.lock().unwrap().recv();
    };
    let g = gauge.clone();
    let fallback = Fallback::listener(async move |_: u32, _| drop(g.enter()));
    let listen = signal.listen().timeout(SECOND).fallback(fallback);
    let sub = listen.on_blocking(blocks).unwrap();
    let emission = tokio::spawn({
        let signal = signal.clone();
        async move { signal.emit(1).await }
    });
    // Time stands still while a thread runs, and goes on when it has begun.
    while gauge.now() == 0 {
        tokio::task::yield_now().await;
    }
    tokio::time::advance(SECOND).await;
    while pool.waiting() == 0 && !emission.is_finished() {
        tokio::task::yield_now().await;
    }
    assert_eq!(gauge.total(), 1);
    go.send(()).unwrap();
    assert_eq!(emission.await.unwrap().delivered(), 1);
    sub.remove();
    sub.removed().await;
    assert_eq!((gauge.total(), gauge.peak(), pool.in_use()), (2, 1, 0));
}
