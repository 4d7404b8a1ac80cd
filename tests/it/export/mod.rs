//! What is told to the outside: the catalogue and collectors, Prometheus, the `metrics` facade.

#![allow(
    clippy::cast_precision_loss,
    clippy::float_cmp,
    reason = "counts, which a float has exactly"
)]

mod collect;
#[cfg(feature = "metrics-facade")]
mod facade;
#[cfg(feature = "prometheus")]
mod names;
#[cfg(feature = "prometheus")]
mod parsed;
#[cfg(feature = "prometheus")]
mod scrape;
#[cfg(feature = "prometheus")]
mod service;
#[cfg(feature = "prometheus")]
mod text;

use std::time::Duration;

use fanfare::layer::{CircuitBreaker, DeadLetter, DeadLetters, Retry};
use fanfare::{Bus, Metrics, Pool, Subscription};

/// A bus that is told everything of, and that something of each kind has happened on: an emission of each type, two calls of "fails" and a dead letter, two events in a buffer, one dropped.
async fn busy_bus() -> Bus {
    let bus = Bus::builder()
        .name("busy")
        .metrics(Metrics::Timed)
        .pool(Pool::builder(4).name("four").build())
        .signal::<u64>(|signal| signal.name("orders").buffer(2))
        .build();
    let letters = DeadLetters::new(10);
    listen(&bus, "works");
    let listen = bus.listen::<u64>().key("fails");
    let listen = listen.retry(Retry::constant(Duration::from_millis(1)).max_attempts(2));
    let listen = listen.circuit_breaker(CircuitBreaker::new());
    let fails = listen.dead_letter(DeadLetter::keep(&letters));
    let _ = fails.try_on(async |_| Err("no".into())).unwrap();
    let _ = bus.emit(1_u64).await;
    bus.enqueue(2_u64).await.unwrap();
    let orders = bus.signal::<u64>();
    let done = async {
        while orders.stats().emissions() < 2 || orders.snapshot().in_flight > 0 {
            tokio::task::yield_now().await;
        }
    };
    let done = tokio::time::timeout(Duration::from_secs(30), done).await;
    assert!(
        done.is_ok(),
        "two events are emitted: {:#?}",
        orders.snapshot()
    );
    bus
}

fn listen(bus: &Bus, key: &str) -> Subscription {
    let listen = bus.listen::<u64>().key(key);
    listen.on(async |_| {}).unwrap()
}
