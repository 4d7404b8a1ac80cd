//! What becomes of held events when their listener, their signal or their runtime ends.

use std::time::Duration;

use fanfare::{Outcome, Pause, Signal, Subscription};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep, timeout};
use tracing::subscriber::set_default;

use super::{SECOND, cause, holding};
use crate::support::{Captured, Gauge, Log, settle};

/// A signal with one listener that notes its events and is paused with three of them held.
async fn three_held() -> (Signal<u32>, Log<u32>, Subscription) {
    let signal = Signal::<u32>::builder().name("orders").build();
    let log = Log::default();
    let seen = log.clone();
    let listen = signal.listen().key("audit");
    let sub = listen.on(async move |n| seen.push(n)).unwrap();
    sub.pause(holding(10)).unwrap();
    for n in 0..3 {
        let _ = signal.emit(n).await;
    }
    (signal, log, sub)
}

#[tokio::test]
async fn what_a_removed_listener_held_is_counted_as_skipped_and_told() {
    let ways: [fn(&Signal<u32>); 3] = [
        |signal| assert!(signal.subscription("audit").unwrap().remove()),
        |signal| assert!(signal.remove("audit")),
        |signal| assert_eq!(signal.clear(), 1),
    ];
    for remove in ways {
        let captured = Captured::default();
        let (signal, log, sub) = three_held().await;
        {
            let _capture = set_default(captured.clone());
            remove(&signal);
        }
        assert_eq!(sub.metadata().held(), 0);
        assert!(!sub.remove());
        sub.resume();
        settle().await;
        assert_eq!(log.len(), 0);
        let stats = signal.stats();
        assert_eq!(
            (
                stats.count(Outcome::Skipped),
                stats.count(Outcome::Deferred)
            ),
            (3, 3)
        );
        assert_eq!(sub.metadata().calls(), 0);
        let lines = captured.lines();
        let line = lines
            .iter()
            .find(|line| line.contains("were dropped"))
            .unwrap();
        for part in [
            "WARN",
            "signal=orders",
            "key=\"audit\"",
            "count=3",
            "cause=skipped: removed",
        ] {
            assert!(line.contains(part), "{line}");
        }
        timeout(SECOND, sub.removed()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_is_removed_while_held_events_are_delivered_is_called_with_no_more() {
    let signal = Signal::<u32>::new();
    let gauge = Gauge::default();
    let running = gauge.clone();
    let sub = signal.on(async move |_| {
        let _inside = running.enter();
        sleep(SECOND).await;
    });
    sub.pause(holding(10)).unwrap();
    for n in 0..3 {
        let _ = signal.emit(n).await;
    }
    sub.resume();
    settle().await;
    assert!(sub.remove());
    sub.removed().await;
    assert_eq!((gauge.now(), gauge.total()), (0, 1));
    sleep(10 * SECOND).await;
    let stats = signal.stats();
    assert_eq!(
        (
            gauge.total(),
            stats.count(Outcome::Done),
            stats.count(Outcome::Skipped)
        ),
        (1, 1, 2)
    );
    assert!(signal.shutdown(SECOND).await.is_clean());
}

#[tokio::test]
async fn a_replacement_takes_over_a_pause_that_holds_and_what_is_held() {
    let (signal, log, old) = three_held().await;
    let new_log = Log::default();
    let seen = new_log.clone();
    let listen = signal.listen().key("audit").replace();
    let new = listen.on(async move |n| seen.push(n)).unwrap();
    settle().await;
    assert_eq!((old.metadata().held(), new.metadata().held()), (0, 3));
    assert!(!new.is_enabled());
    assert_eq!(signal.emit(3).await.count(Outcome::Deferred), 1);
    assert!(!old.remove(), "stale");
    assert_eq!(signal.resume("audit"), Ok(true));
    settle().await;
    assert_eq!((log.len(), new_log.take()), (0, vec![0, 1, 2, 3]));
    assert_eq!((old.metadata().calls(), new.metadata().calls()), (0, 4));
    assert_eq!(signal.stats().count(Outcome::Skipped), 0);
    // Any other switch is of the listener, not of the place.
    signal.disable("audit").unwrap();
    signal
        .listen()
        .key("audit")
        .replace()
        .on(async |_| {})
        .unwrap();
    assert_eq!(signal.emit(4).await.delivered(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_replacement_goes_on_with_what_is_being_delivered() {
    let signal = Signal::<u32>::new();
    let (log, gauge) = (Log::default(), Gauge::default());
    let add = |name: &'static str, filter: u32| {
        let (seen, running) = (log.clone(), gauge.clone());
        let listen = signal
            .listen()
            .key("it")
            .replace()
            .filter(move |n| *n != filter);
        let on = async move |n| {
            let _inside = running.enter();
            sleep(SECOND).await;
            seen.push((name, n));
        };
        listen.on(on).unwrap()
    };
    let first = add("first", 100);
    first.pause(holding(10)).unwrap();
    for n in 0..4 {
        let _ = signal.emit(n).await;
    }
    first.resume();
    settle().await;
    // The filter of the new one is asked.
    let second = add("second", 2);
    assert_eq!(signal.emit(4).await.count(Outcome::Deferred), 1);
    sleep(10 * SECOND).await;
    assert_eq!(
        log.take(),
        [("first", 0), ("second", 1), ("second", 3), ("second", 4)]
    );
    assert_eq!(gauge.peak(), 1);
    assert_eq!(
        (first.metadata().calls(), second.metadata().calls()),
        (1, 3)
    );
    assert_eq!(signal.stats().count(Outcome::Skipped), 1);
    first.removed().await;
    assert_eq!(signal.emit(5).await.delivered(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_replacement_of_a_listener_that_is_paused_for_a_time_delivers_when_that_is_over() {
    let signal = Signal::<u32>::new();
    let log = Log::default();
    let add = || {
        let seen = log.clone();
        let listen = signal.listen().key("it").replace();
        listen.on(async move |n| seen.push(n)).unwrap()
    };
    add().pause(Pause::for_time(10 * SECOND).buffer(5)).unwrap();
    let _ = signal.emit(1).await;
    settle().await;
    add();
    add();
    sleep(9 * SECOND).await;
    assert_eq!(log.len(), 0);
    sleep(2 * SECOND).await;
    assert_eq!(log.take(), [1]);
}

#[tokio::test]
async fn a_replacement_that_was_switched_before_it_came_keeps_its_switch() {
    let (signal, _, _) = three_held().await;
    let batch = signal.batch();
    let log = Log::default();
    let seen = log.clone();
    let listen = batch.listen().key("audit").replace();
    let new = listen.on(async move |n| seen.push(n)).unwrap();
    new.disable();
    batch.commit().unwrap();
    assert_eq!(cause(&signal.emit(3).await), "skipped: disabled");
    settle().await;
    assert_eq!((log.len(), new.metadata().held()), (0, 3));
    new.enable();
    settle().await;
    assert_eq!(log.take(), [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_wait_for_a_pause_and_says_what_was_held() {
    for pause in [holding(10), Pause::for_time(100 * SECOND).buffer(10)] {
        let told = Log::default();
        let sink = told.clone();
        let signal = Signal::<u32>::builder()
            .name("orders")
            .on_failure(move |entry| sink.push(entry.to_string()))
            .build();
        let log = Log::default();
        let seen = log.clone();
        let sub = signal
            .listen()
            .key("audit")
            .on(async move |n| seen.push(n))
            .unwrap();
        sub.pause(pause).unwrap();
        for n in 0..3 {
            let _ = signal.emit(n).await;
        }
        signal.try_enqueue(3).unwrap();
        let began = tokio::time::Instant::now();
        let left = signal.shutdown(10 * SECOND).await;
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert!(!left.is_clean());
        let [undelivered] = left.undelivered() else {
            panic!("{left}")
        };
        assert_eq!((undelivered.signal(), undelivered.events()), ("orders", 4));
        assert_eq!(left.to_string(), "left: 4 undelivered of `orders`");
        assert_eq!(signal.stats().count(Outcome::Cancelled), 4);
        let told = told.take();
        assert_eq!(told.len(), 4);
        assert!(
            told[0].contains("`audit`") && told[0].contains("shut down"),
            "{told:?}"
        );
        sub.resume();
        sleep(200 * SECOND).await;
        assert_eq!(
            (log.len(), sub.metadata().held(), sub.metadata().calls()),
            (0, 0, 0)
        );
        assert!(signal.shutdown(SECOND).await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_the_delivery_of_what_was_held() {
    let signal = Signal::<u32>::new();
    let gauge = Gauge::default();
    let running = gauge.clone();
    let sub = signal.on(async move |_| {
        let _inside = running.enter();
        sleep(SECOND).await;
    });
    sub.pause(holding(10)).unwrap();
    for n in 0..4 {
        let _ = signal.emit(n).await;
    }
    sub.resume();
    assert!(signal.shutdown(10 * SECOND).await.is_clean());
    assert_eq!((gauge.now(), gauge.total()), (0, 4));
}

#[tokio::test(start_paused = true)]
async fn at_the_limit_of_a_shutdown_the_delivery_ends_and_says_what_is_left() {
    let signal = Signal::<u32>::new();
    let gauge = Gauge::default();
    let running = gauge.clone();
    let sub = signal.on(async move |_| {
        let _inside = running.enter();
        sleep(SECOND).await;
    });
    sub.pause(holding(10)).unwrap();
    for n in 0..5 {
        let _ = signal.emit(n).await;
    }
    sub.resume();
    let left = signal.shutdown(3 * SECOND / 2).await;
    assert_eq!(
        (left.unfinished().len(), left.undelivered()[0].events()),
        (1, 3)
    );
    sleep(10 * SECOND).await;
    let stats = signal.stats();
    assert_eq!((gauge.now(), gauge.total()), (0, 2));
    assert_eq!(
        (stats.count(Outcome::Done), stats.count(Outcome::Cancelled)),
        (1, 4)
    );
}

#[tokio::test(start_paused = true)]
async fn a_listener_may_shut_its_signal_down_while_it_is_called_with_what_it_held() {
    let signal = Signal::<u32>::new();
    let weak = signal.downgrade();
    let (log, lost) = (Log::default(), Log::default());
    let (seen, told) = (log.clone(), lost.clone());
    let sub = signal.on(async move |n| {
        seen.push(n);
        if n == 0 {
            let left = weak.upgrade().unwrap().shutdown(5 * SECOND).await;
            told.push(left.undelivered()[0].events());
        }
    });
    sub.pause(holding(10)).unwrap();
    for n in 0..2 {
        let _ = signal.emit(n).await;
    }
    sub.resume();
    sleep(100 * SECOND).await;
    // It is told that the second was not delivered: its own call was in the way.
    assert_eq!((log.take(), lost.take()), (vec![0], vec![1]));
    assert_eq!(signal.stats().count(Outcome::Cancelled), 1);
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn without_a_runtime_the_next_emission_inside_one_begins_the_delivery() {
    let signal = Signal::<u32>::new();
    let log = Log::default();
    let seen = log.clone();
    let sub = signal.on_sync(move |n: &u32| seen.push(*n));
    sub.pause(holding(10)).unwrap();
    for n in 0..3 {
        let _ = futures::executor::block_on(signal.emit(n));
    }
    sub.resume();
    let _ = futures::executor::block_on(signal.emit(3));
    assert_eq!((log.len(), sub.metadata().held()), (0, 4));
    runtime().block_on(async {
        assert_eq!(signal.emit(4).await.count(Outcome::Deferred), 1);
        settle().await;
    });
    assert_eq!(log.take(), [0, 1, 2, 3, 4]);
    sub.pause(holding(10)).unwrap();
    let _ = futures::executor::block_on(signal.emit(5));
    sub.resume();
    // So does a shutdown.
    let left = runtime().block_on(signal.shutdown(SECOND));
    assert!(left.is_clean());
    assert_eq!(log.take(), [5]);
}

#[test]
fn a_runtime_that_ends_during_the_delivery_takes_one_event_along() {
    let signal = Signal::<u32>::new();
    let log = Log::default();
    let seen = log.clone();
    let sub = signal.on(async move |n| {
        seen.push(n);
        if n == 1 {
            std::future::pending::<()>().await;
        }
    });
    let first = runtime();
    first.block_on(async {
        sub.pause(holding(10)).unwrap();
        for n in 0..4 {
            let _ = signal.emit(n).await;
        }
        sub.resume();
        settle().await;
    });
    drop(first);
    assert_eq!((log.take(), sub.metadata().held()), (vec![0, 1], 2));
    assert_eq!(signal.stats().count(Outcome::Cancelled), 1);
    runtime().block_on(async {
        let _ = signal.emit(4).await;
        settle().await;
    });
    assert_eq!(log.take(), [2, 3, 4]);
    let stats = signal.stats();
    assert_eq!((stats.count(Outcome::Done), sub.metadata().calls()), (4, 5));
}

#[test]
fn the_wait_for_the_end_of_a_pause_is_begun_anew_in_another_runtime() {
    let paused = || {
        Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap()
    };
    let signal = Signal::<u32>::new();
    let log = Log::default();
    let seen = log.clone();
    let sub = signal.on(async move |n| seen.push(n));
    paused().block_on(async {
        sub.pause(Pause::for_time(10 * SECOND).buffer(10)).unwrap();
        let _ = signal.emit(1).await;
        settle().await;
    });
    paused().block_on(async {
        let _ = signal.emit(2).await;
        sleep(20 * SECOND).await;
    });
    assert_eq!(log.take(), [1, 2]);
}

#[tokio::test]
async fn a_shutdown_waits_for_a_delivery_that_lets_others_run_in_between() {
    let signal = Signal::<u32>::new();
    let log = Log::default();
    let seen = log.clone();
    let sub = signal.on_sync(move |n: &u32| seen.push(*n));
    sub.pause(holding(5_000)).unwrap();
    for n in 0..5_000 {
        let _ = signal.emit(n).await;
    }
    sub.resume();
    let left = signal.shutdown(100 * SECOND).await;
    assert!(left.is_clean(), "{left}");
    assert_eq!(log.take(), (0..5_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_builders_runtime_delivers_for_those_who_have_none() {
    let signal = Signal::<u32>::builder()
        .runtime(tokio::runtime::Handle::current())
        .build();
    let log = Log::default();
    let seen = log.clone();
    let sub = signal.on_sync(move |n: &u32| seen.push(*n));
    sub.pause(holding(10)).unwrap();
    let _ = signal.emit(1).await;
    std::thread::spawn(move || sub.resume()).join().unwrap();
    settle().await;
    assert_eq!(log.take(), [1]);
}

#[tokio::test(start_paused = true)]
async fn what_is_held_keeps_no_signal_alive_and_leaves_no_task() {
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let before = tasks();
    let captured = Captured::default();
    for round in 0..20 {
        let signal = Signal::<u32>::new();
        let weak = signal.downgrade();
        let sub = signal.on(async |_| {});
        sub.pause(Pause::for_time(1_000_000 * SECOND).buffer(10))
            .unwrap();
        let _ = signal.emit(1).await;
        settle().await;
        assert_eq!(tasks(), before + 1, "round {round}");
        let _capture = set_default(captured.clone());
        drop((signal, sub));
        assert!(weak.upgrade().is_none());
        settle().await;
        assert_eq!(tasks(), before, "round {round}");
    }
    let lines = captured.lines();
    assert_eq!(
        lines
            .iter()
            .filter(|line| line.contains("dropped with its signal"))
            .count(),
        20
    );
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_is_changed_again_and_again_has_one_task() {
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let signal = Signal::<u32>::new();
    let sub = signal.on(async |_| {});
    let before = tasks();
    for n in 0..100 {
        sub.pause(Pause::for_time((n + 1) * 100 * SECOND).buffer(1_000))
            .unwrap();
        let _ = signal.emit(n).await;
        settle().await;
        assert_eq!(tasks(), before + 1);
    }
    sub.resume();
    settle().await;
    assert_eq!((tasks(), sub.metadata().calls()), (before, 100));
}

#[test]
fn an_event_that_panics_as_it_is_dropped_takes_no_other_along() {
    #[derive(Clone)]
    struct Bomb(u32, bool);
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(
                !self.1 || std::thread::panicking(),
                "an event that panics as it is dropped"
            );
        }
    }
    runtime().block_on(async {
        let signal = Signal::<Bomb>::new();
        let log = Log::default();
        let seen = log.clone();
        let sub = signal.on_sync(move |bomb: &Bomb| seen.push(bomb.0));
        sub.pause(holding(10)).unwrap();
        for n in 0..4 {
            let _ = signal.emit(Bomb(n, n == 1)).await;
        }
        sub.resume();
        settle().await;
        assert_eq!(log.take(), [0, 1, 2, 3]);
    });
}
