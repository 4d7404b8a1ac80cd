//! [`Trace`]: a `tracing` span around each call.

mod config;
mod future;
mod service;

pub use config::Trace;
pub use future::TraceFuture;
pub use service::TraceService;
