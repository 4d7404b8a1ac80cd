//! [`Deadline`]: how long all attempts of one call may take together.
//!
//! # Failures
//!
//! - **The time is up**: the attempt, or the wait for the next, is dropped where it awaits, and the call ends with [`Cause::TimedOut`](crate::Cause::TimedOut). A dead letter around it
//!   sees that.
//! - **A listener that never comes back from a poll** is beyond it, as beyond every timeout in a task.

mod config;
mod future;
mod service;
mod state;

pub use config::Deadline;
pub use future::DeadlineFuture;
pub use service::DeadlineService;
