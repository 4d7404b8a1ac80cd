//! Reasons that are found in a runtime that is watched.

use std::time::{Duration, Instant};

use fanfare::Bus;
use fanfare::observe::{Health, HealthCheck, Reason, RuntimeMonitor, Severity};
use tokio::runtime::{Builder, Runtime};

use super::{MINUTE, check, green, red};
use crate::monitor::block;

const LITTLE: Duration = Duration::from_millis(60);

fn watched(workers: usize) -> (Runtime, RuntimeMonitor) {
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(workers).build().unwrap();
    let monitor = RuntimeMonitor::builder(runtime.handle().clone());
    let monitor = monitor.interval(Duration::from_millis(2)).build();
    (runtime, monitor)
}

/// Looks until the check says so.
fn until(check: &HealthCheck, what: &str, said: impl Fn(&Health) -> bool) -> Health {
    let start = Instant::now();
    loop {
        let health = check.health();
        if said(&health) {
            return health;
        }
        assert!(
            start.elapsed() < MINUTE,
            "not in a minute: {what}; {health}"
        );
        std::thread::yield_now();
    }
}

fn has(health: &Health, name: &str) -> bool {
    health.reasons.iter().any(|reason| reason.name() == name)
}

#[test]
fn a_runtime_that_is_stalled_for_long_does_not_live_until_it_goes_on() {
    let (runtime, monitor) = watched(1);
    let bus = Bus::new();
    let check = || check(&bus).monitor(&monitor).blocked_after(MINUTE * 60);
    let patient = check().stalled_after(MINUTE * 60).build();
    let check = check().stalled_after(LITTLE).build();
    until(&check, "green", |health| health.reasons.is_empty());
    let release = block(runtime.handle());
    let health = until(&check, "stalled", |health| !health.is_live());
    let reason = red(&health, "runtime_stalled", Severity::NotLive);
    assert!(matches!(reason, Reason::RuntimeStalled { stalled } if stalled >= LITTLE));
    assert_eq!(
        (health.liveness_status(), health.readiness_status()),
        (503, 503)
    );
    green(&patient.health());
    // Nobody watches for this one.
    green(&bus.health());
    drop(release);
    until(&check, "green", |health| health.reasons.is_empty());
}

#[test]
fn a_worker_that_is_blocked_degrades_until_it_goes_on() {
    let (runtime, monitor) = watched(2);
    let bus = Bus::new();
    let check = || check(&bus).monitor(&monitor).stalled_after(MINUTE * 60);
    let patient = check().blocked_after(MINUTE * 60).build();
    let check = check().blocked_after(LITTLE).build();
    until(&check, "green", |health| health.reasons.is_empty());
    let release = block(runtime.handle());
    let health = until(&check, "blocked", |health| has(health, "workers_blocked"));
    let reason = red(&health, "workers_blocked", Severity::Degraded);
    assert!(
        matches!(reason, Reason::WorkersBlocked { blocked: 1..=2, workers: 2, longest } if longest >= LITTLE)
    );
    green(&patient.health());
    drop(release);
    until(&check, "green", |health| health.reasons.is_empty());
}

#[test]
fn a_runtime_that_is_no_more_does_not_live() {
    let (runtime, monitor) = watched(1);
    let bus = Bus::new();
    let check = check(&bus).monitor(&monitor).build();
    until(&check, "green", |health| health.reasons.is_empty());
    drop(runtime);
    let health = until(&check, "ended", |health| !health.is_live());
    red(&health, "runtime_ended", Severity::NotLive);
}

#[test]
fn the_tasks_of_the_runtime_that_is_watched_count() {
    let (runtime, monitor) = watched(1);
    let bus = Bus::new();
    let check = check(&bus).monitor(&monitor).max_tasks(2).build();
    let tasks: Vec<_> = (0..3)
        .map(|_| runtime.spawn(std::future::pending::<()>()))
        .collect();
    until(&check, "three tasks", |health| has(health, "many_tasks"));
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    until(&check, "green", |health| health.reasons.is_empty());
}
