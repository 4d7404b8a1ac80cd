//! A bus outlives runtimes: in a static, across three of them, one with a single thread, and none.

use std::sync::LazyLock;
use std::time::Duration;

use fanfare::{Bus, Outcome, Signal};
use tokio::runtime::{Builder, Runtime};

use crate::support::Ledger;

static BUS: LazyLock<Bus> = LazyLock::new(Bus::new);
static GOT: LazyLock<Ledger> = LazyLock::new(Ledger::default);

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

async fn delivered(emissions: u64) {
    while BUS.signal::<String>().stats().count(Outcome::Done) < emissions {
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_static_bus_works_across_runtimes_and_outside_them() {
    // Outside.
    BUS.on(async |text: String| GOT.note(text));
    BUS.try_enqueue("before any".to_owned()).unwrap();
    assert_eq!(GOT.take(), [""; 0]);
    // The first runtime delivers what came before, too.
    multi_thread().block_on(async {
        BUS.enqueue("first".to_owned()).await.unwrap();
        delivered(2).await;
    });
    assert_eq!(GOT.take(), ["before any", "first"]);
    // It has ended; the next call starts anew.
    current_thread().block_on(async {
        BUS.try_enqueue("second".to_owned()).unwrap();
        delivered(3).await;
    });
    multi_thread().block_on(async {
        BUS.try_enqueue("third".to_owned()).unwrap();
        delivered(4).await;
        assert_eq!(BUS.emit("awaited".to_owned()).await.delivered(), 1);
    });
    assert_eq!(GOT.take(), ["second", "third", "awaited"]);
    // None, again.
    BUS.try_enqueue("after".to_owned()).unwrap();
    let report = futures::executor::block_on(BUS.emit("no runtime".to_owned()));
    assert_eq!(report.delivered(), 1);
    assert_eq!(GOT.take(), ["no runtime"]);
}

#[test]
fn what_is_pending_when_a_runtime_ends_is_reported_and_the_next_call_starts_anew() {
    for runtime in [current_thread, multi_thread] {
        let (told, lost) = (Ledger::default(), Ledger::default());
        let (sink, dropped) = (told.clone(), lost.clone());
        let signal = Signal::<u32>::builder()
            .on_failure(move |f| sink.note(f.to_string()))
            .on_dropped(move |n, reason| dropped.note(format!("{n}: {reason}")))
            .build();
        let slow = signal
            .listen()
            .key("slow")
            .on(async |n| {
                if n < 10 {
                    std::future::pending::<()>().await;
                }
            })
            .unwrap();
        let first = runtime();
        first.block_on(async {
            for n in 1..=3 {
                signal.enqueue(n).await.unwrap();
            }
            while slow.metadata().running() == 0 {
                tokio::task::yield_now().await;
            }
        });
        drop(first);
        assert_eq!(told.take(), ["`slow` cancelled: the runtime ended"]);
        assert_eq!(
            lost.take(),
            ["2: the runtime ended", "3: the runtime ended"]
        );
        let stats = signal.stats();
        assert_eq!(
            (
                stats.enqueued(),
                stats.dropped(),
                stats.count(Outcome::Cancelled)
            ),
            (3, 2, 1)
        );
        assert_eq!((slow.metadata().running(), signal.buffered().0), (0, 0));

        runtime().block_on(async {
            signal.try_enqueue(10).unwrap();
            assert!(signal.shutdown(Duration::from_secs(60)).await.is_clean());
        });
        assert_eq!(signal.stats().count(Outcome::Done), 1);
    }
}

#[test]
fn an_event_that_comes_after_its_runtime_ended_waits_for_the_next() {
    let signal = Signal::<u32>::new();
    signal.on(async |_| {});
    current_thread().block_on(async {
        signal.try_enqueue(1).unwrap();
        while signal.stats().count(Outcome::Done) < 1 {
            tokio::task::yield_now().await;
        }
    });
    // The runtime that it had settled on is gone, and there is none here.
    signal.try_enqueue(2).unwrap();
    assert_eq!((signal.buffered().0, signal.stats().dropped()), (1, 0));
    current_thread().block_on(async {
        assert!(signal.shutdown(Duration::from_secs(60)).await.is_clean());
    });
    assert_eq!(signal.stats().count(Outcome::Done), 2);
}

#[test]
fn a_detached_emission_that_loses_its_runtime_is_told() {
    let told = Ledger::default();
    let sink = told.clone();
    let signal = Signal::<u32>::builder()
        .on_failure(move |f| sink.note(f.to_string()))
        .build();
    signal
        .listen()
        .key("slow")
        .on(async |_| std::future::pending::<()>().await)
        .unwrap();
    let runtime = current_thread();
    runtime.block_on(async {
        signal.emit_detached(1).unwrap();
        tokio::task::yield_now().await;
    });
    drop(runtime);
    assert_eq!(told.take(), ["`slow` cancelled: the runtime ended"]);
}
