//! Running the listeners of one emission.
//!
//! [`Emission`] is the state machine behind [`Emit`]: it starts listeners in the order of its snapshot, drives those that suspend, keeps stages apart,
//! and makes the report. The modes differ only in where a call runs (in the emitter's task or in one of its own) and in what must have finished
//! before the next one starts. Where events run in the order of their keys, an emission waits for its turn before all that: `turn.rs`.
//!
//! # Failures
//!
//! - **A listener panics**: caught at its own poll, call, filter or drop; it becomes [`Outcome::Panicked`](crate::Outcome::Panicked).
//! - **The emission is dropped**: listeners that have not finished are cancelled, counted and reported to the failure callbacks.
//! - **Nobody looks at the report**: every failure is told to the callbacks, or else logged, when it happens.

mod active;
mod background;
mod blocking;
mod core;
mod course;
mod emission;
mod emit;
mod gate;
mod hold;
mod lifecycle;
mod options;
mod pass;
mod running;
mod start;
mod stats;
#[cfg(feature = "serde")]
mod stats_serde;
mod tasks;
mod timing;
mod traced;
mod turn;
mod voice;
mod watch;

pub(crate) use self::core::Core;
pub(crate) use background::Keep;
pub(crate) use emission::Emission;
pub(crate) use emit::Detached;
pub use emit::Emit;
pub(crate) use gate::Pass;
pub(crate) use hold::Holding;
pub use lifecycle::Lifecycle;
#[cfg(feature = "metrics")]
pub(crate) use lifecycle::OnLifecycle;
pub(crate) use lifecycle::moves;
pub(crate) use options::Options;
pub use options::{DeadEvent, DeadEvents, Dispatch, OnError, Order, Timing};
pub use stats::Stats;
pub(crate) use turn::AnyKeyed;
pub(crate) use watch::Alarm;
