//! What is counted: exact, whoever counts, reads, comes and goes meanwhile.

use fanfare::{Outcome, Signal};
use shuttle::future::{spawn, yield_now};

use crate::support::{Gauge, beside, check, task};

/// More tasks than have a shard of their own, so that some share one.
#[test]
fn calls_are_counted_exactly_while_listeners_come_and_go() {
    check(|| async {
        let signal = Signal::<u32>::new();
        let (first, second) = (Gauge::default(), Gauge::default());
        let seen = first.clone();
        let staying = signal.on_sync(move |_| drop(seen.enter()));
        let emitters = [0, 1, 2, 3].map(|n| {
            let signal = signal.clone();
            task(async move {
                for _ in 0..2 {
                    assert!(signal.emit(n).await.is_ok());
                }
            })
        });
        let (other, seen, seen_by_now) = (signal.clone(), second.clone(), second.clone());
        let changer = spawn(async move {
            let going = other.on(async move |_| drop(seen.enter()));
            yield_now().await;
            assert!(other.stats().emissions() <= 8);
            going.remove();
            going.removed().await;
            // At once, although the list that it was in may be just about to go.
            assert_eq!(going.metadata().calls(), seen_by_now.total() as u64);
            going
        });
        beside(emitters).await;
        let going = changer.await.unwrap();
        assert_eq!(first.total(), 8);
        assert_eq!(staying.metadata().calls(), 8);
        assert_eq!(going.metadata().calls(), second.total() as u64);
        let stats = signal.stats();
        assert_eq!((stats.emissions(), stats.dead()), (8, 0));
        let done = stats.count(Outcome::Done);
        assert_eq!(done, 8 + second.total() as u64);
    });
}

#[test]
fn counts_that_are_read_by_two_are_settled_once() {
    check(|| async {
        let signal = Signal::<u32>::new();
        let listener = signal.on_sync(|_| {});
        let other = signal.clone();
        let emitter = task(async move { assert!(other.emit(1).await.is_ok()) });
        let readers = [1, 2].map(|_| {
            let signal = signal.clone();
            task(async move { assert!(signal.stats().emissions() <= 1) })
        });
        beside(readers.into_iter().chain([emitter])).await;
        assert_eq!(listener.metadata().calls(), 1);
        assert_eq!(signal.stats().emissions(), 1);
    });
}
