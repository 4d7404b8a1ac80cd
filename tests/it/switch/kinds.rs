//! Every kind of listener, in every mode, with and without a pool.

use std::sync::Arc;
use std::time::Duration;

use fanfare::layer::Retry;
use fanfare::{BoxError, Delivery, ListenBuilder, Outcome, Signal, Subscription};
use tower::service_fn;

use super::holding;
use crate::support::{Log, setups};

type Register = fn(ListenBuilder<'_, String>, Log<String>) -> Subscription;

/// Every way to register a listener, each of which notes its event.
fn kinds() -> Vec<(&'static str, Register)> {
    vec![
        ("on", |listen, log| {
            listen.on(async move |text| log.push(text)).unwrap()
        }),
        ("on, suspends", |listen, log| {
            let on = async move |text| {
                tokio::task::yield_now().await;
                log.push(text);
            };
            listen.on(on).unwrap()
        }),
        ("on_sync", |listen, log| {
            listen
                .on_sync(move |text: &String| log.push(text.clone()))
                .unwrap()
        }),
        ("on_shared", |listen, log| {
            let shared = async move |text: Arc<String>| log.push(String::clone(&text));
            listen.on_shared(shared).unwrap()
        }),
        ("on_blocking", |listen, log| {
            listen.on_blocking(move |text| log.push(text)).unwrap()
        }),
        ("service", |listen, log| {
            let service = service_fn(move |delivery: Delivery| {
                log.push(delivery.event::<String>().unwrap().clone());
                std::future::ready(Ok::<(), BoxError>(()))
            });
            listen.service(service).unwrap()
        }),
        ("layered", |listen, log| {
            let listen = listen
                .timeout(Duration::from_secs(60))
                .retry(Retry::exponential());
            listen.on(async move |text| log.push(text)).unwrap()
        }),
        ("with_delivery", |listen, log| {
            let listen = listen.with_delivery();
            let on = async move |text: String, delivery: Delivery| {
                assert_eq!(delivery.event::<String>(), Some(&text));
                log.push(text);
            };
            listen.on(on).unwrap()
        }),
        ("filtered", |listen, log| {
            let listen = listen.filter(|text| text != "none");
            listen.on(async move |text| log.push(text)).unwrap()
        }),
    ]
}

/// Waits until it holds nothing and no call of it runs.
async fn idle(sub: &Subscription) {
    while sub.metadata().held() > 0 || sub.metadata().running() > 0 {
        tokio::task::yield_now().await;
    }
    crate::support::settle().await;
}

async fn held_and_delivered(name: &str, signal: &Signal<String>, register: Register) {
    let (log, others) = (Log::default(), Log::default());
    let sub = register(signal.listen().key("it"), log.clone());
    // One before and one behind it, which own their event.
    for priority in [1, -1] {
        let others = others.clone();
        let listen = signal.listen().priority(priority);
        listen.on(async move |text| others.push(text)).unwrap();
    }
    sub.pause(holding(100)).unwrap();
    let texts: Vec<String> = (0..5).map(|n| n.to_string()).collect();
    for text in &texts {
        let report = signal.emit(text.clone()).await;
        assert_eq!(
            (report.delivered(), report.count(Outcome::Deferred)),
            (2, 1),
            "{name}"
        );
    }
    assert_eq!((log.len(), others.take().len()), (0, 10), "{name}");
    let metadata = sub.metadata();
    assert_eq!((metadata.calls(), metadata.held()), (0, 5), "{name}");
    sub.resume();
    while log.len() < 5 {
        tokio::task::yield_now().await;
    }
    idle(&sub).await;
    assert_eq!(log.take(), texts, "{name}");
    // Until the delivery has ended, what comes is held behind it.
    while signal.emit("last".to_owned()).await.delivered() < 3 {
        idle(&sub).await;
    }
    let calls = log.take().len() as u64 + 5;
    let metadata = sub.metadata();
    assert_eq!((metadata.calls(), metadata.held()), (calls, 0), "{name}");
    let stats = signal.stats();
    assert_eq!(stats.count(Outcome::Deferred), calls - 1, "{name}");
    let emissions = stats.emissions();
    assert_eq!(stats.count(Outcome::Done), 3 * emissions, "{name}");
    assert_eq!(emissions, calls, "{name}");
}

#[tokio::test]
async fn every_kind_of_listener_is_called_with_what_it_held() {
    for setup in setups() {
        for (kind, register) in kinds() {
            let signal = setup.builder().build();
            held_and_delivered(&format!("{kind}, {setup:?}"), &signal, register).await;
        }
    }
}

#[tokio::test]
async fn a_listener_of_a_batch_holds_as_any_other() {
    let signal = Signal::<u32>::new();
    let batch = signal.batch();
    let log = Log::default();
    let seen = log.clone();
    let sub = batch.listen().on(async move |n| seen.push(n)).unwrap();
    // It is paused before it is there.
    sub.pause(holding(10)).unwrap();
    batch.commit().unwrap();
    assert_eq!(signal.emit(1).await.count(Outcome::Deferred), 1);
    sub.resume();
    crate::support::settle().await;
    assert_eq!(log.take(), [1]);
}
