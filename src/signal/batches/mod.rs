//! Listeners that are called with many events at once.
//!
//! Each event comes with a call of its own, which puts it into the open batch and waits. One of the calls of a batch leads (once it is full, the call that made it so): it waits until the
//! batch's time is up, calls the listener when it is the batch's turn, and polls what that returns; the others wait for their outcome. If the call that leads is dropped, another one goes on from
//! there. So nothing is spawned, and a batch that nobody waits for any more is cancelled with its last call.
//!
//! # Failures
//!
//! [`Batches`] says what becomes of an event whose batch fails.

mod call;
mod config;
mod gather;
mod on;
mod outcome;
mod sheet;

pub use config::Batches;
pub use outcome::{BatchOutcome, IntoBatchOutcome};
