//! [`CircuitBreaker`]: no calls for a while to what fails too often.
//!
//! # Failures
//!
//! - **The circuit is open**: the call ends at once with [`Rejection::CircuitOpen`](crate::Rejection::CircuitOpen), the listener is not called, and the event is not kept:
//!   a retry around the breaker tries again, a dead letter keeps it.
//! - **A call is dropped while it runs**: it counts as nothing. If it was a probe, its place comes back.
//! - **A probe never ends**: after [`probe_timeout`](CircuitBreaker::probe_timeout) the next call gives the round up, and the circuit is open again. A call that never ends
//!   while the circuit is closed counts as nothing: put a [`Timeout`](crate::layer::Timeout) inside.
//! - **A call ends after the state has changed**, or after a reset: it counts as nothing. What began under the old state says nothing about the new one.
//! - **A callback panics**: the panic is caught and logged, and the call goes on. One of the closures that find a key or a failure: the call has panicked, and counts as nothing.
//! - **As many keys are known as may be**, and none of them can be forgotten: the call ends with [`Rejection::TooManyKeys`](crate::Rejection::TooManyKeys).
//! - **A setting makes no sense**, in a stack that did not check it: every call ends with the [`OptionError`](crate::OptionError).

mod config;
mod settings;

mod rules;
mod state;
mod window;

mod breaker;
mod breakers;
mod group;
mod key;

mod future;
mod permit;
mod service;

mod change;
mod handle;
mod status;

#[cfg(test)]
mod state_tests;
#[cfg(test)]
mod twin;

pub use change::{BreakerChange, BreakerState};
pub use config::CircuitBreaker;
pub use future::CircuitBreakerFuture;
pub use handle::BreakerHandle;
pub use service::CircuitBreakerService;
pub use status::BreakerStatus;
