//! The tests of the public API, a module for each part.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]

#[cfg(feature = "metrics")]
mod audit;
mod batches;
mod blocking;
mod buffer;
mod change;
mod compile_fail;
mod compose;
mod dispatch;
mod emission_limit;
mod enqueue;
#[cfg(feature = "metrics")]
mod export;
mod floors;
mod follow;
#[cfg(feature = "metrics")]
mod health;
mod introspection;
mod keyed;
mod late;
mod layers;
mod lifecycle;
mod listeners;
#[cfg(feature = "metrics")]
mod monitor;
#[cfg(feature = "metrics")]
mod observe;
mod options;
mod pool;
mod properties;
mod registry;
mod regressions;
mod rollout;
mod runtimes;
mod scaling;
mod shutdown;
mod stream;
mod support;
mod switch;
mod tracing;
mod traps;
mod voice;
