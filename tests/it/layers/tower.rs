//! tower's own layers, and one of somebody else's: they work as they are, at a thousand deliveries at once.

use std::future::{Ready, ready};
use std::time::Duration;

use fanfare::{
    BoxError, CallError, Cause, Delivery, Dispatch, Outcome, Rejection, Report, Signal, Skip,
};
use tokio::time::Instant;
use tower::buffer::BufferLayer;
use tower::filter::{AsyncFilterLayer, FilterLayer};
use tower::limit::{ConcurrencyLimitLayer, GlobalConcurrencyLimitLayer, RateLimitLayer};
use tower::load_shed::LoadShedLayer;
use tower::retry::{Policy, RetryLayer};
use tower::timeout::TimeoutLayer;
use tower::timeout::error::Elapsed;
use tower::{Layer, Service, ServiceBuilder};
use tower_resilience_bulkhead::{BulkheadError, BulkheadLayer, BulkheadServiceError};

use super::probe::{Probe, Seen, count, emit_each};
use crate::support::{MODES, Setup, setups};

const SECOND: Duration = Duration::from_secs(1);
const MANY: u32 = 1_000;

/// Emits so many events at once into a probe behind this layer.
async fn through<L>(signal: Signal<u32>, layer: L, probe: Probe) -> (Vec<Report>, Seen)
where
    L: Layer<Probe>,
    L::Service: Service<Delivery, Response = ()> + Clone + Send + Sync + 'static,
    <L::Service as Service<Delivery>>::Error: Into<BoxError>,
    <L::Service as Service<Delivery>>::Future: Send + 'static,
{
    let seen = probe.seen();
    signal.service(layer.layer(probe));
    let reports = emit_each(&signal, MANY).await;
    assert_eq!(seen.gauge().now(), 0);
    (reports, seen)
}

/// What all of them failed with, as one type of error.
fn failures<E: std::error::Error + Send + Sync + 'static>(reports: &[Report]) -> usize {
    let entries = reports.iter().flat_map(Report::entries);
    entries
        .filter(|entry| entry.cause().error().is_some_and(|error| error.is::<E>()))
        .count()
}

fn pool_of(setup: Setup) -> usize {
    setup.pool.unwrap_or(usize::MAX)
}

#[tokio::test(start_paused = true)]
async fn concurrency_limit_holds_and_loses_nothing() {
    for setup in setups() {
        let layer = ConcurrencyLimitLayer::new(7);
        let (reports, seen) = through(setup.builder().build(), layer, Probe::taking(SECOND)).await;
        assert_eq!(count(&reports, Outcome::Done), 1_000, "{setup:?}");
        seen.assert_each(MANY, 1);
        assert_eq!(seen.gauge().peak(), pool_of(setup).min(7), "{setup:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_global_concurrency_limit_holds_over_several_listeners() {
    let layer = GlobalConcurrencyLimitLayer::new(7);
    let (one, other) = (Signal::new(), Signal::new());
    let probe = Probe::taking(SECOND);
    one.service(layer.layer(probe.clone()));
    let (reports, (more, seen)) = tokio::join!(emit_each(&one, MANY), through(other, layer, probe));
    let done = count(&reports, Outcome::Done) + count(&more, Outcome::Done);
    assert_eq!(done, 2_000);
    seen.assert_each(MANY, 2);
    assert_eq!(seen.gauge().peak(), 7);
}

#[tokio::test(start_paused = true)]
async fn buffer_hands_every_delivery_on_once() {
    for setup in setups() {
        for bound in [1, 64] {
            let layer = BufferLayer::new(bound);
            let signal = setup.builder().build();
            let (reports, seen) = through(signal, layer, Probe::taking(SECOND)).await;
            assert_eq!(count(&reports, Outcome::Done), 1_000, "{setup:?}, {bound}");
            seen.assert_each(MANY, 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn load_shed_rejects_what_a_full_limit_would_keep_waiting() {
    for mode in MODES {
        let layer = ServiceBuilder::new()
            .layer(LoadShedLayer::new())
            .layer(ConcurrencyLimitLayer::new(7));
        let signal = Signal::builder().dispatch(mode).build();
        let probe = Probe::taking(SECOND).eager();
        let (reports, seen) = through(signal, layer, probe).await;
        assert_eq!(count(&reports, Outcome::Done), 7, "{mode}");
        assert_eq!(count(&reports, Outcome::Rejected), 993, "{mode}");
        let mut entries = reports.iter().flat_map(Report::entries);
        assert!(
            entries.all(|entry| matches!(entry.cause(), Cause::Rejected(Rejection::Overloaded)))
        );
        assert_eq!(
            (seen.gauge().total(), seen.gauge().peak()),
            (7, 7),
            "{mode}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn load_shed_asks_each_clone_once() {
    // A service that is not ready when it is asked first is never called: it is cloned for each delivery.
    let (reports, seen) = through(Signal::new(), LoadShedLayer::new(), Probe::default()).await;
    assert_eq!(count(&reports, Outcome::Rejected), 1_000);
    assert_eq!(seen.calls(), []);
}

#[tokio::test(start_paused = true)]
async fn timeout_ends_a_call_and_is_a_failure() {
    for setup in setups() {
        let (reports, seen) = through(
            setup.builder().build(),
            TimeoutLayer::new(SECOND * 2),
            Probe::taking(SECOND),
        )
        .await;
        assert_eq!(count(&reports, Outcome::Done), 1_000, "{setup:?}");
        seen.assert_each(MANY, 1);

        let (reports, seen) = through(
            setup.builder().build(),
            TimeoutLayer::new(SECOND),
            Probe::taking(SECOND * 2),
        )
        .await;
        assert_eq!(count(&reports, Outcome::Failed), 1_000, "{setup:?}");
        assert_eq!(failures::<Elapsed>(&reports), 1_000, "{setup:?}");
        seen.assert_each(MANY, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn map_err_says_what_an_error_of_towers_means() {
    let layer = ServiceBuilder::new()
        .map_err(|error: BoxError| match error.downcast::<Elapsed>() {
            Ok(_) => CallError::new(Cause::TimedOut(SECOND)).into(),
            Err(error) => error,
        })
        .layer(TimeoutLayer::new(SECOND));
    let (reports, _) = through(Signal::new(), layer, Probe::taking(SECOND * 2)).await;
    assert_eq!(count(&reports, Outcome::TimedOut), 1_000);
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
            let layer = RetryLayer::new(Again(again));
            let probe = Probe::taking(SECOND).failing(2);
            let (reports, seen) = through(setup.builder().build(), layer, probe).await;
            assert_eq!(count(&reports, outcome), 1_000, "{setup:?}");
            seen.assert_each(MANY, calls);
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
    for setup in setups() {
        let (probe, signal) = (Probe::taking(SECOND), setup.builder().build());
        let (reports, seen) = through(signal, FilterLayer::new(even), probe).await;
        assert_eq!(count(&reports, Outcome::Done), 500, "{setup:?}");
        assert_eq!(count(&reports, Outcome::Failed), 500, "{setup:?}");
        assert!(
            seen.calls()
                .iter()
                .all(|(event, times)| event % 2 == 0 && *times == 1)
        );

        let slow = move |delivery| async move {
            tokio::time::sleep(SECOND).await;
            even(delivery)
        };
        let (probe, signal) = (Probe::default(), setup.builder().build());
        let (reports, seen) = through(signal, AsyncFilterLayer::new(slow), probe).await;
        assert_eq!(count(&reports, Outcome::Done), 500, "{setup:?}");
        assert_eq!(seen.calls().len(), 500, "{setup:?}");
    }
}

#[tokio::test]
async fn a_filter_that_ends_with_a_call_error_says_what_it_means() {
    let filtered = |_: Delivery| Err::<Delivery, _>(CallError::new(Cause::Skipped(Skip::Filtered)));
    let (reports, _) = through(Signal::new(), FilterLayer::new(filtered), Probe::default()).await;
    assert_eq!(count(&reports, Outcome::Skipped), 1_000);
}

#[tokio::test(start_paused = true)]
async fn rate_limit_works_behind_a_buffer() {
    // It is not `Clone`; the buffer's worker owns it, and hands out what is.
    for mode in MODES {
        let begun = Instant::now();
        let layer = ServiceBuilder::new()
            .layer(BufferLayer::new(1_000))
            .layer(RateLimitLayer::new(100, SECOND));
        let signal = Signal::builder().dispatch(mode).build();
        let (reports, seen) = through(signal, layer, Probe::default()).await;
        assert_eq!(count(&reports, Outcome::Done), 1_000, "{mode}");
        seen.assert_each(MANY, 1);
        let took = begun.elapsed();
        assert!(took >= SECOND * 9 && took < SECOND * 11, "{mode}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stack_of_them_works_as_each_does() {
    for setup in setups() {
        let layer = ServiceBuilder::new()
            .layer(BufferLayer::new(10))
            .layer(LoadShedLayer::new())
            .layer(FilterLayer::new(Ok::<Delivery, BoxError>))
            .layer(RetryLayer::new(Again(2)))
            .layer(BufferLayer::new(10))
            .layer(ConcurrencyLimitLayer::new(7))
            .layer(TimeoutLayer::new(SECOND * 2));
        let probe = Probe::taking(SECOND).failing(2);
        let (reports, seen) = through(setup.builder().build(), layer, probe).await;
        let (done, shed) = (
            count(&reports, Outcome::Done),
            count(&reports, Outcome::Rejected),
        );
        assert_eq!(done + shed, 1_000, "{setup:?}");
        assert!(done >= 7, "{setup:?}: {done}");
        let calls = seen.calls();
        assert_eq!(
            calls.len(),
            done,
            "{setup:?}: none that was shed was called"
        );
        assert!(calls.iter().all(|(_, times)| *times == 3), "{setup:?}");
        assert!(seen.gauge().peak() <= 7, "{setup:?}");
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
            let signal = setup.builder().build();
            let (reports, seen) = through(signal, layer, Probe::taking(SECOND)).await;
            assert_eq!(count(&reports, Outcome::Done), 1_000, "{setup:?}");
            seen.assert_each(MANY, 1);
            assert_eq!(seen.gauge().peak(), pool_of(setup).min(7), "{setup:?}");
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
    let signal = Signal::builder().dispatch(Dispatch::Concurrent).build();
    let (reports, seen) = through(signal, layer, Probe::taking(SECOND)).await;
    assert_eq!(count(&reports, Outcome::Done), 7);
    assert_eq!(count(&reports, Outcome::Failed), 993);
    assert_eq!(failures::<BulkheadServiceError<BoxError>>(&reports), 993);
    let entry = reports.iter().find_map(|report| report.entries().first());
    let error = entry.unwrap().cause().error().unwrap();
    assert!(error.source().unwrap().is::<BulkheadError>());
    assert_eq!(seen.gauge().total(), 7);
}
