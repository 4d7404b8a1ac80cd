//! Sinks: what is taken when, and what an error means.

use std::time::Duration;

use fanfare::{Bus, EnqueueError, Overflow, Signal};
use futures::{FutureExt as _, SinkExt as _, StreamExt as _, stream};

use super::SECOND;
use crate::support::{Gauge, Log, settle};

#[tokio::test]
async fn items_are_emitted_in_order_one_after_the_other() {
    let signal = Signal::<u32>::new();
    let (log, gauge) = (Log::default(), Gauge::default());
    let (own, inside) = (log.clone(), gauge.clone());
    signal.on(async move |n| {
        let _inside = inside.enter();
        settle().await;
        own.push(n);
    });
    let forwarded = stream::iter(0..20).map(Ok).forward(signal.sink());
    forwarded.await.unwrap();
    assert_eq!(log.take(), (0..20).collect::<Vec<_>>());
    assert_eq!(gauge.peak(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_flush_waits_for_the_listeners() {
    let signal = Signal::<u32>::new();
    let log = Log::default();
    let own = log.clone();
    signal.on(async move |n| {
        tokio::time::sleep(SECOND).await;
        own.push(n);
    });
    let mut sink = signal.sink();
    // The first is taken at once, the second when the first is done.
    sink.feed(1).await.unwrap();
    assert_eq!(log.len(), 0);
    sink.feed(2).await.unwrap();
    assert_eq!(log.take(), [1]);
    sink.flush().await.unwrap();
    assert_eq!(log.take(), [2]);
    sink.feed(3).await.unwrap();
    sink.close().await.unwrap();
    assert_eq!(log.take(), [3]);
}

#[tokio::test]
async fn an_error_is_told_once_and_the_sink_goes_on() {
    let signal = Signal::<u32>::new();
    signal
        .listen()
        .key("db")
        .on(async |n| if n > 9 { Err("too large") } else { Ok(()) })
        .unwrap();
    let mut sink = signal.sink();
    let error = sink.send(12).await.unwrap_err();
    assert!(
        error.to_string().contains("`db` failed: too large"),
        "{error}"
    );
    sink.flush().await.unwrap();
    sink.feed(13).await.unwrap();
    assert!(sink.feed(4).await.is_err());
    sink.send(5).await.unwrap();
    assert_eq!(signal.stats().emissions(), 3);
    drop(signal.shutdown(SECOND).await);
    assert!(sink.send(6).await.is_err());
}

#[tokio::test]
async fn a_sink_that_is_dropped_cancels_what_is_under_way() {
    let signal = Signal::<u32>::new();
    let gauge = Gauge::default();
    let inside = gauge.clone();
    signal.on(async move |_| {
        let _inside = inside.enter();
        std::future::pending::<()>().await;
    });
    let mut sink = signal.sink();
    assert!(sink.send(1).now_or_never().is_none());
    assert_eq!(gauge.now(), 1);
    drop(sink);
    assert_eq!(gauge.now(), 0);
}

#[tokio::test]
async fn a_sink_into_the_buffer_waits_for_room_and_loses_nothing() {
    let signal = Signal::<u32>::builder().buffer(2).build();
    let log = Log::default();
    let own = log.clone();
    signal.on(async move |n| {
        settle().await;
        own.push(n);
    });
    let mut sink = signal.enqueue_sink();
    for n in 0..3 {
        sink.feed(n).await.unwrap();
    }
    assert!(log.len() < 3);
    sink.flush().await.unwrap();
    drop(sink);
    assert!(signal.shutdown(10 * SECOND).await.is_clean());
    assert_eq!(log.take(), [0, 1, 2]);
}

#[tokio::test]
async fn a_sink_into_the_buffer_gives_back_what_it_refuses() {
    let signal = Signal::<u32>::builder()
        .buffer(1)
        .overflow(Overflow::Reject)
        .build();
    signal.on(async |_| std::future::pending::<()>().await);
    let mut sink = signal.enqueue_sink();
    sink.send(1).await.unwrap();
    settle().await;
    sink.send(2).await.unwrap();
    assert_eq!(sink.send(3).await, Err(EnqueueError::Full(3)));
    sink.flush().await.unwrap();
    drop(signal.shutdown(Duration::ZERO).await);
    assert_eq!(sink.send(4).await, Err(EnqueueError::Closed(4)));
}

#[tokio::test]
async fn a_stream_of_one_signal_feeds_another() {
    let bus = Bus::new();
    let texts = bus.stream::<u32>().map(|n| Ok(n.to_string()));
    let copied = tokio::spawn(texts.forward(bus.sink::<String>()));
    let mut read = bus.stream::<String>();
    for n in 0..3_u32 {
        let _ = bus.emit(n).await;
    }
    for n in 0..3 {
        assert_eq!(read.next().await, Some(n.to_string()));
    }
    assert!(bus.shutdown(SECOND).await.is_clean());
    copied.await.unwrap().unwrap();
    let mut sink = bus.enqueue_sink::<String>();
    assert!(sink.send(String::new()).await.is_err());
    assert!(format!("{sink:?}").contains("EnqueueSink"));
}
