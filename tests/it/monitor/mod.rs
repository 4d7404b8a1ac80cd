//! The monitor of a runtime, on real ones.

mod blame;
mod options;
mod real;

pub(crate) use real::{block, stall};
