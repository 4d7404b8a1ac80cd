//! The tests of the public API, a module for each part.

mod floors;
mod smoke;
