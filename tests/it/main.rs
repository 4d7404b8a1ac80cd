//! The tests of the public API, a module for each part.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]

mod blocking;
mod change;
mod compile_fail;
mod dispatch;
mod enqueue;
mod floors;
mod follow;
mod introspection;
mod keyed;
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
mod support;
mod switch;
mod traps;
mod voice;
