//! The turn of a key that a call has apart from its emission: one in the background, or one of a listener with an order of its own.

use std::sync::Arc;

use super::{Calls, Frame, Outer, within};
use crate::sync::lazy_static;

/// Stands in the chain of calls for the turn that they have, and for no listener.
struct Nobody;

lazy_static! {
    static ref NAME: Arc<str> = Arc::from("");
}

impl Calls for Nobody {
    fn listener(&self, _: usize) -> u64 {
        0
    }

    fn signal(&self) -> u64 {
        0
    }

    fn name(&self) -> &Arc<str> {
        &NAME
    }
}

/// Runs `code` in the turn of this key, so that what it emits is not made to wait for itself.
pub(crate) fn in_turn<R>(key: u64, code: impl FnOnce() -> R) -> R {
    within(|outer| {
        let frame = Frame {
            calls: &Nobody,
            place: 0.into(),
            lease: outer.lease(),
            version: 0,
            marked: false,
            inside: false,
            turn: key,
            depth: outer.depth(),
            outer,
        };
        frame.enter(code)
    })
}

/// Whether the code that runs here has the turn of this key.
pub(crate) fn has_turn(outer: Outer<'_>, key: u64) -> bool {
    outer.chain().any(|call| call.turn == key)
}
