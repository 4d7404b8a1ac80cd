//! How a bus does: each reason is turned red and green again.

mod collect;
mod listeners;
mod options;
mod report;
mod resources;
mod runtime;
#[cfg(feature = "serde")]
mod serial;
mod signals;
mod window;

use std::time::Duration;

use fanfare::Bus;
use fanfare::observe::{Health, HealthCheck, HealthCheckBuilder, Reason, Severity};
use tokio::time::advance;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A check for which one call is enough to be judged by.
fn check(bus: &Bus) -> HealthCheckBuilder {
    HealthCheck::builder(bus).min_calls(1)
}

/// The one reason of this name, and no other.
#[track_caller]
fn red(health: &Health, name: &str, severity: Severity) -> Reason {
    let [reason] = &health.reasons[..] else {
        panic!("{name} and nothing else: {health}");
    };
    assert_eq!((reason.name(), reason.severity()), (name, severity));
    assert_eq!(health.is_live(), severity < Severity::NotLive);
    assert_eq!(health.is_ready(), severity < Severity::NotReady);
    let degraded = usize::from(severity == Severity::Degraded);
    assert_eq!(health.degradations().count(), degraded);
    reason.clone()
}

#[track_caller]
fn green(health: &Health) {
    assert!(health.reasons.is_empty(), "{health}");
    assert!(health.is_live() && health.is_ready());
}

/// How it does when whatever was done so far is out of the window.
async fn a_window_later(check: impl Fn() -> Health) -> Health {
    for _ in 0..2 {
        advance(MINUTE).await;
        check();
    }
    check()
}
