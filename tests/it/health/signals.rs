//! Reasons that are found in signals, buffers and pools.

use std::sync::Arc;

use fanfare::layer::{DeadLetter, DeadLetters, Retry};
use fanfare::observe::{Reason, Severity};
use fanfare::{Bus, BusBuilder, DropReason, Overflow, Pool};
use tokio::sync::Semaphore;
use tokio::time::advance;

use super::{MINUTE, SECOND, a_window_later, check, green, red};
use crate::support::settle;

/// A bus whose listener ends one call for each permit.
fn gated(builder: BusBuilder) -> (Bus, Arc<Semaphore>) {
    let builder = builder.signal::<u32>(|signal| signal.name("numbers"));
    let (bus, gate) = (builder.build(), Arc::new(Semaphore::new(0)));
    let mine = Arc::clone(&gate);
    bus.on(async move |_: u32| mine.acquire().await.unwrap().forget());
    (bus, gate)
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_is_shut_down_is_not_ready() {
    let bus = Bus::new();
    bus.on(async |_: u32| {});
    green(&bus.health());
    let _ = bus.shutdown(SECOND).await;
    red(&bus.health(), "closed", Severity::NotReady);
    green(&Bus::new().health());
}

#[tokio::test(start_paused = true)]
async fn a_full_buffer_is_not_ready_and_one_under_pressure_degrades() {
    let builder = Bus::builder().buffer(10).enqueue_concurrency(1);
    let (bus, gate) = gated(builder);
    // One is taken out of the buffer at once.
    for n in 0..9_u32 {
        bus.try_enqueue(n).unwrap();
        settle().await;
    }
    // Eight of ten may be there, whatever marks follow from the size.
    assert!(bus.signal::<u32>().is_under_pressure());
    green(&bus.health());
    let lenient = check(&bus).buffer_share(0.95).build();
    bus.try_enqueue(8_u32).unwrap();
    let pressure = |buffered| Reason::BufferPressure {
        signal: "numbers".to_owned(),
        buffered,
        capacity: 10,
    };
    let reason = red(&bus.health(), "buffer_pressure", Severity::Degraded);
    assert_eq!(reason, pressure(9));
    green(&lenient.health());
    while bus.try_enqueue(9_u32).is_ok() {}
    let full = Reason::BufferFull {
        signal: "numbers".to_owned(),
        capacity: 10,
    };
    let reason = red(&bus.health(), "buffer_full", Severity::NotReady);
    assert_eq!(reason, full);
    red(&lenient.health(), "buffer_full", Severity::NotReady);
    let half = check(&bus).buffer_share(0.5).build();
    gate.add_permits(4);
    settle().await;
    green(&bus.health());
    assert_eq!(
        red(&half.health(), "buffer_pressure", Severity::Degraded),
        pressure(6)
    );
    gate.add_permits(1);
    settle().await;
    green(&half.health());
    gate.add_permits(100);
    settle().await;
    green(&half.health());
}

#[tokio::test(start_paused = true)]
async fn watermarks_say_earlier_that_a_buffer_is_under_pressure() {
    let builder = Bus::builder().buffer(10).watermarks(1, 3);
    let (bus, gate) = gated(builder.enqueue_concurrency(1));
    for n in 0..4_u32 {
        green(&bus.health());
        bus.try_enqueue(n).unwrap();
        settle().await;
    }
    red(&bus.health(), "buffer_pressure", Severity::Degraded);
    gate.add_permits(4);
    settle().await;
    green(&bus.health());
}

#[tokio::test(start_paused = true)]
async fn a_full_buffer_that_drops_degrades_and_one_of_a_single_place_not_even_that() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        for (capacity, name) in [(10, Some("buffer_pressure")), (1, None)] {
            let builder = Bus::builder().buffer(capacity).overflow(overflow);
            let (bus, gate) = gated(builder.enqueue_concurrency(1));
            let check = check(&bus).max_dropped(u64::MAX).build();
            for n in 0..20_u32 {
                let _ = bus.try_enqueue(n);
                settle().await;
            }
            let snapshot = &bus.snapshot().signals[0];
            assert_eq!((snapshot.overflow, snapshot.buffered), (overflow, capacity));
            match name {
                Some(name) => drop(red(&check.health(), name, Severity::Degraded)),
                None => green(&check.health()),
            }
            gate.add_permits(100);
            settle().await;
            green(&check.health());
        }
    }
    // Nobody waits for room where the event is given back.
    let builder = Bus::builder().buffer(1).overflow(Overflow::Reject);
    let (bus, gate) = gated(builder.enqueue_concurrency(1));
    for n in 0..2_u32 {
        bus.try_enqueue(n).unwrap();
        settle().await;
    }
    red(&bus.health(), "buffer_full", Severity::NotReady);
    gate.add_permits(100);
    settle().await;
}

#[tokio::test(start_paused = true)]
async fn a_buffer_with_lanes_is_as_full_as_the_fullest_of_them() {
    let lanes = |signal: fanfare::SignalBuilder<u32>| {
        let signal = signal.name("numbers").buffer(4).enqueue_concurrency(1);
        signal.priorities(2, |n: &u32| usize::from(*n > 9))
    };
    let bus = Bus::builder().signal::<u32>(lanes).build();
    let gate = Arc::new(Semaphore::new(0));
    let mine = Arc::clone(&gate);
    bus.on(async move |_: u32| mine.acquire().await.unwrap().forget());
    bus.try_enqueue(0_u32).unwrap();
    settle().await;
    for n in 1..=4_u32 {
        green(&bus.health());
        bus.try_enqueue(n).unwrap();
    }
    let snapshot = &bus.snapshot().signals[0];
    assert_eq!((snapshot.buffered, snapshot.buffer_capacity), (4, 8));
    assert_eq!((snapshot.fullest_lane, snapshot.lane_capacity), (4, 4));
    let reason = red(&bus.health(), "buffer_full", Severity::NotReady);
    let full = Reason::BufferFull {
        signal: "numbers".to_owned(),
        capacity: 4,
    };
    assert_eq!(reason, full);
    gate.add_permits(100);
    settle().await;
    green(&bus.health());
}

#[tokio::test(start_paused = true)]
async fn a_pool_is_saturated_while_nobody_gets_a_permit() {
    let pool = Pool::builder(1).name("workers").build();
    let (bus, gate) = gated(Bus::builder().pool(pool));
    let patient = check(&bus).pool_wait(MINUTE).build();
    for n in 0..3_u32 {
        bus.emit_detached(n).unwrap();
    }
    settle().await;
    green(&bus.health());
    green(&patient.health());
    advance(SECOND * 49 / 10).await;
    green(&bus.health());
    advance(SECOND / 10).await;
    let reason = red(&bus.health(), "pool_saturated", Severity::NotReady);
    let expected = Reason::PoolSaturated {
        pool: "workers".to_owned(),
        size: 1,
        waiting: 2,
        waited: SECOND * 5,
    };
    assert_eq!(reason, expected);
    green(&patient.health());
    advance(SECOND * 55).await;
    red(&patient.health(), "pool_saturated", Severity::NotReady);
    // The next has got its permit, and the last has waited for long.
    gate.add_permits(1);
    settle().await;
    let reason = red(&bus.health(), "pool_wait", Severity::Degraded);
    let expected = Reason::PoolWait {
        pool: "workers".to_owned(),
        size: 1,
        waiting: 1,
        waited: MINUTE,
    };
    assert_eq!(reason, expected);
    gate.add_permits(1);
    settle().await;
    // One runs, and nobody waits.
    green(&bus.health());
    green(&patient.health());
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_works_with_a_long_queue_is_ready() {
    let (bus, gate) = gated(Bus::builder().pool(Pool::new(1)));
    for n in 0..100_u32 {
        bus.emit_detached(n).unwrap();
    }
    settle().await;
    for second in 1..30 {
        advance(SECOND).await;
        gate.add_permits(1);
        settle().await;
        let health = bus.health();
        assert!(health.is_ready(), "{health}");
        assert_eq!(health.reasons.is_empty(), second < 5, "{health}");
    }
    red(&bus.health(), "pool_wait", Severity::Degraded);
    gate.add_permits(100);
    settle().await;
    green(&bus.health());
}

#[tokio::test(start_paused = true)]
async fn what_newer_events_replace_or_nobody_reads_was_not_dropped() {
    let latest = |signal: fanfare::SignalBuilder<u32>| signal.latest_by(|_| ());
    let bus = Bus::builder().signal::<u32>(latest).build();
    for n in 0..9_u32 {
        bus.try_enqueue(n).unwrap();
    }
    let stream = bus.signal::<u64>().stream();
    let _ = bus.emit(1_u64).await;
    drop(stream);
    let stats = bus.stats();
    assert_eq!(stats.dropped_by(DropReason::Superseded), 8);
    assert_eq!(stats.dropped_by(DropReason::StreamDropped), 1);
    green(&bus.health());
    settle().await;
}

#[tokio::test(start_paused = true)]
async fn dead_letters_and_drops_of_the_window_degrade() {
    let letters = DeadLetters::new(10);
    let bus = Bus::builder()
        .buffer(1)
        .overflow(Overflow::DropOldest)
        .on_failure(|_| {})
        .signal::<u32>(|signal| signal.name("numbers"))
        .signal::<u64>(|signal| signal.name("dropped"))
        .build();
    bus.listen::<u32>()
        .dead_letter(DeadLetter::keep(&letters))
        .try_on(async |_| Err("no".into()))
        .unwrap();
    let lenient = check(&bus).failure_share(1.0).min_calls(100);
    let lenient = lenient.max_dead_letters(1).max_dropped(1).build();
    green(&bus.health());
    green(&lenient.health());
    for events in 1..=2 {
        let _ = bus.emit(1_u32).await;
        let reason = red(&bus.health(), "dead_letters", Severity::Degraded);
        let signal = "numbers".to_owned();
        assert_eq!(
            reason,
            Reason::DeadLetters {
                signal,
                letters: events
            }
        );
        assert_eq!(lenient.health().reasons.is_empty(), events == 1);
    }
    green(&a_window_later(|| bus.health()).await);
    green(&a_window_later(|| lenient.health()).await);

    // Without a listener that is polled, each event takes the place of the one before.
    bus.try_enqueue(0_u64).unwrap();
    for events in 1..=2 {
        bus.try_enqueue(events).unwrap();
        let dropped = Reason::Dropped {
            signal: "dropped".to_owned(),
            events,
        };
        assert!(bus.health().reasons.contains(&dropped), "{}", bus.health());
        let named = lenient.health().reasons.contains(&dropped);
        assert_eq!(named, events == 2);
    }
    settle().await;
    green(&a_window_later(|| bus.health()).await);
    green(&a_window_later(|| lenient.health()).await);
}

#[tokio::test(start_paused = true)]
async fn a_signal_with_almost_as_many_retries_as_it_may_have_is_degraded() {
    let builder = Bus::builder().max_background(10).on_failure(|_| {});
    let bus = builder.signal::<u32>(|s| s.name("numbers")).build();
    let retry = Retry::constant(MINUTE).max_attempts(2).in_background();
    let listen = bus.listen::<u32>().retry(retry);
    listen.try_on(async |_| Err("no".into())).unwrap();
    let half = check(&bus).failure_share(1.0).min_calls(100);
    let half = half.background_share(0.5).build();
    for calls in 1..=10_u32 {
        green(&bus.health());
        assert_eq!(half.health().reasons.is_empty(), calls <= 6, "{calls}");
        let _ = bus.emit(calls).await;
    }
    let reason = red(&bus.health(), "background_full", Severity::Degraded);
    let full = Reason::BackgroundFull {
        signal: "numbers".to_owned(),
        background: 10,
        most: 10,
    };
    assert_eq!(reason, full);
    tokio::time::sleep(MINUTE * 2).await;
    green(&half.health());
    green(&bus.health());
}
