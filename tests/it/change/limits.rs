//! Rate and concurrency limits that change while calls pass, wait and run.

use fanfare::layer::{Change, Concurrency, RateLimit};
use fanfare::{Outcome, Signal, Subscription};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::{SECOND, layers, observed};
use crate::support::{Gauge, Log, settle};

/// A listener that notes when it is called: its event, and the milliseconds since the start.
fn limited(signal: &Signal<u32>, limit: RateLimit) -> (Subscription, Log<(u32, u64)>) {
    let (log, start) = (Log::default(), Instant::now());
    let sink = log.clone();
    let sub = signal.listen().rate_limit(limit).on(async move |n| {
        let since = u64::try_from(start.elapsed().as_millis()).unwrap();
        sink.push((n, since));
    });
    (sub.unwrap(), log)
}

fn emit(signal: &Signal<u32>, events: &[u32]) -> Vec<JoinHandle<usize>> {
    let one = |n: &u32| {
        let (signal, n) = (signal.clone(), *n);
        tokio::spawn(async move { signal.emit(n).await.delivered() })
    };
    events.iter().map(one).collect()
}

/// How many of so many emissions are delivered at once.
async fn pass(signal: &Signal<u32>, event: u32, calls: u32) -> usize {
    let mut passed = 0;
    for _ in 0..calls {
        passed += signal.emit(event).await.delivered();
    }
    passed
}

fn change(limit: RateLimit) -> Change {
    Change::new().rate_limit(limit)
}

#[tokio::test(start_paused = true)]
async fn a_higher_rate_gives_no_tokens_and_lets_them_come_faster() {
    let signal = Signal::new();
    let (sub, _) = limited(&signal, RateLimit::per_second(10).reject());
    assert_eq!(pass(&signal, 1, 7).await, 7);
    sub.change(change(RateLimit::per_second(50).reject()))
        .unwrap();
    assert_eq!(pass(&signal, 1, 20).await, 3, "those that were there");
    sleep(SECOND / 10).await;
    assert_eq!(pass(&signal, 1, 20).await, 5);
    sleep(10 * SECOND).await;
    assert_eq!(pass(&signal, 1, 100).await, 50, "the new burst");
}

#[tokio::test(start_paused = true)]
async fn a_lower_rate_takes_what_the_new_burst_does_not_hold_and_owes_nothing() {
    let signal = Signal::new();
    let (sub, _) = limited(&signal, RateLimit::per_second(100).reject());
    assert_eq!(pass(&signal, 1, 60).await, 60);
    sub.change(change(RateLimit::per_second(5).reject()))
        .unwrap();
    assert_eq!(pass(&signal, 1, 20).await, 5);
    sub.change(change(RateLimit::new(1, SECOND).reject()))
        .unwrap();
    sleep(SECOND).await;
    assert_eq!(pass(&signal, 1, 20).await, 1, "no debt of five seconds");
    assert_eq!(layers(&sub), "rate limit (1 in 1s, bursts of 1, rejects)");
}

#[tokio::test(start_paused = true)]
async fn the_tokens_of_each_key_survive() {
    let signal = Signal::new();
    let limit = RateLimit::per_second(10).reject().per_key(|n: &u32| *n);
    let handle = limit.handle();
    let (sub, _) = limited(&signal, limit);
    for key in 0..10 {
        assert_eq!(pass(&signal, key, key).await, key as usize);
    }
    sub.change(change(RateLimit::per_second(50).reject()))
        .unwrap();
    sub.change(change(RateLimit::per_second(40).reject()))
        .unwrap();
    for key in 1..10 {
        assert_eq!(pass(&signal, key, 20).await, 10 - key as usize);
    }
    assert_eq!(pass(&signal, 77, 100).await, 40, "a new key has all");
    assert_eq!(handle.keys(), 10);
    let words = "rate limit (40 in 1s, bursts of 40, rejects, per key)";
    assert_eq!(layers(&sub), words);
    let fewer = RateLimit::per_second(40).reject().max_keys(10);
    sub.change(change(fewer)).unwrap();
    assert_eq!(signal.emit(1_000).await.count(Outcome::Rejected), 1);
}

#[tokio::test(start_paused = true)]
async fn calls_that_wait_have_their_turns_by_the_new_rate_in_their_order() {
    let signal = Signal::new();
    let (sub, log) = limited(&signal, RateLimit::new(1, 10 * SECOND));
    let emissions = emit(&signal, &[0, 1, 2, 3]);
    sleep(5 * SECOND).await;
    // Half of a token has come.
    sub.change(change(RateLimit::new(1, SECOND))).unwrap();
    let more = emit(&signal, &[4]);
    for emission in emissions.into_iter().chain(more) {
        assert_eq!(emission.await.unwrap(), 1);
    }
    let turns = [(0, 0), (1, 5_500), (2, 6_500), (3, 7_500), (4, 8_500)];
    assert_eq!(log.take(), turns);
}

#[tokio::test(start_paused = true)]
async fn calls_that_wait_slow_down_with_the_rate_also_beyond_the_time_of_a_new_wait() {
    let signal = Signal::new();
    let (sub, log) = limited(&signal, RateLimit::new(1, SECOND));
    let emissions = emit(&signal, &[0, 1, 2]);
    settle().await;
    let slow = RateLimit::new(1, 10 * SECOND).wait_up_to(SECOND);
    sub.change(change(slow)).unwrap();
    assert_eq!(signal.emit(3).await.count(Outcome::Rejected), 1);
    for emission in emissions {
        assert_eq!(emission.await.unwrap(), 1);
    }
    assert_eq!(log.take(), [(0, 0), (1, 10_000), (2, 20_000)]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_after_a_change_gives_its_turn_back() {
    let signal = Signal::new();
    let (sub, log) = limited(&signal, RateLimit::new(1, 10 * SECOND));
    let emissions = emit(&signal, &[0, 1, 2]);
    settle().await;
    sub.change(change(RateLimit::new(1, SECOND))).unwrap();
    emissions[2].abort();
    settle().await;
    assert_eq!(signal.emit(3).await.delivered(), 1);
    assert_eq!(log.take(), [(0, 0), (1, 1_000), (3, 2_000)]);
}

/// A listener that stays until it is let go, and who is in it.
fn staying(signal: &Signal<u32>, limit: Concurrency) -> (Subscription, Gauge) {
    let gauge = Gauge::default();
    let inside = gauge.clone();
    let sub = signal.listen().concurrency(limit).on(async move |n| {
        let _inside = inside.enter();
        sleep(SECOND * (n + 1)).await;
    });
    (sub.unwrap(), gauge)
}

#[tokio::test(start_paused = true)]
async fn a_higher_limit_wakes_those_who_wait_at_once() {
    let signal = Signal::new();
    let limit = Concurrency::new(2);
    let handle = limit.handle();
    let (sub, gauge) = staying(&signal, limit);
    let emissions = emit(&signal, &[0; 8]);
    settle().await;
    assert_eq!((gauge.now(), handle.waiting()), (2, 6));
    sub.change(Change::new().concurrency(Concurrency::new(5)))
        .unwrap();
    settle().await;
    assert_eq!((gauge.now(), handle.running(), handle.waiting()), (5, 5, 3));
    for emission in emissions {
        assert_eq!(emission.await.unwrap(), 1);
    }
    assert_eq!((gauge.peak(), gauge.total(), handle.peak()), (5, 8, 5));
    assert_eq!((handle.running(), handle.waiting()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_lower_limit_holds_as_calls_end() {
    let signal = Signal::new();
    let (sub, gauge) = staying(&signal, Concurrency::new(4));
    let emissions = emit(&signal, &[0, 1, 2, 3, 0, 0, 0]);
    settle().await;
    assert_eq!(gauge.now(), 4);
    sub.change(Change::new().concurrency(Concurrency::new(2)))
        .unwrap();
    for (after, running) in [(0, 4), (1, 3), (1, 2), (1, 2)] {
        sleep(SECOND * after).await;
        settle().await;
        assert_eq!(gauge.now(), running);
    }
    gauge.reset_peak();
    for emission in emissions {
        assert_eq!(emission.await.unwrap(), 1);
    }
    assert_eq!((gauge.peak(), gauge.total()), (2, 7));
    assert_eq!(layers(&sub), "concurrency (2 at once)");
}

#[tokio::test(start_paused = true)]
async fn a_limit_changes_for_each_key_and_for_what_a_new_call_does_when_it_is_full() {
    let signal = Signal::new();
    let limit = Concurrency::new(1).per_key(|n: &u32| *n);
    let handle = limit.handle();
    let (sub, gauge) = staying(&signal, limit);
    let emissions = emit(&signal, &[0, 0, 0, 1, 1, 1]);
    settle().await;
    assert_eq!(gauge.now(), 2);
    let two = Concurrency::new(2).reject().max_keys(2);
    sub.change(Change::new().concurrency(two)).unwrap();
    settle().await;
    assert_eq!((gauge.now(), handle.peak_of(&0_u32)), (4, Some(2)));
    // Those who wait still do. Others are rejected, as is a third key.
    assert_eq!(signal.emit(0).await.count(Outcome::Rejected), 1);
    assert_eq!(signal.emit(2).await.count(Outcome::Rejected), 1);
    for emission in emissions {
        assert_eq!(emission.await.unwrap(), 1);
    }
    let words = "concurrency (2 at once, rejects, per key of 2)";
    assert_eq!(layers(&sub), words);
}

#[tokio::test(start_paused = true)]
async fn what_is_shared_is_changed_for_all_that_share_it_and_told_once() {
    let (builder, log) = observed::<u32>();
    let signal = builder
        .rate_limit(RateLimit::per_second(10).reject().shared())
        .concurrency(Concurrency::new(1).reject().shared())
        .build();
    let slow = async |_| sleep(SECOND).await;
    let one = signal.listen().key("one").on(slow).unwrap();
    let other = signal.listen().key("other").on(slow).unwrap();
    // One place for both.
    assert_eq!(signal.emit(1).await.delivered(), 1);
    let both = Change::new().rate_limit(RateLimit::per_second(4).reject());
    one.change(both.concurrency(Concurrency::new(2))).unwrap();
    assert_eq!(signal.emit(1).await.delivered(), 2);
    let words =
        "rate limit (4 in 1s, bursts of 4, rejects, shared) > concurrency (2 at once, shared)";
    assert_eq!((layers(&one), layers(&other)), (words.into(), words.into()));
    // One that comes later shares it as it is now.
    assert_eq!(layers(&signal.on(slow)), words);
    let told = log.take();
    let expected = [
        "`one` of `orders`: rate limit: 10 in 1s, bursts of 10, rejects, shared -> 4 in 1s, bursts of 4, rejects, shared",
        "`one` of `orders`: concurrency: 1 at once, rejects, shared -> 2 at once, shared",
    ];
    assert_eq!(told, expected);
}
