//! How a bus does: whether it lives, whether it is ready, what is worse than it should be, and who is worst.
//!
//! [`Bus::health`](crate::Bus::health) judges by the default thresholds; a [`HealthCheck`] has thresholds of its own, and may be given what watches the runtime.
//!
//! # Failures
//!
//! - **The runtime is stalled that would answer**: a check on it is not even called. Its caller's own limit on time says so; or let the answer come from another runtime.
//! - **Nothing was timed**: durations and what they are judged by need [`Metrics::Timed`](crate::Metrics::Timed) or `Sampled`.
//! - **There has been no check for long**: rates are over the time since the check before, which [`window`](Health::window) says.

mod builder;
mod check;
mod collect;
mod counts;
#[cfg(test)]
mod counts_tests;
mod judge;
mod listeners;
mod memory;
mod policy;
mod reason;
mod report;
mod takes;

pub use builder::HealthCheckBuilder;
pub use check::HealthCheck;
pub(super) use collect::FAMILIES;
#[cfg(feature = "prometheus")]
pub(super) use collect::collect_all;
pub use reason::{Reason, Severity};
pub use report::{Health, ListenerHealth, WorstListeners};
