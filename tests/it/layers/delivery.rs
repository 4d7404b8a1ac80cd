//! What travels with an event.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fanfare::layer::Retry;
use fanfare::{BoxError, Bus, Delivery, Headers, Signal};
use futures::FutureExt as _;
use tokio_util::sync::CancellationToken;
use tower::util::MapRequestLayer;

use crate::support::Log;

const SECOND: Duration = Duration::from_secs(1);
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// What a listener notes of its delivery.
fn told(n: u32, d: &Delivery) -> String {
    let key = d.listener_key().unwrap_or("-");
    let tenant = d.header("TENANT").unwrap_or("-");
    format!("{n} {key} {tenant} {} {}", d.attempt(), d.event_type())
}

#[tokio::test]
async fn every_form_of_listener_may_take_its_delivery() {
    let signal = Signal::<u32>::new();
    let log = Log::default();
    let listen = |key: &str| signal.listen().with_delivery().key(key);
    let l = log.clone();
    listen("on")
        .on(async move |n, d| l.push(told(n, &d)))
        .unwrap();
    let l = log.clone();
    let failing = async move |n, d: Delivery| {
        l.push(told(n, &d));
        Ok(())
    };
    listen("try").try_on(failing).unwrap();
    let l = log.clone();
    listen("sync")
        .on_sync(move |n, d| l.push(told(*n, d)))
        .unwrap();
    let l = log.clone();
    let shared = async move |n: Arc<u32>, d: Delivery| l.push(told(*n, &d));
    listen("shared").on_shared(shared).unwrap();
    let l = log.clone();
    listen("blocking")
        .on_blocking(move |n, d| l.push(told(n, &d)))
        .unwrap();
    let l = log.clone();
    let service = tower::service_fn(move |d: Delivery| {
        l.push(told(*d.event::<u32>().unwrap(), &d));
        std::future::ready(Ok::<(), BoxError>(()))
    });
    signal.listen().key("service").service(service).unwrap();
    let report = signal.emit(7).header("Tenant", "acme").await;
    assert_eq!(report.delivered(), 6, "{report}");
    let keys = ["blocking", "on", "service", "shared", "sync", "try"];
    let mut lines = log.take();
    lines.sort();
    assert_eq!(lines, keys.map(|key| format!("7 {key} acme 1 u32")));
}

#[tokio::test]
async fn the_deliveries_of_one_emission_share_an_id_that_no_other_has() {
    let signal = Signal::<u32>::new();
    let log = Log::default();
    for _ in 0..2 {
        let l = log.clone();
        let note = async move |_, d: Delivery| l.push((d.emission_id(), d.listener_id()));
        signal.listen().with_delivery().on(note).unwrap();
    }
    let _ = (signal.emit(1).await, signal.emit(2).await);
    let seen = log.take();
    assert_eq!(seen[0].0, seen[1].0);
    assert_eq!(seen[2].0, seen[3].0);
    assert_ne!(seen[0].0, seen[2].0);
    assert_ne!(seen[0].1, seen[1].1);
}

/// A layer that notes whether the time of the emission is known.
fn noting(
    log: &Log<bool>,
) -> MapRequestLayer<impl Fn(Delivery) -> Delivery + Clone + Send + Sync + use<>> {
    let log = log.clone();
    MapRequestLayer::new(move |d: Delivery| {
        log.push(d.emitted_at().is_some());
        d
    })
}

#[tokio::test]
async fn the_time_is_noted_only_where_somebody_asks_for_it() {
    let log = Log::default();
    let unasked = Signal::<u32>::new();
    unasked
        .listen()
        .layer(noting(&log))
        .on(async |_| {})
        .unwrap();
    let _ = unasked.emit(1).await;
    assert_eq!(log.take(), [false]);

    let asked = Signal::<u32>::builder().timestamps().build();
    asked.listen().layer(noting(&log)).on(async |_| {}).unwrap();
    let _ = asked.emit(1).await;
    assert_eq!(log.take(), [true]);

    // A listener with its delivery asks, for all of the signal.
    unasked
        .listen()
        .with_delivery()
        .on(async |_, d| assert!(d.age().is_some()))
        .unwrap();
    assert!(unasked.emit(1).await.is_ok());
    assert_eq!(log.take(), [true]);
}

#[tokio::test(start_paused = true)]
async fn the_age_of_an_event_grows_from_attempt_to_attempt() {
    let signal = Signal::<u32>::new();
    let log = Log::default();
    let l = log.clone();
    let retry = Retry::constant(10 * SECOND);
    let note = async move |_, d: Delivery| {
        l.push((d.attempt(), d.age().unwrap()));
        Err::<(), _>("again")
    };
    signal
        .listen()
        .retry(retry)
        .with_delivery()
        .on(note)
        .unwrap();
    let _ = signal.emit(1).await;
    let ages: Vec<_> = log.take();
    assert_eq!(ages.len(), 3);
    for (attempt, age) in ages {
        let expected = 10 * (u64::from(attempt) - 1);
        assert_eq!(age.as_secs(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn the_deadline_is_the_earlier_of_the_emissions_and_the_listeners() {
    let signal = Signal::<u32>::new();
    let log = Log::default();
    let l = log.clone();
    let note = async move |_, d: Delivery| l.push(d.time_left().map(|left| left.as_secs()));
    let sub = signal.listen().with_delivery().on(note.clone()).unwrap();
    let _ = signal.emit(1).await;
    let _ = signal.emit(1).timeout(5 * SECOND).await;
    sub.remove();
    signal
        .listen()
        .deadline(3 * SECOND)
        .with_delivery()
        .on(note)
        .unwrap();
    let _ = signal.emit(1).await;
    let _ = signal.emit(1).timeout(5 * SECOND).await;
    let _ = signal.emit(1).timeout(2 * SECOND).await;
    assert_eq!(log.take(), [None, Some(5), Some(3), Some(3), Some(2)]);
}

#[tokio::test]
async fn headers_are_found_in_any_case_and_replaced() {
    let mut headers = Headers::from([("A", "1"), ("b", "2")]);
    assert_eq!(headers.insert("a", "3").as_deref(), Some("1"));
    assert_eq!(
        (headers.get("A"), headers.get("a"), headers.len()),
        (Some("3"), Some("3"), 2)
    );
    assert_eq!(headers.iter().collect::<Vec<_>>(), [("a", "3"), ("b", "2")]);
    assert_eq!(headers.remove("B").as_deref(), Some("2"));
    assert!(headers.traceparent().is_none() && !headers.is_empty());
    headers.set_traceparent(PARENT.parse().unwrap());
    assert_eq!(headers.get("traceparent"), Some(PARENT));
}

#[tokio::test]
async fn what_an_event_causes_inherits_its_ids_and_its_trace_and_nothing_else() {
    let bus = Bus::new();
    let inner = bus.clone();
    let outer_id = Log::default();
    let id = outer_id.clone();
    let emits = async move |n: u32, d: Delivery| {
        id.push(d.emission_id().to_string());
        tokio::task::yield_now().await;
        inner.emit(n.to_string()).await;
    };
    bus.listen::<u32>().with_delivery().on(emits).unwrap();
    let log = Log::default();
    let l = log.clone();
    let note = async move |_, d: Delivery| {
        let ids = [
            d.correlation_id(),
            d.causation_id(),
            d.header("traceparent"),
            d.header("tenant"),
        ];
        l.push(ids.map(|id| id.map(str::to_owned)));
    };
    bus.listen::<String>().with_delivery().on(note).unwrap();

    let emission = bus
        .emit(1_u32)
        .header("tenant", "acme")
        .header("traceparent", PARENT);
    let _ = emission.correlation_id("order").await;
    let outer = outer_id.take().remove(0);
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        log.take(),
        [[some("order"), some(&outer), some(PARENT), None]]
    );

    // Without one of its own, the correlation is the first emission itself.
    let _ = bus.emit(1_u32).await;
    let outer = outer_id.take().remove(0);
    assert_eq!(log.take(), [[some(&outer), some(&outer), None, None]]);

    // Outside of a listener there is nothing to inherit.
    let _ = bus.emit(String::new()).await;
    assert_eq!(log.take(), [[None, None, None, None]]);
    // The listener has its own bus.
    bus.clear();
}

#[tokio::test]
async fn a_task_that_a_listener_has_spawned_says_for_itself_what_caused_its_event() {
    let bus = Bus::new();
    let inner = bus.clone();
    let spawns = async move |_, d: Delivery| {
        let emitted = tokio::spawn(async move {
            let _ = inner.emit(1_u8).await;
            let _ = inner.emit(2_u8).caused_by(&d).await;
        });
        emitted.await.unwrap();
    };
    bus.listen::<u32>().with_delivery().on(spawns).unwrap();
    let log = Log::default();
    let l = log.clone();
    let note = async move |n: u8, d: Delivery| {
        l.push((n, d.correlation_id().map(str::to_owned)));
    };
    bus.listen().with_delivery().on(note).unwrap();
    let _ = bus.emit(1_u32).correlation_id("order").await;
    assert_eq!(log.take(), [(1, None), (2, Some("order".to_owned()))]);
    // The listener has its own bus.
    bus.clear();
}

/// A listener that hands out its token, then suspends for ever in its first attempt.
fn hanging(signal: &Signal<u32>, tokens: &Log<CancellationToken>) {
    let tokens = tokens.clone();
    let listener = async move |_, d: Delivery| {
        tokens.push(d.cancellation_token());
        if d.attempt() == 1 {
            std::future::pending::<()>().await;
        }
    };
    let retry = Retry::constant(SECOND);
    let listen = signal.listen().timeout(SECOND).retry(retry).with_delivery();
    listen.on(listener).unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_token_of_an_attempt_fires_when_that_is_given_up_and_not_when_it_succeeds() {
    let (signal, tokens) = (Signal::<u32>::new(), Log::default());
    hanging(&signal, &tokens);
    assert_eq!(signal.emit(1).await.delivered(), 1);
    let tokens = tokens.take();
    let fired: Vec<_> = tokens.iter().map(CancellationToken::is_cancelled).collect();
    assert_eq!(fired, [true, false]);
}

#[tokio::test(start_paused = true)]
async fn the_token_fires_when_the_emission_is_dropped() {
    let (signal, tokens) = (Signal::<u32>::new(), Log::default());
    hanging(&signal, &tokens);
    let dropped = tokio::time::timeout(SECOND / 2, signal.emit(1)).await;
    assert!(dropped.is_err());
    assert!(tokens.take()[0].is_cancelled());
}

#[tokio::test]
async fn a_listener_behind_layers_may_stop_the_emission() {
    let signal = Signal::<u32>::builder()
        .dispatch(fanfare::Dispatch::Sequential)
        .build();
    signal
        .listen()
        .timeout(SECOND)
        .on(async |_| ControlFlow::Break(()))
        .unwrap();
    signal.on(async |_| {});
    let report = signal.emit(1).await;
    assert_eq!((report.delivered(), report.skipped()), (1, 1));
}

#[tokio::test]
async fn every_form_of_listener_with_its_delivery_asks_for_the_time() {
    let before = SystemTime::now();
    let log = Log::default();
    let note = |log: &Log<Option<SystemTime>>| {
        let log = log.clone();
        move |d: &Delivery| log.push(d.emitted_at())
    };
    let signals: [Signal<u32>; 6] = std::array::from_fn(|_| Signal::new());
    let listen = |nth: usize| signals[nth].listen().with_delivery();
    let n = note(&log);
    listen(0).on(async move |_, d| n(&d)).unwrap();
    let n = note(&log);
    let tries = async move |_, d| {
        n(&d);
        Ok(())
    };
    listen(1).try_on(tries).unwrap();
    let n = note(&log);
    listen(2).on_sync(move |_, d| n(d)).unwrap();
    let n = note(&log);
    listen(3).on_shared(async move |_, d| n(&d)).unwrap();
    let n = note(&log);
    listen(4).on_blocking(move |_, d| n(&d)).unwrap();
    let n = note(&log);
    signals[5].service(tower::service_fn(move |d: Delivery| {
        n(&d);
        std::future::ready(Ok::<(), BoxError>(()))
    }));
    for (nth, signal) in signals.iter().enumerate() {
        assert_eq!(signal.emit(1).await.delivered(), 1);
        let at = log.take()[0].unwrap_or_else(|| panic!("no time in the form {nth}"));
        // The clock of emissions is a coarse one.
        assert!(at + SECOND >= before && at <= SystemTime::now() + SECOND);
    }
}

/// What a listener says of what its delivery belongs to: correlation, causation, and two headers.
fn belongs_to(d: &Delivery) -> [Option<String>; 4] {
    let ids = [d.correlation_id(), d.causation_id()];
    let headers = ["traceparent", "tracestate"].map(|name| d.header(name));
    [ids[0], ids[1], headers[0], headers[1]].map(|text| text.map(str::to_owned))
}

#[tokio::test]
async fn what_an_emission_says_itself_is_not_replaced_by_what_it_inherits() {
    const OTHER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    let bus = Bus::new();
    let log = Log::default();
    let l = log.clone();
    let note = async move |_, d: Delivery| l.push(belongs_to(&d));
    bus.listen::<u8>().with_delivery().on(note).unwrap();
    let (first, ids) = (Log::default(), Log::default());
    let keep = first.clone();
    let keeps = async move |_, d: Delivery| keep.push(d);
    bus.listen::<String>().with_delivery().on(keeps).unwrap();
    let _ = bus.emit(String::new()).correlation_id("first").await;
    let first = first.take().remove(0);
    let id = first.emission_id().to_string();
    let (inner, i) = (bus.clone(), ids.clone());
    let emits = async move |_, d: Delivery| {
        i.push(d.emission_id().to_string());
        inner.emit(1_u8).await;
        inner.emit(2_u8).correlation_id("own").await;
        inner.emit(3_u8).header("traceparent", OTHER).await;
        inner.emit(4_u8).caused_by(&first).await;
    };
    bus.listen::<u32>().with_delivery().on(emits).unwrap();
    let emission = bus.emit(1_u32).correlation_id("order");
    let headers = Headers::from([("traceparent", PARENT), ("tracestate", "a=1")]);
    let _ = emission.headers(&headers).await;
    let outer = ids.take().remove(0);
    let belongs = |correlation: &str, causation: &str, parent: &str| {
        [correlation, causation, parent, "a=1"].map(|text| Some(text.to_owned()))
    };
    // The state is that of the parent, and is not inherited without it.
    let mut other = belongs("order", &outer, OTHER);
    other[3] = None;
    assert_eq!(
        log.take(),
        [
            belongs("order", &outer, PARENT),
            belongs("own", &outer, PARENT),
            other,
            belongs("first", &id, PARENT),
        ]
    );
    // The listener has its own bus.
    bus.clear();
}

#[tokio::test]
async fn what_is_emitted_before_the_first_await_inherits_too() {
    let bus = Bus::new();
    let log = Log::default();
    let l = log.clone();
    let note = async move |_, d: Delivery| l.push(d.correlation_id().map(str::to_owned));
    bus.listen::<u8>().with_delivery().on(note).unwrap();
    let inner = bus.clone();
    let in_place = move |_: &u32, _: &Delivery| {
        let report = inner.emit(1_u8).now_or_never();
        assert!(report.is_some_and(|report| report.is_ok()));
    };
    bus.listen().with_delivery().on_sync(in_place).unwrap();
    let inner = bus.clone();
    bus.service::<u32, _>(tower::service_fn(move |_: Delivery| {
        let report = inner.emit(2_u8).now_or_never();
        assert!(report.is_some_and(|report| report.is_ok()));
        std::future::ready(Ok::<(), BoxError>(()))
    }));
    let report = bus.emit(1_u32).correlation_id("order").await;
    assert_eq!(report.delivered(), 2, "{report}");
    assert_eq!(
        log.take(),
        [Some("order".to_owned()), Some("order".to_owned())]
    );
    // The listener has its own bus.
    bus.clear();
}

#[tokio::test(start_paused = true)]
async fn the_token_of_every_attempt_fires_when_that_is_given_up() {
    let (signal, tokens) = (Signal::<u32>::new(), Log::default());
    let t = tokens.clone();
    let hangs = async move |_, d: Delivery| {
        t.push(d.cancellation_token());
        std::future::pending::<()>().await;
    };
    let retry = Retry::constant(SECOND);
    let listen = signal.listen().timeout(SECOND).retry(retry).with_delivery();
    listen.on(hangs).unwrap();
    let _ = signal.emit(1).await;
    let fired: Vec<_> = tokens
        .take()
        .iter()
        .map(CancellationToken::is_cancelled)
        .collect();
    assert_eq!(fired, [true, true, true]);
}
