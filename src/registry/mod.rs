//! The registry: which listeners a signal has, as an immutable, ordered snapshot that is replaced as a whole.
//!
//! Readers load a snapshot without a lock and keep it for as long as they like. A change copies the list, O(n), under a lock that only other
//! changes wait for.
//!
//! # Failures
//!
//! - **Duplicate key**: refused with [`RegisterError::DuplicateKey`]; `replace()` swaps the listener of a key in one step.
//! - **A listener removed while emissions run**: an emission has a version in hand while it is polled and looks at the removal after, so either the caller sees the
//!   removal or `removed()` waits for its version; a call that goes on beyond a poll is marked while the version is in hand.

mod changed;
mod entry;
mod error;
mod gone;
mod home;
mod later;
mod list;
mod making;
mod metadata;
mod moves;
mod record;
mod rollout;
mod snapshot;
mod switch;
mod version;

pub use changed::{Changed, Setting};
pub(crate) use entry::{Entry, Listed, entry};
pub use error::RegisterError;
pub(crate) use home::{Home, Host, OnChange, Totals};
pub(crate) use later::{Audience, Later};
pub(crate) use list::{Insert, Order as SnapshotOrder, Registry};
pub use metadata::Metadata;
pub use moves::Milestone;
pub(crate) use moves::{Move, Moves};
pub(crate) use record::{Budget, Nth, Record, Wishes};
pub use rollout::Rollout;
pub(crate) use rollout::{Gate, Sides};
pub(crate) use snapshot::{Deliveries, Snapshot};
pub(crate) use switch::{Deliverer, Due, HeldEvent, Kept, Next, Way};
pub(crate) use version::{Before, Held};
