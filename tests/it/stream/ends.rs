//! When a stream ends, and what its end leaves behind.

use std::sync::Arc;
use std::time::Duration;

use fanfare::{Bus, Cause, Outcome, Overflow, Pool, Signal, Skip};
use futures::stream::FusedStream as _;
use futures::{FutureExt as _, StreamExt as _};

use super::{POLICIES, SECOND, drain, emit, stream_of};
use crate::support::{MODES, poll_once, settle};

/// Reads in a task, so that the end has to wake it; then ends the stream.
async fn read_until(
    signal: Signal<u32>,
    keyed: bool,
    end: impl FnOnce(Signal<u32>) -> Option<Signal<u32>>,
) {
    for waits in [true, false] {
        let builder = signal.listen();
        let builder = if keyed {
            builder.key("stream").replace()
        } else {
            builder
        };
        let mut stream = builder.stream().build().unwrap();
        emit(&signal, 1..=2).await;
        if !waits {
            let _kept = end(signal);
            assert_eq!(stream.by_ref().collect::<Vec<_>>().await, [1, 2]);
            assert!(stream.is_terminated());
            assert_eq!(stream.next().await, None);
            return;
        }
        // Once more with a reader that waits, on a signal of its own.
        let signal = Signal::new();
        drop(stream);
        let builder = signal.listen();
        let builder = if keyed {
            builder.key("stream")
        } else {
            builder
        };
        let stream = builder.stream().build().unwrap();
        emit(&signal, 1..=2).await;
        let reader = tokio::spawn(stream.collect::<Vec<_>>());
        settle().await;
        assert!(!reader.is_finished());
        signal.clear();
        assert_eq!(reader.await.unwrap(), [1, 2]);
    }
}

#[tokio::test]
async fn it_ends_after_what_it_holds_when_its_signal_is_gone() {
    for keyed in [false, true] {
        read_until(Signal::new(), keyed, |_| None).await;
        let signal = Signal::<u32>::new();
        let builder = signal.listen();
        let builder = if keyed { builder.key("a") } else { builder };
        let mut stream = builder.stream().build().unwrap();
        let reader = tokio::spawn(async move { stream.next().await });
        settle().await;
        drop(signal);
        assert_eq!(reader.await.unwrap(), None, "{keyed}");
    }
}

#[tokio::test]
async fn it_ends_when_its_listener_is_removed() {
    read_until(Signal::new(), true, |signal| {
        assert!(signal.remove("stream"));
        Some(signal)
    })
    .await;
    read_until(Signal::new(), false, |signal| {
        assert_eq!(signal.clear(), 1);
        Some(signal)
    })
    .await;
    read_until(Signal::new(), true, |signal| {
        signal
            .listen()
            .key("stream")
            .replace()
            .on(async |_| ())
            .unwrap();
        Some(signal)
    })
    .await;
}

/// A handle keeps what the listener owns; the stream ends all the same.
#[tokio::test]
async fn it_ends_when_it_is_removed_by_a_handle_that_lives_on() {
    let signal = Signal::<u32>::new();
    let mut stream = signal.listen().key("stream").stream().build().unwrap();
    let subscription = signal.subscription("stream").unwrap();
    emit(&signal, [1]).await;
    assert_eq!(stream.next().await, Some(1));
    let reader = tokio::spawn(async move { stream.next().await });
    settle().await;
    assert!(!reader.is_finished());
    subscription.remove();
    assert_eq!(reader.await.unwrap(), None);

    let mut stream = signal.listen().key("stream").stream().build().unwrap();
    let subscription = signal.subscription("stream").unwrap();
    drop(signal);
    assert_eq!(stream.next().await, None);
    assert!(!subscription.is_removed());
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_a_shutdown_has_ended_and_not_before() {
    for keyed in [false, true] {
        let signal = Signal::<u32>::new();
        let builder = signal.listen();
        let builder = if keyed {
            builder.key("stream")
        } else {
            builder
        };
        let mut stream = builder.stream().build().unwrap();
        signal.on(async |_| tokio::time::sleep(SECOND).await);
        signal.try_enqueue(1).unwrap();
        signal.try_enqueue(2).unwrap();
        let own = signal.clone();
        let stopped = tokio::spawn(async move { own.shutdown(10 * SECOND).await.is_clean() });
        settle().await;
        assert_eq!(stream.next().await, Some(1));
        assert!(signal.is_closed());
        let reader = tokio::spawn(async move { stream.collect::<Vec<_>>().await });
        settle().await;
        assert!(!reader.is_finished());
        assert!(stopped.await.unwrap());
        assert_eq!(reader.await.unwrap(), [2]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_nobody_who_reads_and_lets_go_of_who_waits_for_room() {
    let signal = Signal::<u32>::new();
    let mut stream = stream_of(&signal, 2, Overflow::DropOldest);
    emit(&signal, 1..=2).await;
    let start = tokio::time::Instant::now();
    assert!(signal.shutdown(SECOND).await.is_clean());
    assert!(start.elapsed() < SECOND);
    assert_eq!(stream.by_ref().collect::<Vec<_>>().await, [1, 2]);
    assert_eq!(signal.stream().next().await, None);

    let signal = Signal::<u32>::new();
    let mut stream = stream_of(&signal, 1, Overflow::Wait);
    emit(&signal, [1]).await;
    let own = signal.clone();
    let emitter = tokio::spawn(async move { own.emit(2).await });
    settle().await;
    let left = signal.shutdown(SECOND).await;
    assert_eq!(left.unfinished().len(), 1);
    let report = emitter.await.unwrap();
    assert_eq!(report.count(Outcome::Cancelled), 1);
    assert_eq!(stream.by_ref().collect::<Vec<_>>().await, [1]);
    assert_eq!(stream.lagged(), 1);
}

#[tokio::test]
async fn the_streams_of_a_bus_end_with_it() {
    let bus = Bus::new();
    let numbers = bus.stream::<u32>();
    let reader = tokio::spawn(numbers.collect::<Vec<_>>());
    settle().await;
    let _ = bus.emit(7_u32).await;
    assert!(bus.shutdown(SECOND).await.is_clean());
    assert_eq!(reader.await.unwrap(), [7]);
    // Of a type that nobody has spoken of before.
    assert_eq!(bus.stream::<String>().next().await, None);
    assert_eq!(bus.next::<String>(|_| true).await, None);
    assert_eq!(bus.next_all::<(u8, u16)>().await, None);

    let bus = Bus::new();
    let mut numbers = bus.stream::<u32>();
    drop(bus);
    assert_eq!(numbers.next().await, None);
}

#[tokio::test]
async fn dropping_it_removes_its_listener_and_counts_what_was_not_read() {
    for policy in POLICIES {
        let signal = Signal::<u32>::new();
        let kept = signal.on(async |_| ());
        let stream = stream_of(&signal, 4, policy);
        emit(&signal, 1..=3).await;
        drop(stream);
        assert_eq!((signal.len(), signal.stats().dropped()), (1, 3));
        assert_eq!(signal.emit(4).await.listeners(), 1);
        assert!(!kept.is_removed());
    }
}

#[tokio::test]
async fn dropping_it_lets_go_of_who_waits_for_room() {
    for mode in MODES {
        for policy in [
            Overflow::Wait,
            Overflow::WaitUpTo(Duration::from_secs(3600)),
        ] {
            let signal = Signal::<u32>::builder().dispatch(mode).build();
            let stream = stream_of(&signal, 1, policy);
            emit(&signal, [1]).await;
            let own = signal.clone();
            let emitter = tokio::spawn(async move { own.emit(2).await });
            settle().await;
            drop(stream);
            let report = emitter.await.unwrap();
            assert!(
                matches!(report.entries()[0].cause(), Cause::Skipped(Skip::Removed)),
                "{report:?}"
            );
            assert!(signal.shutdown(SECOND).await.is_clean());
        }
    }
}

#[tokio::test]
async fn a_stream_that_a_listener_before_it_drops_is_passed_over() {
    let signal = Signal::<u32>::new();
    let held = Arc::new(std::sync::Mutex::new(None));
    let own = Arc::clone(&held);
    let drops = move |_: &u32| drop(own.lock().unwrap().take());
    signal.listen().priority(1).on_sync(drops).unwrap();
    *held.lock().unwrap() = Some(signal.stream());
    let report = signal.emit(1).await;
    assert_eq!((report.delivered(), report.skipped()), (1, 1));
    assert_eq!(signal.len(), 1);
}

#[tokio::test]
async fn what_is_closed_can_be_read_to_its_end() {
    let signal = Signal::<u32>::new();
    let mut stream = stream_of(&signal, 1, Overflow::Wait);
    emit(&signal, [1]).await;
    let mut waiting = Box::pin(signal.emit(2));
    assert!(poll_once(&mut waiting).is_none());
    stream.close();
    stream.close();
    assert!(signal.is_empty());
    assert_eq!(signal.emit(3).await.listeners(), 0);
    assert_eq!(drain(&mut stream), [1]);
    assert_eq!(waiting.await.delivered(), 1);
    assert_eq!(stream.by_ref().collect::<Vec<_>>().await, [2]);
}

#[tokio::test]
async fn neither_stream_nor_signal_keeps_the_other_alive() {
    let token = Arc::new(());
    for keyed in [false, true] {
        for policy in POLICIES {
            let signal = Signal::<u32>::builder().pool(Pool::new(2)).build();
            let (weak, held) = (signal.downgrade(), Arc::clone(&token));
            let builder = signal.listen();
            let builder = if keyed {
                builder.key("stream")
            } else {
                builder
            };
            let stream = builder
                .filter(move |_| Arc::strong_count(&held) > 0)
                .stream()
                .overflow(policy);
            let mut stream = stream.build().unwrap();
            assert!(stream.next().now_or_never().is_none());
            emit(&signal, [1]).await;
            drop(signal);
            assert!(weak.upgrade().is_none());
            assert_eq!(drain(&mut stream), [1]);
            drop(stream);
            assert_eq!(Arc::strong_count(&token), 1, "{keyed}, {policy:?}");
        }
    }
}

/// A failure callback that has the stream does not keep its signal.
#[tokio::test]
async fn a_callback_of_the_signal_may_have_the_stream() {
    let slot = Arc::new(std::sync::Mutex::new(None));
    let own = Arc::clone(&slot);
    let builder = Signal::<u32>::builder().on_failure(move |_| drop(own.lock().unwrap().take()));
    let signal = builder.build();
    *slot.lock().unwrap() = Some(signal.stream());
    drop(slot);
    let weak = signal.downgrade();
    drop(signal);
    assert!(weak.upgrade().is_none());
}
