//! Seeing what a bus does: snapshots, exports, health, an audit log, and a monitor of the runtime. Feature `metrics`.
//!
//! [`Bus::snapshot`](crate::Bus::snapshot) is what all of it is made from: every counter, gauge and histogram at one moment, as plain values. [`Metrics`](crate::Metrics) says how much is
//! measured.

pub mod audit;
mod collect;
#[cfg(feature = "metrics-facade")]
pub mod facade;
mod health;
mod level;
mod monitor;
#[cfg(feature = "otel")]
pub mod otel;
#[cfg(feature = "prometheus")]
pub mod prometheus;
#[cfg(feature = "serde")]
mod serde;
mod snapshot;

pub use collect::{Collector, Family, FamilyKind, Label, Total, Unit, collect_all, families};
pub use health::{
    Health, HealthCheck, HealthCheckBuilder, ListenerHealth, Reason, Severity, WorstListeners,
};
pub use monitor::{Blame, RuntimeMonitor, RuntimeMonitorBuilder, RuntimeReading, Stall};
pub use snapshot::{ListenerSnapshot, PoolSnapshot, SignalSnapshot, Snapshot, WaitTimes};

pub use crate::metrics::{Distribution, DistributionBucket, SlowCall, Wait};
