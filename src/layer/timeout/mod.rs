//! [`Timeout`]: how long one attempt may take.
//!
//! # Failures
//!
//! - **The time is up**: the attempt is dropped where it awaits, and ends with [`Cause::TimedOut`](crate::Cause::TimedOut): a failure to the retry and to the circuit breaker
//!   around it. What the listener had started elsewhere sees its [`cancellation_token`](crate::Delivery::cancellation_token).
//! - **A listener that never comes back from a poll** is beyond it, as beyond every timeout in a task. A blocking listener's thread goes on, and keeps its permit until it ends.

mod config;
mod future;
mod service;
mod state;

pub use config::Timeout;
pub use future::TimeoutFuture;
pub use service::TimeoutService;
