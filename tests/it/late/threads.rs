//! Late listeners that come while others emit: each sees a tail of what was emitted before, then everything.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use fanfare::{Dispatch, Signal};
use proptest::prelude::*;

use crate::support::{MODES, join};

type Seen = Arc<Mutex<Vec<(u32, u32)>>>;

const EVENTS: u32 = 60;

/// Two emitters, each by its own verb, and listeners that come while they emit. What each listener has seen, and how many of what was kept it has asked for.
fn run(mode: Dispatch, kept: usize, asked: &[usize]) -> Vec<Seen> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    let builder = Signal::<(u32, u32)>::builder().dispatch(mode);
    let signal = builder
        .replay(kept)
        .runtime(runtime.handle().clone())
        .build();
    let seen: Vec<Seen> = asked.iter().map(|_| Seen::default()).collect();
    thread::scope(|scope| {
        let emitters = (0..2).map(|emitter| {
            let (signal, handle) = (signal.clone(), runtime.handle().clone());
            scope.spawn(move || {
                handle.block_on(async {
                    for n in 0..EVENTS {
                        let event = (emitter, n);
                        if emitter == 0 {
                            assert!(signal.emit(event).await.is_ok());
                        } else {
                            signal.enqueue(event).await.unwrap();
                        }
                    }
                });
            })
        });
        let mut threads: Vec<_> = emitters.collect();
        threads.extend(asked.iter().zip(&seen).map(|(&asked, seen)| {
            let (signal, seen) = (signal.clone(), Arc::clone(seen));
            scope.spawn(move || {
                let listen = signal.listen().replay_last(asked);
                listen
                    .on_sync(move |n| seen.lock().unwrap().push(*n))
                    .unwrap();
            })
        }));
        join(threads);
    });
    let left = runtime.block_on(signal.shutdown(Duration::from_secs(60)));
    assert!(left.is_clean(), "{left}");
    runtime.shutdown_timeout(Duration::from_secs(60));
    seen
}

proptest! {
    #![proptest_config(crate::support::cases(12))]

    #[test]
    fn a_late_listener_sees_a_tail_then_everything_with_no_gap_and_none_twice(
        mode in prop::sample::select(MODES.as_slice()),
        kept in 1_usize..200,
        asked in prop::collection::vec(1_usize..200, 1..4),
    ) {
        for seen in run(mode, kept, &asked) {
            let seen = seen.lock().unwrap();
            for emitter in 0..2 {
                let mut own: Vec<u32> = seen.iter().filter(|(by, _)| *by == emitter).map(|(_, n)| *n).collect();
                // Two emissions of one emitter are one after another, so are their calls: in a list of no gaps that ends with the last.
                let tail: Vec<u32> = (own.iter().min().copied().unwrap_or(EVENTS)..EVENTS).collect();
                if mode != Dispatch::Parallel {
                    prop_assert_eq!(&own, &tail);
                }
                own.sort_unstable();
                prop_assert_eq!(own, tail);
            }
        }
    }
}
