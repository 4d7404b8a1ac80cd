//! The pool: its bound, nesting, what happens when it is full, and what can be read from it.

mod bound;
mod full;
mod nesting;
mod resize;
