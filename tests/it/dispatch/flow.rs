//! Overlap, order, stages, stopping, and changes while an emission is under way.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use fanfare::{Bus, Cause, DeadEvents, Dispatch, OnError, Order, Signal, Skip};
use tokio::sync::Barrier;
use tokio::time::{sleep, timeout};

use crate::support::{Gauge, Log, MODES, OVERLAPPING, builders};

#[tokio::test(start_paused = true)]
async fn two_listeners_overlap_in_every_mode_but_sequential() {
    for mode in MODES {
        let signal = Signal::<u32>::builder().dispatch(mode).build();
        let both = Arc::new(Barrier::new(2));
        for _ in 0..2 {
            let both = Arc::clone(&both);
            signal.on(async move |_| {
                both.wait().await;
            });
        }
        let met = timeout(Duration::from_secs(60), signal.emit(1)).await;
        assert_eq!(met.is_ok(), mode != Dispatch::Sequential, "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn sequential_listeners_finish_before_the_next_starts_and_concurrent_ones_start_in_order() {
    for (mode, expected) in [
        (
            Dispatch::Sequential,
            ["start 0", "end 0", "start 1", "end 1"],
        ),
        (
            Dispatch::Concurrent,
            ["start 0", "start 1", "end 0", "end 1"],
        ),
    ] {
        let signal = Signal::<u32>::builder().dispatch(mode).build();
        let log = Log::default();
        for n in 0..2 {
            let log = log.clone();
            signal.on(async move |_| {
                log.push(format!("start {n}"));
                sleep(Duration::from_millis(1)).await;
                log.push(format!("end {n}"));
            });
        }
        assert_eq!(signal.emit(1).await.delivered(), 2);
        assert_eq!(log.take(), expected, "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn lifo_calls_the_newest_first_within_stage_and_priority() {
    for mode in [Dispatch::Sequential, Dispatch::Concurrent] {
        for (order, expected) in [
            (Order::Fifo, ["urgent", "a", "b", "c", "late"]),
            (Order::Lifo, ["urgent", "c", "b", "a", "late"]),
        ] {
            let signal = Signal::<u32>::builder().dispatch(mode).order(order).build();
            let log = Log::default();
            for (key, priority, stage) in [
                ("late", 9, 1),
                ("a", 0, 0),
                ("b", 0, 0),
                ("c", 0, 0),
                ("urgent", 1, 0),
            ] {
                let log = log.clone();
                let listen = signal.listen().key(key).priority(priority).stage(stage);
                listen.on_sync(move |_| log.push(key)).unwrap();
            }
            assert_eq!(signal.emit(1).await.delivered(), 5);
            assert_eq!(log.take(), expected, "{mode}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stage_has_finished_before_the_next_starts_in_every_mode() {
    for (name, builder, pool) in builders::<u32>() {
        let signal = builder.build();
        let gauge = Gauge::default();
        for n in 0..12_u32 {
            let gauge = gauge.clone();
            let listen = signal.listen().stage(n % 3);
            listen
                .on(async move |_| {
                    let _inside = gauge.enter();
                    // Those of a stage finish in another order than they start.
                    sleep(Duration::from_millis(u64::from(12 - n))).await;
                    let before = (n % 3) as usize * 4;
                    let finished = gauge.total() - gauge.now();
                    assert!(finished >= before, "{finished} of {before}");
                })
                .unwrap();
        }
        let report = signal.emit(1).await;
        assert_eq!(report.delivered(), 12, "{name}: {report:?}");
        assert!(pool.is_none_or(|pool| pool.in_use() == 0));
    }
}

#[tokio::test(start_paused = true)]
async fn on_error_stop_skips_what_comes_after_a_failure() {
    for (on_error, delivered, skipped) in [(OnError::Stop, 1, 1), (OnError::Continue, 2, 0)] {
        let signal = Signal::<u32>::builder()
            .dispatch(Dispatch::Sequential)
            .on_error(on_error)
            .build();
        let gauge = Gauge::default();
        for key in ["first", "second", "third"] {
            let gauge = gauge.clone();
            let listener = async move |_| {
                drop(gauge.enter());
                sleep(Duration::from_millis(1)).await;
                if key == "second" { Err("no") } else { Ok(()) }
            };
            signal.listen().key(key).on(listener).unwrap();
        }
        let report = signal.emit(1).await;
        assert_eq!(
            (report.delivered(), report.failed(), report.skipped()),
            (delivered, 1, skipped)
        );
        assert_eq!(gauge.total(), delivered + 1);
        if on_error == OnError::Stop {
            let last = &report.entries()[1];
            assert_eq!(last.key(), Some("third"));
            assert!(matches!(last.cause(), Cause::Skipped(Skip::Stopped)));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn on_error_stop_skips_later_stages_in_every_mode() {
    for mode in MODES {
        let signal = Signal::<u32>::builder()
            .dispatch(mode)
            .on_error(OnError::Stop)
            .build();
        signal.on(async |_| {
            sleep(Duration::from_millis(1)).await;
            panic!("no");
        });
        signal.listen().stage(1).on(async |_| {}).unwrap();
        let report = signal.emit(1).await;
        assert_eq!((report.failed(), report.skipped()), (1, 1), "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn break_stops_cleanly_and_is_no_failure() {
    for mode in MODES {
        for suspends in [false, true] {
            let signal = Signal::<u32>::builder().dispatch(mode).build();
            signal.on(async move |_| {
                if suspends {
                    sleep(Duration::from_millis(1)).await;
                }
                ControlFlow::Break(())
            });
            signal.listen().stage(1).on(async |_| {}).unwrap();
            let report = signal.emit(1).await;
            assert_eq!((report.delivered(), report.skipped()), (1, 1), "{mode}");
            assert!(report.into_result().is_ok());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_emission_under_way_skips_what_it_removes_and_does_not_see_what_it_adds() {
    for (name, builder, _) in builders::<u32>() {
        let signal = builder.build();
        let log = Log::default();
        let (line, inner) = (log.clone(), signal.downgrade());
        let a = async move |_| {
            line.push("a");
            let inner = inner.upgrade().unwrap();
            inner.remove("b");
            let line = line.clone();
            let _ = inner
                .listen()
                .key("new")
                .stage(2)
                .on_sync(move |_| line.push("new"));
        };
        signal.listen().key("a").on(a).unwrap();
        let line = log.clone();
        // A stage of its own: its turn comes after `a` in every mode.
        let b = signal.listen().key("b").stage(1);
        b.on_sync(move |_| line.push("b")).unwrap();

        let report = signal.emit(1).await;
        assert_eq!(log.take(), ["a"], "{name}");
        let entry = &report.entries()[0];
        assert_eq!(entry.key(), Some("b"));
        assert!(matches!(entry.cause(), Cause::Skipped(Skip::Removed)));
        assert_eq!(signal.emit(2).await.delivered(), 2);
        assert_eq!(log.take(), ["a", "new"], "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_emission_sees_the_listeners_of_the_call_and_not_of_the_first_poll() {
    for mode in MODES {
        let signal = Signal::<u32>::builder().dispatch(mode).build();
        signal.on(async |_| {});
        let emission = signal.emit(1);
        signal.on(async |_| {});
        assert_eq!(emission.await.delivered(), 1, "{mode}");
        assert_eq!(signal.emit(1).await.delivered(), 2, "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_event_is_moved_into_the_last_listener() {
    struct Counted(Arc<AtomicUsize>);
    impl Clone for Counted {
        fn clone(&self) -> Self {
            self.0.fetch_add(1, Ordering::Relaxed);
            Self(Arc::clone(&self.0))
        }
    }
    for mode in [Dispatch::Concurrent, Dispatch::Sequential] {
        let signal = Signal::<Counted>::builder().dispatch(mode).build();
        for _ in 0..5 {
            signal.on(async |_| sleep(Duration::from_millis(1)).await);
        }
        let clones = Arc::new(AtomicUsize::new(0));
        assert_eq!(
            signal.emit(Counted(Arc::clone(&clones))).await.delivered(),
            5
        );
        assert_eq!(clones.load(Ordering::Relaxed), 4, "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_future_of_an_emission_can_be_spawned() {
    static BUSES: LazyLock<[Bus; 2]> =
        LazyLock::new(|| OVERLAPPING.map(|mode| Bus::builder().dispatch(mode).build()));
    for bus in BUSES.iter() {
        bus.on(async |_: u32| sleep(Duration::from_millis(1)).await);
        let inner = bus.clone();
        let spawned = tokio::spawn(async move { inner.emit(1_u32).await });
        assert_eq!(spawned.await.unwrap().delivered(), 1);
        assert_eq!(tokio::spawn(bus.emit(1_u32)).await.unwrap().delivered(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_nobody_listens_to_is_counted_and_shown() {
    let dead = Log::default();
    let seen = dead.clone();
    let policy = DeadEvents::call(move |event| {
        seen.push(format!("{} {}", event.signal(), event.event_type()));
    });
    let bus = Bus::builder().name("main").dead_events(policy).build();
    let report = bus.emit(1_u32).await;
    assert!(report.is_empty() && report.is_ok() && !report.is_closed());
    assert_eq!(
        (dead.take(), bus.unknown_events()),
        (vec!["main u32".to_owned()], 1)
    );

    let signal = bus.signal::<u32>();
    let sub = signal.on(async |_| {});
    assert_eq!(bus.emit(1_u32).await.delivered(), 1);
    assert!(dead.take().is_empty());
    sub.remove();
    assert!(bus.emit(1_u32).await.is_empty());
    assert_eq!(dead.take(), ["u32 u32"]);
    assert_eq!((signal.stats().dead(), signal.stats().emissions()), (1, 2));

    let broken = DeadEvents::call(|_| panic!("in the callback"));
    let signal = Signal::<u32>::builder().dead_events(broken).build();
    assert!(signal.emit(1).await.is_empty());
    assert_eq!(signal.stats().dead(), 1);
}
