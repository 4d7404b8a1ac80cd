//! Layers: a module for each.

mod background;
mod blocking;
mod circuit_breaker;
mod control;
mod dead_letter;
mod dedup;
mod delivery;
mod fault;
mod probe;
mod retry;
mod stack;
mod through;
mod timeout;
mod tower;
