//! What errors and policies decide.

use std::fmt;
use std::time::Duration;

use fanfare::layer::{DeadLetter, DeadLetters, Decision, FailurePolicy, Place, Retry};
use fanfare::{BoxError, Bus, Delivery, Outcome, Signal, Skip};
use tokio::time::Instant;

use crate::support::Log;

const SECOND: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Http(u16);

impl fmt::Display for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.0)
    }
}

impl std::error::Error for Http {}

/// An error that came from another.
#[derive(Debug)]
struct Wrapped(Http);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request failed")
    }
}

impl std::error::Error for Wrapped {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// The times of the attempts of a call, in whole seconds, whose nth attempt ends with the nth of these results; one that is beyond them succeeds.
async fn attempts(
    policy: FailurePolicy,
    fail: impl Fn(u32) -> Option<BoxError> + Clone + Send + Sync + 'static,
) -> Vec<(u32, u64)> {
    let signal = Signal::<u32>::new();
    let log = Log::default();
    let (l, begun) = (log.clone(), Instant::now());
    let calls = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let listener = async move |_, d: Delivery| {
        l.push((d.attempt(), begun.elapsed().as_secs()));
        let nth = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        fail(nth).map_or(Ok(()), Err)
    };
    let retry = Retry::constant(10 * SECOND);
    let listen = signal.listen().retry(retry).failure_policy(policy);
    listen.with_delivery().try_on(listener).unwrap();
    let _ = signal.emit(1).await;
    log.take()
}

#[tokio::test(start_paused = true)]
async fn an_error_says_what_should_happen_to_its_call() {
    let says = |decision: Decision| {
        attempts(FailurePolicy::new(), move |nth| {
            (nth == 1).then(|| decision.with("so it says").into())
        })
    };
    assert_eq!(says(Decision::Retry).await, [(1, 0), (2, 0)]);
    assert_eq!(says(Decision::RetryAfter(SECOND)).await, [(1, 0), (2, 1)]);
    assert_eq!(
        says(Decision::Snooze(3600 * SECOND)).await,
        [(1, 0), (1, 3600)]
    );
    for last in [
        Decision::GiveUp,
        Decision::DeadLetter,
        Decision::Disable,
        Decision::Pause(SECOND),
    ] {
        assert_eq!(says(last).await, [(1, 0)], "{last}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_snooze_leaves_all_attempts_and_ends_when_there_were_too_many() {
    let snooze = |_| Some(Decision::Snooze(SECOND).with("not yet").into());
    assert_eq!(attempts(FailurePolicy::new(), snooze).await.len(), 101);
    let three = |nth| match nth {
        1..=5 => Some(Decision::Snooze(SECOND).with("not yet").into()),
        _ => Some("down".into()),
    };
    let seen = attempts(FailurePolicy::new(), three).await;
    assert_eq!(seen.len(), 8);
    assert_eq!(seen.last(), Some(&(3, 25)));
}

#[tokio::test(start_paused = true)]
async fn a_policy_decides_by_type_by_value_by_what_an_error_came_from_and_by_predicate() {
    let policy = || {
        FailurePolicy::new()
            .on_error(|error: &Http| match error.0 {
                429 => Some(Decision::RetryAfter(SECOND)),
                410 => Some(Decision::GiveUp),
                _ => None,
            })
            .when(
                |failure| failure.message().contains("at once"),
                Decision::Retry,
            )
            .on::<fmt::Error>(Decision::Snooze(2 * SECOND))
            .otherwise(Decision::RetryAfter(7 * SECOND))
    };
    let first = |make: fn() -> BoxError| attempts(policy(), move |nth| (nth == 1).then(make));
    assert_eq!(first(|| Http(429).into()).await, [(1, 0), (2, 1)]);
    assert_eq!(first(|| Http(410).into()).await, [(1, 0)]);
    assert_eq!(first(|| Wrapped(Http(410)).into()).await, [(1, 0)]);
    assert_eq!(first(|| "at once".into()).await, [(1, 0), (2, 0)]);
    assert_eq!(first(|| fmt::Error.into()).await, [(1, 0), (1, 2)]);
    assert_eq!(first(|| Http(500).into()).await, [(1, 0), (2, 7)]);
    // What the error itself says comes first.
    let carried = || Decision::RetryAfter(3 * SECOND).with(Http(410)).into();
    assert_eq!(first(carried).await, [(1, 0), (2, 3)]);
}

#[tokio::test(start_paused = true)]
async fn the_rules_of_a_listener_come_before_its_signals_and_those_before_the_buss() {
    let rule = |secs| FailurePolicy::new().on::<Http>(Decision::RetryAfter(secs * SECOND));
    let other = FailurePolicy::new().on::<fmt::Error>(Decision::GiveUp);
    let of_signal = rule(2);
    let bus = Bus::builder()
        .retry(Retry::constant(SECOND).max_attempts(2))
        .failure_policy(rule(1).on::<fmt::Error>(Decision::RetryAfter(9 * SECOND)))
        .signal::<u32>(move |s| s.failure_policy(of_signal))
        .build();
    let time = async |event: u32| {
        let begun = Instant::now();
        let report = bus.emit(event).await;
        (report.failed(), begun.elapsed().as_secs())
    };
    let sub = bus
        .listen::<u32>()
        .failure_policy(rule(3))
        .on(async |_| Err::<(), _>(Http(500)))
        .unwrap();
    assert_eq!(time(1).await, (1, 3));
    sub.remove();
    let sub = bus
        .listen::<u32>()
        .failure_policy(other)
        .on(async |_| Err::<(), _>(Http(500)))
        .unwrap();
    assert_eq!(time(1).await, (1, 2));
    sub.remove();
    bus.listen::<u32>()
        .on(async |_| Err::<(), _>(fmt::Error))
        .unwrap();
    assert_eq!(time(1).await, (1, 9));
    let begun = Instant::now();
    bus.on(async |_: String| Err::<(), _>(Http(500)));
    let _ = bus.emit(String::new()).await;
    assert_eq!(begun.elapsed(), SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_panics_decides_nothing() {
    let policy = FailurePolicy::new()
        .when(|_| panic!("in a rule"), Decision::GiveUp)
        .otherwise(Decision::RetryAfter(SECOND));
    let seen = attempts(policy, |nth| (nth == 1).then(|| "down".into())).await;
    assert_eq!(seen, [(1, 0), (2, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_is_disabled_is_skipped_until_it_is_enabled() {
    let signal = Signal::<u32>::new();
    let fails = async |n| {
        if n == 0 {
            Err(Decision::Disable.with("no credentials"))
        } else {
            Ok(())
        }
    };
    let policy = FailurePolicy::new().on::<fmt::Error>(Decision::GiveUp);
    let sub = signal
        .listen()
        .key("mail")
        .failure_policy(policy)
        .on(fails)
        .unwrap();
    assert_eq!(signal.emit(1).await.delivered(), 1);
    let report = signal.emit(0).await;
    assert_eq!(
        report.entries()[0].to_string(),
        "`mail` failed: no credentials (disable the listener)"
    );
    let report = signal.emit(1).await;
    assert_eq!(report.entries()[0].to_string(), "`mail` skipped: disabled");
    assert!(report.is_ok() && !sub.is_enabled());
    assert_eq!(sub.metadata().switched_off(), Some(Skip::Disabled));
    assert!(sub.enable() && !sub.enable());
    assert_eq!(signal.emit(1).await.delivered(), 1);
    assert_eq!(sub.metadata().calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_is_paused_is_called_again_when_its_time_is_over() {
    let signal = Signal::<u32>::new();
    let policy = FailurePolicy::new().on::<Http>(Decision::Pause(30 * SECOND));
    let fails = async |n| if n == 0 { Err(Http(503)) } else { Ok(()) };
    let sub = signal.listen().failure_policy(policy).on(fails).unwrap();
    let _ = signal.emit(0).await;
    let skipped = async || {
        signal
            .emit(1)
            .await
            .entries()
            .first()
            .map(ToString::to_string)
    };
    assert!(
        skipped()
            .await
            .is_some_and(|text| text.ends_with("skipped: paused"))
    );
    tokio::time::advance(29 * SECOND).await;
    assert!(skipped().await.is_some());
    tokio::time::advance(2 * SECOND).await;
    assert_eq!(skipped().await, None);
    assert!(sub.is_enabled());
    // The longer of two counts.
    sub.disable();
    sub.pause(SECOND).unwrap();
    tokio::time::advance(2 * SECOND).await;
    assert!(!sub.is_enabled());
}

#[tokio::test]
async fn switches_work_for_plain_listeners_in_every_mode() {
    for setup in crate::support::setups() {
        let signal: Signal<u32> = setup.builder().build();
        let sub = signal.on(async |_| {});
        signal.on(async |_| {});
        sub.disable();
        let report = signal.emit(1).await;
        assert_eq!((report.delivered(), report.skipped()), (1, 1), "{setup:?}");
        sub.enable();
        assert_eq!(signal.emit(1).await.delivered(), 2, "{setup:?}");
        assert_eq!(sub.metadata().calls(), 1, "{setup:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_dead_letter_takes_what_it_is_asked_to() {
    let letters = DeadLetters::new(10);
    let bus = Bus::builder()
        .retry(Retry::constant(SECOND))
        .dead_letter(DeadLetter::keep(&letters).only_asked())
        .failure_policy(FailurePolicy::new().on::<Http>(Decision::DeadLetter))
        .build();
    bus.on(async |n: u32| -> Result<(), BoxError> {
        match n {
            0 => Err(Decision::DeadLetter.with("so it says").into()),
            1 => Err(Http(500).into()),
            2 => Err(Decision::GiveUp.with(Http(500)).into()),
            _ => Err("down".into()),
        }
    });
    let begun = Instant::now();
    for n in 0..3_u32 {
        assert_eq!(bus.emit(n).await.count(Outcome::Failed), 1);
    }
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(bus.emit(3_u32).await.failed(), 1);
    let events: Vec<_> = letters
        .letters()
        .iter()
        .map(|l| *l.event::<u32>().unwrap())
        .collect();
    assert_eq!(events, [0, 1]);
    // Without a dead letter it is a failure as any other.
    bus.listen::<String>()
        .without(Place::DeadLetter)
        .on(async |_| Err::<(), _>(Http(500)))
        .unwrap();
    assert_eq!(
        (bus.emit(String::new()).await.failed(), letters.len()),
        (1, 2)
    );
}

#[tokio::test(start_paused = true)]
async fn a_listener_is_switched_off_also_behind_a_dead_letter_and_one_that_fails() {
    for fails in [false, true] {
        let dead_letter =
            DeadLetter::to(async move |_| if fails { Err("no disk") } else { Ok(()) });
        let signal = Signal::<u32>::builder().dead_letter(dead_letter).build();
        let sub = signal.on(async |_| Err::<(), _>(Decision::Disable.with("no credentials")));
        let _ = signal.emit(1).await;
        assert_eq!(sub.metadata().switched_off(), Some(Skip::Disabled));
    }
}

#[tokio::test]
async fn an_error_that_carries_a_decision_came_from_what_its_own_came_from() {
    let signal = Signal::<u32>::new();
    signal.on(async |_| Err::<(), _>(Decision::GiveUp.with(Wrapped(Http(410)))));
    let report = signal.emit(1).await;
    assert_eq!(
        report.entries()[0].cause().to_string(),
        "failed: the request failed (give up): status 410"
    );
}

#[tokio::test(start_paused = true)]
async fn each_switch_counts_from_the_last_time_the_listener_was_enabled() {
    let signal = Signal::<u32>::new();
    let sub = signal.on(async |_| {});
    sub.disable();
    assert!(sub.enable());
    sub.pause(SECOND).unwrap();
    assert_eq!(sub.metadata().switched_off(), Some(Skip::Paused));
    tokio::time::advance(2 * SECOND).await;
    assert!(sub.is_enabled() && !sub.enable());
    // As long as the clock does not know is until it is resumed.
    sub.pause(Duration::MAX).unwrap();
    assert_eq!(sub.metadata().switched_off(), Some(Skip::Paused));
    assert!(sub.resume() && sub.is_enabled());
}
