//! The spans of emissions and of calls: whether they are made, what they say, and how they hang together.
//!
//! Whether there are spans is decided once, by [`Sampler::wants`], before one is made; the calls of an emission follow their emission. What OpenTelemetry makes of a span is in
//! `otel.rs`, whose twin without the feature is `plain.rs`.
//!
//! # Failures
//!
//! - **A header that is not well formed**: it is as if there were none, and is logged at `debug`.
//! - **Nobody listens**: no subscriber asks for the level. Nothing is looked at, decided or made.

mod call;
mod emission;
#[cfg_attr(not(feature = "otel"), path = "plain.rs")]
mod otel;
mod sampler;

pub(crate) use call::{CallSpan, call_span};
pub(crate) use emission::{EmissionSpan, Emitted};
pub(crate) use sampler::{Detail, Rule, Sampler};
