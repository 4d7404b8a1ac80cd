//! [`Retry`]: another attempt after a failure.
//!
//! # Failures
//!
//! - **No attempt is left**, or the time, the delays, the snoozes or the budget are used up: the call ends with the error of its last attempt.
//! - **The deadline would come before the next attempt**: the call ends at once, with the error of its last attempt rather than a timeout.
//! - **The emission is dropped, or shut down, while a retry waits**: the call is cancelled, and reported so. In the background it outlives its emission, and ends with the limit of
//!   `shutdown`.
//! - **The process ends**: what waits in memory is gone. What must survive that belongs on a durable stream.

mod budget;
mod config;
mod delays;
mod future;
mod service;
mod state;
#[cfg(test)]
mod state_tests;

pub use budget::RetryBudget;
pub use config::Retry;
pub use future::RetryFuture;
pub use service::RetryService;
