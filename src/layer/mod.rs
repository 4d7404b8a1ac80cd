//! Layers: `tower` middleware around a listener.

mod timeout;

pub use timeout::{Timeout, TimeoutFuture, TimeoutService};
