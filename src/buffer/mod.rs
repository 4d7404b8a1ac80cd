//! The bounded buffer in front of a signal.
//!
//! # Failures
//!
//! - **Full**: what happens is the [`Overflow`] policy; a refused event is given back, a dropped one is counted and shown to the callback.
//! - **Closed**: events are given back, those who wait for room included.

mod error;
mod overflow;
mod queue;

pub use error::EnqueueError;
pub use overflow::{DropReason, Overflow};
pub(crate) use queue::{Buffer, Pushed};
