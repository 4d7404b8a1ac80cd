//! Layers: a module for each.

mod background;
mod blocking;
mod circuit_breaker;
mod control;
mod dead_letter;
mod delivery;
mod retry;
mod stack;
mod timeout;
