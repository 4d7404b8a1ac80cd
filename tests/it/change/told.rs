//! Switches that are no settings of a layer, and are told as changes all the same.

use std::time::Duration;

use fanfare::layer::CircuitBreaker;
use fanfare::{Bus, Changed, Pool, Setting, Signal};

use super::{SECOND, observed};
use crate::support::Log;

#[tokio::test(start_paused = true)]
async fn a_shutdown_is_told_when_it_begins_and_when_it_has_ended_and_once() {
    let (builder, log) = observed::<u32>();
    let signal = builder.build();
    let slow = signal.listen().key("slow");
    slow.on(async |_| tokio::time::sleep(2 * SECOND).await)
        .unwrap();
    signal.emit_detached(1).unwrap();
    let (first, second) = (signal.clone(), signal.clone());
    let both = tokio::join!(first.shutdown(SECOND), second.shutdown(SECOND));
    assert!(!both.0.is_clean());
    let _ = signal.shutdown(SECOND).await;
    assert_eq!(
        log.take(),
        [
            "`orders`: shutdown: open -> shutting down",
            "`orders`: shutdown: shutting down -> shut down, left: `slow` of `orders` (1 running)",
        ]
    );
}

#[tokio::test]
async fn a_shutdown_of_a_bus_is_told_of_the_bus_alone() {
    let log = Log::default();
    let sink = log.clone();
    let note = move |change: &Changed| sink.push((change.setting(), change.to_string()));
    let bus = Bus::builder().name("shop").on_change(note).build();
    bus.on(async |_: u32| {});
    bus.on(async |_: String| {});
    let _ = bus.shutdown(SECOND).await;
    let _ = bus.shutdown(SECOND).await;
    let said = |before: &str, after: &str| {
        let words = format!("`shop`: shutdown: {before} -> {after}");
        (Setting::Shutdown, words)
    };
    assert_eq!(
        log.take(),
        [
            said("open", "shutting down"),
            said("shutting down", "shut down, nothing was left"),
        ]
    );
}

#[tokio::test]
async fn a_pool_that_is_resized_by_hand_is_told_of_once_whoever_is_asked() {
    let log = Log::default();
    let sink = log.clone();
    let note = move |change: &Changed| sink.push(change.to_string());
    let pool = Pool::new(4);
    let bus = Bus::builder()
        .name("shop")
        .pool(pool.clone())
        .on_change(note)
        .build();
    let said = |line: &str| assert_eq!(log.take(), [line]);
    pool.resize(8).unwrap();
    said("`shop`: pool: 4 permits -> 8 permits");
    bus.resize_pool(16).unwrap();
    said("`shop`: pool: 8 permits -> 16 permits");
    bus.signal::<u32>().resize_pool(2).unwrap();
    said("`u32`: pool: 16 permits -> 2 permits");

    let (builder, log) = observed::<u32>();
    let pool = Pool::new(1);
    let signal = builder.pool(pool.clone()).build();
    pool.resize(3).unwrap();
    signal.resize_pool(5).unwrap();
    assert_eq!(
        log.take(),
        [
            "`orders`: pool: 1 permits -> 3 permits",
            "`orders`: pool: 3 permits -> 5 permits"
        ]
    );

    // Another signal that shares it is told too, whoever is asked.
    let (builder, other) = observed::<u32>();
    let second = builder.name("second").pool(pool).build();
    signal.resize_pool(8).unwrap();
    second.resize_pool(2).unwrap();
    let line = |name: &str, words: &str| format!("`{name}`: pool: {words}");
    let changes = ["5 permits -> 8 permits", "8 permits -> 2 permits"];
    assert_eq!(log.take(), changes.map(|words| line("orders", words)));
    assert_eq!(other.take(), changes.map(|words| line("second", words)));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_another_one_ends_is_told_to_its_end_and_no_end_without_a_begin() {
    for signal_first in [true, false] {
        let log = Log::default();
        let sink = log.clone();
        let note = move |change: &Changed| sink.push(change.to_string());
        let bus = Bus::builder().name("shop").on_change(note).build();
        let listen = bus.listen::<u32>().key("slow");
        listen
            .on(async |_| std::future::pending::<()>().await)
            .unwrap();
        bus.on(async |_: u64| std::future::pending::<()>().await);
        bus.emit_detached(1_u32).unwrap();
        bus.emit_detached(1_u64).unwrap();
        let signal = bus.signal::<u32>();
        let alone = async {
            if !signal_first {
                tokio::task::yield_now().await;
            }
            let _ = signal
                .shutdown(if signal_first { 9 } else { 1 } * SECOND)
                .await;
        };
        let together = async {
            if signal_first {
                tokio::task::yield_now().await;
            }
            let _ = bus
                .shutdown(if signal_first { 1 } else { 9 } * SECOND)
                .await;
        };
        // Where both are woken at once, that of the bus is polled first.
        tokio::join!(together, alone);
        let told = log.take();
        let begun_and_ended = |name: &str| {
            let of_it = told.iter().filter(|line| line.starts_with(name));
            let is_end = |line: &String| line.contains("-> shut down, ");
            of_it.map(is_end).collect::<Vec<_>>()
        };
        assert_eq!(begun_and_ended("`shop`"), [false, true], "{told:?}");
        let of_signal = begun_and_ended("`u32`");
        if signal_first {
            assert_eq!(of_signal, [false, true], "{told:?}");
            let end =
                "`u32`: shutdown: shutting down -> shut down, left: `slow` of `u32` (1 running)";
            assert!(told.iter().any(|line| line == end), "{told:?}");
        } else {
            assert!(of_signal.is_empty(), "{told:?}");
        }
    }
}

#[tokio::test]
async fn a_breaker_that_is_forced_or_reset_by_hand_is_told_to_the_signals_of_its_listeners() {
    let (builder, log) = observed::<u32>();
    let breaker = CircuitBreaker::new().min_calls(1).open_for(SECOND);
    let handle = breaker.handle();
    let signal = builder.circuit_breaker(breaker.clone()).build();
    let fails = async |_| Err::<(), _>("down");
    signal.listen().key("a").on(fails).unwrap();
    let gone = signal.listen().key("gone").on(async |_| {}).unwrap();
    gone.remove();
    let said = |changes: &[(&str, &str)]| {
        let line = |(before, after): &(&str, &str)| {
            format!("`a` of `orders`: circuit breaker: {before} -> {after}")
        };
        assert_eq!(log.take(), changes.iter().map(line).collect::<Vec<_>>());
    };
    // What it decides by itself is told to its own callbacks.
    let _ = signal.emit(1).await;
    said(&[]);
    handle.force_open();
    said(&[("by its settings", "forced open")]);
    handle.force_open();
    said(&[]);
    handle.force_closed();
    said(&[("forced open", "forced closed")]);
    handle.reset();
    handle.reset();
    said(&[("forced closed", "reset"), ("by its settings", "reset")]);

    // One that is shared is told of each listener that shares it.
    let shared = CircuitBreaker::new().shared();
    let (builder, log) = observed::<u32>();
    let signal = builder.circuit_breaker(shared.clone()).build();
    for key in ["a", "b"] {
        signal.listen().key(key).on(async |_| {}).unwrap();
    }
    shared.handle().force_open();
    let mut told = log.take();
    told.sort();
    let line =
        |key| format!("`{key}` of `orders`: circuit breaker: by its settings -> forced open");
    assert_eq!(told, [line("a"), line("b")]);
}

#[tokio::test]
async fn lanes_and_levels_are_told_too() {
    let log = Log::default();
    let sink = log.clone();
    let note = move |change: &Changed| sink.push(change.setting());
    let signal = Signal::<u32>::builder()
        .on_change(note)
        .keyed_by(|n: &u32| *n)
        .lanes(4)
        .build();
    signal.resize_lanes(8).unwrap();
    assert_eq!(log.take(), [Setting::Lanes]);
    #[cfg(feature = "metrics")]
    {
        signal.set_metrics(Some(fanfare::Metrics::Off)).unwrap();
        assert_eq!(log.take(), [Setting::Metrics]);
    }
    let _ = signal.shutdown(Duration::from_secs(1)).await;
    assert_eq!(log.take(), [Setting::Shutdown, Setting::Shutdown]);
}
