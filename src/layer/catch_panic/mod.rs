//! [`CatchPanic`]: a panic as an error, for the layers around it.
//!
//! # Failures
//!
//! - **The listener panics**: the attempt ends with [`Cause::Panicked`](crate::Cause::Panicked) and the message. With `panic = "abort"` the process ends at the panic, and
//!   no layer can keep it from that: `describe()` says so.

mod config;
mod future;
mod service;

pub use config::CatchPanic;
pub use future::CatchPanicFuture;
pub use service::CatchPanicService;
