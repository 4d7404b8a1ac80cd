//! What a listener runs in: which listeners called which, and the permit that the innermost one holds.
//!
//! While a listener is polled, a thread-local points to its [`Frame`]. Whatever the listener awaits in its own task finds it there: a nested
//! emission (to give the permit back, and to know how deep it is), `removed()` (to not wait for its own caller), `enqueue` (to not wait for itself).

mod cause;
#[cfg_attr(any(fanfare_loom, fanfare_shuttle), path = "current_model.rs")]
mod current;
mod frame;
mod lease;
mod turn;
mod without_permit;

pub(crate) use cause::{because_of, cause};
pub(crate) use current::{PlaceCell, within};
pub(crate) use frame::{Calls, Frame, Link, Outer, count_within, is_within};
pub(crate) use lease::{Lease, Loan, lacks_permit, take_permit};
pub(crate) use turn::{has_turn, in_turn};
pub use without_permit::{WithoutPermit, without_permit};
