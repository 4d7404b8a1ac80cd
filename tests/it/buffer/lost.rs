//! Where an event could be lost: between two steps of whoever gives up, with its signal, with its runtime, and in a panic.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fanfare::{Dispatch, DropReason, EnqueueError, Overflow, Pool, Signal};
use tokio::runtime::Builder;
use tokio::sync::Notify;

use crate::support::{Log, settle};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn an_event_that_had_room_is_delivered_though_its_caller_gives_up_waiting_for_a_permit() {
    let pool = Pool::new(1);
    let (queue, log) = (Signal::<u32>::builder().buffer(1).build(), Log::default());
    let (seen, go) = (log.clone(), Arc::new(Notify::new()));
    let wait = Arc::clone(&go);
    queue.on(async move |n| {
        seen.push(n);
        if n == 1 {
            wait.notified().await;
        }
    });
    queue.try_enqueue(1).unwrap();
    settle().await;
    queue.try_enqueue(2).unwrap();

    let builder = Signal::<u32>::builder().pool(pool.clone());
    let source = builder.dispatch(Dispatch::Concurrent).build();
    let to = queue.clone();
    source.on(async move |n| {
        let _ = tokio::time::timeout(SECOND, to.enqueue(n)).await;
    });
    let emitter = source.clone();
    let emission = tokio::spawn(async move { emitter.emit(3).await });
    settle().await;
    // It waits for room and has lent its permit, which another has now.
    let other = Signal::<u32>::builder().pool(pool.clone()).build();
    other.on(async |_| tokio::time::sleep(SECOND * 9).await);
    let busy = tokio::spawn(async move { other.emit(0).await });
    settle().await;
    assert_eq!((pool.in_use(), pool.waiting()), (1, 0));
    go.notify_one();
    settle().await;
    assert!(emission.await.unwrap().is_ok());
    assert!(busy.await.unwrap().is_ok());
    queue.try_enqueue(4).unwrap();
    assert!(queue.shutdown(SECOND).await.is_clean());
    assert_eq!(log.take(), [1, 2, 3, 4]);
    let stats = queue.stats();
    assert_eq!((stats.enqueued(), stats.refused()), (4, 0));
}

#[test]
fn what_waits_for_a_runtime_is_told_when_its_signal_is_dropped() {
    let dropped = Log::default();
    for keyed in [false, true] {
        let log = dropped.clone();
        let builder = Signal::<u32>::builder().on_dropped(move |n, why| log.push((n, why)));
        let signal = if keyed {
            builder.keyed_by(|n| n % 2).build()
        } else {
            builder.build()
        };
        for n in [1, 2, 3] {
            signal.try_enqueue(n).unwrap();
        }
        drop(signal);
        let mut told = dropped.take();
        told.sort_unstable_by_key(|(n, _)| *n);
        assert_eq!(
            told,
            [1, 2, 3].map(|n| (n, DropReason::Released)),
            "{keyed}"
        );
    }
}

#[tokio::test]
async fn who_is_ready_has_no_event_of_a_full_key_dropped() {
    let builder = Signal::<u32>::builder().keyed_by(|_| 0).lanes(4);
    let signal = builder.buffer(8).overflow(Overflow::DropNewest).build();
    let (mut given_back, mut taken) = (0, 0);
    for n in 0..6 {
        match signal.ready().await.unwrap().enqueue(n) {
            Ok(()) => taken += 1,
            Err(EnqueueError::Full(event)) => given_back += u32::from(event == n),
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((taken, given_back, signal.stats().dropped()), (2, 4, 0));
    // Who does not ask for room has the policy.
    signal.try_enqueue(9).unwrap();
    assert_eq!(signal.stats().dropped_by(DropReason::Newest), 1);
}

/// Enqueues an event on another runtime when it is dropped.
struct Onward(Option<(Signal<u32>, tokio::runtime::Handle)>);

impl Drop for Onward {
    fn drop(&mut self) {
        if let Some((signal, runtime)) = self.0.take() {
            let _inside = runtime.enter();
            signal.try_enqueue(2).unwrap();
        }
    }
}

#[test]
fn a_runtime_that_ends_leaves_alone_what_another_delivers() {
    let builder = Signal::<u32>::builder().enqueue_concurrency(2);
    let [first, second] =
        [0, 1].map(|_| Builder::new_current_thread().enable_all().build().unwrap());
    let (signal, log) = (builder.build(), Log::default());
    let (seen, own, onto) = (log.clone(), signal.downgrade(), second.handle().clone());
    signal.on(async move |n| {
        seen.push(n);
        if n == 1 {
            let _onward = Onward(own.upgrade().map(|signal| (signal, onto)));
            std::future::pending::<()>().await;
        }
    });
    first.block_on(async {
        signal.try_enqueue(1).unwrap();
        settle().await;
    });
    drop(first);
    second.block_on(async { assert!(signal.shutdown(SECOND).await.is_clean()) });
    assert_eq!((log.take(), signal.stats().dropped()), (vec![1, 2], 0));
}

/// An event whose drop panics, if it is to.
#[derive(Clone)]
struct Brittle(bool, u32);

impl Drop for Brittle {
    fn drop(&mut self) {
        assert!(!self.0 || std::thread::panicking(), "brittle");
    }
}

#[tokio::test]
async fn a_panic_in_the_drop_of_an_event_that_makes_room_stops_nothing() {
    let builder = Signal::<Brittle>::builder().buffer(1);
    let signal = builder.overflow(Overflow::DropOldest).build();
    let log = Log::default();
    let seen = log.clone();
    signal.on_sync(move |event| seen.push(event.1));
    for (brittle, n) in [(true, 1), (false, 2)] {
        assert!(signal.try_enqueue(Brittle(brittle, n)).is_ok());
    }
    assert!(signal.shutdown(SECOND).await.is_clean());
    assert_eq!((log.take(), signal.stats().dropped()), (vec![2], 1));
}

#[test]
fn a_callback_that_panics_keeps_no_dropped_event_from_the_others() {
    let told = Arc::new(AtomicUsize::new(0));
    let mut builder = Signal::<u32>::builder().buffer(1);
    for _ in 0..3 {
        let told = Arc::clone(&told);
        builder = builder.on_dropped(move |_, _| {
            told.fetch_add(1, Ordering::SeqCst);
            panic!("a callback");
        });
    }
    let signal = builder.overflow(Overflow::DropOldest).build();
    for n in [1, 2] {
        signal.try_enqueue(n).unwrap();
    }
    assert_eq!(told.load(Ordering::SeqCst), 3);
}
