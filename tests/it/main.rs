//! The tests of the public API, a module for each part.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]

mod batches;
mod blocking;
mod buffer;
mod change;
mod compile_fail;
mod compose;
mod dispatch;
mod emission_limit;
mod enqueue;
mod floors;
mod follow;
mod introspection;
mod keyed;
mod late;
mod layers;
mod listeners;
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
mod traps;
mod voice;
