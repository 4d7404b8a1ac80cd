//! When events follow: once a call has succeeded, and then only.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fanfare::layer::{Concurrency, DeadLetter, DeadLetters, Dedup, Place, Retry};
use fanfare::{BoxError, Bus, Delivery, One, Outcome, TraceParent};
use tokio::time::{Instant, sleep};
use tower::util::MapResultLayer;

use crate::support::{Gauge, Log, settle, yield_once};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

#[derive(Clone)]
struct Placed;

#[derive(Clone, Debug, PartialEq)]
struct Mail(u32);

/// A bus that notes the mails that follow.
fn noting() -> (Bus, Log<u32>) {
    let (bus, log) = (Bus::new(), Log::default());
    let l = log.clone();
    bus.on(async move |Mail(n)| l.push(n));
    (bus, log)
}

/// A layer that lets no success of the first so many calls through.
fn refusing(
    first: u32,
) -> MapResultLayer<impl FnMut(Result<(), BoxError>) -> Result<(), BoxError> + Clone> {
    let calls = Arc::new(AtomicU32::new(0));
    MapResultLayer::new(move |result: Result<(), BoxError>| {
        if calls.fetch_add(1, Ordering::Relaxed) < first {
            return Err("refused by a layer".into());
        }
        result
    })
}

#[tokio::test(start_paused = true)]
async fn attempts_that_fail_emit_nothing_and_the_one_that_succeeds_emits_once() {
    let (bus, log) = noting();
    let retry = Retry::constant(SECOND).max_attempts(3);
    let listen = bus.listen::<Placed>().retry(retry.clone()).with_delivery();
    let listener = async |_, d: Delivery| match d.attempt() {
        3 => Ok(One(Mail(d.attempt()))),
        _ => Err("not yet"),
    };
    listen.follow(listener).unwrap();
    assert!(bus.emit(Placed).await.is_ok());
    assert_eq!(log.take(), [3]);

    let (bus, log) = noting();
    let listen = bus.listen::<Placed>().retry(retry);
    let fails = async |_| -> Result<One<Mail>, &str> { Err("never") };
    listen.follow(fails).unwrap();
    assert_eq!(bus.emit(Placed).await.failed(), 1);
    let panics = async |_: Placed| -> One<Mail> { panic!("on purpose") };
    bus.follow(panics);
    assert_eq!(bus.emit(Placed).await.count(Outcome::Panicked), 1);
    assert_eq!(log.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_success_that_a_layer_makes_a_failure_of_emits_nothing() {
    let (bus, log) = noting();
    let listen = bus.listen::<Placed>().layer(refusing(1));
    listen.follow(async |_| One(Mail(1))).unwrap();
    assert_eq!(bus.emit(Placed).await.failed(), 1);
    assert_eq!(log.len(), 0);
    assert!(bus.emit(Placed).await.is_ok());
    assert_eq!(log.take(), [1]);
}

#[tokio::test(start_paused = true)]
async fn only_what_the_last_attempt_has_returned_is_emitted() {
    let (bus, log) = noting();
    let listen = bus.listen::<Placed>();
    let listen = listen.retry(Retry::constant(SECOND).max_attempts(3));
    let listen = listen.layer_at(Place::Timeout, refusing(1)).with_delivery();
    let listener = async |_, d: Delivery| match d.attempt() {
        1 => vec![Mail(1), Mail(2)],
        _ => vec![],
    };
    listen.follow(listener).unwrap();
    assert!(bus.emit(Placed).await.is_ok());
    assert_eq!(log.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_another_layer_answers_for_emits_nothing_of_the_one_before() {
    let (bus, log) = noting();
    let calls = Arc::new(AtomicU32::new(0));
    // It lets the first attempt through and makes a failure of it, and answers the second itself.
    let layer = tower::layer::layer_fn(move |inner: fanfare::layer::BoxListener| {
        let calls = Arc::clone(&calls);
        tower::service_fn(move |delivery: Delivery| {
            let first = calls.fetch_add(1, Ordering::Relaxed) == 0;
            let mut inner = inner.clone();
            async move {
                if first {
                    std::future::poll_fn(|cx| tower::Service::poll_ready(&mut inner, cx)).await?;
                    tower::Service::call(&mut inner, delivery).await?;
                    return Err::<(), BoxError>("refused by a layer".into());
                }
                Ok(())
            }
        })
    });
    let listen = bus.listen::<Placed>().retry(Retry::constant(SECOND));
    let listen = listen.layer_at(Place::Timeout, layer);
    listen.follow(async |_| One(Mail(1))).unwrap();
    assert!(bus.emit(Placed).await.is_ok());
    assert_eq!(log.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_skipped_emits_nothing() {
    let (bus, log) = noting();
    let listen = bus.listen::<Placed>();
    let listen = listen.dedup(Dedup::by(|_: &Placed| 1).capacity(10));
    let sub = listen.follow(async |_| One(Mail(1))).unwrap();
    assert_eq!(bus.emit(Placed).await.delivered(), 1);
    assert_eq!(bus.emit(Placed).await.skipped(), 1);
    sub.disable();
    assert_eq!(bus.emit(Placed).await.skipped(), 1);
    assert_eq!(log.take(), [1]);
}

#[tokio::test(start_paused = true)]
async fn the_emission_waits_for_each_and_the_next_waits_for_the_one_before() {
    let bus = Bus::new();
    let gauge = Gauge::default();
    let g = gauge.clone();
    bus.on(async move |_: Mail| {
        let _inside = g.enter();
        sleep(SECOND).await;
    });
    bus.follow(async |_: Placed| [Mail(1), Mail(2), Mail(3)]);
    let begun = Instant::now();
    assert_eq!(bus.emit(Placed).await.delivered(), 1);
    assert_eq!(begun.elapsed(), 3 * SECOND);
    assert_eq!((gauge.total(), gauge.peak()), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn what_the_stack_holds_is_free_before_they_are_emitted() {
    let bus = Bus::new();
    let seen = Log::default();
    let concurrency = Concurrency::new(1).reject();
    let listen = bus.listen::<u32>().concurrency(concurrency);
    let s = seen.clone();
    let listener = async move |n: u32| {
        s.push(n);
        yield_once().await;
        (n < 3).then_some(n + 1)
    };
    listen.follow(listener).unwrap();
    assert!(bus.emit(0_u32).await.is_ok());
    assert_eq!(seen.take(), [0, 1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_the_listener_does_not_end_them() {
    let bus = Bus::new();
    bus.on(async |_: Mail| sleep(MINUTE).await);
    let listen = bus.listen::<Placed>().deadline(10 * SECOND).timeout(SECOND);
    listen.follow(async |_| One(Mail(1))).unwrap();
    assert!(bus.emit(Placed).await.is_ok());
    assert_eq!(bus.signal::<Mail>().stats().count(Outcome::Done), 1);
}

#[tokio::test(start_paused = true)]
async fn they_inherit_the_ids_of_what_they_follow_from() {
    let bus = Bus::new();
    let seen = Log::default();
    bus.follow(async |_: Placed| {
        sleep(SECOND).await;
        [Mail(1), Mail(2)]
    });
    let causes = Log::default();
    let (s, c) = (seen.clone(), causes.clone());
    let listen = bus.listen::<Mail>().with_delivery();
    let listener = async move |Mail(n), d: Delivery| {
        s.push((
            n,
            d.correlation_id().unwrap().to_owned(),
            d.header("traceparent").is_some(),
        ));
        c.push(d.causation_id().unwrap().to_owned());
    };
    listen.on(listener).unwrap();
    let c = causes.clone();
    let listen = bus.listen::<Placed>().with_delivery();
    let noting = async move |_, d: Delivery| c.push(d.emission_id().to_string());
    listen.on(noting).unwrap();
    let parent = TraceParent::new(7, 8, true).unwrap();
    let emit = bus.emit(Placed).correlation_id("order-7");
    let emit = emit.header("traceparent", parent.to_string());
    assert!(emit.await.is_ok());
    let expected = [1, 2].map(|n| (n, "order-7".to_owned(), true));
    assert_eq!(seen.take(), expected);
    let causes = causes.take();
    assert!(causes.iter().all(|id| *id == causes[0]), "{causes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_succeeds_in_the_background_emits_there() {
    let (bus, log) = noting();
    let retry = Retry::constant(MINUTE).in_background();
    let listen = bus.listen::<Placed>().retry(retry).with_delivery();
    let listener = async |_, d: Delivery| match d.attempt() {
        1 => Err("not yet"),
        n => Ok([Mail(n), Mail(n + 1)]),
    };
    let sub = listen.follow(listener).unwrap();
    assert_eq!(bus.emit(Placed).await.count(Outcome::Deferred), 1);
    assert_eq!((log.len(), sub.metadata().running()), (0, 1));
    sleep(2 * MINUTE).await;
    assert_eq!((log.take(), sub.metadata().running()), (vec![2, 3], 0));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_redriven_emits_too() {
    let (bus, log) = noting();
    let letters = DeadLetters::new(10);
    let listen = bus
        .listen::<Placed>()
        .dead_letter(DeadLetter::keep(&letters));
    let listener = async |_, d: Delivery| match d.redrives() {
        0 => Err("down"),
        n => Ok(One(Mail(n))),
    };
    listen.with_delivery().follow(listener).unwrap();
    assert_eq!(bus.emit(Placed).await.failed(), 1);
    assert_eq!(log.len(), 0);
    assert_eq!(letters.redrive().await.delivered(), 1);
    settle().await;
    assert_eq!(log.take(), [1]);
}
