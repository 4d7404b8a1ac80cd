//! [`Bus`]: all signals of a service, found by event type.
//!
//! # Failures
//!
//! - **Nobody listens**: an emission of a type without a signal makes none; the dead-event policy of the bus decides.
//! - **Closed**: after [`Bus::shutdown`] every signal is closed, those that are made later included.

mod builder;
mod defer;
mod delegate;
mod handle;
mod map;
mod scaled;
mod stream;

pub use builder::BusBuilder;
pub use defer::{Emitted, Scope};
pub use handle::{Bus, WeakBus};
pub use stream::{EventTuple, NextAll};
