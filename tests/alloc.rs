//! What an emission allocates. A binary of its own, because the counting allocator is the whole program's.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use allocation_counter::measure;
use fanfare::layer::{RateLimit, Retry, Trace};
use fanfare::{BoxError, Bus, Delivery, Dispatch, Pause, Signal, SignalBuilder, Storage};
use futures::executor::block_on;
use tower::{Layer, service_fn};

/// Allocations of one emission after one that warms up.
fn of_one(signal: &Signal<u32>) -> u64 {
    block_on(signal.emit(1));
    measure(|| drop(block_on(signal.emit(1)))).count_total
}

#[test]
fn the_allocator_counts() {
    assert_eq!(
        measure(|| drop(std::hint::black_box(Box::new(7)))).count_total,
        1
    );
}

#[test]
fn an_emission_that_nobody_listens_to_allocates_nothing() {
    let bus = Bus::new();
    assert_eq!(of_one(&bus.signal()), 0);
    // A type that no listener was ever registered for. The executor is warm by now.
    assert_eq!(measure(|| drop(block_on(bus.emit(1_u64)))).count_total, 0);
}

#[test]
fn listeners_that_do_not_suspend_allocate_nothing() {
    for mode in [Dispatch::Concurrent, Dispatch::Sequential] {
        for listeners in [1, 10, 100] {
            let in_mode = || Signal::<u32>::builder().dispatch(mode).build();
            let signal = in_mode();
            for _ in 0..listeners {
                signal.on(async |_| {});
            }
            assert_eq!(of_one(&signal), 0, "on, {mode}, {listeners}");
            // Every sample of the clock is in here too.
            let many = measure(|| {
                for _ in 0..100 {
                    drop(block_on(signal.emit(1)));
                }
            });
            assert_eq!(many.count_total, 0, "100 of on, {mode}, {listeners}");

            let signal = in_mode();
            for _ in 0..listeners {
                signal.on_sync(|_| {});
            }
            assert_eq!(of_one(&signal), 0, "on_sync, {mode}, {listeners}");

            let signal = in_mode();
            for _ in 0..listeners {
                signal.on_shared(async |_| {});
            }
            assert_eq!(of_one(&signal), 1, "on_shared, {mode}, {listeners}");
        }
    }
}

#[test]
fn the_first_emission_to_new_listeners_allocates_nothing_either() {
    let signal = Signal::<u32>::new();
    block_on(signal.emit(1));
    signal.on(async |_| {});
    assert_eq!(measure(|| drop(block_on(signal.emit(1)))).count_total, 0);
}

#[test]
fn a_call_behind_layers_allocates_once_and_once_more_for_each_layer() {
    let second = Duration::from_secs(1);
    for listeners in [1, 10] {
        let signal = Signal::<u32>::new();
        for _ in 0..listeners {
            let listen = signal.listen().timeout(second).deadline(2 * second);
            listen.retry(Retry::exponential()).on(async |_| {}).unwrap();
        }
        // The event and what travels with it; for each the call, the panic, the timeout, the retry and the deadline.
        assert_eq!(of_one(&signal), 2 + 5 * listeners, "{listeners}");
        // A listener without layers beside them adds nothing.
        for _ in 0..10 {
            signal.on(async |_| {});
        }
        assert_eq!(of_one(&signal), 2 + 5 * listeners, "{listeners}");
    }
}

#[test]
fn a_trace_whose_spans_nobody_asks_for_allocates_the_same_for_any_number_of_listeners() {
    for listeners in [1, 10, 100] {
        let signal = Signal::<u32>::builder().trace(Trace::info()).build();
        for _ in 0..listeners {
            signal.on(async |_| {});
            signal.on_sync(|_| {});
            signal.on_shared(async |_| {});
        }
        // The event, and what travels with it, which is what their own emissions inherit from. One after a poll that was long is looked at closely, until another that is sampled was short.
        let each = (0..100).map(|_| of_one(&signal));
        assert_eq!(each.min(), Some(2), "{listeners}");
    }
}

#[test]
fn an_emission_by_way_of_the_bus_allocates_nothing() {
    let bus = Bus::new();
    bus.on(async |_: u32| {});
    block_on(bus.emit(1_u32));
    assert_eq!(measure(|| drop(block_on(bus.emit(1_u32)))).count_total, 0);
}

#[test]
fn a_nested_emission_allocates_the_future_of_its_listener() {
    let (outer, inner) = (Signal::<u32>::new(), Signal::<u32>::new());
    inner.on(async |_| {});
    outer.on(async move |n| {
        inner.emit(n).await;
    });
    // It holds the future of the inner emission, which is larger than a slot.
    assert_eq!(of_one(&outer), 1);
}

#[test]
fn a_future_that_does_not_fit_is_boxed() {
    let signal = Signal::<u32>::new();
    let sub = signal.on(async |_| {
        let large = [1_u8; 1_000];
        yield_once().await;
        std::hint::black_box(large);
    });
    assert_eq!(sub.metadata().storage(), Some(Storage::Boxed));
    let many = measure(|| {
        for _ in 0..10 {
            drop(block_on(signal.emit(1)));
        }
    });
    assert!(many.count_total >= 10);
}

#[test]
fn those_that_suspend_allocate_a_place_each_but_the_first() {
    // What an emission makes for itself when the first listener suspends.
    let signal = Signal::<u32>::new();
    signal.on(async |_| yield_once().await);
    let set_up = of_one(&signal);
    for listeners in 2..=32_u64 {
        let signal = Signal::<u32>::new();
        for _ in 0..listeners {
            signal.on(async |_| yield_once().await);
        }
        // The list of the places grows by doubling.
        let places = listeners - 1;
        let growth = u64::from(64 - places.leading_zeros());
        let allocated = of_one(&signal);
        assert!(
            allocated <= places + set_up + growth,
            "{listeners} suspend: {allocated} allocations, {set_up} of them set-up"
        );
    }
}

#[test]
fn the_event_is_cloned_once_less_than_there_are_listeners() {
    #[derive(Debug)]
    struct Counted(Arc<AtomicUsize>);
    impl Clone for Counted {
        fn clone(&self) -> Self {
            self.0.fetch_add(1, Ordering::Relaxed);
            Self(Arc::clone(&self.0))
        }
    }
    for mode in [Dispatch::Concurrent, Dispatch::Sequential] {
        for listeners in [1, 2, 10] {
            let signal = Signal::<Counted>::builder().dispatch(mode).build();
            for _ in 0..listeners {
                signal.on(async |_| {});
            }
            let clones = Arc::new(AtomicUsize::new(0));
            block_on(signal.emit(Counted(Arc::clone(&clones))));
            assert_eq!(clones.load(Ordering::Relaxed), listeners - 1, "{mode}");
        }
    }
}

#[test]
fn a_listener_takes_less_than_a_hundred_bytes() {
    const LISTENERS: usize = 10_000;
    let signal = Signal::<u32>::builder().max_listeners(LISTENERS).build();
    let held = measure(|| {
        let batch = signal.batch();
        for _ in 0..LISTENERS {
            drop(batch.listen().on(async |_| {}).unwrap());
        }
        batch.commit().unwrap();
    });
    let each = usize::try_from(held.bytes_current).unwrap() / LISTENERS;
    assert!(each < 100, "{each} bytes a listener");
}

#[test]
fn the_future_of_an_emission_is_no_larger_than_promised() {
    let size = size_of_val(&Signal::<u64>::new().emit(1));
    assert!(size <= 512, "{size} bytes");
}

#[test]
fn a_report_allocates_for_those_that_did_not_succeed() {
    let quiet = |builder: SignalBuilder<u32>| builder.on_failure(|_| {}).build();
    let signal = quiet(Signal::builder());
    signal.on_sync(|n| if *n > 0 { Err("no") } else { Ok(()) });
    assert!(of_one(&signal) > 1);
    // A deadline that is set and not reached costs nothing when no listener suspends.
    let signal = quiet(Signal::builder());
    signal.on_sync(|_| {});
    block_on(signal.emit(1));
    let timed = measure(|| drop(block_on(signal.emit(1).timeout(Duration::from_secs(1)))));
    // The place of the deadline.
    assert_eq!(timed.count_total, 1);
}

/// Suspends once.
async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return std::task::Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

#[test]
fn a_million_keys_of_a_rate_limit_take_under_80_bytes_each() {
    let keys = 1_000_000_u32;
    let limit = RateLimit::new(1, Duration::from_secs(3_600)).per_key(|n: &u32| *n);
    let handle = limit.handle();
    let signal = Signal::<u32>::new();
    signal.service(limit.layer(service_fn(async |_: Delivery| Ok::<_, BoxError>(()))));
    block_on(signal.emit(0));
    let held = measure(|| {
        for n in 1..keys {
            assert!(block_on(signal.emit(n)).is_ok());
        }
    });
    assert_eq!(handle.keys(), 1_000_000);
    let bytes = held.bytes_current / i64::from(keys);
    let peak = held.bytes_max / u64::from(keys);
    println!("{bytes} bytes a key of a rate limit at {keys} keys, {peak} while the table grew");
    assert!(bytes < 80, "{bytes} bytes a key");
}

#[test]
fn keys_that_fall_idle_give_their_memory_back() {
    const KEYS: u32 = 100_000;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let signal = Signal::<u32>::builder()
        .keyed_by(|key: &u32| *key)
        .lanes(4)
        .buffer(KEYS as usize * 2)
        .build();
    signal.on(async |_| {});
    let mut active = 0;
    let memory = measure(|| {
        runtime.block_on(async {
            for _ in 0..2 {
                for key in 0..KEYS {
                    signal.try_enqueue(key).unwrap();
                }
                active = active.max(signal.active_keys());
                while signal.active_keys() > 0 {
                    tokio::task::yield_now().await;
                }
            }
        });
    });
    assert_eq!(active, KEYS as usize);
    // While they wait, some hundred bytes each; when they are idle, next to nothing.
    assert!(
        memory.bytes_max < 400 * u64::from(KEYS),
        "{}",
        memory.bytes_max
    );
    assert!(
        memory.bytes_current < 8 * i64::from(KEYS),
        "{}",
        memory.bytes_current
    );
}

#[test]
fn a_listener_that_is_paused_and_resumed_leaves_nothing_behind() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let signal = Signal::<u32>::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let subscription = signal.on_sync(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let cycle = || {
        runtime.block_on(async {
            let before = calls.load(Ordering::Relaxed);
            subscription
                .pause(Pause::until_resumed().buffer(10))
                .unwrap();
            signal.emit(1).await;
            subscription.resume();
            while calls.load(Ordering::Relaxed) == before {
                tokio::task::yield_now().await;
            }
        });
    };
    (0..100).for_each(|_| cycle());
    let memory = measure(|| (0..1_000).for_each(|_| cycle()));
    assert_eq!(calls.load(Ordering::Relaxed), 1_100);
    // A few lists that are gone may wait for the next look at them.
    assert!(memory.count_current < 10, "{}", memory.count_current);
}
