//! An audit log: who changed what, when, from what to what.
//!
//! [`AuditLog`] keeps a record of each [change](crate::Changed) of a bus at run time, of each shutdown and, if asked, of each listener that [comes or goes](crate::Lifecycle).
//! [`acting_as`](crate::acting_as) says on whose behalf. It is in memory and bounded, by number and by age; nothing leaves the process unless somebody reads it or asks to be told.
//!
//! # What can be personal
//!
//! No event, no header and no error of a listener is ever in a record. What the program itself has named is: signals, keys of listeners, the places in the source, actors, and the words of settings,
//! which may quote names that the program gave them. A listener with the key `customer-4711`, or the actor `alice@example.com`, is personal data: [`AuditLogBuilder::redact`] changes a
//! record before it is kept or told, and [`AuditLogBuilder::keep_for`] bounds how long it is there.
//!
//! # Failures
//!
//! - **The log is full, or a record too old**: the oldest go. Numbers have no gaps, so whoever reads sees how many: [`AuditLog::forgotten`].
//! - **The redaction panics**: what it was to look at is left out of the record, which says so.
//! - **The sink panics**: logged; the record is kept all the same.
//! - **Nobody acts**: a record without an actor is of the program's own doing, or of code that did not say.

mod install;
mod log;
mod record;
mod store;
mod utc;

pub use log::{AuditLog, AuditLogBuilder};
pub use record::{AuditKind, AuditRecord};
