//! What is measured, and what is told of it.

mod apart;
mod counters;
mod distributions;
mod levels;
mod timing;
