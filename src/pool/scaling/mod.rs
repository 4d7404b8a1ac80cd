//! Pools that choose their own size: the parts of [`Scaling`](crate::Scaling), the balance between pools, and a simulator to try both on.
//!
//! Each tick, a [`ScalingPolicy`] sees the [`PoolStats`] and makes a [`Proposal`]. The pool keeps it within its bounds and carries it out, and each decision is told as a
//! [`Scaled`](crate::Scaled). The same code runs in a [`Simulation`].
//!
//! # Failures
//!
//! - **A policy panics**: the size stays, and [`HeldBack::PolicyPanicked`] is told.
//! - **The runtime is saturated**: nothing grows; [`HeldBack::RuntimeBusy`] is told.
//! - **The runtime that ticked ends**: the next emission that has to wait starts the ticks on its own.
//! - **No timer**: on a runtime without tokio's timer the ticks cannot start; it is logged, and the pool stays as it is.

pub(crate) mod balance;
pub(crate) mod config;
mod frame;
mod hold;
mod meter;
mod numbers;
mod observers;
mod policy;
pub(crate) mod scaled;
mod scaler;
mod share;
mod simulation;
mod stats;
mod status;
mod target;
mod ticker;

pub use balance::Balancing;
pub(super) use observers::{Observer, Observers};
pub use policy::{Proposal, ScalingPolicy};
pub use scaled::{HeldBack, ScaleReason};
pub(super) use scaler::{Scaler, told};
pub use simulation::{Comparison, Run, Simulation, Tick, Traffic};
pub use stats::PoolStats;
pub use status::ScalingStatus;
pub(super) use ticker::Ticker;
