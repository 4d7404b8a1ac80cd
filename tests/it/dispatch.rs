//! Running listeners: what overlaps, what is reported, what is contained, what is cancelled.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fanfare::{Bus, Cancellation, Cause, Dispatch, OnError, Outcome, Rejection, Signal};
use futures::FutureExt as _;
use tokio::sync::Barrier;
use tokio_util::sync::CancellationToken;

use crate::support::{Ledger, setups};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn two_listeners_overlap_in_every_mode_but_sequential() {
    for setup in setups().into_iter().filter(|setup| setup.pool != Some(1)) {
        let signal = setup.builder::<u32>().build();
        let meeting = Arc::new(Barrier::new(2));
        for _ in 0..2 {
            let meeting = Arc::clone(&meeting);
            signal.on(async move |_| {
                meeting.wait().await;
            });
        }
        let report = signal.emit(1).timeout(SECOND).await;
        let met = report.delivered() == 2;
        assert_eq!(
            met,
            setup.mode != Dispatch::Sequential,
            "{setup:?}: {report}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn stages_are_barriers_in_every_mode() {
    for setup in setups() {
        let (signal, ledger) = (setup.builder::<u32>().build(), Ledger::default());
        for stage in [2, 0, 1] {
            for n in 0..3 {
                let ledger = ledger.clone();
                signal
                    .listen()
                    .stage(stage)
                    .on(async move |_| {
                        tokio::time::sleep(SECOND * n).await;
                        ledger.note(stage.to_string());
                    })
                    .unwrap();
            }
        }
        assert_eq!(signal.emit(1).await.delivered(), 9);
        assert_eq!(ledger.take().concat(), "000111222", "{setup:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_failures_are_all_in_the_report_in_the_order_of_the_snapshot() {
    for setup in setups() {
        let signal = setup.builder::<u32>().on_failure(|_| {}).build();
        for n in 0..16 {
            signal
                .listen()
                .key(format!("{n:02}"))
                .priority(n % 2)
                .on(async move |_| {
                    for _ in 0..n % 3 {
                        tokio::task::yield_now().await;
                    }
                    assert!(n % 4 != 0, "panic {n}");
                    Err::<(), _>(format!("error {n}"))
                })
                .unwrap();
        }
        let keys = signal.keys();
        for round in 0..50 {
            let report = signal.emit(round).await;
            let failed: Vec<_> = report
                .failures()
                .map(|f| f.key().unwrap().to_owned())
                .collect();
            assert_eq!(failed, keys, "{setup:?}");
            for failure in report.failures() {
                let n: u32 = failure.key().unwrap().parse().unwrap();
                let said = if n % 4 == 0 {
                    format!("panicked: panic {n}")
                } else {
                    format!("failed: error {n}")
                };
                assert_eq!(failure.cause().to_string(), said);
            }
            assert_eq!(
                (
                    report.count(Outcome::Failed),
                    report.count(Outcome::Panicked)
                ),
                (12, 4)
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_duration_is_reported_where_it_was_measured() {
    for setup in setups() {
        let signal = setup.builder::<u32>().on_failure(|_| {}).build();
        signal.on(async |_| {
            tokio::time::sleep(SECOND).await;
            Err::<(), _>("late")
        });
        signal.on(async |_| Err::<(), _>("at once"));
        let report = signal.emit(1).await;
        let durations: Vec<_> = report
            .failures()
            .map(fanfare::ReportEntry::duration)
            .collect();
        let at_once = (setup.mode == Dispatch::Parallel).then_some(Duration::ZERO);
        assert_eq!(durations, [Some(SECOND), at_once], "{setup:?}");
    }
}

struct PanicsInDrop;

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "in drop");
    }
}

struct Payload;

impl Drop for Payload {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "in the payload's drop");
    }
}

/// An event whose third clone panics.
struct Fragile(Arc<AtomicUsize>);

impl Clone for Fragile {
    fn clone(&self) -> Self {
        assert!(self.0.fetch_add(1, Ordering::Relaxed) != 2, "third clone");
        Self(Arc::clone(&self.0))
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_anywhere_in_a_listener_is_its_own() {
    for setup in setups() {
        let signal = setup.builder::<u32>().on_failure(|_| {}).build();
        let panic_at_the_call = |_| -> std::future::Ready<()> { panic!("call") };
        signal.listen().key("call").on(panic_at_the_call).unwrap();
        signal
            .listen()
            .key("poll")
            .on(async |_| panic!("poll"))
            .unwrap();
        signal
            .listen()
            .key("later")
            .on(async |_| {
                tokio::time::sleep(SECOND).await;
                panic!("later")
            })
            .unwrap();
        signal
            .listen()
            .key("drop")
            .on(async |_| {
                let _held = PanicsInDrop;
            })
            .unwrap();
        signal
            .listen()
            .key("drop of the future")
            .on(|_| {
                let held = PanicsInDrop;
                std::future::poll_fn(move |_| {
                    let _ = &held;
                    std::task::Poll::Ready(())
                })
            })
            .unwrap();
        signal
            .listen()
            .key("filter")
            .filter(|_| panic!("filter"))
            .on(async |_| {})
            .unwrap();
        signal
            .listen()
            .key("payload")
            .on(async |_| std::panic::panic_any(Payload))
            .unwrap();
        signal
            .listen()
            .key("sync")
            .on_sync(|_| panic!("sync"))
            .unwrap();
        signal
            .listen()
            .key("blocking")
            .on_blocking(|_| panic!("blocking"))
            .unwrap();
        let keys = signal.keys();
        signal.listen().key("well").on(async |_| {}).unwrap();
        for round in 0..3 {
            let report = signal.emit(round).await;
            let panicked: Vec<_> = report
                .failures()
                .map(|f| {
                    assert_eq!(f.outcome(), Outcome::Panicked, "{f}");
                    f.key().unwrap().to_owned()
                })
                .collect();
            assert_eq!(
                (panicked, report.delivered()),
                (keys.clone(), 1),
                "{setup:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_panic_in_the_clone_of_the_event_is_that_listeners() {
    for setup in setups()
        .into_iter()
        .filter(|s| s.mode != Dispatch::Parallel)
    {
        for blocking in [false, true] {
            let signal = setup.builder::<Fragile>().on_failure(|_| {}).build();
            for key in ["a", "b", "c", "d"] {
                let listen = signal.listen().key(key);
                if blocking {
                    listen.on_blocking(|_| {}).unwrap();
                } else {
                    listen.on(async |_| {}).unwrap();
                }
            }
            let report = signal.emit(Fragile(Arc::default())).await;
            let failed: Vec<_> = report.failures().map(ToString::to_string).collect();
            assert_eq!(failed, ["`c` panicked: third clone"], "{setup:?}");
            assert_eq!(report.delivered(), 3);
        }
    }
}

#[tokio::test]
async fn all_sinks_of_signal_and_bus_are_told_and_one_that_panics_stops_none() {
    let ledger = Ledger::default();
    let sink = |name: &'static str| {
        let ledger = ledger.clone();
        move |failure: &fanfare::ReportEntry| {
            ledger.note(format!("{name}: {failure}"));
            assert!(!name.ends_with("panics"), "on purpose");
        }
    };
    let (a, b, c) = (sink("bus panics"), sink("bus"), sink("signal"));
    let bus = Bus::builder()
        .on_failure(a)
        .on_failure(b)
        .signal::<u32>(move |s| s.on_failure(c))
        .build();
    bus.listen::<u32>()
        .key("db")
        .on(async |_| Err::<(), _>("down"))
        .unwrap();
    assert_eq!(bus.emit(1_u32).await.failed(), 1);
    let said = "`db` failed: down";
    assert_eq!(
        ledger.take(),
        [
            format!("bus panics: {said}"),
            format!("bus: {said}"),
            format!("signal: {said}")
        ]
    );
}

#[tokio::test]
async fn stop_and_break_skip_what_has_not_started() {
    let stop = Signal::<u32>::builder()
        .dispatch(Dispatch::Sequential)
        .on_error(OnError::Stop)
        .build();
    stop.on(async |_| {});
    stop.on(async |_| Err::<(), _>("no"));
    stop.listen().key("third").on(async |_| {}).unwrap();
    let report = stop.emit(1).await;
    assert_eq!(
        (report.delivered(), report.failed(), report.skipped()),
        (1, 1, 1)
    );
    assert_eq!(
        report.entries()[1].to_string(),
        "`third` skipped: stopped by a listener before it"
    );

    for setup in setups() {
        let signal = setup.builder::<u32>().build();
        signal.on(async |_| ControlFlow::Break(()));
        signal
            .listen()
            .stage(1)
            .on(async |_| panic!("a later stage"))
            .unwrap();
        let report = signal.emit(1).await;
        assert_eq!(
            (report.delivered(), report.skipped(), report.is_ok()),
            (1, 1, true),
            "{setup:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_emission_cancels_what_has_not_finished() {
    for setup in setups() {
        let (told, ledger) = (Ledger::default(), Ledger::default());
        let sink = told.clone();
        let signal = setup
            .builder::<u32>()
            .on_failure(move |f| sink.note(f.to_string()))
            .build();
        for key in ["a", "b"] {
            let ledger = ledger.clone();
            signal
                .listen()
                .key(key)
                .on(async move |_| {
                    tokio::time::sleep(SECOND * 2).await;
                    ledger.note("went on");
                })
                .unwrap();
        }
        assert!(tokio::time::timeout(SECOND, signal.emit(1)).await.is_err());
        tokio::time::sleep(SECOND * 10).await;
        assert_eq!(ledger.take(), [""; 0], "{setup:?}");
        let dropped = [
            "`a` cancelled: the emission was dropped",
            "`b` cancelled: the emission was dropped",
        ];
        let mut said = told.take();
        said.sort();
        assert_eq!(said, dropped);
        assert_eq!(signal.stats().count(Outcome::Cancelled), 2);
        assert!(
            signal
                .listeners()
                .iter()
                .all(|listener| listener.running() == 0)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_a_listener_that_hangs() {
    for setup in setups() {
        let signal = setup.builder::<u32>().build();
        signal.on(async |_| std::future::pending::<()>().await);
        signal.listen().stage(1).on(async |_| {}).unwrap();
        let report = signal.emit(1).timeout(SECOND).await;
        let causes: Vec<_> = report.failures().map(|f| f.cause().clone()).collect();
        assert!(matches!(causes[0], Cause::TimedOut(SECOND)), "{causes:?}");
        assert!(
            matches!(causes[1], Cause::Cancelled(Cancellation::Deadline)),
            "{causes:?}"
        );
        tokio::task::yield_now().await;
        assert_eq!(signal.listeners()[0].running(), 0, "{setup:?}");
        assert_eq!(
            signal
                .emit(1)
                .timeout(Duration::ZERO)
                .await
                .count(Outcome::Cancelled),
            2
        );
        signal.clear();
        assert!(signal.emit(1).timeout(Duration::MAX).await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_ends_an_emission() {
    for setup in setups() {
        let signal = setup.builder::<u32>().build();
        signal.on(async |_| std::future::pending::<()>().await);
        let token = CancellationToken::new();
        let emission = signal.emit(1).cancel_on(token.clone());
        let (report, ()) = tokio::join!(emission, async {
            tokio::time::sleep(SECOND).await;
            token.cancel();
        });
        assert!(
            matches!(
                report.entries()[0].cause(),
                Cause::Cancelled(Cancellation::Token)
            ),
            "{setup:?}"
        );
    }
}

#[tokio::test]
async fn a_nested_emission_of_its_own_event_is_called_n_plus_one_times() {
    for setup in setups() {
        let calls = Arc::new(AtomicUsize::new(0));
        let (signal, count) = (setup.builder::<u32>().build(), Arc::clone(&calls));
        let weak = signal.downgrade();
        signal.on(async move |n| {
            count.fetch_add(1, Ordering::Relaxed);
            if n > 0 {
                let report = weak.upgrade().unwrap().emit(n - 1).await;
                assert!(report.is_ok(), "{report}");
            }
        });
        assert!(signal.emit(40).await.is_ok(), "{setup:?}");
        assert_eq!(calls.load(Ordering::Relaxed), 41);
    }
}

#[tokio::test]
async fn an_endless_recursion_ends_with_its_path() {
    for setup in setups() {
        let ping = setup
            .builder::<u32>()
            .name("ping")
            .recursion_limit(3)
            .build();
        let answer = setup
            .builder::<u64>()
            .name("pong")
            .recursion_limit(3)
            .build();
        let last: Arc<std::sync::Mutex<Option<Cause>>> = Arc::default();
        let (to, keep) = (answer.downgrade(), Arc::clone(&last));
        ping.on(async move |n| {
            let report = to.upgrade().unwrap().emit(u64::from(n)).await;
            if let Some(entry) = report.entries().first() {
                *keep.lock().unwrap() = Some(entry.cause().clone());
            }
        });
        let to = ping.downgrade();
        answer.on(async move |_| {
            to.upgrade().unwrap().emit(1).await;
        });
        assert!(ping.emit(1).await.is_ok());
        let cause = last.lock().unwrap().take();
        let Some(Cause::Rejected(Rejection::RecursionLimit { limit, path })) = cause else {
            panic!("{setup:?}: {cause:?}");
        };
        assert_eq!((limit, path.as_str()), (3, "ping -> pong -> ping -> pong"));
    }
}

#[tokio::test]
async fn an_emission_can_be_spawned_and_raced() {
    let bus = Bus::new();
    bus.on(async |_: u32| tokio::task::yield_now().await);
    let spawned = tokio::spawn({
        let bus = bus.clone();
        async move { bus.emit(1_u32).await }
    });
    assert_eq!(spawned.await.unwrap().delivered(), 1);
    let (a, b) = tokio::join!(bus.emit(1_u32), bus.emit(2_u32));
    assert_eq!(a.delivered() + b.delivered(), 2);
}

#[test]
fn in_task_modes_need_no_runtime_and_tasks_say_that_they_do() {
    for (mode, delivered) in [
        (Dispatch::Concurrent, 1),
        (Dispatch::Sequential, 1),
        (Dispatch::Parallel, 0),
    ] {
        let signal = Signal::<u32>::builder().dispatch(mode).build();
        signal.on(async |_| futures::future::ready(()).await);
        signal.on_blocking(|_| {});
        let report = futures::executor::block_on(signal.emit(1));
        assert_eq!(report.delivered(), delivered, "{mode}");
        assert_eq!(report.count(Outcome::Rejected), 2 - delivered);
        let entry = report.failures().last().unwrap();
        assert!(matches!(
            entry.cause(),
            Cause::Rejected(Rejection::NoRuntime)
        ));
    }
}

#[tokio::test]
async fn more_listeners_than_tokios_budget_still_all_finish() {
    let signal = Signal::<u32>::builder().max_listeners(300).build();
    let free = Arc::new(tokio::sync::Semaphore::new(1_000));
    for _ in 0..300 {
        let free = Arc::clone(&free);
        signal.on(async move |_| drop(free.acquire().await));
    }
    assert_eq!(signal.emit(1).await.delivered(), 300);
}

#[tokio::test]
async fn a_listener_that_is_removed_before_its_task_begins_has_no_call_running() {
    let signal = Signal::<u32>::builder()
        .dispatch(Dispatch::Parallel)
        .build();
    let sub = signal.on(async |_| {});
    let mut emission = signal.emit(1);
    let spawned = futures::poll!(&mut emission);
    assert!(spawned.is_pending());
    sub.remove();
    assert_eq!(emission.await.skipped(), 1);
    assert_eq!(sub.metadata().running(), 0);
    assert!(sub.removed().now_or_never().is_some());
}
