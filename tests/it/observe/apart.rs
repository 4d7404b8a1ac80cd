//! Calls that are counted apart from a report: of redriven letters, and of threads that nobody waits for any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use fanfare::layer::{DeadLetter, DeadLetters};

use fanfare::{Bus, Outcome, Signal};

const MINUTE: Duration = Duration::from_secs(60);
const MS: Duration = Duration::from_millis(1);

#[tokio::test(start_paused = true)]
async fn a_redriven_letter_is_one_call_more_with_one_outcome() {
    let (letters, down) = (DeadLetters::new(10), Arc::new(AtomicBool::new(true)));
    let bus = Bus::builder().on_failure(|_| {}).build();
    let signal = bus.signal::<u32>();
    let is_down = Arc::clone(&down);
    let sub = signal
        .listen()
        .dead_letter(DeadLetter::keep(&letters))
        .on(async move |_| {
            if is_down.load(Ordering::Relaxed) {
                return Err("down");
            }
            Ok(())
        })
        .unwrap();
    let counted = || {
        let (stats, listener) = (signal.stats(), sub.metadata());
        assert_eq!(stats.deliveries(), listener.calls());
        (
            listener.calls(),
            listener.errors(),
            stats.count(Outcome::Done),
            stats.count(Outcome::Failed),
        )
    };
    let _ = signal.emit(1).await;
    for _ in 0..3 {
        assert_eq!(letters.redrive().await.failed(), 1);
    }
    assert_eq!(counted(), (4, 4, 0, 4));
    let report = bus.health();
    let worst = &report.worst.failing[0];
    assert_eq!((worst.calls, worst.failed), (4, 4));

    down.store(false, Ordering::Relaxed);
    assert_eq!(letters.redrive().await.delivered(), 1);
    assert_eq!(counted(), (5, 4, 1, 4));
    assert_eq!(signal.stats().emissions(), 1);
    assert!(sub.metadata().last_called().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_letter_that_waits_for_its_turn_is_no_call_yet() {
    let letters = DeadLetters::new(10);
    let signal = Signal::<u32>::builder()
        .on_failure(|_| {})
        .keyed_by(|_| 0)
        .build();
    let fails_once = AtomicBool::new(true);
    let sub = signal
        .listen()
        .dead_letter(DeadLetter::keep(&letters))
        .on({
            let fails_once = Arc::new(fails_once);
            async move |_| {
                if fails_once.swap(false, Ordering::Relaxed) {
                    return Err("down");
                }
                std::future::pending::<Result<(), _>>().await
            }
        })
        .unwrap();
    let _ = signal.emit(1).await;
    // The next event has the turn, and does not give it back.
    let busy = tokio::spawn({
        let signal = signal.clone();
        async move { signal.emit(2).await }
    });
    crate::support::settle().await;
    let redrive = tokio::spawn(letters.redrive().into_future());
    crate::support::settle().await;
    // It waits for its turn, and has not been called with it yet.
    assert_eq!(sub.metadata().calls(), 2);
    assert!(!signal.shutdown(MINUTE).await.is_clean());
    assert_eq!(redrive.await.unwrap().left(), 1);
    busy.await.unwrap();
    assert_eq!(signal.stats().count(Outcome::Cancelled), 2);
    assert_eq!(sub.metadata().cancellations(), 2);
}

#[tokio::test]
async fn what_a_thread_does_that_was_given_up_is_counted_by_its_signal_too() {
    for behind_layers in [false, true] {
        let (told, failures) = mpsc::channel();
        let bus = Bus::builder()
            .on_failure(move |entry| told.send(entry.outcome()).unwrap())
            .build();
        let signal = bus.signal::<u32>();
        let (begun, begins) = tokio::sync::mpsc::unbounded_channel();
        let (go, gate) = mpsc::channel::<()>();
        let gate = std::sync::Mutex::new(gate);
        let listen = signal.listen();
        // A timeout that never comes is a layer all the same.
        let listen = if behind_layers {
            listen.timeout(60 * MINUTE)
        } else {
            listen
        };
        let sub = listen
            .on_blocking(move |_| {
                begun.send(()).unwrap();
                let _ = gate.lock().unwrap().recv_timeout(MINUTE);
                panic!("late");
            })
            .unwrap();
        let mut begins = begins;
        let mut emission = Box::pin(signal.emit(1));
        tokio::select! {
            _ = &mut emission => panic!("it waits for the thread"),
            _ = begins.recv() => {}
        }
        drop(emission);
        assert_eq!(signal.stats().count(Outcome::Cancelled), 1);
        go.send(()).unwrap();
        assert!(bus.shutdown(MINUTE).await.is_clean());
        let failures: Vec<_> = failures.try_iter().collect();
        assert_eq!(failures, [Outcome::Cancelled, Outcome::Panicked]);
        assert_eq!(signal.stats().count(Outcome::Panicked), 1);
        let listener = sub.metadata();
        assert_eq!((listener.panics(), listener.cancellations()), (1, 1));
        assert_eq!((listener.calls(), signal.stats().deliveries()), (1, 2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_twice_makes_no_share_above_one() {
    let bus = Bus::builder().on_failure(|_| {}).build();
    let (begun, mut begins) = tokio::sync::mpsc::unbounded_channel();
    let (go, gate) = mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    bus.listen::<u32>()
        .timeout(MS)
        .on_blocking(move |_| {
            begun.send(()).unwrap();
            let _ = gate.lock().unwrap().recv_timeout(MINUTE);
            panic!("late");
        })
        .unwrap();
    let signal = bus.signal::<u32>();
    let emission = tokio::spawn({
        let signal = signal.clone();
        async move { signal.emit(1).await }
    });
    // One that has not begun is taken back, and never fails. The clock stands still as long as the thread runs.
    begins.recv().await.unwrap();
    tokio::time::advance(2 * MS).await;
    assert_eq!(emission.await.unwrap().count(Outcome::TimedOut), 1);
    go.send(()).unwrap();
    let panicked = async {
        while signal.stats().count(Outcome::Panicked) == 0 {
            tokio::task::yield_now().await;
        }
    };
    let told = tokio::time::timeout(MINUTE, panicked).await;
    told.expect("the thread ends");
    let report = bus.health();
    let worst = &report.worst.failing[0];
    assert_eq!((worst.calls, worst.failed), (1, 2));
    assert!((worst.failure_share() - 1.0).abs() < f64::EPSILON);
}
