//! Layers: a module for each.

mod background;
mod blocking;
mod circuit_breaker;
mod concurrency;
mod control;
mod dead_letter;
mod dedup;
mod delivery;
mod fallback;
mod fault;
mod limited;
mod ours;
mod panic;
mod probe;
mod rate_limit;
mod redrive;
mod retry;
mod review;
mod stack;
mod through;
mod timeout;
mod tower;
mod trace;
