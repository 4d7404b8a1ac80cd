//! What each policy means to the emission.

use std::time::Duration;

use fanfare::{Outcome, Overflow, Pool, Signal};
use futures::{FutureExt as _, StreamExt as _};
use tokio::time::Instant;

use super::{SECOND, drain, emit, stream_full, stream_of};
use crate::support::{MODES, builders, on_pool, settle};

#[tokio::test]
async fn an_emission_is_told_what_became_of_its_event() {
    for (name, builder, _) in builders::<u32>() {
        for (policy, outcome, read) in [
            (Overflow::DropOldest, Outcome::Done, vec![2, 3]),
            (Overflow::DropNewest, Outcome::Done, vec![1, 2]),
            (Overflow::Reject, Outcome::Rejected, vec![1, 2]),
        ] {
            let signal = builder.clone().build();
            let mut stream = stream_of(&signal, 2, policy);
            emit(&signal, 1..=2).await;
            let report = signal.emit(3).await;
            assert_eq!(report.count(outcome), 1, "{name}, {policy:?}");
            let full = (policy == Overflow::Reject).then_some(2);
            assert_eq!(stream_full(&report), full, "{name}, {policy:?}");
            assert_eq!((drain(&mut stream), stream.lagged()), (read, 1));
        }
    }
}

#[tokio::test]
async fn a_rejection_names_what_the_stream_holds() {
    let signal = Signal::<u32>::new();
    let _stream = stream_of(&signal, 3, Overflow::Reject);
    emit(&signal, 1..=3).await;
    let error = signal.emit(4).await.into_result().unwrap_err().to_string();
    assert!(
        error.contains("3 events wait to be read, which is all that the stream holds"),
        "{error}"
    );
    assert_eq!(signal.stats().dropped(), 0);
}

#[tokio::test]
async fn a_policy_that_waits_holds_the_emission_until_there_is_room() {
    for mode in MODES {
        for policy in [Overflow::Wait, Overflow::WaitUpTo(SECOND)] {
            let signal = Signal::<u32>::builder().dispatch(mode).build();
            let mut stream = stream_of(&signal, 1, policy);
            emit(&signal, [1]).await;
            let emitter = tokio::spawn({
                let signal = signal.clone();
                async move { signal.emit(2).await.delivered() }
            });
            settle().await;
            assert!(!emitter.is_finished(), "{mode}, {policy:?}");
            assert_eq!(stream.next().await, Some(1));
            assert_eq!(emitter.await.unwrap(), 1, "{mode}, {policy:?}");
            assert_eq!((drain(&mut stream), stream.lagged()), (vec![2], 0));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_at_its_limit_and_no_sooner() {
    let signal = Signal::<u32>::new();
    let mut stream = stream_of(&signal, 1, Overflow::WaitUpTo(SECOND));
    emit(&signal, [1]).await;
    let start = Instant::now();
    let report = signal.emit(2).await;
    assert_eq!((start.elapsed(), stream_full(&report)), (SECOND, Some(1)));
    assert_eq!((drain(&mut stream), stream.lagged()), (vec![1], 1));
    assert_eq!(signal.emit(3).await.delivered(), 1);

    let reader = async {
        tokio::time::sleep(SECOND / 2).await;
        stream.next().await
    };
    let (report, read) = tokio::join!(signal.emit(4), reader);
    assert_eq!((report.delivered(), read), (1, Some(3)));
}

#[tokio::test]
async fn a_slow_stream_slows_only_the_emissions_of_its_own_signal_that_wait() {
    let signal = Signal::<u32>::new();
    let mut waits = stream_of(&signal, 1, Overflow::Wait);
    let mut fast = stream_of(&signal, 8, Overflow::DropOldest);
    emit(&signal, [1]).await;
    let mut second = Box::pin(signal.emit(2));
    assert!((&mut second).now_or_never().is_none());
    // The others have it already.
    assert_eq!(drain(&mut fast), [1, 2]);
    assert_eq!(drain(&mut waits), [1]);
    assert_eq!(second.await.delivered(), 2);

    let signal = Signal::<u32>::new();
    let slow = [Overflow::DropOldest, Overflow::DropNewest, Overflow::Reject]
        .map(|policy| stream_of(&signal, 1, policy));
    let mut fast = stream_of(&signal, 1, Overflow::Wait);
    for n in 0..100 {
        let report = signal.emit(n).now_or_never();
        assert!(report.is_some(), "{n}");
        assert_eq!(fast.next().await, Some(n));
    }
    assert_eq!(slow.map(|stream| stream.lagged()), [99, 99, 99]);
}

#[tokio::test]
async fn whoever_waits_for_room_is_served_in_order() {
    let signal = Signal::<u32>::new();
    let mut stream = stream_of(&signal, 1, Overflow::Wait);
    let mut emitters = tokio::task::JoinSet::new();
    for n in 0..10 {
        let signal = signal.clone();
        emitters.spawn(async move { signal.emit(n).await.delivered() });
        settle().await;
    }
    let read: Vec<_> = stream.by_ref().take(10).collect().await;
    assert_eq!(read, (0..10).collect::<Vec<_>>());
    assert_eq!(emitters.join_all().await, [1; 10]);
}

#[tokio::test]
async fn an_emission_that_is_dropped_while_it_waits_for_room_is_missed() {
    let signal = Signal::<u32>::new();
    let mut stream = stream_of(&signal, 1, Overflow::Wait).with_lag();
    emit(&signal, [1]).await;
    assert!(signal.emit(2).now_or_never().is_none());
    assert_eq!(stream.stream().lagged(), 1);
    assert_eq!(signal.stats().count(Outcome::Cancelled), 1);
    // Its place is free for the next.
    assert_eq!(stream.next().await, Some(Ok(1)));
    assert_eq!(stream.next().await.unwrap().unwrap_err().missed(), 1);
    assert_eq!(signal.emit(3).await.delivered(), 1);
    assert_eq!(drain(&mut stream), [Ok(3)]);
}

#[tokio::test]
async fn whoever_waits_for_room_holds_no_permit() {
    for mode in MODES {
        let pool = Pool::new(1);
        let (signal, other) = (on_pool::<u32>(mode, &pool), on_pool::<u32>(mode, &pool));
        let mut stream = stream_of(&signal, 1, Overflow::Wait);
        emit(&signal, [1]).await;
        let emitter = tokio::spawn(async move { signal.emit(2).await.delivered() });
        settle().await;
        assert!(!emitter.is_finished());
        other.on(async |_| ());
        let report = tokio::time::timeout(Duration::from_secs(60), other.emit(1)).await;
        assert_eq!(report.unwrap().delivered(), 1, "{mode}");
        assert_eq!(stream.next().await, Some(1));
        assert_eq!(emitter.await.unwrap(), 1);
        assert_eq!(pool.in_use(), 0);
    }
}
