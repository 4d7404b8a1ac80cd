//! Models for exhaustive and randomised schedulers. `.ci/models` runs them, as the crate ships and with each planted bug.
//!
//! Loom tries every schedule and every value that the memory model allows, so its models are small. Shuttle tries random schedules of the whole
//! crate, its tasks and timers included.
#![cfg(any(fanfare_loom, fanfare_shuttle))]
#![allow(clippy::unwrap_used)]

#[cfg(fanfare_loom)]
mod handshakes;

#[cfg(fanfare_shuttle)]
mod batches;
#[cfg(fanfare_shuttle)]
mod buffer;
#[cfg(fanfare_shuttle)]
mod closing;
#[cfg(fanfare_shuttle)]
mod counts;
#[cfg(fanfare_shuttle)]
mod derive;
#[cfg(fanfare_shuttle)]
mod keyed;
#[cfg(fanfare_shuttle)]
mod late;
#[cfg(fanfare_shuttle)]
mod limits;
#[cfg(fanfare_shuttle)]
mod pool;
#[cfg(fanfare_shuttle)]
mod registry;
#[cfg(fanfare_shuttle)]
mod stream;
#[cfg(fanfare_shuttle)]
mod support;
#[cfg(fanfare_shuttle)]
mod switch;
