//! What an emission allocates. A binary of its own, because the counting allocator is the whole program's.

use std::time::Duration;

use allocation_counter::measure;
use fanfare::{Bus, Signal, SignalBuilder};
use futures::executor::block_on;

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
fn a_report_of_listeners_that_all_succeed_allocates_nothing() {
    for listeners in [1, 10, 100] {
        let signal = Signal::<u32>::new();
        for _ in 0..listeners {
            signal.on(async |_| {});
        }
        // A box for each future, and one context that all calls share.
        assert_eq!(of_one(&signal), listeners + 1);

        let signal = Signal::<u32>::new();
        for _ in 0..listeners {
            signal.on_sync(|_| {});
        }
        assert_eq!(of_one(&signal), 1);
    }
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
    assert_eq!(timed.count_total, 1);
}
