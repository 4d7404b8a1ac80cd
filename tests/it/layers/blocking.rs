//! Blocking listeners behind layers: what becomes of a thread that nobody waits for any more.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;

use fanfare::layer::Retry;
use fanfare::{Dispatch, Outcome, Pool, Signal};

use crate::support::{Gauge, MODES, on_pool};

const SHORT: Duration = Duration::from_millis(5);

/// A listener that blocks until it is told to go on, and counts who is inside.
fn gated(signal: &Signal<u32>, gauge: &Gauge) -> (mpsc::Sender<()>, fanfare::Subscription) {
    let (go, wait) = mpsc::channel();
    let (wait, gauge) = (Arc::new(Mutex::new(wait)), gauge.clone());
    let blocks = move |_| {
        let _inside = gauge.enter();
        let _ = wait.lock().unwrap().recv();
    };
    let sub = signal.listen().timeout(SHORT).on_blocking(blocks).unwrap();
    (go, sub)
}

#[tokio::test(start_paused = true)]
async fn a_thread_that_is_given_up_keeps_its_permit_and_its_mark_until_it_returns() {
    for mode in MODES {
        let pool = Pool::new(1);
        let signal = on_pool(mode, &pool);
        let gauge = Gauge::default();
        let (go, sub) = gated(&signal, &gauge);
        let first = tokio::spawn({
            let signal = signal.clone();
            async move { signal.emit(1).await }
        });
        // Time stands still while a thread runs, and goes on when it has begun.
        while gauge.now() == 0 {
            tokio::task::yield_now().await;
        }
        tokio::time::advance(SHORT).await;
        let report = first.await.unwrap();
        assert_eq!(report.count(Outcome::TimedOut), 1, "{mode}");
        assert_eq!(
            (gauge.now(), pool.in_use(), sub.metadata().running()),
            (1, 1, 1),
            "{mode}"
        );
        let second = tokio::spawn({
            let signal = signal.clone();
            async move { signal.emit(2).await }
        });
        tokio::task::yield_now().await;
        assert_eq!(gauge.total(), 1, "{mode}");
        go.send(()).unwrap();
        go.send(()).unwrap();
        let report = second.await.unwrap();
        assert_eq!(report.listeners(), 1, "{mode}");
        sub.remove();
        sub.removed().await;
        assert_eq!(
            (gauge.now(), gauge.peak(), pool.in_use()),
            (0, 1, 0),
            "{mode}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_of_a_blocking_listener_never_runs_beside_a_thread_that_was_given_up() {
    let pool = Pool::new(1);
    let signal: Signal<u32> = on_pool(Dispatch::Concurrent, &pool);
    let gauge = Gauge::default();
    let (go, wait) = mpsc::channel::<()>();
    let (wait, g) = (Arc::new(Mutex::new(wait)), gauge.clone());
    let blocks = move |_| {
        let inside = g.enter();
        if inside.number() == 1 {
            let _ = wait.lock().unwrap().recv();
        }
    };
    let retry = Retry::constant(Duration::ZERO).max_attempts(50);
    let sub = signal
        .listen()
        .timeout(SHORT)
        .retry(retry)
        .on_blocking(blocks)
        .unwrap();
    let emission = tokio::spawn({
        let signal = signal.clone();
        async move { signal.emit(1).await }
    });
    while gauge.now() == 0 {
        tokio::task::yield_now().await;
    }
    tokio::time::advance(SHORT).await;
    // The second attempt waits for the permit, unless it is made without.
    while pool.waiting() == 0 && !emission.is_finished() {
        tokio::task::yield_now().await;
    }
    go.send(()).unwrap();
    assert_eq!(emission.await.unwrap().delivered(), 1);
    sub.remove();
    sub.removed().await;
    assert_eq!((gauge.peak(), pool.in_use()), (1, 0));
}

#[tokio::test]
async fn a_panic_on_a_thread_is_a_panic_of_its_listener() {
    let signal = Signal::<u32>::new();
    let listen = signal.listen().retry(Retry::constant(SHORT));
    listen.on_blocking(|_| panic!("on purpose")).unwrap();
    let report = signal.emit(1).await;
    let cause = report.entries()[0].cause();
    assert_eq!(cause.panic_message(), Some("on purpose"));
}

#[tokio::test]
async fn an_attempt_that_has_ended_leaves_its_permit_to_the_next() {
    let pool = Pool::new(1);
    let signal: Signal<u32> = on_pool(Dispatch::Concurrent, &pool);
    let gauge = Gauge::default();
    let g = gauge.clone();
    let fails = move |_| {
        let _inside = g.enter();
        std::thread::sleep(SHORT);
        Err::<(), _>("down")
    };
    let retry = Retry::constant(Duration::ZERO).max_attempts(5);
    signal.listen().retry(retry).on_blocking(fails).unwrap();
    let emissions = (0..4).map(|n| signal.emit(n));
    let reports = futures::future::join_all(emissions).await;
    assert!(reports.iter().all(|report| report.failed() == 1));
    assert_eq!((gauge.total(), gauge.peak(), pool.in_use()), (20, 1, 0));
}

#[test]
fn a_call_that_is_given_up_before_its_thread_begins_is_never_made() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    runtime.block_on(async {
        let (go, wait) = mpsc::channel::<()>();
        let busy = tokio::task::spawn_blocking(move || wait.recv());
        let (signal, gauge) = (Signal::<u32>::new(), Gauge::default());
        let g = gauge.clone();
        let counts = move |_| drop(g.enter());
        signal.listen().timeout(SHORT).on_blocking(counts).unwrap();
        assert_eq!(signal.emit(1).await.count(Outcome::TimedOut), 1);
        go.send(()).unwrap();
        busy.await.unwrap().unwrap();
        // The queue is first in, first out.
        tokio::task::spawn_blocking(|| {}).await.unwrap();
        assert_eq!(gauge.total(), 0);
    });
}
