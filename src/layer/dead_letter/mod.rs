//! [`DeadLetter`]: a place for what has failed for good.
//!
//! # Failures
//!
//! - **Whoever takes the letters fails, panics, or has no room**: the call ends with both errors, its own and that one, so the report and the failure callbacks name them.
//! - **The call is ended from outside** (its emission dropped, cancelled, or at the end of its own timeout; its signal shut down): it is reported so, and no letter is written, since nothing can be
//!   awaited any more. Give the listener a deadline that is shorter than the emission's timeout.
//! - **The process ends**: letters in memory are gone.

mod config;
mod future;
mod letter;
mod redrive;
mod service;
mod store;

pub use config::DeadLetter;
pub use future::{DeadLetterError, DeadLetterFuture};
pub use letter::{Letter, RedeliverError};
pub use redrive::{Redrive, Redriven};
pub use service::DeadLetterService;
pub use store::DeadLetters;
