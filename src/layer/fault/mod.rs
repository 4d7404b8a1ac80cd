//! [`Fault`]: failures on purpose, for tests.
//!
//! # Draws
//!
//! Each delivery draws once, when it is first polled: it passes, or one fault is injected before the inner service is called. What the n-th draw gives depends on the seed and on n,
//! and on nothing else. So the same seed and the same order of deliveries give the same faults; with listeners on several threads the order is the scheduler's.
//!
//! # Failures
//!
//! - **Injected failures and panics** carry the seed and the number of the draw in their message.
//! - **A delay or a hang** is the listener's own slowness to all around it: its permit is held, its attempt's timeout runs. A hang ends when a timeout or the emission's end drops it;
//!   with neither, never.
//! - **The `only` closure panics**: it is the listener's panic, and no draw is made.

mod config;
mod error;
mod future;
mod injected;
mod service;
mod source;
mod state;

pub use config::Fault;
pub use error::InjectedFault;
pub use future::FaultFuture;
pub use injected::Injected;
pub use service::FaultService;
