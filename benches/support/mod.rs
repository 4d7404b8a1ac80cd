//! What the benches share: one event, what is compared on it, and how figures are printed.
#![allow(dead_code, reason = "each bench uses a part of it")]

pub(crate) mod args;
pub(crate) mod cases;
pub(crate) mod contenders;
pub(crate) mod event;
pub(crate) mod peers;
pub(crate) mod plot;
pub(crate) mod print;
pub(crate) mod rounds;
