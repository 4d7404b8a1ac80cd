//! Durations of calls, emissions and waits.

use std::time::Duration;

use fanfare::observe::{Distribution, SignalSnapshot, SlowCall, Wait};
use fanfare::{Bus, Dispatch, Metrics, Pool, RegisterError, Signal};
use futures::FutureExt as _;
use tokio::time::{advance, sleep};

const MS: Duration = Duration::from_millis(1);

fn durations(signal: &SignalSnapshot) -> Vec<u64> {
    let listeners = signal.listeners.iter();
    listeners
        .map(|listener| listener.durations.count())
        .collect()
}

/// A signal in each mode, with all that makes an emission take another way.
fn signals() -> Vec<(&'static str, Signal<u32>)> {
    let timed = || Signal::<u32>::builder().metrics(Metrics::Timed);
    vec![
        ("concurrent", timed().build()),
        ("sequential", timed().dispatch(Dispatch::Sequential).build()),
        ("parallel", timed().dispatch(Dispatch::Parallel).build()),
        ("pool", timed().pool(Pool::new(2)).build()),
        (
            "pool, in place",
            timed()
                .pool(Pool::new(2))
                .dispatch(Dispatch::Concurrent)
                .build(),
        ),
        ("keyed", timed().keyed_by(|event| *event).build()),
    ]
}

#[tokio::test(start_paused = true)]
async fn every_call_of_every_mode_is_timed_whatever_comes_of_it() {
    for (mode, signal) in signals() {
        signal.on(async |_| {});
        signal.on(async |_| sleep(5 * MS).await);
        signal.try_on(async |_| Err("no".into()));
        signal.on(async |_| panic!("no"));
        signal.on_sync(|_| {});
        signal.on_shared(async |_| sleep(7 * MS).await);
        for event in 0..10 {
            let _ = signal.emit(event).await;
        }
        let snapshot = signal.snapshot();
        assert_eq!(durations(&snapshot), [10; 6], "{mode}");
        assert_eq!(snapshot.durations.count(), 10, "{mode}");
        let longest = |n: usize| snapshot.listeners[n].durations.max();
        assert_eq!(longest(0), Duration::ZERO, "{mode}");
        assert_eq!(longest(1), 5 * MS, "{mode}");
        assert_eq!(longest(5), 7 * MS, "{mode}");
        assert!(snapshot.durations.max() >= 7 * MS, "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_blocking_listener_is_timed() {
    let signal = Signal::<u32>::builder().metrics(Metrics::Timed).build();
    let sub = signal.on_blocking(|_| {});
    let _ = signal.emit(1).await;
    assert_eq!(sub.durations().count(), 1);
}

#[tokio::test]
async fn what_a_thread_does_is_polled_and_a_call_that_never_begins_is_not_timed() {
    let bus = Bus::builder()
        .metrics(Metrics::Timed)
        .slow_after(MS)
        .build();
    let listen = bus.listen::<u32>().once();
    let once = listen.on_blocking(|_| std::thread::sleep(20 * MS)).unwrap();
    let _ = tokio::join!(bus.emit(1_u32), bus.emit(2_u32), bus.emit(3_u32));
    assert_eq!(once.durations().count(), 1);
    let slow = &bus.slow_calls()[0];
    assert!(slow.polled() >= 20 * MS, "{slow:?}");
    assert_eq!(slow.polled(), slow.took());
}

#[tokio::test(start_paused = true)]
async fn nobody_is_charged_for_what_is_done_between_the_calls() -> Result<(), RegisterError> {
    // Its first poll moves the clock.
    let pass = || assert!(advance(300 * MS).now_or_never().is_none());
    let signal = Signal::<u32>::builder()
        .metrics(Metrics::Timed)
        .on_failure(move |_| pass())
        .build();
    signal.on_sync(|_| Err::<(), &str>("no"));
    let behind_a_failure = signal.on_sync(|_| {});
    let refuses = move |_: &u32| {
        pass();
        false
    };
    signal.listen().filter(refuses).on_sync(|_| {})?;
    let behind_a_filter = signal.on_sync(|_| {});
    let _ = signal.emit(1).await;
    for listener in [behind_a_failure, behind_a_filter] {
        let durations = listener.durations();
        assert_eq!((durations.count(), durations.max()), (1, Duration::ZERO));
    }
    assert_eq!(signal.snapshot().durations.max(), 600 * MS);
    Ok(())
}

#[tokio::test]
async fn that_the_list_changes_draws_no_more_emissions() {
    let signal = Signal::<u32>::builder()
        .metrics(Metrics::Sampled(100))
        .build();
    let stays = signal.on_sync(|_| {});
    for _ in 0..2_000 {
        let _ = signal.listen().once().on_sync(|_| {});
        let _ = signal.emit(1).await;
    }
    let timed = stays.durations().count();
    assert!(timed < 200, "{timed} of 2,000");
}

#[tokio::test(start_paused = true)]
async fn held_events_that_are_delivered_are_no_emissions() {
    let signal = Signal::<u32>::builder().metrics(Metrics::Timed).build();
    let sub = signal.on(async |_| {});
    sub.pause(fanfare::Pause::until_resumed().buffer(10))
        .unwrap();
    for event in 0..5 {
        let _ = signal.emit(event).await;
    }
    sub.resume();
    assert!(signal.shutdown(Duration::from_secs(1)).await.is_clean());
    let snapshot = signal.snapshot();
    assert_eq!(snapshot.stats.emissions(), 5);
    assert_eq!(snapshot.durations.count(), 5);
    assert_eq!(sub.durations().count(), 5);
}

#[tokio::test(start_paused = true)]
async fn waits_go_by_the_level_of_the_signal() {
    let bus = Bus::builder()
        .metrics(Metrics::Timed)
        .max_series(0)
        .pool(Pool::new(1))
        .build();
    let off = Signal::<u32>::builder()
        .metrics(Metrics::Off)
        .pool(Pool::new(1))
        .build();
    let signal = bus.signal::<u32>();
    for signal in [&signal, &off] {
        let sub = signal.on(async |_| sleep(10 * MS).await);
        sub.set_metrics(Some(Metrics::Timed)).unwrap();
        let _ = tokio::join!(signal.emit(1), signal.emit(2), signal.emit(3));
    }
    assert_eq!(off.snapshot().waits.permit.count(), 0);
    let others = bus.snapshot().other_waits;
    assert_eq!((others.permit.count(), others.limit.count()), (2, 0));
}

#[tokio::test]
async fn a_permit_that_is_free_is_not_waited_for() {
    let signal = Signal::<u32>::builder()
        .metrics(Metrics::Timed)
        .pool(Pool::new(8))
        .build();
    for _ in 0..4 {
        signal.on(async |_| {});
    }
    let _ = signal.emit(1).await;
    assert_eq!(signal.snapshot().waits.permit.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_is_not_called_is_not_timed() -> Result<(), RegisterError> {
    let signal = Signal::<u32>::builder().metrics(Metrics::Timed).build();
    signal
        .listen()
        .filter(|event| event % 2 == 0)
        .on(async |_| {})?;
    signal.listen().once().on(async |_| {})?;
    let off = signal.on(async |_| {});
    off.disable();
    let once = signal.snapshot();
    for event in 0..10 {
        let _ = signal.emit(event).await;
    }
    assert_eq!(once.listeners.len(), 3);
    assert_eq!(durations(&signal.snapshot()), [5, 0]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_cut_short_is_timed_as_long_as_it_ran() {
    for (mode, signal) in signals() {
        signal.on(async |_| sleep(1_000 * MS).await);
        let report = signal.emit(1).timeout(20 * MS).await;
        assert_eq!(report.failed(), 1, "{mode}");
        // A task that was aborted ends when its runtime drops it.
        tokio::task::yield_now().await;
        let durations = &signal.snapshot().listeners[0].durations;
        assert_eq!((durations.count(), durations.max()), (1, 20 * MS), "{mode}");
    }
}

#[tokio::test]
async fn one_in_so_many_is_timed() {
    for every in [1, 2, 3, 64, 1_000] {
        let signal = Signal::<u32>::new();
        signal.set_metrics(Some(Metrics::Sampled(every))).unwrap();
        signal.on(async |_| {});
        for event in 0..20_001 {
            let _ = signal.emit(event).await;
        }
        let snapshot = signal.snapshot();
        let (timed, wanted) = (durations(&snapshot)[0], 20_001 / u64::from(every));
        // Of a row of numbers, the golden ratio takes the share and at most a few more or less.
        assert!(timed.abs_diff(wanted) <= 3, "1 in {every}: {timed}");
        assert_eq!(snapshot.durations.count(), timed);
        assert_eq!(snapshot.listeners[0].calls, 20_001);
    }
}

#[tokio::test]
async fn off_and_counting_time_nothing_and_count_all() {
    for level in [Metrics::Off, Metrics::Counting] {
        let bus = Bus::builder().metrics(level).build();
        bus.on(async |_: u32| {});
        for event in 0..100_u32 {
            let _ = bus.emit(event).await;
        }
        let snapshot = bus.snapshot();
        assert_eq!(durations(&snapshot.signals[0]), [0]);
        assert!(snapshot.signals[0].durations.is_empty());
        assert_eq!(snapshot.signals[0].listeners[0].calls, 100);
        assert_eq!(snapshot.totals.emissions(), 100);
    }
}

#[tokio::test]
async fn a_listener_goes_by_its_own_level_and_a_signal_by_its_own() {
    let bus = Bus::new();
    let inherits = bus.signal::<u32>();
    let own = bus.signal::<u64>();
    own.set_metrics(Some(Metrics::Counting)).unwrap();
    inherits.on(async |_| {});
    let quiet = inherits.on(async |_| {});
    quiet.set_metrics(Some(Metrics::Off)).unwrap();
    let loud = own.on(async |_| {});
    own.on(async |_| {});
    loud.set_metrics(Some(Metrics::Timed)).unwrap();
    let emit = async || {
        let _ = bus.emit(1_u32).await;
        let _ = bus.emit(1_u64).await;
    };
    emit().await;
    assert_eq!(durations(&inherits.snapshot()), [0, 0]);
    assert_eq!(durations(&own.snapshot()), [1, 0]);

    bus.set_metrics(Metrics::Timed).unwrap();
    emit().await;
    assert_eq!(durations(&inherits.snapshot()), [1, 0]);
    assert_eq!(durations(&own.snapshot()), [2, 0]);
    assert_eq!(own.snapshot().durations.count(), 0);

    own.set_metrics(None).unwrap();
    quiet.set_metrics(None).unwrap();
    emit().await;
    assert_eq!(durations(&inherits.snapshot()), [2, 1]);
    assert_eq!(durations(&own.snapshot()), [3, 1]);

    bus.set_metrics(Metrics::Off).unwrap();
    loud.set_metrics(None).unwrap();
    emit().await;
    assert_eq!(durations(&inherits.snapshot()), [2, 1]);
    assert_eq!(durations(&own.snapshot()), [3, 1]);
}

#[tokio::test]
async fn a_signal_that_was_derived_goes_by_the_level_of_its_bus() {
    let bus = Bus::new();
    let signal = bus.signal::<u32>();
    let doubled = signal.map(|event| event * 2);
    let sub = doubled.on(async |_| {});
    bus.set_metrics(Metrics::Timed).unwrap();
    let _ = bus.emit(1_u32).await;
    assert_eq!(sub.durations().count(), 1);
}

#[tokio::test]
async fn histograms_beyond_the_limit_are_one() {
    let bus = Bus::builder().metrics(Metrics::Timed).max_series(3).build();
    for _ in 0..5 {
        bus.on(async |_: u32| {});
    }
    let _ = bus.emit(1_u32).await;
    let snapshot = bus.snapshot();
    assert_eq!(durations(&snapshot.signals[0]), [1, 1, 1, 0, 0]);
    assert_eq!(snapshot.other_listeners.count(), 2);
    assert_eq!(snapshot.other_emissions.count(), 1);

    // What goes makes room.
    bus.clear();
    drop(snapshot);
    let _ = bus.emit(1_u32).await;
    bus.on(async |_: u32| {});
    let _ = bus.emit(1_u32).await;
    assert_eq!(durations(&bus.snapshot().signals[0]), [1]);
}

#[tokio::test(start_paused = true)]
async fn waits_for_a_permit_are_timed() {
    for mode in [Dispatch::Parallel, Dispatch::Concurrent] {
        let pool = Pool::new(1);
        let signal = Signal::<u32>::builder()
            .pool(pool)
            .dispatch(mode)
            .metrics(Metrics::Timed)
            .build();
        signal.on(async |_| sleep(10 * MS).await);
        let _ = tokio::join!(signal.emit(1), signal.emit(2), signal.emit(3));
        let waits = signal.snapshot().waits.permit;
        assert_eq!((waits.count(), waits.max()), (2, 20 * MS), "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn waits_for_a_turn_are_timed() {
    let signal = Signal::<u32>::builder()
        .keyed_by(|_| 1)
        .metrics(Metrics::Timed)
        .build();
    signal.on(async |_| sleep(10 * MS).await);
    let _ = tokio::join!(signal.emit(1), signal.emit(2), signal.emit(3));
    let waits = signal.snapshot().waits;
    assert_eq!((waits.turn.count(), waits.turn.max()), (2, 20 * MS));
    assert_eq!(waits.of_kind(Wait::Turn), &waits.turn);
}

#[tokio::test(start_paused = true)]
async fn waits_for_the_limit_on_emissions_are_timed() {
    let limit = fanfare::layer::RateLimit::per_second(1).burst(1);
    let signal = Signal::<u32>::builder()
        .emission_limit(limit)
        .metrics(Metrics::Timed)
        .build();
    signal.on(async |_| {});
    let _ = tokio::join!(signal.emit(1), signal.emit(2));
    let waits = signal.snapshot().waits.limit;
    assert_eq!((waits.count(), waits.max()), (1, 1_000 * MS));
}

#[tokio::test(start_paused = true)]
async fn waits_in_the_buffer_are_timed() {
    let keyed = Signal::<u32>::builder()
        .keyed_by(|event| *event)
        .metrics(Metrics::Timed)
        .build();
    let lanes = Signal::<u32>::builder()
        .priorities(2, |event| usize::from(*event > 5))
        .metrics(Metrics::Timed)
        .build();
    let oldest = Signal::<u32>::builder()
        .buffer(3)
        .overflow(fanfare::Overflow::DropOldest)
        .metrics(Metrics::Timed)
        .build();
    let plain = Signal::<u32>::builder().metrics(Metrics::Timed).build();
    for (signal, events) in [(keyed, 4), (lanes, 4), (oldest, 3), (plain, 4)] {
        signal.on(async |_| {});
        for event in 4..8 {
            signal.try_enqueue(event).unwrap();
        }
        advance(30 * MS).await;
        let left = signal.shutdown(Duration::from_secs(1)).await;
        assert!(left.is_clean());
        let waits = signal.snapshot().waits.buffer;
        assert_eq!((waits.count(), waits.max()), (events, 30 * MS));
    }
}

#[tokio::test(start_paused = true)]
async fn slow_calls_are_kept_with_what_was_polled() {
    let bus = Bus::builder()
        .metrics(Metrics::Timed)
        .slow_after(100 * MS)
        .build();
    bus.listen::<u64>()
        .key("slow")
        .on(async |millis| sleep(Duration::from_millis(millis)).await)
        .unwrap();
    for millis in [99_u64, 100, 150] {
        let _ = bus.emit(millis).await;
    }
    let slow = bus.slow_calls();
    let took: Vec<_> = slow.iter().map(SlowCall::took).collect();
    assert_eq!(took, [100 * MS, 150 * MS]);
    assert_eq!(slow[0].key(), Some("slow"));
    assert_eq!(slow[0].polled(), Duration::ZERO);
    assert_eq!(slow[0].ended() - slow[0].began(), 100 * MS);
    for _ in 0..100 {
        let _ = bus.emit(200_u64).await;
    }
    assert_eq!(bus.slow_calls().len(), 64);
}

#[test]
fn a_difference_is_what_came_in_between() {
    let all = |range: std::ops::Range<u64>| -> Distribution {
        range.map(Duration::from_micros).collect()
    };
    let (before, mut merged) = (all(0..100), all(0..100));
    merged.merge(&all(100..200));
    assert_eq!(merged.count(), 200);
    let since = merged.since(&before);
    assert_eq!((since.count(), since.sum()), (100, all(100..200).sum()));
    assert_eq!(before.since(&merged), before, "it is not of the same");
}
