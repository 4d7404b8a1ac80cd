//! What goes on while a call behind layers ends: who still holds what, who is told, and in which order.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll};
use std::time::Duration;

use fanfare::layer::{
    DeadLetter, DeadLetters, Decision, Dedup, FailurePolicy, Letter, Place, RedeliverError, Retry,
};
use fanfare::{BoxError, Delivery, Dispatch, Outcome, Pool, Signal, without_permit};
use tokio_util::sync::CancellationToken;
use tower::util::MapFutureLayer;
use tower::{ServiceBuilder, service_fn};

use crate::support::{Gauge, Log, on_pool, settle};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(5);

/// Panics when it is dropped.
struct Grenade;

impl Drop for Grenade {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "in drop");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_asked_for_after_the_attempt_was_given_up_has_fired() {
    let signal = Signal::<u32>::new();
    let kept = Log::<Delivery>::default();
    let k = kept.clone();
    let retry = Retry::constant(SECOND).max_attempts(2);
    let listen = signal.listen().retry(retry).timeout(SECOND);
    let hangs = async move |_, d| {
        k.push(d);
        std::future::pending::<()>().await;
    };
    listen.with_delivery().on(hangs).unwrap();
    let _ = signal.emit(1).await;
    let fired = |d: &Delivery| d.cancellation_token().is_cancelled();
    assert_eq!(
        kept.take().iter().map(fired).collect::<Vec<_>>(),
        [true, true]
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_timed_out_attempt_held_is_free_when_its_letter_is_taken() {
    let lock = Arc::new(tokio::sync::Mutex::new(()));
    for deadline in [false, true] {
        let signal = Signal::<u32>::new();
        let (held, wanted) = (Arc::clone(&lock), Arc::clone(&lock));
        let letter = DeadLetter::to(async move |_| drop(wanted.lock().await));
        let listen = signal.listen().dead_letter(letter);
        let listen = if deadline {
            listen.deadline(SECOND)
        } else {
            listen.timeout(SECOND)
        };
        let holds = async move |_| {
            let _held = held.lock().await;
            std::future::pending::<()>().await;
        };
        listen.on(holds).unwrap();
        let report = tokio::time::timeout(MINUTE, signal.emit(1)).await;
        assert_eq!(report.unwrap().count(Outcome::TimedOut), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_failed_call_still_holds_is_free_when_its_letter_is_taken() {
    let free = Arc::new(AtomicBool::new(false));
    let is_free = Arc::clone(&free);
    let taken = async move |_| is_free.load(Ordering::SeqCst).then_some(()).ok_or("held");
    let fails = service_fn(move |_: Delivery| Holds(Arc::clone(&free)));
    let stack = ServiceBuilder::new().layer(DeadLetter::to(taken));
    let signal = Signal::<u32>::new();
    signal.service(stack.service(fails));
    let report = signal.emit(1).await;
    assert_eq!(
        report.entries()[0]
            .to_string()
            .split(": ")
            .skip(1)
            .collect::<Vec<_>>(),
        ["down"]
    );
}

/// Fails, and holds something until it is dropped.
struct Holds(Arc<AtomicBool>);

impl Future for Holds {
    type Output = Result<(), BoxError>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Err("down".into()))
    }
}

impl Drop for Holds {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_panics_is_an_attempt_that_panicked_to_the_layers_around_it() {
    let letters = DeadLetters::new(10);
    for (place, attempts) in [(Place::Timeout, 3), (Place::Retry, 1)] {
        let signal = Signal::<u32>::new();
        let panics = MapFutureLayer::new(|_| Panics);
        let retry = Retry::constant(SECOND).retry_panics();
        let listen = signal.listen().retry(retry).layer_at(place, panics);
        let listen = listen.dead_letter(DeadLetter::keep(&letters));
        listen.on(async |_| {}).unwrap();
        assert_eq!(signal.emit(1).await.count(Outcome::Panicked), 1);
        let all = letters.take(|_| true);
        assert_eq!(
            all.iter().map(Letter::attempts).collect::<Vec<_>>(),
            [attempts]
        );
    }
}

struct Panics;

impl Future for Panics {
    type Output = Result<(), BoxError>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        panic!("on purpose");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_drop_of_a_call_that_is_cancelled_is_counted() {
    let signal = Signal::<u32>::new();
    let hangs = async |_| {
        let _grenade = Grenade;
        std::future::pending::<()>().await;
    };
    let retry = Retry::constant(SECOND);
    let sub = signal.listen().retry(retry).on(hangs).unwrap();
    let report = signal.emit(1).timeout(SECOND).await;
    assert_eq!(report.count(Outcome::TimedOut), 1);
    assert_eq!(sub.metadata().panics(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failure_in_the_background_is_told_whatever_its_drop_does() {
    let told = Log::default();
    let t = told.clone();
    let signal = Signal::<u32>::builder()
        .on_failure(move |failure| t.push(failure.to_string()))
        .build();
    let retry = Retry::constant(SECOND).max_attempts(2).in_background();
    let listen = signal.listen().retry(retry).timeout(SECOND);
    let layer = MapFutureLayer::new(|future| async {
        let grenade = Grenade;
        let ended = future.await;
        std::mem::forget(grenade);
        ended
    });
    let fails = async |_, d: Delivery| match d.attempt() {
        1 => Err::<(), _>("down"),
        _ => std::future::pending().await,
    };
    let listen = listen.layer_at(Place::Panic, layer).with_delivery();
    let sub = listen.on(fails).unwrap();
    assert_eq!(signal.emit(1).await.count(Outcome::Deferred), 1);
    tokio::time::sleep(MINUTE).await;
    assert_eq!((told.len(), sub.metadata().running()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_follows_at_once_waits_for_a_permit_too() {
    let pool = Pool::new(1);
    let signal: Signal<u32> = on_pool(Dispatch::Concurrent, &pool);
    let gauge = Gauge::default();
    let g = gauge.clone();
    let lends = async move |_, d: Delivery| {
        if d.attempt() == 1 {
            without_permit(std::future::pending::<()>()).await;
        }
        let _inside = g.enter();
        tokio::time::sleep(SECOND).await;
    };
    let retry = Retry::constant(Duration::ZERO);
    let listen = signal.listen().filter(|n| *n == 1).retry(retry);
    listen
        .timeout(2 * SECOND)
        .with_delivery()
        .on(lends)
        .unwrap();
    let g = gauge.clone();
    let other = signal.listen().filter(|n| *n == 2);
    let works = async move |_| {
        let _inside = g.enter();
        tokio::time::sleep(10 * SECOND).await;
    };
    other.on(works).unwrap();
    let (one, two) = tokio::join!(signal.emit(1), signal.emit(2));
    assert_eq!((one.delivered(), two.delivered()), (1, 1));
    assert_eq!((gauge.total(), gauge.peak()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_thread_that_is_given_up_in_the_background_keeps_its_permit() {
    let pool = Pool::new(1);
    let signal: Signal<u32> = on_pool(Dispatch::Concurrent, &pool);
    let (go, wait) = mpsc::channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let (begun, mut begins) = tokio::sync::mpsc::unbounded_channel();
    let blocks = move |_, d: Delivery| {
        if d.attempt() == 1 {
            return Err("down");
        }
        begun.send(()).unwrap();
        let _ = wait.lock().unwrap().recv();
        Ok(())
    };
    let retry = Retry::constant(SHORT).max_attempts(2).in_background();
    let listen = signal.listen().retry(retry).timeout(10 * SHORT);
    let sub = listen.with_delivery().on_blocking(blocks).unwrap();
    assert_eq!(signal.emit(1).await.count(Outcome::Deferred), 1);
    // One that has not begun is taken back. The clock stands still as long as the thread runs.
    begins.recv().await.unwrap();
    tokio::time::advance(10 * SHORT).await;
    while signal.stats().count(Outcome::TimedOut) == 0 {
        tokio::task::yield_now().await;
    }
    settle().await;
    assert_eq!((sub.metadata().running(), pool.in_use()), (1, 1));
    go.send(()).unwrap();
    sub.remove();
    sub.removed().await;
    assert_eq!(pool.in_use(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_thread_that_was_given_up_comes_to_is_told() {
    let told = Log::default();
    let t = told.clone();
    let signal = Signal::<u32>::builder()
        .on_failure(move |failure| t.push(failure.to_string()))
        .build();
    let (go, wait) = mpsc::channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let (begun, mut begins) = tokio::sync::mpsc::unbounded_channel();
    let blocks = move |_| {
        begun.send(()).unwrap();
        let _ = wait.lock().unwrap().recv();
        panic!("late");
    };
    let listen = signal.listen().key("sender").timeout(SHORT);
    let sub = listen.on_blocking(blocks).unwrap();
    let emission = tokio::spawn({
        let signal = signal.clone();
        async move { signal.emit(1).await }
    });
    // One that has not begun is taken back. The clock stands still as long as the thread runs.
    begins.recv().await.unwrap();
    tokio::time::advance(SHORT).await;
    assert_eq!(emission.await.unwrap().count(Outcome::TimedOut), 1);
    go.send(()).unwrap();
    sub.remove();
    sub.removed().await;
    let told = told.take();
    assert_eq!((told.len(), sub.metadata().panics()), (2, 1), "{told:?}");
    assert_eq!(told[1], "`sender` panicked: late");
}

#[tokio::test(start_paused = true)]
async fn a_rule_sees_the_attempt_that_failed_wherever_it_is_asked() {
    let letters = DeadLetters::new(10);
    let signal = Signal::<u32>::new();
    let third = |failure: &fanfare::layer::Failure<'_>| failure.delivery().attempt() == 3;
    let rules = FailurePolicy::new().when(third, Decision::DeadLetter);
    let listen = signal
        .listen()
        .retry(Retry::constant(SECOND).max_attempts(9));
    let listen = listen.dead_letter(DeadLetter::keep(&letters).only_asked());
    let fails = async |_| Err::<(), _>("down");
    listen.failure_policy(rules).on(fails).unwrap();
    assert_eq!(signal.emit(1).await.failed(), 1);
    let all = letters.letters();
    assert_eq!(all.len(), 1);
    assert_eq!((all[0].attempts(), all[0].delivery().attempt()), (3, 3));

    let signal = Signal::<u32>::new();
    let rules = FailurePolicy::new().when(third, Decision::Disable);
    let listen = signal
        .listen()
        .retry(Retry::constant(SECOND).max_attempts(9));
    let sub = listen.failure_policy(rules).on(fails).unwrap();
    assert_eq!(signal.emit(1).await.failed(), 1);
    assert!(!sub.is_enabled());
}

#[tokio::test(start_paused = true)]
async fn what_is_no_failure_is_no_rules_business() {
    let signal = Signal::<u32>::new();
    let rules = FailurePolicy::new().otherwise(Decision::Disable);
    let dedup = Dedup::by(|n: &u32| *n).capacity(10);
    let listen = signal.listen().dedup(dedup).failure_policy(rules);
    let sub = listen.on(async |_| {}).unwrap();
    assert_eq!(signal.emit(1).await.delivered(), 1);
    assert_eq!(signal.emit(1).await.skipped(), 1);
    assert!(sub.is_enabled());
    assert_eq!(signal.emit(2).await.delivered(), 1);
}

type Waits = Box<dyn Iterator<Item = Duration> + Send>;

#[tokio::test(start_paused = true)]
async fn delays_that_panic_end_the_attempts_and_hide_no_failure() {
    let letters = DeadLetters::new(10);
    let made = || -> Waits { panic!("on purpose") };
    let next = || -> Waits { Box::new(std::iter::from_fn(|| panic!("on purpose"))) };
    for retry in [Retry::delays(made), Retry::delays(next)] {
        let signal = Signal::<u32>::new();
        let listen = signal.listen().retry(retry);
        let listen = listen.dead_letter(DeadLetter::keep(&letters));
        listen.on(async |_| Err::<(), _>("down")).unwrap();
        assert_eq!(signal.emit(1).await.count(Outcome::Failed), 1);
    }
    assert_eq!(letters.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn letters_that_go_back_are_where_they_were() {
    let letters = DeadLetters::new(10);
    let signal = Signal::<u32>::new();
    let listen = signal.listen().dead_letter(DeadLetter::keep(&letters));
    let sub = listen.on(async |_| Err::<(), _>("down")).unwrap();
    for n in 0..5 {
        assert_eq!(signal.emit(n).await.failed(), 1);
    }
    sub.remove();
    assert_eq!(letters.redrive().await.left(), 5);
    let order: Vec<u32> = letters
        .letters()
        .iter()
        .map(|l| *l.event().unwrap())
        .collect();
    assert_eq!(order, [0, 1, 2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn a_letter_that_no_listener_of_its_signal_was_called_with_is_not_taken() {
    let letters = Signal::<Letter>::new();
    let sub = letters.on(async |_| {});
    let signal = Signal::<u32>::new();
    let listen = signal.listen().dead_letter(DeadLetter::to_signal(&letters));
    listen.on(async |_| Err::<(), _>("down")).unwrap();
    let taken = async || {
        !signal.emit(1).await.entries()[0]
            .to_string()
            .contains("not taken")
    };
    assert!(taken().await);
    sub.disable();
    assert!(!taken().await);
    sub.enable();
    assert!(taken().await);
    letters.listen().key("store").on(async |_| {}).unwrap();
    sub.disable();
    assert!(taken().await);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_redelivered_to_a_signal_that_is_shut_down() {
    let letters = DeadLetters::new(10);
    let signal = Signal::<u32>::new();
    let calls = Gauge::default();
    let c = calls.clone();
    let listen = signal.listen().dead_letter(DeadLetter::keep(&letters));
    let fails = async move |_| {
        c.enter();
        Err::<(), _>("down")
    };
    listen.on(fails).unwrap();
    assert_eq!(signal.emit(1).await.failed(), 1);
    assert!(signal.shutdown(SECOND).await.is_clean());
    let gone = letters.letters()[0].redeliver().await;
    assert!(
        matches!(gone, Err(RedeliverError::ListenerGone)),
        "{gone:?}"
    );
    assert_eq!((calls.total(), letters.redrive().await.left()), (1, 1));
}

#[test]
fn a_listener_can_be_switched_off_by_its_very_first_call() {
    for _ in 0..300 {
        let signal = Signal::<u32>::new();
        let done = CancellationToken::new();
        let fails = service_fn(async |_: Delivery| -> Result<(), BoxError> {
            Err(Decision::Disable.with("down").into())
        });
        let emits = std::thread::spawn({
            let (signal, done) = (signal.clone(), done.clone());
            move || {
                while !done.is_cancelled() {
                    let report = futures::executor::block_on(signal.emit(1));
                    if report.failed() > 0 {
                        break;
                    }
                }
            }
        });
        let sub = signal.service(fails);
        emits.join().unwrap();
        assert!(!sub.is_enabled());
    }
}

#[test]
fn a_listener_that_is_disabled_while_its_pause_ends_stays_disabled() {
    let signal = Signal::<u32>::new();
    let sub = signal.on(async |_| {});
    let (begun, looked) = (AtomicU32::new(0), AtomicU32::new(0));
    let reached = |count: &AtomicU32, round| {
        while count.load(Ordering::SeqCst) < round {
            std::thread::yield_now();
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 1..=ROUNDS {
                reached(&begun, round);
                let _ = sub.is_enabled();
                looked.store(round, Ordering::SeqCst);
            }
        });
        let mut stayed = true;
        for round in 1..=ROUNDS {
            sub.pause(Duration::ZERO).unwrap();
            begun.store(round, Ordering::SeqCst);
            for _ in 0..round % 64 {
                std::hint::spin_loop();
            }
            sub.disable();
            reached(&looked, round);
            stayed &= !sub.is_enabled();
            sub.enable();
        }
        assert!(stayed);
    });
}

const ROUNDS: u32 = 100_000;
