//! What a shutdown of the source means for what is derived from it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use fanfare::layer::Retry;
use fanfare::{Batches, Bus, Outcome, Signal, Window};
use tokio::time::{Instant, advance};

use super::{record, record_windows};
use crate::support::{Log, poll_once, settle};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_what_is_begun_and_waits_for_its_listeners() {
    let source = Signal::<u32>::new();
    let by_time = source.window(Window::time(HOUR));
    let by_count = source.window(Window::count(10));
    let sliding = source.window(Window::count(3).every(2));
    let quiet = source.debounce(HOUR);
    let logs = [&by_time, &by_count, &sliding].map(record_windows);
    let last = record(&quiet);
    let done = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&done);
    by_time.on(async move |_| {
        tokio::time::sleep(SECOND).await;
        count.fetch_add(1, Ordering::SeqCst);
    });
    for n in 1..=3 {
        assert!(source.emit(n).await.is_ok());
    }
    let began = Instant::now();
    assert!(source.shutdown(SECOND * 10).await.is_clean());
    assert_eq!((began.elapsed(), done.load(Ordering::SeqCst)), (SECOND, 1));
    let [time, count, slid] = logs.map(|log| log.take());
    assert_eq!(
        (time, count),
        (vec![(vec![1, 2, 3], 0)], vec![(vec![1, 2, 3], 0)])
    );
    assert_eq!(slid, [(vec![1, 2], 0), (vec![1, 2, 3], 0)]);
    assert_eq!(last.take(), [3]);
}

#[tokio::test(start_paused = true)]
async fn a_window_of_windows_is_ended_too() {
    let source = Signal::<u32>::new();
    let sums = source
        .window(Window::count(2))
        .map(|w| w.iter().sum::<u32>());
    let windows = sums.window(Window::time(HOUR));
    let log = record_windows(&windows);
    for n in 1..=5 {
        assert!(source.emit(n).await.is_ok());
    }
    assert!(source.shutdown(SECOND).await.is_clean());
    let all: Vec<u32> = log.take().into_iter().flat_map(|(sums, _)| sums).collect();
    assert_eq!(all, [3, 7, 5]);
}

#[tokio::test(start_paused = true)]
async fn at_its_limit_a_shutdown_cancels_what_a_window_calls() {
    let source = Signal::<u32>::new();
    let windows = source.window(Window::time(HOUR));
    windows.on(async |_| std::future::pending::<()>().await);
    assert!(source.emit(1).await.is_ok());
    assert!(!source.shutdown(SECOND).await.is_clean());
    assert_eq!(windows.stats().count(Outcome::Cancelled), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_waited_for_where_nothing_is_begun() {
    let source = Signal::<u32>::new();
    let windows = source.window(Window::time(SECOND * 2).every(SECOND));
    let log = record_windows(&windows);
    assert!(source.emit(1).await.is_ok());
    advance(SECOND).await;
    settle().await;
    assert_eq!(log.take(), [(vec![1], 0)]);
    let began = Instant::now();
    assert!(source.shutdown(SECOND * 10).await.is_clean());
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert!(log.take().is_empty(), "a window has had all there is");
}

#[tokio::test(start_paused = true)]
async fn of_merged_sources_each_ends_what_is_begun_when_it_closes() {
    let (a, b) = (Signal::<u32>::new(), Signal::<u32>::new());
    let windows = a.merge(&b).window(Window::time(HOUR));
    let log = record_windows(&windows);
    assert!(a.emit(1).await.is_ok() && b.emit(2).await.is_ok());
    assert!(a.shutdown(SECOND).await.is_clean());
    assert_eq!(log.take(), [(vec![1, 2], 0)]);
    assert!(b.emit(3).await.is_ok());
    advance(SECOND).await;
    settle().await;
    assert!(log.take().is_empty(), "the other has not closed");
    assert!(b.emit(4).await.is_ok());
    settle().await;
    assert!(b.shutdown(SECOND).await.is_clean());
    assert_eq!(log.take(), [(vec![3, 4], 0)]);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_has_shut_down_leaves_those_it_is_merged_with_as_they_are() {
    let (a, b) = (Signal::<u32>::new(), Signal::<u32>::new());
    let quiet = a.merge(&b).debounce(SECOND);
    let windows = a.merge(&b).window(Window::time(HOUR));
    let (last, log) = (record(&quiet), record_windows(&windows));
    assert!(a.shutdown(SECOND).await.is_clean());
    for n in 1..=3 {
        assert!(b.emit(n).await.is_ok());
        advance(SECOND / 2).await;
        settle().await;
        assert!(last.take().is_empty(), "{n}");
    }
    advance(SECOND).await;
    settle().await;
    assert_eq!((last.take(), log.take()), (vec![3], vec![]));
    // Whoever shuts it down again does not wait for the others.
    let began = Instant::now();
    assert!(a.shutdown(SECOND).await.is_clean());
    assert_eq!(began.elapsed(), Duration::ZERO);
    advance(HOUR).await;
    settle().await;
    assert_eq!(log.take(), [(vec![1, 2, 3], 0)]);
}

#[tokio::test(start_paused = true)]
async fn what_was_cancelled_with_one_source_is_not_for_another() {
    let (a, b) = (Signal::<u32>::new(), Signal::<u32>::new());
    let windows = a.merge(&b).window(Window::time(SECOND));
    windows.on(async |_| tokio::time::sleep(SECOND).await);
    a.on(async |_| std::future::pending::<()>().await);
    let stuck = tokio::spawn({
        let a = a.clone();
        async move { a.emit(0).await }
    });
    settle().await;
    assert!(!a.shutdown(SECOND * 5).await.is_clean());
    assert_eq!(stuck.await.unwrap().count(Outcome::Cancelled), 1);
    let done = windows.stats().count(Outcome::Done);
    for _ in 0..2 {
        assert!(b.emit(1).await.is_ok());
        tokio::time::sleep(SECOND * 3).await;
    }
    let stats = windows.stats();
    assert_eq!(stats.count(Outcome::Done), done + 2);
    assert_eq!(stats.count(Outcome::Cancelled), 0);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_wait_for_a_window_that_the_other_source_begins() {
    let (a, b) = (Signal::<u32>::new(), Signal::<u32>::new());
    let windows = a.merge(&b).window(Window::time(HOUR));
    let log = record_windows(&windows);
    windows.on(async |_| tokio::time::sleep(SECOND).await);
    a.on(async |_| tokio::time::sleep(SECOND * 5).await);
    let slow = tokio::spawn({
        let a = a.clone();
        async move { a.emit(1).await }
    });
    settle().await;
    let began = Instant::now();
    let closing = tokio::spawn(async move { (a.shutdown(SECOND * 10).await, Instant::now()) });
    settle().await;
    assert_eq!(log.take(), [(vec![1], 0)]);
    // Begun while the task delivers the one before it.
    assert!(b.emit(2).await.is_ok());
    let (left, ended) = closing.await.unwrap();
    assert!(left.is_clean() && slow.await.unwrap().is_ok());
    assert_eq!(ended - began, SECOND * 5);
    assert_eq!(log.take(), [(vec![2], 0)]);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_a_window_that_the_other_source_completes() {
    let (a, b) = (Signal::<u32>::new(), Signal::<u32>::new());
    let windows = a.merge(&b).window(Window::count(2));
    windows.on(async |_| tokio::time::sleep(SECOND * 5).await);
    assert!(b.emit(1).await.is_ok());
    let completing = tokio::spawn(async move { a.emit(2).await });
    settle().await;
    let began = Instant::now();
    assert!(b.shutdown(SECOND * 10).await.is_clean());
    assert_eq!(began.elapsed(), SECOND * 5);
    assert_eq!(windows.stats().count(Outcome::Done), 1);
    assert!(completing.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_listener_of_a_window_does_not_wait_for_the_emission_that_completes_it() {
    let source = Signal::<u32>::new();
    let windows = source.window(Window::count(2));
    let (weak, clean) = (source.downgrade(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&clean);
    windows.on(async move |_| {
        tokio::task::yield_now().await;
        let left = weak.upgrade().unwrap().shutdown(SECOND).await;
        count.fetch_add(usize::from(left.is_clean()), Ordering::SeqCst);
    });
    let began = Instant::now();
    assert!(source.emit(1).await.is_ok() && source.emit(2).await.is_ok());
    assert_eq!(
        (began.elapsed(), clean.load(Ordering::SeqCst)),
        (Duration::ZERO, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_shuts_down_ends_what_is_begun() {
    let bus = Bus::new();
    let windows = bus.signal::<u32>().window(Window::time(HOUR));
    let log = record_windows(&windows);
    assert!(bus.emit(1_u32).await.is_ok());
    assert!(bus.shutdown(SECOND).await.is_clean());
    assert_eq!(log.take(), [(vec![1], 0)]);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_retries_in_the_background_of_what_is_derived() {
    let source = Signal::<u32>::new();
    let derived = source.map(|n| *n);
    let tries = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&tries);
    let retry = Retry::exponential().max_attempts(2).in_background();
    let listen = derived.listen().retry(retry);
    let flaky = async move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Err("not yet".into()),
        _ => Ok(()),
    };
    listen.try_on(flaky).unwrap();
    assert_eq!(source.emit(1).await.failed(), 0);
    assert!(source.shutdown(HOUR).await.is_clean());
    assert_eq!(tries.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_shutdown_waits_for_a_blocking_listener_of_what_is_derived() {
    let source = Signal::<u32>::new();
    let derived = source.map(|n| *n);
    let (begun, begins) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let (released, done) = (Mutex::new(released), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&done);
    let blocks = move |_| {
        begun.send(()).unwrap();
        released.lock().unwrap().recv().unwrap();
        count.fetch_add(1, Ordering::SeqCst);
    };
    derived.listen().on_blocking(blocks).unwrap();
    let mut emission = Box::pin(source.emit(1));
    assert!(poll_once(&mut emission).is_none());
    begins.recv().unwrap();
    drop(emission);
    let mut shutdown = Box::pin(source.shutdown(HOUR));
    assert!(poll_once(&mut shutdown).is_none());
    release.send(()).unwrap();
    assert!(shutdown.await.is_clean());
    assert_eq!(done.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_derived_signal_that_is_dropped_ends_its_task() {
    let source = Signal::<u32>::new();
    let held = Arc::new(());
    let inside = Arc::clone(&held);
    let windows = source
        .map(move |_| Arc::clone(&inside))
        .window(Window::time(HOUR));
    let _ = windows.on_sync(|_| {});
    assert!(source.emit(1).await.is_ok());
    assert_eq!(Arc::strong_count(&held), 3);
    drop(windows);
    settle().await;
    assert_eq!(Arc::strong_count(&held), 1);
    assert!(source.shutdown(SECOND).await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_of_the_source_ends_the_batches_of_what_is_derived_and_its_retries() {
    let source = Signal::<u32>::new();
    let rows = source.map(|n| n + 1);
    let batches = Log::default();
    let log = batches.clone();
    let waits = Batches::of(100).within(HOUR);
    rows.listen()
        .on_batch(waits, async move |rows: Vec<u32>| log.push(rows))
        .unwrap();
    let emission = {
        let source = source.clone();
        tokio::spawn(async move { source.emit(1).await })
    };
    settle().await;
    let began = Instant::now();
    assert!(source.shutdown(SECOND).await.is_clean());
    assert_eq!(
        (began.elapsed(), batches.take()),
        (Duration::ZERO, vec![vec![2]])
    );
    assert!(emission.await.unwrap().is_ok());

    let source = Signal::<u32>::builder().on_failure(|_| {}).build();
    let failing = source.map(|n| n + 2);
    let retry = Retry::constant(HOUR).max_attempts(2).in_background();
    let attempts = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&attempts);
    failing
        .listen()
        .retry(retry)
        .try_on(async move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            Err("no".into())
        })
        .unwrap();
    assert!(source.emit(1).await.is_ok());
    assert!(!source.shutdown(SECOND).await.is_clean());
    settle().await;
    assert_eq!(failing.stats().count(Outcome::Cancelled), 1);
    assert_eq!(attempts.load(Ordering::SeqCst), 1);
}
