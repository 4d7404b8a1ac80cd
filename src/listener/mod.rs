//! Listeners: what may be registered, the erased form in which it is called, and the slot that its future runs in.

pub(crate) mod callee;
mod keeper;
mod kind;
mod onward;
mod payload;
#[cfg_attr(fanfare_safe_slot, path = "slot_safe.rs")]
mod slot;
#[cfg(test)]
mod slot_tests;
mod stacked;
mod step;
mod toll;
mod traits;

pub(crate) use callee::{Blocked, Call, Callee, Filter};
pub(crate) use keeper::{Closing, Ended, Keeper, NextTurn, Rest};
pub use kind::{Kind, Storage};
pub(crate) use onward::{AnyEmission, Following, Onward};
pub(crate) use payload::Payload;
pub(crate) use slot::Slot;
pub use stacked::BreakerCounts;
pub(crate) use stacked::Stacked;
pub(crate) use step::Step;
pub(crate) use toll::{Toll, Waits};
pub use traits::Listener;
