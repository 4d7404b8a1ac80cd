//! Listeners: what may be registered, and the erased form in which it is called.

mod callee;
mod kind;
mod slot;
mod traits;

pub(crate) use callee::{Blocked, Callee, Filter};
pub use kind::Kind;
pub(crate) use slot::Slot;
pub use traits::Listener;
