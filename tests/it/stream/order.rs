//! Streams that keep the latest of each key, and that read what is urgent first.

use fanfare::{DropReason, Overflow, Signal};
use futures::StreamExt as _;
use proptest::prelude::*;

use super::{drain, emit};
use crate::support::Log;

#[tokio::test]
async fn the_latest_of_each_key_is_where_the_first_was_and_the_rest_is_missed() {
    let signal = Signal::<u32>::new();
    let dropped = Log::default();
    let log = dropped.clone();
    let stream = signal.listen().stream().latest_by(|n: &u32| n / 10);
    let stream = stream.on_dropped(move |n, why| log.push((n, why)));
    let mut stream = stream.build().unwrap();
    emit(&signal, [11, 21, 12, 31, 13]).await;
    assert_eq!((stream.len(), stream.lagged()), (3, 2));
    assert_eq!(drain(&mut stream), [13, 21, 31]);
    emit(&signal, [14]).await;
    assert_eq!(drain(&mut stream), [14]);
    let superseded = DropReason::Superseded;
    assert_eq!(dropped.take(), [(11, superseded), (12, superseded)]);
    assert_eq!(signal.stats().dropped_by(superseded), 2);
}

#[tokio::test]
async fn what_is_superseded_is_a_gap_before_what_comes_next() {
    let signal = Signal::<u32>::new();
    let stream = signal.listen().stream().latest_by(|n: &u32| n / 10);
    let mut stream = stream.build().unwrap().with_lag();
    emit(&signal, [11, 21, 12]).await;
    assert_eq!(stream.next().await.unwrap().unwrap_err().missed(), 1);
    assert_eq!(
        (stream.next().await, stream.next().await),
        (Some(Ok(12)), Some(Ok(21)))
    );
}

#[tokio::test]
async fn a_full_stream_of_the_latest_still_takes_what_is_newer() {
    let signal = Signal::<u32>::new();
    let stream = signal.listen().stream().latest_by(|n: &u32| n / 10);
    let stream = stream.buffer(2).overflow(Overflow::Reject);
    let mut stream = stream.build().unwrap();
    emit(&signal, [11, 21]).await;
    assert!(signal.emit(12).await.is_ok());
    assert_eq!(signal.emit(31).await.failed(), 1);
    assert_eq!(drain(&mut stream), [12, 21]);
}

#[tokio::test]
async fn what_is_urgent_is_read_first_and_nothing_starves() {
    let signal = Signal::<u32>::new();
    let lanes = signal.listen().stream().buffer(4);
    let lanes = lanes.priorities(2, |n| usize::from(*n >= 10)).aging(2);
    let mut stream = lanes.build().unwrap();
    assert_eq!(stream.capacity(), 8);
    emit(&signal, [10, 11, 12, 1, 2, 3, 4]).await;
    assert_eq!(drain(&mut stream), [1, 2, 10, 3, 4, 11, 12]);
    // A lane that is full costs the other nothing.
    emit(&signal, [10, 11, 12, 13, 14, 1]).await;
    assert_eq!(drain(&mut stream), [1, 11, 12, 13, 14]);
    assert_eq!(stream.lagged(), 1);
}

#[test]
fn options_that_make_no_sense_are_refused_by_name() {
    let signal = Signal::<u32>::new();
    let refused = [
        signal.listen().stream().priorities(1, |_| 0).build(),
        signal.listen().stream().aging(3).build(),
        signal
            .listen()
            .stream()
            .priorities(2, |_| 0)
            .aging(0)
            .build(),
    ];
    let words = refused.map(|stream| stream.unwrap_err().to_string());
    for (words, option) in words.iter().zip(["priorities", "aging", "aging"]) {
        assert!(words.contains(&format!("`{option}`")), "{words}");
    }
    assert!(signal.is_empty());
}

proptest! {
    #![proptest_config(crate::support::cases(256))]

    /// Whatever the lanes, the keys and the policy: what was read, missed and waits is what was offered, and what comes last of a key is what is read last of it.
    #[test]
    fn everything_that_is_offered_is_read_or_missed(
        steps in prop::collection::vec(prop::option::weighted(0.7, 0..40_u32), 1..80),
        policy in prop::sample::select(vec![Overflow::DropOldest, Overflow::DropNewest, Overflow::Reject]),
        capacity in 1..5_usize,
        by_key: bool,
        lanes: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let signal = Signal::<(u32, u64)>::builder().on_failure(|_| {}).build();
            let mut stream = signal.listen().stream().buffer(capacity).overflow(policy);
            if by_key {
                stream = stream.latest_by(|(key, _): &(u32, u64)| key % 8);
            }
            if lanes {
                stream = stream.priorities(3, |(key, _)| (key % 3) as usize).aging(2);
            }
            let mut stream = stream.build().unwrap().with_lag();
            let (mut offered, mut read, mut missed) = (0, Vec::new(), 0);
            for step in steps.into_iter().map(Some).chain([None]) {
                match step {
                    Some(Some(key)) => {
                        offered += 1;
                        let _ = signal.emit((key, offered)).await;
                    }
                    Some(None) | None => for item in drain(&mut stream) {
                        match item {
                            Ok(event) => read.push(event),
                            Err(gap) => missed += gap.missed(),
                        }
                    },
                }
            }
            prop_assert_eq!(read.len() as u64 + missed, offered);
            for key in 0..8 {
                let own = read.iter().filter(|(n, _)| by_key && n % 8 == key);
                let numbers: Vec<_> = own.map(|(_, number)| number).collect();
                prop_assert!(lanes || numbers.is_sorted(), "{:?}", numbers);
            }
            Ok(())
        })?;
    }
}
