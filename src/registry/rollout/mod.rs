//! Gradual rollout: a listener for a fraction of the keys, or of the deliveries.
//!
//! A [`Rollout`] has a dial, which all its handles share. Each signal that it is used in has a history of the dial, by the numbers of its lists: an emission goes by what was set when it
//! was made. What it has chosen it keeps to ([`Sides`]), so that the two sides of a rollout agree, whatever happens between the look at one and the look at the other.
//!
//! # Failures
//!
//! - **The closure that gives the key panics**: it is that listener's panic, on either side. At 0 and at 1 it is not asked, so a roll back does not depend on it.
//! - **More than 1,024 changes during one emission**: it goes by the oldest that is remembered, if it has not chosen yet, and both sides still agree.

mod api;
mod dial;
mod gate;
mod history;
mod share;
mod sides;

pub use api::Rollout;
pub(crate) use gate::Gate;
pub(crate) use sides::Sides;
