//! Streams with layers and pools around them, and many of them.

use fanfare::layer::Retry;
use fanfare::{Dispatch, Outcome, Overflow, Pause, Pool, Rollout, Signal};
use futures::{FutureExt as _, StreamExt as _};

use super::{POLICIES, SECOND, drain, emit, stream_full};
use crate::support::{MODES, settle};

#[tokio::test(start_paused = true)]
async fn a_retry_around_it_offers_the_event_again() {
    let signal = Signal::<u32>::new();
    let retry = Retry::constant(SECOND).jitter(0.0).max_attempts(3);
    let stream = signal.listen().retry(retry).stream().buffer(1);
    let mut stream = stream.overflow(Overflow::Reject).build().unwrap();
    emit(&signal, [1]).await;
    let reader = async {
        tokio::time::sleep(SECOND / 2).await;
        stream.next().await
    };
    let (report, read) = tokio::join!(signal.emit(2), reader);
    assert_eq!((report.delivered(), read), (1, Some(1)));
    // The first attempt is missed, and the second is not.
    assert_eq!((stream.lagged(), drain(&mut stream)), (1, vec![2]));
    emit(&signal, [3]).await;
    let report = signal.emit(4).await;
    assert_eq!(stream_full(&report), Some(1));
    assert_eq!(stream.lagged(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_around_it_ends_the_wait_for_room() {
    let signal = Signal::<u32>::new();
    let stream = signal.listen().timeout(SECOND).stream().buffer(1);
    let mut stream = stream.overflow(Overflow::Wait).build().unwrap();
    emit(&signal, [1]).await;
    let report = signal.emit(2).await;
    assert_eq!(report.count(Outcome::TimedOut), 1);
    assert_eq!((drain(&mut stream), stream.lagged()), (vec![1], 1));
}

#[tokio::test]
async fn an_emission_in_tasks_fills_every_stream() {
    for pool in [None, Some(2)] {
        for policy in POLICIES {
            let builder = Signal::<u32>::builder().dispatch(Dispatch::Parallel);
            let builder = match pool {
                Some(size) => builder.pool(Pool::new(size)),
                None => builder,
            };
            let signal = builder.build();
            let build = |_| signal.listen().stream().buffer(64).overflow(policy).build();
            let mut streams: Vec<_> = (0..8).map(|n| build(n).unwrap()).collect();
            for n in 0..50 {
                assert_eq!(signal.emit(n).await.delivered(), 8);
            }
            for stream in &mut streams {
                assert_eq!(drain(stream), (0..50).collect::<Vec<_>>());
            }
        }
    }
}

#[tokio::test]
async fn a_thousand_streams_come_and_go() {
    for mode in MODES {
        let signal = Signal::<u32>::builder()
            .dispatch(mode)
            .max_listeners(1_000)
            .build();
        let streams: Vec<_> = (0..1_000).map(|_| signal.stream()).collect();
        let mut readers = tokio::task::JoinSet::new();
        for (n, stream) in streams.into_iter().enumerate() {
            readers.spawn(stream.take(n % 3 + 1).collect::<Vec<_>>());
        }
        for n in 0..3 {
            assert!(signal.emit(n).await.is_ok());
            settle().await;
        }
        let read = readers.join_all().await;
        assert_eq!(
            read.iter().map(Vec::len).sum::<usize>(),
            334 + 333 * 2 + 333 * 3
        );
        assert!(read.iter().all(|one| [0, 1, 2].starts_with(one)));
        assert!(signal.is_empty());
    }
}

#[tokio::test]
async fn a_pause_holds_what_the_stream_is_to_have() {
    let signal = Signal::<u32>::new();
    let mut stream = signal.listen().key("stream").stream().build().unwrap();
    signal
        .pause("stream", Pause::until_resumed().buffer(10))
        .unwrap();
    emit(&signal, 1..=3).await;
    assert_eq!(stream.next().now_or_never(), None);
    signal.resume("stream").unwrap();
    assert_eq!(stream.by_ref().take(3).collect::<Vec<_>>().await, [1, 2, 3]);
}

#[tokio::test]
async fn a_rollout_says_which_events_a_stream_has() {
    let signal = Signal::<u32>::new();
    let rollout = Rollout::by_key(0.0, |n: &u32| n.to_string());
    let mut stream = signal.listen().rollout(&rollout).stream().build().unwrap();
    emit(&signal, 0..10).await;
    assert_eq!(drain(&mut stream), Vec::<u32>::new());
    rollout.set(1.0).unwrap();
    emit(&signal, 10..12).await;
    assert_eq!(drain(&mut stream), [10, 11]);
}
