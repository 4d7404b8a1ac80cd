//! Limits on how often signals emit.

use std::time::Duration;

use fanfare::layer::RateLimit;
use fanfare::{
    Bus, Cancellation, Cause, Dispatch, Outcome, Pause, Pool, Rejection, Report, Signal,
};
use futures::future::join_all;
use proptest::prelude::*;
use tokio::time::{Instant, sleep};

use crate::support::{Gauge, Log, MODES, settle};

const SECOND: Duration = Duration::from_secs(1);

/// One a second.
fn slow() -> RateLimit {
    RateLimit::per_second(1).burst(1)
}

fn limited(limit: RateLimit) -> Signal<u32> {
    Signal::builder().emission_limit(limit).build()
}

fn is_limited(report: &Report) -> bool {
    let limited = |cause: &Cause| matches!(cause, Cause::Rejected(Rejection::RateLimited { .. }));
    report.entries().iter().all(|entry| limited(entry.cause()))
}

#[tokio::test(start_paused = true)]
async fn emissions_wait_for_their_turn_and_say_how_long() {
    for mode in MODES {
        let limit = slow();
        let builder = Signal::<u32>::builder().dispatch(mode);
        let signal = builder.emission_limit(limit.clone()).build();
        let gauge = Gauge::default();
        let calls = gauge.clone();
        signal.on(async move |_| drop(calls.enter()));
        signal.on_sync(|_| ());
        let began = Instant::now();
        let reports = join_all((0..4).map(|n| signal.emit(n))).await;
        for (report, seconds) in reports.iter().zip(0..) {
            assert_eq!(
                (report.delivered(), report.waited()),
                (2, SECOND * seconds),
                "{mode}"
            );
        }
        assert_eq!((began.elapsed(), gauge.total()), (3 * SECOND, 4));
        let handle = limit.handle();
        assert_eq!(
            (handle.passed(), handle.waits(), handle.waiting()),
            (4, 3, 0)
        );
        assert_eq!(handle.wait_time(), 6 * SECOND);
    }
}

#[tokio::test(start_paused = true)]
async fn an_emission_that_comes_too_late_is_rejected_for_each_listener() {
    for limit in [slow().reject(), slow().wait_up_to(SECOND / 2)] {
        let signal = limited(limit.clone());
        let gauge = Gauge::default();
        for _ in 0..2 {
            let calls = gauge.clone();
            signal.on_sync(move |_| drop(calls.enter()));
        }
        assert!(signal.emit(1).await.is_ok());
        let report = signal.emit(2).await;
        assert_eq!((report.count(Outcome::Rejected), gauge.total()), (2, 2));
        assert!(is_limited(&report), "{report}");
        assert_eq!(limit.handle().rejections(), 1);
        sleep(3 * SECOND / 4).await;
        let waits = signal.emit(3).await;
        assert_eq!(waits.is_ok(), waits.waited() == SECOND / 4);
    }
}

#[tokio::test(start_paused = true)]
async fn a_bus_has_one_limit_for_all_and_that_of_a_signal_comes_first() {
    let (all, own) = (slow(), RateLimit::new(1, 10 * SECOND).burst(1).reject());
    let of_signal = own.clone();
    let bus = Bus::builder().emission_limit(all.clone());
    let bus = bus.signal::<u8>(move |signal| signal.emission_limit(of_signal));
    let bus = bus.build();
    bus.on(async |_: u8| {});
    bus.on(async |_: u32| {});
    assert_eq!(bus.emit(1_u32).await.waited(), Duration::ZERO);
    assert_eq!(bus.emit(1_u8).await.waited(), SECOND, "the same limit");
    let refused = bus.emit(2_u8).await;
    assert!(
        is_limited(&refused) && refused.waited().is_zero(),
        "{refused}"
    );
    assert_eq!((own.handle().passed(), all.handle().passed()), (1, 2));
    assert_eq!(
        bus.emit(2_u32).await.waited(),
        SECOND,
        "it took none of the bus"
    );
}

#[tokio::test(start_paused = true)]
async fn deadline_cancellation_and_drop_end_the_wait_and_give_the_turn_back() {
    let limit = slow();
    let signal = limited(limit.clone());
    signal.on_sync(|_| ());
    assert!(signal.emit(0).await.is_ok());
    let late = signal.emit(1).timeout(SECOND / 2).await;
    assert_eq!(
        (late.count(Outcome::Cancelled), late.waited()),
        (1, SECOND / 2)
    );
    let token = tokio_util::sync::CancellationToken::new();
    token.cancel();
    let cancelled = signal.emit(1).cancel_on(token).await;
    assert_eq!(
        (cancelled.count(Outcome::Cancelled), cancelled.waited()),
        (1, Duration::ZERO)
    );
    assert!(
        tokio::time::timeout(SECOND / 4, signal.emit(1))
            .await
            .is_err()
    );
    let next = signal.emit(2).await;
    assert_eq!((next.delivered(), next.waited()), (1, SECOND / 4));
    assert_eq!((limit.handle().passed(), limit.handle().waiting()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn no_permit_is_held_while_an_emission_waits() {
    for mode in MODES {
        let pool = Pool::new(1);
        let builder = Signal::<u32>::builder().dispatch(mode).pool(pool.clone());
        let signal = builder.emission_limit(slow()).build();
        signal.on(async |_| {});
        let other = Signal::<u32>::builder()
            .dispatch(mode)
            .pool(pool.clone())
            .build();
        let nested = signal.clone().downgrade();
        // It waits for a nested emission, which waits for its turn.
        other.on(async move |n| drop(nested.upgrade().unwrap().emit(n).await));
        let looks = async {
            sleep(SECOND / 2).await;
            assert_eq!(pool.in_use(), 0, "{mode}");
        };
        let (a, b, c, ()) = tokio::join!(signal.emit(1), signal.emit(2), other.emit(3), looks);
        assert!(a.is_ok() && b.is_ok() && c.is_ok());
        assert_eq!(b.waited(), SECOND);
    }
}

#[tokio::test(start_paused = true)]
async fn keyed_emissions_pay_in_their_turn_and_hold_no_lane() {
    let builder = Signal::<u32>::builder().keyed_by(|n| n % 2).lanes(1);
    let signal = builder.emission_limit(slow()).build();
    let log = Log::default();
    let seen = log.clone();
    signal.on(async move |n| seen.push(n));
    let began = Instant::now();
    for n in 0..4 {
        signal.enqueue(n).await.unwrap();
    }
    assert!(signal.emit(4).await.is_ok());
    sleep(10 * SECOND).await;
    let seen = log.take();
    let of_key = |key| {
        seen.iter()
            .copied()
            .filter(|n| n % 2 == key)
            .collect::<Vec<_>>()
    };
    assert_eq!((of_key(0), of_key(1)), (vec![0, 2, 4], vec![1, 3]));
    assert!(began.elapsed() >= 4 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn buffered_and_detached_emissions_wait_in_their_own_tasks() {
    let signal = Signal::<u32>::builder()
        .emission_limit(slow())
        .buffer(2)
        .max_detached(2)
        .build();
    let log = Log::default();
    let seen = log.clone();
    let began = Instant::now();
    signal.on_sync(move |n| seen.push((*n, began.elapsed().as_secs())));
    // One passes, one waits, two are in the buffer.
    for n in 0..4 {
        signal.try_enqueue(n).unwrap();
        settle().await;
    }
    assert!(signal.try_enqueue(9).unwrap_err().is_full());
    sleep(10 * SECOND).await;
    assert_eq!(log.take(), [(0, 0), (1, 1), (2, 2), (3, 3)]);
    for n in 0..2 {
        signal.emit_detached(n).unwrap();
        settle().await;
    }
    signal.emit_detached(2).unwrap();
    assert!(signal.emit_detached(9).unwrap_err().is_full());
    sleep(10 * SECOND).await;
    assert_eq!(log.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_was_held_and_an_event_without_listeners_take_no_token() {
    let limit = slow().reject();
    let signal = limited(limit.clone());
    for n in 0..3 {
        assert!(signal.emit(n).await.is_empty());
    }
    let sub = signal.on_sync(|_| ());
    sub.pause(Pause::until_resumed().buffer(5)).unwrap();
    assert_eq!(signal.emit(1).await.count(Outcome::Deferred), 1);
    sub.resume();
    settle().await;
    assert_eq!(
        (limit.handle().passed(), limit.handle().rejections()),
        (1, 0)
    );
    assert_eq!(signal.stats().count(Outcome::Done), 1);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_what_waits_and_cancels_it_in_the_end() {
    let signal = limited(slow());
    signal.on_sync(|_| ());
    assert!(signal.emit(0).await.is_ok());
    let other = signal.clone();
    let shuts_down = async {
        tokio::task::yield_now().await;
        other.shutdown(3 * SECOND / 2).await
    };
    let (one, two, left) = tokio::join!(signal.emit(1), signal.emit(2), shuts_down);
    assert!(one.is_ok() && !left.is_clean());
    let cause = two.entries()[0].cause();
    assert!(
        matches!(cause, Cause::Cancelled(Cancellation::Shutdown)),
        "{cause}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_limit_by_key_and_its_panics() {
    let limit = slow().reject().per_key(|n: &u32| {
        assert_ne!(*n, 13, "thirteen");
        n % 10
    });
    let signal = limited(limit);
    signal.on_sync(|_| ());
    assert!(signal.emit(1).await.is_ok());
    assert!(signal.emit(2).await.is_ok());
    assert!(is_limited(&signal.emit(11).await));
    let panicked = signal.emit(13).await;
    assert_eq!(panicked.count(Outcome::Panicked), 1, "{panicked}");
}

#[tokio::test(start_paused = true)]
async fn options_that_make_no_sense_are_refused_by_name_and_a_limit_is_described() {
    let none = RateLimit::per_second(0);
    let error = Signal::<u32>::builder()
        .emission_limit(none.clone())
        .try_build();
    assert_eq!(error.unwrap_err().option(), "calls");
    let error = Bus::builder().emission_limit(none).try_build().unwrap_err();
    assert_eq!(error.option(), "calls");
    let words = limited(slow()).describe().to_string();
    assert!(
        words.contains("emission limit: 1 in 1s, bursts of 1"),
        "{words}"
    );
    let kept = Signal::<u32>::builder()
        .replay(7)
        .build()
        .describe()
        .to_string();
    assert!(kept.contains("replay: the last 7"), "{kept}");
}

proptest! {
    #![proptest_config(crate::support::cases(64))]

    #[test]
    fn in_any_time_there_are_no_more_than_the_burst_and_what_the_rate_allows(
        mode in prop::sample::select(MODES.as_slice()),
        (calls, burst) in (1_u32..20, 1_u32..5),
        at in prop::collection::vec((0_u64..3_000, prop::option::weighted(0.2, 0_u64..1_000)), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(bounded(mode, calls, burst, at));
    }
}

/// Emissions at these milliseconds, some of them dropped so much later.
async fn bounded(mode: Dispatch, calls: u32, burst: u32, at: Vec<(u64, Option<u64>)>) {
    let limit = RateLimit::per_second(calls).burst(burst);
    let signal = Signal::<()>::builder()
        .dispatch(mode)
        .emission_limit(limit)
        .build();
    let log = Log::default();
    let seen = log.clone();
    signal.on_sync(move |()| seen.push(Instant::now()));
    join_all(at.iter().map(|(at, dropped)| {
        let signal = signal.clone();
        async move {
            sleep(Duration::from_millis(*at)).await;
            let limit = dropped.map_or(1_000_000, |after| after);
            let _ = tokio::time::timeout(Duration::from_millis(limit), signal.emit(())).await;
        }
    }))
    .await;
    let seen = log.take();
    let kept = at.iter().filter(|(_, dropped)| dropped.is_none()).count();
    assert!(seen.len() >= kept, "nobody waits for ever");
    for (n, from) in seen.iter().enumerate() {
        for (m, to) in seen.iter().enumerate().skip(n) {
            let allowed = f64::from(burst) + (*to - *from).as_secs_f64() * f64::from(calls);
            // The timer counts in milliseconds.
            let allowed = allowed + f64::from(calls) * 0.002;
            let between = u32::try_from(m - n + 1).unwrap();
            assert!(
                f64::from(between) <= allowed + 1e-6,
                "{between} in {:?}",
                *to - *from
            );
        }
    }
}
