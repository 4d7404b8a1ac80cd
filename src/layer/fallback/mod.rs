//! [`Fallback`]: what is done instead, once a listener has failed for good.
//!
//! # Failures
//!
//! - **The fallback fails or panics too**: the call fails with [`FallbackError`], which names both errors; a dead letter around it takes the event.
//! - **The call is ended from outside** (its emission dropped, cancelled, or at the end of its own timeout; its signal shut down): that is no failure of the listener, nothing can be awaited any more, and
//!   no fallback is used.
//! - **The fallback hangs**: it is outside of the deadline of the listener, and nothing but the emission's own timeout bounds it. What may hang has a `tokio::time::timeout` of its own.

mod config;
mod error;
mod future;
mod service;

pub use config::Fallback;
pub use error::FallbackError;
pub use future::FallbackFuture;
pub use service::FallbackService;
