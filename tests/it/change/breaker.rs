//! Circuit breakers that change while they count, are open, and let probes through.

use std::time::Duration;

use fanfare::layer::{BreakerHandle, BreakerState, Change, CircuitBreaker};
use fanfare::{Outcome, Signal, Subscription};
use tokio::time::{advance, sleep};

use super::{SECOND, layers, observed};
use crate::support::{Log, settle};

/// A listener that fails for odd events.
fn guarded(signal: &Signal<u32>, breaker: CircuitBreaker) -> (Subscription, BreakerHandle) {
    let handle = breaker.handle();
    let listen = signal.listen().circuit_breaker(breaker);
    let fails = async |n: u32| if n % 2 == 1 { Err("down") } else { Ok(()) };
    (listen.on(fails).unwrap(), handle)
}

fn change(breaker: CircuitBreaker) -> Change {
    Change::new().circuit_breaker(breaker)
}

/// How many calls its window has, and how many of them have failed.
fn window(handle: &BreakerHandle) -> (usize, usize) {
    let status = &handle.breakers()[0];
    (status.calls(), status.failed())
}

fn state(handle: &BreakerHandle) -> BreakerState {
    handle.breakers()[0].state()
}

async fn emit(signal: &Signal<u32>, events: &[u32]) {
    for event in events {
        signal.emit(*event).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_window_survives_with_its_counts_and_the_new_rate_decides_at_the_next_call() {
    let signal = Signal::new();
    let (sub, handle) = guarded(&signal, CircuitBreaker::new().failure_rate(0.9));
    emit(&signal, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]).await;
    assert_eq!(window(&handle), (10, 5));
    sub.change(change(CircuitBreaker::new().failure_rate(0.4)))
        .unwrap();
    assert_eq!(
        (window(&handle), state(&handle)),
        ((10, 5), BreakerState::Closed)
    );
    emit(&signal, &[2]).await;
    assert_eq!(state(&handle), BreakerState::Open);
    let words = "circuit breaker (0.4 of 100 calls, open for 30s)";
    assert_eq!(layers(&sub), words);
}

#[tokio::test(start_paused = true)]
async fn a_window_of_another_size_or_kind_carries_over_what_it_can() {
    let signal = Signal::new();
    let calls = |n| {
        CircuitBreaker::new()
            .failure_rate(1.0)
            .min_calls(1)
            .window_calls(n)
    };
    let time = |length, buckets| {
        let breaker = CircuitBreaker::new().failure_rate(1.0);
        breaker.window_time(length, buckets)
    };
    let (sub, handle) = guarded(&signal, calls(10));
    emit(&signal, &[1, 1, 2, 2, 2, 1]).await;
    // The opening of the first call is undone by hand.
    handle.reset();
    emit(&signal, &[2, 1, 1, 2, 2, 1]).await;
    sub.change(change(calls(4))).unwrap();
    assert_eq!(window(&handle), (4, 2), "the newest four");
    sub.change(change(time(10 * SECOND, 10))).unwrap();
    assert_eq!(window(&handle), (4, 2), "as ended now");
    sleep(5 * SECOND).await;
    emit(&signal, &[2, 2]).await;
    sub.change(change(time(100 * SECOND, 100))).unwrap();
    assert_eq!(window(&handle), (6, 2), "at the times that they have");
    sub.change(change(time(4 * SECOND, 4))).unwrap();
    assert_eq!(window(&handle), (2, 0), "the young ones");
    sub.change(change(calls(10))).unwrap();
    assert_eq!(window(&handle), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_stays_open_for_the_new_time_since_it_opened() {
    let signal = Signal::new();
    let opens = || CircuitBreaker::new().min_calls(2);
    let (sub, handle) = guarded(&signal, opens().open_for(60 * SECOND));
    emit(&signal, &[1, 1]).await;
    advance(10 * SECOND).await;
    let left = || handle.breakers()[0].retry_after().unwrap();
    assert_eq!(left(), 50 * SECOND);
    sub.change(change(opens().open_for(15 * SECOND))).unwrap();
    assert_eq!((state(&handle), left()), (BreakerState::Open, 5 * SECOND));
    assert_eq!(signal.emit(2).await.count(Outcome::Rejected), 1);
    sub.change(change(opens().open_for(5 * SECOND))).unwrap();
    assert_eq!(
        (state(&handle), left()),
        (BreakerState::Open, Duration::ZERO)
    );
    assert_eq!(signal.emit(2).await.delivered(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_round_of_probes_survives_and_is_decided_by_the_new_numbers() {
    let signal = Signal::new();
    let log = Log::default();
    let sink = log.clone();
    let breaker = || CircuitBreaker::new().min_calls(2).open_for(SECOND);
    let first = breaker().probes(5).probe_successes(5);
    let first = first.on_change(move |change| sink.push((change.from(), change.to())));
    let (sub, handle) = guarded(&signal, first);
    emit(&signal, &[1, 1]).await;
    advance(SECOND).await;
    emit(&signal, &[2, 2]).await;
    assert_eq!(state(&handle), BreakerState::HalfOpen);
    log.take();
    sub.change(change(breaker().probes(5).probe_successes(3)))
        .unwrap();
    assert_eq!(state(&handle), BreakerState::HalfOpen);
    sub.change(change(breaker().probes(3).probe_successes(2)))
        .unwrap();
    // The callback of the first config stays.
    assert_eq!(log.take(), [(BreakerState::HalfOpen, BreakerState::Closed)]);
}

#[tokio::test(start_paused = true)]
async fn what_is_a_failure_stays_unless_told() {
    let signal = Signal::new();
    let (sub, handle) = guarded(&signal, CircuitBreaker::new().failure_if(|_| false));
    emit(&signal, &[1]).await;
    sub.change(change(CircuitBreaker::new().probes(9))).unwrap();
    emit(&signal, &[1]).await;
    assert_eq!(window(&handle), (2, 0));
    sub.change(change(CircuitBreaker::new().failure_if(|_| true)))
        .unwrap();
    emit(&signal, &[1]).await;
    assert_eq!(window(&handle), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn the_breaker_of_each_key_is_changed_and_so_are_those_to_come() {
    let signal = Signal::new();
    let breaker = CircuitBreaker::new().min_calls(4).per_key(|n: &u32| *n);
    let (sub, handle) = guarded(&signal, breaker);
    emit(&signal, &[1, 1, 3, 3, 3, 1]).await;
    sub.change(change(CircuitBreaker::new().min_calls(2).max_keys(3)))
        .unwrap();
    emit(&signal, &[1, 5, 5]).await;
    let open = |key: &str| {
        let all = handle.breakers();
        let one = all.iter().find(|one| one.key() == Some(key)).unwrap();
        (one.state() == BreakerState::Open, one.calls())
    };
    assert_eq!(
        (open("1"), open("3"), open("5")),
        ((true, 4), (false, 3), (true, 2))
    );
    let words = "circuit breaker (0.5 of 100 calls, at least 2, open for 30s, per key of 3)";
    assert_eq!(layers(&sub), words);
}

#[tokio::test(start_paused = true)]
async fn a_shared_breaker_is_changed_for_all_and_told_once() {
    let (builder, log) = observed::<u32>();
    let signal = builder.build();
    let breaker = CircuitBreaker::new().min_calls(4).shared();
    let (one, handle) = guarded(&signal, breaker.clone());
    let (other, _) = guarded(&signal, breaker);
    emit(&signal, &[1]).await;
    one.change(change(CircuitBreaker::new().min_calls(3)))
        .unwrap();
    assert_eq!(window(&handle), (2, 2));
    emit(&signal, &[1]).await;
    settle().await;
    assert_eq!(
        (handle.breakers().len(), state(&handle)),
        (1, BreakerState::Open)
    );
    assert_eq!(layers(&one), layers(&other));
    assert_eq!(log.take().len(), 1);
}
