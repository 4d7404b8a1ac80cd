//! Where the work runs: outside a runtime, on the first one that comes along, and on the next when that has ended.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::LazyLock;
use std::sync::mpsc;
use std::time::Duration;

use fanfare::{Bus, Cause, Dispatch, DropReason, Outcome, Rejection, Signal};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::timeout;

use crate::support::{Gauge, Log, MODES, settle, yield_once};

const LONG: Duration = Duration::from_secs(3_600);

fn current_thread() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// Waits until so many have been inside.
async fn until_total(gauge: &Gauge, total: usize) {
    while gauge.total() < total {
        tokio::task::yield_now().await;
    }
}

#[derive(Clone)]
struct OfTheStatic;

#[test]
fn a_static_bus_works_across_three_runtimes_and_none() {
    static BUS: LazyLock<Bus> = LazyLock::new(Bus::new);
    let gauge = Gauge::default();
    let (count, keyed) = (gauge.clone(), gauge.clone());
    BUS.on(async move |_: OfTheStatic| {
        tokio::task::yield_now().await;
        drop(count.enter());
    });
    let listen = BUS.listen::<OfTheStatic>().key("keyed");
    listen.on_sync(move |_| drop(keyed.enter())).unwrap();
    // None: it waits in the buffer.
    BUS.try_enqueue(OfTheStatic).unwrap();
    assert_eq!(BUS.signal::<OfTheStatic>().buffered().0, 1);
    assert_eq!(gauge.total(), 0);

    let mut expected = 0;
    for round in 0..3 {
        let runtime = if round == 1 {
            current_thread()
        } else {
            multi_thread()
        };
        runtime.block_on(async {
            BUS.try_enqueue(OfTheStatic).unwrap();
            BUS.enqueue(OfTheStatic).await.unwrap();
            BUS.emit_detached(OfTheStatic).unwrap();
            assert_eq!(BUS.emit(OfTheStatic).await.delivered(), 2);
            // In the first round, what was left from before it too.
            expected += if round == 0 { 10 } else { 8 };
            until_total(&gauge, expected).await;
        });
        drop(runtime);
        assert_eq!(gauge.total(), expected, "round {round}");
        assert_eq!(BUS.signal::<OfTheStatic>().stats().dropped(), 0);
    }
}

#[test]
fn when_a_runtime_ends_pending_events_are_reported_and_the_next_call_starts_anew() {
    for mode in MODES {
        for threads in ["one", "many"] {
            let make = || match threads {
                "one" => current_thread(),
                _ => multi_thread(),
            };
            let (shown, told) = (Log::default(), Log::default());
            let (line, sink) = (shown.clone(), told.clone());
            let signal = Signal::<u32>::builder()
                .dispatch(mode)
                .on_dropped(move |event, reason| line.push((event, reason)))
                .on_failure(move |entry| sink.push(entry.outcome()))
                .build();
            let gauge = Gauge::default();
            let count = gauge.clone();
            signal.on(async move |n| {
                let _inside = count.enter();
                if n == 0 {
                    std::future::pending::<()>().await;
                }
            });
            let first = make();
            first.block_on(async {
                for n in 0..4 {
                    signal.try_enqueue(n).unwrap();
                }
                until_total(&gauge, 1).await;
            });
            drop(first);
            let dropped = (1..4).map(|n| (n, DropReason::RuntimeEnded));
            assert!(shown.take().into_iter().eq(dropped), "{mode}, {threads}");
            assert_eq!(told.take(), [Outcome::Cancelled], "{mode}, {threads}");
            assert_eq!(gauge.now(), 0, "{mode}, {threads}");
            let stats = signal.stats();
            assert_eq!((stats.enqueued(), stats.dropped()), (4, 3));

            // Between the two: it waits for a call inside a runtime.
            signal.try_enqueue(4).unwrap();
            assert_eq!(signal.buffered().0, 1);
            make().block_on(async {
                signal.enqueue(5).await.unwrap();
                until_total(&gauge, 3).await;
                assert!(signal.shutdown(LONG).await.is_clean());
            });
            assert_eq!(gauge.total(), 3, "{mode}, {threads}");
            assert_eq!(signal.stats().dropped(), 3);
        }
    }
}

#[test]
fn a_runtime_that_ends_before_the_drain_was_polled_loses_nothing_silently() {
    let shown = Log::default();
    let line = shown.clone();
    let signal = Signal::<u32>::builder()
        .on_dropped(move |event, reason| line.push((event, reason)))
        .build();
    signal.on(async |_| {});
    let runtime = current_thread();
    {
        let _entered = runtime.enter();
        signal.try_enqueue(7).unwrap();
    }
    drop(runtime);
    assert_eq!(shown.take(), [(7, DropReason::RuntimeEnded)]);
    current_thread().block_on(async {
        signal.try_enqueue(8).unwrap();
        assert!(signal.shutdown(LONG).await.is_clean());
    });
    assert_eq!(signal.stats().count(Outcome::Done), 1);
}

#[test]
fn buffered_events_run_on_the_runtime_of_the_first_call_and_on_the_builder_s_if_there_is_one() {
    for given in [false, true] {
        let (first, second, third) = (multi_thread(), multi_thread(), multi_thread());
        let mut builder = Signal::<u32>::builder();
        if given {
            builder = builder.runtime(third.handle().clone());
        }
        let signal = builder.build();
        let (homes, ran_on) = mpsc::channel();
        signal.on(async move |_| homes.send(Handle::current().id()).unwrap());
        let expected = if given {
            // The builder's works outside a runtime too.
            signal.try_enqueue(0).unwrap();
            assert_eq!(ran_on.recv().unwrap(), third.handle().id());
            third.handle().id()
        } else {
            first.handle().id()
        };
        for runtime in [&first, &second] {
            runtime.block_on(async { signal.enqueue(1).await.unwrap() });
            assert_eq!(ran_on.recv().unwrap(), expected, "given: {given}");
        }
    }
}

#[test]
fn the_builder_s_runtime_runs_parallel_and_detached_emissions_outside_a_runtime() {
    let runtime = multi_thread();
    let signal = Signal::<u32>::builder()
        .dispatch(Dispatch::Parallel)
        .runtime(runtime.handle().clone())
        .build();
    let (homes, ran_on) = mpsc::channel();
    signal.on(async move |_| homes.send(Handle::current().id()).unwrap());
    let report = futures::executor::block_on(signal.emit(1));
    assert_eq!(report.delivered(), 1);
    signal.emit_detached(2).unwrap();
    for _ in 0..2 {
        assert_eq!(ran_on.recv().unwrap(), runtime.handle().id());
    }
}

#[test]
fn without_a_runtime_parallel_is_rejected_and_the_other_modes_work() {
    for mode in MODES {
        let signal = Signal::<u32>::builder()
            .dispatch(mode)
            .on_failure(|_| {})
            .build();
        for _ in 0..3 {
            signal.on(async |_| yield_once().await);
        }
        let report = futures::executor::block_on(signal.emit(1));
        if mode == Dispatch::Parallel {
            assert_eq!(report.count(Outcome::Rejected), 3);
            for entry in report.entries() {
                let Cause::Rejected(why) = entry.cause() else {
                    panic!("{entry}");
                };
                assert_eq!(*why, Rejection::NoRuntime);
            }
        } else {
            assert_eq!(report.delivered(), 3, "{mode}");
        }
    }
}

#[test]
fn tasks_of_an_emission_whose_runtime_ends_are_cancelled_in_its_report() {
    let runtime = current_thread();
    let signal = Signal::<u32>::builder()
        .dispatch(Dispatch::Parallel)
        .runtime(runtime.handle().clone())
        .on_failure(|_| {})
        .build();
    signal.on(async |_| std::future::pending::<()>().await);
    let mut emission = Box::pin(signal.emit(1));
    assert!(crate::support::poll_once(&mut emission).is_none());
    runtime.block_on(settle());
    drop(runtime);
    let report = futures::executor::block_on(emission);
    let cause = report.entries()[0].cause().to_string();
    assert_eq!(cause, "cancelled: the runtime ended");
}

#[test]
fn a_detached_emission_whose_runtime_ends_is_counted_for_each_of_its_listeners() {
    for polled in [false, true] {
        let runtime = current_thread();
        let signal = Signal::<u32>::builder()
            .runtime(runtime.handle().clone())
            .build();
        let called = Gauge::default();
        for _ in 0..3 {
            let called = called.clone();
            signal.on(async move |_| {
                drop(called.enter());
                std::future::pending::<()>().await;
            });
        }
        signal.emit_detached(1).unwrap();
        if polled {
            runtime.block_on(settle());
        }
        drop(runtime);
        assert_eq!(called.total(), if polled { 3 } else { 0 });
        assert_eq!(signal.stats().count(Outcome::Cancelled), 3, "{polled}");
        let counts = signal
            .listeners()
            .into_iter()
            .map(|listener| listener.calls());
        assert_eq!(counts.sum::<u64>(), called.total() as u64);
    }
}

#[test]
fn a_shutdown_delivers_what_was_buffered_outside_a_runtime() {
    let signal = Signal::<u32>::new();
    let gauge = Gauge::default();
    let count = gauge.clone();
    signal.on(async move |_| drop(count.enter()));
    for n in 0..10 {
        signal.try_enqueue(n).unwrap();
    }
    current_thread().block_on(async {
        let left = timeout(LONG, signal.shutdown(LONG)).await.unwrap();
        assert!(left.is_clean());
    });
    assert_eq!(gauge.total(), 10);
}
