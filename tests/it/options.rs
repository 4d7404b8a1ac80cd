//! Options: each refuses what makes no sense, by name and value, and each makes a difference.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fanfare::{
    Bus, BusBuilder, DeadEvents, Dispatch, OnError, OptionError, Order, Outcome, Overflow, Pool,
    RegisterError, Signal, SignalBuilder, Timing, WhenFull,
};
use tokio_util::sync::CancellationToken;

type OfSignal = fn(SignalBuilder<u32>) -> SignalBuilder<u32>;
type OfBus = fn(BusBuilder) -> BusBuilder;

#[test]
fn each_option_refuses_nonsense_with_its_name_and_the_value() {
    let table: &[(&str, &str, OfSignal, OfBus)] = &[
        ("buffer", "0", |s| s.buffer(0), |b| b.buffer(0)),
        (
            "buffer",
            "16777217",
            |s| s.buffer((1 << 24) + 1),
            |b| b.buffer((1 << 24) + 1),
        ),
        (
            "enqueue_concurrency",
            "0",
            |s| s.enqueue_concurrency(0),
            |b| b.enqueue_concurrency(0),
        ),
        (
            "enqueue_concurrency",
            "65537",
            |s| s.enqueue_concurrency(65_537),
            |b| b.enqueue_concurrency(65_537),
        ),
        (
            "max_detached",
            "0",
            |s| s.max_detached(0),
            |b| b.max_detached(0),
        ),
        (
            "max_listeners",
            "0",
            |s| s.max_listeners(0),
            |b| b.max_listeners(0),
        ),
        (
            "recursion_limit",
            "0",
            |s| s.recursion_limit(0),
            |b| b.recursion_limit(0),
        ),
        (
            "recursion_limit",
            "1025",
            |s| s.recursion_limit(1_025),
            |b| b.recursion_limit(1_025),
        ),
        ("name", "\"\"", |s| s.name(""), |b| b.name("")),
    ];
    for (name, value, of_signal, of_bus) in table {
        let of_signal = of_signal(Signal::builder()).try_build().unwrap_err();
        let of_bus = of_bus(Bus::builder()).try_build().unwrap_err();
        for error in [of_signal, of_bus] {
            assert_eq!((error.option(), error.value()), (*name, *value));
            let text = error.to_string();
            assert!(
                text.starts_with(&format!("option `{name}` cannot be {value}: it takes ")),
                "{text}"
            );
        }
    }
}

#[test]
fn listener_and_pool_options_refuse_nonsense_too() {
    let signal = Signal::<u32>::new();
    let refused = |result: Result<fanfare::Subscription, RegisterError>| match result.unwrap_err() {
        RegisterError::Option(error) => (error.option(), error.value().to_owned()),
        other => panic!("{other}"),
    };
    assert_eq!(
        refused(signal.listen().key("").on(async |_| {})),
        ("key", "\"\"".to_owned())
    );
    assert_eq!(
        refused(signal.listen().times(0).on(async |_| {})),
        ("times", "0".to_owned())
    );
    assert!(signal.is_empty());

    let of_pool = |error: OptionError| (error.option(), error.value().to_owned());
    assert_eq!(
        of_pool(Pool::builder(0).try_build().unwrap_err()),
        ("pool", "0".to_owned())
    );
    assert_eq!(
        of_pool(Pool::builder((1 << 20) + 1).try_build().unwrap_err()).0,
        "pool"
    );
    let none = WhenFull::WaitUpTo(Duration::ZERO);
    assert_eq!(
        of_pool(Pool::builder(1).when_full(none).try_build().unwrap_err()).0,
        "when_full"
    );
    let pool = Pool::new(3);
    assert_eq!(
        of_pool(pool.resize(0).unwrap_err()),
        ("pool", "0".to_owned())
    );
    assert_eq!(pool.size(), 3);
}

/// The line at which `refused` panics.
fn line_of_panic(refused: fn()) -> usize {
    static HOOK: std::sync::Once = std::sync::Once::new();
    static LINE: AtomicUsize = AtomicUsize::new(0);
    HOOK.call_once(|| {
        let default = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if std::thread::current().name() == Some("refused") {
                let location = panic.location().unwrap();
                let here = location.file().ends_with("options.rs");
                let line = if here { location.line() } else { 0 };
                LINE.store(line as usize, Ordering::SeqCst);
            } else {
                default(panic);
            }
        }));
    });
    let thread = std::thread::Builder::new().name("refused".to_owned());
    assert!(thread.spawn(refused).unwrap().join().is_err());
    LINE.load(Ordering::SeqCst)
}

#[test]
fn a_refusal_panics_at_the_line_of_the_caller() {
    let first = line!() as usize + 2;
    let refused: [fn(); 5] = [
        || drop(Bus::builder().buffer(0).build()),
        || drop(Signal::<u32>::builder().buffer(0).build()),
        || drop(Pool::builder(0).build()),
        || drop(Pool::new(0)),
        || drop(Bus::new().on(async |_: &'static u32| {})),
    ];
    for (refused, line) in refused.into_iter().zip(first..) {
        assert_eq!(line_of_panic(refused), line);
    }
}

#[tokio::test(start_paused = true)]
async fn a_signal_of_a_bus_starts_from_the_options_of_the_bus_and_may_change_them() {
    let told = Arc::new(AtomicUsize::new(0));
    let (bus_told, signal_told) = (Arc::clone(&told), Arc::clone(&told));
    let bus = Bus::builder()
        .signal::<u8>(move |s| {
            s.name("bytes").buffer(7).on_failure(move |_| {
                signal_told.fetch_add(100, Ordering::Relaxed);
            })
        })
        .buffer(5)
        .on_failure(move |_| {
            bus_told.fetch_add(1, Ordering::Relaxed);
        })
        .dispatch(Dispatch::Sequential)
        .build();
    assert_eq!(bus.signal::<u8>().buffered(), (0, 7));
    assert_eq!(bus.signal::<u16>().buffered(), (0, 5));
    assert_eq!(bus.signal::<u8>().name(), "bytes");
    for text in [
        bus.signal::<u8>().describe(),
        bus.signal::<u16>().describe(),
    ] {
        assert!(text.to_string().contains("dispatch: sequential"), "{text}");
    }
    bus.on(async |_: u8| Err::<(), _>("no"));
    bus.on(async |_: u16| Err::<(), _>("no"));
    bus.emit(1_u8).await;
    bus.emit(1_u16).await;
    assert_eq!(told.load(Ordering::Relaxed), 102);
}

#[tokio::test(start_paused = true)]
async fn dispatch_order_and_on_error_change_what_is_called() {
    let mode = |s: SignalBuilder<u32>| s.build().describe().to_string();
    assert!(mode(Signal::builder()).contains("dispatch: concurrent"));
    assert!(mode(Signal::builder().pool(Pool::new(1))).contains("dispatch: parallel"));
    assert!(
        mode(
            Signal::builder()
                .pool(Pool::new(1))
                .dispatch(Dispatch::Concurrent)
        )
        .contains("dispatch: concurrent")
    );

    for (order, keys) in [(Order::Fifo, ["a", "b"]), (Order::Lifo, ["b", "a"])] {
        let signal = Signal::<u32>::builder().order(order).build();
        signal.listen().key("a").on(async |_| {}).unwrap();
        signal.listen().key("b").on(async |_| {}).unwrap();
        assert_eq!(signal.keys(), keys);
    }
    for (policy, skipped) in [(OnError::Continue, 0), (OnError::Stop, 1)] {
        let signal = Signal::<u32>::builder().on_error(policy).build();
        signal.on(async |_| Err::<(), _>("no"));
        signal.on(async |_| {});
        assert_eq!(signal.emit(1).await.skipped(), skipped);
    }
}

#[tokio::test(start_paused = true)]
async fn timing_measures_those_that_end_at_once() {
    for (timing, measured) in [(Timing::Auto, false), (Timing::On, true)] {
        let signal = Signal::<u32>::builder().timing(timing).build();
        signal.on(async |_| Err::<(), _>("no"));
        let report = signal.emit(1).await;
        assert_eq!(
            report.entries()[0].duration().is_some(),
            measured,
            "{timing:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn limits_of_the_buffer_of_detached_emissions_and_of_recursion_hold() {
    let signal = Signal::<u32>::builder()
        .buffer(2)
        .overflow(Overflow::Reject)
        .max_detached(1)
        .build();
    signal.on(async |_| tokio::time::sleep(Duration::from_secs(1)).await);
    assert!(signal.emit_detached(1).is_ok());
    assert!(signal.emit_detached(2).unwrap_err().is_full());
    assert!(signal.try_enqueue(1).is_ok() && signal.try_enqueue(2).is_ok());
    assert!(signal.try_enqueue(3).unwrap_err().is_full());

    let signal = Signal::<u32>::builder().recursion_limit(3).build();
    let inner = signal.downgrade();
    signal.on(async move |n| {
        let report = inner.upgrade().unwrap().emit(n + 1).await;
        assert_eq!(report.count(Outcome::Rejected), usize::from(n == 3));
    });
    assert!(signal.emit(1).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn enqueue_concurrency_lets_buffered_events_overlap() {
    for (at_once, took) in [(1, 4), (2, 2)] {
        let signal = Signal::<u32>::builder()
            .enqueue_concurrency(at_once)
            .build();
        signal.on(async |_| tokio::time::sleep(Duration::from_secs(1)).await);
        let began = tokio::time::Instant::now();
        for n in 0..4 {
            signal.try_enqueue(n).unwrap();
        }
        assert!(signal.shutdown(Duration::from_secs(60)).await.is_clean());
        assert_eq!(began.elapsed().as_secs(), took);
    }
}

#[tokio::test(start_paused = true)]
async fn the_token_of_a_builder_cancels_every_emission() {
    let token = CancellationToken::new();
    let bus = Bus::builder().cancel_on(token.clone()).build();
    bus.on(async |_: u32| tokio::time::sleep(Duration::from_secs(60)).await);
    let (report, ()) = tokio::join!(bus.emit(1_u32), async { token.cancel() });
    assert_eq!(report.count(Outcome::Cancelled), 1);
    assert_eq!(bus.emit(1_u32).await.count(Outcome::Cancelled), 1);
}

#[tokio::test]
async fn dead_events_are_counted_logged_or_shown() {
    let log = crate::support::Captured::default();
    let guard = tracing::subscriber::set_default(log.clone());
    let shown = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&shown);
    let call = DeadEvents::call(move |event| {
        assert_eq!(event.signal(), "nobody");
        count.fetch_add(1, Ordering::Relaxed);
    });
    for (policy, logged, called) in [
        (DeadEvents::Ignore, 0, 0),
        (DeadEvents::Log, 1, 0),
        (call, 0, 1),
    ] {
        let signal = Signal::<u32>::builder()
            .name("nobody")
            .dead_events(policy)
            .build();
        let before = shown.load(Ordering::Relaxed);
        assert_eq!(signal.stats().dead(), 0);
        assert!(signal.emit(1).await.is_empty());
        assert_eq!(signal.stats().dead(), 1);
        assert_eq!(log.lines().len(), logged);
        assert_eq!(shown.load(Ordering::Relaxed) - before, called);
    }
    drop(guard);
    let bus = Bus::new();
    bus.emit(1_u32).await;
    assert_eq!(bus.unknown_events(), 1);
}

#[test]
fn more_listeners_than_expected_are_logged_once_and_registered() {
    let log = crate::support::Captured::default();
    let signal = Signal::<u32>::builder()
        .max_listeners(2)
        .name("crowded")
        .build();
    tracing::subscriber::with_default(log.clone(), || {
        for _ in 0..5 {
            signal.on(async |_| {});
        }
    });
    let lines = log.lines();
    assert_eq!((signal.len(), lines.len()), (5, 1), "{lines:?}");
    for part in ["WARN", "crowded", "listeners=3", "options.rs"] {
        assert!(lines[0].contains(part), "{lines:?}");
    }
}

#[test]
fn a_given_runtime_delivers_for_callers_outside_one() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let signal = Signal::<u32>::builder()
        .runtime(runtime.handle().clone())
        .build();
    let (send, receive) = std::sync::mpsc::channel();
    signal.on(async move |n| send.send(n).unwrap());
    signal.try_enqueue(7).unwrap();
    assert_eq!(receive.recv().unwrap(), 7);
    signal.emit_detached(8).unwrap();
    assert_eq!(receive.recv().unwrap(), 8);
}
