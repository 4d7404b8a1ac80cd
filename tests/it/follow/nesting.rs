//! Chains of events: permits, depth, and cycles.

use std::time::Duration;

use fanfare::layer::Retry;
use fanfare::{Bus, BusBuilder, Cause, Delivery, Dispatch, One, Pool, Rejection};
use tokio::time::{sleep, timeout};

use crate::support::{Gauge, Log, MODES, yield_once};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

#[derive(Clone)]
struct Ping(u32);

#[derive(Clone)]
struct Pong(u32);

/// Every mode, without a pool and with pools of one and three.
fn buses() -> Vec<(Dispatch, Option<Pool>, BusBuilder)> {
    let mut all = Vec::new();
    for mode in MODES {
        all.push((mode, None, Bus::builder().dispatch(mode)));
        for size in [1, 3] {
            let pool = Pool::new(size);
            let builder = Bus::builder().dispatch(mode).pool(pool.clone());
            all.push((mode, Some(pool), builder));
        }
    }
    all
}

#[tokio::test(start_paused = true)]
async fn a_chain_goes_to_its_end_on_a_pool_of_one() {
    for (mode, pool, builder) in buses() {
        let bus = builder.build();
        let gauge = Gauge::default();
        let g = gauge.clone();
        bus.follow(async move |Ping(n)| {
            let _inside = g.enter();
            sleep(Duration::from_millis(1)).await;
            (n > 0).then(|| Pong(n - 1))
        });
        let g = gauge.clone();
        bus.follow(async move |Pong(n)| {
            let _inside = g.enter();
            yield_once().await;
            (n > 0).then(|| Ping(n - 1))
        });
        let emissions = (0..4).map(|_| bus.emit(Ping(20)));
        let reports = timeout(HOUR, futures::future::join_all(emissions)).await;
        let reports = reports.unwrap_or_else(|_| panic!("{mode} hangs"));
        assert!(reports.iter().all(fanfare::Report::is_ok), "{mode}");
        assert_eq!(gauge.total(), 4 * 21, "{mode}");
        if let Some(pool) = pool {
            assert!(gauge.peak() <= pool.size(), "{mode}");
            assert_eq!(pool.in_use(), 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_cycle_ends_at_the_recursion_limit_with_its_path_in_the_error_that_is_told() {
    for (mode, pool, builder) in buses() {
        let told = Log::default();
        let t = told.clone();
        let bus = builder
            .recursion_limit(5)
            .signal::<Ping>(|signal| signal.name("ping"))
            .signal::<Pong>(|signal| signal.name("pong"))
            .on_failure(move |failure| {
                t.push((failure.signal().to_owned(), failure.cause().clone()));
            })
            .build();
        let calls = Gauge::default();
        let (a, b) = (calls.clone(), calls.clone());
        bus.follow(async move |Ping(n)| {
            drop(a.enter());
            yield_once().await;
            One(Pong(n))
        });
        bus.follow(async move |Pong(n)| {
            drop(b.enter());
            One(Ping(n))
        });
        let report = timeout(HOUR, bus.emit(Ping(0))).await;
        let report = report.unwrap_or_else(|_| panic!("{mode} hangs"));
        assert!(report.is_ok(), "{mode}");
        assert_eq!(calls.total(), 5, "{mode}");
        let told = told.take();
        assert_eq!(told.len(), 1, "{mode}: {told:?}");
        let (signal, cause) = &told[0];
        assert_eq!(signal, "pong");
        let Cause::Rejected(Rejection::RecursionLimit { limit, path }) = cause else {
            panic!("{mode}: {cause}");
        };
        assert_eq!(*limit, 5);
        assert_eq!(path, "ping -> pong -> ping -> pong -> ping -> pong");
        if let Some(pool) = pool {
            assert_eq!(pool.in_use(), 0);
        }
    }
}

/// A bus whose pings of a key are one after another.
fn keyed(told: &Log<String>) -> Bus {
    let told = told.clone();
    Bus::builder()
        .signal::<Ping>(|signal| signal.keyed_by(|ping: &Ping| ping.0))
        .on_failure(move |failure| told.push(failure.cause().to_string()))
        .build()
}

#[tokio::test(start_paused = true)]
async fn what_follows_in_the_turn_of_its_own_key_is_refused_and_not_stuck() {
    let told = Log::default();
    let bus = keyed(&told);
    bus.follow(async |Ping(n)| {
        yield_once().await;
        One(Ping(n))
    });
    let report = timeout(HOUR, bus.emit(Ping(7))).await.expect("it hangs");
    assert!(report.is_ok());
    assert!(told.take()[0].contains("own key"));

    let bus = keyed(&told);
    bus.follow(async |Ping(n)| (n > 0).then(|| Ping(n - 1)));
    let report = timeout(HOUR, bus.emit(Ping(7))).await.expect("it hangs");
    assert!(report.is_ok());
    assert_eq!(
        (bus.signal::<Ping>().stats().emissions(), told.len()),
        (8, 0)
    );

    let bus = keyed(&told);
    let retry = Retry::constant(SECOND).in_background();
    let listen = bus.listen::<Ping>().retry(retry).with_delivery();
    let listener = async |Ping(n), d: Delivery| match d.attempt() {
        1 => Err("not yet"),
        _ => Ok(One(Ping(n))),
    };
    listen.follow(listener).unwrap();
    let _ = bus.emit(Ping(7)).await;
    let left = bus.shutdown(HOUR).await;
    assert!(left.is_clean(), "{left}");
    assert_eq!(told.take(), ["cancelled: shut down"]);
    let bus = keyed(&told);
    let retry = Retry::constant(SECOND).in_background();
    let listen = bus.listen::<Ping>().retry(retry).with_delivery();
    listen.follow(listener).unwrap();
    let _ = bus.emit(Ping(7)).await;
    sleep(HOUR).await;
    assert!(told.take()[0].contains("own key"));
}
