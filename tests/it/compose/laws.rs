//! The laws: what may be written in two ways comes to the same, also while emitters run beside each other and listeners come and go.
//!
//! `FANFARE_CASES` sets the number of cases.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fanfare::{Derived, Event, OneOf2, OneOf3, Signal, Window};
use proptest::prelude::*;

use super::record;
use crate::support::Log;

/// The emitter, and the number of the event among its own.
type Numbered = (usize, u32);

/// Emits each list from a task of its own, awaited one by one, and says what came out of both.
fn run<T: Event>(
    lists: &[Vec<u32>],
    make: impl FnOnce(&Signal<Numbered>) -> [Derived<T>; 2],
) -> [Vec<T>; 2] {
    let source = Signal::<Numbered>::new();
    let both = make(&source);
    let logs = both.each_ref().map(record);
    on_two_threads(async {
        let emitters: Vec<_> = (0..)
            .zip(lists.iter().cloned())
            .map(|(emitter, list)| {
                let source = source.clone();
                tokio::spawn(async move {
                    for n in list {
                        assert!(source.emit((emitter, n)).await.is_ok());
                    }
                })
            })
            .collect();
        for emitter in emitters {
            emitter.await.unwrap();
        }
    });
    drop(both);
    assert!(source.is_empty());
    logs.map(|log| log.take())
}

fn on_two_threads(work: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).build().unwrap();
    runtime.block_on(work);
}

fn sorted<T: Ord>(mut events: Vec<T>) -> Vec<T> {
    events.sort();
    events
}

fn lists() -> impl Strategy<Value = Vec<Vec<u32>>> {
    prop::collection::vec(prop::collection::vec(0..100_u32, 0..30), 1..4)
}

proptest! {
    #![proptest_config(crate::support::cases(48))]

    #[test]
    fn a_filter_of_a_filter_is_a_filter_by_both(lists in lists(), p in 1..7_u32, q in 1..7_u32) {
        let [twice, both] = run(&lists, |source| [
            source.filter(move |(_, n)| n % p == 0).filter(move |(_, n)| n % q == 0),
            source.filter(move |(_, n)| n % p == 0 && n % q == 0),
        ]);
        let expected = (0..).zip(&lists).flat_map(|(emitter, list)| {
            let kept = list.iter().filter(|n| *n % p == 0 && *n % q == 0);
            kept.map(move |n| (emitter, *n))
        });
        let expected = sorted(expected.collect());
        prop_assert_eq!(sorted(twice), expected.clone());
        prop_assert_eq!(sorted(both), expected);
    }

    #[test]
    fn a_map_that_changes_nothing_changes_nothing(lists in lists()) {
        let [mapped, inspected] = run(&lists, |source| {
            [source.map(Clone::clone), source.inspect(|_| {})]
        });
        let all = (0..).zip(&lists).flat_map(|(emitter, list)| list.iter().map(move |n| (emitter, *n)));
        prop_assert_eq!(sorted(mapped), sorted(all.collect::<Vec<_>>()));
        prop_assert_eq!(inspected.len(), lists.iter().map(Vec::len).sum::<usize>());
    }

    #[test]
    fn a_map_of_a_map_is_a_map_by_both(lists in lists(), by in 0..10_u32) {
        let [twice, once] = run(&lists, |source| [
            source.map(move |(_, n)| n + by).map(|n| n * 2),
            source.map(move |(_, n)| (n + by) * 2),
        ]);
        prop_assert_eq!(sorted(twice), sorted(once));
    }

    #[test]
    fn a_filter_map_is_a_map_and_a_filter(lists in lists(), p in 1..7_u32) {
        let [one, two] = run(&lists, |source| [
            source.filter_map(move |(_, n)| (n % p == 0).then_some(n / p)),
            source.filter(move |(_, n)| n % p == 0).map(move |(_, n)| n / p),
        ]);
        prop_assert_eq!(sorted(one), sorted(two));
    }

    #[test]
    fn the_parts_of_a_partition_merged_are_the_source(lists in lists()) {
        let [merged, same] = run(&lists, |source| {
            let (a, b, c) = source.partition(|event| match event.1 % 3 {
                0 => OneOf3::A(*event),
                1 => OneOf3::B(*event),
                _ => OneOf3::C(*event),
            });
            [a.merge_all([b, c]), source.filter(|_| true)]
        });
        prop_assert_eq!(sorted(merged), sorted(same));
    }

    #[test]
    fn a_merge_keeps_the_order_of_each_source(sizes in prop::collection::vec(0..40_u32, 2..4)) {
        let sources: Vec<Signal<Numbered>> = sizes.iter().map(|_| Signal::new()).collect();
        let merged = sources[0].merge_all(&sources[1..]);
        let log = record(&merged);
        on_two_threads(async {
            let emitters: Vec<_> = sources.iter().cloned().zip(&sizes).enumerate().map(|(emitter, (source, size))| {
                let size = *size;
                tokio::spawn(async move {
                    for n in 0..size {
                        assert!(source.emit((emitter, n)).await.is_ok());
                    }
                })
            }).collect();
            for emitter in emitters {
                emitter.await.unwrap();
            }
        });
        let all = log.take();
        for (emitter, size) in sizes.iter().enumerate() {
            let own: Vec<u32> = all.iter().filter(|event| event.0 == emitter).map(|event| event.1).collect();
            prop_assert_eq!(own, (0..*size).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_windows_of_concurrent_emitters_have_each_event_once(lists in lists(), size in 1..9_usize) {
        let source = Signal::<Numbered>::new();
        let windows = source.window(Window::count(size));
        let log = Log::default();
        let seen = log.clone();
        windows.on_sync(move |window| seen.push(window.to_vec()));
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_time().build().unwrap();
        runtime.block_on(async {
            let emitters: Vec<_> = (0..).zip(lists.iter().cloned()).map(|(emitter, list)| {
                let source = source.clone();
                tokio::spawn(async move {
                    for n in list {
                        assert!(source.emit((emitter, n)).await.is_ok());
                    }
                })
            }).collect();
            for emitter in emitters {
                emitter.await.unwrap();
            }
            assert!(source.shutdown(std::time::Duration::from_secs(600)).await.is_clean());
        });
        let windows = log.take();
        let partial = windows.iter().filter(|window| window.len() != size).count();
        prop_assert!(partial <= 1);
        let all = (0..).zip(&lists).flat_map(|(emitter, list)| list.iter().map(move |n| (emitter, *n)));
        prop_assert_eq!(sorted(windows.concat()), sorted(all.collect::<Vec<_>>()));
    }
}

/// Derived signals and their listeners come and go beside the emitters; those that stay have each event once.
#[test]
fn who_stays_has_each_event_once_while_others_come_and_go() {
    const EVENTS: u32 = 2_000;
    let source = Signal::<Numbered>::builder().max_listeners(1_000).build();
    let stays = source.filter(|_| true);
    let (even, odd) = stays.partition(|event| match event.1 % 2 {
        0 => OneOf2::A(*event),
        _ => OneOf2::B(*event),
    });
    let merged = even.merge(&odd);
    let logs = [record(&stays), record(&merged)];
    let stop = Arc::new(AtomicBool::new(false));
    on_two_threads(async {
        let emitters = [0, 1].map(|emitter| {
            let source = source.clone();
            tokio::spawn(async move {
                for n in 0..EVENTS {
                    assert!(source.emit((emitter, n)).await.is_ok());
                    tokio::task::yield_now().await;
                }
            })
        });
        let others = [0, 1].map(|_| {
            let (source, stays, stop) = (source.clone(), stays.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    let window = stays.window(Window::count(3));
                    let chain = window.map(|window| window.len()).merge(source.map(|_| 0));
                    let first = chain.on(async |_| tokio::task::yield_now().await);
                    tokio::task::yield_now().await;
                    let second = stays.on_sync(|_| {});
                    first.remove();
                    tokio::task::yield_now().await;
                    second.remove();
                    let _once = chain.listen().once().on(async |_| {});
                }
            })
        });
        for emitter in emitters {
            emitter.await.unwrap();
        }
        stop.store(true, Ordering::SeqCst);
        for other in others {
            other.await.unwrap();
        }
    });
    for log in logs {
        let mut counts = HashMap::<Numbered, usize>::new();
        for event in log.take() {
            *counts.entry(event).or_default() += 1;
        }
        assert_eq!(counts.len(), 2 * EVENTS as usize);
        assert!(counts.values().all(|count| *count == 1));
    }
    drop((stays, even, odd, merged));
    assert!(source.is_empty());
}
