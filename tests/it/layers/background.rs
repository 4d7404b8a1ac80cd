//! Retries that outlive their emission.

use std::time::Duration;

use fanfare::layer::Retry;
use fanfare::{Delivery, Outcome, Pool, Signal, SignalBuilder};
use tokio::time::Instant;

use crate::support::{Gauge, Log, settle};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A signal whose one listener fails in so many attempts, and retries in the background each minute.
fn failing(
    builder: SignalBuilder<u32>,
    attempts: u32,
    told: &Log<String>,
) -> (Signal<u32>, fanfare::Subscription) {
    let told = told.clone();
    let signal = builder
        .on_failure(move |failure| told.push(failure.to_string()))
        .build();
    let retry = Retry::constant(MINUTE).max_attempts(3).in_background();
    let fails = async move |_, d: Delivery| {
        tokio::task::yield_now().await;
        if d.attempt() <= attempts {
            Err("down".into())
        } else {
            Ok(())
        }
    };
    let sub = signal
        .listen()
        .key("sender")
        .retry(retry)
        .with_delivery()
        .try_on(fails)
        .unwrap();
    (signal, sub)
}

#[tokio::test(start_paused = true)]
async fn the_emission_does_not_wait_and_what_comes_of_it_is_told() {
    let told = Log::default();
    let (signal, sub) = failing(Signal::builder(), 9, &told);
    let begun = Instant::now();
    let report = signal.emit(1).await;
    assert_eq!((report.count(Outcome::Deferred), report.failed()), (1, 0));
    assert!(begun.elapsed() < SECOND && report.is_ok());
    assert_eq!(sub.metadata().running(), 1);
    tokio::time::sleep(3 * MINUTE).await;
    assert_eq!(told.take(), ["`sender` failed: down"]);
    let stats = signal.stats();
    assert_eq!(
        (stats.count(Outcome::Deferred), stats.count(Outcome::Failed)),
        (1, 1)
    );
    assert_eq!((sub.metadata().running(), sub.metadata().errors()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_succeeds_at_once_or_in_the_background_is_told_to_nobody() {
    let told = Log::default();
    let (signal, _) = failing(Signal::builder(), 0, &told);
    assert_eq!(signal.emit(1).await.delivered(), 1);
    let (signal, sub) = failing(Signal::builder(), 2, &told);
    assert_eq!(signal.emit(1).await.count(Outcome::Deferred), 1);
    tokio::time::sleep(3 * MINUTE).await;
    assert_eq!((told.len(), sub.metadata().running()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn shutdown_waits_for_it_and_at_the_limit_cancels_it_and_says_so() {
    let told = Log::default();
    let (signal, _) = failing(Signal::builder(), 1, &told);
    assert_eq!(signal.emit(1).await.count(Outcome::Deferred), 1);
    let left = signal.shutdown(10 * MINUTE).await;
    assert!(left.is_clean(), "{left}");
    assert_eq!(told.len(), 0);

    let (signal, _) = failing(Signal::builder(), 1, &told);
    assert_eq!(signal.emit(1).await.count(Outcome::Deferred), 1);
    let left = signal.shutdown(SECOND).await;
    assert!(!left.is_clean());
    settle().await;
    assert_eq!(told.take(), ["`sender` cancelled: shut down"]);
}

#[tokio::test(start_paused = true)]
async fn removed_waits_for_it() {
    let told = Log::default();
    let (signal, sub) = failing(Signal::builder(), 1, &told);
    let _ = signal.emit(1).await;
    let begun = Instant::now();
    sub.remove();
    sub.removed().await;
    assert!(begun.elapsed() + SECOND >= MINUTE);
}

#[tokio::test(start_paused = true)]
async fn one_more_than_there_is_room_for_waits_in_its_emission() {
    let told = Log::default();
    let (signal, _) = failing(Signal::builder().max_background(2), 1, &told);
    let begun = Instant::now();
    for _ in 0..2 {
        assert_eq!(signal.emit(1).await.count(Outcome::Deferred), 1);
    }
    assert!(begun.elapsed() < SECOND);
    assert_eq!(signal.emit(1).await.delivered(), 1);
    assert!(begun.elapsed() >= MINUTE);
}

#[tokio::test(start_paused = true)]
async fn attempts_in_the_background_run_on_permits_of_the_pool_and_wait_without() {
    let pool = Pool::new(2);
    let signal = Signal::<u32>::builder().pool(pool.clone()).build();
    let gauge = Gauge::default();
    let g = gauge.clone();
    let fails = async move |_| {
        let _inside = g.enter();
        tokio::time::sleep(SECOND).await;
        Err::<(), _>("down")
    };
    let retry = Retry::constant(MINUTE).in_background();
    signal.listen().retry(retry).on(fails).unwrap();
    let emissions = (0..10).map(|n| signal.emit(n));
    let reports = futures::future::join_all(emissions).await;
    assert!(
        reports
            .iter()
            .all(|report| report.count(Outcome::Deferred) == 1)
    );
    tokio::time::sleep(SECOND).await;
    assert_eq!(pool.in_use(), 0);
    assert!(signal.shutdown(60 * MINUTE).await.is_clean());
    assert_eq!((gauge.total(), gauge.peak(), pool.in_use()), (30, 2, 0));
}

#[test]
fn a_runtime_that_ends_takes_it_along_and_says_so() {
    let told = Log::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let (signal, sub) = failing(Signal::builder(), 1, &told);
    let report = runtime.block_on(signal.emit(1));
    assert_eq!(report.count(Outcome::Deferred), 1);
    drop(runtime);
    assert_eq!(told.take(), ["`sender` cancelled: the runtime ended"]);
    assert_eq!(sub.metadata().running(), 0);
}
