//! What a stream yields, and what it says of itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fanfare::{Bus, Overflow, RegisterError, Signal};
use futures::{FutureExt as _, StreamExt as _};
use tokio::select;

use super::{POLICIES, SECOND, drain, emit, stream_of};
use crate::support::{MODES, builders, settle};

#[tokio::test]
async fn a_stream_yields_every_event_in_order_under_every_policy() {
    for policy in POLICIES {
        for (name, builder, _) in builders::<u32>() {
            let signal = builder.build();
            let mut stream = stream_of(&signal, 4, policy);
            for round in 0..5 {
                for n in 0..3 {
                    let report = signal.emit(3 * round + n).await;
                    assert_eq!(report.delivered(), 1, "{name}, {policy:?}");
                }
                let read = drain(&mut stream);
                assert_eq!(read, [0, 1, 2].map(|n| 3 * round + n), "{name}, {policy:?}");
            }
            assert_eq!(stream.lagged(), 0);
        }
    }
}

#[tokio::test]
async fn a_stream_sees_the_events_that_are_emitted_after_it_was_made() {
    let signal = Signal::<u32>::new();
    emit(&signal, [1]).await;
    let mut early = signal.stream();
    emit(&signal, [2]).await;
    let mut late = signal.stream();
    emit(&signal, [3]).await;
    assert_eq!((drain(&mut early), drain(&mut late)), (vec![2, 3], vec![3]));
}

#[tokio::test]
async fn a_reader_that_waits_is_woken() {
    for policy in POLICIES {
        for mode in MODES {
            let signal = Signal::<u32>::builder().dispatch(mode).build();
            let mut stream = stream_of(&signal, 1, policy);
            let reader = tokio::spawn(async move { (stream.next().await, stream.next().await) });
            settle().await;
            let _ = signal.emit(1).await;
            settle().await;
            let _ = signal.emit(2).await;
            assert_eq!(reader.await.unwrap(), (Some(1), Some(2)), "{policy:?}");
        }
    }
}

#[tokio::test]
async fn a_reader_that_is_dropped_while_it_waits_has_taken_nothing() {
    let signal = Signal::<u32>::new();
    let mut stream = signal.stream();
    for n in 0..10 {
        assert_eq!(stream.next().now_or_never(), None);
        select! {
            biased;
            got = stream.next() => panic!("{got:?} was not emitted yet"),
            report = signal.emit(n) => assert_eq!(report.delivered(), 1),
        }
        assert_eq!(stream.next().await, Some(n));
    }
}

#[tokio::test]
async fn a_stream_has_the_options_of_a_listener() {
    let signal = Signal::<u32>::new();
    let order = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&order);
    let mut late = signal
        .listen()
        .key("late")
        .stage(1)
        .filter(move |n| {
            seen.fetch_add(1, Ordering::SeqCst);
            n % 2 == 0
        })
        .times(2)
        .stream()
        .build()
        .unwrap();
    signal.listen().priority(-1).on_sync(|_| ()).unwrap();
    assert_eq!(
        (late.key(), signal.keys()),
        (Some("late"), vec!["late".to_owned()])
    );
    assert_eq!(signal.metadata("late").unwrap().stage(), 1);
    assert!(matches!(
        signal.listen().key("late").stream().build().map(drop),
        Err(RegisterError::DuplicateKey { .. })
    ));
    emit(&signal, 0..8).await;
    assert_eq!(late.by_ref().collect::<Vec<_>>().await, [0, 2]);
    assert_eq!(signal.len(), 1);
    assert!(
        late.metadata()
            .is_none_or(|metadata| metadata.key() == Some("late"))
    );
}

#[tokio::test]
async fn a_stream_of_a_batch_begins_with_its_commit() {
    let signal = Signal::<u32>::new();
    let batch = signal.batch();
    let mut stream = batch.listen().stream().build().unwrap();
    emit(&signal, [1]).await;
    batch.commit().unwrap();
    emit(&signal, [2]).await;
    assert_eq!(drain(&mut stream), [2]);

    let batch = signal.batch();
    let mut never = batch.listen().stream().build().unwrap();
    drop(batch);
    assert_eq!(never.next().await, None);
}

#[tokio::test]
async fn a_stream_says_how_much_it_holds_and_how_much_it_can() {
    let signal = Signal::<u32>::new();
    let mut stream = stream_of(&signal, 3, Overflow::DropOldest);
    assert_eq!(
        (stream.len(), stream.is_empty(), stream.capacity()),
        (0, true, 3)
    );
    emit(&signal, 0..5).await;
    assert_eq!((stream.len(), stream.lagged()), (3, 2));
    assert_eq!(futures::Stream::size_hint(&stream), (3, None));
    stream.next().await;
    assert_eq!((stream.len(), stream.is_empty()), (2, false));
    assert_eq!(signal.stream().capacity(), 1_024);
    assert!(format!("{stream:?}").contains("lagged: 2"), "{stream:?}");
}

#[test]
fn options_that_make_no_sense_are_refused_by_name() {
    let signal = Signal::<u32>::new();
    let refused = |result: Result<_, RegisterError>| {
        let error = result.map(drop).unwrap_err();
        let RegisterError::Option(error) = error else {
            panic!("{error}")
        };
        (error.option(), error.value().to_owned())
    };
    let stream = || signal.listen().stream();
    for size in [0, (1 << 24) + 1] {
        let told = refused(stream().buffer(size).build());
        assert_eq!(told, ("buffer", size.to_string()));
    }
    let none = Overflow::WaitUpTo(std::time::Duration::ZERO);
    let told = refused(stream().overflow(none).build());
    assert_eq!(told, ("overflow", "WaitUpTo(0ns)".to_owned()));
    assert!(signal.is_empty());
    for size in [1, 1 << 24] {
        assert_eq!(stream().buffer(size).build().unwrap().capacity(), size);
    }
    let waits = stream().overflow(Overflow::WaitUpTo(SECOND)).build();
    assert!(waits.is_ok());
}

#[test]
#[should_panic(expected = "is a reference")]
fn a_stream_of_references_is_refused() {
    drop(Signal::<&'static str>::new().stream());
}

#[tokio::test]
async fn the_streams_of_a_bus_are_those_of_its_signals() {
    let bus = Bus::new();
    let (mut numbers, mut texts) = (bus.stream::<u32>(), bus.stream::<String>());
    let _ = bus.emit(1_u32).await;
    let _ = bus.emit("two".to_owned()).await;
    assert_eq!(bus.signal::<u32>().len(), 1);
    assert_eq!(
        (drain(&mut numbers), drain(&mut texts)),
        (vec![1], vec!["two".to_owned()])
    );
}

/// An endless loop over a stream that always has something gives way to the tasks beside it.
#[tokio::test]
async fn a_reader_that_always_finds_something_lets_others_run() {
    let signal = Signal::<u32>::new();
    let own = signal.clone();
    let mut stream = signal.stream();
    emit(&signal, [0]).await;
    let reader = tokio::spawn(async move {
        while let Some(n) = stream.next().await {
            // An emission that is ready at once asks nobody for leave.
            let _ = own.emit(n).now_or_never();
        }
    });
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    reader.abort();
    assert!(reader.await.unwrap_err().is_cancelled());
}
