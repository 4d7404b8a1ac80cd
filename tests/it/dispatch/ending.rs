//! Emissions that end before their listeners do: dropped, timed out, cancelled.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use fanfare::{Bus, Cancellation, Cause, Outcome, Signal};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::support::{Gauge, Log, builders, poll_once, settle};

const SECOND: Duration = Duration::from_secs(1);

/// One listener that succeeds at once, three that hang, and one in a later stage. The gauge knows those that hang.
fn hanging(signal: &Signal<u32>) -> Gauge {
    let gauge = Gauge::default();
    signal.on_sync(|_| ());
    for _ in 0..3 {
        let gauge = gauge.clone();
        signal.on(async move |_| {
            let _inside = gauge.enter();
            std::future::pending::<()>().await;
        });
    }
    signal.listen().stage(1).on(async |_| {}).unwrap();
    gauge
}

#[tokio::test(start_paused = true)]
async fn dropping_an_emission_cancels_what_has_not_finished() {
    for (name, builder, pool) in builders::<u32>() {
        let told = Log::default();
        let sink = told.clone();
        let signal = builder
            .on_failure(move |entry| sink.push(entry.cause().to_string()))
            .build();
        let gauge = hanging(&signal);
        let mut emission = Box::pin(signal.emit(1));
        assert!(poll_once(&mut emission).is_none());
        settle().await;
        assert!(poll_once(&mut emission).is_none());
        settle().await;
        assert!(gauge.now() > 0, "{name}");
        drop(emission);
        settle().await;
        assert_eq!(gauge.now(), 0, "{name}: no listener keeps running");
        assert!(signal.listeners().iter().all(|one| one.running() == 0));
        if let Some(pool) = pool {
            assert_eq!((pool.in_use(), pool.waiting()), (0, 0), "{name}");
        }
        let stats = signal.stats();
        assert_eq!(stats.count(Outcome::Done), 1, "{name}");
        assert_eq!(stats.count(Outcome::Cancelled), 4, "{name}");
        assert_eq!(
            told.take(),
            vec!["cancelled: the emission was dropped"; 4],
            "{name}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_emission_that_is_dropped_before_its_first_poll_calls_nobody_and_is_counted() {
    for (name, builder, _) in builders::<u32>() {
        let signal = builder.on_failure(|_| {}).build();
        let gauge = hanging(&signal);
        drop(signal.emit(1));
        settle().await;
        assert_eq!(gauge.total(), 0, "{name}");
        assert_eq!(signal.stats().count(Outcome::Cancelled), 5, "{name}");
        assert_eq!(signal.stats().emissions(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_is_honoured_though_listeners_hang() {
    for (name, builder, pool) in builders::<u32>() {
        let signal = builder.on_failure(|_| {}).build();
        let gauge = hanging(&signal);
        let started = Instant::now();
        let report = signal.emit(1).timeout(SECOND).await;
        assert_eq!(started.elapsed(), SECOND, "{name}");
        assert_eq!(report.delivered(), 1, "{name}");
        let (timed_out, cancelled) = (
            report.count(Outcome::TimedOut),
            report.count(Outcome::Cancelled),
        );
        assert_eq!(timed_out + cancelled, 4, "{name}: {report:?}");
        assert!(timed_out > 0);
        let last = report.entries().last().unwrap();
        assert!(matches!(
            last.cause(),
            Cause::Cancelled(Cancellation::Deadline)
        ));
        settle().await;
        assert_eq!(gauge.now(), 0, "{name}");
        assert!(pool.is_none_or(|pool| pool.in_use() + pool.waiting() == 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_tokio_s_own_is_honoured_though_listeners_hang() {
    for (name, builder, pool) in builders::<u32>() {
        let signal = builder.on_failure(|_| {}).build();
        let gauge = hanging(&signal);
        assert!(timeout(SECOND, signal.emit(1)).await.is_err());
        settle().await;
        assert_eq!(gauge.now(), 0, "{name}");
        assert_eq!(signal.stats().count(Outcome::Cancelled), 4, "{name}");
        assert!(pool.is_none_or(|pool| pool.in_use() + pool.waiting() == 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_is_met_changes_nothing() {
    for (name, builder, _) in builders::<u32>() {
        let signal = builder.build();
        signal.on(async |_| sleep(SECOND).await);
        let report = signal.emit(1).timeout(2 * SECOND).await;
        assert_eq!(report.delivered(), 1, "{name}");
        // A deadline that has passed before the first poll calls nobody.
        let emission = signal.emit(1).timeout(SECOND);
        sleep(2 * SECOND).await;
        assert_eq!(emission.await.count(Outcome::Cancelled), 1, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_cancels_an_emission_while_it_runs() {
    for (name, builder, pool) in builders::<u32>() {
        let signal = builder.on_failure(|_| {}).build();
        let gauge = hanging(&signal);
        let token = CancellationToken::new();
        let firing = async {
            sleep(SECOND).await;
            token.cancel();
        };
        let emission = timeout(60 * SECOND, signal.emit(1).cancel_on(token.clone()));
        let (report, ()) = tokio::join!(emission, firing);
        let report = report.expect("the token ends it");
        assert_eq!(report.delivered(), 1, "{name}");
        assert_eq!(report.count(Outcome::Cancelled), 4, "{name}");
        for entry in report.entries() {
            assert!(matches!(
                entry.cause(),
                Cause::Cancelled(Cancellation::Token)
            ));
        }
        settle().await;
        assert_eq!(gauge.now(), 0, "{name}");
        assert!(pool.is_none_or(|pool| pool.in_use() == 0));
    }
}

#[tokio::test(start_paused = true)]
async fn the_token_of_a_bus_cancels_what_runs_and_what_comes_later() {
    for mode in crate::support::MODES {
        let token = CancellationToken::new();
        let bus = Bus::builder()
            .dispatch(mode)
            .cancel_on(token.clone())
            .on_failure(|_| {})
            .build();
        let gauge = hanging(&bus.signal());
        let firing = async {
            sleep(SECOND).await;
            token.cancel();
        };
        let (report, ()) = tokio::join!(timeout(60 * SECOND, bus.emit(1_u32)), firing);
        let report = report.expect("the token ends it");
        assert_eq!(report.count(Outcome::Cancelled), 4, "{mode}");
        let called = gauge.total();
        let report = bus.emit(1_u32).await;
        assert_eq!(report.count(Outcome::Cancelled), 5, "{mode}");
        assert_eq!(gauge.total(), called, "{mode}: nobody was called");
    }
}
