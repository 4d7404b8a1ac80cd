//! Times, pools, who is told, and what is refused.

use std::future::pending;
use std::time::Duration;

use fanfare::layer::{Change, ChangeError, CircuitBreaker, Concurrency, RateLimit, Retry};
use fanfare::{Bus, Outcome, Pool, Setting, Signal};
use tokio::time::Instant;

use super::{SECOND, layers, observed};
use crate::support::{Gauge, Log, settle};

/// Emits, and says after how many seconds the call timed out.
async fn times_out_after(signal: Signal<u32>) -> u64 {
    let begun = Instant::now();
    assert_eq!(signal.emit(1).await.count(Outcome::TimedOut), 1);
    begun.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn a_timeout_is_changed_for_attempts_that_begin_after() {
    let signal = Signal::<u32>::new();
    let hangs = async |_| pending::<()>().await;
    let sub = signal.listen().timeout(10 * SECOND).on(hangs).unwrap();
    let before = tokio::spawn(times_out_after(signal.clone()));
    settle().await;
    sub.change(Change::new().timeout(2 * SECOND)).unwrap();
    assert_eq!(times_out_after(signal.clone()).await, 2);
    assert_eq!(before.await.unwrap(), 10);
    assert_eq!(layers(&sub), "timeout (2s)");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_is_changed_for_calls_that_begin_after() {
    let signal = Signal::<u32>::new();
    let hangs = async |_| pending::<()>().await;
    let sub = signal.listen().deadline(10 * SECOND).on(hangs).unwrap();
    let before = tokio::spawn(times_out_after(signal.clone()));
    settle().await;
    sub.change(Change::new().deadline(3 * SECOND)).unwrap();
    assert_eq!(times_out_after(signal.clone()).await, 3);
    assert_eq!(before.await.unwrap(), 10);
    assert_eq!(layers(&sub), "deadline (3s)");
}

#[tokio::test(start_paused = true)]
async fn a_retry_of_a_call_that_runs_makes_its_next_attempt_with_the_new_timeout() {
    let signal = Signal::<u32>::new();
    let sub = signal
        .listen()
        .retry(Retry::constant(SECOND).max_attempts(2))
        .timeout(10 * SECOND)
        .on(async |_| pending::<()>().await)
        .unwrap();
    let call = tokio::spawn(times_out_after(signal.clone()));
    settle().await;
    sub.change(Change::new().timeout(2 * SECOND)).unwrap();
    assert_eq!(call.await.unwrap(), 10 + 1 + 2);
}

#[tokio::test]
async fn each_setting_that_changed_is_told_once_in_words_and_shown() {
    let (builder, log) = observed::<u32>();
    let signal = builder.build();
    let sub = signal
        .listen()
        .key("webhook")
        .deadline(20 * SECOND)
        .retry(Retry::constant(SECOND))
        .rate_limit(RateLimit::per_second(10))
        .concurrency(Concurrency::new(2))
        .circuit_breaker(CircuitBreaker::new())
        .timeout(SECOND)
        .on(async |_| {})
        .unwrap();
    let change = Change::new()
        .timeout(2 * SECOND)
        .circuit_breaker(CircuitBreaker::new().open_for(SECOND))
        .concurrency(Concurrency::new(8).reject())
        .rate_limit(RateLimit::per_second(50).wait_up_to(SECOND))
        .retry(Retry::constant(SECOND).jitter(0.1))
        .deadline(30 * SECOND);
    signal.change("webhook", change.clone()).unwrap();
    let of = |text: &str| format!("`webhook` of `orders`: {text}");
    let expected = [
        of("deadline: 20s -> 30s"),
        of("retry: 3 attempts, every 1s -> 3 attempts, every 1s, jitter of 0.1"),
        of("rate limit: 10 in 1s, bursts of 10 -> 50 in 1s, bursts of 50, waits up to 1s"),
        of("concurrency: 2 at once -> 8 at once, rejects"),
        of("circuit breaker: 0.5 of 100 calls, open for 30s -> 0.5 of 100 calls, open for 1s"),
        of("timeout: 1s -> 2s"),
    ];
    assert_eq!(log.take(), expected);
    let shown = "deadline (30s) > retry (3 attempts, every 1s, jitter of 0.1) > \
        rate limit (50 in 1s, bursts of 50, waits up to 1s) > concurrency (8 at once, rejects) > \
        circuit breaker (0.5 of 100 calls, open for 1s) > timeout (2s)";
    assert_eq!(layers(&sub), shown);
    let described = signal.describe().to_string();
    assert!(described.contains(shown), "{described}");
    // The same again is no change.
    signal.change("webhook", change).unwrap();
    assert_eq!(log.len(), 0);
}

#[tokio::test]
async fn a_change_that_makes_no_sense_changes_nothing_and_says_why() {
    let (builder, log) = observed::<u32>();
    let signal = builder.build();
    let listen = signal.listen().key("webhook").deadline(10 * SECOND);
    let listen = listen.retry(Retry::constant(SECOND)).timeout(SECOND);
    let sub = listen.on(async |_| {}).unwrap();
    let before = layers(&sub);
    let refused = |change: Change, text: &str| {
        let change = change.retry(Retry::constant(2 * SECOND));
        let error = sub.change(change).unwrap_err();
        assert_eq!(error.to_string(), text);
        assert_eq!((layers(&sub), log.len()), (before.clone(), 0));
    };
    refused(
        Change::new().timeout(20 * SECOND),
        "option `timeout` cannot be 20s with a deadline of 10s: an attempt's timeout is shorter than the deadline of all attempts",
    );
    refused(
        Change::new().deadline(SECOND),
        "option `timeout` cannot be 1s with a deadline of 1s: an attempt's timeout is shorter than the deadline of all attempts",
    );
    refused(
        Change::new().timeout(Duration::ZERO),
        "option `timeout` cannot be 0ns: it takes a time above zero",
    );
    refused(
        Change::new().concurrency(Concurrency::new(4)),
        "the listener has no concurrency to change, and none can be added while it works: register it with `concurrency(..)`, or another in its place with `replace()`",
    );
    refused(
        Change::new().rate_limit(RateLimit::per_second(0)),
        "option `calls` cannot be 0: it takes 1 call or more, and one a microsecond at most",
    );
    refused(
        Change::new().rate_limit(RateLimit::per_second(1).shared()),
        "option `shared` cannot be given: a change keeps it as the listener was registered: leave it out",
    );
    refused(
        Change::new().circuit_breaker(CircuitBreaker::new().per_key(|n: &u32| *n)),
        "option `per_key` cannot be another closure: a change keeps it as the listener was registered: leave it out",
    );
    refused(
        Change::new().concurrency(Concurrency::new(1).per_key(|n: &u32| *n)),
        "option `per_key` cannot be another closure: a change keeps it as the listener was registered: leave it out",
    );
    // Both at once may be what one alone may not.
    let both = Change::new().timeout(20 * SECOND).deadline(30 * SECOND);
    sub.change(both).unwrap();
    assert_eq!(log.take().len(), 2);
}

#[tokio::test]
async fn a_listener_without_layers_and_a_key_that_is_not_there_are_refused() {
    let signal = Signal::<u32>::builder().name("orders").build();
    let sub = signal.listen().key("plain").on(async |_| {}).unwrap();
    let setting = Setting::RateLimit;
    let change = Change::new().rate_limit(RateLimit::per_second(1));
    let error = sub.change(change.clone()).unwrap_err();
    assert_eq!(error, ChangeError::NoSuchLayer { setting });
    let error = signal.change("other", change).unwrap_err();
    assert_eq!(
        error.to_string(),
        "signal `orders` has no listener with the key `other`: `keys()` lists those that there are"
    );
    assert_eq!(sub.change(Change::new()), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_was_inherited_is_changed_for_one_listener_only() {
    let signal = Signal::<u32>::builder().timeout(10 * SECOND).build();
    let hangs = async |_| pending::<()>().await;
    let (one, other) = (signal.on(hangs), signal.on(hangs));
    one.change(Change::new().timeout(2 * SECOND)).unwrap();
    assert_eq!(layers(&one), "timeout (2s)");
    assert_eq!(layers(&other), "timeout (10s)");
    assert_eq!(layers(&signal.on(hangs)), "timeout (10s)");
    let report = signal.emit(1).await;
    let took = report.failures().map(|f| f.duration().unwrap().as_secs());
    assert_eq!(took.collect::<Vec<_>>(), [2, 10, 10]);
}

#[tokio::test(start_paused = true)]
async fn a_pool_is_resized_and_the_observers_of_the_signal_are_told() {
    let (builder, log) = observed::<u32>();
    let (signal, gauge) = (builder.pool(Pool::new(2)).build(), Gauge::default());
    let inside = gauge.clone();
    signal.on(async move |_| {
        let _inside = inside.enter();
        tokio::time::sleep(SECOND).await;
    });
    let emissions = (0..6).map(|n| {
        let signal = signal.clone();
        tokio::spawn(async move { signal.emit(n).await.delivered() })
    });
    let emissions: Vec<_> = emissions.collect();
    settle().await;
    assert_eq!(gauge.now(), 2);
    signal.resize_pool(5).unwrap();
    settle().await;
    assert_eq!(gauge.now(), 5);
    for emission in emissions {
        assert_eq!(emission.await.unwrap(), 1);
    }
    assert_eq!(log.take(), ["`orders`: pool: 2 permits -> 5 permits"]);
    signal.resize_pool(5).unwrap();
    assert!(signal.resize_pool(0).is_err());
    assert_eq!(log.len(), 0);
}

#[tokio::test]
async fn lanes_are_no_pool() {
    let signal = Signal::<u32>::builder().name("keyed");
    let signal = signal.keyed_by(|n: &u32| *n).lanes(4).build();
    let name = "keyed".to_owned();
    assert_eq!(signal.resize_pool(2), Err(ChangeError::NoPool { name }));
    assert_eq!(signal.lanes(), Some(4));
}

#[tokio::test]
async fn the_pool_of_a_bus_is_resized_for_all_its_signals_and_told_once() {
    let log = Log::default();
    let sink = log.clone();
    let bus = Bus::builder()
        .name("shop")
        .pool(Pool::new(2))
        .on_change(move |change| sink.push(change.to_string()))
        .build();
    bus.on(async |_: u32| {});
    bus.on(async |_: u64| {});
    bus.resize_pool(9).unwrap();
    assert_eq!(log.take(), ["`shop`: pool: 2 permits -> 9 permits"]);
    for described in bus.describe() {
        assert!(described.to_string().contains("pool: 9 permits"));
    }
    let error = Bus::new().resize_pool(9).unwrap_err();
    assert!(
        error.to_string().contains("build it with `pool(..)`"),
        "{error}"
    );
}
