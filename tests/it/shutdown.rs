//! Shutdown: what is drained, what is left, and who is told.

use std::sync::mpsc;
use std::time::Duration;

use fanfare::{Bus, DropReason, Outcome, Pool, Signal};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout};

use crate::support::{Gauge, Log, MODES, poll_once, settle};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Clone)]
struct Other;

#[tokio::test(start_paused = true)]
async fn running_detached_and_buffered_emissions_are_drained() {
    for mode in MODES {
        let bus = Bus::builder().dispatch(mode).build();
        let gauge = Gauge::default();
        let count = gauge.clone();
        bus.on(async move |_: u32| {
            let _inside = count.enter();
            sleep(SECOND).await;
        });
        let inner = bus.clone();
        let running = tokio::spawn(async move { inner.emit(0_u32).await });
        bus.emit_detached(1_u32).unwrap();
        for n in 2..5_u32 {
            bus.try_enqueue(n).unwrap();
        }
        settle().await;
        let started = Instant::now();
        let left = bus.shutdown(10 * SECOND).await;
        assert!(left.is_clean(), "{mode}: {left}");
        assert_eq!(left.to_string(), "nothing was left");
        assert_eq!(started.elapsed(), 3 * SECOND, "{mode}");
        assert_eq!(running.await.unwrap().delivered(), 1);
        assert_eq!((gauge.total(), gauge.now()), (5, 0), "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn at_the_deadline_what_is_left_is_named_cancelled_and_never_failed() {
    for mode in MODES {
        let (told, shown) = (Log::default(), Log::default());
        let (sink, line) = (told.clone(), shown.clone());
        let bus = Bus::builder()
            .dispatch(mode)
            .on_failure(move |entry| sink.push(entry.outcome()))
            .signal::<u32>(|signal| {
                signal
                    .name("orders")
                    .on_dropped(move |event, reason| line.push((event, reason)))
            })
            .build();
        let hangs = bus.listen::<u32>().key("hangs");
        let sub = hangs
            .on(async |_| std::future::pending::<()>().await)
            .unwrap();
        bus.on(async |_: Other| {});
        for n in 0..4_u32 {
            bus.try_enqueue(n).unwrap();
        }
        settle().await;
        let inner = bus.clone();
        let running = tokio::spawn(async move { inner.emit(9_u32).await });
        settle().await;
        let started = Instant::now();
        let left = bus.shutdown(SECOND).await;
        let took = started.elapsed();
        assert!(took >= SECOND && took < 2 * SECOND, "{took:?}");
        assert!(!left.is_clean());
        let [listener] = left.unfinished() else {
            panic!("{left}");
        };
        assert_eq!(
            (listener.signal(), listener.key(), listener.calls()),
            ("orders", Some("hangs"), 2),
            "{mode}"
        );
        assert_eq!(listener.location().line(), sub.location().line());
        assert!(listener.location().file().ends_with("shutdown.rs"));
        let [undelivered] = left.undelivered() else {
            panic!("{left}");
        };
        assert_eq!((undelivered.signal(), undelivered.events()), ("orders", 3));
        let text = left.to_string();
        assert!(text.contains("`hangs` of `orders` (2 running)"), "{text}");
        assert!(text.contains("3 undelivered of `orders`"), "{text}");

        let report = timeout(60 * SECOND, running)
            .await
            .expect("it was cancelled");
        let report = report.unwrap();
        let cause = report.entries()[0].cause().to_string();
        assert_eq!(cause, "cancelled: shut down", "{mode}");
        assert_eq!(told.take(), [Outcome::Cancelled; 2], "{mode}");
        let stats = bus.signal::<u32>().stats();
        assert_eq!(stats.count(Outcome::Failed), 0);
        assert_eq!(
            (stats.count(Outcome::Cancelled), stats.dropped()),
            (2, 3),
            "{mode}"
        );
        let shown = shown.take();
        let expected = (1..4).map(|n| (n, DropReason::Shutdown));
        assert!(shown.into_iter().eq(expected), "{mode}");
        settle().await;
        assert_eq!(sub.metadata().running(), 0, "{mode}");
        assert_eq!((sub.metadata().errors(), sub.metadata().panics()), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_shutdown_is_harmless_and_so_are_two_at_once() {
    for mode in MODES {
        let bus = Bus::builder().dispatch(mode).build();
        bus.on(async |_: u32| sleep(SECOND).await);
        bus.emit_detached(1_u32).unwrap();
        let (a, b) = tokio::join!(bus.shutdown(5 * SECOND), bus.shutdown(5 * SECOND));
        assert!(a.is_clean() && b.is_clean());
        assert!(bus.shutdown(SECOND).await.is_clean());
        assert!(bus.signal::<u32>().shutdown(SECOND).await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_is_dropped_leaves_intake_closed_and_can_be_called_again() {
    let signal = Signal::<u32>::new();
    signal.on(async |_| sleep(10 * SECOND).await);
    signal.emit_detached(1).unwrap();
    assert!(
        timeout(SECOND, signal.shutdown(100 * SECOND))
            .await
            .is_err()
    );
    assert!(signal.is_closed());
    assert!(signal.try_enqueue(1).unwrap_err().is_closed());
    assert!(signal.shutdown(100 * SECOND).await.is_clean());
    assert_eq!(signal.stats().count(Outcome::Done), 1);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_from_inside_a_listener_does_not_wait_for_it() {
    for mode in MODES {
        for buffered in [false, true] {
            let bus = Bus::builder().dispatch(mode).build();
            let (inner, outer) = (bus.downgrade(), bus.downgrade());
            let done = Gauge::default();
            let count = done.clone();
            bus.on(async move |_: Other| {
                let started = Instant::now();
                let inner = inner.upgrade().unwrap();
                let left = inner.shutdown(100 * SECOND).await;
                assert!(left.is_clean(), "{left}");
                assert_eq!(started.elapsed(), SECOND);
                drop(count.enter());
            });
            // Nested, so that two of its own emissions are under way; and one that is not its own.
            bus.on(async move |_: u32| {
                let outer = outer.upgrade().unwrap();
                assert!(outer.emit(Other).await.is_ok());
            });
            bus.on(async |_: u64| sleep(SECOND).await);
            bus.emit_detached(1_u64).unwrap();
            settle().await;
            if buffered {
                bus.try_enqueue(1_u32).unwrap();
                sleep(5 * SECOND).await;
            } else {
                assert!(bus.emit(1_u32).await.is_ok(), "{mode}");
            }
            assert_eq!(done.total(), 1, "{mode}");
            assert!(bus.is_closed());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_from_a_task_does_not_wait_for_the_listener_that_waits_for_the_task() {
    for mode in MODES {
        let outer = Signal::<u32>::new();
        let inner = Signal::<u32>::builder().dispatch(mode).build();
        let closed = outer.downgrade();
        inner.on(async move |_| {
            let started = Instant::now();
            let left = closed.upgrade().unwrap().shutdown(100 * SECOND).await;
            assert!(left.is_clean(), "{left}");
            assert_eq!(started.elapsed(), Duration::ZERO);
        });
        outer.on(async move |n| assert!(inner.emit(n).await.is_ok()));
        assert!(outer.emit(1).await.is_ok(), "{mode}");
        assert!(outer.is_closed());
    }
}

#[tokio::test(start_paused = true)]
async fn emissions_that_wait_at_the_deadline_are_named_and_cancelled() {
    for mode in MODES {
        let pool = Pool::new(1);
        let holds = Signal::<u32>::builder().pool(pool.clone()).build();
        holds.on(async |_| sleep(100 * SECOND).await);
        holds.emit_detached(1).unwrap();
        settle().await;
        let builder = Signal::<u32>::builder().name("orders").dispatch(mode);
        let signal = builder.pool(pool).build();
        let called = Gauge::default();
        let count = called.clone();
        signal.on(async move |_| drop(count.enter()));
        signal.emit_detached(1).unwrap();
        settle().await;
        let left = signal.shutdown(SECOND).await;
        assert!(!left.is_clean(), "{mode}");
        assert_eq!(left.waiting().collect::<Vec<_>>(), ["orders"], "{mode}");
        assert_eq!(left.to_string(), "left: emissions of `orders` that waited");
        let cancelled = signal.stats().count(Outcome::Cancelled);
        assert_eq!((cancelled, called.total()), (1, 0), "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_emission_that_is_first_polled_after_the_deadline_is_named_and_cancelled() {
    for mode in MODES {
        let signal = Signal::<u32>::builder().dispatch(mode).build();
        signal.on(async |_| std::future::pending::<()>().await);
        signal.emit_detached(1).unwrap();
        let left = signal.shutdown(Duration::ZERO).await;
        assert_eq!(left.waiting().count(), 1, "{mode}");
        assert_eq!(signal.stats().count(Outcome::Cancelled), 1, "{mode}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_emission_on_a_closed_bus_calls_nobody_and_says_so() {
    for mode in MODES {
        let bus = Bus::builder().dispatch(mode).build();
        let gauge = Gauge::default();
        let (old, new) = (gauge.clone(), gauge.clone());
        bus.on_sync(move |_: &u32| drop(old.enter()));
        assert!(bus.shutdown(SECOND).await.is_clean());
        let report = bus.emit(1_u32).await;
        assert!(report.is_closed() && report.is_empty() && !report.is_ok());
        assert_eq!(report.failed(), 0);
        let error = report.into_result().unwrap_err();
        assert_eq!(error.to_string(), "the signal is closed: nobody was called");
        // A type that the bus had not seen, without a signal and with one.
        assert!(bus.emit(Other).await.is_closed());
        bus.on_sync(move |_: &Other| drop(new.enter()));
        assert!(bus.emit(Other).await.is_closed());
        assert!(bus.signal::<u64>().is_closed());
        assert!(bus.try_enqueue(1_u64).unwrap_err().is_closed());
        assert_eq!(gauge.total(), 0, "{mode}");
    }
}

#[test]
fn a_blocking_thread_that_is_left_is_reported() {
    for mode in MODES {
        for abandoned in [false, true] {
            // Dropped after the gate, so that a failing test does not wait for the thread.
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let signal = Signal::<u32>::builder()
                .dispatch(mode)
                .on_failure(|_| {})
                .build();
            let (starts, started) = mpsc::channel();
            let (go_on, gate) = mpsc::channel::<()>();
            let gate = std::sync::Mutex::new(gate);
            let listener = move |_| {
                starts.send(()).unwrap();
                gate.lock().unwrap().recv().unwrap();
            };
            signal.listen().key("disk").on_blocking(listener).unwrap();
            runtime.block_on(async {
                let mut emission = Box::pin(signal.emit(1));
                assert!(poll_once(&mut emission).is_none());
                while started.try_recv().is_err() {
                    tokio::task::yield_now().await;
                }
                if abandoned {
                    drop(emission);
                    let left = signal.shutdown(Duration::from_millis(1)).await;
                    assert_eq!(left.unfinished().len(), 1, "{mode}: {left}");
                    assert_eq!(left.unfinished()[0].key(), Some("disk"));
                } else {
                    let waiting = signal.shutdown(Duration::from_millis(1));
                    let (left, report) = tokio::join!(waiting, emission);
                    assert_eq!(left.unfinished()[0].key(), Some("disk"), "{mode}");
                    assert_eq!(report.count(Outcome::Cancelled), 1, "{mode}");
                }
                go_on.send(()).unwrap();
                let left = signal.shutdown(60 * SECOND).await;
                assert!(left.is_clean(), "{mode}: {left}");
                assert_eq!(signal.metadata("disk").unwrap().running(), 0);
            });
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_tasks_of_the_runtime_return_to_their_base() {
    let metrics = Handle::current().metrics();
    let base = metrics.num_alive_tasks();
    for mode in MODES {
        let signal = Signal::<u32>::builder().dispatch(mode).buffer(100).build();
        for round in 0..200 {
            for n in 0..100_u32 {
                let sub = signal.on(async move |_| {
                    if n % 2 == 0 {
                        tokio::task::yield_now().await;
                    }
                });
                match n % 10 {
                    8 => signal.try_enqueue(n).unwrap(),
                    9 => signal.emit_detached(n).unwrap(),
                    7 => drop(poll_once(&mut Box::pin(signal.emit(n)))),
                    _ => assert_eq!(signal.emit(n).await.delivered(), 1),
                }
                sub.remove();
            }
            settle().await;
            assert_eq!(metrics.num_alive_tasks(), base, "{mode}, round {round}");
            assert_eq!(signal.len(), 0);
        }
    }
}
