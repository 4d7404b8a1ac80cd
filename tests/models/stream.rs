//! Streams: no event waits for a reader that sleeps, nobody waits for a reader that is gone, and the books agree.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use fanfare::{EventStream, Outcome, Overflow, Signal};
use futures::StreamExt as _;
use shuttle::future::yield_now;

use crate::support::{NEVER, beside, check, task};

fn stream(signal: &Signal<u32>, capacity: usize, policy: Overflow) -> EventStream<u32> {
    let builder = signal.listen().stream().buffer(capacity);
    builder.overflow(policy).build().unwrap()
}

#[test]
fn no_event_is_left_without_a_reader_that_knows() {
    check(|| async {
        let signal = Signal::<u32>::new();
        let mut stream = stream(&signal, 4, Overflow::DropOldest);
        let reader = task(async move {
            // Nothing else comes that would wake it.
            assert_eq!(stream.next().await, Some(1));
        });
        let _ = signal.emit(1).await;
        reader.await.unwrap();
    });
}

#[test]
fn whoever_waits_for_room_is_let_in_in_turn() {
    check(|| async {
        let signal = Signal::<u32>::new();
        let mut stream = stream(&signal, 1, Overflow::Wait);
        let emitters = [10, 20].map(|first| {
            let signal = signal.clone();
            task(async move {
                for n in 0..3 {
                    assert_eq!(signal.emit(first + n).await.delivered(), 1);
                }
            })
        });
        let mut read = Vec::new();
        while read.len() < 6 {
            read.push(stream.next().await.unwrap());
        }
        for first in [10, 20] {
            let own: Vec<_> = read.iter().filter(|n| *n / 10 == first / 10).collect();
            assert_eq!(own, [&first, &(first + 1), &(first + 2)]);
        }
        beside(emitters).await;
        assert_eq!(stream.lagged(), 0);
    });
}

#[test]
fn a_stream_that_is_dropped_lets_go_of_who_waits_for_room() {
    check(|| async {
        let signal = Signal::<u32>::new();
        let stream = stream(&signal, 1, Overflow::Wait);
        let emitters = [1, 2, 3].map(|n| {
            let signal = signal.clone();
            task(async move { assert!(signal.emit(n).await.is_ok()) })
        });
        yield_now().await;
        drop(stream);
        beside(emitters).await;
        assert!(signal.is_empty());
        assert!(signal.shutdown(NEVER).await.is_clean());
    });
}

#[test]
fn what_is_offered_as_a_stream_is_dropped_is_counted() {
    check(|| async {
        let signal = Signal::<u32>::new();
        let stream = stream(&signal, 4, Overflow::Reject);
        let own = signal.clone();
        let emitter = task(async move {
            for n in 0..2 {
                let _ = own.emit(n).await;
            }
        });
        drop(stream);
        emitter.await.unwrap();
        let stats = signal.stats();
        assert_eq!(stats.count(Outcome::Done), stats.dropped());
    });
}

#[test]
fn the_last_event_comes_before_the_end() {
    check(|| async {
        let signal = Signal::<u32>::new();
        let mut stream = stream(&signal, 4, Overflow::DropOldest);
        let emitter = task(async move {
            let _ = signal.emit(1).await;
        });
        assert_eq!(stream.next().await, Some(1));
        assert_eq!(stream.next().await, None);
        emitter.await.unwrap();
    });
}

#[test]
fn a_stream_ends_with_the_shutdown_or_its_removal() {
    check(|| async {
        let signal = Signal::<u32>::new();
        let keyed = signal.listen().key("stream").stream().build().unwrap();
        let plain = signal.stream();
        let reader = |mut stream: EventStream<u32>| {
            task(async move { while stream.next().await.is_some() {} })
        };
        let readers = [reader(keyed), reader(plain)];
        let own = signal.clone();
        let remover = task(async move {
            own.remove("stream");
        });
        let _ = signal.emit(1).await;
        assert!(signal.shutdown(NEVER).await.is_clean());
        beside(readers).await;
        remover.await.unwrap();
    });
}

#[test]
fn taken_and_missed_are_what_was_offered() {
    for policy in [Overflow::DropOldest, Overflow::DropNewest, Overflow::Reject] {
        check(move || async move {
            let signal = Signal::<u32>::new();
            let mut stream = stream(&signal, 1, policy).with_lag();
            let (taken, gaps) = (
                Arc::new(Mutex::new(Vec::new())),
                Arc::new(AtomicU64::new(0)),
            );
            let (list, sum) = (Arc::clone(&taken), Arc::clone(&gaps));
            let reader = task(async move {
                while let Some(item) = stream.next().await {
                    match item {
                        Ok(event) => list.lock().unwrap().push(event),
                        Err(gap) => {
                            sum.fetch_add(gap.missed(), Ordering::SeqCst);
                        }
                    }
                }
                assert_eq!(stream.stream().lagged(), sum.load(Ordering::SeqCst));
            });
            let emitters = [10, 20].map(|first| {
                let signal = signal.clone();
                task(async move {
                    for n in 0..3 {
                        let _ = signal.emit(first + n).await;
                    }
                })
            });
            beside(emitters).await;
            assert!(signal.shutdown(NEVER).await.is_clean());
            reader.await.unwrap();
            let taken = taken.lock().unwrap().clone();
            assert_eq!(taken.len() as u64 + gaps.load(Ordering::SeqCst), 6);
            for first in [10, 20] {
                let own = taken.iter().filter(|n| *n / 10 == first / 10);
                assert!(own.is_sorted());
            }
        });
    }
}
