//! Watching a tokio runtime from outside: a thread of its own sees what a runtime whose workers are all blocked cannot.
//!
//! At each [interval](RuntimeMonitorBuilder::interval) the thread reads the runtime's own numbers, and looks when the probe was polled that it has spawned before: a task that does nothing.
//! How long that took is the scheduling delay that any other task had too.
//!
//! # Failures
//!
//! - **A stall shorter than the interval** may begin and end between two probes, and is not seen. One that is longer by [`stall_after`](RuntimeMonitorBuilder::stall_after) always is; it seems to begin
//!   with the probe, up to an interval after it does.
//! - **One worker of several is blocked**: the others poll the probe, so that there is no stall; [`blocked_workers`](RuntimeReading::blocked_workers) says it.
//! - **A worker with few, long polls** looks like a blocked one: tokio tells its numbers when the worker parks, and after every 61 polls (`event_interval`).
//! - **A current-thread runtime that nobody drives** is stalled, and its worker blocked: nothing runs on it.
//! - **The runtime ends**: [`ended`](RuntimeReading::ended) says it, and the thread does too.
//! - **The clock of the runtime is paused**, by a test: the monitor measures real time, which slow calls are not measured in then.

mod blame;
mod builder;
mod collect;
mod handle;
mod probe;
mod reading;
mod watch;
#[cfg(test)]
mod watch_tests;
mod workers;

pub use blame::Blame;
pub use builder::RuntimeMonitorBuilder;
#[cfg(feature = "prometheus")]
pub(super) use collect::collect_all;
pub(super) use collect::families;
pub use handle::RuntimeMonitor;
pub use reading::{RuntimeReading, Stall};
