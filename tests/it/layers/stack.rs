//! The order of layers, the levels they come from, and what is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fanfare::layer::{
    BoxListener, CircuitBreaker, Concurrency, DeadLetter, DeadLetters, Deadline, Dedup, Fallback,
    Fault, Letter, Place, RateLimit, Retry, Timeout, Trace,
};
use fanfare::{
    BoxError, Bus, CallError, Cause, Delivery, OnceMeans, OptionError, Outcome, RegisterError,
    Rejection, Signal,
};
use tower::limit::RateLimitLayer;
use tower::{Layer, ServiceBuilder};

use crate::support::{Log, setups};

const SECOND: Duration = Duration::from_secs(1);

/// A layer that notes its name when a call passes.
#[derive(Clone)]
struct Noting(String, Log<String>);

impl<S> Layer<S> for Noting {
    type Service = NotingService<S>;

    fn layer(&self, inner: S) -> NotingService<S> {
        NotingService(self.clone(), inner)
    }
}

#[derive(Clone)]
struct NotingService<S>(Noting, S);

impl<S: tower::Service<Delivery>> tower::Service<Delivery> for NotingService<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), S::Error>> {
        self.1.poll_ready(cx)
    }

    fn call(&mut self, delivery: Delivery) -> S::Future {
        let Noting(name, log) = &self.0;
        log.push(name.clone());
        self.1.call(delivery)
    }
}

#[tokio::test]
async fn layers_stand_in_the_order_of_places_whatever_order_they_are_given_in() {
    let signal = Signal::<u32>::new();
    let log = Log::default();
    let mut listen = signal.listen();
    for place in Place::ALL.into_iter().rev() {
        listen = listen.layer_at(place, Noting(place.to_string(), log.clone()));
    }
    let l = log.clone();
    let sub = listen
        .timeout(SECOND)
        .dead_letter(DeadLetter::to(async |_| {}))
        .retry(Retry::exponential())
        .trace(Trace::info())
        .deadline(10 * SECOND)
        .on(async move |_| l.push("called".to_owned()))
        .unwrap();
    let _ = signal.emit(1).await;
    let places = Place::ALL.map(|place| place.to_string());
    let expected: Vec<_> = places.into_iter().chain(["called".to_owned()]).collect();
    assert_eq!(log.take(), expected);
    let metadata = sub.metadata();
    let named = metadata.layers().iter().filter(|name| *name != "Noting");
    let named: Vec<_> = named.map(String::as_str).collect();
    assert_eq!(
        named,
        [
            "trace (INFO)",
            "dead letter (to a listener)",
            "deadline (10s)",
            "retry (3 attempts, after 100ms x 2 to 30s)",
            "timeout (1s)",
            "panic",
            "listener"
        ]
    );
}

#[tokio::test]
async fn the_layers_of_a_bus_are_outside_those_of_a_signal_outside_those_of_a_listener() {
    let log = Log::default();
    let noting = |name: &str| Noting(name.to_owned(), log.clone());
    let (bus_1, bus_2, signal) = (noting("bus 1"), noting("bus 2"), noting("signal"));
    let bus = Bus::builder()
        .layer(bus_1)
        .layer(bus_2)
        .signal::<u32>(move |s| s.layer(signal))
        .build();
    bus.listen::<u32>()
        .layer(noting("listener"))
        .on(async |_| {})
        .unwrap();
    bus.on(async |_: u32| {});
    bus.on(async |_: String| {});
    let _ = bus.emit(1_u32).await;
    let inherited = ["bus 1", "bus 2", "signal"];
    let both: Vec<_> = inherited
        .into_iter()
        .chain(["listener"])
        .chain(inherited)
        .collect();
    assert_eq!(log.take(), both);
    let _ = bus.emit(String::new()).await;
    assert_eq!(log.take(), ["bus 1", "bus 2"]);
}

#[tokio::test]
async fn the_nearest_layer_of_a_name_counts_and_an_inherited_one_can_be_left_out() {
    let log = Log::default();
    let bus = Bus::builder()
        .timeout(SECOND)
        .retry(Retry::exponential())
        .layer_at(Place::Metrics, Noting("bus".into(), log.clone()))
        .signal::<u32>(|s| s.timeout(2 * SECOND))
        .build();
    let layers = |sub: &fanfare::Subscription| sub.metadata().layers().join(" > ");
    let inherits = bus.on(async |_: u32| {});
    let retry = "retry (3 attempts, after 100ms x 2 to 30s)";
    assert_eq!(
        layers(&inherits),
        format!("Noting > {retry} > timeout (2s) > panic > listener")
    );
    let own = bus
        .listen::<u32>()
        .timeout(3 * SECOND)
        .retry(Retry::constant(SECOND).max_attempts(2));
    let own = own.without(Place::Metrics).on(async |_| {}).unwrap();
    assert_eq!(
        layers(&own),
        "retry (2 attempts, every 1s) > timeout (3s) > panic > listener"
    );
    let without = bus
        .listen::<u32>()
        .without(Place::Retry)
        .without(Place::Timeout);
    let without = without.on(async |_| {}).unwrap();
    assert_eq!(layers(&without), "Noting > panic > listener");
    let plain = Signal::<u32>::new().on(async |_| {});
    assert_eq!(layers(&plain), "");
}

#[tokio::test]
async fn the_description_has_the_effective_stacks_and_says_what_becomes_of_panics() {
    let signal = Signal::<u32>::builder().timeout(SECOND).build();
    signal
        .listen()
        .key("audit")
        .deadline(5 * SECOND)
        .on(async |_| {})
        .unwrap();
    let text = signal.describe().to_string();
    assert!(
        text.contains("layers: timeout (1s) > panic > listener"),
        "{text}"
    );
    assert!(
        text.contains("layers: of `audit`: deadline (5s) > timeout (1s) > panic > listener"),
        "{text}"
    );
    assert!(text.contains("panics: contained"), "{text}");
}

/// The error that a registration is refused with, as text.
fn refused(result: Result<fanfare::Subscription, RegisterError>) -> String {
    match result {
        Err(error @ RegisterError::Option(_)) => error.to_string(),
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_at_registration_with_its_reason() {
    let signal = Signal::<u32>::new();
    let listen = || signal.listen();
    let long = listen().deadline(SECOND).timeout(SECOND).on(async |_| {});
    assert_eq!(
        refused(long),
        "option `timeout` cannot be 1s with a deadline of 1s: an attempt's timeout is shorter than the deadline of all attempts"
    );
    for (text, result) in [
        (
            "option `timeout` cannot be 0ns",
            listen().timeout(Duration::ZERO).on(async |_| {}),
        ),
        (
            "option `deadline` cannot be 0ns",
            listen().deadline(Duration::ZERO).on(async |_| {}),
        ),
        (
            "option `retry` cannot be set with `once` or `times`",
            listen().once().retry(Retry::exponential()).on(async |_| {}),
        ),
        (
            "option `retry` cannot be set with `once` or `times`",
            listen()
                .times(3)
                .retry(Retry::exponential())
                .on(async |_| {}),
        ),
        (
            "option `max_attempts` cannot be 0",
            listen()
                .retry(Retry::exponential().max_attempts(0))
                .on(async |_| {}),
        ),
        (
            "option `jitter` cannot be -1",
            listen()
                .retry(Retry::exponential().jitter(-1.0))
                .on(async |_| {}),
        ),
        (
            "option `factor` cannot be 0.5",
            listen()
                .retry(Retry::exponential().factor(0.5))
                .on(async |_| {}),
        ),
        (
            "option `first` cannot be 0ns",
            listen()
                .retry(Retry::fibonacci().first(Duration::ZERO))
                .on(async |_| {}),
        ),
    ] {
        let error = refused(result);
        assert!(error.starts_with(text), "{error}");
    }
    assert!(signal.is_empty());
}

#[tokio::test]
async fn a_dead_letter_that_leads_back_to_its_own_signal_is_refused() {
    let bus = Bus::new();
    let letters = bus.signal::<Letter>();
    let back = || DeadLetter::to_signal(&letters);
    let error = refused(letters.listen().dead_letter(back()).on(async |_| {}));
    assert!(
        error.starts_with("option `dead_letter` cannot be the signal of the listener itself"),
        "{error}"
    );
    assert!(
        letters
            .listen()
            .dead_letter(back())
            .without(Place::DeadLetter)
            .on(async |_| {})
            .is_ok()
    );
    assert!(
        bus.listen::<u32>()
            .dead_letter(back())
            .on(async |_| {})
            .is_ok()
    );
}

#[test]
fn what_makes_no_sense_is_refused_by_the_builders_too() {
    let times = |error: OptionError| assert_eq!(error.option(), "timeout");
    times(
        Bus::builder()
            .deadline(SECOND)
            .timeout(2 * SECOND)
            .try_build()
            .unwrap_err(),
    );
    times(
        Signal::<u32>::builder()
            .deadline(SECOND)
            .timeout(2 * SECOND)
            .try_build()
            .unwrap_err(),
    );
    let error = Signal::<u32>::builder()
        .max_background(0)
        .try_build()
        .unwrap_err();
    assert_eq!((error.option(), error.value()), ("max_background", "0"));
    assert!(DeadLetters::try_new(0).is_err());
}

#[tokio::test(start_paused = true)]
async fn once_with_a_retry_means_one_event_or_one_attempt_as_it_says() {
    for (means, attempts) in [(OnceMeans::OneEvent, 3), (OnceMeans::OneAttempt, 1)] {
        let signal = Signal::<u32>::new();
        let calls = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&calls);
        let fails = async move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            Err::<(), _>("down")
        };
        let listen = signal.listen().once().once_means(means);
        listen.retry(Retry::exponential()).on(fails).unwrap();
        assert_eq!(signal.emit(1).await.failed(), 1);
        assert!(signal.emit(2).await.is_empty());
        assert_eq!(calls.load(Ordering::Relaxed), attempts, "{means:?}");
    }
}

#[tokio::test]
async fn a_layer_that_is_not_clone_is_taken_by_the_exclusive_form() {
    let signal = Signal::<u32>::new();
    let rate = RateLimitLayer::new(1_000, SECOND);
    signal
        .listen()
        .layer_exclusive(Place::RateLimit, rate)
        .on(async |_| {})
        .unwrap();
    let emissions = (0..100).map(|n| signal.emit(n));
    let reports = futures::future::join_all(emissions).await;
    assert!(reports.iter().all(|report| report.delivered() == 1));
}

#[tokio::test]
async fn a_panic_behind_layers_is_reported_with_its_message() {
    let signal = Signal::<u32>::builder().timeout(SECOND).build();
    signal.on(async |_| panic!("on purpose"));
    let report = signal.emit(1).await;
    let cause = report.entries()[0].cause();
    assert_eq!(cause.panic_message(), Some("on purpose"));
}

#[tokio::test(start_paused = true)]
async fn a_layer_s_readiness_passes_through_those_between_it_and_what_it_waits_for() {
    let signal = Signal::<u32>::new();
    signal
        .listen()
        .layer_at(Place::Concurrency, fanfare::layer::LoadShedLayer::new())
        .layer_at(
            Place::Concurrency,
            tower::limit::ConcurrencyLimitLayer::new(1),
        )
        .on(async |_| tokio::time::sleep(SECOND).await)
        .unwrap();
    let (first, second) = tokio::join!(signal.emit(1), signal.emit(2));
    assert_eq!((first.delivered(), second.count(Outcome::Rejected)), (1, 1));
    let cause = second.entries()[0].cause();
    assert!(matches!(cause, Cause::Rejected(Rejection::Overloaded)));
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_listener_runs_behind_layers_in_every_mode_on_every_pool() {
    struct Waits;
    impl fanfare::Listener<u32> for Waits {
        type Output = ();
        async fn handle(&self, _: u32) {
            tokio::time::sleep(SECOND).await;
        }
    }
    for setup in setups() {
        let signal: Signal<u32> = setup.builder().timeout(60 * SECOND).build();
        signal.on(async |_| tokio::time::sleep(SECOND).await);
        signal.on(async |_| {});
        signal.on_sync(|_| {});
        signal.on_shared(async |_| tokio::time::sleep(SECOND).await);
        signal.listener(Waits);
        signal
            .service(ServiceBuilder::new().service_fn(async |_: Delivery| Ok::<(), BoxError>(())));
        signal.on(async |_| panic!("on purpose"));
        signal.on(async |_| Err::<(), _>("down"));
        signal.on_sync(|_| -> Result<(), &str> { Err("down") });
        signal
            .listen()
            .timeout(SECOND)
            .on(async |_| std::future::pending::<()>().await)
            .unwrap();
        for _ in 0..3 {
            let report = signal.emit(1).await;
            let count = |outcome| report.count(outcome);
            let seen = (
                count(Outcome::Done),
                count(Outcome::Failed),
                count(Outcome::Panicked),
                count(Outcome::TimedOut),
            );
            assert_eq!(seen, (6, 2, 1, 1), "{setup:?}: {report}");
        }
    }
}

#[tokio::test]
async fn an_error_of_a_layer_means_what_it_says_to_the_report() {
    let rejects = tower::layer::layer_fn(|_: BoxListener| {
        tower::service_fn(|_: Delivery| {
            let cause = Cause::Rejected(Rejection::RateLimited {
                retry_after: SECOND,
            });
            std::future::ready(Err::<(), _>(CallError::new(cause)))
        })
    });
    let signal = Signal::<u32>::new();
    signal.listen().layer(rejects).on(async |_| {}).unwrap();
    let report = signal.emit(1).await;
    assert_eq!(
        report.entries()[0].cause().to_string(),
        "rejected: the rate limit is used up for another 1s"
    );
}

#[test]
fn the_short_forms_of_times_are_their_layers() {
    assert_eq!(Timeout::from(SECOND), Timeout::new(SECOND));
    assert_eq!(Deadline::from(SECOND).given(), SECOND);
}

#[tokio::test]
async fn whatever_stands_at_a_place_can_be_left_out() {
    let signal = Signal::<u32>::builder()
        .trace(Trace::info())
        .dead_letter(DeadLetter::to(async |_| {}))
        .fallback(Fallback::value(()))
        .deadline(10 * SECOND)
        .dedup(Dedup::by(|n: &u32| *n).capacity(10))
        .retry(Retry::exponential())
        .rate_limit(RateLimit::per_second(1))
        .concurrency(Concurrency::new(1))
        .circuit_breaker(CircuitBreaker::new())
        .timeout(SECOND)
        .fault(Fault::new().seed(1))
        .build();
    let all = signal.on(async |_| {}).metadata().layers().to_vec();
    assert_eq!(all.len(), 13, "{all:?}");
    for place in Place::ALL {
        let sub = signal.listen().without(place).on(async |_| {}).unwrap();
        let left = sub.metadata().layers().to_vec();
        let name = match place {
            Place::Listener => "fault".to_owned(),
            _ => place.to_string(),
        };
        let stays = matches!(place, Place::Metrics | Place::Panic);
        let expected = all.iter().filter(|word| stays || !word.starts_with(&name));
        assert_eq!(left, expected.cloned().collect::<Vec<_>>(), "{place}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_layer_of_yours_at_a_place_is_just_outside_the_one_that_the_place_is_named_after() {
    let signal = Signal::<u32>::new();
    let (calls, results) = (Log::default(), Log::default());
    let mut listen = signal.listen().retry(Retry::constant(SECOND));
    for place in Place::ALL {
        let results = results.clone();
        let noting = tower::util::MapResultLayer::new(move |result: Result<(), BoxError>| {
            if let Err(error) = &result {
                results.push(format!("{place}: {error}"));
            }
            result
        });
        listen = listen
            .layer_at(place, noting)
            .layer_at(place, Noting(place.to_string(), calls.clone()));
    }
    let listen = listen.timeout(SECOND).deadline(10 * SECOND);
    let listen = listen.fault(Fault::new().fail(1.0).seed(1));
    listen.on(async |_| {}).unwrap();
    let _ = signal.emit(1).await;
    let (calls, results) = (calls.take(), results.take());
    for place in Place::ALL {
        let times = if place <= Place::Retry { 1 } else { 3 };
        let name = place.to_string();
        let seen = calls.iter().filter(|call| **call == name).count();
        // The fault is as if the listener did it: whatever is around that sees it.
        let prefix = format!("{place}: ");
        let failed = results.iter().filter(|line| line.starts_with(&prefix));
        assert_eq!((seen, failed.count()), (times, times), "{place}");
    }
}
