//! Shutting down: what drains, what is cancelled, and what is said of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fanfare::{Bus, Cancellation, Cause, DropReason, EnqueueError, Outcome, Signal};
use tokio::time::sleep;

use crate::support::{Ledger, setups};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn it_waits_for_emissions_detached_ones_and_buffers() {
    for setup in setups() {
        let signal = setup.builder::<u32>().build();
        signal.on(async |_| sleep(SECOND).await);
        signal.emit_detached(1).unwrap();
        signal.try_enqueue(2).unwrap();
        signal.try_enqueue(3).unwrap();
        let stop = async {
            tokio::task::yield_now().await;
            let left = signal.shutdown(SECOND * 60).await;
            assert!(left.is_clean(), "{setup:?}: {left}");
            assert_eq!(left.to_string(), "nothing was left");
        };
        let (report, ()) = tokio::join!(signal.emit(4), stop);
        assert_eq!(
            (report.delivered(), signal.stats().count(Outcome::Done)),
            (1, 4)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn at_the_limit_the_rest_is_cancelled_and_named() {
    for setup in setups() {
        let (told, lost) = (Ledger::default(), Ledger::default());
        let (sink, dropped) = (told.clone(), lost.clone());
        let signal = setup
            .builder::<u32>()
            .name("orders")
            .on_failure(move |f| sink.note(f.to_string()))
            .on_dropped(move |n, reason| dropped.note(format!("{n} {reason}")))
            .build();
        let line = line!() + 2;
        let slow = signal
            .listen()
            .key("slow")
            .on(async |_| sleep(SECOND * 3600).await)
            .unwrap();
        for n in 1..=3 {
            signal.try_enqueue(n).unwrap();
        }
        let stop = async {
            while slow.metadata().running() == 0 {
                tokio::task::yield_now().await;
            }
            signal.shutdown(SECOND).await
        };
        let left = stop.await;
        let unfinished = &left.unfinished()[0];
        assert_eq!(
            (unfinished.signal(), unfinished.key(), unfinished.calls()),
            ("orders", Some("slow"), 1)
        );
        assert_eq!(unfinished.location().line(), line);
        let undelivered = &left.undelivered()[0];
        assert_eq!(
            (undelivered.signal(), undelivered.events()),
            ("orders", 2),
            "{setup:?}"
        );
        assert_eq!(
            left.to_string(),
            "left: `slow` of `orders` (1 running); 2 undelivered of `orders`"
        );
        assert_eq!(told.take(), ["`slow` cancelled: shut down"]);
        let reason = DropReason::Shutdown;
        assert_eq!(lost.take(), [format!("2 {reason}"), format!("3 {reason}")]);
        assert_eq!(
            (slow.metadata().running(), slow.metadata().errors()),
            (0, 0)
        );
        let stats = signal.stats();
        assert_eq!(
            (
                stats.count(Outcome::Cancelled),
                stats.count(Outcome::Failed),
                stats.dropped()
            ),
            (1, 0, 2)
        );
        // Again, and harmless.
        assert!(signal.shutdown(SECOND).await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn an_emission_that_is_awaited_sees_that_it_was_shut_down() {
    for setup in setups() {
        let signal = setup.builder::<u32>().build();
        signal.on(async |_| std::future::pending::<()>().await);
        signal.listen().stage(1).on(async |_| {}).unwrap();
        let stop = async {
            tokio::task::yield_now().await;
            signal.shutdown(SECOND).await
        };
        let (report, left) = tokio::join!(signal.emit(1), stop);
        assert_eq!(left.unfinished().len(), 1, "{setup:?}");
        for entry in report.entries() {
            assert!(
                matches!(entry.cause(), Cause::Cancelled(Cancellation::Shutdown)),
                "{entry}"
            );
        }
        assert_eq!(report.count(Outcome::Cancelled), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_closed_signal_calls_nobody_and_gives_events_back() {
    let bus = Bus::builder().buffer(1).build();
    bus.on(async |_: u32| sleep(SECOND).await);
    bus.try_enqueue(1_u32).unwrap();
    tokio::task::yield_now().await;
    bus.try_enqueue(2_u32).unwrap();
    let waiting = bus.enqueue(3_u32);
    let stop = async {
        tokio::task::yield_now().await;
        bus.shutdown(SECOND * 60).await
    };
    let (waiting, left) = tokio::join!(waiting, stop);
    assert!(matches!(waiting, Err(EnqueueError::Closed(3))));
    assert!(left.is_clean() && bus.is_closed() && bus.signal::<u32>().is_closed());

    let report = bus.emit(4_u32).await;
    assert!(report.is_closed() && !report.is_ok() && report.is_empty());
    assert!(
        report
            .into_result()
            .unwrap_err()
            .to_string()
            .contains("closed")
    );
    assert!(matches!(
        bus.try_enqueue(5_u32),
        Err(EnqueueError::Closed(5))
    ));
    assert!(matches!(
        bus.enqueue(6_u32).await,
        Err(EnqueueError::Closed(6))
    ));
    // Types that come later are closed too.
    assert!(bus.emit(7_u64).await.is_closed());
    bus.on(async |_: u8| {});
    assert!(bus.emit(8_u8).await.is_closed());
    assert_eq!(bus.signal::<u32>().stats().count(Outcome::Done), 2);
}

#[tokio::test(start_paused = true)]
async fn a_listener_may_shut_its_own_bus_down() {
    for setup in setups() {
        let signal = setup.builder::<u32>().build();
        let (weak, clean) = (signal.downgrade(), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&clean);
        signal.on(async move |_| {
            let left = weak.upgrade().unwrap().shutdown(SECOND * 60).await;
            count.fetch_add(usize::from(left.is_clean()), Ordering::Relaxed);
        });
        let began = tokio::time::Instant::now();
        assert_eq!(signal.emit(1).await.delivered(), 1);
        assert_eq!(
            (clean.load(Ordering::Relaxed), began.elapsed()),
            (1, Duration::ZERO),
            "{setup:?}"
        );
    }
}

#[tokio::test]
async fn a_thread_that_is_left_is_named() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let signal = Signal::<u32>::new();
    let thread = signal
        .listen()
        .key("thread")
        .on_blocking(move |_| assert!(wait.lock().unwrap().recv().is_err()))
        .unwrap();
    signal.emit_detached(1).unwrap();
    while thread.metadata().calls() == 0 {
        tokio::task::yield_now().await;
    }
    let left = signal.shutdown(Duration::from_millis(1)).await;
    assert_eq!(
        (left.unfinished().len(), left.unfinished()[0].key()),
        (1, Some("thread"))
    );
    assert_eq!(thread.metadata().running(), 1);
    drop(go);
    assert!(signal.shutdown(SECOND * 60).await.is_clean());
    assert_eq!(thread.metadata().running(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_rounds_leave_no_task_behind() {
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    for setup in setups() {
        let base = tasks();
        let signal = setup.builder::<u32>().build();
        for round in 0..200 {
            for n in 0..100 {
                let sub = signal.on(async |_| {});
                if n % 10 == 0 {
                    signal.emit(round).await;
                    signal.try_enqueue(round).unwrap();
                }
                sub.remove();
            }
        }
        assert!(signal.shutdown(SECOND * 60).await.is_clean());
        while tasks() > base {
            tokio::task::yield_now().await;
        }
        assert!(signal.is_empty(), "{setup:?}");
    }
}
