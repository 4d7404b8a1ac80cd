//! Listeners that come late, while events are emitted.

use std::sync::{Arc, Mutex};

use fanfare::Signal;

use crate::support::{NEVER, beside, check, task};

type Seen = Arc<Mutex<Vec<u32>>>;

fn keeping() -> Signal<u32> {
    Signal::builder().replay(2).build()
}

async fn emitter(signal: Signal<u32>) {
    for n in 0..3 {
        assert!(signal.emit(n).await.is_ok());
    }
}

fn listen(signal: &Signal<u32>) -> Seen {
    let seen = Seen::default();
    let log = Arc::clone(&seen);
    let listen = signal.listen().replay();
    listen
        .on_sync(move |n| log.lock().unwrap().push(*n))
        .unwrap();
    seen
}

async fn ends_with_all_from_its_first(signal: Signal<u32>, seen: Seen) {
    let left = signal.shutdown(NEVER).await;
    assert!(left.is_clean(), "{left}");
    let seen = seen.lock().unwrap();
    // Two are kept: whenever it comes, it has the last two at least.
    let first = seen.first().copied().unwrap_or(3);
    assert!(first <= 1, "{seen:?}");
    assert_eq!(*seen, (first..3).collect::<Vec<_>>());
}

#[test]
fn a_late_listener_has_no_gap_and_no_event_twice() {
    check(|| async {
        let signal = keeping();
        let emits = task(emitter(signal.clone()));
        let (registers, seen) = (signal.clone(), Seen::default());
        let found = Arc::clone(&seen);
        let register = task(async move {
            let log = Arc::clone(&found);
            let listen = registers.listen().replay();
            listen
                .on_sync(move |n| log.lock().unwrap().push(*n))
                .unwrap();
        });
        beside([emits, register]).await;
        ends_with_all_from_its_first(signal, seen).await;
    });
}

#[test]
fn a_late_listener_of_buffered_events_has_no_gap_and_no_event_twice() {
    check(|| async {
        let signal = keeping();
        let enqueues = signal.clone();
        let enqueue = task(async move {
            for n in 0..3 {
                enqueues.enqueue(n).await.unwrap();
            }
        });
        let seen = listen(&signal);
        enqueue.await.unwrap();
        ends_with_all_from_its_first(signal, seen).await;
    });
}
