//! Retries that outlive their emission.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fanfare::layer::{BoxFuture, DeadLetter, Letter, Place, Retry};
use fanfare::{BoxError, Delivery, Outcome, Pool, Signal, SignalBuilder, without_permit};
use tokio::time::Instant;
use tower::util::{MapFutureLayer, MapResultLayer};

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

#[tokio::test(start_paused = true)]
async fn a_retry_that_does_not_wait_stays_in_its_emission() {
    let signal = Signal::<u32>::new();
    let retry = Retry::constant(Duration::ZERO).in_background();
    let listen = signal.listen().retry(retry);
    listen.on(async |_| Err::<(), _>("down")).unwrap();
    let report = signal.emit(1).await;
    assert_eq!((report.failed(), report.count(Outcome::Deferred)), (1, 0));
}

/// A listener that fails at once, and does this when it is called again, in the background.
fn again<F>(
    builder: SignalBuilder<u32>,
    told: &Log<String>,
    again: impl Fn() -> F + Clone + Send + Sync + 'static,
) -> (Signal<u32>, fanfare::Subscription)
where
    F: Future<Output = ()> + Send + 'static,
{
    let told = told.clone();
    let signal = builder
        .on_failure(move |failure| {
            let duration = failure.duration().map(|it| it.as_secs());
            told.push(format!("{failure} after {duration:?}"));
        })
        .build();
    let listener = async move |_, d: Delivery| -> Result<(), BoxError> {
        if d.attempt() == 1 {
            return Err("down".into());
        }
        again().await;
        Ok(())
    };
    let listen = signal.listen().key("sender");
    let retry = Retry::constant(MINUTE).max_attempts(2).in_background();
    let listen = listen.retry(retry).with_delivery();
    let sub = listen.try_on(listener).unwrap();
    (signal, sub)
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_panics_in_the_background_is_told_with_how_long_the_call_was_there() {
    let told = Log::default();
    // Around the retry, which takes a panic inside for an attempt's.
    let layer = MapResultLayer::new(|_: Result<(), BoxError>| -> Result<(), BoxError> {
        panic!("in a layer")
    });
    let builder = Signal::builder().layer_at(Place::Retry, layer);
    let (signal, sub) = again(builder, &told, async || {});
    assert_eq!(signal.emit(1).await.count(Outcome::Deferred), 1);
    tokio::time::sleep(2 * MINUTE).await;
    assert_eq!(
        told.take(),
        ["`sender` panicked: in a layer after Some(60)"]
    );
    assert_eq!((sub.metadata().running(), sub.metadata().panics()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_call_in_the_background_waits_neither_for_its_own_removal_nor_for_its_own_shutdown() {
    type Handles = (Signal<u32>, fanfare::Subscription);
    let (told, done) = (Log::default(), Log::default());
    let own: Arc<Mutex<Option<Handles>>> = Arc::default();
    let (o, d) = (Arc::clone(&own), done.clone());
    let ends_itself = move || {
        let (own, done) = (Arc::clone(&o), d.clone());
        async move {
            let (signal, sub) = own.lock().unwrap().clone().unwrap();
            sub.remove();
            sub.removed().await;
            done.push(signal.shutdown(MINUTE).await.is_clean());
        }
    };
    let (signal, sub) = again(Signal::builder(), &told, ends_itself);
    *own.lock().unwrap() = Some((signal.clone(), sub));
    let _ = signal.emit(1).await;
    tokio::time::sleep(MINUTE + SECOND).await;
    assert_eq!((done.take(), told.take()), (vec![true], vec![]));
    // The listener has its own handles.
    drop(own.lock().unwrap().take());
}

/// Panics when it is dropped.
struct Panics;

impl Drop for Panics {
    fn drop(&mut self) {
        panic!("while it is dropped");
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_in_the_background_that_panics_when_it_is_dropped_is_a_panic() {
    let told = Log::default();
    let layer = MapFutureLayer::new(|mut future: BoxFuture| {
        let panics = Panics;
        std::future::poll_fn(move |cx| {
            let _held = &panics;
            future.as_mut().poll(cx)
        })
    });
    let builder = Signal::builder().layer(layer);
    let (signal, sub) = again(builder, &told, async || {});
    assert_eq!(signal.emit(1).await.count(Outcome::Deferred), 1);
    tokio::time::sleep(2 * MINUTE).await;
    let expected = "`sender` panicked: while it is dropped after Some(60)";
    assert_eq!(told.take(), [expected]);
    assert_eq!(sub.metadata().running(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_panics_when_it_is_cut_off_is_told_as_cut_off() {
    let told = Log::default();
    let hangs = async || {
        let _panics = Panics;
        std::future::pending::<()>().await;
    };
    let (signal, sub) = again(Signal::builder(), &told, hangs);
    let _ = signal.emit(1).await;
    tokio::time::sleep(MINUTE + SECOND).await;
    assert!(!signal.shutdown(SECOND).await.is_clean());
    settle().await;
    assert_eq!(
        told.take(),
        ["`sender` cancelled: shut down after Some(62)"]
    );
    assert_eq!(sub.metadata().running(), 0);
}

#[tokio::test(start_paused = true)]
async fn while_it_waits_for_one_thing_of_several_it_holds_no_permit() {
    let (told, pool) = (Log::default(), Pool::new(1));
    let waits = async || {
        let long = without_permit(tokio::time::sleep(10 * SECOND));
        let short = without_permit(tokio::time::sleep(SECOND));
        // Always in this order: what comes first has been looked at when the other is ready.
        futures::join!(long, short);
    };
    let (signal, sub) = again(Signal::builder().pool(pool.clone()), &told, waits);
    let _ = signal.emit(1).await;
    tokio::time::sleep(MINUTE + 5 * SECOND).await;
    assert_eq!((pool.in_use(), sub.metadata().running()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn after_a_wait_that_it_gave_up_it_goes_on_when_it_has_a_permit() {
    let (told, pool, gauge) = (Log::default(), Pool::new(1), Gauge::default());
    let g = gauge.clone();
    let gives_up = move || {
        let gauge = g.clone();
        async move {
            let ever = without_permit(std::future::pending::<()>());
            assert!(tokio::time::timeout(SECOND, ever).await.is_err());
            tokio::task::yield_now().await;
            let _inside = gauge.enter();
            tokio::time::sleep(SECOND).await;
        }
    };
    let (signal, _) = again(Signal::builder().pool(pool.clone()), &told, gives_up);
    let other: Signal<u32> = Signal::builder().pool(pool.clone()).build();
    let g = gauge.clone();
    other.on(async move |_| {
        let _inside = g.enter();
        tokio::time::sleep(10 * SECOND).await;
    });
    let _ = signal.emit(1).await;
    tokio::time::sleep(MINUTE + SECOND / 2).await;
    assert_eq!(other.emit(1).await.delivered(), 1);
    assert!(signal.shutdown(MINUTE).await.is_clean());
    assert_eq!((gauge.total(), gauge.peak(), pool.in_use()), (2, 1, 0));
}

#[tokio::test]
async fn a_thread_of_a_call_that_is_cut_off_in_the_background_keeps_its_permit() {
    let pool = Pool::new(1);
    let signal = Signal::<u32>::builder().pool(pool.clone()).build();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let (began, mut threads) = tokio::sync::mpsc::unbounded_channel();
    let blocks = move |_, d: Delivery| {
        if d.attempt() == 1 {
            Err("down")
        } else {
            began.send(()).unwrap();
            let _ = wait.lock().unwrap().recv();
            Ok(())
        }
    };
    let short = Duration::from_millis(1);
    let listen = signal
        .listen()
        .retry(Retry::constant(short).in_background());
    let sub = listen.with_delivery().on_blocking(blocks).unwrap();
    assert_eq!(signal.emit(1).await.count(Outcome::Deferred), 1);
    threads.recv().await.unwrap();
    assert!(!signal.shutdown(short).await.is_clean());
    settle().await;
    assert_eq!((pool.in_use(), sub.metadata().running()), (1, 1));
    go.send(()).unwrap();
    sub.remove();
    sub.removed().await;
    assert_eq!(pool.in_use(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_letter_is_taken_by_a_listener_that_goes_on_in_the_background() {
    let letters = Signal::<Letter>::new();
    let retry = Retry::constant(MINUTE).max_attempts(2).in_background();
    let listen = letters.listen().retry(retry);
    listen.on(async |_| Err::<(), _>("no disk")).unwrap();
    let signal = Signal::<u32>::new();
    let listen = signal.listen().key("sender");
    let listen = listen.dead_letter(DeadLetter::to_signal(&letters));
    listen.on(async |_| Err::<(), _>("down")).unwrap();
    let report = signal.emit(1).await;
    assert_eq!(report.entries()[0].to_string(), "`sender` failed: down");
}
