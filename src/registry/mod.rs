//! The registry: which listeners a signal has, as an immutable, ordered snapshot that is replaced as a whole.
//!
//! Readers load a snapshot without a lock and keep it for as long as they like. A change copies the list, O(n), under a lock that only other
//! changes wait for.
//!
//! # Failures
//!
//! - **Duplicate key**: refused with [`RegisterError::DuplicateKey`]; `replace()` swaps the listener of a key in one step.
//! - **A listener removed while emissions run**: each one marks its entry before it calls and looks at the removal after, so either the remover
//!   sees the call or the caller sees the removal.

mod entry;
mod error;
mod list;
mod metadata;
mod record;
mod snapshot;

pub(crate) use entry::Entry;
pub use error::RegisterError;
pub(crate) use list::{Insert, Order as SnapshotOrder, Registry};
pub use metadata::Metadata;
pub(crate) use record::{Budget, Record, Remove};
pub(crate) use snapshot::Snapshot;
