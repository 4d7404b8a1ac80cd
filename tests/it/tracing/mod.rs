//! Spans and events: what is made, what hangs below what, and what it says.

mod capture;
mod events;
mod headers;
mod outcomes;
mod sampling;
mod tree;
