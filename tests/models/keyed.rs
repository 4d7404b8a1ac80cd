//! Order by key: the turn of a key goes from one to the next, keys that fall idle are forgotten, and lanes that come free are used.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use fanfare::{Signal, without_permit};
use shuttle::future::yield_now;

use crate::support::{Gauge, NEVER, beside, check, task};

/// Key and number.
type Event = (u32, u32);

/// A keyed signal, and what its listener has been called with. Two calls of a key that overlap are a failure.
fn keyed(lanes: usize) -> (Signal<Event>, Arc<Mutex<Vec<Event>>>) {
    let signal = Signal::<Event>::builder()
        .keyed_by(|event: &Event| event.0)
        .lanes(lanes)
        .build();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let inside = [Gauge::default(), Gauge::default()];
    let list = Arc::clone(&seen);
    signal.on(async move |event: Event| {
        let gauge = &inside[event.0 as usize];
        let call = gauge.enter();
        assert_eq!(gauge.now(), 1, "two calls of a key overlap");
        list.lock().unwrap().push(event);
        yield_now().await;
        drop(call);
    });
    (signal, seen)
}

fn of_key(seen: &Mutex<Vec<Event>>, key: u32) -> Vec<u32> {
    let seen = seen.lock().unwrap();
    let of_key = seen.iter().filter(|event| event.0 == key);
    of_key.map(|event| event.1).collect()
}

/// A task a key; each event may find its key idle, or just about to be forgotten.
#[test]
fn events_of_a_key_come_in_order_and_none_is_lost() {
    check(|| async {
        let (signal, seen) = keyed(1);
        let tasks = [0, 1].map(|key| {
            let signal = signal.clone();
            task(async move {
                signal.enqueue((key, 0)).await.unwrap();
                signal.enqueue((key, 1)).await.unwrap();
                assert_eq!(signal.emit((key, 2)).await.delivered(), 1);
                signal.enqueue((key, 3)).await.unwrap();
            })
        });
        beside(tasks).await;
        assert!(signal.shutdown(NEVER).await.is_clean());
        for key in [0, 1] {
            assert_eq!(of_key(&seen, key), [0, 1, 2, 3]);
        }
        assert_eq!(signal.active_keys(), 0);
    });
}

/// Of one key only, and so of a line that comes and goes.
#[test]
fn a_key_that_falls_idle_as_an_event_comes_has_one_turn() {
    check(|| async {
        let (signal, seen) = keyed(2);
        let tasks = [0, 1, 2].map(|number| {
            let signal = signal.clone();
            task(async move { assert_eq!(signal.emit((0, number)).await.delivered(), 1) })
        });
        beside(tasks).await;
        assert_eq!(of_key(&seen, 0).len(), 3);
        assert_eq!(signal.active_keys(), 0);
    });
}

#[test]
fn who_leaves_the_line_as_its_turn_comes_hands_it_on() {
    check(|| async {
        let (signal, seen) = keyed(2);
        let stay = [0, 1].map(|number| {
            let signal = signal.clone();
            task(async move { assert_eq!(signal.emit((0, number)).await.delivered(), 1) })
        });
        let leaves = signal.clone();
        let leaves = task(async move {
            let mut emission = Box::pin(leaves.emit((0, 2)));
            let polled = poll_fn(|cx| Poll::Ready(emission.as_mut().poll(cx)));
            if polled.await.is_pending() {
                yield_now().await;
            }
        });
        beside(stay.into_iter().chain([leaves])).await;
        assert!(of_key(&seen, 0).len() >= 2);
        assert_eq!(signal.active_keys(), 0);
    });
}

/// The first event sleeps without its lane until the second has run.
#[test]
fn a_lane_that_is_given_back_is_used_by_what_waits() {
    check(|| async {
        let signal = Signal::<Event>::builder()
            .keyed_by(|event: &Event| event.0)
            .lanes(1)
            .build();
        let second = Gauge::default();
        let seen = second.clone();
        signal.on(async move |event: Event| {
            if event.0 == 1 {
                seen.visit().await;
                return;
            }
            let waits = async {
                for _ in 0..1_000 {
                    if seen.total() > 0 {
                        return;
                    }
                    yield_now().await;
                }
                panic!("nobody uses the lane that is free");
            };
            without_permit(waits).await;
        });
        signal.enqueue((0, 0)).await.unwrap();
        signal.enqueue((1, 0)).await.unwrap();
        assert!(signal.shutdown(NEVER).await.is_clean());
        assert_eq!(signal.stats().count(fanfare::Outcome::Panicked), 0);
    });
}

/// Two keys that wait for each other, on one lane that becomes two.
#[test]
fn a_lane_that_is_added_is_used() {
    check(|| async {
        let signal = Signal::<Event>::builder()
            .keyed_by(|event: &Event| event.0)
            .lanes(1)
            .build();
        let inside = Gauge::default();
        let seen = inside.clone();
        signal.on_sync(|_| {});
        signal.on(async move |_: Event| {
            let _inside = seen.enter();
            for _ in 0..1_000 {
                if seen.total() == 2 {
                    return;
                }
                // A listener that keeps its thread busy does not suspend.
                shuttle::thread::yield_now();
            }
            panic!("nobody uses the lane that was added");
        });
        signal.resize_lanes(2).unwrap();
        signal.enqueue((0, 0)).await.unwrap();
        signal.enqueue((1, 0)).await.unwrap();
        assert!(signal.shutdown(NEVER).await.is_clean());
        assert_eq!(signal.stats().count(fanfare::Outcome::Panicked), 0);
    });
}

#[test]
fn lanes_that_change_bound_what_runs_and_lose_nothing() {
    check(|| async {
        let (signal, seen) = keyed(2);
        let changing = signal.clone();
        let changes = task(async move {
            for lanes in [1, 2, 1] {
                changing.resize_lanes(lanes).unwrap();
                yield_now().await;
            }
        });
        let sending = signal.clone();
        let sends = task(async move {
            for event in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                sending.enqueue(event).await.unwrap();
            }
        });
        beside([changes, sends]).await;
        assert!(signal.shutdown(NEVER).await.is_clean());
        assert_eq!(
            (of_key(&seen, 0), of_key(&seen, 1)),
            (vec![0, 1], vec![0, 1])
        );
    });
}
