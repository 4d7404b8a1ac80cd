//! Streams of derived signals: what they keep, and when they end.

use std::time::Duration;

use fanfare::{Signal, Window};
use futures::{FutureExt as _, StreamExt as _};

use crate::support::poll_once;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_stream_keeps_its_derived_signal_and_lets_go_of_it() {
    let source = Signal::<u32>::new();
    let mut streams = vec![
        source.filter(|n| n % 2 == 0).map(|n| n * 10).stream(),
        source
            .map(|n| n * 10)
            .listen()
            .key("ui")
            .stream()
            .buffer(1)
            .build()
            .unwrap(),
    ];
    assert_eq!(source.len(), 2);
    for n in 1..=4 {
        assert!(source.emit(n).await.is_ok());
    }
    let last = streams.pop().unwrap();
    assert_eq!((last.key(), last.lagged()), (Some("ui"), 3));
    drop(last);
    assert_eq!(source.len(), 1);
    let mut even = streams.pop().unwrap();
    assert_eq!((even.next().await, even.next().await), (Some(20), Some(40)));
    drop(even);
    assert!(source.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_one_source_ends_with_its_shutdown_after_what_that_gave_out() {
    let source = Signal::<u32>::new();
    let mut windows = source.window(Window::count(10)).stream();
    for n in 1..=3 {
        assert!(source.emit(n).await.is_ok());
    }
    assert!(poll_once(&mut windows.next()).is_none());
    assert!(source.shutdown(SECOND).await.is_clean());
    let window = windows.next().await.unwrap();
    assert_eq!(
        (&window[..], windows.next().await.is_none()),
        (&[1, 2, 3][..], true)
    );
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_two_sources_ends_with_the_last_of_them() {
    let (left, right) = (Signal::<u32>::new(), Signal::<u32>::new());
    let mut both = left.merge(&right).stream();
    let mut next = left.merge(&right).next(|n| *n > 9);
    assert!(left.shutdown(SECOND).await.is_clean());
    assert!(poll_once(&mut both.next()).is_none());
    assert!(right.emit(1).await.is_ok());
    assert_eq!(both.next().await, Some(1));
    assert!(poll_once(&mut next).is_none());
    assert!(right.shutdown(SECOND).await.is_clean());
    assert_eq!((both.next().await, next.await), (None, None));
}

#[tokio::test]
async fn the_next_event_of_a_derived_signal_is_waited_for_from_the_call_on() {
    let source = Signal::<u32>::new();
    let large = source.map(|n| n * 10).next(|n| *n > 20);
    for n in 1..=4 {
        assert!(source.emit(n).await.is_ok());
    }
    assert_eq!(large.now_or_never(), Some(Some(30)));
    assert!(source.is_empty());
}
