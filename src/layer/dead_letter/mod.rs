//! [`DeadLetter`]: a place for what has failed for good.
//!
//! # Failures
//!
//! - **Whoever takes the letters fails, panics, or has no room**: the call ends with both errors, its own and that one, so the report and the failure callbacks name them.
//! - **The call is cancelled** (its emission dropped, its signal shut down): it is reported as cancelled and no letter is written, since nothing can be awaited any more.
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
