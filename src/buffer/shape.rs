//! What a buffer is like.

use super::Overflow;

/// How many events a buffer holds, and what happens when it is full.
pub(crate) struct Shape {
    pub(crate) capacity: usize,
    pub(crate) overflow: Overflow,
}
