//! [`Concurrency`]: so many calls at once, a bulkhead around a listener.
//!
//! # Failures
//!
//! - **Full**: the call waits for its turn, or ends with [`Rejection::ConcurrencyFull`](crate::Rejection::ConcurrencyFull); the listener is not called.
//! - **Leaks**: a place is a guard; it comes back on success, error, panic, timeout and cancellation alike, after what the call held was dropped. It goes from hand to hand: who
//!   leaves gives it to the first that waits.
//! - **A call that is dropped while it waits** leaves the queue; if it had been given a place by then, the next one has it.
//! - **Deadlock**: a call that waits here gives the pool's permit back for that time. But a listener that awaits, inside its own call, an emission that comes back to itself waits
//!   for its own place if there is no other, for ever: give it [`wait_up_to`](Concurrency::wait_up_to) or [`reject`](Concurrency::reject).
//! - **A blocking listener's thread** goes on after its call was dropped, and the place is free by then.
//! - **Too many keys**: when calls of `max_keys` keys run or wait, one with another key ends with [`Rejection::TooManyKeys`](crate::Rejection::TooManyKeys).

mod config;
mod future;
mod handle;
mod service;
mod state;
#[cfg(test)]
mod state_tests;
mod store;

pub use config::Concurrency;
pub use future::ConcurrencyFuture;
pub use handle::ConcurrencyHandle;
pub use service::ConcurrencyService;
