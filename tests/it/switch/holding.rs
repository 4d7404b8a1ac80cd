//! What a paused listener holds, and how it comes to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fanfare::layer::{Decision, Retry};
use fanfare::{OnError, Outcome, Pause, Pool, Rejection, Rollout, Signal, Skip, WhenFull};
use tokio::time::{advance, sleep};

use super::{SECOND, cause, holding, is_skipped};
use crate::support::{Gauge, Log, settle};

#[tokio::test(start_paused = true)]
async fn held_events_come_in_their_order_before_those_that_come_meanwhile() {
    let signal = Signal::<u32>::new();
    let (log, gauge) = (Log::default(), Gauge::default());
    let (seen, running) = (log.clone(), gauge.clone());
    let listen = signal.listen().key("slow");
    let slow = async move |n| {
        let _inside = running.enter();
        sleep(SECOND).await;
        seen.push(n);
    };
    let sub = listen.on(slow).unwrap();
    assert!(sub.pause(holding(100)).unwrap());
    for n in 0..5 {
        let report = signal.emit(n).await;
        assert_eq!(
            (cause(&report).as_str(), report.is_ok()),
            ("deferred to the background", true)
        );
    }
    assert_eq!((sub.metadata().held(), sub.metadata().calls()), (5, 0));
    assert_eq!(sub.metadata().switched_off(), Some(Skip::Paused));
    assert!(sub.resume());
    assert!(sub.is_enabled());
    for n in 5..8 {
        sleep(SECOND / 2).await;
        // Behind those that are held, also while the last of them runs.
        assert_eq!(signal.emit(n).await.count(Outcome::Deferred), 1);
    }
    sleep(10 * SECOND).await;
    assert_eq!(log.take(), (0..8).collect::<Vec<_>>());
    assert_eq!(gauge.peak(), 1, "one after another");
    assert_eq!((sub.metadata().held(), sub.metadata().calls()), (0, 8));
    // All is delivered: the way is as short as before.
    assert_eq!(signal.emit(8).await.delivered(), 1);
    let stats = signal.stats();
    assert_eq!((stats.emissions(), stats.count(Outcome::Done)), (9, 9));
    assert_eq!(stats.count(Outcome::Deferred), 8);
}

#[tokio::test(start_paused = true)]
async fn what_is_emitted_while_the_last_held_event_runs_waits_for_it() {
    let signal = Signal::<u32>::new();
    let gauge = Gauge::default();
    let running = gauge.clone();
    let sub = signal.on(async move |_| {
        let _inside = running.enter();
        sleep(SECOND).await;
    });
    sub.pause(holding(1)).unwrap();
    let _ = signal.emit(0).await;
    sub.resume();
    settle().await;
    assert_eq!((gauge.now(), sub.metadata().held()), (1, 0));
    assert_eq!(signal.emit(1).await.count(Outcome::Deferred), 1);
    sleep(3 * SECOND).await;
    assert_eq!((gauge.peak(), gauge.total()), (1, 2));
}

#[tokio::test]
async fn a_full_buffer_rejects_and_says_its_bound() {
    let told = Log::default();
    let sink = told.clone();
    let signal = Signal::<u32>::builder()
        .on_error(OnError::Stop)
        .on_failure(move |entry| sink.push(entry.to_string()))
        .build();
    let log = Log::default();
    let seen = log.clone();
    let listen = signal.listen().key("audit");
    let sub = listen.on(async move |n| seen.push(n)).unwrap();
    signal.on(async |_| {});
    sub.pause(holding(2)).unwrap();
    for n in 0..2 {
        let report = signal.emit(n).await;
        assert_eq!(
            (report.delivered(), report.count(Outcome::Deferred)),
            (1, 1)
        );
    }
    let report = signal.emit(2).await;
    let full = Rejection::HoldFull { limit: 2 };
    assert!(matches!(report.entries()[0].cause(), fanfare::Cause::Rejected(why) if *why == full));
    assert_eq!(
        cause(&report),
        "rejected: 2 events are held for it, which is all that its pause holds"
    );
    assert_eq!(
        (report.failed(), report.skipped()),
        (1, 1),
        "it is a failure as any other"
    );
    assert_eq!(told.take().len(), 1);
    assert_eq!(signal.stats().count(Outcome::Rejected), 1);
    sub.resume();
    settle().await;
    assert_eq!(log.take(), [0, 1]);
    assert_eq!(sub.metadata().calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_pause_for_a_time_delivers_when_it_is_over() {
    let signal = Signal::<u32>::new();
    let log = Log::default();
    let seen = log.clone();
    let sub = signal.on(async move |n| seen.push(n));
    sub.pause(Pause::for_time(10 * SECOND).buffer(10)).unwrap();
    let _ = signal.emit(0).await;
    sleep(9 * SECOND).await;
    assert_eq!(log.len(), 0);
    // A longer one counts, also for what waits already.
    sub.pause(20 * SECOND).unwrap();
    sleep(15 * SECOND).await;
    let _ = signal.emit(1).await;
    assert_eq!(log.len(), 0);
    // Nobody emits and nobody asks.
    sleep(6 * SECOND).await;
    assert_eq!(log.take(), [0, 1]);
    // A shorter one after that is not held up by the one before.
    sub.pause(Pause::for_time(1_000 * SECOND).buffer(10))
        .unwrap();
    let _ = signal.emit(2).await;
    settle().await;
    sub.resume();
    sub.pause(Pause::for_time(SECOND).buffer(10)).unwrap();
    let _ = signal.emit(3).await;
    sleep(2 * SECOND).await;
    assert_eq!(log.take(), [2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_pauses_itself_while_it_is_called_with_held_events_keeps_the_others() {
    let signal = Signal::<u32>::new();
    let log = Log::default();
    let seen = log.clone();
    let sub = signal
        .listen()
        .failure_policy(fanfare::layer::FailurePolicy::new())
        .on(async move |n| {
            seen.push(n);
            if n == 1 {
                Err(Decision::Pause(10 * SECOND).with("not now"))
            } else {
                Ok(())
            }
        });
    let sub = sub.unwrap();
    sub.pause(holding(10)).unwrap();
    for n in 0..4 {
        let _ = signal.emit(n).await;
    }
    sub.resume();
    settle().await;
    assert_eq!(log.take(), [0, 1]);
    assert_eq!(sub.metadata().held(), 2);
    assert!(is_skipped(&signal.emit(4).await, Skip::Paused));
    sleep(11 * SECOND).await;
    assert_eq!(log.take(), [2, 3]);
}

#[tokio::test]
async fn what_is_held_stays_held_while_the_listener_is_disabled() {
    let signal = Signal::<u32>::new();
    let log = Log::default();
    let seen = log.clone();
    let sub = signal.on(async move |n| seen.push(n));
    sub.pause(holding(10)).unwrap();
    let _ = signal.emit(0).await;
    assert!(sub.disable());
    assert!(is_skipped(&signal.emit(1).await, Skip::Disabled));
    assert!(!sub.resume());
    assert!(!sub.pause(holding(20)).unwrap());
    settle().await;
    assert_eq!((log.len(), sub.metadata().held()), (0, 1));
    assert!(sub.enable());
    let _ = signal.emit(2).await;
    settle().await;
    assert_eq!(log.take(), [0, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_pause_while_held_events_are_delivered_stops_behind_the_call_that_runs() {
    let signal = Signal::<u32>::new();
    let log = Log::default();
    let (seen, gauge) = (log.clone(), Gauge::default());
    let running = gauge.clone();
    let sub = signal.on(async move |n| {
        let _inside = running.enter();
        sleep(SECOND).await;
        seen.push(n);
    });
    sub.pause(holding(10)).unwrap();
    for n in 0..3 {
        let _ = signal.emit(n).await;
    }
    sub.resume();
    sleep(SECOND / 2).await;
    sub.pause(holding(10)).unwrap();
    sleep(10 * SECOND).await;
    assert_eq!((log.take(), sub.metadata().held()), (vec![0], 2));
    // Off and on again while a call runs: there is one that delivers, not two.
    sub.resume();
    sleep(SECOND / 2).await;
    for _ in 0..10 {
        sub.pause(holding(10)).unwrap();
        sub.resume();
        settle().await;
    }
    sleep(10 * SECOND).await;
    assert_eq!((log.take(), gauge.peak()), (vec![1, 2], 1));
}

#[tokio::test]
async fn a_filter_is_asked_before_an_event_takes_room() {
    let signal = Signal::<u32>::new();
    let log = Log::default();
    let seen = log.clone();
    let asked = Arc::new(AtomicU32::new(0));
    let asks = Arc::clone(&asked);
    let even = move |n: &u32| {
        asks.fetch_add(1, Ordering::Relaxed);
        n % 2 == 0
    };
    let sub = signal
        .listen()
        .filter(even)
        .on(async move |n| seen.push(n))
        .unwrap();
    sub.pause(holding(2)).unwrap();
    for n in 0..4 {
        let report = signal.emit(n).await;
        assert_eq!(is_skipped(&report, Skip::Filtered), n % 2 == 1);
        assert!(report.is_ok());
    }
    sub.resume();
    settle().await;
    assert_eq!(
        (log.take(), asked.load(Ordering::Relaxed)),
        (vec![0, 2], 4),
        "each was asked once"
    );
}

#[tokio::test]
async fn a_budget_is_used_up_by_the_call_and_not_by_holding() {
    for times in [1, 2] {
        let signal = Signal::<u32>::new();
        let log = Log::default();
        let seen = log.clone();
        let listen = signal.listen().key("few").times(times);
        let sub = listen.on(async move |n| seen.push(n)).unwrap();
        sub.pause(holding(10)).unwrap();
        for n in 0..3 {
            assert_eq!(signal.emit(n).await.count(Outcome::Deferred), 1);
        }
        assert_eq!(signal.len(), 1, "holding uses nothing up");
        sub.resume();
        settle().await;
        assert_eq!(log.len() as u64, times);
        assert!(signal.is_empty());
        let stats = signal.stats();
        assert_eq!(
            (stats.count(Outcome::Done), stats.count(Outcome::Skipped)),
            (times, 3 - times)
        );
        assert_eq!(sub.metadata().calls(), times);
    }
}

#[tokio::test]
async fn failures_and_panics_of_held_events_are_counted_and_told() {
    let told = Log::default();
    let sink = told.clone();
    let signal = Signal::<u32>::builder()
        .on_failure(move |entry| sink.push((entry.key().map(str::to_owned), entry.outcome())))
        .build();
    let listen = signal.listen().key("odd");
    let sub = listen
        .on(async |n| match n {
            0 => Err("no"),
            1 => panic!("at the disco"),
            _ => Ok(()),
        })
        .unwrap();
    sub.pause(holding(10)).unwrap();
    for n in 0..3 {
        let _ = signal.emit(n).await;
    }
    sub.resume();
    settle().await;
    let key = || Some("odd".to_owned());
    assert_eq!(
        told.take(),
        [(key(), Outcome::Failed), (key(), Outcome::Panicked)]
    );
    let meta = sub.metadata();
    assert_eq!((meta.calls(), meta.errors(), meta.panics()), (3, 1, 1));
    let stats = signal.stats();
    assert_eq!(
        [Outcome::Done, Outcome::Failed, Outcome::Panicked].map(|o| stats.count(o)),
        [1, 1, 1]
    );
    assert_eq!(stats.emissions(), 3);
}

#[tokio::test(start_paused = true)]
async fn ids_and_headers_are_kept_and_the_deadline_is_not() {
    let signal = Signal::<u32>::new();
    let log = Log::default();
    let seen = log.clone();
    let listen = signal.listen().with_delivery();
    let sub = listen
        .on(async move |_, d| {
            sleep(10 * SECOND).await;
            seen.push((
                d.emission_id(),
                d.header("tenant").map(str::to_owned),
                d.correlation_id().map(str::to_owned),
                d.deadline(),
                d.age().unwrap(),
            ));
        })
        .unwrap();
    let ids = Log::default();
    let other = ids.clone();
    let listen = signal.listen().with_delivery();
    listen
        .on(async move |_, d| other.push(d.emission_id()))
        .unwrap();
    sub.pause(holding(10)).unwrap();
    let emission = signal
        .emit(1)
        .timeout(SECOND)
        .header("tenant", "acme")
        .correlation_id("order-7");
    assert_eq!(emission.await.count(Outcome::Deferred), 1);
    sleep(20 * SECOND).await;
    sub.resume();
    sleep(11 * SECOND).await;
    let expected = (
        ids.take()[0],
        Some("acme".to_owned()),
        Some("order-7".to_owned()),
        None,
        30 * SECOND,
    );
    let [(id, tenant, correlation, deadline, age)] = log.take().try_into().unwrap();
    let age = Duration::from_secs(age.as_secs());
    assert_eq!((id, tenant, correlation, deadline, age), expected);
}

#[tokio::test(start_paused = true)]
async fn a_held_event_waits_for_a_permit_where_an_emission_would_be_rejected() {
    let pool = Pool::builder(1).when_full(WhenFull::Reject).build();
    for mode in crate::support::MODES {
        let signal = Signal::<u32>::builder()
            .pool(pool.clone())
            .dispatch(mode)
            .build();
        let sub = signal.on(async |_| {});
        let other = Signal::<()>::builder().pool(pool.clone()).build();
        other.on(async |()| sleep(SECOND).await);
        sub.pause(holding(10)).unwrap();
        let _ = signal.emit(1).await;
        let busy = tokio::spawn(async move { other.emit(()).await });
        settle().await;
        sub.resume();
        settle().await;
        assert_eq!(signal.stats().count(Outcome::Done), 0, "{mode}");
        assert!(busy.await.unwrap().is_ok());
        settle().await;
        assert_eq!(signal.stats().count(Outcome::Done), 1, "{mode}");
    }
}

#[tokio::test]
async fn a_listener_that_emits_what_it_listens_to_while_held_events_are_delivered_does_not_wait_for_itself()
 {
    let signal = Signal::<u32>::new();
    let weak = signal.downgrade();
    let log = Log::default();
    let seen = log.clone();
    let sub = signal.on(async move |n: u32| {
        seen.push(n);
        if n < 3 {
            let signal = weak.upgrade().unwrap();
            assert_eq!(signal.emit(n + 1).await.count(Outcome::Deferred), 1);
        }
    });
    sub.pause(holding(10)).unwrap();
    let _ = signal.emit(0).await;
    sub.resume();
    settle().await;
    assert_eq!(log.take(), [0, 1, 2, 3]);
}

#[tokio::test]
async fn events_of_the_buffer_are_held_too() {
    let signal = Signal::<u32>::new();
    let log = Log::default();
    let seen = log.clone();
    let sub = signal.on(async move |n| seen.push(n));
    sub.pause(holding(10)).unwrap();
    for n in 0..3 {
        signal.enqueue(n).await.unwrap();
        signal.emit_detached(n + 10).unwrap();
    }
    settle().await;
    assert_eq!(sub.metadata().held(), 6);
    sub.resume();
    settle().await;
    let mut all = log.take();
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2, 10, 11, 12]);
}

#[tokio::test(start_paused = true)]
async fn describe_and_metadata_say_what_is_switched_and_held() {
    let signal = Signal::<u32>::new();
    signal.listen().key("audit").on(async |_| {}).unwrap();
    assert!(!signal.describe().to_string().contains("switched"));
    signal.pause("audit", holding(1_500)).unwrap();
    for n in 0..2 {
        let _ = signal.emit(n).await;
    }
    let said = |what: &str| {
        let text = signal.describe().to_string();
        assert!(
            text.contains(&format!("\n  switched: `audit`: {what}")),
            "{text}"
        );
    };
    said("paused, holding up to 1,500, 2 held");
    signal.disable("audit").unwrap();
    said("disabled, 2 held");
    signal.enable("audit").unwrap();
    said("enabled, 2 held");
    settle().await;
    assert!(!signal.describe().to_string().contains("switched"));
    signal.pause("audit", SECOND).unwrap();
    said("paused");
    advance(2 * SECOND).await;
}

#[tokio::test(start_paused = true)]
async fn held_events_of_a_key_keep_its_order_through_retries() {
    let signal = Signal::<(u32, u32)>::builder()
        .keyed_by(|(key, _)| *key)
        .build();
    let log = Log::default();
    let (seen, tries) = (log.clone(), Arc::new(AtomicU32::new(0)));
    let retry = Retry::constant(SECOND).in_background();
    let listen = signal.listen().key("ledger").retry(retry);
    let ledger = async move |event: (u32, u32)| {
        // The first event of each key fails once.
        if event.1 == 0 && tries.fetch_or(1 << event.0, Ordering::SeqCst) & (1 << event.0) == 0 {
            return Err("once more");
        }
        seen.push(event);
        Ok(())
    };
    let sub = listen.on(ledger).unwrap();
    sub.pause(holding(100)).unwrap();
    for n in 0..3 {
        for key in 0..2 {
            assert_eq!(signal.emit((key, n)).await.count(Outcome::Deferred), 1);
        }
    }
    sub.resume();
    sleep(20 * SECOND).await;
    let seen = log.take();
    for key in 0..2 {
        let of_key = seen
            .iter()
            .filter(|event| event.0 == key)
            .map(|event| event.1);
        assert_eq!(of_key.collect::<Vec<_>>(), [0, 1, 2], "{seen:?}");
    }
    assert_eq!(
        (
            signal.emit((0, 3)).await.delivered(),
            sub.metadata().calls()
        ),
        (1, 7)
    );
}

#[tokio::test]
async fn what_is_outside_a_rollout_is_not_held_and_what_is_held_stays_inside() {
    let signal = Signal::<u32>::new();
    let log = Log::default();
    let seen = log.clone();
    let rollout = Rollout::by_key(0.5, |n: &u32| n.to_be_bytes());
    let listen = signal.listen().key("new").rollout(&rollout);
    let sub = listen.on(async move |n| seen.push(n)).unwrap();
    sub.pause(holding(100)).unwrap();
    let mut inside = Vec::new();
    for n in 0..20 {
        let report = signal.emit(n).await;
        if report.count(Outcome::Deferred) == 1 {
            inside.push(n);
        } else {
            assert!(is_skipped(&report, Skip::OutsideFraction));
        }
    }
    assert!(!inside.is_empty() && inside.len() < 20);
    rollout.set(0.0).unwrap();
    sub.resume();
    settle().await;
    assert_eq!(log.take(), inside);
}
