//! tower's own layers, and one of somebody else's: they work as they are, at a thousand deliveries at once.

use std::future::{Ready, ready};
use std::time::Duration;

use fanfare::layer::{BoxListener, Place};
use fanfare::{
    BoxError, Bus, CallError, Cause, Delivery, Dispatch, Outcome, Pool, Rejection, Report, Signal,
    Skip,
};
use tokio::time::Instant;
use tower::buffer::BufferLayer;
use tower::filter::{AsyncFilterLayer, FilterLayer};
use tower::limit::{ConcurrencyLimitLayer, GlobalConcurrencyLimitLayer, RateLimitLayer};
use tower::load_shed::LoadShedLayer;
use tower::retry::{Policy, RetryLayer};
use tower::timeout::TimeoutLayer;
use tower::timeout::error::Elapsed;
use tower::{Layer as _, ServiceBuilder};
use tower_resilience_bulkhead::{BulkheadLayer, BulkheadServiceError};

use super::probe::{Probe, count, emit_each, spawn_emit};
use super::through::{MANY, through};
use crate::support::{MODES, Setup, settle};

const SECOND: Duration = Duration::from_secs(1);

/// The emitter's task, with no pool and with one that is smaller than the limits here, and tasks.
fn setups() -> [Setup; 3] {
    [
        (Dispatch::Concurrent, None),
        (Dispatch::Concurrent, Some(3)),
        (Dispatch::Parallel, None),
    ]
    .map(|(mode, pool)| Setup { mode, pool })
}

fn without_pool() -> Setup {
    Setup {
        mode: Dispatch::Concurrent,
        pool: None,
    }
}

fn pool_of(setup: Setup) -> usize {
    setup.pool.unwrap_or(usize::MAX)
}

#[tokio::test(start_paused = true)]
async fn concurrency_limit_holds_and_loses_nothing() {
    for setup in setups() {
        let limit = || ConcurrencyLimitLayer::new(7);
        for run in through(setup, limit, || Probe::taking(SECOND)).await {
            assert_eq!(run.count(Outcome::Done), 1_000, "{}", run.name);
            run.seen.assert_each(MANY, 1);
            assert_eq!(
                run.seen.gauge().peak(),
                pool_of(setup).min(7),
                "{}",
                run.name
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_global_concurrency_limit_holds_over_several_listeners() {
    let signal = Signal::builder()
        .layer(GlobalConcurrencyLimitLayer::new(7))
        .build();
    let probe = Probe::taking(SECOND);
    let seen = probe.seen();
    signal.service(probe.clone());
    signal.service(probe);
    let reports = emit_each(&signal, MANY).await;
    assert_eq!(count(&reports, Outcome::Done), 2_000);
    seen.assert_each(MANY, 2);
    assert_eq!(seen.gauge().peak(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_layer_of_a_signal_or_a_bus_is_around_each_listener() {
    let bus = Bus::builder().layer(ConcurrencyLimitLayer::new(7)).build();
    let probe = Probe::taking(SECOND);
    let seen = probe.seen();
    bus.service::<u32, _>(probe.clone());
    bus.service::<u32, _>(probe);
    let reports = emit_each(&bus.signal(), MANY).await;
    assert_eq!(count(&reports, Outcome::Done), 2_000);
    seen.assert_each(MANY, 2);
    assert_eq!(seen.gauge().peak(), 14, "each has a limit of its own");
}

#[tokio::test(start_paused = true)]
async fn buffer_hands_every_delivery_on_once() {
    for setup in setups() {
        for bound in [1, 64] {
            let buffer = || BufferLayer::new(bound);
            for run in through(setup, buffer, || Probe::taking(SECOND)).await {
                assert_eq!(run.count(Outcome::Done), 1_000, "{bound}, {}", run.name);
                run.seen.assert_each(MANY, 1);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn load_shed_rejects_what_a_full_limit_would_keep_waiting() {
    let layer = || {
        ServiceBuilder::new()
            .layer(LoadShedLayer::new())
            .layer(ConcurrencyLimitLayer::new(7))
    };
    for mode in MODES {
        let setup = Setup { mode, pool: None };
        let probe = || Probe::taking(SECOND).eager();
        for run in through(setup, layer, probe).await {
            assert_eq!(run.count(Outcome::Done), 7, "{}", run.name);
            assert_eq!(run.count(Outcome::Rejected), 993, "{}", run.name);
            let mut entries = run.reports.iter().flat_map(Report::entries);
            let overloaded = Cause::Rejected(Rejection::Overloaded).to_string();
            assert!(entries.all(|entry| entry.cause().to_string() == overloaded));
            let gauge = run.seen.gauge();
            assert_eq!((gauge.total(), gauge.peak()), (7, 7), "{}", run.name);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn load_shed_sees_through_the_stack_that_a_limit_inside_is_full() {
    let signal = Signal::<u32>::builder()
        .layer(LoadShedLayer::new())
        .layer(ConcurrencyLimitLayer::new(7))
        .build();
    let probe = Probe::taking(SECOND);
    let seen = probe.seen();
    signal.service(probe);
    let reports = emit_each(&signal, MANY).await;
    assert_eq!(count(&reports, Outcome::Rejected), 993);
    assert_eq!(seen.gauge().total(), 7);
}

#[tokio::test]
async fn load_shed_asks_each_clone_once() {
    // A service that is not ready when it is asked first is never called: it is cloned for each delivery.
    let signal = Signal::<u32>::new();
    let probe = Probe::default();
    let seen = probe.seen();
    signal.service(LoadShedLayer::new().layer(probe));
    let reports = emit_each(&signal, MANY).await;
    assert_eq!(count(&reports, Outcome::Rejected), 1_000);
    assert_eq!(seen.calls(), []);
}

#[tokio::test(start_paused = true)]
async fn timeout_ends_a_call_and_is_a_failure() {
    for setup in setups() {
        let longer = || TimeoutLayer::new(SECOND * 2);
        for run in through(setup, longer, || Probe::taking(SECOND)).await {
            assert_eq!(run.count(Outcome::Done), 1_000, "{}", run.name);
            run.seen.assert_each(MANY, 1);
        }
        let shorter = || TimeoutLayer::new(SECOND);
        for run in through(setup, shorter, || Probe::taking(SECOND * 2)).await {
            assert_eq!(run.count(Outcome::Failed), 1_000, "{}", run.name);
            assert_eq!(run.failures::<Elapsed>(), 1_000, "{}", run.name);
            run.seen.assert_each(MANY, 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn map_err_says_what_an_error_of_towers_means() {
    let layer = || {
        ServiceBuilder::new()
            .map_err(|error: BoxError| match error.downcast::<Elapsed>() {
                Ok(_) => CallError::new(Cause::TimedOut(SECOND)).into(),
                Err(error) => error,
            })
            .layer(TimeoutLayer::new(SECOND))
    };
    for run in through(without_pool(), layer, || Probe::taking(SECOND * 2)).await {
        assert_eq!(run.count(Outcome::TimedOut), 1_000, "{}", run.name);
    }
}

/// Again at once, so many times.
#[derive(Clone)]
struct Again(usize);

impl Policy<Delivery, (), BoxError> for Again {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut Delivery, result: &mut Result<(), BoxError>) -> Option<Ready<()>> {
        if result.is_ok() || self.0 == 0 {
            return None;
        }
        self.0 -= 1;
        Some(ready(()))
    }

    fn clone_request(&mut self, delivery: &Delivery) -> Option<Delivery> {
        Some(delivery.clone())
    }
}

#[tokio::test(start_paused = true)]
async fn retry_calls_again_until_it_succeeds_or_gives_up() {
    for setup in setups() {
        for (again, outcome, calls) in [(2, Outcome::Done, 3), (1, Outcome::Failed, 2)] {
            let layer = || RetryLayer::new(Again(again));
            for run in through(setup, layer, || Probe::taking(SECOND).failing(2)).await {
                assert_eq!(run.count(outcome), 1_000, "{}", run.name);
                run.seen.assert_each(MANY, calls);
            }
        }
    }
}

#[tokio::test]
async fn retry_does_not_count_attempts_in_the_delivery() {
    let signal = Signal::<u32>::new();
    let retried = RetryLayer::new(Again(2));
    signal.service(retried.layer(tower::service_fn(async |delivery: Delivery| {
        Err::<(), BoxError>(format!("attempt {}", delivery.attempt()).into())
    })));
    let report = signal.emit(1).await;
    let error = report.entries()[0].cause().error().unwrap().to_string();
    assert_eq!(error, "attempt 1", "only our own retry knows how to count");
}

#[tokio::test(start_paused = true)]
async fn filter_passes_what_its_predicate_passes() {
    let even = |delivery: Delivery| match delivery.event::<u32>() {
        Some(event) if event % 2 == 0 => Ok(delivery),
        _ => Err(BoxError::from("odd")),
    };
    let slow = move |delivery| async move {
        tokio::time::sleep(SECOND).await;
        even(delivery)
    };
    for setup in setups() {
        let mut runs = through(setup, || FilterLayer::new(even), Probe::default).await;
        runs.extend(through(setup, || AsyncFilterLayer::new(slow), Probe::default).await);
        for run in runs {
            assert_eq!(run.count(Outcome::Done), 500, "{}", run.name);
            assert_eq!(run.count(Outcome::Failed), 500, "{}", run.name);
            let calls = run.seen.calls();
            assert_eq!(calls.len(), 500, "{}", run.name);
            assert!(
                calls
                    .iter()
                    .all(|(event, times)| event % 2 == 0 && *times == 1)
            );
        }
    }
}

#[tokio::test]
async fn a_filter_that_ends_with_a_call_error_says_what_it_means() {
    let filtered = |_: Delivery| Err::<Delivery, _>(CallError::new(Cause::Skipped(Skip::Filtered)));
    for run in through(
        without_pool(),
        || FilterLayer::new(filtered),
        Probe::default,
    )
    .await
    {
        assert_eq!(run.count(Outcome::Skipped), 1_000, "{}", run.name);
    }
}

/// How long it takes to call so many times, at a hundred a second.
fn assert_limited(took: Duration, name: &str) {
    assert!(took >= SECOND * 9 && took < SECOND * 11, "{name}: {took:?}");
}

#[tokio::test(start_paused = true)]
async fn rate_limit_works_through_the_exclusive_form() {
    for setup in setups() {
        for place in [Place::Trace, Place::RateLimit, Place::Listener] {
            let begun = Instant::now();
            let signal = setup.builder::<u32>().build();
            let probe = Probe::taking(SECOND / 100);
            let seen = probe.seen();
            let rate = RateLimitLayer::new(100, SECOND);
            let listen = signal.listen().layer_exclusive(place, rate);
            listen.service(probe).unwrap();
            let reports = emit_each(&signal, MANY).await;
            let name = format!("{place}, {setup:?}");
            assert_eq!(count(&reports, Outcome::Done), 1_000, "{name}");
            seen.assert_each(MANY, 1);
            assert_limited(begun.elapsed(), &name);
            if setup.pool.is_none() {
                assert!(
                    seen.gauge().peak() > 1,
                    "{name}: the calls themselves overlap"
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_an_exclusive_layer_holds_no_permit() {
    let pool = Pool::new(1);
    let signal = Signal::<u32>::builder().pool(pool.clone()).build();
    let rate = RateLimitLayer::new(1, SECOND);
    let listen = signal.listen().layer_exclusive(Place::RateLimit, rate);
    listen.on(async |_| {}).unwrap();
    assert_eq!(signal.emit(0).await.delivered(), 1);
    let waiting = [spawn_emit(&signal, 1), spawn_emit(&signal, 2)];
    settle().await;
    assert_eq!(pool.in_use(), 0);
    for emission in waiting {
        assert_eq!(emission.await.unwrap().delivered(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn rate_limit_works_behind_a_buffer() {
    // It is not `Clone`; the buffer's worker owns it, and hands out what is.
    for mode in MODES {
        let begun = Instant::now();
        let layer = ServiceBuilder::new()
            .layer(BufferLayer::new(1_000))
            .layer(RateLimitLayer::new(100, SECOND));
        let signal = Signal::<u32>::builder().dispatch(mode).build();
        let probe = Probe::default();
        let seen = probe.seen();
        signal.service(layer.service(probe));
        let reports = emit_each(&signal, MANY).await;
        assert_eq!(count(&reports, Outcome::Done), 1_000, "{mode}");
        seen.assert_each(MANY, 1);
        assert_limited(begun.elapsed(), &mode.to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn a_stack_of_them_works_as_each_does() {
    let layer = || {
        ServiceBuilder::new()
            .layer(BufferLayer::new(10))
            .layer(LoadShedLayer::new())
            .layer(FilterLayer::new(Ok::<Delivery, BoxError>))
            .layer(RetryLayer::new(Again(2)))
            .layer(BufferLayer::new(10))
            .layer(ConcurrencyLimitLayer::new(7))
            .layer(TimeoutLayer::new(SECOND * 2))
    };
    for setup in setups() {
        for run in through(setup, layer, || Probe::taking(SECOND).failing(2)).await {
            let (done, shed) = (run.count(Outcome::Done), run.count(Outcome::Rejected));
            assert_eq!(done + shed, 1_000, "{}", run.name);
            assert!(done >= pool_of(setup).min(7), "{}: {done}", run.name);
            let calls = run.seen.calls();
            assert_eq!(
                calls.len(),
                done,
                "{}: none that was shed was called",
                run.name
            );
            assert!(calls.iter().all(|(_, times)| *times == 3), "{}", run.name);
            assert!(run.seen.gauge().peak() <= 7, "{}", run.name);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_gets_its_permit_back_from_every_end() {
    let layer = ServiceBuilder::new()
        .layer(TimeoutLayer::new(SECOND))
        .layer(ConcurrencyLimitLayer::new(2));
    let signal = Signal::<u32>::new();
    signal.service(
        layer.service_fn(async |delivery: Delivery| match delivery.event::<u32>() {
            Some(0) => Ok(()),
            Some(1) => Err(BoxError::from("failed")),
            Some(2) => panic!("panicked"),
            _ => std::future::pending().await,
        }),
    );
    for round in 0..5 {
        for (event, outcome) in [
            (0, Outcome::Done),
            (1, Outcome::Failed),
            (2, Outcome::Panicked),
            (3, Outcome::Failed),
        ] {
            let report = signal.emit(event).timeout(SECOND * 60).await;
            assert_eq!(report.count(outcome), 1, "round {round}: {report:?}");
        }
        let report = signal.emit(4).timeout(SECOND / 2).await;
        assert_eq!(report.count(Outcome::TimedOut), 1, "round {round}");
    }
}

/// The layer of another crate, in both ways in which it waits.
#[tokio::test(start_paused = true)]
async fn the_bulkhead_of_tower_resilience_holds() {
    for setup in setups() {
        for builder in [
            BulkheadLayer::builder(),
            BulkheadLayer::builder().backpressure(),
        ] {
            let layer = builder.max_concurrent_calls(7).build().unwrap();
            for run in through(setup, || layer.clone(), || Probe::taking(SECOND)).await {
                assert_eq!(run.count(Outcome::Done), 1_000, "{}", run.name);
                run.seen.assert_each(MANY, 1);
                assert_eq!(
                    run.seen.gauge().peak(),
                    pool_of(setup).min(7),
                    "{}",
                    run.name
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_bulkhead_is_a_failure_with_its_own_error() {
    let layer = BulkheadLayer::builder()
        .max_concurrent_calls(7)
        .max_wait_duration(SECOND / 2)
        .build()
        .unwrap();
    for run in through(without_pool(), || layer.clone(), || Probe::taking(SECOND)).await {
        assert_eq!(run.count(Outcome::Done), 7, "{}", run.name);
        assert_eq!(
            run.failures::<BulkheadServiceError<BoxError>>(),
            993,
            "{}",
            run.name
        );
        assert_eq!(run.seen.gauge().total(), 7, "{}", run.name);
    }
}

#[tokio::test]
async fn an_error_that_wraps_another_hides_what_it_means() {
    let layer = BulkheadLayer::builder().build().unwrap();
    let signal = Signal::<u32>::new();
    let paused = async |_: Delivery| Err::<(), _>(CallError::new(Cause::Skipped(Skip::Paused)));
    signal.service(layer.layer(tower::service_fn(paused)));
    assert_eq!(signal.emit(1).await.count(Outcome::Failed), 1);
}

/// A service that is never to be called.
struct Broken;

impl tower::Service<Delivery> for Broken {
    type Response = ();
    type Error = BoxError;
    type Future = Ready<Result<(), BoxError>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), BoxError>> {
        std::task::Poll::Ready(Err("broken".into()))
    }

    fn call(&mut self, _: Delivery) -> Self::Future {
        panic!("called although it is not ready");
    }
}

#[tokio::test]
async fn what_an_exclusive_layer_says_instead_of_being_ready_is_the_failure() {
    let signal = Signal::<u32>::new();
    let broken = tower::layer::layer_fn(|_: BoxListener| Broken);
    let listen = signal.listen().layer_exclusive(Place::RateLimit, broken);
    listen.on(async |_| {}).unwrap();
    let report = signal.emit(1).await;
    assert_eq!(report.entries()[0].cause().to_string(), "failed: broken");
}
